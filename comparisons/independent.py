"""The pair of a mixture of independent exponential-family features; most of it follows from its :mod:`em.steps`."""

from collections.abc import Callable, Mapping
from typing import Any, override

import numpy as np

from comparisons.declarations import Option
from comparisons.family import Family, Point, conjugate_gaps_of_weights
from models.parameters import Quantity
from models.prior import GammaPrior
from models.validation import Array


class IndependentFamily(Family):
    """Base class of pairs whose formulas are a :class:`em.steps.Steps`; a subclass names its priors and estimator.

    If cells have sizes, such as numbers of trials, the sizes are an option, unless the subclass declares its options.
    """

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if "prior_types" in vars(cls) and "options" not in vars(cls) and (size := cls.parameters_type.cells.size_name):
            of_cells = f"{size.replace('_', ' ').capitalize()} of each cell of your own data"
            cls.options = (Option(size, 1.0, of_cells, of_data=True),)

    @property
    def steps(self) -> Any:
        """The family's formulas, those of the package ``em.<family>``."""
        from em.families import steps_of

        return steps_of(self.functions)

    @property
    @override
    def prior_counts(self) -> tuple[str, ...]:
        return ("concentration", *self.steps.prior_type.hyperparameters)

    @property
    @override
    def quantities(self) -> tuple[Quantity, ...]:
        return self.steps.quantities

    @override
    def default_prior(self, X: Array, n_components: int, prior_family: str = "conjugate") -> Any:
        """Return a prior scaled to the data, if its class has a ``weakly_informative``; else its defaults.

        A Gamma prior is centred at the rates of a single component.
        """
        prior_type = self.prior_types[0]
        if hasattr(prior_type, "weakly_informative"):
            return prior_type.weakly_informative(X, **self.of_data)
        if not issubclass(prior_type, GammaPrior):
            return prior_type()
        rows = self.steps.rows(X, *self.of_data.values())
        rates = self.steps.most_probable(self.steps.sums(rows, np.ones((len(X), 1))), None).arrays()
        (alone,) = rates[self.parameter_names[1]]
        return prior_type.about(np.where(alone > 0, alone, 1.0))

    def mean_size(self, n_features: int) -> Array:
        """Return the mean size of the cells of each feature, shape (D,)."""
        (size,) = tuple(self.of_data.values()) or (1.0,)
        size = np.asarray(size, dtype=np.float64)
        return np.broadcast_to(size.mean(axis=0) if size.ndim == 2 else size, n_features)

    @override
    def log_joint(self, X: Array) -> Callable[[Mapping[str, Array]], Callable[[slice], Array]]:
        """Return log π_k + log p(x_i | z_i = k), of the observed cells of x_i."""
        from em.bound import log_of

        data = self.steps.rows(X, *self.of_data.values())

        def given(draws: Mapping[str, Array]) -> Callable[[slice], Array]:
            draws = self.shaped(draws)
            log_weights, located = log_of(draws["weights"])[:, :, None], self.parameter_names[1]
            if data.statistics[0].shape[1] != (D := draws[located].shape[2]):
                raise ValueError(f"X must have {D} columns like the {located}, got {X.shape[1]}")

            def of_rows(rows: slice) -> Array:
                kernel = self.steps.log_kernel(data[rows], draws)
                return log_weights + data.log_base[rows] + np.swapaxes(kernel, 1, 2)

            return of_rows

        return given

    @override
    def conjugate_gaps(self, parameters: Any, n_samples: float, prior: Any) -> tuple[Point, Point]:
        """Return the gaps of the conjugate posterior with the expected statistics of N_k = n π_k samples."""
        from em.steps.rows import Statistics

        counts = np.maximum(parameters.weights * n_samples, 1)
        theta, size = parameters.inside(), self.mean_size(parameters.n_features)
        expected = self.steps.expected(theta, size)[1]
        chi = self.steps.updated(prior, Statistics(counts, tuple(counts[:, None] * part for part in expected)))
        usual = self._usual(chi)
        mean, variance = self.steps.moments(usual)
        mode = self.steps.mode(chi, self.steps.chi(prior))
        of_weights = conjugate_gaps_of_weights(parameters.weights, n_samples, float(prior.concentration.max()))
        mle, at_mode = (
            {"weights": gap, **{name: np.abs(point[name] - mean[name]) / np.sqrt(variance[name]) for name in mean}}
            for gap, point in zip(of_weights, (theta, mode), strict=True)
        )
        return mle, at_mode

    def _usual(self, chi: tuple[Array, ...]) -> tuple[Array, ...]:
        return tuple(part + offset for part, offset in zip(chi, self.steps.hyper_offsets, strict=True))

    @override
    def response_is_mean(self, parameters: Any) -> bool:
        theta, name = parameters.inside(), self.parameter_names[1]
        mean = self.steps.expected(theta, np.ones(parameters.n_features))[0]
        return name == "probs" and bool(np.allclose(mean, theta[name]))

    @override
    def prior_on_response(self, prior: Any, X: Array) -> tuple[float, Array]:
        """Return n0 and m0 of the posterior mean (n0 m0 + t x) / (n0 + t), given t samples of mean x."""
        from em.steps.rows import Statistics

        size = self.mean_size(X.shape[1])
        flat = tuple(np.zeros((1, part.shape[-1])) for part in self.steps.rows(X, *self.of_data.values()).statistics)
        before = self.steps.updated(prior, Statistics(np.zeros(1), flat))
        theta, _ = self.steps.moments(self._usual(before))
        seen_at = {name: np.where(values == 0, 1.0, values / 2) for name, values in theta.items()}
        seen = Statistics(np.ones(1), self.steps.expected(seen_at, size)[1])
        after, _ = self.steps.moments(self._usual(self.steps.updated(prior, seen)))
        name = self.parameter_names[1]
        weight = (seen_at[name] - after[name]) / (after[name] - theta[name])
        return float(np.max(weight * size)), theta[name][0]

    @override
    def draw_data(self, ax: Any, comparison: Any) -> None:
        from comparisons.profile import draw_profile

        draw_profile(ax, comparison)

    @override
    def anywhere(self, fit: Any, rng: np.random.RandomState) -> Any:
        return self.steps.random(fit.parameters_, rng)
