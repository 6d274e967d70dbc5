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

import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from em import bmm_conjugate, gmm_conjugate
from em.bmm import CountStatistics, log_choose, patterns
from em.bmm import sufficient_statistics as sufficient_counts
from em.bmm_conjugate import CountPosterior
from em.bound import check_responsibilities, normalise
from em.dirichlet import mean_log_weights
from em.engine import Problem, run_em, sum_over_blocks
from em.estimator import TYPICAL_RUN
from em.fused import gaussian_pass
from em.gibbs import family_of_prior, one_hot, start_labels
from em.gmm import GaussianStatistics, log_joint, sufficient_statistics
from em.gmm_conjugate import SQUARES, GaussianPosterior
from em.status import NotConvergedWarning
from models.bmm import BMMPrior
from models.bmm.counts import common_trials
from models.gmm import GMMParameters, GMMPrior
from models.gmm.structures import covariances_shape
from models.one_line import one_line
from models.validation import Array, count_at_least_one, data_matrix, number_above


@dataclass(frozen=True, eq=False)
class VariationalPosterior:
    """The factor q(θ), and how it was found.

    Attributes
    ----------
    distribution : GaussianPosterior or CountPosterior
        q(θ): a Dirichlet times what is conjugate to the samples.
    mean, standard_deviation : dict of ndarray
        Of each parameter under q, by name; NaN where it does not exist.
    responsibilities : ndarray, shape (n, K)
        q(z_i = k).
    elbo : float
        Evidence lower bound, in nats.
    history : ndarray, shape (n_iter + 1,)
        ELBO at the start and after each iteration of the best restart; it never decreases.
    converged : bool
        Whether the best restart did.
    status : str
        The same as a sentence.
    """

    distribution: GaussianPosterior | CountPosterior
    responsibilities: Array
    elbo: float
    history: Array
    converged: bool
    status: str
    _family: Any = field(repr=False)

    __repr__ = one_line

    @property
    def mean(self) -> dict[str, Array]:
        """Mean of each parameter by name."""
        return self.distribution.mean()

    @property
    def standard_deviation(self) -> dict[str, Array]:
        """Standard deviation of each parameter by name."""
        return self.distribution.standard_deviation()

    def predict_proba(self, X: ArrayLike, n_trials: ArrayLike | None = None) -> Array:
        """Return q(z = k) of samples, shape (n, K): one more E-step.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        n_trials : int or array_like, shape (D,) or (n, D), or None
            Number of trials of each cell, for counts; ``None``: as in the samples fitted, where all rows had the same.
        """
        fitted, X = self._family, data_matrix(X, missing=True)
        if X.shape[1] != (D := fitted.X.shape[1]):
            raise ValueError(f"X must have {D} columns like the samples fitted, got {X.shape[1]}")
        if n_trials is None:
            n_trials = common_trials(fitted.trials) if isinstance(fitted, _Counts) else 1
        family = family_of_prior(X, fitted.prior, n_trials, _Gaussian, _Counts)
        return normalise(family.expected_log_joint(self.distribution))[0]

    def draw(self, n_draws: int, random_state: Any = None) -> dict[str, Array]:
        """Return independent draws of the parameters from q, shapes (n_draws, ...) by name.

        Parameters
        ----------
        n_draws : int
            Number of draws.
        random_state : int, RandomState or None
            Seed or source of randomness.
        """
        rng, n = check_random_state(random_state), count_at_least_one("n_draws", n_draws)
        copies = {name: np.broadcast_to(a, (n, *a.shape)) for name, a in self.distribution.arrays().items()}
        return replace(self.distribution, **copies).draw(rng)  # type: ignore[arg-type]


