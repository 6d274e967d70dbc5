"""The conjugate posterior of a mixture's parameters, given labels or responsibilities.

Given labels (one-hot responsibilities), Gibbs sampling draws from it (:mod:`em.gibbs`); given responsibilities, it is a
factor of mean field (:mod:`em.variational`). With the statistics N_k and S_kj of :mod:`em.steps`::

    π ~ Dirichlet(a + N),    θ_k ~ the conjugate distribution with χ_j + S_kj

Every array may have leading axes, written "...", such as one for chains.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from em.bound import log_of, normalise
from em.engine.blocks import blocks
from em.engine.problem import Problem, log_prior_size, one_by_one
from em.samples.distinct import distinct_rows, repeat_rarely
from em.steps import Steps
from em.steps.dirichlet import dirichlet_divergence, draw_weights, mean_log_weights, mean_weights, sd_weights
from em.steps.rows import Parts, Rows, Statistics, common_sizes, products, sizes_differ
from models.parameters import Labels, Parameters, Quantity, labels_of_features
from models.shown import named
from models.validation import Array, data_matrix


@dataclass(frozen=True)
class ConjugatePosterior:
    """Dirichlet times the conjugate distributions of the components.

    Attributes
    ----------
    steps : Steps
        The family's formulas.
    concentration : ndarray, shape (..., K)
        a_k of the Dirichlet.
    hyper : tuple of ndarray
        The usual parameters of the components' distributions, such as b and c of a Beta, each (..., K, p_j).
    """

    steps: Steps[Any]
    concentration: Array
    hyper: Parts

    def __repr__(self) -> str:
        """Return the parameters of the distribution on one line."""
        return named(self, self.arrays())

    def __getattr__(self, name: str) -> Array:
        """Return a parameter of the components' distributions by its name."""
        if name.startswith("_") or name not in self.steps.prior_type.hyperparameters:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self.hyper[self.steps.prior_type.hyperparameters.index(name)]

    def arrays(self) -> dict[str, Array]:
        """Return the parameters of the distribution by name."""
        names = self.steps.prior_type.hyperparameters
        return {"concentration": self.concentration, **dict(zip(names, self.hyper, strict=True))}

    def with_arrays(self, arrays: dict[str, Array]) -> Self:
        """Return the distribution with other parameters."""
        hyper = tuple(arrays[name] for name in self.steps.prior_type.hyperparameters)
        return type(self)(self.steps, arrays["concentration"], hyper)

    def draw(self, rng: np.random.RandomState) -> dict[str, Array]:
        """Return a draw of the mixture's parameters by name for each entry of the leading axes."""
        weights = draw_weights(self.concentration, rng)
        return {"weights": weights, **self.steps.draw(self.hyper, rng)}

    def mean(self) -> dict[str, Array]:
        """Return the posterior mean of each parameter by name."""
        return {"weights": mean_weights(self.concentration), **self.steps.moments(self.hyper)[0]}

    def standard_deviation(self) -> dict[str, Array]:
        """Return the posterior standard deviation of each parameter by name."""
        of_components = {name: np.sqrt(variance) for name, variance in self.steps.moments(self.hyper)[1].items()}
        return {"weights": sd_weights(self.concentration), **of_components}

    def log_normaliser(self) -> Array:
        """Return the log normaliser of the components' distributions, Σ_k A(χ_k), shape (...)."""
        return np.asarray(self.steps.log_normaliser(self.hyper).sum(axis=-1))

    @property
    def shared(self) -> tuple[str, ...]:
        """Names of the parameters that all components share."""
        return tuple(quantity.name for quantity in self.steps.quantities if quantity.shared)

    def divergence(self, prior: "ConjugatePosterior") -> float:
        """Return KL(self || prior) in nats; neither has leading axes.

        It is the divergence of the weights plus Σ_k {Σ_j (χ_kj - χ0_j) · E[η_kj] - A(χ_k) + A(χ0)}.
        """
        expected, steps = self.steps.mean_natural(self.hyper), self.steps
        gaps = zip(self.hyper, prior.hyper, expected, strict=True)
        energy = sum(float(((mine - other) * eta).sum()) for mine, other, eta in gaps)
        normalisers = steps.log_normaliser(prior.hyper) - steps.log_normaliser(self.hyper)
        return dirichlet_divergence(self.concentration, prior.concentration) + energy + float(normalisers.sum())


