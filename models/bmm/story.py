"""The Bernoulli and binomial mixtures as PyMC models: with the latent label z, and with z summed out."""

from collections.abc import Mapping
from typing import Any, override

import pymc as pm
import pytensor.tensor as pt

from models.bmm.parameters import QUANTITIES, SUCCESSES, is_bernoulli
from models.bmm.prior import BMMPrior
from models.story import Distribution, Story, Theta, log_factorial
from models.validation import Array


class BinomialStory(Story):
    """x_d ~ Binomial(m_d, p_kd), which is Bernoulli when m = 1, with Beta priors."""

    quantities, prior_types, cells = QUANTITIES, (BMMPrior,), SUCCESSES

    @override
    def declare(self, prior: BMMPrior, like: Mapping[str, dict[str, Any]]) -> None:
        pm.Beta("probs", alpha=prior.successes, beta=prior.failures, **like["probs"])

    @override
    def given_label(self, own: Theta, size: Array) -> Distribution:
        if is_bernoulli(size):
            return pm.Bernoulli, {"p": own["probs"]}
        return pm.Binomial, {"n": size.astype(int), "p": own["probs"]}

    @override
    def natural(self, theta: Theta) -> tuple[Any, ...]:
        return pt.log(theta["probs"]), pt.log1p(-theta["probs"])

    @override
    def statistics(self, x: Any, size: Array) -> tuple[Any, ...]:
        return x, size - x

    @override
    def log_base(self, x: Any, size: Array) -> Any:
        return log_factorial(size) - log_factorial(x) - log_factorial(size - x)


BINOMIAL = BinomialStory()
build_model, build_marginal_model = BINOMIAL.build_model, BINOMIAL.build_marginal_model
