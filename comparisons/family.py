"""What a family of mixtures brings to a comparison. `comparisons.gmm` and `comparisons.bmm` each fill this in once."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike

from em.identifiability import Identifiability
from models.shown import shown
from models.validation import Array

Point = dict[str, Array]
Change = Callable[[Point], Point]
FamilyName = Literal["gmm", "bmm"]
FAMILIES: tuple[str, ...] = get_args(FamilyName)
PRECISE = {"tol": 1e-12, "max_iter": 100_000}  # EM where its answer is held to another's
NEARLY = 1e-5  # what rounding to 32 bits may do to a sum, or to two equal numbers


class Family(ABC):
    """The pair of a PyMC model and an EM estimator, with the few things that differ between families."""

    name: str
    parameters_type: Any
    prior_types: tuple[Any, ...]
    prior_families: tuple[str, ...] = ("conjugate",)
    parameter_names: tuple[str, ...]

    @classmethod
    @abstractmethod
    def of(cls, n_trials: ArrayLike, covariance_type: str) -> Self:
        """Return the family with its option; raise a ValueError if the other family's option is not its default."""

    def identified(self, fit: Any) -> bool:
        """Whether no other parameters than a fit's give the same distribution of these data."""
        return self.identifiability(fit).identified

    def identifiability(self, fit: Any) -> Identifiability:
        """Return what a fit says of it."""
        found: Identifiability = fit.identifiability_
        return found

    @property
    def sizes(self) -> dict[str, Any]:
        """Sizes of the cells by the name that the family calls them, where it has some."""
        return {}

    @abstractmethod
    def default_prior(self, X: Array, n_components: int, prior_family: str = "conjugate") -> Any:
        """Return the weakly informative prior of one of the ``prior_families``; the first when none is given."""

    def check_prior(self, prior: Any, n_components: int, n_features: int) -> None:
        """Raise a ValueError unless the prior is one for K components and D features."""
        prior.check_fits(n_components, n_features)

    def caution(self, X: Array, prior: Any, n_components: int, names: Sequence[str] | None = None) -> str:
        """Return what to beware of in a posterior of these data under this prior, or nothing."""
        return ""

    @abstractmethod
    def estimator(self, **settings: Any) -> Any:
        """Return an EM estimator with these settings."""

    @abstractmethod
    def build_model(self, X: Array, n_components: int, prior: Any) -> Any:
        """Return the explicit-z PyMC model."""

    @abstractmethod
    def build_marginal_model(self, X: Array, n_components: int, prior: Any, precise: bool = False) -> Any:
        """Return the PyMC model with z summed out; ``precise`` asks for more digits where that takes longer."""

    def for_search(self, model: Any, X: Array, n_components: int, prior: Any) -> tuple[Any, Change, Change]:
        """Return what an optimiser is given: a model in units that suit it, and how points go into these and back."""
        return model, dict, dict

    @abstractmethod
    def e_step(self, X: Array, parameters: Any) -> tuple[Array, float]:
        """Return EM's responsibilities (n, K) and log-likelihood."""

    @abstractmethod
    def log_joint(self, X: Array) -> Callable[[Mapping[str, Array]], Callable[[slice], Array]]:
        """Return log p(x_i, z_i = k | θ_s), shape (S, K, m), as a function of draws (S, ...), then of m rows of X."""

    @abstractmethod
    def shaped(self, draws: Mapping[str, Array]) -> Point:
        """Return the parameters' draws (S, K, ...) of any sampler, checked to be what their names say.

        A single feature may lack its axis; weights and symmetric matrices that are so within the rounding of 32 bits
        are made so to the last bit.
        """

    @abstractmethod
    def draw_parameters(self, prior: Any, n_components: int, n_features: int, rng: np.random.RandomState) -> Any:
        """Return parameters drawn from a prior."""

    @abstractmethod
    def simulate(self, draw: Point, n_samples: int, rng: np.random.RandomState) -> Array:
        """Return simulated samples (n, D) of the mixture with these parameters."""

    @abstractmethod
    def unconstrained(self, draws: dict[str, Array]) -> Array:
        """Map draws (S, ...) to vectors on the unconstrained scale, shape (S, p)."""

    @abstractmethod
    def conjugate_gaps(self, parameters: Any, n_samples: int, prior: Any) -> tuple[Point, Point]:
        """Return how far MLE and MAP lie from the posterior mean, in posterior sd, when the labels are known.

        With labels known each component is the conjugate K = 1 case, with N_k = n weights_k samples, and both gaps are
        closed forms. They are the part of the distance that arithmetic explains.

        Returns
        -------
        tuple of dict
            Absolute gaps of the MLE and of the MAP, with the names and shapes of the declared quantities.
        """

    @abstractmethod
    def free_coordinates(self, parameters: Any) -> dict[str, np.ndarray]:
        """Return masks of the declared quantities whose estimate lies inside its range, by name."""

    def inside(self, parameters: Any) -> Point:
        """Return parameters with probs of 0 and 1, and weights of 0, moved inside by 1e-12."""
        point = dict(parameters.arrays())
        for name in self.free_coordinates(parameters):
            point[name] = np.clip(point[name], 1e-12, 1 - 1e-12)
        weights = np.maximum(point["weights"], 1e-12)
        return {**point, "weights": weights / weights.sum()}

    def mean_response(self, draws: dict[str, Array]) -> Array:
        """Return Σ_k π_k p_kd, or Σ_k π_k μ_kd, of each draw, shape (S, D): known even where components are not."""
        return np.asarray(np.einsum("sk,skd->sd", draws["weights"], draws[self.parameter_names[1]]))

    @abstractmethod
    def prior_on_response(self, prior: Any, X: Array) -> tuple[float, Array]:
        """Return how many pseudo-samples the prior weighs in each component, and their mean (D,)."""

    @abstractmethod
    def anywhere(self, fit: Any, rng: np.random.RandomState) -> Any:
        """Return random parameters from which EM may reach another maximum of a likelihood that has many."""

    @abstractmethod
    def ridge(self, fit: Any) -> tuple[str, ...]:
        """Return one or two entries, such as ``probs[0, 0]``, that move along a fit's free direction."""

    @abstractmethod
    def draw_data(self, ax: Any, comparison: Any) -> None:
        """Draw the data with what EM and the posterior say about it."""

    def entries(self, name: str, values: Array) -> list[tuple[int, ...]]:
        """Return the indices of the distinct entries of a declared quantity."""
        return list(np.ndindex(values.shape))


