"""Families whose components have a probability for each feature, with Beta priors.

::

η = (log p, log(1 - p)),    p_kd ~ Beta(b, c):  χ = (b - 1, c - 1),    A = log B(b, c),    mode (b - 1) / (b + c - 2)
"""

import numpy as np
from scipy.special import betaln, digamma

from em.steps import Steps
from em.steps.rows import Parts, Theta
from models.parameters import Parameters
from models.validation import Array

TINY, BELOW_ONE = float(np.finfo(np.float64).tiny), float(np.nextafter(1.0, 0.0))
INSIDE = 1e-300, 1 - 2.0**-53


class BetaSteps[P: Parameters](Steps[P]):
    """Formulas of Beta priors. A family adds its statistics T = (T_1, T_2) and their expectations."""

    hyper_offsets = 1.0, 1.0

    def natural(self, theta: Theta) -> Parts:
        """η = (log p, log(1 - p))."""
        p = theta[self.own]
        with np.errstate(divide="ignore"):
            return np.log(p), np.log1p(-p)

    def slopes(self, theta: Theta) -> tuple[tuple[Array, Array], ...]:
        """Return η' and η'' for η = log p and η = log(1 - p)."""
        p = theta[self.own]
        return (1 / p, -1 / p**2), (-1 / (1 - p), -1 / (1 - p) ** 2)

    def mode(self, chi: Parts, of_prior: Parts) -> dict[str, Array]:
        """(b - 1) / (b + c - 2)."""
        (s, f), (b, c) = chi, of_prior
        p = s / (s + f)
        return {self.own: np.minimum(np.maximum(p, np.where(b > 0, TINY, 0.0)), np.where(c > 0, BELOW_ONE, 1.0))}

    def moments(self, hyper: Parts) -> tuple[dict[str, Array], dict[str, Array]]:
        """Mean b / (b + c), variance b c / ((b + c)² (b + c + 1))."""
        b, c = hyper
        return {self.own: b / (b + c)}, {self.own: b * c / ((b + c) ** 2 * (b + c + 1))}

    def draw(self, hyper: Parts, rng: np.random.RandomState) -> dict[str, Array]:
        """p_kd ~ Beta(b, c)."""
        return {self.own: np.clip(rng.beta(*hyper), *INSIDE)}

    def log_normaliser(self, hyper: Parts) -> Array:
        """A = Σ_d log B(b_d, c_d)."""
        return np.asarray(betaln(*hyper).sum(axis=-1))

    def mean_natural(self, hyper: Parts) -> Parts:
        """E[log p] = digamma(b) - digamma(b + c), E[log(1 - p)] = digamma(c) - digamma(b + c)."""
        b, c = hyper
        return digamma(b) - digamma(b + c), digamma(c) - digamma(b + c)
