"""Priors of any mixture, as plain numbers that EM and PyMC both read. Weights have a Dirichlet prior."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from models.shown import one_line
from models.validation import Array, frozen_array, real_numbers


class MixturePrior(ABC):
    """Base class of the priors: weights have a Dirichlet prior with concentration a.

    Attributes
    ----------
    hyperparameters : tuple of str
        Names of the hyperparameters beside the concentration, each a number or of shape (D,).
    real : tuple of str
        Those hyperparameters that may be any real number; the others are positive.
    least_one : tuple of str
        Those hyperparameters that must be at least 1 for MAP.
    parameters_type : type
        Class of the parameters.
    conjugate : bool
        Whether the posterior given the labels is of the same form as the prior. Gibbs sampling, mean field, exact
        enumeration and Chib's evidence need this.
    """

    concentration: Any
    parameters_type: ClassVar[type[Any]]
    conjugate: ClassVar[bool] = True
    hyperparameters: ClassVar[tuple[str, ...]] = ()
    real: ClassVar[tuple[str, ...]] = ()
    least_one: ClassVar[tuple[str, ...]] = ()

    __repr__ = one_line

    def __post_init__(self) -> None:
        self._keep(**{name: self._positive(name) for name in ("concentration", *self.hyperparameters)})

    def _keep(self, **checked: Any) -> None:
        """Set fields of the frozen dataclass to checked values."""
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    def _positive(self, name: str, shape: tuple[int, ...] | None = None) -> Array:
        """Return a checked field, positive unless listed in ``real``: a number or a vector, or of the given shape."""
        given = real_numbers(name, getattr(self, name))
        wanted = (None,) * min(given.ndim, 1) if shape is None else shape
        values = frozen_array(name, np.full(shape, given) if shape and given.ndim == 0 else given, wanted)
        if name not in self.real and not (values > 0).all():
            raise ValueError(f"{name} must be positive, got {values}")
        return values

    @property
    def exchangeable(self) -> bool:
        """Whether the prior treats all components alike, so that labels may be aligned after sampling."""
        return bool(np.ptp(self.concentration) == 0)

    @property
    def avoids_collapse(self) -> bool:
        """Whether under the prior no component collapses onto a point."""
        return True

    def check_fits(self, n_components: int, n_features: int, *options: Any) -> None:
        """Raise a ValueError unless the prior fits K components and D features."""
        for name in ("concentration", *self.hyperparameters):
            size, shape = n_components if name == "concentration" else n_features, np.shape(getattr(self, name))
            if shape not in [(), (size,)]:
                raise ValueError(f"prior.{name} must be a number or have shape ({size},), got {shape}")

    def check_mode(self) -> None:
        """Raise a ValueError unless the posterior has a mode inside the parameter space, as MAP needs."""
        for name in ("concentration", *self.least_one):
            if (np.asarray(getattr(self, name)) < 1).any():
                raise ValueError(
                    f"prior.{name} must be at least 1 for MAP, got {getattr(self, name)}: below 1 the posterior mode "
                    "lies at the edge or nowhere, so MAP is undefined"
                )

    def log_prob(self, parameters: Any, given: Collection[str] = ()) -> float:
        """Return log p(θ) in nats, the density of the declared quantities without the Jacobian of any transform.

        Parameters
        ----------
        parameters : Parameters
            Where to evaluate; K and D must fit the prior.
        given : collection of str, default ()
            Quantities whose own density is left out: "weights", or the name of the components' quantity.
        """
        self.check_fits(parameters.n_components, parameters.n_features, *parameters.options)
        names = [quantity.name for quantity in parameters.quantities]
        log_weights = 0.0 if "weights" in given else self._log_dirichlet(parameters.weights)
        log_components = 0.0 if set(names[1:]) <= set(given) else self._log_prob_of_components(parameters)
        return float(log_weights + log_components)

    @abstractmethod
    def _log_prob_of_components(self, parameters: Any) -> float:
        """Return the log density of all quantities but the weights."""

    def _log_dirichlet(self, weights: Array) -> float:
        """Return log Dirichlet(π | a)."""
        from scipy.special import gammaln, xlogy

        a = np.broadcast_to(self.concentration, weights.shape)
        return float(gammaln(a.sum()) - gammaln(a).sum() + xlogy(a - 1, weights).sum())


class FeaturePrior(MixturePrior):
    """Prior whose hyperparameters are numbers, or one number for each feature.

    A family's prior is a frozen dataclass with the fields ``concentration`` and those named in ``hyperparameters``.
    """

    @abstractmethod
    def draw_components(self, shape: Any, rng: np.random.RandomState) -> Array | tuple[Array, ...]:
        """Draw the components' quantity (K, D), or one array for each quantity if there are several."""

    def _numbers(self) -> tuple[Array, ...]:
        """Return the values of the hyperparameters, in order."""
        return tuple(np.asarray(getattr(self, name)) for name in self.hyperparameters)

    def _of_components(self, parameters: Any) -> Array:
        """Return the components' quantity, the only one beside the weights."""
        return np.asarray(getattr(parameters, parameters.quantities[1].name))


