"""What K-means asks of sparse rows (CSR): distances to centres, sums, typical sizes. X is never made dense as a whole.

Distances need the stored cells only, by expanding the square,

    ‖x - c‖² = ‖x‖² - 2 x · c + ‖c‖²,

which loses digits where x is near c: the error is a rounding of ‖x‖² + ‖c‖². A distance that is small beside that sum
is computed again from the differences, a few rows at a time. The other sums are taken of differences from the start: a
cell that is not stored has the value 0, and its term is added once per centre or column.
"""

import numpy as np
from scipy.sparse import csr_array

from models.validation import Array

CANCELS = 1e-2  # a squared distance in units of ‖x‖² + ‖c‖², below which the expanded square has lost two digits
CELLS_AT_A_TIME = 1_000_000  # of rows that are made dense


def expanded_squares(X: csr_array, norms: Array, centers: Array) -> Array:
    """Return ‖x_i - c_k‖², shape (n, K), by expanding the square, given the ‖x_i‖²."""
    return np.maximum(norms[:, None] - 2 * (X @ centers.T) + (centers**2).sum(axis=1), 0.0)


def sparse_squared_distances(X: csr_array, centers: Array) -> Array:
    """Return ‖x_i - c_k‖², shape (n, K), as exact as from differences."""
    norms = np.asarray(X.power(2).sum(axis=1))
    distances = expanded_squares(X, norms, centers)
    of_row, of_center = np.nonzero(distances < CANCELS * (norms[:, None] + (centers**2).sum(axis=1)))
    size = max(1, CELLS_AT_A_TIME // X.shape[1])
    for start in range(0, len(of_row), size):
        rows, ks = of_row[start : start + size], of_center[start : start + size]
        gaps = X[rows].toarray() - centers[ks]
        distances[rows, ks] = np.einsum("nd,nd->n", gaps, gaps)
    return distances


def sums_of_gaps(X: csr_array, labels: np.ndarray, weights: Array | None, old: Array) -> Array:
    """Return Σ_{i in cluster k} w_i (x_i - c_k), shape (K, D), given the labels (n,) and the old centres c (K, D)."""
    K, D = old.shape
    of_row = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    w = np.ones(X.shape[0]) if weights is None else weights
    place = labels[of_row].astype(np.intp) * D + X.indices
    stored = np.bincount(place, w[of_row] * (X.data - old.ravel()[place]), minlength=K * D).reshape(K, D)
    weight_stored = np.bincount(place, w[of_row], minlength=K * D).reshape(K, D)
    return stored - (np.bincount(labels, w, minlength=K)[:, None] - weight_stored) * old


def moments(X: csr_array, weights: Array | None) -> tuple[Array, Array]:
    """Return mean and variance of each column, both (D,)."""
    n, D = X.shape
    w = np.ones(n) if weights is None else weights
    of_cell = np.repeat(w, np.diff(X.indptr))
    mean = np.bincount(X.indices, of_cell * X.data, minlength=D) / w.sum()
    stored = np.bincount(X.indices, of_cell * (X.data - mean[X.indices]) ** 2, minlength=D)
    weight_stored = np.bincount(X.indices, of_cell, minlength=D)
    return mean, (stored + (w.sum() - weight_stored) * mean**2) / w.sum()


def sparse_typical_size(X: csr_array, weights: Array | None) -> Array:
    """Return the size (D,) of each column: its deviation, or its distance from 0 where that is more; 1 if it is 0."""
    mean, variance = moments(X, weights)
    return np.maximum(np.abs(mean), np.where(variance > 0, np.sqrt(np.maximum(variance, 0.0)), 1.0))
