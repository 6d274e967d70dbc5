"""Take EM's steps one at a time: a frozen state, with methods that return the next state.

The steps are ``em.<family>.e_step`` and ``m_step``; the quantities of EM's proof are :func:`em.q_function`,
:func:`em.entropy` and :func:`em.elbo`; a Gibbs sweep is one of :func:`em.gibbs.sweeps`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

import em
from comparisons.declarations import Dataset
from comparisons.families import family_of
from comparisons.family import Family
from em.bound import log_of, normalise
from em.engine.path import EMPath
from em.families import conjugate_mixture
from em.gibbs import draw_labels, one_hot, sweeps
from em.samples import Samples
from em.starts import start_responsibilities
from em.status import left_to_the_status
from models.parameters import Quantity
from models.supports import Index
from models.validation import Array, count_at_least_one

LEAST_GAIN = 1e-6  # nats: a smaller gain ends a run
MOST_ITERATIONS, MOST_CELLS = 100, 400_000  # most iterations of one press, and most cells (sample, component, feature)


@dataclass(frozen=True)
class Record:
    """The quantities of EM's proof after a step, in nats.

    Attributes
    ----------
    step : str
        Name of the step.
    log_likelihood : float
        log p(X | θ).
    q, entropy, elbo : float
        Q(θ, q), H(q) and their sum, the evidence lower bound.
    log_prior : float
        log p(θ) under the prior that MAP and Gibbs sampling take.
    """

    step: str
    log_likelihood: float
    q: float
    entropy: float
    elbo: float
    log_prior: float

    @property
    def gap(self) -> float:
        """Σ_i KL(q_i || p(z_i | x_i, θ)), log-likelihood minus bound; never negative."""
        return np.inf if self.elbo == -np.inf else max(self.log_likelihood - self.elbo, 0.0)


@dataclass(frozen=True, eq=False, repr=False)
class ByHand:
    """Parameters and responsibilities of a mixture, between two steps of EM.

    Attributes
    ----------
    dataset : Dataset
        Data without missing cells.
    family : Family
        The family, with the options that data and mixture need.
    prior : MixturePrior
        A weakly informative conjugate prior, which MAP and Gibbs sampling take.
    parameters : Parameters
        θ.
    responsibilities : ndarray, shape (n, K)
        q: rows sum to one.
    records : tuple of Record
        One for the start and for each step.
    before : Parameters or None
        θ before the last step.
    said : str
        A message if the last step failed or did not converge, else "".
    seed : int
        Seed of the start and of the Gibbs sampler.

    Examples
    --------
    >>> from comparisons.data import load
    >>> from comparisons.explorer import by_hand
    >>> hand = by_hand(load("faithful"), n_components=2)
    >>> [record.gap > 1 for record in hand.e_step().m_step().records]
    [True, False, True]
    """

    dataset: Dataset
    family: Family
    prior: Any
    parameters: Any
    responsibilities: Array
    records: tuple[Record, ...] = ()
    before: Any = None
    said: str = ""
    seed: int = 0
    template: Any = None

    def __repr__(self) -> str:
        last = f"log-likelihood {self.last.log_likelihood:.4f}, gap {self.last.gap:.4g} nats"
        steps = f"after step {len(self.records) - 1} ({self.last.step})"
        return f"EM by hand of {self.dataset.name}, K = {self.parameters.n_components}, {steps}: {last}"

    @property
    def X(self) -> Array:  # noqa: N802 - the field's capital
        """The samples (n, D)."""
        return self.dataset.X

    @property
    def last(self) -> Record:
        """The record of the last step."""
        return self.records[-1]

    @property
    def moves(self) -> Quantity:
        """The quantity that sliders move: the locations of the components."""
        return self.parameters.quantities[1]

    @property
    def mixture(self) -> Any:
        """The mixture of these parameters as a fitted estimator, for predictions and plots."""
        return EMPath(self.template, [self.parameters]).at(0)

    # The steps --------------------------------------------------------------------------------------------------------

    def e_step(self, hard: bool = False) -> Self:
        """Set q to the responsibilities of θ; ``hard`` assigns each sample to its most probable component."""
        r, _ = self.family.functions.e_step(self.X, self.parameters, **self.family.of_data)
        if hard:
            r = one_hot(r.argmax(axis=1), r.shape[1])
        return self._after("hard E-step" if hard else "E-step", self.parameters, r)

    def m_step(self, with_prior: bool = False) -> Self:
        """Set θ to the maximiser of Q(θ, q), plus the log prior if ``with_prior``.

        If a component collapses onto a point, θ does not change, and ``said`` has a message.
        """
        options = {**self.family.of_data, **self.family.of_mixture}
        prior = self.prior if with_prior else None
        try:
            parameters = self.family.functions.m_step(self.X, self.responsibilities, prior, **options)
        except ValueError as error:  # a component collapsed, and the Gaussian likelihood has no maximum
            return replace(self, said=f"No M-step: {error}. A prior, fewer components or another start helps.")
        return self._after("M-step with prior" if with_prior else "M-step", parameters, self.responsibilities)

    def until_converged(self, hard: bool = False, with_prior: bool = False) -> Self:
        """Alternate both steps until the objective gains less than 1e-6 nats, at most 100 times (fewer for large n)."""
        state, cells = self, self.responsibilities.size * self.X.shape[1]
        most = int(np.clip(MOST_CELLS // cells, 5, MOST_ITERATIONS))
        for _ in range(most):
            before, state = state.last, state.e_step(hard).m_step(with_prior)
            if state.said:
                return state
            gain = state.last.elbo - before.elbo + with_prior * (state.last.log_prior - before.log_prior)
            if abs(gain) < LEAST_GAIN:
                return state.e_step(hard)
        return replace(state.e_step(hard), said=f"Not yet converged after {most} iterations: press again.")

    def gibbs_sweep(self) -> Self:
        """Draw labels from q, θ given the labels, then labels given θ; q becomes the last labels, one-hot."""
        rng, K = np.random.RandomState(self.seed + len(self.records)), self.parameters.n_components
        mixture = conjugate_mixture(self.X, self.prior, **self.family.of_conjugate)
        z, _ = draw_labels(log_of(self.responsibilities)[None], rng)
        drawn = next(sweeps(mixture, z, K, rng))
        parameters = mixture.parameters({name: drawn[name][0] for name in self.family.parameter_names})
        return self._after("Gibbs sweep", parameters, one_hot(drawn["z"][0], K))

    def moved(self, place: Index, value: float) -> Self:
        """Set one number of a component's location, such as a mean; rescale the others of a sum to one."""
        quantity, support = self.moves, self.moves.support
        values = getattr(self.parameters, quantity.name).copy()
        values[place] = value
        block = support.block_of(place)
        if block is not None:
            mates = [other for other in support.distinct_entries(values.shape) if support.block_of(other) == block]
            others = tuple(np.array([other for other in mates if other != place]).T)
            total = values[others].sum()
            values[others] = (1 - value) * (values[others] / total if total > 0 else 1 / len(others[0]))
        parameters = replace(self.parameters, **{quantity.name: values})
        return self._after(f"{quantity.name} moved", parameters, self.responsibilities)

    # ------------------------------------------------------------------------------------------------------------------

    def _after(self, step: str, parameters: Any, responsibilities: Array) -> Self:
        """Return the state with these θ and q, and one more record."""
        log_joint = self.family.functions.log_joint(self.X, parameters, **self.family.of_data)
        q, entropy = em.q_function(log_joint, responsibilities), em.entropy(responsibilities)
        log_likelihood, log_prior = float(normalise(log_joint)[1].sum()), float(self.prior.log_prob(parameters))
        record = Record(step, log_likelihood, q, entropy, em.elbo(log_joint, responsibilities), log_prior)
        return replace(
            self,
            parameters=parameters,
            responsibilities=responsibilities,
            records=(*self.records, record),
            before=self.parameters,
            said="",
        )


