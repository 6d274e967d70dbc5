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

With a concentration well below 1, components that the data do not need are emptied: q(π) leaves them E[π_k] = a / (n +
K a). Mean field knows nothing of the dependence between labels and parameters, nor of other modes, label switching
included; its standard deviations are too small where clusters overlap.

References
----------
Bishop (2006), Pattern Recognition and Machine Learning, Springer, section 10.2.
Corduneanu & Bishop (2001), Variational Bayesian model selection for mixture distributions, AISTATS, 27-34.
"""

import warnings
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln
from sklearn.utils import check_random_state

from em import bmm_conjugate, gmm_conjugate
from em.bmm import CountStatistics, patterns
from em.bmm import sufficient_statistics as sufficient_counts
from em.bmm_conjugate import CountPosterior
from em.bound import check_responsibilities, normalise
from em.dirichlet import mean_log_weights
from em.engine import Problem, Run, run_em, sum_over_blocks
from em.fused import expected_passes, gaussian_pass
from em.gibbs import one_hot, start_labels
from em.gmm import GaussianStatistics, log_joint, sufficient_statistics
from em.gmm_conjugate import SQUARES, GaussianPosterior
from em.status import NotConvergedWarning
from models.bmm import BMMPrior
from models.bmm.counts import count_matrix
from models.gmm import GMMParameters, GMMPrior
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
    _family: "_Gaussian | _Counts" = field(repr=False)

    @property
    def mean(self) -> dict[str, Array]:
        """Mean of each parameter by name."""
        return self.distribution.mean()

    @property
    def standard_deviation(self) -> dict[str, Array]:
        """Standard deviation of each parameter by name."""
        return self.distribution.standard_deviation()

    def predict_proba(self, X: ArrayLike, n_trials: ArrayLike = 1) -> Array:
        """Return q(z = k) of samples, shape (n, K): one more E-step.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        n_trials : int or array_like, shape (D,) or (n, D)
            Number of trials of each cell, for counts.
        """
        family = _family(X, self._family.prior, n_trials)
        family.check_fits(*self.distribution.shape)
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
        return replace(self.distribution, **copies).draw(rng)
