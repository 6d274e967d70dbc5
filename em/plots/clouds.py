"""Centres and covariances of components for pictures in the space of the samples."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from em.families import family_module
from em.plots.axes import share
from models.parameters import Parameters
from models.validation import Array

HALF = 0.5  # expected samples below which mean field's components are not drawn


@dataclass(frozen=True)
class Clouds:
    """Components of a Gaussian mixture, or clusters, in the space of the samples.

    Attributes
    ----------
    weights : ndarray, shape (K,)
        Weights.
    means : ndarray, shape (K, D)
        Centres.
    covariances : ndarray, shape (K, D, D), or None
        Covariance matrices; None for clusters.
    parameters : Parameters or None
        Parameters of the mixture; None for clusters.
    """

    weights: Array
    means: Array
    covariances: Array | None = None
    parameters: Parameters | None = None

    def name_of(self, k: int) -> str:
        """Return the name of a component in the legend."""
        if self.parameters is None:
            return f"cluster {k}"
        return f"component {k}: {share(self.weights[k])}"

    def densities(self, x: Array, d: int) -> Array | None:
        """Return π_k p(x_d | z = k) at values of feature d (m,), shape (m, K); None for clusters."""
        if self.parameters is None:
            return None
        marginal: Any = self.parameters
        marginal = marginal.marginal(np.array([d]))
        return np.exp(family_module(marginal).log_joint(x[:, None], marginal))


def clouds_of(estimator: Any) -> Clouds | None:
    """Return the clouds of a fitted estimator, or None if its components have no means in the space of the samples.

    A mixture has clouds if its parameters have `means`, `covariance_matrices` and `marginal`. Mean field never gives a
    weight of 0: components with less than half an expected sample get 0 here.
    """
    if hasattr(estimator, "cluster_centers_"):
        return Clouds(np.full(estimator.n_clusters, 1 / estimator.n_clusters), estimator.cluster_centers_)
    theta: Any = estimator.parameters_
    if not hasattr(theta, "marginal"):
        return None
    weights = theta.weights
    if hasattr(estimator, "posterior_"):
        n_samples = estimator.posterior_.distribution.concentration - estimator.prior.concentration
        weights = np.where(n_samples >= HALF, weights, 0)
    return Clouds(weights, theta.means, theta.covariance_matrices, theta)
