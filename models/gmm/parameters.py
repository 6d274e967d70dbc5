"""Parameters of a Gaussian mixture: frozen, validated, float64."""

from dataclasses import dataclass, field
from typing import Self

from numpy.typing import ArrayLike

from models.one_line import one_line
from models.validation import Array, component_order, frozen_array, positive_definite, weights_array


@dataclass(frozen=True, eq=False)
class GMMParameters:
    """Parameters θ = (π, μ, Σ) of a Gaussian mixture with full covariances.

    Parameters
    ----------
    weights : array_like, shape (K,)
        Mixture weights π, non-negative, summing to one.
    means : array_like, shape (K, D)
        Component means μ_k.
    covariances : array_like, shape (K, D, D)
        Component covariance matrices Σ_k, symmetric positive definite.

    Attributes
    ----------
    cholesky : ndarray, shape (K, D, D)
        Lower Cholesky factors L_k, Σ_k = L_k L_k'.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, the weights are not a probability vector or a covariance is not
        symmetric positive definite.

    Examples
    --------
    >>> from models.gmm import GMMParameters
    >>> GMMParameters(weights=[0.4, 0.6], means=[[0.0], [3.0]], covariances=[[[1.0]], [[2.0]]]).n_components
    2
    """

    weights: Array
    means: Array
    covariances: Array
    cholesky: Array = field(init=False, repr=False)

    __repr__ = one_line

    def __post_init__(self) -> None:
        weights = weights_array(self.weights)
        means = frozen_array("means", self.means, (len(weights), None))
        covariances = frozen_array("covariances", self.covariances, (len(weights), means.shape[1], means.shape[1]))
        cholesky = positive_definite("covariances", covariances)
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
        """Number of free parameters: K - 1 weights, K D means, K D (D + 1) / 2 variances and covariances."""
        K, D = self.means.shape
        return K - 1 + K * D + K * D * (D + 1) // 2

    def arrays(self) -> dict[str, Array]:
        """Return the declared quantities by name, in the order in which tables print them."""
        return {"weights": self.weights, "means": self.means, "covariances": self.covariances}

    def permute(self, order: ArrayLike) -> Self:
        """Return the same mixture with its components relabelled: new component j is old component ``order[j]``."""
        order = component_order(order, self.n_components)
        return type(self)(**{name: array[order] for name, array in self.arrays().items()})
