"""Check and convert X and sample weights, as every estimator takes them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted, validate_data

from em.samples import Samples, kept_samples
from models.validation import Array, check_columns, check_sample_weight, column_names, data_matrix, sparse_matrix


def samples_to_fit(
    estimator: BaseEstimator,
    X: ArrayLike,
    sample_weight: ArrayLike | None = None,
    *,
    missing: bool = False,
    names: Sequence[str] | None = None,
) -> Samples:
    """Return X (n, D) as samples, checked; the estimator stores the number of features and their names.

    Error messages call columns by ``names``, or by those of a frame.

    Raises
    ------
    ValueError
        If X is not a matrix of finite numbers (or NaN, with ``missing``) with at least two rows, if a column has no
        observed cell, or if the weights are not one non-negative number for each row.
    TypeError
        If X is sparse and the estimator takes none, or X holds objects that are no numbers.
    """
    names = column_names(X) if names is None else names
    matrix = _matrix(estimator, X, missing, names)
    weights = check_sample_weight(sample_weight, matrix.shape[0])
    samples = kept_samples(matrix, weights, names, missing and not issparse(matrix))
    if (kept := samples.kept).sum() < 2:
        counted = "" if kept.all() else " that is observed and has a weight"
        raise ValueError(
            f"X must have at least two rows (samples), got {kept.sum()} sample{counted} (shape={matrix.shape})"
        )
    validate_data(estimator, X, reset=True, skip_check_array=True)
    if missing and not issparse(matrix) and not samples.complete:
        check_columns(samples.n_observed > 0, names)
    return samples


def samples_to_use(estimator: BaseEstimator, X: ArrayLike, *, missing: bool = False) -> Array:
    """Return X (n, D) as float64 in C order or CSR, checked to have the features of the fit."""
    check_is_fitted(estimator)
    matrix = _matrix(estimator, X, missing)
    validate_data(estimator, X, reset=False, skip_check_array=True)
    return matrix


def encoded(estimator: BaseEstimator | None, X: Any) -> Any:
    """Return X as numbers: if the estimator takes labels, their codes."""
    return estimator._encoded(X) if estimator is not None and hasattr(estimator, "_encoded") else X


def _matrix(estimator: BaseEstimator, X: Any, missing: bool, names: Sequence[str] | None = None) -> Array:
    """Return X as float64 in C order, or as CSR if it is sparse and the estimator's tags allow that."""
    X = encoded(estimator, X)
    if issparse(X) and get_tags(estimator).input_tags.sparse:
        return sparse_matrix(X, missing=missing)
    return np.ascontiguousarray(data_matrix(X, missing=missing, names=names))
