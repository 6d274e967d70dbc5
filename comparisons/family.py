"""What a family of mixtures brings to a comparison. `comparisons.gmm` and `comparisons.bmm` each fill this in once."""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from models.validation import Array

FAMILIES = ("gmm", "bmm")


class Family(ABC):
    """The pair of a PyMC model and an EM estimator, with the few things that differ between families."""

    name: str
    parameters_type: Any
    prior_type: Any

    @classmethod
    @abstractmethod
    def of(cls, n_trials: ArrayLike) -> Self:
        """Return the family for data with so many trials per cell (1 where that means nothing)."""

    def identified(self, fit: Any) -> bool:
        """Whether a fitted model passed the rank test."""
        return True

    @abstractmethod
    def default_prior(self, X: Array, n_components: int) -> Any:
        """Return the prior that is used when none is given."""

    @abstractmethod
    def estimator(self, **settings: Any) -> Any:
        """Return an EM estimator with these settings."""

    @abstractmethod
    def build_model(self, X: Array, n_components: int, prior: Any) -> Any:
        """Return the explicit-z PyMC model."""

    @abstractmethod
    def build_marginal_model(self, X: Array, n_components: int, prior: Any) -> Any:
        """Return the PyMC model with z summed out."""

    @abstractmethod
    def e_step(self, X: Array, parameters: Any) -> tuple[Array, float]:
        """Return EM's responsibilities (n, K) and log-likelihood."""

    @abstractmethod
    def distances(self, draws: dict[str, Array], reference: Any) -> Array:
        """Return the distance of each draw's component j to the reference's component k, shape (S, K, K)."""

    @abstractmethod
    def unconstrained(self, draws: dict[str, Array]) -> Array:
        """Map draws (S, ...) to vectors on the unconstrained scale, shape (S, p)."""

    @abstractmethod
    def conjugate_gap(self, parameters: Any, n_samples: int, prior: Any) -> tuple[float, str]:
        """Return the gap between mode and mean, in posterior sd, that the conjugate K = 1 case has, and its formula."""

    @abstractmethod
    def free_coordinates(self, parameters: Any) -> dict[str, np.ndarray]:
        """Return masks of the declared quantities whose estimate lies inside its range, by name."""

    def mean_response(self, draws: dict[str, Array]) -> Array:
        """Return Σ_k π_k p_kd of each draw, shape (S, D): identified even where the components are not.

        Only families that may fail the rank test need it, and `prior_on_response`.
        """
        raise TypeError(f"the family {self.name!r} is always identified")

    def prior_on_response(self, prior: Any) -> tuple[float, Array]:
        """Return how many pseudo-samples the prior weighs in each component, and their mean (D,)."""
        raise TypeError(f"the family {self.name!r} is always identified")

    @abstractmethod
    def draw_data(self, ax: Any, comparison: Any) -> None:
        """Draw the data with what EM and the posterior say about it."""

    def entries(self, name: str, values: Array) -> list[tuple[int, ...]]:
        """Return the indices of the distinct entries of a declared quantity."""
        return list(np.ndindex(values.shape))


def log_ratio_weights(weights: Array) -> Array:
    """Return log(π_k / π_K), shape (S, K - 1), of weights (S, K): simplex to real vector."""
    return np.log(weights[:, :-1]) - np.log(weights[:, -1:])
