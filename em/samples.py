"""What every estimator accepts as X."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from em.engine import blocks
from models.validation import Array, data_matrix


def samples_to_fit(estimator: BaseEstimator, X: ArrayLike) -> Array:
    """Return X (n, D) as float64 in C order, checked; the estimator remembers the number of features and any names.

    Raises
    ------
    ValueError
        If X is not a finite matrix of numbers with at least two rows.
    TypeError
        If X is sparse, or holds objects that are no numbers.
    """
    matrix = np.ascontiguousarray(data_matrix(X))
    if len(matrix) < 2:
        raise ValueError(f"X must have at least two rows (samples), got 1 sample (shape={matrix.shape})")
    validate_data(estimator, X, reset=True, skip_check_array=True)
    return matrix


def samples_to_use(estimator: BaseEstimator, X: ArrayLike) -> Array:
    """Return X (n, D) as float64 in C order, checked to have the features that the estimator was fitted with."""
    check_is_fitted(estimator)
    matrix = np.ascontiguousarray(data_matrix(X))
    validate_data(estimator, X, reset=False, skip_check_array=True)
    return matrix


def typical_size(X: Array) -> tuple[Array, Array]:
    """Return the units in which steps are measured, each (D,): those of a mean of X's columns, and of a deviation.

    A deviation is a standard deviation, or 1 for a constant column. A mean cannot be known better than its own
    rounding, so far from zero that distance is its unit.
    """
    mean = X.mean(axis=0)
    squares = (((X[rows] - mean) ** 2).sum(axis=0) for rows in blocks(len(X)))  # never a second array of the size of X
    spread = np.sqrt(sum(squares, np.zeros(X.shape[1])) / len(X))
    deviation = np.where(spread > 0, spread, 1.0)
    return np.maximum(np.abs(mean), deviation), deviation
