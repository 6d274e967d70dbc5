"""The Poisson mixture's formulas for coursework; what goes wrong in them is in the file beside it.

::

    log p(x_i|k) = Σ_d { x_id log λ_kd + x_id log e_id - e_id λ_kd - log x_id! }
    λ_kd = Σ_i r_ik x_id / Σ_i r_ik e_id
"""

import numpy as np
from scipy.special import gammaln

from comparisons.coursework.formulas.catalogue import Catalogue, wrong_inputs
from comparisons.coursework.formulas.cells import FEATURES, by_component, by_sample, hyperparameter
from comparisons.coursework.formulas.estimates import HINT, after_of
from comparisons.coursework.formulas.problem import Problem
from models.validation import Array


def exposure(p: Problem) -> Array:
    """Return the exposure of each cell, shape (n, D)."""
    return p.size("exposure")


def _x(p: Problem) -> Array:
    return by_sample(p.X)


def _e(p: Problem) -> Array:
    return by_sample(exposure(p))


def _rate(p: Problem) -> Array:
    return by_component(p.theta["rates"])


def _mean_of_rates(p: Problem) -> Array:
    return np.asarray(p.r.T @ (p.X / exposure(p)) / p.r.sum(axis=0)[:, None])


def _variances(p: Problem) -> Array:
    centers = p.r.T @ p.X / p.r.sum(axis=0)[:, None]
    return np.asarray(np.einsum("nk,nkd->kd", p.r, (p.X[:, None] - centers) ** 2) / p.r.sum(axis=0)[:, None])


def _b(p: Problem) -> Array:
    return hyperparameter(p, 0, 1.0)


def _c(p: Problem) -> Array:
    return hyperparameter(p, 1, 0.0)


WORDS = {"x": _x, "e": _e, "rate": _rate, "exposure": exposure, "b": _b, "c": _c}
CATALOGUE = Catalogue(__file__, {**WORDS, "mean_of_rates": _mean_of_rates, "variances": _variances})
POWER = CATALOGUE.slot("x log(e λ)", lambda p: _x(p) * (np.log(_rate(p)) + np.log(_e(p))))
EXPONENTIAL = CATALOGUE.slot("-e λ", lambda p: -_e(p) * _rate(p))
FACTORIAL = CATALOGUE.slot("-log x!", lambda p: -gammaln(_x(p) + 1))
INTERMEDIATES, SUMS = CATALOGUE.formulas("intermediates"), CATALOGUE.formulas("sums")
SWAPS = wrong_inputs(
    CATALOGUE.slot("inputs", lambda p: p),
    rates=("component", "feature"),
    X=("sample", "feature"),
    exposure=("sample", "feature"),
)
OTHERS = FEATURES.extended(CATALOGUE.rows("features", ["cells"]))
VALUES = CATALOGUE.slot("events", lambda p: p.X)
AFTER = after_of("rates", CATALOGUE.rows("after", ["a"]))
ABOVE = CATALOGUE.term("b - 1", HINT, lambda p: _b(p) - 1)
BELOW = CATALOGUE.term("c", HINT, _c)
