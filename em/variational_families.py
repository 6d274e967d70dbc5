"""The two steps of mean-field variational inference for each family; the formulas are in :mod:`em.variational`."""

from dataclasses import dataclass

import numpy as np

from em.bmm import CountStatistics, log_choose, patterns
from em.bmm import conjugate as bmm_conjugate
from em.bmm import sufficient_statistics as sufficient_counts
from em.bmm.conjugate import CountPosterior
from em.bound import normalise
from em.dirichlet import mean_log_weights
from em.engine import Problem, log_prior_size, sum_over_blocks
from em.fast.passes import gaussian_pass
from em.gmm import GaussianStatistics, log_joint, sufficient_statistics
from em.gmm import conjugate as gmm_conjugate
from em.gmm.conjugate import SQUARES, GaussianPosterior
from models.bmm import BMMPrior
from models.gmm import GMMParameters, GMMPrior
from models.gmm.structures import covariances_shape
from models.validation import Array


@dataclass(frozen=True)
class VariationalGaussian:
    """Gaussian samples X (n, D) and their prior."""

    X: Array
    prior: GMMPrior

    def check_fits(self, K: int) -> None:
        """Raise a ValueError unless the prior is one for K components and these features."""
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
        """Return q(θ), the conjugate posterior under responsibilities (n, K)."""
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
        size = log_prior_size(self.prior, K, D)
        return Problem(expect, self._update, lambda q: -q.divergence(before), units, None, float(n), size)


@dataclass(frozen=True)
class VariationalCounts:
    """Counts X (n, D) of so many trials, and their prior."""

    X: Array
    trials: Array
    prior: BMMPrior

    def check_fits(self, K: int) -> None:
        """Raise a ValueError unless the prior is one for K components and these features."""
        self.prior.check_fits(K, self.X.shape[1])

    @property
    def n_component_parameters(self) -> int:
        """M: one probability for each feature."""
        return self.X.shape[1]

    def expected_log_joint(self, q: CountPosterior) -> Array:
        """Return ρ, shape (n, K)."""
        return _expected_kernel(self.X, self.trials, q) + log_choose(self.X, self.trials)[:, None]

    def m_step(self, responsibilities: Array) -> CountPosterior:
        """Return q(θ), the conjugate posterior under responsibilities (n, K)."""
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
        size = log_prior_size(self.prior, K, D)
        return Problem(expect, self._update, lambda q: -q.divergence(before), units, None, float(n), size)


def _expected_kernel(X: Array, trials: Array, q: CountPosterior) -> Array:
    """Return E[log π_k] + Σ_d x E[log p_kd] + (m - x) E[log(1 - p_kd)], shape (n, K)."""
    log_success, log_failure = q.mean_log_probs()
    return mean_log_weights(q.concentration) + X @ log_success.T + (trials - X) @ log_failure.T