def variational(
    X: ArrayLike,
    n_components: int,
    prior: GMMPrior | BMMPrior,
    *,
    n_trials: ArrayLike = 1,
    n_init: int = 10,
    init: ArrayLike | None = None,
    tol: float = 1e-8,
    max_iter: int = 10_000,
    random_state: Any = None,
) -> VariationalPosterior:
    """Approximate the posterior by q(z) q(θ).

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples. A missing count (NaN) is legal; a missing Gaussian cell is not.
    n_components : int
        Number of components K, or the most there may be where the concentration is below 1.
    prior : GMMPrior or BMMPrior
        A conjugate prior; it says which family, and of which covariance structure.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials of each cell, for counts.
    n_init : int
        Number of restarts, each from labels by k-means++; the one of the highest ELBO is kept. They begin with K
        clusters, and where the concentration is below (M + 1) / 2 with fewer and fewer, down to 1.
    init : array_like, shape (n, K), or None
        Responsibilities of one start, instead.
    tol : float
        Bound on the gain still to come, in nats of the whole ELBO.
    max_iter : int
        Largest number of iterations of each restart.
    random_state : int, RandomState or None
        Seed or source of randomness of the restarts.

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
    family = family_of_prior(X, prior, n_trials, _Gaussian, _Counts)
    family.check_fits(K)
    n = len(family.X)
    for name, value in {"n_init": n_init, "max_iter": max_iter}.items():
        count_at_least_one(name, value)
    number_above("tol", tol, 0, inclusive=True)
    if init is None:
        rng = check_random_state(random_state)
        fewest = 1 if np.max(prior.concentration) < (family.n_component_parameters + 1) / 2 else K
        clusters = np.linspace(K, fewest, n_init).round().astype(int)
        starts = [one_hot(start_labels(family.X, k, rng), K) for k in clusters]
    else:
        starts = [_check_init(init, n, K)]
    problem = family.problem(K, len(starts) * min(max_iter, TYPICAL_RUN))
    runs = [run_em(problem, family.m_step(r), tol=tol, max_iter=max_iter) for r in starts]
    best = max(runs, key=lambda run: run.objective)
    status = f"{best.status}; best of {len(runs)} restart(s)"
    if not best.converged:
        warnings.warn(status, NotConvergedWarning, stacklevel=2)
    responsibilities = normalise(family.expected_log_joint(best.parameters))[0]
    found = (best.parameters, responsibilities, best.objective, best.history, best.converged, status, family)
    return VariationalPosterior(*found)


@dataclass(frozen=True)
class _Gaussian:
    """Gaussian samples X (n, D) and their prior."""

    X: Array
    prior: GMMPrior

    def check_fits(self, K: int) -> None:
        self.prior.check_fits(K, self.X.shape[1], self.prior.covariance_type)

    @property
    def n_component_parameters(self) -> int:
        """M: of the mean, and of the covariance unless it is shared."""
        D = self.X.shape[1]
        return D + {"full": D * (D + 1) // 2, "tied": 0, "diag": D, "spherical": 1}[self.prior.covariance_type]

    def plug_in(self, q: GaussianPosterior) -> tuple[GMMParameters, float]:
        """Return parameters with weights ω / Σω, at which EM's E-step is that of q, and log Σω."""
        log_omega = mean_log_weights(q.concentration) + q.log_det_gap() - q.n_features / (2 * q.mean_precision)
        log_total = np.logaddexp.reduce(log_omega)
        weights = np.exp(log_omega - log_total)
        parameters = GMMParameters(weights, q.location, q.harmonic_covariances(), q.covariance_type)
        return parameters, float(log_total)

    def expected_log_joint(self, q: GaussianPosterior) -> Array:
        """Return ρ, shape (n, K)."""
        parameters, log_total = self.plug_in(q)
        return log_joint(self.X, parameters) + log_total

    def m_step(self, responsibilities: Array) -> GaussianPosterior:
        counts = responsibilities.sum(axis=0)
        centers = responsibilities.T @ self.X / np.where(counts > 0, counts, 1.0)[:, None]
        return self._update(sufficient_statistics(self.X, responsibilities, centers, self.prior.covariance_type))

    def _update(self, statistics: GaussianStatistics) -> GaussianPosterior:
        N, kind = statistics.counts, statistics.covariance_type
        shift = statistics.first / np.where(N > 0, N, 1.0)[:, None]
        scatter = statistics.second - np.einsum(SQUARES[kind], N, shift, shift)
        return gmm_conjugate.conjugate_posterior(self.prior, N, statistics.centers + shift, scatter)

    def problem(self, K: int, n_passes: int) -> Problem[GaussianPosterior, GaussianStatistics]:
        """Return E-step, M-step and -KL(q || prior); steps are measured in units of n and the columns' deviations."""
        (n, D), kind = self.X.shape, self.prior.covariance_type
        empty = np.zeros(covariances_shape(kind, K, D))
        before = gmm_conjugate.conjugate_posterior(self.prior, np.zeros(K), np.zeros((K, D)), empty)

        def expect(q: GaussianPosterior) -> tuple[float, GaussianStatistics]:
            parameters, log_total = self.plug_in(q)
            log_likelihood, statistics = gaussian_pass(self.X, parameters, n_passes=n_passes)
            return log_likelihood + n * log_total, statistics

        deviation = np.where(np.ptp(self.X, axis=0) > 0, self.X.std(axis=0), 1.0)
        variances = {"diag": deviation**2, "spherical": np.mean(deviation**2, keepdims=True)}
        units: dict[str, Array | float] = dict.fromkeys(("concentration", "mean_precision", "degrees_of_freedom"), n)
        units["location"] = np.maximum(np.abs(self.X.mean(axis=0)), deviation)
        units["scale"] = n * variances.get(kind, np.outer(deviation, deviation))
        return Problem(expect, self._update, lambda q: -q.divergence(before), units)


