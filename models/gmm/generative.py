"""The Gaussian mixture as PyMC models: with the latent label z, and with z summed out."""

from functools import partial
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike

from models.flat import FlatCovariance, FlatSimplex, FlatVariance, flat
from models.gmm.independent_prior import GMMIndependentPrior
from models.gmm.natural_form import log_mixture
from models.gmm.prior import GaussianPrior, GMMPrior
from models.gmm.structures import check_covariance_type, covariances_shape
from models.gmm.whitened_form import LOG_MIXTURES, log_mixture_of_observed, log_normal_of_observed
from models.inverse_wishart import InverseWishart
from models.lkj_covariance import lkj_covariance
from models.validation import Array, check_columns, column_names, count_at_least_one, data_matrix

COVARIANCE_DIMS = {
    "full": ("component", "feature", "feature_bis"),
    "tied": ("feature", "feature_bis"),
    "diag": ("component", "feature"),
    "spherical": ("component",),
}


def build_model(
    X: ArrayLike, n_components: int, prior: GMMPrior | GMMIndependentPrior | None, covariance_type: str = "full"
) -> pm.Model:
    """Build the generative story as it is told: a label for each sample, then the sample given its label.

    ::

        z_i ~ Categorical(π),    x_i | z_i ~ Normal(μ_{z_i}, Σ_{z_i})

    Parameters
    ----------
    X : array_like, shape (n, D)
        Observed samples. NaN is a missing cell, and the density that of the observed cells, Normal(x_o | μ_o, Σ_oo);
        PyMC sees column means in the places of missing cells, and nothing reads them. Forward draws are whole samples.
    n_components : int
        Number of components K.
    prior : GMMPrior, GMMIndependentPrior or None
        Prior of weights, means and covariances; ``None`` makes them flat, for maximum likelihood only.
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        Structure of the covariances (:mod:`models.gmm.structures`); the prior's must be the same.

    Returns
    -------
    pymc.Model
        Random variables ``weights`` (component), ``means`` (component, feature), ``covariances`` (with dims of their
        structure), ``z`` (obs) and the observed ``x`` (obs, feature).

    Raises
    ------
    ValueError
        If X is no (n, D) matrix with an observed cell in every column, or the prior is not one for K and D.

    Examples
    --------
    >>> import numpy as np
    >>> from models.gmm import GMMPrior, build_model
    >>> X = np.random.default_rng(0).normal(size=(20, 2))
    >>> model = build_model(X, n_components=2, prior=GMMPrior.weakly_informative(X, n_components=2))
    >>> sorted(model.named_vars)
    ['covariances', 'means', 'weights', 'x', 'z']
    """
    filled, seen = _filled(X)
    with pm.Model(coords=_coords(filled, n_components)) as model:
        weights, means, covariances = _declare_parameters(filled, n_components, prior, covariance_type)
        z = pm.Categorical("z", p=weights, dims="obs")
        observed = {"observed": filled, "dims": ("obs", "feature")}
        if not seen.all():
            pm.CustomDist(
                "x",
                z,
                means,
                covariances,
                dist=partial(_draw_given_label, covariance_type=covariance_type),
                logp=partial(log_normal_of_observed, seen=seen, covariance_type=covariance_type),
                signature=_SIGNATURES[covariance_type].replace("(k)", "()", 1),
                **observed,
            )
            return model
        match covariance_type:
            case "full":
                pm.MvNormal("x", mu=means[z], cov=covariances[z], **observed)
            case "tied":
                pm.MvNormal("x", mu=means[z], cov=covariances, **observed)
            case "diag":
                pm.Normal("x", mu=means[z], sigma=pt.sqrt(covariances[z]), **observed)
            case _:
                pm.Normal("x", mu=means[z], sigma=pt.sqrt(covariances[z])[:, None], **observed)
    return model


