"""The Bernoulli and binomial mixtures as PyMC models: with the latent label z, and with z summed out."""

from collections.abc import Mapping
from typing import Any, override

import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike

from models.bmm.counts import count_matrix, is_bernoulli
from models.bmm.parameters import QUANTITIES
from models.bmm.prior import BMMPrior
from models.story import Distribution, Story, Theta, log_factorial, mixture_model
from models.validation import Array


class BinomialStory(Story):
    """x_d ~ Binomial(m_d, p_kd), which is Bernoulli when m = 1, with Beta priors."""

    quantities, prior_types = QUANTITIES, (BMMPrior,)

    @override
    def data(self, X: ArrayLike, size: ArrayLike) -> tuple[Array, Array]:
        return count_matrix(X, size)

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


def build_model(X: ArrayLike, n_components: int, prior: BMMPrior | None, n_trials: ArrayLike = 1) -> pm.Model:
    """Build the generative story as it is told: a label for each sample, then its features given the label.

    ::

        z_i ~ Categorical(π),    x_id | z_i ~ Binomial(m_id, p_{z_i d})    (Bernoulli when m = 1)

    Parameters
    ----------
    X : array_like, shape (n, D)
        Observed counts of successes.
    n_components : int
        Number of components K.
    prior : BMMPrior or None
        Prior of weights and probs; ``None`` makes them flat, for maximum likelihood only.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials m of each cell.

    Returns
    -------
    pymc.Model
        Random variables ``weights`` (component), ``probs`` (component, feature), ``z`` (obs) and the observed ``x``
        (obs, feature).

    Raises
    ------
    ValueError
        If X does not hold whole numbers from 0 to ``n_trials``, or the prior is no BMMPrior for K and D.

    Examples
    --------
    >>> import numpy as np
    >>> from models.bmm import BMMPrior, build_model
    >>> model = build_model(np.eye(4), n_components=2, prior=BMMPrior())
    >>> sorted(model.named_vars)
    ['probs', 'weights', 'x', 'z']
    """
    return mixture_model(BINOMIAL, X, n_components, prior, n_trials, marginal=False)


def build_marginal_model(X: ArrayLike, n_components: int, prior: BMMPrior | None, n_trials: ArrayLike = 1) -> pm.Model:
    """Build the same model with z summed out, which is what NUTS, `find_MAP` and LOO work on.

    ::

        log p(x_i | θ) = logsumexp_k { log π_k + Σ_d log Binomial(x_id | m_id, p_kd) }

    Parameters
    ----------
    X, n_components, prior, n_trials
        As in :func:`build_model`.

    Returns
    -------
    pymc.Model
        Random variables ``weights``, ``probs`` and the observed ``x``, whose log density has one value per sample (LOO
        needs that) and whose forward draws serve prior and posterior predictive checks.

    Raises
    ------
    ValueError
        As in :func:`build_model`.

    Examples
    --------
    >>> import numpy as np
    >>> from models.bmm import BMMPrior, build_marginal_model
    >>> model = build_marginal_model(np.eye(4), n_components=2, prior=BMMPrior())
    >>> sorted(model.named_vars)
    ['probs', 'weights', 'x']
    """
    return mixture_model(BINOMIAL, X, n_components, prior, n_trials, marginal=True)
