"""Sparse samples, in CSR form: their rows, and starts from the stored cells alone. X is never made dense."""

from typing import Any

import numpy as np
from scipy.sparse import csr_array

from em.engine import blocks
from em.kmeans import choose_rows, first_within_rounding
from em.kmeans.sparse_distances import expanded_squares, moments
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
    n = samples.X.shape[0]
    w = np.ones(n) if samples.weights is None else samples.weights
    counts: Any = samples.X
    deviation = _deviation(counts, w)
    X = csr_array((counts.data / deviation[counts.indices], counts.indices, counts.indptr), counts.shape)
    norms = X.power(2).sum(axis=1)
    if centers is not None:
        return _nearest(X, norms, centers / deviation)
    chosen = choose_rows(lambda rows: expanded_squares(X, norms, X[rows].toarray()), n_clusters, rng, w)
    centers = X[chosen].toarray()
    labels = _nearest(X, norms, centers)
    for _ in range(MOST_ROUNDS if method == "kmeans" else 0):
        sizes = np.bincount(labels, w, minlength=n_clusters)[:, None]
        totals = (csr_array((w, labels, np.arange(n + 1)), shape=(n, n_clusters)).T @ X).toarray()
        centers = np.where(sizes > 0, totals / np.where(sizes > 0, sizes, 1.0), centers)
        before, labels = labels, _nearest(X, norms, centers)
        if (labels == before).all():
            break
    return labels


def _deviation(X: csr_array, w: Array) -> Array:
    """Return the standard deviation of each column (D,), or 1 of a constant one."""
    mean, variance = moments(X, w)
    return np.sqrt(np.where(variance > CONSTANT * (mean**2 + variance), variance, 1.0))


def _nearest(X: csr_array, norms: Array, centers: Array) -> np.ndarray:
    """Return the index of the nearest centre of each row, shape (n,)."""
    distances = (expanded_squares(rows_of(X, rows), norms[rows], centers) for rows in blocks(len(norms)))
    return np.concatenate([first_within_rounding(of_block, of_block.min(axis=1)) for of_block in distances])
