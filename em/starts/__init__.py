"""Starts of EM: responsibilities from k-means++, from K-means, or at random. They know no family.

Before the clusters are known, it is unknown which distances matter. So restarts alternate between three sets of
coordinates ("views"): features scaled to unit variance; features whitened, so that the data have unit variance in every
direction; and one random direction of the whitened data. If clusters are flat, long and parallel, the first view finds
none of them and the others do. On other data it may be the opposite.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from em.kmeans.lloyd import lloyd, nearest
from em.kmeans.plusplus import kmeans_plusplus
from em.samples import Samples, weighted
from models.validation import Array

STARTS = ("k-means++", "kmeans", "random")
VIEWS = ("scaled", "whitened", "direction")
HARDNESS = 0.9  # of the labels of a start
CONSTANT = 1e-12  # variance of a sparse column, relative to its mean square, below which it is rounding
FLAT = 1e-10  # eigenvalue of the correlations below which the data have no extent in a direction


def start_responsibilities(
    samples: Samples,
    n_components: int,
    method: str,
    rng: np.random.RandomState,
    view: str = "scaled",
    centers: Array | None = None,
) -> Array:
    """Return responsibilities (n, K) for a first M-step.

    Labels from k-means++ or K-means are softened to r = 0.9 onehot + 0.1 / K, so that every component keeps a little of
    every sample. Then no start is degenerate: no prob is exactly 0, which EM could never leave, and no covariance is
    singular. "random" draws each row from a flat Dirichlet distribution.

    Parameters
    ----------
    samples : Samples
        Rows sorted by value, and their weights; a missing cell counts as its column's mean.
    n_components : int
        Number of components K.
    method : {"k-means++", "kmeans", "random"}
        How to start.
    rng : RandomState
        Source of randomness.
    view : {"scaled", "whitened", "direction"}, default "scaled"
        Coordinates in which distances are measured; sparse features are always scaled.
    centers : ndarray, shape (K, D), or None
        Known centres, if the means are frozen; each row goes to the nearest.
    """
    K = n_components
    if method == "random":
        return rng.dirichlet(np.ones(K), size=samples.X.shape[0])
    rows, measured = _in_view(samples, view, rng)
    seeds = kmeans_plusplus(rows, K, rng, samples.weights) if centers is None else measured(centers)
    if centers is None and method == "kmeans":
        seeds = lloyd(rows, samples.weights, seeds).centers
    return HARDNESS * np.eye(K)[nearest(rows, seeds)[0]] + (1 - HARDNESS) / K


def _in_view(samples: Samples, view: str, rng: np.random.RandomState) -> tuple[Any, Callable[[Array], Array]]:
    """Return the rows in the coordinates of a view, and a function that converts other rows (m, D) to them.

    Distances do not need centred features, so sparse x / σ stay sparse. Their squares are expanded,
    ‖x - c‖² = ‖x‖² - 2 x · c + ‖c‖², which loses no important digits because counts are small whole numbers.
    """
    X: Any = samples.X
    if issparse(X):
        mean, variance = mean_variance_axis(X, axis=0, weights=samples.weights)
        deviation = np.sqrt(np.where(variance > CONSTANT * (mean**2 + variance), variance, 1.0))
        return csr_array((X.data / deviation[X.indices], X.indices, X.indptr), X.shape), lambda x: x / deviation
    axes = _axes(samples, view, rng)
    return (samples.filled - samples.mean) @ axes, lambda x: (x - samples.mean) @ axes


def _axes(samples: Samples, view: str, rng: np.random.RandomState) -> Array:
    """Return the matrix (D, number of coordinates) that converts centred rows to the coordinates of a view."""
    scales = 1 / np.where(samples.deviation > 0, samples.deviation, 1.0)
    if view == "scaled":
        return np.diag(scales)
    scaled = (samples.filled - samples.mean) * scales
    values, vectors = np.linalg.eigh(scaled.T @ weighted(scaled, samples.weights) / samples.total)
    kept = values > FLAT
    if not kept.any():  # every column is constant
        return np.diag(scales)
    # the symmetric root depends neither on the signs of eigenvectors nor on their choice for equal eigenvalues
    whitener = scales[:, None] * (vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T
    if view == "whitened":
        return np.asarray(whitener)
    direction = rng.normal(size=(len(whitener), 1))
    return np.asarray(whitener @ direction / np.linalg.norm(direction))


def shape_of(values: Any) -> tuple[int, ...]:
    """Return the shape of an ``init``, or () if its rows differ in length."""
    try:
        return np.shape(values)
    except ValueError:
        return ()


def are_labels(values: Any, n_samples: int, n_components: int) -> bool:
    """Whether an ``init`` holds a component's number for each sample."""
    if shape_of(values) != (n_samples,):
        return False
    labels = np.asarray(values)
    return labels.dtype.kind in "iu" and bool(((labels >= 0) & (labels < n_components)).all())
