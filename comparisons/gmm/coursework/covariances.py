"""The M-step's covariances, and what goes wrong: centre, shares, form, divisor, structure, and what is done at the end.

::

    S_k = Σ_i r_ik (x_i - x̄_k)(x_i - x̄_k)'
    full S_k / N_k,    tied Σ_k S_k / n,    diag S_k,dd / N_k,    spherical tr S_k / (D N_k)

What a prior adds to numerator and divisor is in :mod:`comparisons.gmm.coursework.priors`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.coursework.formulas.estimates import DIVISOR, SHARE, overall
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import hard
from comparisons.coursework.formulas.slots import Formula, Slot, texts_beside
from comparisons.gmm.coursework.priors import modes
from comparisons.gmm.coursework.structures import OTHER_STRUCTURES, STRUCTURES
from models.validation import Array

TEXTS = texts_beside(__file__)


def averages(shares: Array, p: Problem) -> Array:
    """Return Σ_i s_ik x_i / Σ_i s_ik, shape (K, D)."""
    return np.asarray(shares.T @ p.X / shares.sum(axis=0)[:, None])


def _about(center: Callable[[Problem], Array]) -> Callable[[Array, Problem], Array]:
    return lambda s, p: np.broadcast_to(center(p), (p.K, p.D))


CENTER = Slot(
    "centre",
    lambda s, p: averages(p.r, p),
    {
        "your own means": lambda s, p: (
            p.own["means"] if p.own["means"].shape == (p.K, p.D) else np.full((p.K, p.D), np.nan)
        ),
        "about the shares' own means": lambda s, p: averages(s, p),
        "about the old means": lambda s, p: p.theta["means"],
        "about the mean of all samples": _about(overall),
        "not centred": _about(lambda p: np.zeros(p.D)),
        "about the mean of the hard clusters": lambda s, p: averages(hard(p.r), p),
        "about the means of another component": lambda s, p: np.roll(averages(p.r, p), 1, axis=0),
        "about the means of the next component": lambda s, p: np.roll(averages(p.r, p), -1, axis=0),
        "about the first component's mean": _about(lambda p: averages(p.r, p)[0]),
        "about the last component's mean": _about(lambda p: averages(p.r, p)[-1]),
        "about the mean of all means": _about(lambda p: averages(p.r, p).mean(axis=0)),
        "about the mean of the old and the new means": lambda s, p: (averages(p.r, p) + p.theta["means"]) / 2,
        "about the weighted sum, not divided": lambda s, p: p.r.T @ p.X,
        "about the sum over n": lambda s, p: p.r.T @ p.X / p.n,
        "means subtracted one after another": lambda s, p: np.cumsum(averages(p.r, p), axis=0),
        "about the median": _about(lambda p: np.median(p.X, axis=0)),
        "about the first sample": _about(lambda p: p.X[0]),
        "about a mean by squared responsibilities": lambda s, p: averages(p.r**2, p),
        "about the mean's mean over the features": lambda s, p: np.repeat(
            averages(p.r, p).mean(axis=1, keepdims=True), p.D, axis=1
        ),
    },
    TEXTS,
    apply=False,
    follows=("your own means", "about the shares' own means"),
)


def scatter(s: Array, d: Array) -> Array:
    """Return Σ_i s_ik d_ik d_ik', shape (K, D, D)."""
    return np.asarray(np.einsum("nk,nkd,nke->kde", s, d, d))


def _crossed(s: Array, d: Array, p: Problem) -> Array:
    x = np.repeat(p.X[:, None, :], p.K, axis=1)
    return np.asarray(np.einsum("nk,nkd,nke->kde", s, x, d))


def _outer_of_sum(s: Array, d: Array, p: Problem) -> Array:
    total = np.einsum("nk,nkd->kd", s, d)
    return np.asarray(np.einsum("kd,ke->kde", total, total))


def _minus_mean_once(s: Array, d: Array, p: Problem) -> Array:
    x = p.X[:, None, :] + 0 * d
    center = x[0] - d[0]
    return np.asarray(scatter(s, x) - np.einsum("kd,ke->kde", center, center))


def _samples_summed_first(s: Array, d: Array, p: Problem) -> Array:
    return scatter(np.ones_like(s), s[..., None] * d)


