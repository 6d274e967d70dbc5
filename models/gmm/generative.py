"""The Gaussian mixture as PyMC models: with the latent label z, and with z summed out."""

from functools import partial
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike
from pytensor.tensor.linalg import solve_triangular

from models.flat import FlatCovariance, FlatSimplex, flat
from models.gmm.prior import GMMPrior
from models.inverse_wishart import InverseWishart
from models.validation import Array, count_at_least_one, data_matrix

COVARIANCE_DIMS = ("component", "feature", "feature_bis")


def build_model(X: ArrayLike, n_components: int, prior: GMMPrior | None) -> pm.Model:
    """Build the generative story as it is told: a label for each sample, then the sample given its label.

    ::

        z_i ~ Categorical(π),    x_i | z_i ~ Normal(μ_{z_i}, Σ_{z_i})

    Parameters
    ----------
    X : array_like, shape (n, D)
        Observed samples.
    n_components : int
        Number of components K.
    prior : GMMPrior or None
        Prior of weights, means and covariances; ``None`` makes them flat, for maximum likelihood only.

    Returns
    -------
    pymc.Model
        Random variables ``weights`` (component), ``means`` (component, feature), ``covariances``
        (component, feature, feature_bis), ``z`` (obs) and the observed ``x`` (obs, feature).

    Raises
    ------
    ValueError
        If X is not a finite (n, D) matrix, or the prior is no GMMPrior for K and D.

    Examples
    --------
    >>> import numpy as np
    >>> from models.gmm import GMMPrior, build_model
    >>> X = np.random.default_rng(0).normal(size=(20, 2))
    >>> model = build_model(X, n_components=2, prior=GMMPrior.weakly_informative(X, n_components=2))
    >>> sorted(model.named_vars)
    ['covariances', 'means', 'weights', 'x', 'z']
    """
    X = data_matrix(X)
    with pm.Model(coords=_coords(X, n_components)) as model:
        weights, means, covariances = _declare_parameters(X, n_components, prior)
        z = pm.Categorical("z", p=weights, dims="obs")
        pm.MvNormal("x", mu=means[z], cov=covariances[z], observed=X, dims=("obs", "feature"))
    return model


def build_marginal_model(X: ArrayLike, n_components: int, prior: GMMPrior | None) -> pm.Model:
    """Build the same model with z summed out, which is what NUTS, `find_MAP` and LOO work on.

    ::

        log p(x_i | θ) = logsumexp_k { log π_k + log Normal(x_i | μ_k, Σ_k) }

    Parameters
    ----------
    X, n_components, prior
        As in :func:`build_model`.

    Returns
    -------
    pymc.Model
        Random variables ``weights``, ``means``, ``covariances`` and the observed ``x``, whose log density has one
        value per sample (LOO needs that) and whose forward draws serve prior and posterior predictive checks.

    Raises
    ------
    ValueError
        As in :func:`build_model`.

    Examples
    --------
    >>> import numpy as np
    >>> from models.gmm import GMMPrior, build_marginal_model
    >>> X = np.random.default_rng(0).normal(size=(20, 2))
    >>> model = build_marginal_model(X, n_components=2, prior=GMMPrior.weakly_informative(X, n_components=2))
    >>> sorted(model.named_vars)
    ['covariances', 'means', 'weights', 'x']
    """
    X = data_matrix(X)
    with pm.Model(coords=_coords(X, n_components)) as model:
        pm.CustomDist(
            "x",
            *_declare_parameters(X, n_components, prior),
            dist=_draw_sample,
            logp=partial(_log_mixture, origin=X.mean(axis=0)),
            signature="(k),(k,d),(k,d,e)->(d)",
            observed=X,
            dims=("obs", "feature"),
        )
    return model


def _coords(X: Array, n_components: int) -> dict[str, range]:
    K = count_at_least_one("n_components", n_components)
    n, D = X.shape
    return {"obs": range(n), "component": range(K), "feature": range(D), "feature_bis": range(D)}


def _declare_parameters(X: Array, n_components: int, prior: GMMPrior | None) -> tuple[Any, Any, Any]:
    """Declare weights, means and covariances in the current model."""
    K, D = n_components, X.shape[1]
    if prior is None:
        weights = flat("weights", np.full(K, 1 / K), FlatSimplex(), ("component",))
        means = flat("means", np.tile(X.mean(axis=0), (K, 1)), None, ("component", "feature"))
        start = np.tile(np.diag(np.maximum(X.var(axis=0), 1e-12)), (K, 1, 1))
        return weights, means, flat("covariances", start, FlatCovariance(D), COVARIANCE_DIMS)
    if not isinstance(prior, GMMPrior):
        raise ValueError(f"prior must be None or a GMMPrior, got {type(prior).__name__}")
    prior.check_fits(K, D)
    weights = pm.Dirichlet("weights", a=np.array(np.broadcast_to(prior.concentration, K)), dims="component")
    covariances = InverseWishart(
        "covariances", nu=prior.degrees_of_freedom, scale=prior.scale, shape=(K, D, D), dims=COVARIANCE_DIMS
    )
    means = pm.MvNormal(
        "means",
        mu=prior.mean,
        chol=pt.linalg.cholesky(covariances) / np.sqrt(prior.mean_precision),
        shape=(K, D),
        dims=("component", "feature"),
    )
    return weights, means, covariances


def _draw_sample(weights: Any, means: Any, covariances: Any, size: Any) -> Any:
    """Draw z, then x = μ_z + L_z ε with ε ~ Normal(0, I)."""
    z = pm.Categorical.dist(weights, size=size)
    noise = pm.Normal.dist(pt.zeros_like(means[z]))
    return means[z] + (pt.linalg.cholesky(covariances)[z] @ noise[..., None])[..., 0]


def _log_mixture(x: Any, weights: Any, means: Any, covariances: Any, origin: Array) -> Any:
    """Log p(x_i | θ), shape (n,): x_i and μ_k, measured from ``origin``, are whitened by L_k⁻¹ in a matrix product."""
    D = len(origin)
    chol = pt.linalg.cholesky(covariances)
    whitener = solve_triangular(chol, pt.eye(D, dtype="float64"), lower=True, b_ndim=2)  # (K, D, D)
    whitened_means = (whitener @ (means - origin)[..., None])[..., 0]
    distance = pt.tensordot(x - origin, whitener, axes=[[1], [2]]) - whitened_means  # (n, K, D)
    log_det = pt.log(pt.diagonal(chol, axis1=-2, axis2=-1)).sum(axis=-1)
    log_norm = pt.log(weights) - log_det - 0.5 * D * np.log(2 * np.pi)
    return pt.logsumexp(log_norm - 0.5 * (distance**2).sum(axis=-1), axis=-1)
