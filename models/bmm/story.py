"""The Bernoulli and binomial mixtures as PyMC models: with the latent label z, and with z summed out."""

from collections.abc import Mapping
from typing import Any

import pymc as pm
import pytensor.tensor as pt

from models.bmm.prior import BMMPrior
from models.story import Distribution, ExponentialStory, Theta, log_factorial
from models.validation import Array


class BinomialStory(ExponentialStory):
    """x_d ~ Binomial(m_d, p_kd), which is Bernoulli when m = 1, with Beta priors."""

    prior_types = (BMMPrior,)

    def declare(self, prior: BMMPrior, like: Mapping[str, dict[str, Any]]) -> None:
        """p_kd ~ Beta(b_d, c_d)."""
        pm.Beta("probs", alpha=prior.successes, beta=prior.failures, **like["probs"])

    def given_label(self, own: Theta, size: Array) -> Distribution:
        """x_d ~ Binomial(m_d, p_d), or Bernoulli(p_d)."""
        if (size == 1).all():
            return pm.Bernoulli, {"p": own["probs"]}
        return pm.Binomial, {"n": size.astype(int), "p": own["probs"]}

    def natural(self, theta: Theta) -> tuple[Any, ...]:
        """η = (log p, log(1 - p))."""
        return pt.log(theta["probs"]), pt.log1p(-theta["probs"])

    def statistics(self, x: Any, size: Array) -> tuple[Any, ...]:
        """T = (x, m - x)."""
        return x, size - x

    def log_base(self, x: Any, size: Array) -> Any:
        """Return log h = log C(m, x)."""
        return log_factorial(size) - log_factorial(x) - log_factorial(size - x)


BINOMIAL = BinomialStory()
build_model, build_marginal_model = BINOMIAL.build_model, BINOMIAL.build_marginal_model
