"""The Gaussian log density in three terms, and what goes wrong in each.

::

    log p(x_i|k) = -D/2 log 2π - 1/2 log|Σ_k| - 1/2 (x_i - μ_k)' Σ_k⁻¹ (x_i - μ_k)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Slot, texts_beside
from models.gmm.structures import full_matrices
from models.validation import Array

TEXTS = texts_beside(__file__)
LOG_2PI = float(np.log(2 * np.pi))


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


CONSTANT = Slot(
    "constant",
    lambda p: -p.D / 2 * LOG_2PI,
    {
        "no (2π)^(D/2)": lambda p: 0.0,
        "(2π)^(1/2) for any D": lambda p: -LOG_2PI / 2,
        "(2π)^D": lambda p: -p.D * LOG_2PI,
        "2π without the power": lambda p: -LOG_2PI,
        "multiplied by (2π)^(D/2)": lambda p: p.D / 2 * LOG_2PI,
        "π in place of 2π": lambda p: -p.D / 2 * np.log(np.pi),
        "2 in place of 2π": lambda p: -p.D / 2 * np.log(2),
        "K in place of D": lambda p: -p.K / 2 * LOG_2PI,
        "n in place of D": lambda p: -p.n / 2 * LOG_2PI,
        "2π without logarithm": lambda p: -p.D / 2 * 2 * np.pi,
        "log10 of 2π": lambda p: -p.D / 2 * np.log10(2 * np.pi),
        "root of 2π D": lambda p: -np.log(2 * np.pi * p.D) / 2,
        "(2π)^(-D)": lambda p: p.D * LOG_2PI,
        "(2π)^(D/4)": lambda p: -p.D / 4 * LOG_2PI,
    },
    TEXTS,
)
DETERMINANT = Slot(
    "determinant",
    lambda p: -log_det(matrices(p)) / 2,
    {
        "no determinant": lambda p: np.zeros(p.K),
        "determinant without root": lambda p: -log_det(matrices(p)),
        "multiplied by the root of the determinant": lambda p: log_det(matrices(p)) / 2,
        "multiplied by the determinant": lambda p: log_det(matrices(p)),
        "fourth root of the determinant": lambda p: -log_det(matrices(p)) / 4,
        "determinant squared": lambda p: -2 * log_det(matrices(p)),
        "determinant to the power D/2": lambda p: -p.D / 2 * log_det(matrices(p)),
        "determinant to the power D": lambda p: -p.D * log_det(matrices(p)),
        "determinant to the power 1/D": lambda p: -log_det(matrices(p)) / p.D,
        "determinant to the power 1/(2D)": lambda p: -log_det(matrices(p)) / (2 * p.D),
        "product of the diagonal": lambda p: -np.log(diagonals(matrices(p))).sum(axis=1) / 2,
        "product of the diagonal without root": lambda p: -np.log(diagonals(matrices(p))).sum(axis=1),
        "trace in place of the determinant": lambda p: -np.log(diagonals(matrices(p)).sum(axis=1)) / 2,
        "trace, without root": lambda p: -np.log(diagonals(matrices(p)).sum(axis=1)),
        "sum of standard deviations": lambda p: -np.log(np.sqrt(diagonals(matrices(p))).sum(axis=1)),
        "mean of the variances": lambda p: -np.log(diagonals(matrices(p)).mean(axis=1)) / 2,
        "norm in place of the determinant": lambda p: -np.log(np.linalg.norm(matrices(p), axis=(1, 2))) / 2,
        "norm, without root": lambda p: -np.log(np.linalg.norm(matrices(p), axis=(1, 2))),
        "determinant without logarithm": lambda p: -np.linalg.det(matrices(p)) / 2,
        "determinant without logarithm and without 1/2": lambda p: -np.linalg.det(matrices(p)),
        "root of the determinant without logarithm": lambda p: -np.sqrt(np.linalg.det(matrices(p))),
        "log10 of the determinant": lambda p: -np.log10(np.linalg.det(matrices(p))) / 2,
        "log2 of the determinant": lambda p: -np.log2(np.linalg.det(matrices(p))) / 2,
        "determinant of the first component": lambda p: np.repeat(-log_det(matrices(p))[0] / 2, p.K),
        "determinant of the last component": lambda p: np.repeat(-log_det(matrices(p))[-1] / 2, p.K),
        "largest variance only": lambda p: -np.log(diagonals(matrices(p)).max(axis=1)) / 2,
        "first variance only": lambda p: -np.log(matrices(p)[:, 0, 0]) / 2,
        "first variance only, without root": lambda p: -np.log(matrices(p)[:, 0, 0]),
        "determinant of the Cholesky factor taken for the covariance's": lambda p: -log_det(matrices(p)) * 0.25,
        "determinant of the sum of the covariances": lambda p: np.repeat(-log_det(matrices(p).sum(axis=0)) / 2, p.K),
        "determinant of the mean covariance": lambda p: np.repeat(-log_det(matrices(p).mean(axis=0)) / 2, p.K),
        "determinant of 2πΣ besides the constant": lambda p: -log_det(matrices(p)) / 2 - p.D / 2 * LOG_2PI,
        "sum of logs of the standard deviations halved": lambda p: -np.log(diagonals(matrices(p))).sum(axis=1) / 4,
        "determinants multiplied up": lambda p: -np.cumsum(log_det(matrices(p))) / 2,
    },
    TEXTS,
)


def _cholesky(p: Problem) -> Array:
    return np.linalg.cholesky(matrices(p))


def _norm(a: Array) -> Array:
    return np.asarray((a**2).sum(axis=-1))


def _features_added(p: Problem) -> Array:
    """Return what the square must be for the density to be the sum of those of single features."""
    variances = diagonals(matrices(p))
    logs = -np.log(2 * np.pi * variances) / 2 - gaps(p) ** 2 / (2 * variances)
    return np.asarray(np.log(np.exp(logs).sum(axis=2)) + np.log(2 * np.pi * variances).sum(axis=1) / 2)


def _all_pairs(p: Problem) -> Array:
    """Return Σ_j (x_i - μ_k)' Σ_k⁻¹ (x_j - μ_k), shape (n, K)."""
    return form(gaps(p), np.linalg.inv(matrices(p)), np.broadcast_to(gaps(p).sum(axis=0), gaps(p).shape))


