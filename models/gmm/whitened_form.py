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


def log_mixture_by_rows(
    x: Any, weights: Any, means: Any, covariances: Any, *, seen: np.ndarray, origin: Array, covariance_type: str
) -> Any:
    """Log p(observed cells of x_i | θ), shape (n,), whatever the structure; rows are measured from ``origin``.

    Under matrices rows are whitened by pattern of observed cells; where there is one pattern, in a matrix product.
    """
    if covariance_type in ("full", "tied"):
        patterns, which = np.unique(seen, axis=0, return_inverse=True)
        chol = pt.linalg.cholesky(_observed_part(covariances, patterns[:, None]))  # (patterns, K or 1, D, D)
        whitener = solve_triangular(chol, pt.eye(len(origin), dtype="float64"), lower=True, b_ndim=2)
        log_det = 2 * pt.log(pt.diagonal(chol, axis1=-2, axis2=-1)).sum(axis=-1)[which.ravel()]
        if len(patterns) == 1:
            of_means = (whitener[0] @ (means - origin)[..., None])[..., 0]
            distance = pt.tensordot(x - origin, whitener[0], axes=[[1], [2]]) - of_means  # (n, K, D)
        else:
            distance = (whitener[which.ravel()] @ _gap(x, means, seen, origin)[..., None])[..., 0]
    else:
        variances = each_variance(covariances, covariance_type, len(origin))
        distance, log_det = _gap(x, means, seen, origin) / pt.sqrt(variances), seen.astype(float) @ pt.log(variances).T
    log_norm = pt.log(weights) - 0.5 * (log_det + seen.sum(axis=1, keepdims=True) * np.log(2 * np.pi))
    return pt.logsumexp(log_norm - 0.5 * (distance**2).sum(axis=-1), axis=-1)


def log_normal_of_observed(x: Any, mean: Any, matrices: Any, seen: np.ndarray) -> Any:
    """Log Normal(x_o | μ_o, Σ_oo) of the observed cells o of each row, shape (n,), given the parameters of each row.

    A missing cell is put at its mean, with variance 1 and no covariances, where it adds -1/2 log 2π and nothing else.
    """
    log_normal = pm.logp(pm.MvNormal.dist(mean, _observed_part(matrices, seen)), pt.switch(seen, x, mean))
    return log_normal + 0.5 * np.log(2 * np.pi) * (~seen).sum(axis=1)


def each_variance(covariances: Any, covariance_type: str, n_features: int) -> Any:
    """Return the variances of each feature (..., D) under "diag" or "spherical"."""
    return covariances if covariance_type == "diag" else covariances[..., None] * np.ones(n_features)


def _gap(x: Any, means: Any, seen: np.ndarray, origin: Array) -> Any:
    """Return x_i - μ_k, shape (n, K, D), and 0 where a cell is missing."""
    return pt.switch(seen[:, None], (x - origin)[:, None] - (means - origin), 0.0)


def _observed_part(matrices: Any, seen: np.ndarray) -> Any:
    """Return matrices (..., D, D) in which what is not ``seen`` (..., D) has variance 1 and no covariances."""
    return pt.switch(seen[..., :, None] & seen[..., None, :], matrices, np.eye(seen.shape[-1]))
