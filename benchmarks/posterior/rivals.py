"""The models that PyMC's documentation leads to: what `benchmarks.posterior` measures ours against.

The Gaussian mixture is `pm.Mixture` over a list of `MvNormal`. As documented, covariances are `LKJCholeskyCov`, which
declares the Cholesky factor of each; under our conjugate prior they are inverse-Wishart. Priors have the same numbers
as ours, so that both posteriors are the same.
"""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from models.bmm import BMMPrior
from models.distributions.inverse_wishart import InverseWishart
from models.gmm import GMMIndependentPrior, GMMPrior
from models.validation import Array

Named = dict[str, Array]


def mixture_as_documented(X: Array, K: int, prior: GMMIndependentPrior) -> pm.Model:
    """Return `pm.Mixture` over `MvNormal` with one `LKJCholeskyCov` each, under independent means and scales."""
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", a=np.full(K, prior.concentration))
        means = pm.Normal("means", mu=prior.mean, sigma=prior.mean_sd, shape=(K, X.shape[1]))
        components = []
        for k in range(K):
            scales = pm.HalfNormal.dist(prior.scale)
            chol, _, _ = pm.LKJCholeskyCov(f"chol_{k}", n=X.shape[1], eta=prior.correlation_shape, sd_dist=scales)
            components.append(pm.MvNormal.dist(mu=means[k], chol=chol))
        pm.Mixture("x", w=weights, comp_dists=components, observed=X)
    return model


def mixture_of_normals(X: Array, K: int, prior: GMMPrior) -> pm.Model:
    """Return `pm.Mixture` over `MvNormal` under the conjugate prior."""
    D = X.shape[1]
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", a=np.full(K, prior.concentration))
        covariances = InverseWishart("covariances", nu=prior.degrees_of_freedom, scale=prior.scale, shape=(K, D, D))
        root = pt.linalg.cholesky(covariances) / np.sqrt(prior.mean_precision)
        means = pm.MvNormal("means", mu=prior.mean, chol=root, shape=(K, D))
        components = [pm.MvNormal.dist(mu=means[k], cov=covariances[k]) for k in range(K)]
        pm.Mixture("x", w=weights, comp_dists=components, observed=X)
    return model


def vector_of_bernoullis(X: Array, K: int, prior: BMMPrior) -> pm.Model:
    """Return a vector `CustomDist` of 0/1 rows: `pm.Mixture` over Bernoullis would give each cell its own label."""

    def logp(x: Any, weights: Any, probs: Any) -> Any:
        cells = x[:, None] * pt.log(probs) + (1 - x[:, None]) * pt.log1p(-probs)
        return pt.logsumexp(pt.log(weights) + cells.sum(axis=-1), axis=-1)

    with pm.Model() as model:
        weights = pm.Dirichlet("weights", a=np.full(K, prior.concentration))
        probs = pm.Beta("probs", alpha=prior.successes, beta=prior.failures, shape=(K, X.shape[1]))
        pm.CustomDist("x", weights, probs, logp=logp, signature="(k),(k,d)->(d)", observed=X)
    return model


def with_factors(point: Named) -> Named:
    """Return a point of ours as `mixture_as_documented` declares it: Σ_k = L L' by the rows of L, packed."""
    rows = np.tril_indices(point["covariances"].shape[-1])
    factors = np.linalg.cholesky(point["covariances"])
    packed = {f"chol_{k}": factor[rows] for k, factor in enumerate(factors)}
    return {name: point[name] for name in ("weights", "means")} | packed


def with_covariances(draws: Named) -> Named:
    """Return draws (chain, draw, ...) of `mixture_as_documented` as we declare them: Σ_k = L L'."""
    K, D = draws["means"].shape[-2:]
    factors = np.zeros((*draws["means"].shape, D))
    factors[..., *np.tril_indices(D)] = np.stack([draws[f"chol_{k}"] for k in range(K)], axis=-2)
    return {name: draws[name] for name in ("weights", "means")} | {"covariances": factors @ factors.mT}
