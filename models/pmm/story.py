"""The Poisson mixture as PyMC models: with the latent label z, and with z summed out."""

from collections.abc import Mapping
from typing import Any, override

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from models.pmm.parameters import EVENTS, QUANTITIES
from models.pmm.prior import PMMPrior
from models.story import Distribution, Story, Theta, log_factorial
from models.validation import Array


class PoissonStory(Story):
    """x_d ~ Poisson(e_d λ_kd), with Gamma priors."""

    quantities, prior_types, cells = QUANTITIES, (PMMPrior,), EVENTS

    @override
    def declare(self, prior: PMMPrior, like: Mapping[str, dict[str, Any]]) -> None:
        pm.Gamma("rates", alpha=prior.shape, beta=prior.rate, **like["rates"])

    @override
    def given_label(self, own: Theta, size: Array) -> Distribution:
        return pm.Poisson, {"mu": size * own["rates"]}

    @override
    def natural(self, theta: Theta) -> tuple[Any, ...]:
        return pt.log(theta["rates"]), -theta["rates"]

    @override
    def statistics(self, x: Any, size: Array) -> tuple[Any, ...]:
        return x, size

    @override
    def log_base(self, x: Any, size: Array) -> Any:
        return x * np.log(np.where(size > 0, size, 1.0)) - log_factorial(x)


POISSON = PoissonStory()
build_model, build_marginal_model = POISSON.build_model, POISSON.build_marginal_model
