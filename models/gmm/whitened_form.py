"""The Gaussian mixture's log density row by row, of whole samples and of those with missing cells.

    log π_k + log Normal(x | μ_k, Σ_k) = log π_k - log|L_k| - D/2 log 2π - ‖L_k⁻¹ (x - μ_k)‖² / 2,    Σ_k = L_k L_k'

It takes longer than natural parameters (:mod:`models.gmm.natural_form`) and keeps more digits where clusters are small
against the spread of the data.
"""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor.linalg import solve_triangular

from models.validation import Array


def _log_mixture_of_matrices(x: Any, weights: Any, means: Any, covariances: Any, origin: Array) -> Any:
    """Log p(x_i | θ), shape (n,): x_i and μ_k, measured from ``origin``, are whitened by L_k⁻¹ in a matrix product."""
    D = len(origin)
    chol = pt.linalg.cholesky(covariances)
    whitener = solve_triangular(chol, pt.eye(D, dtype="float64"), lower=True, b_ndim=2)  # (K, D, D)
    whitened_means = (whitener @ (means - origin)[..., None])[..., 0]
    distance = pt.tensordot(x - origin, whitener, axes=[[1], [2]]) - whitened_means  # (n, K, D)
    log_det = pt.log(pt.diagonal(chol, axis1=-2, axis2=-1)).sum(axis=-1)
    log_norm = pt.log(weights) - log_det - 0.5 * D * np.log(2 * np.pi)
    return pt.logsumexp(log_norm - 0.5 * (distance**2).sum(axis=-1), axis=-1)


def _log_mixture_of_one_matrix(x: Any, weights: Any, means: Any, covariances: Any, origin: Array) -> Any:
    """Log p(x_i | θ), shape (n,), with one covariance for all components: everything is whitened by one L⁻¹."""
    D = len(origin)
    chol = pt.linalg.cholesky(covariances)
    whitener = solve_triangular(chol, pt.eye(D, dtype="float64"), lower=True, b_ndim=2).T
    distance = ((x - origin) @ whitener)[:, None] - (means - origin) @ whitener  # (n, K, D)
    log_norm = pt.log(weights) - pt.log(pt.diagonal(chol)).sum() - 0.5 * D * np.log(2 * np.pi)
    return pt.logsumexp(log_norm - 0.5 * (distance**2).sum(axis=-1), axis=-1)


def _log_mixture_of_variances(x: Any, weights: Any, means: Any, covariances: Any, origin: Array) -> Any:
    """Log p(x_i | θ), shape (n,): a product of normals, with variances (K, D) or (K,)."""
    D = len(origin)
    variances = covariances if covariances.ndim == 2 else pt.repeat(covariances[:, None], D, axis=1)
    squares = ((x - origin)[:, None] - (means - origin)) ** 2 / variances  # (n, K, D)
    log_norm = pt.log(weights) - 0.5 * (pt.log(variances).sum(axis=-1) + D * np.log(2 * np.pi))
    return pt.logsumexp(log_norm - 0.5 * squares.sum(axis=-1), axis=-1)


def log_mixture_of_observed(
    x: Any, weights: Any, means: Any, covariances: Any, seen: np.ndarray, origin: Array, covariance_type: str
) -> Any:
    """Log p(observed cells of x_i | θ), shape (n,), whatever the structure."""
    gap = pt.switch(seen[:, None], (x - origin)[:, None] - (means - origin), 0.0)  # (n, K, D)
    if covariance_type in ("full", "tied"):
        patterns, which = np.unique(seen, axis=0, return_inverse=True)
        chol = pt.linalg.cholesky(_observed_part(covariances, patterns[:, None]))  # (patterns, K, D, D)
        whitener = solve_triangular(chol, pt.eye(len(origin), dtype="float64"), lower=True, b_ndim=2)
        distance = (whitener[which.ravel()] @ gap[..., None])[..., 0]
        log_det = 2 * pt.log(pt.diagonal(chol, axis1=-2, axis2=-1)).sum(axis=-1)[which.ravel()]
    else:
        variances = covariances if covariance_type == "diag" else pt.repeat(covariances[:, None], len(origin), axis=1)
        distance, log_det = gap / pt.sqrt(variances), seen.astype(float) @ pt.log(variances).T
    log_norm = pt.log(weights) - 0.5 * (log_det + seen.sum(axis=1, keepdims=True) * np.log(2 * np.pi))
    return pt.logsumexp(log_norm - 0.5 * (distance**2).sum(axis=-1), axis=-1)


def log_normal_of_observed(x: Any, mean: Any, covariances: Any, seen: np.ndarray, covariance_type: str) -> Any:
    """Log Normal(x_o | μ_o, Σ_oo) of the observed cells o of each row, shape (n,), given the parameters of each row.

    A missing cell is put at its mean, with variance 1 and no covariances, where it adds -1/2 log 2π and nothing else.
    """
    if covariance_type in ("diag", "spherical"):
        variances = covariances if covariance_type == "diag" else covariances[..., None]
        return pt.switch(seen, pm.logp(pm.Normal.dist(mean, pt.sqrt(variances)), x), 0.0).sum(axis=-1)
    matrices = _observed_part(covariances, seen)
    log_normal = pm.logp(pm.MvNormal.dist(mean, matrices), pt.switch(seen, x, mean))
    return log_normal + 0.5 * np.log(2 * np.pi) * (~seen).sum(axis=1)


def _observed_part(matrices: Any, seen: np.ndarray) -> Any:
    """Return matrices (..., D, D) in which what is not ``seen`` (..., D) has variance 1 and no covariances."""
    return pt.switch(seen[..., :, None] & seen[..., None, :], matrices, np.eye(seen.shape[-1]))


LOG_MIXTURES = {
    "full": _log_mixture_of_matrices,
    "tied": _log_mixture_of_one_matrix,
    "diag": _log_mixture_of_variances,
    "spherical": _log_mixture_of_variances,
}