SQUARE = Slot(
    "square",
    lambda p: -square(gaps(p), matrices(p)) / 2,
    {
        "no 1/2 in the exponent": lambda p: -square(gaps(p), matrices(p)),
        "sign of the exponent": lambda p: square(gaps(p), matrices(p)) / 2,
        "sign of the exponent, and no 1/2": lambda p: square(gaps(p), matrices(p)),
        "no covariance in the exponent": lambda p: -_norm(gaps(p)) / 2,
        "no covariance in the exponent, and no 1/2": lambda p: -_norm(gaps(p)),
        "distance in place of its square, no covariance": lambda p: -np.sqrt(_norm(gaps(p))) / 2,
        "covariance in place of its inverse": lambda p: -form(gaps(p), matrices(p)) / 2,
        "inverse of each entry": lambda p: -form(gaps(p), elementwise(matrices(p), lambda s: 1 / s)) / 2,
        "only the diagonal of the covariance": lambda p: -square(gaps(p), kept_diagonal(matrices(p))) / 2,
        "only the diagonal of the inverse": lambda p: -form(gaps(p), kept_diagonal(np.linalg.inv(matrices(p)))) / 2,
        "distance not squared": lambda p: -np.sqrt(square(gaps(p), matrices(p))) / 2,
        "distance not squared, and no 1/2": lambda p: -np.sqrt(square(gaps(p), matrices(p))),
        "distance squared twice": lambda p: -(square(gaps(p), matrices(p)) ** 2) / 2,
        "samples not centred": lambda p: -square(np.repeat(p.X[:, None, :], p.K, axis=1), matrices(p)) / 2,
        "mean added": lambda p: -square(p.X[:, None, :] + p.theta["means"], matrices(p)) / 2,
        "only one factor centred": lambda p: (
            -form(np.repeat(p.X[:, None, :], p.K, axis=1), np.linalg.inv(matrices(p)), gaps(p)) / 2
        ),
        "inverse applied twice": lambda p: -square(gaps(p), matrices(p) @ matrices(p)) / 2,
        "root of the covariance in place of the covariance": lambda p: (
            -square(gaps(p), elementwise(matrices(p), lambda s: np.sqrt(np.abs(s)))) / 2
        ),
        "Cholesky factor in place of the covariance": lambda p: -square(gaps(p), _cholesky(p)) / 2,
        "Cholesky factor not inverted": lambda p: -form(gaps(p), np.swapaxes(_cholesky(p), 1, 2) @ _cholesky(p)) / 2,
        "Cholesky factor transposed": lambda p: -square(gaps(p), np.swapaxes(_cholesky(p), 1, 2) @ _cholesky(p)) / 2,
        "Cholesky factor not inverted, transposed": lambda p: -form(gaps(p), matrices(p)) / 2,
        "other triangle of the Cholesky factor": lambda p: -((gaps(p) / diagonals(_cholesky(p))) ** 2).sum(axis=2) / 2,
        "products of all pairs of samples": lambda p: -_all_pairs(p) / 2,
        "densities of features added": _features_added,
        "absolute gaps in the products": lambda p: -square(np.abs(gaps(p)), matrices(p)) / 2,
        "second factor left out": lambda p: -np.einsum("kde,nkd->nk", np.linalg.inv(matrices(p)), gaps(p)) / 2,
        "sum squared in place of the sum of squares": lambda p: -(gaps(p).sum(axis=2) ** 2) / 2,
        "gaps summed, then squared": lambda p: (
            -(np.linalg.solve(_cholesky(p)[None], gaps(p)[..., None])[..., 0].sum(axis=-1) ** 2) / 2
        ),
        "1/4 in the exponent": lambda p: -square(gaps(p), matrices(p)) / 4,
        "2 in the exponent": lambda p: -2 * square(gaps(p), matrices(p)),
        "averaged over the features": lambda p: -square(gaps(p), matrices(p)) / (2 * p.D),
        "averaged over the features, and no 1/2": lambda p: -square(gaps(p), matrices(p)) / p.D,
        "multiplied by D": lambda p: -p.D * square(gaps(p), matrices(p)) / 2,
        "absolute gaps over standard deviations": lambda p: (
            -(np.abs(gaps(p)) / np.sqrt(diagonals(matrices(p)))).sum(axis=2) / 2
        ),
        "gap not squared over the variance": lambda p: -(gaps(p) / diagonals(matrices(p))).sum(axis=2) / 2,
        "divided by the standard deviation": lambda p: (
            -(gaps(p) ** 2 / np.sqrt(diagonals(matrices(p)))).sum(axis=2) / 2
        ),
        "divided by the variance squared": lambda p: -(gaps(p) ** 2 / diagonals(matrices(p)) ** 2).sum(axis=2) / 2,
        "divided by the determinant": lambda p: -_norm(gaps(p)) / np.linalg.det(matrices(p)) / 2,
        "divided by the trace": lambda p: -_norm(gaps(p)) / diagonals(matrices(p)).sum(axis=1) / 2,
        "variances summed before the division": lambda p: -(_norm(gaps(p)) / diagonals(matrices(p)).mean(axis=1)) / 2,
        "first variance for all features": lambda p: -_norm(gaps(p)) / matrices(p)[:, 0, 0] / 2,
        "covariance of the first component": lambda p: -square(gaps(p), np.repeat(matrices(p)[:1], p.K, axis=0)) / 2,
        "covariance of the last component": lambda p: -square(gaps(p), np.repeat(matrices(p)[-1:], p.K, axis=0)) / 2,
        "no exponent": lambda p: np.zeros((p.n, p.K)),
        "only the first feature": lambda p: -(gaps(p)[..., 0] ** 2) / matrices(p)[:, 0, 0] / 2,
        "only the last feature": lambda p: -(gaps(p)[..., -1] ** 2) / matrices(p)[:, -1, -1] / 2,
        "last feature left out": lambda p: (
            -(square(gaps(p)[..., :-1], matrices(p)[:, :-1, :-1]) if p.D > 1 else np.zeros((p.n, p.K))) / 2
        ),
        "divided by n": lambda p: -square(gaps(p), matrices(p)) / (2 * p.n),
    },
    TEXTS,
)


