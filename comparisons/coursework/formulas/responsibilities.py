"""Responsibilities: log weights are added to log densities, and rows are normalised; what goes wrong in either.

A value of the last slot is a function of log densities (n, K), log weights (K,) and the problem.
"""

from functools import partial

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Slot, texts_beside
from models.validation import Array

TEXTS = texts_beside(__file__)
R = "r_ik = π_k p(x_i|k) / Σ_j π_j p(x_i|j)"


def log_sum(a: Array, axis: int | tuple[int, ...] | None = 1, keep: bool = False) -> Array:
    """Return log Σ exp a."""
    largest = a.max(axis=axis, keepdims=True)
    total = np.log(np.exp(a - largest).sum(axis=axis, keepdims=True)) + largest
    return np.asarray(total if keep else total.squeeze(axis))


def softmax(a: Array, axis: int | tuple[int, ...] = 1) -> Array:
    """Return exp a over its sum."""
    return np.asarray(np.exp(a - log_sum(a, axis, True)))


def hard(r: Array) -> Array:
    """Return one-hot rows of the largest entries."""
    return np.eye(r.shape[1])[r.argmax(axis=1)]


def _w(problem: Problem) -> Array:
    return problem.theta["weights"]


WEIGHTS = Slot(
    "weights",
    lambda p: np.log(_w(p)),
    {
        "weights left out": lambda p: np.zeros(p.K),
        "weights squared": lambda p: 2 * np.log(_w(p)),
        "root of the weights": lambda p: np.log(_w(p)) / 2,
        "divided by the weights": lambda p: -np.log(_w(p)),
        "log of the weights forgotten": _w,
        "1 - weights": lambda p: np.log1p(-_w(p)),
        "weights of another component": lambda p: np.log(np.roll(_w(p), 1)),
        "weights of another component, the next": lambda p: np.log(np.roll(_w(p), -1)),
        "weights in reverse order": lambda p: np.log(_w(p)[::-1]),
        "weights in descending order": lambda p: np.log(np.sort(_w(p))[::-1]),
        "weights in ascending order": lambda p: np.log(np.sort(_w(p))),
        "first weight for all": lambda p: np.log(np.full(p.K, _w(p)[0])),
        "last weight for all": lambda p: np.log(np.full(p.K, _w(p)[-1])),
        "log2 of the weights": lambda p: np.log2(_w(p)),
        "log10 of the weights": lambda p: np.log10(_w(p)),
        "weights by counts": lambda p: np.log(_w(p) * p.n),
        "exp of the weights": lambda p: np.exp(_w(p)),
        "softmax of the weights": lambda p: np.log(np.exp(_w(p)) / np.exp(_w(p)).sum()),
    },
    texts=TEXTS,
)


def _sequential(lp: Array, lw: Array, p: Problem) -> Array:
    r = np.exp(lp + lw)
    for k in range(r.shape[1]):
        r[:, k] = r[:, k] / r.sum(axis=1)
    return r


def _never_reset(lp: Array, lw: Array, p: Problem) -> Array:
    joint = np.exp(lp + lw)
    return np.asarray(joint / np.cumsum(joint.sum(axis=1))[:, None])


def _total_of_row(row: int, lp: Array, lw: Array, p: Problem) -> Array:
    joint = np.exp(lp + lw)
    return np.asarray(joint / joint[row].sum())


def _running(lp: Array, lw: Array, p: Problem) -> Array:
    joint = np.exp(lp + lw)
    return np.asarray(joint / np.cumsum(joint, axis=1))


def _odds(lp: Array, lw: Array, p: Problem) -> Array:
    joint = np.exp(lp + lw)
    return np.asarray(joint / (joint.sum(axis=1, keepdims=True) - joint))


def _powered(power: float, lp: Array, lw: Array, p: Problem) -> Array:
    return softmax(lp + lw) ** power


