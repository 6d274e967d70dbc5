"""Moments of sparse columns; cells that are not stored are 0, and are added as one term per column."""

import numpy as np
from scipy.sparse import csr_array

from models.validation import Array


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
    """Return the size (D,) of each column: the larger of its deviation (or 1 if that is 0) and the size of its mean."""
    mean, variance = moments(X, weights)
    return np.maximum(np.abs(mean), np.where(variance > 0, np.sqrt(np.maximum(variance, 0.0)), 1.0))
