"""The base class of families of mixtures: what a comparison needs to know about each of them.

Each folder ``comparisons/<family>/`` has a subclass of `Family`, called ``FAMILY`` (:mod:`comparisons.families`).
Importing it loads NumPy and little else, so that a command knows its options at once. EM and PyMC are imported when
they are used.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, ClassVar, Self

import numpy as np

from comparisons.declarations import Case, Dataset, Option
from models.parameters import Labels, Quantity, labels_of_features
from models.shown import shown
from models.validation import Array, data_matrix

Point = dict[str, Array]
Change = Callable[[Point], Point]
PRECISE = {"tol": 1e-12, "max_iter": 100_000}  # settings of EM for estimates that are compared with others
NEARLY = 1e-5  # relative error of numbers that were rounded to 32 bits


class Family(ABC):
    """The pair of a PyMC model and an EM estimator, with what differs between families.

    Parameters
    ----------
    **options
        Values of the `options`, by name; each becomes an attribute.

    Attributes
    ----------
    name, title : str
        Name of the folders, and name of the mixture in sentences.
    options : tuple of Option
        Options of the constructor, of `compare` and of the command line.
    quantity_label : str
        Label of the components' first parameter in figures, such as "rate".
    estimator_name : str
        Name of the estimator in `em`.
    prior_types : tuple of type
        Types of priors. The first one gives ``parameters_type``; ``prior_families`` names the weakly informative ones.
    quantities : tuple of Quantity
        The declared arrays: weights, then the locations of the components, then the rest.
    categorical : bool
        Whether the values of a feature are levels (words or whole numbers), and no amounts.
    conjugate_with_missing : bool
        Whether a conjugate prior stays conjugate if cells are missing.
    datasets, cases : mapping of callable, tuple of Case
        Built-in data sets by name; and the standard cases with their verdicts, the command line's default first.
    calibrations : mapping of dict
        By name, arguments of :class:`comparisons.calibration.simulations.Setting`. The first one is also run without
        its Jacobian, and must fail then.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    quantity_label: ClassVar[str] = "component's parameter"
    options: ClassVar[tuple[Option, ...]] = ()
    estimator_name: ClassVar[str]
    prior_types: ClassVar[tuple[Any, ...]]
    parameters_type: ClassVar[Any]
    prior_families: ClassVar[tuple[str, ...]] = ("conjugate",)
    categorical: ClassVar[bool] = False
    conjugate_with_missing: ClassVar[bool] = True
    datasets: ClassVar[Mapping[str, Callable[[], Dataset]]] = {}
    cases: ClassVar[tuple[Case, ...]] = ()
    calibrations: ClassVar[Mapping[str, dict[str, Any]]] = {}

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if "prior_types" in vars(cls):
            cls.parameters_type = cls.prior_types[0].parameters_type

    def __init__(self, **options: Any) -> None:
        known = {option.name: option for option in self.options}
        for name, value in options.items():
            if name not in known:
                from comparisons.families import refuse

                refuse(type(self), name, value)
        for name, option in known.items():
            setattr(self, name, option.check(options.get(name, option.default)))

    @property
    @abstractmethod
    def quantities(self) -> tuple[Quantity, ...]:
        """The declared arrays of a mixture with these options, in order."""

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the declared arrays."""
        return tuple(quantity.name for quantity in self.quantities)

    def __repr__(self) -> str:
        """The call that makes this family."""
        given = {**self.of_data, **self.of_mixture}
        return f"{type(self).__name__}({', '.join(f'{name}={shown(value)}' for name, value in given.items())})"

    @property
    def of_data(self) -> dict[str, Any]:
        """The options that describe the data, by name."""
        return {option.name: getattr(self, option.name) for option in self.options if option.of_data}

    @property
    def of_mixture(self) -> dict[str, Any]:
        """The options that describe the mixture, by name."""
        return {option.name: getattr(self, option.name) for option in self.options if not option.of_data}

    @property
    def of_conjugate(self) -> dict[str, Any]:
        """The options that Gibbs sampling and mean field take, by name; the prior has the covariances' structure."""
        return self.of_data

    def of_samples(self, X: Any, names: Sequence[str] | None = None) -> tuple[Self, Array]:
        """Return the family, with options that the data determine, and the samples (n, D), NaN where missing."""
        return self, data_matrix(X, missing=True, names=names)

    def of_rows(self, kept: np.ndarray) -> Self:
        """Return the family for the kept rows (a mask (n,)) of the data: options with a value for each cell are cut."""
        cells = {name: np.asarray(value) for name, value in self.of_data.items() if np.ndim(value) == 2}
        rows = {name: value[kept] for name, value in cells.items() if len(value) == len(kept)}
        return type(self)(**{**self.of_data, **self.of_mixture, **rows}) if rows else self

    @classmethod
    def case(cls, data: str, n_components: int | None, options: Mapping[str, Any]) -> Case:
        """Return the standard case with these data, K and options; if there is none, a case that declares "agree"."""
        shapes = {o.name: o.default for o in cls.options if not o.of_data}
        asked = {name: options[name] for name in shapes if options.get(name, shapes[name]) != shapes[name]}
        for case in cls.cases:
            if (case.data, case.options) == (data, asked) and n_components in (None, case.n_components):
                return case
        return Case(data, 2 if n_components is None else n_components, asked)

    # Priors and fits --------------------------------------------------------------------------------------------------

    @abstractmethod
    def default_prior(self, X: Array, n_components: int, prior_family: str = "conjugate") -> Any:
        """Return the weakly informative prior of the named one of the ``prior_families``."""

    @property
    def prior_counts(self) -> tuple[str, ...]:
        """Names of the prior's numbers that count pseudo-samples."""
        return ("concentration",)

    def is_conjugate(self, prior: Any, missing: bool) -> bool:
        """Whether the posterior of the parameters given labels has a closed form; ``missing`` if cells are missing."""
        return prior.conjugate and (self.conjugate_with_missing or not missing)

    def caution(self, X: Array, prior: Any, n_components: int, names: Sequence[str] | None = None) -> str:
        """Return a warning about the posterior of these data under this prior, or ""."""
        return ""

    def estimator(self, **settings: Any) -> Any:
        """Return an EM estimator with these settings."""
        return getattr(import_module("em"), self.estimator_name)(**self.of_data, **self.of_mixture, **settings)

    def frame(self, X: Array, names: Sequence[str] | None) -> Any:
        """Return samples as a frame with the names of features, or as an array without; with the names of levels."""
        import pandas as pd

        return X if names is None else pd.DataFrame(X, columns=list(names))

    def named_estimator(self, **settings: Any) -> Any:
        """Return an EM estimator for the samples of `frame`."""
        return self.estimator(**settings)

    # Models and densities ---------------------------------------------------------------------------------------------

    @property
    def model(self) -> Any:
        """The package ``models.<family>``."""
        return import_module(f"models.{self.name}")

    @property
    def functions(self) -> Any:
        """The package ``em.<family>``, with E-step and M-step as functions."""
        return import_module(f"em.{self.name}")

    def build_model(self, X: Array, n_components: int, prior: Any) -> Any:
        """Return the explicit-z PyMC model."""
        return self.model.build_model(X, n_components, prior, **self.of_data, **self.of_mixture)

    def build_marginal_model(self, X: Array, n_components: int, prior: Any, precise: bool = False) -> Any:
        """Return the PyMC model with z summed out; ``precise`` asks for more digits, at the cost of time."""
        return self.model.build_marginal_model(X, n_components, prior, **self.of_data, **self.of_mixture)

    def for_search(self, model: Any, X: Array, n_components: int, prior: Any) -> tuple[Any, Change, Change]:
        """Return a model in units suited to an optimiser, and two functions that map points to these units and back."""
        return model, dict, dict

    def e_step(self, X: Array, parameters: Any) -> tuple[Array, float]:
        """Return EM's responsibilities (n, K) and log-likelihood."""
        return self.functions.e_step(X, parameters, **self.of_data)

    def rounded(self, parameters: Any) -> Any:
        """Return parameters that differ from these by the rounding error of the density's computation."""
        return parameters

    @abstractmethod
    def log_joint(self, X: Array) -> Callable[[Mapping[str, Array]], Callable[[slice], Array]]:
        """Return log p(x_i, z_i = k | θ_s), shape (S, K, m), as a function of draws (S, ...), then of m rows of X."""

    def draw_parameters(self, prior: Any, n_components: int, n_features: int, rng: np.random.RandomState) -> Any:
        """Return parameters drawn from a prior."""
        return self.model.draw_parameters(prior, n_components, n_features, rng)

    def simulate(self, draw: Point, n_samples: int, rng: np.random.RandomState) -> Array:
        """Return samples (n, D), simulated from the mixture with the parameters of a draw."""
        parameters = self.parameters_type(**draw, **self.of_mixture)
        return np.asarray(self.model.simulate(parameters, n_samples, **self.of_data, random_state=rng)[0])

    def is_binary(self) -> bool:
        """Whether every cell can only be 0 or 1."""
        return False

    # Draws and estimates ----------------------------------------------------------------------------------------------

    def shaped(self, draws: Mapping[str, Array]) -> Point:
        """Check draws (S, K, ...) of any sampler, and return the parameters in the declared shapes.

        The axis of a single feature may be missing. Weights that sum to one, and matrices that are symmetric, within
        the rounding of 32 bits are corrected to float64.
        """
        shaped = {quantity.name: as_declared(quantity, draws[quantity.name]) for quantity in self.quantities}
        self.check_weights(shaped)
        return shaped

    def check_weights(self, draws: Mapping[str, Array]) -> None:
        """Raise a ValueError unless draws have as many weights as components."""
        shape, wanted = draws["weights"].shape, draws[self.parameter_names[1]].shape[:2]
        if shape != wanted:
            raise ValueError(f"draws must have weights of the shape {wanted} (draws, components), got {shape}")

    def unconstrained(self, draws: dict[str, Array]) -> Array:
        """Map draws (S, ...) to vectors on the unconstrained scale, shape (S, p)."""
        return np.hstack([quantity.support.unconstrained(draws[quantity.name]) for quantity in self.quantities])

    @abstractmethod
    def conjugate_gaps(self, parameters: Any, n_samples: float, prior: Any) -> tuple[Point, Point]:
        """Return how far MLE and MAP lie from the posterior mean, in posterior sd, when the labels are known.

        With known labels each component is the conjugate K = 1 case with N_k = n weights_k samples, and both gaps have
        closed forms. This is the gap one expects even with known labels.

        Returns
        -------
        tuple of dict
            Absolute gaps of the MLE and of the MAP, with the names and shapes of the declared quantities.
        """

    def mean_response(self, draws: dict[str, Array]) -> Array:
        """Return Σ_k π_k p_kd, or Σ_k π_k μ_kd, of each draw, shape (S, D).

        It is identified even if the components are not.
        """
        return np.asarray(np.einsum("sk,skd->sd", draws["weights"], draws[self.parameter_names[1]]))

    def response_is_mean(self, parameters: Any) -> bool:
        """Return whether `mean_response` is the mean of a sample, or the shares of its levels, at any parameters."""
        return False

    def prior_on_response(self, prior: Any, X: Array) -> tuple[float, Array]:
        """Return the number of the prior's pseudo-samples in each component, and their mean (D,)."""
        return 0.0, np.zeros(X.shape[1])

    @abstractmethod
    def anywhere(self, fit: Any, rng: np.random.RandomState) -> Any:
        """Return random parameters, from which EM may reach another one of many maxima."""

    def draw_data(self, ax: Any, comparison: Any) -> None:
        """Draw the data with EM's estimates and the posterior, by ``comparisons/<family>/figure.py``."""
        import_module(f"comparisons.{self.name}.figure").draw_data(ax, comparison)

    def labels(self, feature_names: Sequence[str] | None) -> Labels:
        """Return the labels of the entries of a dim, such as "feature", by dim; for tables, figures and draws."""
        return labels_of_features(feature_names)


