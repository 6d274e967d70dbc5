"""Responsibilities: log weights are added to log densities, and rows are normalised; with the mistakes in both.

A value of the last slot is a function of log densities lp (n, K), log weights lw (K,) and the problem.
"""

import numpy as np

from comparisons.coursework.formulas.catalogue import INDEX, Catalogue, wrong_indices
from models.validation import Array

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


def normalised_in_place(joint: Array) -> Array:
    """Return joint densities over sums of rows in which the columns before are normalised already."""
    for k in range(joint.shape[1]):
        joint[:, k] = joint[:, k] / joint.sum(axis=1)
    return joint


CATALOGUE = Catalogue(__file__, functions=(hard, log_sum, normalised_in_place, softmax))
WEIGHTS = wrong_indices(CATALOGUE.slot("weights", lambda p: np.log(p.theta["weights"])), 0, "component", INDEX)
NORMALISE = CATALOGUE.slot("normalise", lambda lp, lw, p: softmax(lp + lw), ("lp", "lw"))