@dataclass(frozen=True)
class _Counts:
    """Counts X (n, D) of so many trials, and their prior."""

    X: Array
    trials: Array
    prior: BMMPrior

    def check_fits(self, K: int) -> None:
        self.prior.check_fits(K, self.X.shape[1])

    @property
    def n_component_parameters(self) -> int:
        """M: one probability for each feature."""
        return self.X.shape[1]

    def expected_log_joint(self, q: CountPosterior) -> Array:
        """Return ρ, shape (n, K)."""
        return _expected_kernel(self.X, self.trials, q) + log_choose(self.X, self.trials)[:, None]

    def m_step(self, responsibilities: Array) -> CountPosterior:
        return self._update(sufficient_counts(self.X, self.trials, responsibilities))

    def _update(self, statistics: CountStatistics) -> CountPosterior:
        return bmm_conjugate.conjugate_posterior(self.prior, statistics.counts, statistics.successes, statistics.trials)

    def problem(self, K: int, n_passes: int) -> Problem[CountPosterior, CountStatistics]:
        """Return E-step (over distinct rows), M-step and -KL(q || prior); steps are measured in units of n."""
        n, D = self.X.shape
        before = bmm_conjugate.conjugate_posterior(self.prior, np.zeros(K), np.zeros((K, D)), np.zeros((K, D)))
        X, trials, frequencies = patterns(self.X, self.trials)
        constant = float(log_choose(X, trials) @ frequencies)

        def expect(q: CountPosterior) -> tuple[float, CountStatistics]:
            def block(rows: slice) -> tuple[float, CountStatistics]:
                r, log_prob = normalise(_expected_kernel(X[rows], trials[rows], q))
                statistics = sufficient_counts(X[rows], trials[rows], r * frequencies[rows, None])
                return float(log_prob @ frequencies[rows]), statistics

            log_likelihood, statistics = sum_over_blocks(len(X), block)
            return log_likelihood + constant, statistics

        units = dict.fromkeys(("concentration", "successes", "failures"), float(n))
        return Problem(expect, self._update, lambda q: -q.divergence(before), units)


def _expected_kernel(X: Array, trials: Array, q: CountPosterior) -> Array:
    """Return E[log π_k] + Σ_d x E[log p_kd] + (m - x) E[log(1 - p_kd)], shape (n, K)."""
    log_success, log_failure = q.mean_log_probs()
    return mean_log_weights(q.concentration) + X @ log_success.T + (trials - X) @ log_failure.T


def _check_init(init: ArrayLike, n: int, K: int) -> Array:
    try:
        r = check_responsibilities(init, n)
    except ValueError as error:
        raise ValueError(f"init must be responsibilities of shape {(n, K)}: {error}") from None
    if r.shape != (n, K):
        raise ValueError(f"init must be responsibilities of shape {(n, K)}, got {r.shape}")
    return r