def with_features(name: str, draws: Array) -> Array:
    """Return draws (S, K, D) of what each component has one of for each feature, which may be a single one, (S, K)."""
    draws = draws[:, :, None] if draws.ndim == 2 else draws
    if draws.ndim != 3:
        dims = "chain, draw, component and feature"
        raise ValueError(f"draws must have {name} of the dims {dims}, got {draws.ndim - 1} after chain and draw")
    return draws


def sum_to_one(weights: Array, shape: tuple[int, ...]) -> Array:
    """Return draws (S, K) of weights, divided by their sums, which must be 1 but for rounding."""
    if weights.shape != shape:
        raise ValueError(f"draws must have weights of the shape {shape} (draws, components), got {weights.shape}")
    sums = weights.sum(axis=1, keepdims=True)
    if weights.min() < 0 or np.abs(sums - 1).max() > NEARLY:
        told = f"got sums from {sums.min():.6g} to {sums.max():.6g}, the least {weights.min():.6g}"
        raise ValueError(f"draws must have weights that are non-negative and sum to 1, {told}")
    return np.asarray(weights / sums)


def conjugate_gaps_of_weights(weights: Array, n_samples: int, concentration: float) -> tuple[Array, Array]:
    """Return the gaps of π_k = N_k / n (MLE) and (N_k + a - 1) / (n + K(a-1)) (MAP) from (N_k + a) / (n + K a), in sd.

    The posterior sd is sqrt(π_k (1 - π_k) / n); a single component has none, and no gap.
    """
    K = len(weights)
    sd = np.sqrt(weights * (1 - weights) / n_samples)
    pulls = concentration * np.abs(1 - K * weights), np.abs(1 - K * weights)
    mle, mode = (np.divide(pull / (n_samples + K * concentration), sd, out=np.zeros(K), where=sd > 0) for pull in pulls)
    return mle, mode


def log_ratio_weights(weights: Array) -> Array:
    """Return log(π_k / π_K), shape (S, K - 1), of weights (S, K): simplex to real vector."""
    return np.log(weights[:, :-1]) - np.log(weights[:, -1:])


def family_of(name: str, n_trials: ArrayLike = 1, covariance_type: str = "full") -> Family:
    """Return the family called ``name``, for data with so many trials or covariances of this structure."""
    if name not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(FAMILIES)}, got {shown(name)}")
    return importlib.import_module(f"comparisons.{name}").FAMILY.of(n_trials, covariance_type)
