"""Declare covariance matrices with LKJ correlations as one variable, for which PyMC has only the parts.

    Σ = diag(σ) R diag(σ),    v_i = σ_i² from a prior of variances,    R ~ LKJ(η)

    log p(Σ) = Σ_i {log p(v_i) - (D-1)/2 log v_i} + (η - 1) (log|Σ| - Σ_i log v_i) - log Z,    v_i = Σ_ii

PyMC's `LKJCholeskyCov` declares the Cholesky factor of Σ. Here Σ itself is declared, so that `find_MAP` finds the mode
of the density of Σ. log Z is in :mod:`models.gmm.independent_prior`.

Reference: Lewandowski, Kurowicka & Joe (2009), Generating random correlation matrices based on vines and extended onion
method, Journal of Multivariate Analysis 100, 1989-2001.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.distribution import support_point
from pymc.distributions.shape_utils import rv_size_is_none

from models.distributions.inverse_wishart import CovarianceTransform
from models.gmm.independent_prior import log_lkj_norm


def lkj_covariance(name: str, variances: Callable[..., Any], eta: float, **like: Any) -> Any:
    """Add covariance matrices with LKJ correlations to the current PyMC model.

    Parameters
    ----------
    name : str
        Variable name.
    variances : callable
        Returns a PyMC distribution of the D variances of a given ``size``, such as ``pm.InverseGamma.dist``.
    eta : float
        η > 0 of the LKJ distribution.
    **like
        ``shape`` (..., D, D) and ``dims`` of the variable.

    Examples
    --------
    >>> import pymc as pm
    >>> from functools import partial
    >>> from models.distributions.lkj_covariance import lkj_covariance
    >>> with pm.Model():
    ...     sigma = lkj_covariance("sigma", partial(pm.InverseGamma.dist, alpha=3.0, beta=1.0), eta=2.0, shape=(2, 2))
    >>> pm.draw(sigma, draws=5, random_seed=0, mode="FAST_COMPILE").shape
    (5, 2, 2)
    """
    *batch, D, _ = like["shape"]
    log_norm = np.float64(log_lkj_norm(eta, D))

    def log_density(value: Any, eta: Any) -> Any:
        v = pt.diagonal(value, axis1=-2, axis2=-1)
        chol = pt.linalg.cholesky(value)  # rewritten to L itself when the value is L L' of the transform
        log_det = 2 * pt.log(pt.diagonal(chol, axis1=-2, axis2=-1)).sum(axis=-1)
        log_v = pt.log(v).sum(axis=-1)
        log_scales = pm.logp(variances(size=(*batch, D)), v).sum(axis=-1) - 0.5 * (D - 1) * log_v
        log_prob = log_scales + (eta - 1) * (log_det - log_v) - log_norm
        return pt.switch(log_det > -np.inf, log_prob, -np.inf)  # NaN if the value is not positive definite

    def draw(eta: Any, size: Any) -> Any:
        size = () if rv_size_is_none(size) else tuple(size)
        root = pt.sqrt(variances(size=(*size, D)))[..., None] * _draw_correlation_root(eta, size, D)
        return root @ root.mT

    def middle(rv: Any, size: Any, eta: Any) -> Any:
        return pt.broadcast_to(support_point(variances(size=(D,)))[:, None] * np.eye(D), rv.shape)

    stated: dict[str, Any] = {"dist": draw, "logp": log_density, "support_point": middle, "signature": "()->(d,e)"}
    return pm.CustomDist(name, np.float64(eta), **stated, transform=CovarianceTransform(D), **like)


def _draw_correlation_root(eta: Any, batch: tuple[Any, ...], D: int) -> Any:
    """Draw the Cholesky factor of R ~ LKJ(η), row by row ("onion").

    Row i = 2..D is sqrt(y) u, then sqrt(1 - y) on the diagonal: y ~ Beta((i-1)/2, η + (D-i)/2), and u uniform on the
    sphere of R^(i-1).
    """
    if D == 1:
        return pt.ones((*batch, 1, 1), dtype="float64")
    i = np.arange(2.0, D + 1)
    y = pm.Beta.dist((i - 1) / 2, eta + (D - i) / 2, size=(*batch, D - 1))[..., None]
    normal = pt.tril(pm.Normal.dist(size=(*batch, D - 1, D)), 0)
    below = pt.sqrt(y) * normal / pt.sqrt((normal**2).sum(axis=-1, keepdims=True))
    first = pt.zeros((*batch, 1, D), dtype="float64")
    diagonal = pt.concatenate([pt.ones((*batch, 1, 1), dtype="float64"), pt.sqrt(1 - y)], axis=-2)
    return pt.concatenate([first, below], axis=-2) + diagonal * np.eye(D)
