"""What every estimator accepts as X and as sample weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from em.engine import blocks
from models.validation import Array, data_matrix, real_numbers


@dataclass(frozen=True)
class Samples:
    """What EM fits: rows, and how often each occurs.

    Attributes
    ----------
    X : ndarray, shape (n, D)
        Samples; NaN where a cell is missing.
    weights : ndarray, shape (n,), or None
        Frequencies of the rows, all positive; ``None`` when each occurs once.
    kept : ndarray of bool, shape (n_rows,)
        Which rows of the matrix that the user passed they are: rows of weight 0 and rows that are all missing take no
        part in a fit.
    n_rows : int
        Number of rows of that matrix.
    """

    X: Array
    weights: Array | None
    kept: np.ndarray
    n_rows: int

    @cached_property
    def total(self) -> float:
        """The number of samples that the rows stand for: the sum of the weights."""
        return float(len(self.X)) if self.weights is None else float(self.weights.sum())

    @cached_property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return not any(np.isnan(self.X[rows]).any() for rows in blocks(len(self.X)))

    @cached_property
    def mean(self) -> Array:
        """Mean of the observed cells of each column, shape (D,)."""
        if self.complete and self.weights is None:
            return np.asarray(self.X.mean(axis=0))
        return self._average(lambda x: x)

    @cached_property
    def deviation(self) -> Array:
        """Standard deviation of the observed cells of each column, shape (D,)."""
        if self.complete and self.weights is None:
            squares = (((self.X[rows] - self.mean) ** 2).sum(axis=0) for rows in blocks(len(self.X)))
            return np.sqrt(sum(squares, np.zeros(self.X.shape[1])) / len(self.X))
        return np.sqrt(self._average(lambda x: (x - self.mean) ** 2))

    @cached_property
    def filled(self) -> Array:
        """The rows with the mean of its column in each missing cell."""
        return self.X if self.complete else np.where(np.isnan(self.X), self.mean, self.X)

    def _average(self, function: Callable[[Array], Array]) -> Array:
        total = weight = np.zeros(self.X.shape[1])
        for rows in blocks(len(self.X)):  # never a second array of the size of X
            x = self.X[rows]
            observed = ~np.isnan(x)
            weights = weighted(observed, None if self.weights is None else self.weights[rows])
            total = total + (weights * np.where(observed, function(x), 0.0)).sum(axis=0)
            weight = weight + weights.sum(axis=0)
        return total / weight


def samples_to_fit(
    estimator: BaseEstimator, X: ArrayLike, sample_weight: ArrayLike | None = None, *, missing: bool = False
) -> Samples:
    """Return X (n, D) as float64 in C order, checked; the estimator remembers the number of features and any names.

    Raises
    ------
    ValueError
        If X is not a matrix of finite numbers (or NaN, with ``missing``) with at least two rows, if a column has no
        observed cell, or if the weights are not one non-negative number for each row.
    TypeError
        If X is sparse, or holds objects that are no numbers.
    """
    matrix = np.ascontiguousarray(data_matrix(X, missing=missing))
    weights = check_sample_weight(sample_weight, len(matrix))
    kept = np.ones(len(matrix), dtype=bool) if weights is None else weights > 0
    seen = np.ones(matrix.shape[1], dtype=bool)
    if missing:
        kept, seen = _observed(matrix, kept)
    if kept.sum() < 2:
        counted = "" if kept.all() else " that is observed and has a weight"
        raise ValueError(
            f"X must have at least two rows (samples), got {kept.sum()} sample{counted} (shape={matrix.shape})"
        )
    validate_data(estimator, X, reset=True, skip_check_array=True)
    n_rows = len(matrix)
    if not kept.all():
        matrix, weights = matrix[kept], None if weights is None else weights[kept]
    if empty := np.flatnonzero(~seen).tolist():
        raise ValueError(f"X must have an observed cell in every column, got none in column(s) {empty}: drop them")
    return Samples(matrix, weights, kept, n_rows)


def _observed(matrix: Array, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the given rows (n,) have an observed cell, and which columns (D,) have one in such a row."""
    kept, seen = np.empty_like(among), np.zeros(matrix.shape[1], dtype=bool)
    for rows in blocks(len(matrix)):
        observed = ~np.isnan(matrix[rows]) & among[rows, None]
        kept[rows], seen = observed.any(axis=1), seen | observed.any(axis=0)
    return kept, seen


def samples_to_use(estimator: BaseEstimator, X: ArrayLike, *, missing: bool = False) -> Array:
    """Return X (n, D) as float64 in C order, checked to have the features that the estimator was fitted with."""
    check_is_fitted(estimator)
    matrix = np.ascontiguousarray(data_matrix(X, missing=missing))
    validate_data(estimator, X, reset=False, skip_check_array=True)
    return matrix


def check_sample_weight(sample_weight: Any, n_samples: int) -> Array | None:
    """Return weights (n,) as float64, or None, checked to be finite, non-negative and not all zero."""
    if sample_weight is None:
        return None
    weights = real_numbers("sample_weight", sample_weight).astype(np.float64)
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight must have shape ({n_samples},), one for each row of X, got {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must be finite and not negative: each is the number of times a row occurs")
    if not weights.any():
        raise ValueError("sample_weight must not be zero for every row: some weight is needed to fit anything")
    return weights


def weighted(responsibilities: Array, weights: Array | None) -> Array:
    """Return responsibilities (n, K) times the weights of their rows."""
    return responsibilities if weights is None else responsibilities * weights[:, None]


def typical_size(samples: Samples) -> tuple[Array, Array]:
    """Return the units in which steps are measured, each (D,): those of a mean of X's columns, and of a deviation.

    A deviation is a standard deviation, or 1 for a constant column. A mean cannot be known better than its own
    rounding, so far from zero that distance is its unit.
    """
    deviation = np.where(samples.deviation > 0, samples.deviation, 1.0)
    return np.maximum(np.abs(samples.mean), deviation), deviation
