"""The Gaussian mixture as PyMC models: with the latent label z, and with z summed out."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike

from models.distributions.inverse_wishart import InverseWishart
from models.distributions.lkj_covariance import lkj_covariance
from models.gmm.densities import each_variance, log_mixture, log_mixture_by_rows, log_normal_of_observed
from models.gmm.independent_prior import GMMIndependentPrior
from models.gmm.prior import GMMPrior
from models.gmm.structures import MATRICES, check_covariance_type, quantities
from models.story import Distribution, Story, Theta
from models.validation import Array, check_columns, column_names, data_matrix


class GaussianStory(Story):
    """x ~ Normal(μ_k, Σ_k), with the priors of :mod:`models.gmm.prior` and :mod:`models.gmm.independent_prior`.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances.
    whitened : bool, default False
        Whether the density is computed row by row (see :func:`build_marginal_model`).
    """

    prior_types = GMMPrior, GMMIndependentPrior

    def __init__(self, covariance_type: str, whitened: bool = False) -> None:
        self.kind, self.whitened = check_covariance_type(covariance_type), whitened
        self.quantities, self.options, self.matrices = quantities(self.kind), (self.kind,), self.kind in MATRICES

    def data(self, X: ArrayLike, size: ArrayLike) -> tuple[Array, Array]:
        """Return X with column means in missing cells, because PyMC allows no NaN, and 1 where a cell was observed."""
        names, X = column_names(X), data_matrix(X, missing=True)
        seen = ~np.isnan(X)
        check_columns(seen.any(axis=0), names)
        return (X if seen.all() else np.where(seen, X, np.nanmean(X, axis=0))), seen.astype(np.float64)

    def starts(self, x: Array) -> dict[str, Array]:
        """Return the mean of the data for each mean, and a diagonal covariance with their variances."""
        variances = np.maximum(x.var(axis=0), 1e-12)
        covariances: Any = {"diag": variances, "spherical": variances.mean()}.get(self.kind, np.diag(variances))
        return {"means": x.mean(axis=0), "covariances": covariances}

    def declare(self, prior: GMMPrior | GMMIndependentPrior, like: Mapping[str, dict[str, Any]]) -> None:
        """Declare Σ_k, then μ_k given Σ_k; or each with a prior of its own."""
        if isinstance(prior, GMMIndependentPrior):
            pm.Normal("means", mu=prior.mean, sigma=prior.mean_sd, **like["means"])
            _declare_independent(prior, like["covariances"])
        else:
            _declare_conjugate(prior, like)

    def given_label(self, own: Theta, size: Array) -> Distribution:
        """X ~ Normal(μ, Σ)."""
        means, covariances = own["means"], own["covariances"]
        if self.matrices:
            return pm.MvNormal, {"mu": means, "cov": covariances}
        return pm.Normal, {"mu": means, "sigma": pt.sqrt(each_variance(covariances, self.kind, size.shape[1]))}

    def log_prob_given_label(self, x: Any, own: Theta, size: Array) -> Any:
        """Return log Normal(x_o | μ_o, Σ_oo) of the observed cells o."""
        if self.matrices:
            return log_normal_of_observed(x, own["means"], own["covariances"], size > 0)
        return super().log_prob_given_label(x, own, size)

    def log_prob(self, x: Any, theta: Theta, size: Array, data: Array) -> Any:
        """logsumexp_k {log π_k + log Normal(x_i | μ_k, Σ_k)}, in natural parameters or row by row."""
        arrays = [theta[quantity.name] for quantity in self.quantities]
        origin, spread = data.mean(axis=0), data.std(axis=0)
        if self.whitened or not size.all():
            return log_mixture_by_rows(x, *arrays, seen=size > 0, origin=origin, covariance_type=self.kind)
        scale = np.where(spread > 0, spread, 1.0)
        return log_mixture(x, *arrays, origin=origin, scale=scale, covariance_type=self.kind)

    def draw(self, z: Any, theta: Theta, size: Array) -> Any:
        """Draw x = μ_z + L_z ε with ε ~ Normal(0, I), one for each label in z."""
        means, covariances = theta["means"][z], theta["covariances"]
        noise = pm.Normal.dist(pt.zeros_like(means))
        if self.matrices:
            roots = pt.linalg.cholesky(covariances)
            return means + ((roots if self.kind == "tied" else roots[z]) @ noise[..., None])[..., 0]
        return means + pt.sqrt(each_variance(covariances, self.kind, size.shape[1]))[z] * noise


def build_model(
    X: ArrayLike, n_components: int, prior: GMMPrior | GMMIndependentPrior | None, covariance_type: str = "full"
) -> pm.Model:
    """Build the model with labels: a label for each sample, then the sample given its label.

    ::

        z_i ~ Categorical(π),    x_i | z_i ~ Normal(μ_{z_i}, Σ_{z_i})

    Parameters
    ----------
    X : array_like, shape (n, D)
        Observed samples. NaN is a missing cell, and the density is that of the observed cells, Normal(x_o | μ_o, Σ_oo).
        PyMC gets column means in missing cells, which have no effect. Forward draws are whole samples.
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
        If X is no (n, D) matrix with an observed cell in every column, or the prior does not fit K and D.

    Examples
    --------
    >>> import numpy as np
    >>> from models.gmm import GMMPrior, build_model
    >>> X = np.random.default_rng(0).normal(size=(20, 2))
    >>> model = build_model(X, n_components=2, prior=GMMPrior.weakly_informative(X, n_components=2))
    >>> sorted(model.named_vars)
    ['covariances', 'means', 'weights', 'x', 'z']
    """
    return GaussianStory(covariance_type).model(X, n_components, prior, marginal=False)


def build_marginal_model(
    X: ArrayLike,
    n_components: int,
    prior: GMMPrior | GMMIndependentPrior | None,
    covariance_type: str = "full",
    *,
    whitened: bool = False,
) -> pm.Model:
    """Build the same model with z summed out, as NUTS, `find_MAP` and LOO need.

    ::

        log p(x_i | θ) = logsumexp_k { log π_k + log Normal(x_i | μ_k, Σ_k) }

    Parameters
    ----------
    X, n_components, prior, covariance_type
        As in :func:`build_model`.
    whitened : bool, default False
        How the density is computed. False: as one matrix product of natural parameters and statistics of x, which is
        fast (:mod:`models.gmm.densities`). True: ‖L_k⁻¹ (x_i - μ_k)‖² row by row, which takes several times as long but
        keeps four more digits if clusters are a hundredth of the data's spread. With missing cells it is always True.

    Returns
    -------
    pymc.Model
        Random variables ``weights``, ``means``, ``covariances`` and the observed ``x``, whose log density has one
        value per sample, as LOO needs, and whose forward draws give prior and posterior predictive checks.

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
    return GaussianStory(covariance_type, whitened).model(X, n_components, prior, marginal=True)