def _less(subtracted: Callable[[Array], Array]) -> Callable[[Array, Array, Problem], Array]:
    """Return Σ_i s_ik x_i x_i' less N_k times a function of the means."""
    return lambda s, d, p: scatter(s, p.X[:, None] + 0 * d) - s.sum(axis=0)[:, None, None] * subtracted(p.X[0] - d[0])


FORM = Slot(
    "form",
    lambda s, d, p: scatter(s, d),
    {
        "second moments minus the square of the mean": _less(lambda m: np.einsum("kd,ke->kde", m, m)),
        "second moments minus the mean": _less(lambda m: m[:, :, None] * np.eye(m.shape[1])),
        "squares of all means subtracted": _less(lambda m: m.T @ m),
        "distances in place of their squares": lambda s, d, p: (
            np.einsum("nk,nk->k", s, np.sqrt((d**2).sum(axis=2)))[:, None, None] * np.eye(p.D) / p.D
        ),
        "gaps not squared": lambda s, d, p: np.einsum("nk,nkd->kd", s, d)[:, :, None] * np.eye(p.D),
        "absolute gaps": lambda s, d, p: np.einsum("nk,nkd->kd", s, np.abs(d))[:, :, None] * np.eye(p.D),
        "products of absolute gaps": lambda s, d, p: scatter(s, np.abs(d)),
        "only one factor centred": _crossed,
        "outer product of the sum": _outer_of_sum,
        "responsibilities inside the square": _samples_summed_first,
        "mean subtracted before the division by N_k": _minus_mean_once,
        "weighted samples minus the mean": lambda s, d, p: scatter(
            np.ones_like(s), s[..., None] * p.X[:, None, :] - (p.X[:, None, :] - d)
        ),
        "responsibilities times the samples, then centred": lambda s, d, p: scatter(
            s, s[..., None] * p.X[:, None, :] - (p.X[:, None, :] - d)
        ),
        "squared distance in every entry": lambda s, d, p: np.einsum("nk,nkd,de->kde", s, d**2, np.ones((p.D, p.D))),
        "sum of the features squared": lambda s, d, p: (
            np.einsum("nk,nk->k", s, d.sum(axis=2) ** 2)[:, None, None] * np.eye(p.D)
        ),
        "fourth powers": lambda s, d, p: scatter(s, d**2),
        "gaps of neighbouring components": lambda s, d, p: np.einsum("nk,nkd,nke->kde", s, d, np.roll(d, 1, axis=1)),
        "only the last sample": lambda s, d, p: scatter(s[-1:], d[-1:]),
        "only the first sample": lambda s, d, p: scatter(s[:1], d[:1]),
        "features in reverse order in one factor": lambda s, d, p: np.einsum("nk,nkd,nke->kde", s, d, d[..., ::-1]),
        "gap from the average, squared": lambda s, d, p: (
            s.sum(axis=0)[:, None, None] * np.einsum("kd,ke->kde", d.mean(axis=0), d.mean(axis=0))
        ),
    },
    TEXTS,
    apply=False,
    follows=("second moments minus the square of the mean",),
)


def _ridge(size: float) -> Callable[[Array, Problem], Array]:
    def added(a: Array, p: Problem) -> Array:
        return (
            a + size * np.eye(p.D)
            if (a.shape[-2:] == (p.D, p.D) and a.ndim != 2) or a.shape == (p.D, p.D)
            else a + size
        )

    return added


def _square_matrices(a: Array, p: Problem) -> bool:
    kind = p.given.get("covariance_type", "full")
    return kind in ("full", "tied")


def _inverse(a: Array, p: Problem) -> Array:
    return np.asarray(np.linalg.inv(a)) if _square_matrices(a, p) else 1 / a


def _cholesky(a: Array, p: Problem) -> Array:
    return np.asarray(np.linalg.cholesky(a)) if _square_matrices(a, p) else np.sqrt(a)