class ConjugateData:
    """How a user's rows become numbers, and the names in their tables; a family of labelled cells overrides both."""

    def encode(self, X: Any) -> Array:
        """Return the user's X as a matrix of numbers, such as the codes of labels."""
        return data_matrix(X, missing=True)

    def labels(self, names: Sequence[str] | None) -> Labels:
        """Return the labels of each dim in tables, given the names of the features."""
        return labels_of_features(names)


@dataclass(frozen=True)
class ConjugateMixture(ConjugateData):
    """A family's data with their conjugate prior, as Gibbs sampling, mean field and exact enumeration take them.

    Attributes
    ----------
    steps : Steps
        The family's formulas.
    rows : Rows
        The data.
    prior : MixturePrior
        The conjugate prior.
    """

    steps: Steps[Any]
    rows: Rows
    prior: Any

    @property
    def X(self) -> Array:  # noqa: N802 - the field's capital
        """The samples, with 0 in missing cells."""
        return self.rows.X

    @classmethod
    def stacked(cls, mixtures: Sequence["ConjugateMixture"]) -> "ConjugateMixture":
        """Return several mixtures, with data of the same shape, as one with a leading axis."""
        return replace(mixtures[0], rows=Rows.joined([mixture.rows for mixture in mixtures], np.stack))

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The declared arrays of the mixture."""
        return self.steps.quantities

    @property
    def n_component_parameters(self) -> int:
        """Number of free parameters of one component."""
        shape = self.steps.shapes(1, self.X.shape[-1])
        return sum(q.support.n_free(shape[q.name]) for q in self.steps.quantities if q.name != "weights")

    @property
    def log_base(self) -> Array:
        """Log h(x_i), shape (n,), in nats."""
        return self.steps.log_measure(self.rows)

    def for_rows(self, X: Any, **size: Any) -> "ConjugateMixture":
        """Return the mixture of other rows under the same prior.

        Their sizes are those given, or those that all rows of the data share.
        """
        sizes = self.steps.cells.size_of(None, size)
        if sizes is None:
            sizes = common_sizes(self.rows.size, self.steps.cells.size_name)
        return replace(self, rows=self.steps.rows(X, sizes))

    @property
    def sizes_differ(self) -> bool:
        """Whether the size of a column's cells differs between rows."""
        return sizes_differ(self.rows.size)

    def part(self, rows: Any) -> "ConjugateMixture":
        """Return the mixture of some of its rows, selected by a slice or booleans (n,)."""
        return replace(self, rows=self.rows[rows])

    def example(self) -> tuple[Array, dict[str, Any]]:
        """Return rows and sizes with which `em.families.conjugate_mixture` makes a mixture that reads new rows.

        They keep only the largest and the smallest size of each column.
        """
        sizes = self.rows.size
        largest, least = sizes.max(axis=0), np.where(sizes > 0, sizes, np.inf).min(axis=0)
        both = np.where(largest > 0, [largest, np.minimum(least, largest)], 1.0)
        name = self.steps.cells.size_name
        return np.ones(both.shape), {name: both} if name else {}

    def with_each_of(self, X: Any, **size: Any) -> Iterator["ConjugateMixture"]:
        """Yield, for each of other rows, the mixture of all samples and that row; `for_rows` describes their sizes."""
        others = self.for_rows(X, **size).rows
        longer = (Rows.joined([self.rows, others[i : i + 1]], np.concatenate) for i in range(len(others)))
        return (replace(self, rows=rows) for rows in longer)

    def check_fits(self, n_components: int) -> None:
        """Raise a ValueError unless the prior fits K components and these features."""
        self.steps.check_prior(self.prior, n_components, self.X.shape[-1])

    def parameters(self, arrays: dict[str, Array]) -> Parameters:
        """Return the parameters that have these arrays."""
        return self.steps.parameters(arrays)

    def log_joint(self, theta: dict[str, Array]) -> Array:
        """Return log p(x_i, z_i = k), shape (..., n, K), of parameters with leading axes."""
        log_base = self.rows.log_base[..., None]
        return log_of(theta["weights"])[..., None, :] + log_base + self.steps.log_kernel(self.rows, theta)

    def posterior(self, responsibilities: Array) -> ConjugatePosterior:
        """Return the posterior under responsibilities (..., n, K), one-hot where labels are known."""
        return self.updated(self.steps.sums(self.rows, responsibilities))

    def posterior_of_sets(self, members: Array, n_components: int) -> ConjugatePosterior:
        """Return the posterior of one component for each set of samples, given as members (sets, n, 1), 0 or 1."""
        return self.posterior(members)

    def updated(self, statistics: Statistics) -> ConjugatePosterior:
        """Return the posterior given sufficient statistics; zeros give the prior itself."""
        concentration = np.broadcast_to(self.prior.concentration, statistics.counts.shape[-1]) + statistics.counts
        chi = zip(self.steps.updated(self.prior, statistics), self.steps.hyper_offsets, strict=True)
        return ConjugatePosterior(self.steps, concentration, tuple(part + offset for part, offset in chi))

    def expected_log_joint(self, q: ConjugatePosterior) -> Array:
        """Return E_q[log p(x_i, z_i = k)], shape (n, K)."""
        return self._expected(self.rows, q) + self.log_base[:, None]

    def _expected(self, rows: Rows, q: ConjugatePosterior) -> Array:
        return mean_log_weights(q.concentration) + products(rows.statistics, self.steps.mean_natural(q.hyper))

    def expectation(self, weights: Array | None = None) -> Callable[[ConjugatePosterior], tuple[float, Statistics]]:
        """Return the E-step of mean field, a function of q: Σ_i log Σ_k exp ρ_ik, and the sufficient statistics.

        ρ_ik is E_q[log p(x_i, z_i = k)].
        """
        rows, frequencies = distinct(self.rows, weights)
        constant = float(self.steps.log_measure(rows) @ frequencies)

        def expect(q: ConjugatePosterior) -> tuple[float, Statistics]:
            log_likelihood, statistics = constant, None
            for part in blocks(len(rows)):
                r, log_prob = normalise(self._expected(rows[part], q))
                sums = self.steps.sums(rows[part], r * frequencies[part, None])
                log_likelihood = log_likelihood + float(log_prob @ frequencies[part])
                statistics = sums if statistics is None else statistics + sums
            assert statistics is not None
            return log_likelihood, statistics

        return expect

    def units(self, n: float, weights: Array | None = None) -> dict[str, Array | float]:
        """Return the typical size of each array of q: n samples."""
        return dict.fromkeys(("concentration", *self.steps.prior_type.hyperparameters), n)


