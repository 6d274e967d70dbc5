"""Mean-field variational inference of a Bayesian mixture by coordinate ascent.

The posterior of labels and parameters is approximated by a product q(z) q(θ), the one with the smallest KL(q || p). The
two factors are updated in turn, each to the best one given the other (Bishop 2006, section 10.2)::

    E-step   q(z_i = k) = r_ik ∝ exp ρ_ik,   ρ_ik = E_q(θ)[log π_k + log p(x_i | z_i = k)]
    M-step   q(θ) = the conjugate posterior under the responsibilities r

So the evidence lower bound, here with all constants, never decreases. After an E-step it is::

    ELBO = Σ_i log Σ_k exp ρ_ik - KL(q(θ) || p(θ))  <=  log p(X)

The first term plays the part of a log-likelihood, the second that of a log prior, so EM's own loop (:mod:`em.engine`)
maximises it. The Gaussian E-step is EM's own as well, at plug-in parameters: the mean m_k, the covariance
E[Σ_k⁻¹]⁻¹ = Ψ_k / ν_k, and in place of log π_k ::

    log ω_k = E[log π_k] + 1/2 (E[log|Σ_k⁻¹|] - log|E[Σ_k⁻¹]|) - D / (2 κ_k)

For counts, ρ_ik = E[log π_k] + Σ_d {log C(m, x) + x E[log p_kd] + (m - x) E[log(1 - p_kd)]}.

With much data, a concentration a < (M + 1) / 2, and M parameters per component, the optimum leaves components empty
that the data do not need (Watanabe & Watanabe 2006): one more component in use gains (a - 1/2) log n nats by its weight
and costs M/2 log n. An empty component has E[π_k] = a / (n + K a) under q(π). Coordinate ascent seldom empties a
component that it started with, so restarts begin with different numbers of clusters.

Mean field ignores the dependence between labels and parameters and all other modes, including label switching. Its
standard deviations are too small if clusters overlap.

References
----------
Bishop (2006), Pattern Recognition and Machine Learning, Springer, section 10.2.
Corduneanu & Bishop (2001), Variational Bayesian model selection for mixture distributions, AISTATS, 27-34.
Watanabe & Watanabe (2006), Variational Bayesian stochastic complexity of mixture models, NIPS 18.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.bound import check_responsibilities, normalise
from em.chunked import is_chunked
from em.chunked.predictions import lazily
from em.engine import Run, best_of, run_em
from em.families import without_samples
from em.gibbs import one_hot, start_labels
from em.samples import weighted
from em.samples.parts import may_win
from em.status import NotConvergedWarning, tell
from em.steps.conjugate import mean_field_problem
from em.variational.rows import rows_in_memory, rows_of_chunks
from models.shown import counted, one_line, shown
from models.validation import Array, count_at_least_one, number_above, random_source

REACH = 10.0  # with many rows, a run leaves if it is farther below the best than 10 times its last gains


@dataclass(frozen=True, eq=False)
class VariationalPosterior:
    """The factor q(θ), and how the search for it ended.

    Attributes
    ----------
    distribution : ConjugatePosterior or GaussianPosterior
        q(θ): a Dirichlet distribution of the weights times the conjugate distribution of the components.
    mean, standard_deviation : dict of ndarray
        Mean and standard deviation of each parameter under q, by name; NaN if it does not exist.
    responsibilities : ndarray, shape (n, K)
        q(z_i = k). For Dask's chunks it is a lazy array; if such a fit was loaded, None.
    elbo : float
        Evidence lower bound, in nats.
    history : ndarray, shape (n_iter + 1,)
        ELBO at the start and after each iteration of the best restart; it never decreases.
    converged : bool
        Whether the best restart converged.
    status : str
        How the best restart ended, as a sentence.
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
        """Return q(z = k) of samples, shape (n, K), from one more E-step.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        **size
            Sizes of the cells, if the family has sizes, such as ``n_trials``; by default those of the fit, if they were
            the same in all rows.
        """
        return normalise(self.for_rows(X, **size).expected_log_joint(self.distribution))[0]

    def for_rows(self, X: ArrayLike, **size: Any) -> Any:
        """Return other rows in the form that the family's formulas take (:func:`em.families.conjugate_mixture`)."""
        rows = self._mixture.encode(X)
        if rows.shape[1] != (D := self._mixture.X.shape[1]):
            raise ValueError(f"X must have {D} columns like the samples fitted, got {rows.shape[1]}")
        return self._mixture.for_rows(rows, **size)

    def draw(self, n_draws: int, random_state: Any = None) -> dict[str, Array]:
        """Draw parameters independently from q, shapes (n_draws, ...) by name.

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
        Samples. A missing count (NaN) is legal; a missing Gaussian cell is not. Rows that are all missing are left out.
        With more than 65,536 distinct rows, restarts run on a sample of them (:mod:`em.samples.sketch`), and those that
        may be the best go on with all rows. So a fit is the same in memory and in chunks, in any order of the rows.
    n_components : int
        Number of components K, or the largest number if the concentration is below 1.
    prior : MixturePrior
        A conjugate prior; it determines the family and the structure of the covariances.
    n_init : int
        Number of restarts, each from labels by k-means++; the one of the highest ELBO is kept. They begin with K
        clusters; if the concentration is below (M + 1) / 2, with fewer and fewer, down to 1.
    init : array_like, shape (n, K), or None
        Responsibilities of a single start; not for X in chunks.
    tol : float
        Bound on the remaining gain, in nats of the whole ELBO.
    max_iter : int
        Largest number of iterations of each restart.
    random_state : int, RandomState or None
        Seed or source of randomness of the restarts.
    sample_weight : array_like, shape (n,), or None
        How often each row occurs: its log-likelihood and responsibilities are multiplied by it. Rows of weight 0 are
        left out of the fit, but have responsibilities.
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
    if is_chunked(X):
        if init is not None:
            raise ValueError(f"init must be None if X is in chunks, got {shown(init)}")
        data = rows_of_chunks(X, prior, sample_weight, size, K)
    else:
        data = rows_in_memory(X, prior, sample_weight, size, K, may_sketch=init is None)
    start_rows, weights = data.start_rows, data.weights
    if init is None:
        rng = random_source(random_state)
        fewest = 1 if np.max(prior.concentration) < (start_rows.n_component_parameters + 1) / 2 else K
        clusters = np.linspace(K, fewest, n_init).round().astype(int)
        starts = [one_hot(start_labels(start_rows.X, k, rng, weights), K) for k in clusters]
    else:
        assert data.counted is not None
        starts = [_check_init(init, len(data.counted), K)[data.counted]]
    problem = mean_field_problem(start_rows, K, weights)
    posteriors = [start_rows.posterior(weighted(r, weights)) for r in starts]
    settings: dict[str, Any] = {"tol": tol, "max_iter": max_iter, "reach": np.inf if data.all_rows is None else REACH}
    runs = run_em(problem, posteriors, races=[0] * len(posteriors), **settings)
    if data.all_rows is not None:
        assert weights is not None
        draws = weights * (data.n_draws / weights.sum())
        shortlist, problem = _shortlisted(start_rows, draws, runs), data.all_rows(problem)
        runs = run_em(problem, shortlist, races=[0] * len(shortlist), **settings)
    best = best_of(runs, problem)
    status = f"{best.status}; best of {counted(len(starts), 'restart')}"
    if not best.converged:
        tell(status, NotConvergedWarning)
    run = best.objective, best.history, best.converged, status
    q = VariationalPosterior(best.parameters, None, *run, without_samples(data.mixture))
    if data.counted is None:
        return replace(q, responsibilities=lazily(q.predict_proba, X, K))
    return replace(q, responsibilities=normalise(data.mixture.expected_log_joint(best.parameters))[0])


def _shortlisted(rows: Any, draws: Array, runs: list[Run[Any]]) -> list[Any]:
    """Return the q of those runs on start rows that may be the best on all rows, the best first.

    They are compared by their terms log Σ_k exp ρ_ik. ``draws`` (m,) says how many independent draws each row counts
    as (:meth:`em.samples.sketch.Sketch.balanced`), because the standard error of the average depends on that.
    """
    best = max(runs, key=lambda run: run.objective)
    going_on = may_win(runs, best, lambda run: normalise(rows.expected_log_joint(run.parameters))[1], draws)
    return [run.parameters for run in going_on]


def _check_init(init: ArrayLike, n: int, K: int) -> Array:
    try:
        if np.shape(init) == (n, K):
            return check_responsibilities(init, n)
        given = f", got {np.shape(init)}"
    except ValueError as error:
        given = f": {error}"
    raise ValueError(f"init must be responsibilities of shape {(n, K)}{given}")
