"""Mean-field variational inference: the Bayesian mixture by coordinate ascent, EM's other twin.

The posterior of labels and parameters is approximated by a product q(z) q(θ), the one nearest in KL(q || p). Its two
factors are found in turn, each the best given the other (Bishop 2006, section 10.2)::

    E-step   q(z_i = k) = r_ik ∝ exp ρ_ik,   ρ_ik = E_q(θ)[log π_k + log p(x_i | z_i = k)]
    M-step   q(θ) = the conjugate posterior under the responsibilities r

so that the evidence lower bound, here with every constant, never decreases. After an E-step it is::

    ELBO = Σ_i log Σ_k exp ρ_ik - KL(q(θ) || p(θ))  <=  log p(X)

a log-likelihood plus what stands for a log prior: EM's own loop (:mod:`em.engine`) climbs it. And the Gaussian E-step
is EM's own too, at plug-in parameters: the mean m_k, the covariance E[Σ_k⁻¹]⁻¹ = Ψ_k / ν_k, and in place of log π_k ::

    log ω_k = E[log π_k] + 1/2 (E[log|Σ_k⁻¹|] - log|E[Σ_k⁻¹]|) - D / (2 κ_k)

Counts have ρ_ik = E[log π_k] + Σ_d {log C(m, x) + x E[log p_kd] + (m - x) E[log(1 - p_kd)]}.

With much data and a concentration a < (M + 1) / 2, M the number of parameters of a component, components that the data
do not need are best emptied (Watanabe & Watanabe 2006): one more in use gains (a - 1/2) log n nats by its weight and
costs M/2 log n. q(π) leaves an empty one E[π_k] = a / (n + K a). Coordinate ascent seldom empties a component that it
started with, so restarts begin with different numbers of clusters.

Mean field knows nothing of the dependence between labels and parameters, nor of other modes, label switching included;
its standard deviations are too small where clusters overlap.

References
----------
Bishop (2006), Pattern Recognition and Machine Learning, Springer, section 10.2.
Corduneanu & Bishop (2001), Variational Bayesian model selection for mixture distributions, AISTATS, 27-34.
Watanabe & Watanabe (2006), Variational Bayesian stochastic complexity of mixture models, NIPS 18.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from em.bound import check_responsibilities, normalise
from em.chunked import is_chunked
from em.chunked.predictions import lazily
from em.chunked.samples import ChunkedSamples, chunked_samples
from em.engine import best_of, run_em
from em.engine.problem import Arrays, Problem
from em.families import conjugate_mixture, mixture_of_chunks, without_samples
from em.gibbs import one_hot, start_labels
from em.samples import Samples, kept_samples, weighted
from em.status import NotConvergedWarning, tell
from em.steps.conjugate import mean_field_problem
from em.sums import Sums
from models.shown import one_line, shown
from models.validation import Array, check_sample_weight, count_at_least_one, number_above, random_source


@dataclass(frozen=True, eq=False)
class VariationalPosterior:
    """The factor q(θ), and how it was found.

    Attributes
    ----------
    distribution : ConjugatePosterior or GaussianPosterior
        q(θ): a Dirichlet times what is conjugate to the samples.
    mean, standard_deviation : dict of ndarray
        Of each parameter under q, by name; NaN where it does not exist.
    responsibilities : ndarray, shape (n, K)
        q(z_i = k). Of Dask's chunks it is a lazy array; where such a fit was loaded, None.
    elbo : float
        Evidence lower bound, in nats.
    history : ndarray, shape (n_iter + 1,)
        ELBO at the start and after each iteration of the best restart; it never decreases.
    converged : bool
        Whether the best restart did.
    status : str
        The same as a sentence.
    """

    distribution: Any
    responsibilities: Any
    elbo: float
    history: Array
    converged: bool
    status: str
    _mixture: Any = field(repr=False)

    __repr__ = one_line

    @property
    def mean(self) -> dict[str, Array]:
        """Mean of each parameter by name."""
        return self.distribution.mean()

    @property
    def standard_deviation(self) -> dict[str, Array]:
        """Standard deviation of each parameter by name."""
        return self.distribution.standard_deviation()

    def predict_proba(self, X: ArrayLike, **size: Any) -> Array:
        """Return q(z = k) of samples, shape (n, K): one more E-step.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        **size
            Sizes of the cells where the family has some, such as ``n_trials``; by default as in the samples fitted,
            where all rows had the same.
        """
        return normalise(self.for_rows(X, **size).expected_log_joint(self.distribution))[0]

    def for_rows(self, X: ArrayLike, **size: Any) -> Any:
        """Return other rows as the family's formulas see them (:func:`em.families.conjugate_mixture`)."""
        rows = self._mixture.encode(X)
        if rows.shape[1] != (D := self._mixture.X.shape[1]):
            raise ValueError(f"X must have {D} columns like the samples fitted, got {rows.shape[1]}")
        return self._mixture.for_rows(rows, **size)

    def draw(self, n_draws: int, random_state: Any = None) -> dict[str, Array]:
        """Return independent draws of the parameters from q, shapes (n_draws, ...) by name.

        Parameters
        ----------
        n_draws : int
            Number of draws.
        random_state : int, RandomState or None
            Seed or source of randomness.
        """
        rng, n = random_source(random_state), count_at_least_one("n_draws", n_draws)
        copies = {name: np.broadcast_to(a, (n, *a.shape)) for name, a in self.distribution.arrays().items()}
        return self.distribution.with_arrays(copies).draw(rng)


