"""Parameters of a Gaussian mixture: frozen, validated, float64."""

from dataclasses import dataclass, field
from typing import Self

from numpy.typing import ArrayLike

from models.gmm.structures import (
    check_covariance_type,
    cholesky_factors,
    covariances_shape,
    full_matrices,
    n_covariance_parameters,
)
from models.one_line import one_line
from models.validation import Array, component_order, frozen_array, weights_array


@dataclass(frozen=True, eq=False)
class GMMParameters:
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

    Attributes
    ----------
    cholesky : ndarray, of the shape of ``covariances``
        Lower Cholesky factors L, Σ = L L', of matrices; standard deviations of variances.

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

    weights: Array
    means: Array
    covariances: Array
    covariance_type: str = "full"
    cholesky: Array = field(init=False, repr=False)

    __repr__ = one_line

    def __post_init__(self) -> None:
        weights = weights_array(self.weights)
        means = frozen_array("means", self.means, (len(weights), None))
        kind = check_covariance_type(self.covariance_type)
        covariances = frozen_array("covariances", self.covariances, covariances_shape(kind, *means.shape))
        cholesky = cholesky_factors(kind, covariances)
        cholesky.flags.writeable = False
        for name, array in [
            ("weights", weights),
            ("means", means),
            ("covariances", covariances),
            ("cholesky", cholesky),
        ]:
            object.__setattr__(self, name, array)

    @property
    def n_components(self) -> int:
        """Number of components K."""
        return self.means.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.means.shape[1]

    @property
    def n_free_parameters(self) -> int:
        """Number of free parameters: K - 1 weights, K D means, and those of the covariances (:mod:`.structures`)."""
        K, D = self.means.shape
        return K - 1 + K * D + n_covariance_parameters(self.covariance_type, K, D)

    @property
    def covariance_matrices(self) -> Array:
        """The K covariance matrices (K, D, D), whatever the structure."""
        return full_matrices(self.covariance_type, self.covariances, *self.means.shape)

    def arrays(self) -> dict[str, Array]:
        """Return the declared quantities by name, in the order in which tables print them."""
        return {"weights": self.weights, "means": self.means, "covariances": self.covariances}

    def permute(self, order: ArrayLike) -> Self:
        """Return the same mixture with its components relabelled: new component j is old component ``order[j]``."""
        order = component_order(order, self.n_components)
        covariances = self.covariances if self.covariance_type == "tied" else self.covariances[order]
        return type(self)(self.weights[order], self.means[order], covariances, self.covariance_type)
