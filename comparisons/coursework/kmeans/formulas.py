"""K-means for coursework: assignment, update and inertia, and what goes wrong in them.

::

    z_i = argmin_k ‖x_i - c_k‖²,    c_k = Σ_{i: z_i = k} x_i / N_k,    J = Σ_i min_k ‖x_i - c_k‖²
"""

from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Slot, texts_beside
from models.validation import Array

TEXTS = texts_beside(__file__)
TITLES = {"e": "assignment", "m": "update", "log_likelihood": "inertia"}


def _gaps(p: Problem) -> Array:
    return np.asarray(p.X[:, None, :] - p.theta["centers"])


def squares(p: Problem) -> Array:
    """Return ‖x_i - c_k‖², shape (n, K)."""
    return np.asarray((_gaps(p) ** 2).sum(axis=2))


def _norms(p: Problem) -> Array:
    return np.asarray((p.theta["centers"] ** 2).sum(axis=1))


def _cosines(p: Problem) -> Array:
    X, C = p.X, p.theta["centers"]
    return np.asarray(X @ C.T / np.linalg.norm(X, axis=1)[:, None] / np.linalg.norm(C, axis=1))


DISTANCE = Slot(
    "distance",
    squares,
    {
        "Manhattan distance": lambda p: np.abs(_gaps(p)).sum(axis=2),
        "cubed gaps": lambda p: (np.abs(_gaps(p)) ** 3).sum(axis=2),
        "fourth powers": lambda p: (_gaps(p) ** 4).sum(axis=2),
        "roots of the gaps": lambda p: np.sqrt(np.abs(_gaps(p))).sum(axis=2),
        "largest gap": lambda p: np.abs(_gaps(p)).max(axis=2),
        "smallest gap": lambda p: np.abs(_gaps(p)).min(axis=2),
        "gaps neither squared nor absolute": lambda p: _gaps(p).sum(axis=2),
        "sum of the gaps, absolute": lambda p: np.abs(_gaps(p).sum(axis=2)),
        "only the first feature": lambda p: np.abs(_gaps(p)[..., 0]),
        "only the last feature": lambda p: np.abs(_gaps(p)[..., -1]),
        "inner product": lambda p: p.X @ p.theta["centers"].T,
        "inner product, negative": lambda p: -(p.X @ p.theta["centers"].T),
        "cosine": lambda p: 1 - _cosines(p),
        "2 left out of 2 x·c": lambda p: _norms(p) - p.X @ p.theta["centers"].T,
        "sign of 2 x·c": lambda p: _norms(p) + 2 * p.X @ p.theta["centers"].T,
        "norm of the centres not squared": lambda p: np.sqrt(_norms(p)) - 2 * p.X @ p.theta["centers"].T,
        "centres only": lambda p: np.broadcast_to(_norms(p), (p.n, p.K)),
        "distances to the next centre": lambda p: np.roll(squares(p), -1, axis=1),
        "distances to the centre before": lambda p: np.roll(squares(p), 1, axis=1),
        "centres in reverse order": lambda p: squares(p)[:, ::-1],
        "centre added": lambda p: ((p.X[:, None, :] + p.theta["centers"]) ** 2).sum(axis=2),
        "data centred": lambda p: squares(p.changed(X=p.X - p.X.mean(axis=0))),
        "distances of the samples before": lambda p: np.roll(squares(p), 1, axis=0),
        "distances summed up over the samples": lambda p: np.cumsum(squares(p), axis=0),
        "divided by the norm of the centre": lambda p: squares(p) / np.sqrt(_norms(p)),
        "divided by the size of the cluster": lambda p: squares(p) / np.maximum(p.r.sum(axis=0), 1),
        "multiplied by the size of the cluster": lambda p: squares(p) * p.r.sum(axis=0),
        "last centre left out": lambda p: squares(p)[:, :-1],
        "first centre left out": lambda p: squares(p)[:, 1:],
    },
    TEXTS,
)


def _both(change: Any) -> Any:
    """Return a swap that changes samples and centres alike."""
    return lambda p: p.changed(X=change(p.X, p), centers=change(p.theta["centers"], p))