def _declare_conjugate(prior: GMMPrior, like: Mapping[str, dict[str, Any]]) -> None:
    """Declare covariances, and means given the covariances."""
    root = np.sqrt(prior.mean_precision)
    if prior.covariance_type in MATRICES:
        arguments = {"nu": prior.degrees_of_freedom, "scale": prior.scale}
        covariances = InverseWishart("covariances", **arguments, **like["covariances"])
        pm.MvNormal("means", mu=prior.mean, chol=pt.linalg.cholesky(covariances) / root, **like["means"])
    else:
        halves = {"alpha": np.float64(prior.degrees_of_freedom / 2), "beta": prior.scale / 2}
        covariances = pm.InverseGamma("covariances", **halves, **like["covariances"])
        variances = each_variance(covariances, prior.covariance_type, len(prior.mean))
        pm.Normal("means", mu=prior.mean, sigma=pt.sqrt(variances) / root, **like["means"])


def _declare_independent(prior: GMMIndependentPrior, like: dict[str, Any]) -> None:
    """Declare covariances that do not depend on the means; σ ~ HalfNormal(τ) is σ² ~ Gamma(1/2, rate 1 / (2τ²))."""
    if prior.variance_shape is None:
        distribution, numbers = pm.Gamma, {"alpha": np.float64(0.5), "beta": 0.5 / prior.scale**2}
    else:
        distribution, numbers = pm.InverseGamma, {"alpha": np.float64(prior.variance_shape), "beta": prior.scale}
    if prior.covariance_type in MATRICES:
        lkj_covariance("covariances", partial(distribution.dist, **numbers), prior.correlation_shape, **like)
    else:
        distribution("covariances", **numbers, **like)