RIDGES = "1e-10", "1e-8", "1e-6", "1e-5", "1e-4", "1e-3", "1e-2", "0.1", "1"
AFTER = {
    "standard deviations returned": lambda a, p: np.sqrt(np.abs(a)) * np.sign(a),
    "precisions returned": _inverse,
    "Cholesky factors returned": _cholesky,
    "inverse of the Cholesky factors returned": lambda a, p: _inverse(_cholesky(a, p), p),
    "root and inverse returned": lambda a, p: 1 / np.sqrt(np.abs(a)),
    "covariances squared": lambda a, p: a**2,
    "log covariances returned": lambda a, p: np.log(a),
    **{f"ridge of {size}": _ridge(float(size)) for size in RIDGES},
    "1e-6 added to every entry": lambda a, p: a + 1e-6,
    "1e-3 added to every entry": lambda a, p: a + 1e-3,
    "unit covariances returned": lambda a, p: (
        np.broadcast_to(np.eye(p.D), a.shape) if _square_matrices(a, p) else np.ones_like(a)
    ),
    "old covariances returned": lambda a, p: p.theta["covariances"],
    "last component keeps the old value": lambda a, p: np.concatenate([a[:-1], p.theta["covariances"][-1:]]),
    "first component keeps the old value": lambda a, p: np.concatenate([p.theta["covariances"][:1], a[1:]]),
    "last component left at 0": lambda a, p: np.concatenate([a[:-1], 0 * a[-1:]]),
    "first component left at 0": lambda a, p: np.concatenate([0 * a[:1], a[1:]]),
    "mean with the old covariances": lambda a, p: (a + p.theta["covariances"]) / 2,
    "added to the old covariances": lambda a, p: a + p.theta["covariances"],
    "components in reverse order": lambda a, p: a[::-1],
    "components shifted by one": lambda a, p: np.roll(a, 1, axis=0),
    "first component for all": lambda a, p: np.repeat(a[:1], len(a), axis=0),
    "last component for all": lambda a, p: np.repeat(a[-1:], len(a), axis=0),
    "features in reverse order": lambda a, p: a[..., ::-1, ::-1] if _square_matrices(a, p) else a[..., ::-1],
    "multiplied by the new weights": lambda a, p: a * p.r.mean(axis=0).reshape(-1, *(1,) * (a.ndim - 1)),
    "multiplied by the old weights": lambda a, p: a * p.theta["weights"].reshape(-1, *(1,) * (a.ndim - 1)),
    "divided by the new weights": lambda a, p: a / p.r.mean(axis=0).reshape(-1, *(1,) * (a.ndim - 1)),
    "halved": lambda a, p: a / 2,
    "doubled": lambda a, p: a * 2,
    "sign": lambda a, p: -a,
    "absolute values": lambda a, p: np.abs(a),
    "rounded": lambda a, p: np.round(a, 2),
    "covariance of the data": lambda a, p: np.repeat(np.cov(p.X.T, ddof=0).reshape(1, p.D, p.D), p.K, axis=0),
    "covariance of the data, unbiased": lambda a, p: np.repeat(np.cov(p.X.T).reshape(1, p.D, p.D), p.K, axis=0),
}


def covariances_formula(structure: str, text: str, prior: tuple[Slot, ...] = ()) -> Formula:
    """Return the formula of the covariances of a structure; ``prior`` are the slots of MAP."""
    pooled = Slot(
        "structure", STRUCTURES[structure], OTHER_STRUCTURES[structure], {"structure": TEXTS[structure]}, apply=False
    )
    after = Slot("after", lambda a, p: a, AFTER, TEXTS, apply=False)

    others = {"about the means shrunk to m0": lambda s, p: modes(p), "about m0": _about(lambda p: p.prior.mean)}
    centre = replace(CENTER, wrong={**CENTER.wrong, **others}) if prior else CENTER
    inner = (pooled, DIVISOR) if structure in ("tied", "spherical") else (DIVISOR, pooled)

    def combine(p: Problem, v: Mapping[str, Any]) -> Array:
        share = v["share"]
        key = "scatter", id(share), id(v["centre"]), id(v["form"])
        if key not in p.memo:  # of values that the memo holds too
            p.memo[key] = v["form"](share, p.X[:, None, :] - v["centre"](share, p), p)
        S, N = p.memo[key], np.asarray(v["divisor"](share, np.ones((p.n, 1)), p), dtype=float)
        if prior:
            scale, shrinkage, degrees = (v[slot.name] for slot in prior)
            S, N = S + scale + shrinkage, N + degrees
        return np.asarray(v["after"](v["structure"](S, N, p), p))

    def divisor(p: Problem) -> Any:
        N = p.r.sum(axis=0)[:, None] + (prior[2].right(p) if prior else 0.0)
        return {"full": N[:, :, None], "tied": N.sum(), "diag": N, "spherical": p.D * N[:, 0]}[structure]

    slots = (centre, *inner, after, SHARE, FORM)
    return Formula("covariances", text, slots, combine, divisor=divisor, pseudo=prior)
