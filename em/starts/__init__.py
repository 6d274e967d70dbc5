"""Where EM starts: responsibilities from k-means++, from K-means, or at random. They know no family.

Distances mean little before the clusters are known, so the restarts take turns to measure them in three sets of
coordinates: features scaled to unit variance; features whitened, so that no direction of the data is longer than
another; and one random direction of the whitened data. Where clusters are flat, long and parallel, the first finds none
of them and the others do; elsewhere it may be the other way round.
"""

from typing import Any

import numpy as np
from scipy.sparse import issparse

from em.kmeans.lloyd import lloyd, nearest
from em.kmeans.plusplus import kmeans_plusplus
from em.samples import Samples, weighted
from em.samples.sparse import start_labels
from models.validation import Array

STARTS = ("k-means++", "kmeans", "random")
VIEWS = ("scaled", "whitened", "direction")
HARDNESS = 0.9
FLAT = 1e-10  # eigenvalue of the correlations below which a direction is no direction of the data


def start_responsibilities(
    samples: Samples,
    n_components: int,
    method: str,
    rng: np.random.RandomState,
    view: str = "scaled",
    centers: Array | None = None,
) -> Array:
    """Return responsibilities (n, K) for a first M-step.

    Labels from k-means++ or K-means are softened to r = 0.9 onehot + 0.1 / K: every component keeps a little of every
    sample, so no start is degenerate (a prob of exactly 0, which EM could never leave, or a singular covariance).
    "random" draws each row from a flat Dirichlet.

    Parameters
    ----------
    samples : Samples
        Rows in the order of their values, and their weights; a missing cell counts as its column's mean.
    n_components : int
        Number of components K.
    method : {"k-means++", "kmeans", "random"}
        How to start.
    rng : RandomState
        Source of randomness.
    view : {"scaled", "whitened", "direction"}, default "scaled"
        Coordinates in which distances are measured; sparse features are always scaled.
    centers : ndarray, shape (K, D), or None
        Centres that are known, because the means are frozen; each row goes to the nearest.
    """
    K = n_components
    if method == "random":
        return rng.dirichlet(np.ones(K), size=samples.X.shape[0])
    if issparse(samples.X):
        return _softened(start_labels(samples, K, method, rng, centers), K)
    axes = _axes(samples, view, rng)
    rows = (samples.filled - samples.mean) @ axes
    if centers is not None:
        seeds = (centers - samples.mean) @ axes
    else:
        seeds = kmeans_plusplus(rows, K, rng, samples.weights)
        if method == "kmeans":
            seeds = lloyd(rows, samples.weights, seeds).centers
    return _softened(nearest(rows, seeds)[0], K)


def _softened(labels: np.ndarray, n_components: int) -> Array:
    return HARDNESS * np.eye(n_components)[labels] + (1 - HARDNESS) / n_components


def _axes(samples: Samples, view: str, rng: np.random.RandomState) -> Array:
    """Return the matrix (D, number of coordinates) that takes centred rows to the coordinates of a view."""
    scales = 1 / np.where(samples.deviation > 0, samples.deviation, 1.0)
    if view == "scaled":
        return np.diag(scales)
    scaled = (samples.filled - samples.mean) * scales
    values, vectors = np.linalg.eigh(scaled.T @ weighted(scaled, samples.weights) / samples.total)
    kept = values > FLAT
    if not kept.any():  # every column is constant
        return np.diag(scales)
    # the symmetric root, which does not depend on the signs of eigenvectors, nor on their choice where some are equal
    whitener = scales[:, None] * (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
    if view == "whitened":
        return np.asarray(whitener)
    direction = rng.normal(size=(len(whitener), 1))
    return np.asarray(whitener @ direction / np.linalg.norm(direction))


def is_matrix(values: Any) -> bool:
    """Whether an ``init`` has two dimensions, as where components are given."""
    try:
        return np.ndim(values) == 2
    except ValueError:  # ragged
        return False


def are_labels(values: Any, n_samples: int, n_components: int) -> bool:
    """Whether an ``init`` gives each sample the number of a component."""
    try:
        labels = np.asarray(values)
    except ValueError:  # ragged
        return False
    if labels.shape != (n_samples,) or labels.dtype.kind not in "iu":
        return False
    return bool(((labels >= 0) & (labels < n_components)).all())
