"""The structures of the covariances: what each ``covariance_type`` declares.

========= ============= ================================ ====================
type      declared      meaning                          free parameters
========= ============= ================================ ====================
full      (K, D, D)     Σ_k is any covariance matrix     K D (D + 1) / 2
tied      (D, D)        Σ_k = Σ for all k                D (D + 1) / 2
diag      (K, D)        Σ_k = diag(σ²_k1, ..., σ²_kD)    K D
spherical (K,)          Σ_k = σ²_k I                     K
========= ============= ================================ ====================

Variances are declared, not standard deviations.
"""

from functools import cache

import numpy as np

from models.parameters import WEIGHTS, Quantity
from models.shown import shown
from models.supports import COVARIANCE, REAL, VARIANCE, Support
from models.validation import Array

COVARIANCE_TYPES = "full", "tied", "diag", "spherical"
MATRICES = "full", "tied"  # the others declare variances
DIMS = {"full": ("component", "feature", "feature_bis"), "tied": ("feature", "feature_bis")}
DIMS |= {"diag": ("component", "feature"), "spherical": ("component",)}


def check_covariance_type(covariance_type: object) -> str:
    """Return the type, or raise a ValueError that names the four types."""
    if not isinstance(covariance_type, str) or covariance_type not in COVARIANCE_TYPES:
        raise ValueError(f"covariance_type must be one of {', '.join(COVARIANCE_TYPES)}, got {shown(covariance_type)}")
    return covariance_type


def covariances_shape(covariance_type: str, K: int, D: int) -> tuple[int, ...]:
    """Return the shape of the declared covariances."""
    return tuple(K if dim == "component" else D for dim in DIMS[covariance_type])


def scale_shape(covariance_type: str, D: int) -> tuple[int, ...]:
    """Return the shape of one component's covariances, which is that of the prior's scale."""
    return covariances_shape(covariance_type, 1, D)[covariance_type != "tied" :]


@cache
def quantities(covariance_type: str) -> tuple[Quantity, ...]:
    """Return the declared arrays of this structure: weights, means and covariances."""
    covariances = Quantity("covariances", DIMS[covariance_type], covariance_support(covariance_type))
    return WEIGHTS, Quantity("means", ("component", "feature"), REAL), covariances


def covariance_support(covariance_type: str) -> Support:
    """Return the support of the declared covariances, matrices or variances."""
    return COVARIANCE if covariance_type in MATRICES else VARIANCE


def full_matrices(covariance_type: str, covariances: Array, K: int, D: int) -> Array:
    """Return the K covariance matrices (..., K, D, D) of declared covariances, which may have leading axes."""
    if covariance_type == "full":
        return covariances
    if covariance_type == "tied":
        return np.broadcast_to(covariances[..., None, :, :], (*covariances.shape[:-2], K, D, D))
    variances = covariances if covariance_type == "diag" else np.repeat(covariances[..., None], D, axis=-1)
    return variances[..., None] * np.eye(D)


def declared_covariances(covariance_type: str, matrices: Array) -> Array:
    """Return matrices (K, D, D) as a structure declares them, averaged over what it shares."""
    if covariance_type in MATRICES:
        return matrices if covariance_type == "full" else matrices.mean(axis=0)
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    return variances if covariance_type == "diag" else variances.mean(axis=1)
