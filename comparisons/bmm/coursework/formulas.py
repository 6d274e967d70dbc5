"""The Bernoulli and binomial mixture's formulas for coursework; what goes wrong in them is in the file beside it.

::

    log p(x_i|k) = Σ_d { x_id log p_kd + (m - x_id) log(1 - p_kd) + log C(m, x_id) },    p_kd = Σ_i r_ik x_id / (m N_k)
"""

import numpy as np
from scipy.special import gammaln

from comparisons.coursework.formulas.catalogue import Catalogue, wrong_inputs
from comparisons.coursework.formulas.cells import FEATURES, by_component, by_sample, hyperparameter
from comparisons.coursework.formulas.estimates import HINT, after_of
from comparisons.coursework.formulas.problem import Problem
from models.validation import Array

TRIALS = 5  # where a function has an argument for them and none are given


def trials(p: Problem) -> Array:
    """Return the number of trials of each cell, shape (n, D)."""
    return p.size("n_trials")


def _x(p: Problem) -> Array:
    return by_sample(p.X)


def _m(p: Problem) -> Array:
    return by_sample(trials(p))


def _p(p: Problem) -> Array:
    return by_component(p.theta["probs"])


def _choose(p: Problem) -> Array:
    return np.asarray(gammaln(_m(p) + 1) - gammaln(_x(p) + 1) - gammaln(_m(p) - _x(p) + 1))


def _b(p: Problem) -> Array:
    return hyperparameter(p, 0, 1.0)


def _c(p: Problem) -> Array:
    return hyperparameter(p, 1, 1.0)


WORDS = {"x": _x, "m": _m, "p": _p, "choose": _choose, "trials": trials, "b": _b, "c": _c}
CATALOGUE = Catalogue(__file__, WORDS)
SUCCESSES = CATALOGUE.slot("x log p", lambda p: _x(p) * np.log(_p(p)))
FAILURES = CATALOGUE.slot("(m - x) log(1 - p)", lambda p: (_m(p) - _x(p)) * np.log1p(-_p(p)))
COEFFICIENT = CATALOGUE.slot("log C(m, x)", lambda p: np.where(_m(p) > 1, _choose(p), 0.0))
INTERMEDIATES, SUMS = CATALOGUE.formulas("intermediates"), CATALOGUE.formulas("sums")
SWAPS = wrong_inputs(CATALOGUE.slot("inputs", lambda p: p), probs=("component", "feature"), X=("sample", "feature"))
OTHERS = FEATURES.extended(CATALOGUE.rows("features", ["cells"]))
VALUES = CATALOGUE.slot("successes", lambda p: p.X)
AFTER = after_of("probs", CATALOGUE.rows("after", ["a"]))
ABOVE = CATALOGUE.term("b - 1", HINT, lambda p: _b(p) - 1)
BELOW = CATALOGUE.term("b + c - 2", HINT, lambda p: _b(p) + _c(p) - 2)