def build_marginal_model(
    X: ArrayLike,
    n_components: int,
    prior: GMMPrior | GMMIndependentPrior | None,
    covariance_type: str = "full",
    *,
    whitened: bool = False,
) -> pm.Model:
    """Build the same model with z summed out, which is what NUTS, `find_MAP` and LOO work on.

    ::

        log p(x_i | θ) = logsumexp_k { log π_k + log Normal(x_i | μ_k, Σ_k) }

    Parameters
    ----------
    X, n_components, prior, covariance_type
        As in :func:`build_model`.
    whitened : bool, default False
        How the density is computed. False: statistics of x times natural parameters, one matrix product, which is fast
        (:mod:`models.gmm.natural_form`). True: ‖L_k⁻¹ (x_i - μ_k)‖² row by row, which takes several times as long and
        keeps four more digits where clusters are a hundredth of the data's spread. Missing cells: always the latter.

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
    filled, seen = _filled(X)
    origin, spread = filled.mean(axis=0), filled.std(axis=0)
    kind = check_covariance_type(covariance_type)
    if not seen.all():
        logp = partial(log_mixture_of_observed, seen=seen, origin=origin, covariance_type=kind)
    elif whitened:
        logp = partial(LOG_MIXTURES[kind], origin=origin)
    else:
        logp = partial(log_mixture, origin=origin, scale=np.where(spread > 0, spread, 1.0), covariance_type=kind)
    with pm.Model(coords=_coords(filled, n_components)) as model:
        pm.CustomDist(
            "x",
            *_declare_parameters(filled, n_components, prior, covariance_type),
            dist=partial(_draw_sample, covariance_type=covariance_type),
            logp=logp,
            signature=_SIGNATURES[covariance_type],
            observed=filled,
            dims=("obs", "feature"),
        )
    return model


def _filled(X: ArrayLike) -> tuple[Array, np.ndarray]:
    """Return X with column means in its missing cells, and which cells were observed: PyMC must see no NaN."""
    names, X = column_names(X), data_matrix(X, missing=True)
    seen = ~np.isnan(X)
    check_columns(seen.any(axis=0), names)
    return (X if seen.all() else np.where(seen, X, np.nanmean(X, axis=0))), seen


def _coords(X: Array, n_components: int) -> dict[str, range]:
    K = count_at_least_one("n_components", n_components)
    n, D = X.shape
    return {"obs": range(n), "component": range(K), "feature": range(D), "feature_bis": range(D)}


def _declare_parameters(
    X: Array, n_components: int, prior: GMMPrior | GMMIndependentPrior | None, covariance_type: str
) -> tuple[Any, Any, Any]:
    """Declare weights, means and covariances in the current model."""
    K, D, kind = n_components, X.shape[1], check_covariance_type(covariance_type)
    if prior is None:
        weights = flat("weights", np.full(K, 1 / K), FlatSimplex(), ("component",))
        means = flat("means", np.tile(X.mean(axis=0), (K, 1)), None, ("component", "feature"))
        return weights, means, _flat_covariances(np.maximum(X.var(axis=0), 1e-12), K, kind)
    if not isinstance(prior, GaussianPrior):
        raise ValueError(f"prior must be None, a GMMPrior or a GMMIndependentPrior, got {type(prior).__name__}")
    prior.check_fits(K, D, kind)
    weights = pm.Dirichlet("weights", a=np.array(np.broadcast_to(prior.concentration, K)), dims="component")
    shape = {"shape": covariances_shape(kind, K, D), "dims": COVARIANCE_DIMS[kind]}
    of_means = {"shape": (K, D), "dims": ("component", "feature")}
    if isinstance(prior, GMMIndependentPrior):
        means = pm.Normal("means", mu=prior.mean, sigma=prior.mean_sd, **of_means)
        return weights, means, _declare_covariances(prior, shape)
    root = np.sqrt(prior.mean_precision)
    if kind in ("full", "tied"):
        covariances = InverseWishart("covariances", nu=prior.degrees_of_freedom, scale=prior.scale, **shape)
        means = pm.MvNormal("means", mu=prior.mean, chol=pt.linalg.cholesky(covariances) / root, **of_means)
    else:
        halves = {"alpha": np.float64(prior.degrees_of_freedom / 2), "beta": prior.scale / 2}
        covariances = pm.InverseGamma("covariances", **halves, **shape)
        variances = covariances if kind == "diag" else covariances[:, None]
        means = pm.Normal("means", mu=prior.mean, sigma=pt.sqrt(variances) / root, **of_means)
    return weights, means, covariances


def _declare_covariances(prior: GMMIndependentPrior, shape: dict[str, Any]) -> Any:
    """Declare covariances that do not depend on the means; σ ~ HalfNormal(τ) is σ² ~ Gamma(1/2, rate 1 / (2τ²))."""
    if prior.variance_shape is None:
        distribution, numbers = pm.Gamma, {"alpha": np.float64(0.5), "beta": 0.5 / prior.scale**2}
    else:
        distribution, numbers = pm.InverseGamma, {"alpha": np.float64(prior.variance_shape), "beta": prior.scale}
    if prior.covariance_type in ("diag", "spherical"):
        return distribution("covariances", **numbers, **shape)
    return lkj_covariance("covariances", partial(distribution.dist, **numbers), prior.correlation_shape, **shape)


def _flat_covariances(variances: Array, K: int, covariance_type: str) -> Any:
    dims = COVARIANCE_DIMS[covariance_type]
    match covariance_type:
        case "full":
            return flat("covariances", np.tile(np.diag(variances), (K, 1, 1)), FlatCovariance(len(variances)), dims)
        case "tied":
            return flat("covariances", np.diag(variances), FlatCovariance(len(variances)), dims)
        case "diag":
            return flat("covariances", np.tile(variances, (K, 1)), FlatVariance(), dims)
        case _:
            return flat("covariances", np.full(K, variances.mean()), FlatVariance(), dims)


def _draw_sample(weights: Any, means: Any, covariances: Any, size: Any, covariance_type: str) -> Any:
    """Draw z, then x given z."""
    return _draw_given_label(pm.Categorical.dist(weights, size=size), means, covariances, size, covariance_type)


def _draw_given_label(z: Any, means: Any, covariances: Any, size: Any, covariance_type: str) -> Any:
    """Draw x = μ_z + L_z ε with ε ~ Normal(0, I), one for each label in z, of which there are ``size``."""
    noise = pm.Normal.dist(pt.zeros_like(means[z]))
    match covariance_type:
        case "full":
            return means[z] + (pt.linalg.cholesky(covariances)[z] @ noise[..., None])[..., 0]
        case "tied":
            return means[z] + noise @ pt.linalg.cholesky(covariances).T
        case "diag":
            return means[z] + pt.sqrt(covariances)[z] * noise
        case _:
            return means[z] + pt.sqrt(covariances)[z][..., None] * noise


_SIGNATURES = {
    "full": "(k),(k,d),(k,d,e)->(d)",
    "tied": "(k),(k,d),(d,e)->(d)",
    "diag": "(k),(k,d),(k,d)->(d)",
    "spherical": "(k),(k,d),(k)->(d)",
}