NORMALISE = Slot(
    "normalise",
    lambda lp, lw, p: softmax(lp + lw),
    {
        "not normalised": lambda lp, lw, p: np.exp(lp + lw),
        "normalised over samples": lambda lp, lw, p: softmax(lp + lw, 0),
        "normalised over everything": lambda lp, lw, p: softmax(lp + lw, (0, 1)),
        "hard assignment": lambda lp, lw, p: hard(lp + lw),
        "labels in place of responsibilities": lambda lp, lw, p: (lp + lw).argmax(axis=1),
        "thresholded at 1/2": lambda lp, lw, p: softmax(lp + lw) > 0.5,
        "given to the least probable": lambda lp, lw, p: hard(-(lp + lw)),
        "divided by the largest": lambda lp, lw, p: np.exp(lp + lw - (lp + lw).max(axis=1, keepdims=True)),
        "divided by the largest of each component": lambda lp, lw, p: np.exp(lp + lw - (lp + lw).max(axis=0)),
        "softmax of densities": lambda lp, lw, p: softmax(np.exp(lp + lw)),
        "logs divided by their sum": lambda lp, lw, p: (lp + lw) / (lp + lw).sum(axis=1, keepdims=True),
        "log densities returned": lambda lp, lw, p: lp + lw,
        "log-responsibilities returned": lambda lp, lw, p: lp + lw - log_sum(lp + lw, 1, True),
        "weights left out of the denominator": lambda lp, lw, p: np.exp(lp + lw - log_sum(lp, 1, True)),
        "weights left out of the numerator": lambda lp, lw, p: np.exp(lp - log_sum(lp + lw, 1, True)),
        "weights multiplied on at the end": lambda lp, lw, p: softmax(lp + lw) * np.exp(lw),
        "divided by the weights at the end": lambda lp, lw, p: softmax(lp + lw) / np.exp(lw),
        "weights added to normalised densities": lambda lp, lw, p: softmax(lp) + np.exp(lw),
        "joint of a mean with the weights": lambda lp, lw, p: (
            (np.exp(lp) + np.exp(lw)) / (np.exp(lp) + np.exp(lw)).sum(axis=1, keepdims=True)
        ),
        "only the weights": lambda lp, lw, p: np.broadcast_to(np.exp(lw), lp.shape),
        "all equal": lambda lp, lw, p: np.full(lp.shape, 1 / lp.shape[1]),
        "responsibilities squared": partial(_powered, 2),
        "root of responsibilities": partial(_powered, 0.5),
        "squared and normalised again": lambda lp, lw, p: softmax(2 * (lp + lw)),
        "rooted and normalised again": lambda lp, lw, p: softmax((lp + lw) / 2),
        "complement": lambda lp, lw, p: 1 - softmax(lp + lw),
        "inverted": lambda lp, lw, p: softmax(-(lp + lw)),
        "odds": _odds,
        "normalised over components, then over samples": lambda lp, lw, p: softmax(np.log(softmax(lp + lw)), 0),
        "normalised over samples, then over components": lambda lp, lw, p: softmax(np.log(softmax(lp + lw, 0)), 1),
        "divided by the mean": lambda lp, lw, p: softmax(lp + lw) * lp.shape[1],
        "divided by K once more": lambda lp, lw, p: softmax(lp + lw) / lp.shape[1],
        "divided by n once more": lambda lp, lw, p: softmax(lp + lw) / len(lp),
        "divided by the length": lambda lp, lw, p: (
            np.exp(lp + lw) / np.linalg.norm(np.exp(lp + lw), axis=1, keepdims=True)
        ),
        "divided by K": lambda lp, lw, p: np.exp(lp + lw) / lp.shape[1],
        "divided by n": lambda lp, lw, p: np.exp(lp + lw) / len(lp),
        "components in reverse order": lambda lp, lw, p: softmax(lp + lw)[:, ::-1],
        "components shifted by one": lambda lp, lw, p: np.roll(softmax(lp + lw), 1, axis=1),
        "samples in reverse order": lambda lp, lw, p: softmax(lp + lw)[::-1],
        "normalised in place in a loop": _sequential,
        "sum never reset": _never_reset,
        "denominator of the last sample": partial(_total_of_row, -1),
        "denominator of the first sample": partial(_total_of_row, 0),
        "running denominator": _running,
        "divided by the first component": lambda lp, lw, p: np.exp(lp + lw - (lp + lw)[:, :1]),
        "divided by the last component": lambda lp, lw, p: np.exp(lp + lw - (lp + lw)[:, -1:]),
        "mean subtracted, not normalised": lambda lp, lw, p: np.exp(lp + lw - (lp + lw).mean(axis=1, keepdims=True)),
        "base 2": lambda lp, lw, p: softmax(np.log(2) * (lp + lw)),
        "base 10": lambda lp, lw, p: softmax(np.log(10) * (lp + lw)),
        "log10 undone by exp": lambda lp, lw, p: softmax((lp + lw) / np.log(10)),
        "log2 undone by exp": lambda lp, lw, p: softmax((lp + lw) / np.log(2)),
        "averaged over the samples": lambda lp, lw, p: np.broadcast_to(softmax(lp + lw).mean(axis=0), lp.shape),
        "averaged over the samples, one row": lambda lp, lw, p: softmax(lp + lw).mean(axis=0),
        "densities of the samples returned": lambda lp, lw, p: np.exp(log_sum(lp + lw)),
        "last component by the others' joint densities": lambda lp, lw, p: np.column_stack(
            [softmax(lp + lw)[:, :-1], 1 - np.exp(lp + lw)[:, :-1].sum(axis=1)]
        ),
        "last component left out": lambda lp, lw, p: np.column_stack([softmax((lp + lw)[:, :-1]), np.zeros(len(lp))]),
        "last column left at 0": lambda lp, lw, p: softmax(lp + lw) * (np.arange(lp.shape[1]) < lp.shape[1] - 1),
        "first column left at 0": lambda lp, lw, p: softmax(lp + lw) * (np.arange(lp.shape[1]) > 0),
        "last sample left at 0": lambda lp, lw, p: softmax(lp + lw) * (np.arange(len(lp)) < len(lp) - 1)[:, None],
        "first sample left at 0": lambda lp, lw, p: softmax(lp + lw) * (np.arange(len(lp)) > 0)[:, None],
        "last sample for all": lambda lp, lw, p: np.repeat(softmax(lp + lw)[-1:], len(lp), axis=0),
        "first sample for all": lambda lp, lw, p: np.repeat(softmax(lp + lw)[:1], len(lp), axis=0),
        "cumulative": lambda lp, lw, p: np.cumsum(softmax(lp + lw), axis=1),
        "smoothed towards 1/K": lambda lp, lw, p: 0.99 * softmax(lp + lw) + 0.01 / lp.shape[1],
    },
    texts=TEXTS,
    apply=False,
)
