"""What is drawn of components that lie somewhere among the samples: centres, and the covariances about them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from em.families import family_module
from em.plots.axes import share
from models.parameters import Parameters
from models.validation import Array

HALF = 0.5  # samples that a component must expect under mean field to be drawn


@dataclass(frozen=True)
class Clouds:
    """Components or clusters among the samples.

    Attributes
    ----------
    weights : ndarray, shape (K,)
        Their shares.
    means : ndarray, shape (K, D)
        Their centres.
    covariances : ndarray, shape (K, D, D), or None
        Their spread; clusters have none.
    parameters : Parameters or None
        The mixture that they are of.
    """

    weights: Array
    means: Array
    covariances: Array | None = None
    parameters: Parameters | None = None

    def name_of(self, k: int) -> str:
        """Return what the legend calls a component."""
        if self.parameters is None:
            return f"cluster {k}"
        return f"component {k}: {share(self.weights[k])}"

    def densities(self, x: Array, d: int) -> Array | None:
        """Return π_k p(x | z = k) of one feature at some values (m,), shape (m, K); None of clusters."""
        if self.parameters is None:
            return None
        marginal: Any = self.parameters
        marginal = marginal.marginal(np.array([d]))
        return np.exp(family_module(marginal).log_joint(x[:, None], marginal))


def clouds_of(estimator: Any) -> Clouds | None:
    """Return the clouds of a fitted estimator, or None where its components have no place among the samples.

    A mixture has clouds if its parameters have `means`, `covariance_matrices` and, of some features, a `marginal`.
    Mean field gives no component a weight of 0; those that expect less than half a sample have 0 here.
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