def variational(
    X: ArrayLike,
    n_components: int,
    prior: Any,
    *,
    n_init: int = 10,
    init: ArrayLike | None = None,
    tol: float = 1e-8,
    max_iter: int = 10_000,
    random_state: Any = None,
    sample_weight: ArrayLike | None = None,
    **size: Any,
) -> VariationalPosterior:
    """Approximate the posterior by q(z) q(θ).

    Parameters
    ----------
    X : array_like, or a Dask array or DataFrame, shape (n, D)
        Samples. A missing count (NaN) is legal; a missing Gaussian cell is not. Rows that are all missing take no part.
        All restarts share passes over chunks, and start from a sample of their rows (:mod:`em.chunked.summary`).
    n_components : int
        Number of components K, or the most there may be where the concentration is below 1.
    prior : MixturePrior
        A conjugate prior; it says which family, and of which covariance structure.
    n_init : int
        Number of restarts, each from labels by k-means++; the one of the highest ELBO is kept. They begin with K
        clusters, and where the concentration is below (M + 1) / 2 with fewer and fewer, down to 1.
    init : array_like, shape (n, K), or None
        Responsibilities of one start, instead; none where X is in chunks.
    tol : float
        Bound on the gain still to come, in nats of the whole ELBO.
    max_iter : int
        Largest number of iterations of each restart.
    random_state : int, RandomState or None
        Seed or source of randomness of the restarts.
    sample_weight : array_like, shape (n,), or None
        How often each row occurs: log-likelihoods and responsibilities are multiplied by it. Rows of weight 0 are left
        out of the fit, and have responsibilities.
    **size
        Sizes of the cells where the family has some, such as ``n_trials`` for counts: a number, (D,) or (n, D).

    Examples
    --------
    >>> import numpy as np
    >>> from em.variational import variational
    >>> from models.gmm import GMMPrior
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> prior = GMMPrior(0.01, mean=[5.0], mean_precision=0.01, degrees_of_freedom=3.0, scale=[[1.0]])
    >>> np.sort(variational(X, 4, prior, n_init=2, random_state=0).mean["weights"]).round(2)  # two are emptied
    array([0. , 0. , 0.4, 0.6])
    """
    K = count_at_least_one("n_components", n_components)
    for name, value in {"n_init": n_init, "max_iter": max_iter}.items():
        count_at_least_one(name, value)
    number_above("tol", tol, 0, inclusive=True)
    data = (_of_chunks if is_chunked(X) else _in_memory)(X, prior, sample_weight, size)
    data.mixture.check_fits(K)
    fitted, weights = data.fitted, data.weights
    if init is None:
        rng = random_source(random_state)
        fewest = 1 if np.max(prior.concentration) < (fitted.n_component_parameters + 1) / 2 else K
        clusters = np.linspace(K, fewest, n_init).round().astype(int)
        starts = [one_hot(start_labels(fitted.X, k, rng, weights), K) for k in clusters]
    elif data.counted is None:
        raise ValueError(f"init must be None where X is in chunks, got {shown(init)}")
    else:
        starts = [_check_init(init, len(data.counted), K)[data.counted]]
    problem = mean_field_problem(fitted, K, weights)
    problem = problem if data.all_chunks is None else over_chunks(problem, data.mixture, data.all_chunks)
    runs = run_em(problem, [fitted.posterior(weighted(r, weights)) for r in starts], tol=tol, max_iter=max_iter)
    best = best_of(runs, problem)
    status = f"{best.status}; best of {len(runs)} restart(s)"
    if not best.converged:
        tell(status, NotConvergedWarning)
    run = best.objective, best.history, best.converged, status
    found = VariationalPosterior(best.parameters, None, *run, without_samples(data.mixture))
    if data.counted is None:
        return replace(found, responsibilities=lazily(found.predict_proba, X, K))
    return replace(found, responsibilities=normalise(data.mixture.expected_log_joint(best.parameters))[0])