def _swapped_covariances(change: Any) -> Any:
    """Return a function that changes the covariances of a problem, as matrices."""

    def swap(p: Problem) -> Problem:
        swapped = p.changed(given={**p.given, "covariance_type": "full"})
        return swapped.changed(covariances=np.asarray(change(matrices(p), p)))

    return swap


SWAPS = Slot(
    "inputs",
    lambda p: p,
    {
        "variance used as a standard deviation": _swapped_covariances(lambda S, p: elementwise(S, np.square)),
        "variance halved in place of its root": _swapped_covariances(lambda S, p: elementwise(S, lambda s: s**2 / 4)),
        "covariance multiplied by itself": _swapped_covariances(lambda S, p: S @ S),
        "standard deviation used as a variance": _swapped_covariances(
            lambda S, p: elementwise(S, lambda s: np.sqrt(np.abs(s)))
        ),
        "covariance inverted": _swapped_covariances(lambda S, p: np.linalg.inv(S)),
        "only the diagonal of the covariance everywhere": _swapped_covariances(lambda S, p: kept_diagonal(S)),
        "covariance of the first component for all": _swapped_covariances(lambda S, p: np.repeat(S[:1], p.K, axis=0)),
        "covariance of the last component for all": _swapped_covariances(lambda S, p: np.repeat(S[-1:], p.K, axis=0)),
        "covariance of the component before": _swapped_covariances(lambda S, p: np.roll(S, 1, axis=0)),
        "covariance of the next component": _swapped_covariances(lambda S, p: np.roll(S, -1, axis=0)),
        "covariances in reverse order": _swapped_covariances(lambda S, p: S[::-1]),
        "mean covariance for all": _swapped_covariances(lambda S, p: np.repeat(S.mean(axis=0)[None], p.K, axis=0)),
        "weighted mean covariance for all": _swapped_covariances(
            lambda S, p: np.repeat(np.einsum("k,kde->de", p.theta["weights"], S)[None], p.K, axis=0)
        ),
        "unit covariance": _swapped_covariances(lambda S, p: np.repeat(np.eye(p.D)[None], p.K, axis=0)),
        "one variance for all features": _swapped_covariances(
            lambda S, p: diagonals(S).mean(axis=1)[:, None, None] * np.eye(p.D)
        ),
        "first variance for all features, everywhere": _swapped_covariances(lambda S, p: S[:, :1, :1] * np.eye(p.D)),
        "covariance times the weight": _swapped_covariances(lambda S, p: S * p.theta["weights"][:, None, None]),
        "covariance over the weight": _swapped_covariances(lambda S, p: S / p.theta["weights"][:, None, None]),
        "covariance times D": _swapped_covariances(lambda S, p: S * p.D),
        "covariance over n": _swapped_covariances(lambda S, p: S / p.n),
        "ridge of 1e-6": _swapped_covariances(lambda S, p: S + 1e-6 * np.eye(p.D)),
        "ridge of 1e-3": _swapped_covariances(lambda S, p: S + 1e-3 * np.eye(p.D)),
        "ridge of 1e-2": _swapped_covariances(lambda S, p: S + 1e-2 * np.eye(p.D)),
        "ridge of 1e-4": _swapped_covariances(lambda S, p: S + 1e-4 * np.eye(p.D)),
        "ridge of 1": _swapped_covariances(lambda S, p: S + np.eye(p.D)),
        "correlations in place of covariances": _swapped_covariances(
            lambda S, p: S / np.sqrt(diagonals(S)[:, :, None] * diagonals(S)[:, None, :])
        ),
        "off-diagonals doubled": _swapped_covariances(lambda S, p: 2 * S - kept_diagonal(S)),
        "sign of the off-diagonals": _swapped_covariances(lambda S, p: 2 * kept_diagonal(S) - S),
        "features of the covariance in reverse order": _swapped_covariances(lambda S, p: S[:, ::-1, ::-1]),
        "Cholesky factor with ones": _swapped_covariances(lambda S, p: np.linalg.cholesky(S)),
        "means in reverse order": lambda p: p.changed(means=p.theta["means"][::-1]),
        "mean of the next component": lambda p: p.changed(means=np.roll(p.theta["means"], -1, axis=0)),
        "mean of the component before": lambda p: p.changed(means=np.roll(p.theta["means"], 1, axis=0)),
        "mean of all means for all": lambda p: p.changed(
            means=np.repeat(p.theta["means"].mean(axis=0, keepdims=True), p.K, axis=0)
        ),
        "first component's mean for all": lambda p: p.changed(means=np.repeat(p.theta["means"][:1], p.K, axis=0)),
        "last component's mean for all": lambda p: p.changed(means=np.repeat(p.theta["means"][-1:], p.K, axis=0)),
        "overall mean of the data for all": lambda p: p.changed(means=np.repeat(p.X.mean(axis=0)[None], p.K, axis=0)),
        "data centred": lambda p: p.changed(X=p.X - p.X.mean(axis=0)),
        "data standardised": lambda p: p.changed(X=(p.X - p.X.mean(axis=0)) / p.X.std(axis=0)),
        "means left out": lambda p: p.changed(means=np.zeros_like(p.theta["means"])),
        "features of the means in reverse order": lambda p: p.changed(means=p.theta["means"][:, ::-1]),
        "data rounded": lambda p: p.changed(X=np.trunc(p.X)),
        "absolute values of the data": lambda p: p.changed(X=np.abs(p.X)),
    },
    TEXTS,
)


def combined(p: Problem, v: Mapping[str, Any]) -> Array:
    """Return the sum of the three terms, shape (n, K)."""
    return np.asarray(v["constant"] + v["determinant"] + v["square"])
