"""EM's steps for the Poisson mixture, as pure functions that can be called and checked by hand.

The formulas are in :mod:`models.pmm`. The estimator in :mod:`em.pmm.estimator` iterates these steps. As an exponential
family (:mod:`em.steps`) with a Gamma prior (:mod:`em.steps.gamma`), the Poisson has::

    T = (x, e),    η = (log λ, -λ),    log h = Σ_d x_d log e_d - log x_d!
"""

from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy
from scipy.stats import poisson

from em.steps.gamma import GammaSteps
from em.steps.rows import Parts, Theta
from models.pmm import PMMParameters, PMMPrior
from models.validation import Array

IMPROBABLE = 1e-13


class PoissonSteps(GammaSteps[PMMParameters]):
    """x_d ~ Poisson(e_d λ_kd), with gamma priors."""

    prior_type = PMMPrior

    def statistics(self, X: Any, size: Any) -> tuple[Any, ...]:
        """T = (x, e)."""
        return X, size

    def log_base_of_cells(self, x: Array, size: Array) -> Array:
        """Return log h = x log e - log x!."""
        return np.asarray(xlogy(x, size) - gammaln(x + 1))

    def expected(self, theta: Theta, size: Array) -> tuple[Array, Parts]:
        """E[x] = e λ, E[T] = (e λ, e)."""
        events = size * theta["rates"]
        return events, (events, np.broadcast_to(size, events.shape))

    def values(self, theta: Theta, size: Array) -> list[range]:
        """Return the counts from 0 to one that is improbable even under the largest rate."""
        events = size * theta["rates"].max(axis=0)
        most = poisson.isf(IMPROBABLE, events)  # NaN if the mean is too large for SciPy
        return [range(int(one) + 1) for one in np.where(np.isnan(most), np.minimum(2 * events, 2**62), most)]


POISSON = PoissonSteps()
component_log_prob, log_joint = POISSON.component_log_prob, POISSON.log_joint
e_step, m_step = POISSON.e_step, POISSON.m_step
