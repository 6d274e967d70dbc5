"""K-means for coursework: assignment, update and inertia; their mistakes are in the TOML file beside this module.

::

    z_i = argmin_k ‖x_i - c_k‖²,    c_k = Σ_{i: z_i = k} x_i / N_k,    J = Σ_i min_k ‖x_i - c_k‖²
"""

from collections.abc import Callable

import numpy as np

from comparisons.coursework.formulas.catalogue import Catalogue, wrong_inputs
from comparisons.coursework.formulas.problem import Problem
from models.validation import Array


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


def each(p: Problem) -> Callable[[Callable[[Array], Array]], Array]:
    """Return a function that applies a statistic to the samples of each cluster, as a table (K, D); NaN if empty."""
    clusters = [p.X[p.r[:, k] > 0] for k in range(p.K)]
    return lambda function: np.stack([function(x) if len(x) else np.full(p.D, np.nan) for x in clusters])


def _other_means(p: Problem) -> Array:
    others = [p.X[p.r[:, k] == 0] for k in range(p.K)]
    return np.stack([x.mean(axis=0) if len(x) else np.full(p.D, np.nan) for x in others])


WORDS = {"gaps": _gaps, "squares": squares, "norms": _norms, "cosines": _cosines}
CATALOGUE = Catalogue(__file__, {**WORDS, "each": each, "other_means": _other_means})
DISTANCE = CATALOGUE.slot("distance", squares)
INPUTS = wrong_inputs(CATALOGUE.slot("inputs", lambda p: p), centers=("centre", "feature"), X=("sample", "feature"))
INTERMEDIATES = CATALOGUE.formulas("intermediates")
PICK = CATALOGUE.slot("pick", lambda d, p: d.argmin(axis=1), ["d"])
AVERAGE = CATALOGUE.slot("average", lambda p: each(p)(lambda x: x.mean(axis=0)))
AFTER = CATALOGUE.slot("after", lambda a, p: a, ["a"])
SUM = CATALOGUE.slot("sum", lambda d, p: d.min(axis=1).sum(), ["d"])
