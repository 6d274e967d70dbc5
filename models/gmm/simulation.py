"""Draw a Gaussian mixture's parameters from their prior; :mod:`models.simulation` draws samples."""

from typing import Any

import numpy as np

from models.gmm.independent_prior import GMMIndependentPrior
from models.gmm.parameters import GMMParameters
from models.gmm.prior import GaussianPrior, GMMPrior
from models.gmm.structures import covariances_shape, full_matrices
from models.prior import draw_weights
from models.validation import Array, count_at_least_one, random_source


def draw_parameters(
    prior: GMMPrior | GMMIndependentPrior, n_components: int, random_state: Any = None
) -> GMMParameters:
    """Draw weights, means and covariances from a prior.

    Parameters
    ----------
    prior : GMMPrior or GMMIndependentPrior
        The prior, which also determines the structure of the covariances.
    n_components : int
        Number of components K.
    random_state : int, RandomState or None
        Seed or source of randomness, as in scikit-learn.

    Raises
    ------
    ValueError
        If the prior does not fit K components, or a covariance is singular up to rounding.

    Examples
    --------
    >>> from models.gmm import GMMPrior, draw_parameters
    >>> prior = GMMPrior(2.0, mean=[0.0, 0.0], mean_precision=0.1, degrees_of_freedom=6, scale=[[1.0, 0.0], [0.0, 1.0]])
    >>> draw_parameters(prior, n_components=3, random_state=0).means.shape
    (3, 2)
    """
    if not isinstance(prior, GaussianPrior):
        raise ValueError(f"prior must be a GMMPrior or a GMMIndependentPrior, got {type(prior).__name__}")
    K, D, kind = count_at_least_one("n_components", n_components), len(prior.mean), prior.covariance_type
    prior.check_fits(K, D, kind)
    rng = random_source(random_state)
    weights = draw_weights(prior.concentration, K, rng)
    noise = rng.standard_normal((K, D))
    if isinstance(prior, GMMIndependentPrior):
        covariances, steps = _draw_independent(prior, K, rng), prior.mean_sd * noise
    else:
        covariances = _draw_conjugate(prior, K, rng)
        roots = np.linalg.cholesky(full_matrices(kind, covariances, K, D) / prior.mean_precision)
        steps = np.einsum("kde,ke->kd", roots, noise)
    return GMMParameters(weights, prior.mean + steps, covariances, kind)


def _draw_conjugate(prior: GMMPrior, K: int, rng: np.random.RandomState) -> Array:
    """Draw inverse-Wishart matrices, or σ² = ψ0 / χ²(ν0), which is InverseGamma(ν0 / 2, ψ0 / 2)."""
    shape, nu = covariances_shape(prior.covariance_type, K, len(prior.mean)), prior.degrees_of_freedom
    if not prior.matrices:
        return prior.scale / rng.chisquare(nu, size=shape)
    from scipy.stats import invwishart  # slow to import

    return invwishart(nu, prior.scale).rvs(size=shape[0] if len(shape) == 3 else 1, random_state=rng).reshape(shape)


def _draw_independent(prior: GMMIndependentPrior, K: int, rng: np.random.RandomState) -> Array:
    """Draw variances, and for matrices LKJ correlations between them."""
    shape = covariances_shape(prior.covariance_type, K, len(prior.mean))
    size = shape[:-1] if prior.matrices else shape
    if prior.variance_shape is None:
        scales = prior.scale * np.abs(rng.standard_normal(size))
    else:
        scales = np.sqrt(prior.scale / rng.standard_gamma(prior.variance_shape, size=size))
    if not prior.matrices:
        return scales**2
    roots = scales[..., None] * _draw_correlation_roots(prior.correlation_shape, shape, rng)
    return roots @ np.swapaxes(roots, -1, -2)


def _draw_correlation_roots(eta: float, shape: tuple[int, ...], rng: np.random.RandomState) -> Array:
    """Draw Cholesky factors (..., D, D) of R ~ LKJ(η), row by row.

    Row i is sqrt(y) u, then sqrt(1 - y) on the diagonal, with u uniform on the sphere of R^(i-1) and
    y ~ Beta((i-1)/2, η + (D-i)/2). Row 1 has a 1 on the diagonal.
    """
    D = shape[-1]
    roots = np.zeros(shape)
    roots[..., 0, 0] = 1
    for i in range(2, D + 1):
        y = rng.beta((i - 1) / 2, eta + (D - i) / 2, size=(*shape[:-2], 1))
        normal = rng.standard_normal((*shape[:-2], i - 1))
        roots[..., i - 1, : i - 1] = np.sqrt(y) * normal / np.linalg.norm(normal, axis=-1, keepdims=True)
        roots[..., i - 1, i - 1] = np.sqrt(1 - y[..., 0])
    return roots
