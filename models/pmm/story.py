"""The Poisson mixture as PyMC models: with the latent label z, and with z summed out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from models.pmm.prior import PMMPrior
from models.story import Distribution, ExponentialStory, Theta, log_factorial
from models.validation import Array


class PoissonStory(ExponentialStory):
    """x_d ~ Poisson(e_d λ_kd), with Gamma priors."""

    prior_types = (PMMPrior,)

    def declare(self, prior: PMMPrior, like: Mapping[str, dict[str, Any]]) -> None:
        """λ_kd ~ Gamma(b_d, rate c_d)."""
        pm.Gamma("rates", alpha=prior.shape, beta=prior.rate, **like["rates"])

    def given_label(self, own: Theta, size: Array) -> Distribution:
        """x_d ~ Poisson(e_d λ_d)."""
        return pm.Poisson, {"mu": size * own["rates"]}

    def natural(self, theta: Theta) -> tuple[Any, ...]:
        """η = (log λ, -λ)."""
        return pt.log(theta["rates"]), -theta["rates"]

    def statistics(self, x: Any, size: Array) -> tuple[Any, ...]:
        """T = (x, e)."""
        return x, size

    def log_base(self, x: Any, size: Array) -> Any:
        """Return log h = x log e - log x!, and 0 where a cell is missing."""
        return x * np.log(np.where(size > 0, size, 1.0)) - log_factorial(x)


POISSON = PoissonStory()
build_model, build_marginal_model = POISSON.build_model, POISSON.build_marginal_model
