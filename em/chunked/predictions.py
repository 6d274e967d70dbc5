"""What a fitted mixture says of chunks: lazy arrays in the same chunks, and sums over them."""

from collections.abc import Callable
from copy import copy
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from em.chunked import is_chunked
from em.chunked.chunks import Chunks, rows_of
from em.chunked.groups import refuse
from em.chunked.samples import check_header


def for_chunks[T: BaseEstimator](estimator: T, X: Any) -> T:
    """Return a copy for the chunks of X, which come as arrays: the names of X's features are checked here.

    What is computed later is of this fit, also where the estimator was fitted again. Labels of the fit stay behind.

    Raises
    ------
    ValueError
        Unless the estimator is fitted, to as many features as X has and of the same names.
    """
    check_is_fitted(estimator)
    check_header(estimator, X, reset=False)
    other = copy(estimator)
    for name in ("feature_names_in_", "labels_"):
        other.__dict__.pop(name, None)
    return other


def lazily(method: Callable[[Any], Any], X: Any, n_columns: int = 0, dtype: DTypeLike = np.float64) -> Any:
    """Return the Dask array of what a method gives of each chunk's array: shape (n,), or (n, n_columns).

    Examples
    --------
    >>> import dask.array as da
    >>> from em.chunked.predictions import lazily
    >>> lazily(lambda rows: rows.sum(axis=1), da.ones((6, 2), chunks=4)).compute()
    array([2., 2., 2., 2., 2., 2.])
    """
    array = rows_of(X)
    nothing: np.ndarray = np.empty((0, n_columns) if n_columns else 0, dtype)
    shape: dict[str, Any] = {"chunks": (array.chunks[0], (n_columns,))} if n_columns else {"drop_axis": 1}
    return array.map_blocks(_of_chunk, method, nothing, dtype=dtype, meta=nothing, **shape)


def _of_chunk(
    rows: Any, method: Callable[[Any], Any], nothing: np.ndarray, block_id: tuple[int, ...] = ()
) -> np.ndarray:
    return np.asarray(said_of(method, rows, block_id[0])) if len(rows) else nothing


def said_of[T](method: Callable[[Any], T], rows: Any, number: int) -> T:
    """Return what a method says of the rows of a chunk; its errors name the chunk by its number."""
    try:
        return method(rows)
    except Exception as error:
        refuse(number, error)


def sums_of[T](function: Callable[[Any, Any, Any], T], estimator: Any, X: Any, sample_weight: Any) -> T:
    """Return what a function of a fitted estimator, rows and weights gives; of chunks the sum over all."""
    if not is_chunked(X):
        return function(estimator, X, sample_weight)
    return sums_over(partial(function, estimator._for_chunks(X)), X, sample_weight)


def sums_over[T](function: Callable[[Any, Any], T], X: Any, sample_weight: Any) -> T:
    """Return the sum over chunks of a function of their rows and weights."""
    total: T | None = Chunks.of(X, sample_weight).sum(function)
    if total is None:
        raise ValueError("X must have a row with a positive weight, got none")
    return total