def as_declared(quantity: Quantity, draws: Array) -> Array:
    """Check that draws (S, ...) of a declared array lie in its support; add the axis of a single feature if missing."""
    if quantity.dims[-1] == "feature" and draws.ndim == len(quantity.dims):
        draws = draws[..., None]
    if draws.ndim != 1 + len(quantity.dims):
        dims = f"chain, {', '.join(('draw', *quantity.dims[:-1]))} and {quantity.dims[-1]}"
        given = f"{draws.ndim - 1} after chain and draw"
        raise ValueError(f"draws must have {quantity.name} of the dims {dims}, got {given}")
    return quantity.support.nearly(quantity.name, draws, NEARLY)


def conjugate_gaps_of_weights(weights: Array, n_samples: float, concentration: float) -> tuple[Array, Array]:
    """Return the gaps of π_k = N_k / n (MLE) and (N_k + a - 1) / (n + K(a-1)) (MAP) from (N_k + a) / (n + K a), in sd.

    The posterior sd is sqrt(π_k (1 - π_k) / n). The weight of a single component has sd 0; its gap is 0.
    """
    K = len(weights)
    sd = np.sqrt(weights * (1 - weights) / n_samples)
    pulls = concentration * np.abs(1 - K * weights), np.abs(1 - K * weights)
    mle, mode = (np.divide(pull / (n_samples + K * concentration), sd, out=np.zeros(K), where=sd > 0) for pull in pulls)
    return mle, mode
