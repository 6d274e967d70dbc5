"""The inverse-Wishart distribution, which PyMC lacks (its issue 7636 asks for one).

Density of a covariance matrix Σ (D, D), with ν > D - 1 degrees of freedom and positive definite scale Ψ:

    log p(Σ) = ν/2 log|Ψ| - νD/2 log 2 - log Γ_D(ν/2) - (ν+D+1)/2 log|Σ| - tr(Ψ Σ⁻¹)/2

Its mode is Ψ / (ν + D + 1), its mean Ψ / (ν - D - 1) when ν > D + 1 [1]_.

NUTS and `find_MAP` move on an unconstrained vector that :class:`CovarianceTransform` turns into Σ = L L', L lower
triangular with exp(·) on its diagonal; the log-Jacobian is D log 2 + Σ_i (D - i + 2) log L_ii, i = 1..D.

References
----------
.. [1] Gelman et al. (2013), Bayesian Data Analysis, 3rd ed., appendix A.
"""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.dist_math import check_parameters
from pymc.distributions.shape_utils import implicit_size_from_params, rv_size_is_none
from pymc.distributions.transforms import CholeskyCovTransform
from pytensor.tensor.linalg import solve_triangular


class CovarianceTransform(CholeskyCovTransform):
    """PyMC's transform Σ = L L', with the static shapes that JAX needs and a Jacobian in float64.

    Parameters
    ----------
    n : int
        Side length D of the matrix; the unconstrained vector holds the D (D + 1) / 2 entries of L, row after row.
    leading : tuple of int or None, default None
        Shape of the axes before the matrix, which JAX needs; ``None`` if the variable determines it.
    """

    def __init__(self, n: int, leading: tuple[int, ...] | None = None) -> None:
        self.n, self.leading = n, leading
        self.tril_idxs = np.tril_indices(n)  # plain arrays; PyMC's are graphs of unknown length
        self.diag_idxs = np.arange(1, n + 1).cumsum() - 1

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Return the entries of L, with the logarithms of its diagonal."""
        entries = super().forward(value, *inputs)
        return entries if self.leading is None else pt.specify_shape(entries, (*self.leading, len(self.tril_idxs[0])))

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Return D log 2 + Σ_i (D - i + 2) log L_ii."""
        powers = np.arange(self.n + 1.0, 1.0, -1.0)
        return self.n * np.log(2.0) + (powers * value[..., self.diag_idxs]).sum(axis=-1)


class InverseWishart:
    """Inverse-Wishart distribution over covariance matrices.

    Parameters
    ----------
    name : str
        Variable name in the current PyMC model.
    nu : tensor_like of float
        Degrees of freedom ν > D - 1.
    scale : array_like of float, shape (..., D, D)
        Scale matrix Ψ, symmetric positive definite; of :meth:`dist` it may be a tensor.
    dims : sequence of str or None, default None
        PyMC dims, one for each axis.
    **like
        ``shape`` of the variable, by default that of the scale; of :meth:`dist` also ``size``.

    Examples
    --------
    >>> import numpy as np, pymc as pm
    >>> from models.distributions.inverse_wishart import InverseWishart
    >>> sigma = InverseWishart.dist(nu=6.0, scale=np.eye(2))
    >>> draws = pm.draw(sigma, draws=5, random_seed=0, mode="FAST_COMPILE")
    >>> draws.shape
    (5, 2, 2)
    """

    def __new__(cls, name: str, nu: Any, scale: Any, dims: Any = None, **like: Any) -> Any:
        """Add the variable to the current model, and return it."""
        rv, (*leading, D, _) = cls.dist(nu, scale, **like), like["shape"] if "shape" in like else np.shape(scale)
        return pm.modelcontext(None).register_rv(rv, name, dims=dims, transform=CovarianceTransform(D, tuple(leading)))

    @classmethod
    def dist(cls, nu: Any, scale: Any, **like: Any) -> Any:
        """Return an inverse-Wishart variable outside any model."""
        nu, scale = (pt.as_tensor_variable(number, dtype="float64") for number in (nu, scale))
        stated: dict[str, Any] = {"dist": _draw, "logp": _log_density, "support_point": _mode}
        stated |= {"signature": "(),(p,p)->(p,p)", "class_name": cls.__name__}
        return pm.CustomDist.dist(nu, pt.linalg.cholesky(scale), **stated, **like)


def _draw(nu: Any, scale_chol: Any, size: Any) -> Any:
    """Draw by Bartlett's decomposition, as a graph that every backend can run.

    With A lower triangular, A_ii² ~ χ²(ν - i + 1) and A_ij ~ N(0, 1) below the diagonal, A A' ~ Wishart(ν, I). Any B
    with B B' = Ψ then gives Σ = (B A⁻ᵀ)(B A⁻ᵀ)' ~ InverseWishart(ν, Ψ).
    """
    p = scale_chol.shape[-1]
    none = rv_size_is_none(size)
    batch = tuple(implicit_size_from_params(nu, scale_chol, ndims_params=[0, 2]) if none else size)
    degrees, rng = nu[..., None] - pt.arange(p), pt.random.shared_rng(seed=None)
    rng, chi2 = pt.random.chisquare(degrees, size=(*batch, p), rng=rng, return_next_rng=True)
    _, normal = pt.random.normal(size=(*batch, p * (p - 1) // 2), rng=rng, return_next_rng=True)
    diagonal, below = pt.arange(p), pt.tril_indices(p, k=-1)
    bartlett = pt.zeros((*batch, p, p), dtype=scale_chol.dtype)
    bartlett = bartlett[..., diagonal, diagonal].set(pt.sqrt(chi2))
    bartlett = bartlett[..., below[0], below[1]].set(normal)
    inverse = solve_triangular(bartlett, pt.eye(p, dtype=scale_chol.dtype), lower=True, b_ndim=2)
    root = scale_chol @ inverse.mT
    return root @ root.mT


def _log_density(value: Any, nu: Any, scale_chol: Any) -> Any:
    p = value.shape[-1]
    value_chol = pt.linalg.cholesky(value)  # rewritten to L itself when the value is L L' of the transform
    log_det_value = 2 * pt.log(pt.diagonal(value_chol, axis1=-2, axis2=-1)).sum(axis=-1)
    log_det_scale = 2 * pt.log(pt.diagonal(scale_chol, axis1=-2, axis2=-1)).sum(axis=-1)
    # tr(Ψ Σ⁻¹) = ‖L⁻¹ chol(Ψ)‖²
    trace = (solve_triangular(value_chol, scale_chol, lower=True, b_ndim=2) ** 2).sum(axis=(-2, -1))
    # log Γ_D(ν/2) = D (D - 1)/4 log π + Σ_i log Γ((ν - i + 1)/2)
    log_gamma = p * (p - 1) / 4 * np.log(np.pi) + pt.gammaln((nu[..., None] - pt.arange(p)) / 2).sum(axis=-1)
    log_density = (nu * log_det_scale - nu * p * np.log(2.0) - 2 * log_gamma - (nu + p + 1) * log_det_value - trace) / 2
    in_support = log_det_value > -np.inf  # False if the value is not positive definite: Cholesky gives NaN then
    return check_parameters(pt.switch(in_support, log_density, -np.inf), nu > p - 1, msg="nu > D - 1")


def _mode(rv: Any, size: Any, nu: Any, scale_chol: Any) -> Any:
    mode = scale_chol @ scale_chol.mT / (nu + scale_chol.shape[-1] + 1)[..., None, None]
    return pt.broadcast_to(mode, rv.shape)
