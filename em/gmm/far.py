"""Responsibilities of a sample so far from every component of a Gaussian mixture that its densities tell nothing.

They underflow, or differ by less than their rounding. The responsibilities are the limit as the sample recedes along
its direction u = x / t, t its size. With P_k = Σ_k⁻¹, and the mean of the components as the origin,

    log p(x, z = k) = - t² u' P_k u / 2  +  t u' P_k μ_k  +  log π_k + 1/2 log|P_k| - μ_k' P_k μ_k / 2 + const

so the component whose u' P_k u is least takes all; among those that are equal there (tied covariances, or components
alike) the one whose u' P_k μ_k is largest; and among those the constants decide by Bayes' rule. The rule is the same
for every structure, and where cells are missing it is that of the observed ones.
"""

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import softmax

from models.gmm import GMMParameters
from models.validation import Array

TIED = 1e-9  # relative difference that rounding may make
FARTHEST = -1e25  # log density whose rounding, 1e9 nats, is no less than t u' P_k μ_k for t = 1e12 standard deviations


def far_responsibilities(X: Array, parameters: GMMParameters) -> Array:
    """Return the limits of p(z_i = k | x_i), shape (n, K).

    Parameters
    ----------
    X : ndarray, shape (n, D)
        Samples with an observed cell; NaN where a cell is missing.
    parameters : GMMParameters
        The mixture.

    Examples
    --------
    >>> import numpy as np
    >>> from em.gmm.far import far_responsibilities
    >>> from models.gmm import GMMParameters
    >>> narrow_and_wide = GMMParameters([0.5, 0.5], [[0.0], [1.0]], [[[1.0]], [[4.0]]])
    >>> far_responsibilities(np.array([[1e200]]), narrow_and_wide)
    array([[0., 1.]])
    """
    return np.array([_limit(x, parameters) for x in X])


def _limit(x: Array, parameters: GMMParameters) -> Array:
    seen = ~np.isnan(x)
    mixture = parameters.marginal(seen)
    center = mixture.means.mean(axis=0)
    gap, means = x[seen] - center, mixture.means - center
    u = gap / np.abs(gap).max()
    roots = np.linalg.cholesky(mixture.covariance_matrices)
    far = np.array([solve_triangular(root, u, lower=True) for root in roots])  # L⁻¹ u
    near = np.array([solve_triangular(root, mean, lower=True) for root, mean in zip(roots, means, strict=True)])
    left = np.flatnonzero(mixture.weights > 0)
    squared = np.linalg.norm(far, axis=1)
    left = left[squared[left] <= squared[left].min() * (1 + TIED)]
    linear = np.einsum("kd,kd->k", far, near)
    left = left[linear[left] >= linear[left].max() - TIED * np.abs(linear[left]).max()]
    half_log_det = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
    constant = np.log(mixture.weights[left]) - half_log_det[left] - 0.5 * (near[left] ** 2).sum(axis=1)
    responsibilities = np.zeros(mixture.n_components)
    responsibilities[left] = softmax(constant)
    return responsibilities