class BetaPrior(FeaturePrior):
    """θ_kd ~ Beta(b_d, c_d); a family is a frozen dataclass with fields for a, b and c, in this order."""

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        cls.least_one = cls.hyperparameters

    def draw_components(self, shape: tuple[int, int], rng: np.random.RandomState) -> Array:
        """Draw θ, shape (K, D)."""
        b, c = self._numbers()
        return rng.beta(b, c, size=shape)

    def _log_prob_of_components(self, parameters: Any) -> float:
        """Return Σ_kd log Beta(θ_kd | b_d, c_d)."""
        from scipy.special import betaln, xlog1py, xlogy

        (b, c), theta = self._numbers(), self._of_components(parameters)
        return float((xlogy(b - 1, theta) + xlog1py(c - 1, -theta) - betaln(b, c)).sum())


class GammaPrior(FeaturePrior):
    """θ_kd ~ Gamma(b_d, rate c_d); a family is a frozen dataclass with fields for a, b and c, in this order."""

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        cls.least_one = cls.hyperparameters[:1]

    @classmethod
    def about(cls, values: ArrayLike) -> Self:
        """Return the prior Gamma(2, rate 1 / v_d), whose mode is the value v_d, and Dirichlet(2).

        For rates this is the prior on the scale of the data; it weighs as much as one event.

        Examples
        --------
        >>> from models.pmm import PMMPrior
        >>> PMMPrior.about([4.0, 0.5]).rate
        array([0.25, 2.  ])
        """
        return cls(2.0, 2.0, 1 / real_numbers("values", values))  # type: ignore[call-arg]

    def draw_components(self, shape: tuple[int, int], rng: np.random.RandomState) -> Array:
        """Draw θ, shape (K, D)."""
        b, c = self._numbers()
        return rng.gamma(b, 1 / c, size=shape)

    def _log_prob_of_components(self, parameters: Any) -> float:
        """Return Σ_kd log Gamma(θ_kd | b_d, rate c_d)."""
        from scipy.special import gammaln, xlogy

        (b, c), theta = self._numbers(), self._of_components(parameters)
        return float((b * np.log(c) - gammaln(b) + xlogy(b - 1, theta) - c * theta).sum())


def draw_weights(concentration: Array, n_components: int, rng: np.random.RandomState) -> Array:
    """Draw π ~ Dirichlet(a), shape (K,), as independent Gamma(a_k) draws over their sum.

    Draws are made in logarithms, log g + log(u) / a with g ~ Gamma(a + 1) and u uniform: Gamma(a) rounds to 0 for a
    small a.
    """
    a = np.broadcast_to(concentration, n_components)
    log_gammas = np.log(rng.standard_gamma(a + 1)) + np.log1p(-rng.uniform(size=n_components)) / a
    gammas = np.exp(log_gammas - log_gammas.max())
    return gammas / gammas.sum()
