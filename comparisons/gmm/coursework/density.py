"""The Gaussian log density in three terms; what goes wrong in each is in the file beside it.

::

    log p(x_i|k) = -D/2 log 2π - 1/2 log|Σ_k| - 1/2 (x_i - μ_k)' Σ_k⁻¹ (x_i - μ_k)
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from comparisons.coursework.formulas import objectives
from comparisons.coursework.formulas.catalogue import Catalogue, wrong_inputs
from comparisons.coursework.formulas.problem import Problem
from models.gmm.structures import full_matrices
from models.validation import Array


def matrices(p: Problem) -> Array:
    """Return Σ_k as matrices, shape (K, D, D)."""
    if "matrices" not in p.memo:
        covariances = p.theta["covariances"]
        kind = {(p.K,): "spherical", (p.K, p.D): "diag", (p.K, p.D, p.D): "full"}
        structure = p.given.get("covariance_type", kind.get(covariances.shape, "tied"))
        p.memo["matrices"] = np.array(full_matrices(structure, covariances, p.K, p.D))
    return np.asarray(p.memo["matrices"])


def gaps(p: Problem) -> Array:
    """Return x_i - μ_k, shape (n, K, D)."""
    return np.asarray(p.X[:, None, :] - p.theta["means"])


def log_det(S: Array) -> Array:
    """Return log|Σ_k|, shape (K,)."""
    return np.asarray(np.linalg.slogdet(S)[1])


def square(d: Array, S: Array) -> Array:
    """Return d' Σ_k⁻¹ d of gaps (n, K, D), shape (n, K)."""
    return form(d, np.linalg.inv(S))


def form(d: Array, A: Array, e: Array | None = None) -> Array:
    """Return d' A_k e, shape (n, K); e is d unless given."""
    return np.asarray(np.einsum("nkd,kde,nke->nk", d, A, d if e is None else e))


def diagonals(S: Array) -> Array:
    """Return the variances on the diagonals, shape (K, D)."""
    return np.asarray(np.diagonal(S, axis1=-2, axis2=-1))


def kept_diagonal(S: Array) -> Array:
    """Return matrices without what is off their diagonals."""
    return np.asarray(S * np.eye(S.shape[-1]))


def elementwise(S: Array, function: Any) -> Array:
    """Return a function of every entry; of 0, 0."""
    return np.where(S != 0, function(np.where(S != 0, S, 1.0)), 0.0)


def _variances(p: Problem) -> Array:
    return diagonals(matrices(p))


def _cholesky(p: Problem) -> Array:
    return np.linalg.cholesky(matrices(p))


def _all_pairs(p: Problem) -> Array:
    """Return Σ_j (x_i - μ_k)' Σ_k⁻¹ (x_j - μ_k), shape (n, K)."""
    return form(gaps(p), np.linalg.inv(matrices(p)), np.broadcast_to(gaps(p).sum(axis=0), gaps(p).shape))


def _with_covariances(p: Problem) -> Callable[[Array], Problem]:
    """Return what makes the problem one with other covariances, given as matrices."""
    return lambda S: p.changed(covariances=np.asarray(S), covariance_type="full")


CATALOGUE = Catalogue(
    __file__,
    {
        "S": matrices,
        "d": gaps,
        "variances": _variances,
        "L": _cholesky,
        "all_pairs": _all_pairs,
        "with_covariances": _with_covariances,
    },
    [diagonals, elementwise, form, kept_diagonal, log_det, square],
)
CONSTANT = CATALOGUE.slot("constant", lambda p: -p.D / 2 * np.log(2 * np.pi))
DETERMINANT = CATALOGUE.slot("determinant", lambda p: -log_det(matrices(p)) / 2)
SQUARE = CATALOGUE.slot("square", lambda p: -square(gaps(p), matrices(p)) / 2)
DENSITIES = objectives.DENSITIES.extended(CATALOGUE.rows("log densities", ["lp"]))
INTERMEDIATES, SUMS = CATALOGUE.formulas("intermediates"), CATALOGUE.formulas("sums")
SWAPS = wrong_inputs(CATALOGUE.slot("inputs", lambda p: p), means=("component", "feature"), X=("sample", "feature"))


def combined(p: Problem, v: Mapping[str, Any]) -> Array:
    """Return the sum of the three terms, shape (n, K)."""
    return np.asarray(v["constant"] + v["determinant"] + v["square"])