class _Data(NamedTuple):
    """All rows, those that starts are made from and how often each counts, and which rows in memory take part.

    Of more chunks than are at hand ``all_chunks`` has all rows.
    """

    mixture: Any
    fitted: Any
    weights: Array | None
    counted: np.ndarray | None
    all_chunks: ChunkedSamples | None


def _in_memory(X: ArrayLike, prior: Any, sample_weight: ArrayLike | None, size: dict[str, Any]) -> _Data:
    mixture = conjugate_mixture(X, prior, **size)
    weights = check_sample_weight(sample_weight, len(mixture.X))
    counted = kept_samples(mixture.encode(X), weights, None).kept
    return _Data(mixture, mixture.part(counted), None if weights is None else weights[counted], counted, None)


def _of_chunks(X: Any, prior: Any, sample_weight: Any, size: dict[str, Any]) -> _Data:
    mixture = mixture_of_chunks(X, prior, **size)
    samples = chunked_samples(mixture, X, sample_weight)
    samples.sum_of(partial(_check_cells, mixture=mixture))
    rows = samples.distinct(hashed=True)
    if rows.in_memory:
        return _Data(mixture, mixture.for_rows(rows.X), rows.weights, None, None)
    hand = samples.start_rows
    return _Data(mixture, mixture.for_rows(hand.X), hand.frequencies * (samples.total / hand.total), None, samples)


def _check_cells(part: Samples, mixture: Any) -> int:
    """Raise a ValueError if a cell of a chunk is none of the family's; return 0, which adds up."""
    mixture.for_rows(part.X)
    return 0


def over_chunks[Q](problem: Problem[Q], mixture: Any, samples: ChunkedSamples) -> Problem[Q]:
    """Return a problem of mean field whose E-step is a sum over all chunks, of all restarts in one pass.

    Parameters
    ----------
    problem : Problem
        That of rows at hand, which count as many samples as there are (:func:`em.engine.problem.one_by_one`).
    mixture : ConjugateMixture or GaussianConjugate
        Takes the rows of a chunk (:func:`em.families.mixture_of_chunks`).
    samples : ChunkedSamples
        All rows.
    """

    def expect(arrays: Arrays, runs: np.ndarray) -> tuple[Array, Arrays]:
        several = [problem.build({name: array[r] for name, array in arrays.items()}) for r in range(len(runs))]
        found: Sums = samples.sum_of(partial(_expected, mixture=mixture, several=several))
        statistics = np.empty(len(several), dtype=object)
        log_likelihoods, statistics[:] = zip(*(of_one.parts for of_one in found.parts), strict=True)
        return np.array(log_likelihoods), {"statistics": statistics}

    return replace(problem, expect=expect)


def _expected(part: Samples, mixture: Any, several: Sequence[Any]) -> Sums:
    """Return for each of some q what some rows add to Σ_i log Σ_k exp ρ_ik and to statistics."""
    expect = mixture.for_rows(part.X).expectation(part.weights)
    return Sums(tuple(Sums(expect(q)) for q in several))


def _check_init(init: ArrayLike, n: int, K: int) -> Array:
    wanted = f"init must be responsibilities of shape {(n, K)}"
    try:
        if (shape := np.shape(init)) == (n, K):
            return check_responsibilities(init, n)
    except ValueError as error:
        raise ValueError(f"{wanted}: {error}") from None
    raise ValueError(f"{wanted}, got {shape}")