def mean_field_problem(mixture: Any, n_components: int, weights: Array | None) -> Problem[Any]:
    """Return mean field as a problem for the EM loop; -KL(q || prior) takes the place of the log prior.

    Parameters
    ----------
    mixture : ConjugateMixture or GaussianConjugate
        Data and prior.
    n_components : int
        Number of components K.
    weights : ndarray, shape (n,), or None
        How often each row occurs.
    """
    n = float(len(mixture.X) if weights is None else weights.sum())
    before = mixture.posterior(np.zeros((len(mixture.X), n_components)))  # the prior, as a posterior of no data
    return one_by_one(
        before,
        mixture.expectation(weights),
        mixture.updated,
        lambda q: -q.divergence(before),
        before.with_arrays,
        mixture.units(n, weights),
        n_samples=n,
        log_prior_size=log_prior_size(mixture.prior, n_components, mixture.X.shape[1]),
    )


def distinct(rows: Rows, weights: Array | None = None) -> tuple[Rows, Array]:
    """Return the distinct rows and their frequencies, over which sums are the same, but shorter.

    Many rows that hardly repeat are returned as they are, since looking for equal rows costs more than it saves.
    """
    if repeat_rarely(rows.X):
        return rows, np.ones(len(rows)) if weights is None else weights
    cells = rows.X if rows.size.strides[0] == 0 else np.hstack([rows.X, rows.size])
    which, frequencies = distinct_rows(cells, weights, hashed=True)
    return rows[which], frequencies