INPUTS = Slot(
    "inputs",
    lambda p: p,
    {
        "features over their standard deviations": _both(lambda a, p: a / p.X.std(axis=0)),
        "features over their variances": _both(lambda a, p: a / p.X.var(axis=0)),
        "gaps over standard deviations, not squared": _both(lambda a, p: a / np.sqrt(p.X.std(axis=0))),
        "features over their ranges": _both(lambda a, p: a / np.ptp(p.X, axis=0)),
        "samples standardised, centres not": lambda p: p.changed(X=(p.X - p.X.mean(axis=0)) / p.X.std(axis=0)),
        "samples and centres of unit length": _both(lambda a, p: a / np.linalg.norm(a, axis=1, keepdims=True)),
        "centres of unit length": lambda p: p.changed(
            centers=p.theta["centers"] / np.linalg.norm(p.theta["centers"], axis=1, keepdims=True)
        ),
        "features weighted by their number": _both(lambda a, p: a * np.sqrt(np.arange(1.0, p.D + 1))),
        "features in reverse order in the centres": lambda p: p.changed(centers=p.theta["centers"][:, ::-1]),
        "centres rounded": lambda p: p.changed(centers=np.round(p.theta["centers"])),
        "samples rounded": lambda p: p.changed(X=np.trunc(p.X)),
        "lengths in place of samples and centres": _both(lambda a, p: np.linalg.norm(a, axis=1, keepdims=True)),
        "squared lengths in place of samples and centres": _both(lambda a, p: (a**2).sum(axis=1, keepdims=True)),
        "absolute values": _both(lambda a, p: np.abs(a)),
    },
    TEXTS,
)
PICK = Slot(
    "pick",
    lambda d, p: d.argmin(axis=1),
    {
        "farthest centre": lambda d, p: d.argmax(axis=1),
        "nearest sample of each centre": lambda d, p: d.argmin(axis=0),
        "second nearest centre": lambda d, p: d.argsort(axis=1)[:, min(1, d.shape[1] - 1)],
        "labels begin at 1": lambda d, p: d.argmin(axis=1) + 1,
        "labels counted down": lambda d, p: d.shape[1] - 1 - d.argmin(axis=1),
        "smallest distance in place of its index": lambda d, p: d.min(axis=1),
        "root of the smallest distance": lambda d, p: np.sqrt(d.min(axis=1)),
        "distances returned": lambda d, p: d,
        "roots of the distances returned": lambda d, p: np.sqrt(d),
        "soft assignment": lambda d, p: np.exp(-d / 2) / np.exp(-d / 2).sum(axis=1, keepdims=True),
        "soft assignment without 1/2": lambda d, p: np.exp(-d) / np.exp(-d).sum(axis=1, keepdims=True),
        "first centre for all": lambda d, p: np.zeros(p.n),
        "last centre for all": lambda d, p: np.full(p.n, p.K - 1.0),
        "rank of the first centre": lambda d, p: d.argsort(axis=1)[:, 0] * 0 + d.argsort(axis=1).argsort(axis=1)[:, 0],
        "labels in reverse order of samples": lambda d, p: d.argmin(axis=1)[::-1],
        "labels of the last sample for all": lambda d, p: np.full(p.n, d.argmin(axis=1)[-1]),
        "old labels returned": lambda d, p: p.r.argmax(axis=1),
        "first centre that improves, not the nearest": lambda d, p: np.where(
            (d < d[:, :1]).any(axis=1), (d < d[:, :1]).argmax(axis=1), 0
        ),
    },
    TEXTS,
    apply=False,
)


def _masks(p: Problem) -> list[np.ndarray]:
    return [p.r[:, k] > 0 for k in range(p.K)]


def _each(function: Any) -> Any:
    """Return a value (K, D): a function of the samples of each cluster."""
    nothing = np.nan
    return lambda p: np.stack([function(p.X[m], p) if m.any() else np.full(p.D, nothing) for m in _masks(p)])


