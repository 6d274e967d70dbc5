"""The Poisson mixture's formulas for coursework; what goes wrong in them is in the file beside it.

::

    log p(x_i|k) = Σ_d { x_id log λ_kd + x_id log e_id - e_id λ_kd - log x_id! }
    λ_kd = Σ_i r_ik x_id / Σ_i r_ik e_id
"""

import numpy as np
from scipy.special import gammaln

from comparisons.coursework.formulas.catalogue import Catalogue, term
from comparisons.coursework.formulas.cells import FEATURES, by_component, by_sample
from comparisons.coursework.formulas.estimates import after_of
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.weights import HINT
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


WORDS = {"x": _x, "e": _e, "rate": _rate, "exposure": exposure}
CATALOGUE = Catalogue(__file__, {**WORDS, "mean_of_rates": _mean_of_rates, "variances": _variances})
POWER = CATALOGUE.slot("x log(e λ)", lambda p: _x(p) * (np.log(_rate(p)) + np.log(_e(p))))
EXPONENTIAL = CATALOGUE.slot("-e λ", lambda p: -_e(p) * _rate(p))
FACTORIAL = CATALOGUE.slot("-log x!", lambda p: -gammaln(_x(p) + 1))
SWAPS = CATALOGUE.slot("inputs", lambda p: p)
OTHERS = FEATURES.extended(CATALOGUE.rows("features", ["cells"]))
VALUES = CATALOGUE.slot("events", lambda p: p.X)
AFTER = after_of("rates", CATALOGUE.rows("after", ["a"]))


def _pseudo(p: Problem, place: int, offset: float) -> Array:
    """Return a number of the gamma prior less an offset, or 0 for maximum likelihood."""
    if p.prior is None:
        return np.zeros(p.D)
    return np.broadcast_to(np.asarray(getattr(p.prior, p.prior.hyperparameters[place])) - offset, p.D)


ABOVE = term(
    "b - 1",
    HINT,
    lambda p: _pseudo(p, 0, 1.0),
    {
        "b": lambda p: _pseudo(p, 0, 0.0),
        "b + 1": lambda p: _pseudo(p, 0, -1.0),
        "c": lambda p: _pseudo(p, 1, 0.0),
        "b / c": lambda p: _pseudo(p, 0, 0.0) / _pseudo(p, 1, 0.0),
        "(b - 1) / c": lambda p: _pseudo(p, 0, 1.0) / _pseudo(p, 1, 0.0),
        "b - 2": lambda p: _pseudo(p, 0, 2.0),
    },
)
BELOW = term(
    "c",
    HINT,
    lambda p: _pseudo(p, 1, 0.0),
    {
        "c - 1": lambda p: _pseudo(p, 1, 1.0),
        "c + 1": lambda p: _pseudo(p, 1, -1.0),
        "1 / c, a scale": lambda p: 1 / _pseudo(p, 1, 0.0),
        "b": lambda p: _pseudo(p, 0, 0.0),
        "b - 1": lambda p: _pseudo(p, 0, 1.0),
        "b + c": lambda p: _pseudo(p, 0, 0.0) + _pseudo(p, 1, 0.0),
        "b + c - 2": lambda p: _pseudo(p, 0, 1.0) + _pseudo(p, 1, 1.0),
        "e c": lambda p: exposure(p)[0] * _pseudo(p, 1, 0.0),
    },
)
