"""Parameters of a Bernoulli or binomial mixture: frozen, validated, float64."""

from dataclasses import dataclass
from typing import Self

from numpy.typing import ArrayLike

from models.one_line import one_line
from models.validation import Array, component_order, frozen_array, weights_array


@dataclass(frozen=True, eq=False)
class BMMParameters:
    """Parameters θ = (π, p) of a Bernoulli mixture, or of a binomial mixture: the number of trials belongs to the data.

    Parameters
    ----------
    weights : array_like, shape (K,)
        Mixture weights π, non-negative, summing to one.
    probs : array_like, shape (K, D)
        Success probabilities p_kd in [0, 1]; exactly 0 and 1 are legal.

    Raises
    ------
    ValueError
        If shapes disagree, a value is not finite, the weights are not a probability vector or a prob is outside [0, 1].

    Examples
    --------
    >>> from models.bmm import BMMParameters
    >>> BMMParameters(weights=[0.4, 0.6], probs=[[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]]).n_features
    3
    """

    weights: Array
    probs: Array

    __repr__ = one_line

    def __post_init__(self) -> None:
        weights = weights_array(self.weights)
        probs = frozen_array("probs", self.probs, (len(weights), None))
        if (probs < 0).any() or (probs > 1).any():
            raise ValueError(f"probs must lie in [0, 1], got values from {probs.min()} to {probs.max()}")
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "probs", probs)

    @property
    def n_components(self) -> int:
        """Number of components K."""
        return self.probs.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.probs.shape[1]

    @property
    def n_free_parameters(self) -> int:
        """Number of free parameters: K - 1 weights and K D probs."""
        return self.n_components - 1 + self.probs.size

    def arrays(self) -> dict[str, Array]:
        """Return the declared quantities by name, in the order in which tables print them."""
        return {"weights": self.weights, "probs": self.probs}

    def permute(self, order: ArrayLike) -> Self:
        """Return the same mixture with its components relabelled: new component j is old component ``order[j]``."""
        order = component_order(order, self.n_components)
        return type(self)(**{name: array[order] for name, array in self.arrays().items()})
