"""Families whose components have a rate for each feature, with Gamma priors.

::

η = (log λ, -λ),    λ_kd ~ Gamma(a, rate b):  χ = (a - 1, b),    A = log Γ(a) - a log b,    mode (a - 1) / b
"""

import numpy as np
from scipy.special import digamma, gammaln

from em.bound import log_of
from em.steps import Steps
from em.steps.rows import Parts, Theta
from models.parameters import Parameters
from models.validation import Array

TINY = float(np.finfo(np.float64).tiny)


class GammaSteps[P: Parameters](Steps[P]):
    """Formulas of Gamma priors. A family adds its statistics T = (T_1, T_2) and their expectations."""

    hyper_offsets = 1.0, 0.0

    def natural(self, theta: Theta) -> Parts:
        """η = (log λ, -λ)."""
        rates = theta[self.own]
        return log_of(rates), -rates

    def slopes(self, theta: Theta) -> tuple[tuple[Array, Array], ...]:
        """Return η' and η'' for η = log λ and η = -λ."""
        rates = theta[self.own]
        return (1 / rates, -1 / rates**2), (-np.ones_like(rates), np.zeros_like(rates))

    def mode(self, chi: Parts, of_prior: Parts) -> dict[str, Array]:
        """(a - 1) / b."""
        events, exposure = chi
        return {self.own: np.maximum(events / exposure, np.where(of_prior[0] > 0, TINY, 0.0))}

    def moments(self, hyper: Parts) -> tuple[dict[str, Array], dict[str, Array]]:
        """Mean a / b, variance a / b²."""
        a, b = hyper
        return {self.own: a / b}, {self.own: a / b**2}

    def draw(self, hyper: Parts, rng: np.random.RandomState) -> dict[str, Array]:
        """λ_kd ~ Gamma(a, rate b)."""
        a, b = hyper
        return {self.own: np.maximum(rng.standard_gamma(a) / b, TINY)}

    def log_normaliser(self, hyper: Parts) -> Array:
        """A = Σ_d {log Γ(a_d) - a_d log b_d}."""
        a, b = hyper
        return np.asarray((gammaln(a) - a * np.log(b)).sum(axis=-1))

    def mean_natural(self, hyper: Parts) -> Parts:
        """E[log λ] = digamma(a) - log b, E[-λ] = -a / b."""
        a, b = hyper
        return digamma(a) - np.log(b), -a / b
