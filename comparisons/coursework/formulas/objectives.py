"""Responsibilities, log-likelihood and Q of log densities and log weights, with the mistakes in putting them together.

Each value of a slot is a function of log densities lp (n, K), log weights lw (K,) and the problem.
"""

import numpy as np

from comparisons.coursework.formulas.catalogue import INDEX, SUMS, Catalogue, wrong_indices
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Slot
from models.validation import Array

R = "r_ik = π_k p(x_i|k) / Σ_j π_j p(x_i|j)"
ELL = "ℓ(θ) = Σ_i log Σ_k π_k p(x_i|k)"
Q = "Q(θ, r) = Σ_ik r_ik (log π_k + log p(x_i|k))"


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
AGGREGATE = CATALOGUE.slot("sum", lambda lp, lw, p: log_sum(lp + lw).sum(), ("lp", "lw"))
AVERAGE = CATALOGUE.slot("average", lambda lp, lw, p: float((p.r * (lp + lw)).sum()), ("lp", "lw"))
DENSITIES = wrong_indices(Slot("log densities", lambda lp, p: lp, apply=False), 0, "sample", INDEX | SUMS)
DENSITIES = wrong_indices(DENSITIES, 1, "component", INDEX | SUMS)
TOTALS = CATALOGUE.formulas("sums", ["lp", "lw"])


def sums_of(lp: Array, p: Problem) -> dict[str, float]:
    """Return sums that students add up to log-likelihoods and Q, by name."""
    lw = np.log(p.theta["weights"])
    return {name: float(formula(lp, lw, p)) for name, formula in TOTALS.items()}