AVERAGE = Slot(
    "average",
    _each(lambda x, p: x.mean(axis=0)),
    {
        "median in place of the mean": _each(lambda x, p: np.median(x, axis=0)),
        "sum in place of the mean": _each(lambda x, p: x.sum(axis=0)),
        "divided by n": _each(lambda x, p: x.sum(axis=0) / p.n),
        "divided by K": _each(lambda x, p: x.sum(axis=0) / p.K),
        "divided by D": _each(lambda x, p: x.sum(axis=0) / p.D),
        "divided by N_k - 1": _each(lambda x, p: x.sum(axis=0) / (len(x) - 1)),
        "divided by N_k + 1": _each(lambda x, p: x.sum(axis=0) / (len(x) + 1)),
        "divided by n/K": _each(lambda x, p: x.sum(axis=0) * p.K / p.n),
        "centre of the range": _each(lambda x, p: (x.max(axis=0) + x.min(axis=0)) / 2),
        "mean over the features": _each(lambda x, p: np.full(p.D, x.mean())),
        "mean of all samples": _each(lambda x, p: p.X.mean(axis=0)),
        "first sample of each cluster": _each(lambda x, p: x[0]),
        "last sample of each cluster": _each(lambda x, p: x[-1]),
        "sample nearest to the mean": _each(lambda x, p: x[((x - x.mean(axis=0)) ** 2).sum(axis=1).argmin()]),
        "sample of all clusters nearest to the mean": _each(
            lambda x, p: p.X[((p.X - x.mean(axis=0)) ** 2).sum(axis=1).argmin()]
        ),
        "mean of the squares": _each(lambda x, p: (x**2).mean(axis=0)),
        "root of the mean of squares": _each(lambda x, p: np.sqrt((x**2).mean(axis=0))),
        "standard deviations": _each(lambda x, p: x.std(axis=0)),
        "largest values": _each(lambda x, p: x.max(axis=0)),
        "smallest values": _each(lambda x, p: x.min(axis=0)),
        "first sample left out": _each(lambda x, p: x[1:].mean(axis=0)),
        "last sample left out": _each(lambda x, p: x[:-1].mean(axis=0)),
        "mean of the samples of other clusters": lambda p: np.stack(
            [p.X[~m].mean(axis=0) if not m.all() else p.X[0] * np.nan for m in _masks(p)]
        ),
        "sums never reset": lambda p: (
            np.cumsum(_each(lambda x, p: x.sum(axis=0))(p), axis=0) / p.r.sum(axis=0)[:, None]
        ),
        "sums and counts never reset": lambda p: (
            np.cumsum(_each(lambda x, p: x.sum(axis=0))(p), axis=0) / np.cumsum(p.r.sum(axis=0))[:, None]
        ),
        "old centres added": lambda p: (
            (_each(lambda x, p: x.sum(axis=0))(p) + p.theta["centers"]) / p.r.sum(axis=0)[:, None]
        ),
        "old centre counted as a sample": lambda p: (
            (_each(lambda x, p: x.sum(axis=0))(p) + p.theta["centers"]) / (p.r.sum(axis=0)[:, None] + 1)
        ),
    },
    TEXTS,
)
AFTER = Slot(
    "after",
    lambda a, p: a,
    {
        "old centres returned": lambda a, p: p.theta["centers"],
        "mean with the old centres": lambda a, p: (a + p.theta["centers"]) / 2,
        "centres in reverse order": lambda a, p: a[::-1],
        "centres shifted by one": lambda a, p: np.roll(a, 1, axis=0),
        "centres shifted back by one": lambda a, p: np.roll(a, -1, axis=0),
        "features in reverse order": lambda a, p: a[:, ::-1],
        "centres sorted": lambda a, p: np.sort(a, axis=0),
        "first centre for all": lambda a, p: np.repeat(a[:1], p.K, axis=0),
        "last centre for all": lambda a, p: np.repeat(a[-1:], p.K, axis=0),
        "last cluster left out": lambda a, p: a[:-1],
        "first cluster left out": lambda a, p: a[1:],
        "centres rounded": lambda a, p: np.round(a),
        "cluster without samples in front": lambda a, p: np.concatenate([np.zeros((1, p.D)), a[:-1]]),
    },
    TEXTS,
    apply=False,
)
SUM = Slot(
    "sum",
    lambda d, p: d.min(axis=1).sum(),
    {
        "distances not squared": lambda d, p: np.sqrt(d.min(axis=1)).sum(),
        "mean in place of the sum": lambda d, p: d.min(axis=1).mean(),
        "summed over all centres": lambda d, p: d.sum(),
        "largest distance to each": lambda d, p: d.max(axis=1).sum(),
        "root of the sum": lambda d, p: np.sqrt(d.min(axis=1).sum()),
        "sign": lambda d, p: -d.min(axis=1).sum(),
        "half of the sum": lambda d, p: d.min(axis=1).sum() / 2,
        "nearest sample to each centre": lambda d, p: d.min(axis=0).sum(),
        "mean over cells": lambda d, p: d.min(axis=1).sum() / p.X.size,
        "largest of the smallest": lambda d, p: d.min(axis=1).max(),
        "by the given labels": lambda d, p: (d * p.r).sum(),
        "not summed": lambda d, p: d.min(axis=1),
        "divided by K": lambda d, p: d.min(axis=1).sum() / p.K,
    },
    TEXTS,
    apply=False,
)
