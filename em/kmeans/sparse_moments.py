"""Moments of sparse columns: a cell that is not stored has the value 0, and its term is added once per column."""

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
    """Return the size (D,) of each column: its deviation, or its distance from 0 where that is more; 1 if it is 0."""
    mean, variance = moments(X, weights)
    return np.maximum(np.abs(mean), np.where(variance > 0, np.sqrt(np.maximum(variance, 0.0)), 1.0))
