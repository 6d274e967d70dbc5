"""The conjugate posterior of a Bernoulli or binomial mixture's parameters, once it is known who belongs where.

Labels one-hot it is what Gibbs sampling draws from (:mod:`em.gibbs`); with responsibilities it is a factor of mean
field (:mod:`em.variational`)::

    π ~ Dirichlet(a + N),    p_kd ~ Beta(b_d + Σ_i r_ik x_id, c_d + Σ_i r_ik (m_id - x_id)),    N_k = Σ_i r_ik

Every array may have leading axes, such as one for chains, which "..." stands for below.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, digamma

from em.dirichlet import dirichlet_divergence, draw_weights, mean_weights, sd_weights
from models.bmm import BMMPrior
from models.one_line import one_line
from models.validation import Array

INSIDE = 1e-300, 1 - 2.0**-53  # a draw that rounds to 0 or 1 could never be left


@dataclass(frozen=True)
class CountPosterior:
    """Dirichlet times beta distributions.

    Attributes
    ----------
    concentration : ndarray, shape (..., K)
        a_k of the Dirichlet.
    successes, failures : ndarray, shape (..., K, D)
        b_kd and c_kd of the beta distributions.
    """

    concentration: Array
    successes: Array
    failures: Array

    __repr__ = one_line

    def arrays(self) -> dict[str, Array]:
        """Return the numbers that define it, by name."""
        return {"concentration": self.concentration, "successes": self.successes, "failures": self.failures}

    def draw(self, rng: np.random.RandomState) -> dict[str, Array]:
        """Draw weights and probs; one draw for each entry of the leading axes."""
        weights = draw_weights(self.concentration, rng)
        return {"weights": weights, "probs": np.clip(rng.beta(self.successes, self.failures), *INSIDE)}

    def mean(self) -> dict[str, Array]:
        """Return the mean of each parameter by name."""
        probs = self.successes / (self.successes + self.failures)
        return {"weights": mean_weights(self.concentration), "probs": probs}

    def standard_deviation(self) -> dict[str, Array]:
        """Return the standard deviation of each parameter by name; var(p) = p̄ (1 - p̄) / (b + c + 1)."""
        mean = self.mean()["probs"]
        probs = np.sqrt(mean * (1 - mean) / (self.successes + self.failures + 1))
        return {"weights": sd_weights(self.concentration), "probs": probs}

    def mean_log_probs(self) -> tuple[Array, Array]:
        """Return E[log p] = digamma(b) - digamma(b + c), and E[log(1 - p)] with c for b."""
        total = digamma(self.successes + self.failures)
        return digamma(self.successes) - total, digamma(self.failures) - total

    def divergence(self, prior: "CountPosterior") -> float:
        """Return KL(self || prior) in nats, of two without leading axes.

        That of the weights, plus Σ_kd log B(b0, c0) - log B(b, c) + (b - b0) E[log p] + (c - c0) E[log(1 - p)].
        """
        b, c, b0, c0 = self.successes, self.failures, prior.successes, prior.failures
        log_success, log_failure = self.mean_log_probs()
        probs = betaln(b0, c0) - betaln(b, c) + (b - b0) * log_success + (c - c0) * log_failure
        return dirichlet_divergence(self.concentration, prior.concentration) + float(probs.sum())


def conjugate_posterior(prior: BMMPrior, counts: Array, successes: Array, trials: Array) -> CountPosterior:
    """Return the posterior given who belongs where; given no sample (zeros) it is the prior itself.

    Parameters
    ----------
    prior : BMMPrior
        The conjugate prior.
    counts : ndarray, shape (..., K)
        N_k.
    successes, trials : ndarray, shape (..., K, D)
        Σ_i r_ik x_id and Σ_i r_ik m_id.

    Examples
    --------
    >>> import numpy as np
    >>> from em.bmm.conjugate import conjugate_posterior
    >>> from models.bmm import BMMPrior
    >>> conjugate_posterior(BMMPrior(), np.array([6.0]), np.array([[4.0]]), np.array([[6.0]])).mean()["probs"]
    array([[0.6]])
    """
    concentration = np.broadcast_to(prior.concentration, counts.shape[-1]) + counts
    failures = np.maximum(trials - successes, 0.0)  # rounding must not make them negative
    return CountPosterior(concentration, prior.successes + successes, prior.failures + failures)
