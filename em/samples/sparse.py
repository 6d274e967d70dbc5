"""Sparse samples, in CSR form: their rows, and starts from the stored cells alone. X is never made dense."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from em.kmeans.lloyd import lloyd, nearest
from em.kmeans.plusplus import kmeans_plusplus
from em.kmeans.sparse_moments import moments
from em.samples import Samples
from models.validation import Array

MOST_ROUNDS = 100  # of Lloyd's algorithm, for a start
CONSTANT = 1e-12  # variance of a column in units of its mean square, below which it is rounding


def rows_of(X: csr_array, rows: slice) -> csr_array:
    """Return rows of X as views of its cells: indexing X itself would copy them."""
    starts = X.indptr[rows.start : rows.stop + 1]
    cells = slice(starts[0], starts[-1])
    return csr_array((X.data[cells], X.indices[cells], starts - starts[0]), shape=(len(starts) - 1, X.shape[1]))


def start_labels(
    samples: Samples, n_clusters: int, method: str, rng: np.random.RandomState, centers: Array | None = None
) -> np.ndarray:
    """Return labels (n,) from k-means++, K-means or given centres (K, D), on features scaled to unit variance.

    Distances need no centred features, so x / σ stays sparse, and ‖x - c‖² = ‖x‖² - 2 x · c + ‖c‖². Counts are small
    whole numbers: the expanded square loses no digits that matter.
    """
    counts: Any = samples.X
    deviation = _deviation(counts, samples.weights)
    X = csr_array((counts.data / deviation[counts.indices], counts.indices, counts.indptr), counts.shape)
    if centers is not None:
        return nearest(X, centers / deviation)[0]
    seeds = kmeans_plusplus(X, n_clusters, rng, samples.weights)
    if method == "kmeans":
        seeds = lloyd(X, samples.weights, seeds, max_iter=MOST_ROUNDS).centers
    return nearest(X, seeds)[0]


def _deviation(X: csr_array, weights: Array | None) -> Array:
    """Return the standard deviation of each column (D,), or 1 of a constant one."""
    mean, variance = moments(X, weights)
    return np.sqrt(np.where(variance > CONSTANT * (mean**2 + variance), variance, 1.0))
