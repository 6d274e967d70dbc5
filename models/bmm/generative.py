"""The Bernoulli and binomial mixtures as PyMC models: with the latent label z, and with z summed out."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike
from pytensor.tensor.variable import TensorConstant

from models.bmm.counts import count_matrix, is_bernoulli
from models.bmm.patterns import distinct_rows
from models.bmm.prior import BMMPrior
from models.flat import FlatProbability, FlatSimplex, flat
from models.mixture_likelihood import LOG_ZERO, MixtureLogProb
from models.validation import Array, count_at_least_one


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
    X, trials = count_matrix(X, n_trials)
    with pm.Model(coords=_coords(X, n_components)) as model:
        weights, probs = _declare_parameters(X, n_components, prior)
        z = pm.Categorical("z", p=weights, dims="obs")
        observed = {"observed": X.astype(int), "dims": ("obs", "feature")}
        if is_bernoulli(trials):
            pm.Bernoulli("x", p=probs[z], **observed)
        else:
            pm.Binomial("x", n=trials.astype(int), p=probs[z], **observed)
    return model


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
    X, trials = count_matrix(X, n_trials)

    def draw_sample(weights: Any, probs: Any, size: Any) -> Any:
        z = pm.Categorical.dist(weights, size=size)
        return pm.Binomial.dist(n=trials.astype(int), p=probs[z])

    def log_mixture(x: Any, weights: Any, probs: Any) -> Any:
        return _log_mixture(x, trials, weights, probs)

    with pm.Model(coords=_coords(X, n_components)) as model:
        pm.CustomDist(
            "x",
            *_declare_parameters(X, n_components, prior),
            dist=draw_sample,
            logp=log_mixture,
            signature="(k),(k,d)->(d)",
            dtype="int64",
            observed=X.astype(int),
            dims=("obs", "feature"),
        )
    return model


def _coords(X: Array, n_components: int) -> dict[str, range]:
    n, D = X.shape
    return {"obs": range(n), "component": range(count_at_least_one("n_components", n_components)), "feature": range(D)}


def _declare_parameters(X: Array, n_components: int, prior: BMMPrior | None) -> tuple[Any, Any]:
    """Declare weights and probs in the current model."""
    K, D = n_components, X.shape[1]
    if prior is None:
        weights = flat("weights", np.full(K, 1 / K), FlatSimplex(), ("component",))
        return weights, flat("probs", np.full((K, D), 0.5), FlatProbability(), ("component", "feature"))
    if not isinstance(prior, BMMPrior):
        raise ValueError(f"prior must be None or a BMMPrior, got {type(prior).__name__}")
    prior.check_fits(K, D)
    weights = pm.Dirichlet("weights", a=np.array(np.broadcast_to(prior.concentration, K)), dims="component")
    probs = pm.Beta(
        "probs",
        alpha=np.asarray(prior.successes),
        beta=np.asarray(prior.failures),
        shape=(K, D),
        dims=("component", "feature"),
    )
    return weights, probs


def _log_mixture(x: Any, trials: Array, weights: Any, probs: Any) -> Any:
    """Log p(x_i | θ), shape (n,): one matrix product, over the distinct rows if x is the data."""
    which: list[np.ndarray] = []
    if isinstance(x, TensorConstant) and x.data.shape == trials.shape:
        x, trials, *which = distinct_rows(x.data.astype(np.float64), trials)
    log_choose = (pt.gammaln(trials + 1) - pt.gammaln(x + 1) - pt.gammaln(trials - x + 1)).sum(axis=-1)
    log_success = pt.switch(pt.eq(probs, 0), LOG_ZERO, pt.log(probs))
    log_failure = pt.switch(pt.eq(probs, 1), LOG_ZERO, pt.log1p(-probs))
    log_weights = pt.maximum(pt.log(weights), LOG_ZERO)[:, None]
    natural = pt.concatenate([log_weights, log_success, log_failure], axis=1)  # (K, 1 + 2 D)
    statistics = pt.concatenate([np.ones((len(trials), 1)), x, trials - x], axis=1).T
    return MixtureLogProb()(natural, statistics, log_choose, *which)
