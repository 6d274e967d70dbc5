"""What a fitted mixture says of chunks: lazy arrays in the same chunks, and sums over them."""

from collections.abc import Callable
from typing import Any

import numpy as np

from em.chunked.chunks import Chunks


def lazily(method: Callable[[Any], Any], X: Any, n_columns: int = 0, dtype: type = np.float64) -> Any:
    """Return the Dask array of what a method gives of each chunk: shape (n,), or (n, n_columns).

    Examples
    --------
    >>> import dask.array as da
    >>> from em.chunked.predictions import lazily
    >>> lazily(lambda rows: rows.sum(axis=1), da.ones((6, 2), chunks=4)).compute()
    array([2., 2., 2., 2., 2., 2.])
    """
    columns = list(X.columns) if hasattr(X, "columns") else None
    array = (X.to_dask_array() if columns else X).rechunk({1: -1})
    if n_columns:
        return array.map_blocks(_of_chunk, method, columns, dtype=dtype, chunks=(array.chunks[0], (n_columns,)))
    return array.map_blocks(_of_chunk, method, columns, dtype=dtype, drop_axis=1)


def _of_chunk(rows: Any, method: Callable[[Any], Any], columns: list[str] | None) -> np.ndarray:
    """Return what a method gives of a chunk, as an array; a frame's chunk has its names again."""
    if not len(rows):
        return np.asarray(rows[:, 0])
    if columns is None:
        return np.asarray(method(rows))
    from pandas import DataFrame

    return np.asarray(method(DataFrame(rows, columns=columns)))


def sums_over(function: Callable[[Any, Any], np.ndarray], X: Any, sample_weight: Any) -> np.ndarray:
    """Return the sum over chunks of a function of their rows and weights, which gives an array."""
    total: np.ndarray = Chunks.of(X, sample_weight).sum(_summed, function)
    return total


def _summed(rows: Any, weights: Any, number: int, function: Callable[[Any, Any], np.ndarray]) -> np.ndarray:
    return function(rows, weights)
