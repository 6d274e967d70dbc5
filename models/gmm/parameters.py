"""Parameters of a Gaussian mixture: frozen, validated, float64."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from models.gmm.structures import DIMS, MATRICES, check_covariance_type, full_matrices, quantities
from models.parameters import Parameters, Quantity
from models.validation import Array


@dataclass(frozen=True, eq=False, repr=False)
class GMMParameters(Parameters):
    """Parameters θ = (π, μ, Σ) of a Gaussian mixture.

    Parameters
    ----------
    weights : array_like, shape (K,)
        Mixture weights π, non-negative, summing to one.
    means : array_like, shape (K, D)
        Component means μ_k.
    covariances : array_like, shape (K, D, D), (D, D), (K, D) or (K,)
        Covariances of the structure that ``covariance_type`` names: symmetric positive definite matrices, one for each
        component ("full") or one for all ("tied"); positive variances, one for each feature of each component ("diag")
        or one for each component ("spherical").
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        Structure of the covariances.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, the weights are not a probability vector or a covariance is not
        symmetric positive definite (a variance not positive).

    Examples
    --------
    >>> from models.gmm import GMMParameters
    >>> GMMParameters(weights=[0.4, 0.6], means=[[0.0], [3.0]], covariances=[[[1.0]], [[2.0]]]).n_components
    2
    """

    means: Array
    covariances: Array
    covariance_type: str = "full"

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Weights, means and covariances of this structure."""
        return quantities(check_covariance_type(self.covariance_type))

    def draw_samples(self, z: np.ndarray, size: Array, rng: np.random.RandomState) -> Array:
        """Draw x_i ~ Normal(μ_{z_i}, Σ_{z_i})."""
        noise, roots = rng.standard_normal((len(z), self.n_features)), np.linalg.cholesky(self.covariance_matrices)
        return self.means[z] + np.einsum("nde,ne->nd", roots[z], noise)

    @cached_property
    def cholesky(self) -> Array:
        """Lower Cholesky factors L, Σ = L L', of matrices, or standard deviations, in the shape of ``covariances``."""
        return np.linalg.cholesky(self.covariances) if self.covariance_type in MATRICES else np.sqrt(self.covariances)

    @property
    def precisions(self) -> Array:
        """Inverses of the declared matrices or variances, in the shape of ``covariances``."""
        return np.linalg.inv(self.covariances) if self.covariance_type in MATRICES else 1 / self.covariances

    @property
    def covariance_matrices(self) -> Array:
        """The K covariance matrices (K, D, D), for any structure."""
        return full_matrices(self.covariance_type, self.covariances, *self.means.shape)

    def marginal(self, features: np.ndarray) -> Self:
        """Return the marginal distribution of some of the features, given by a mask or indices."""
        covariances, dims = self.covariances, DIMS[self.covariance_type]
        for axis, dim in enumerate(dims):
            if dim != "component":
                covariances = covariances.take(np.arange(self.n_features)[features], axis)
        return type(self)(self.weights, self.means[:, features], covariances, self.covariance_type)

    @property
    def log_det(self) -> Array:
        """Log|Σ| of each declared matrix, or log σ² of each declared variance."""
        if self.covariance_type in MATRICES:
            return 2 * np.log(np.diagonal(self.cholesky, axis1=-2, axis2=-1)).sum(axis=-1)
        return np.log(self.covariances)