def by_hand(
    dataset: Dataset,
    n_components: int,
    start: str = "k-means++",
    seed: int = 0,
    options: Mapping[str, Any] | None = None,
) -> ByHand:
    """Return the state before the first E-step: parameters from a start, and uniform responsibilities q_ik = 1 / K.

    Parameters
    ----------
    dataset : Dataset
        Data; rows with a missing cell are left out.
    n_components : int
        Number of components K.
    start : {"k-means++", "kmeans", "random"}, default "k-means++"
        Method of the start (:mod:`em.starts`).
    seed : int, default 0
        Seed of the start and of the Gibbs sampler.
    options : mapping or None
        Options of the family, such as ``{"covariance_type": "tied"}``.
    """
    from pandas import DataFrame

    K = count_at_least_one("n_components", n_components)
    family = family_of(dataset.family, **{**dataset.options, **(options or {})})
    family, X = family.of_samples(dataset.X, dataset.feature_names)
    whole = ~np.isnan(X).any(axis=1)
    family, X = family.of_rows(whole), X[whole]
    samples = Samples(X, None, np.ones(len(X), dtype=bool), len(X))
    r = start_responsibilities(samples, K, start, np.random.RandomState(seed))
    everything = {**family.of_data, **family.of_mixture}
    parameters = family.functions.m_step(X, r, None, **everything)
    with left_to_the_status(Warning):  # the template is used for plots only
        frame = DataFrame(X, columns=list(dataset.feature_names))
        template = family.estimator(n_components=K, init=parameters, max_iter=1).fit(frame)
    dataset, prior, q = replace(dataset, X=X), family.default_prior(X, K), np.full((len(X), K), 1 / K)
    state = ByHand(dataset, family, prior, parameters, q, seed=seed, template=template)
    return replace(state._after("start", parameters, state.responsibilities), before=None)
