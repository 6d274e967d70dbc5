"""Where EM starts: responsibilities from k-means++, from K-means, or at random. They know no family."""

import numpy as np
from scipy.sparse import issparse

from em.kmeans import KMeans, kmeans_plusplus, nearest
from em.samples import Samples
from em.sparse import start_labels
from models.validation import Array

STARTS = ("k-means++", "kmeans", "random")
HARDNESS = 0.9


def start_responsibilities(samples: Samples, n_components: int, method: str, rng: np.random.RandomState) -> Array:
    """Return responsibilities (n, K) for a first M-step.

    Labels from k-means++ or K-means, on features scaled to unit variance, are softened to
    r = 0.9 onehot + 0.1 / K: every component keeps a little of every sample, so no start is degenerate
    (a prob of exactly 0, which EM could never leave, or a singular covariance). "random" draws each row from a flat
    Dirichlet.

    Parameters
    ----------
    samples : Samples
        Rows and their weights; a missing cell counts as its column's mean.
    n_components : int
        Number of components K.
    method : {"k-means++", "kmeans", "random"}
        How to start.
    rng : RandomState
        Source of randomness.
    """
    K = n_components
    if method == "random":
        return rng.dirichlet(np.ones(K), size=samples.X.shape[0])
    if issparse(samples.X):
        return _softened(start_labels(samples, K, method, rng), K)
    scaled = (samples.filled - samples.mean) / np.where(samples.deviation > 0, samples.deviation, 1.0)
    centers = kmeans_plusplus(scaled, K, rng, samples.weights)
    if method == "kmeans":
        centers = KMeans(K, n_init=1, init=centers).fit(scaled, sample_weight=samples.weights).cluster_centers_
    return _softened(nearest(scaled, centers)[0], K)


def _softened(labels: np.ndarray, n_components: int) -> Array:
    return HARDNESS * np.eye(n_components)[labels] + (1 - HARDNESS) / n_components
