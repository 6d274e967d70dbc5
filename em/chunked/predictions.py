"""Predictions for chunks: lazy arrays and frames in the same chunks, and sums over chunks."""

from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import DTypeLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from em.chunked import is_chunked
from em.chunked.chunks import Chunks, rows_of
from em.chunked.groups import raise_in_chunk
from em.chunked.samples import check_header
from em.chunked.sampling import sizes_of_chunks

FLOAT = np.dtype(np.float64)


def for_chunks[T: BaseEstimator](estimator: T, X: Any) -> T:
    """Return a copy of a fitted estimator that takes the chunks of X as arrays.

    The names of X's features are checked here, because arrays have none. Lazy results use the copy, so they do not
    change if the estimator is fitted again. The copy has no ``labels_``.

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
    """Return a method's results for the chunks of X as a lazy Dask array of shape (n,), or (n, n_columns).

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
    return np.asarray(apply_to_chunk(method, rows, block_id[0])) if len(rows) else nothing


def apply_to_chunk[T](method: Callable[[Any], T], rows: Any, number: int) -> T:
    """Return method(rows); its errors name the chunk by its number."""
    try:
        return method(rows)
    except Exception as error:
        raise_in_chunk(number, error)


def sums_of[T](function: Callable[[Any, Any, Any], T], estimator: Any, X: Any, sample_weight: Any) -> T:
    """Return function(estimator, X, sample_weight); for X in chunks, the sum of it over all chunks."""
    if not is_chunked(X):
        return function(estimator, X, sample_weight)
    return sums_over(partial(function, estimator._for_chunks(X)), X, sample_weight)


def sums_over[T](function: Callable[[Any, Any], T], X: Any, sample_weight: Any) -> T:
    """Return Σ_chunks function(rows, weights)."""
    total: T | None = Chunks.of(X, sample_weight).sum(function)
    if total is None:
        raise ValueError("X must have a row with a positive weight, got none")
    return total


def frame_of_chunks(method: Callable[[Any], Mapping[str, np.ndarray]], X: Any, kinds: Mapping[str, Any]) -> Any:
    """Return a method's columns (n,) for the chunks of X as a lazy Dask DataFrame; ``kinds`` are the columns' dtypes.

    The index is that of X. Rows of an array are numbered; if Dask does not know how many rows its chunks have, they are
    counted first.

    Examples
    --------
    >>> import dask.array as da
    >>> from em.chunked.predictions import frame_of_chunks
    >>> frame_of_chunks(lambda rows: {"sum": rows.sum(axis=1)}, da.ones((3, 2), chunks=2), {"sum": float}).compute()
       sum
    0  2.0
    1  2.0
    2  2.0
    """
    columns = partial(_columns, method, dict(kinds))
    if hasattr(X, "columns"):
        return X.map_partitions(columns, _partition_numbers(X), meta=dict(kinds), align_dataframes=False)
    from dask.dataframe import from_delayed
    from dask.delayed import delayed

    sizes = sizes_of_chunks(X)
    ends = np.cumsum(sizes).tolist()
    starts = [0, *ends[:-1]]
    chunks = enumerate(zip(rows_of(X).to_delayed().ravel(), starts, strict=True))
    parts = [delayed(columns)(rows, [number], start) for number, (rows, start) in chunks]
    divisions = (*starts, ends[-1] - 1) if sizes.all() else None
    return from_delayed(parts, meta=dict(kinds), divisions=divisions)


def filled_chunks(impute: Callable[[Any], np.ndarray], X: Any, labels: np.ndarray | None = None) -> Any:
    """Return X with its missing cells filled, chunk by chunk: a Dask array of an array, a DataFrame of a frame.

    Which chunks have missing cells is not known before they are computed, so each column of a frame has one dtype in
    all chunks. It is the column's own dtype if cells are labels, or if the dtype allows no missing cell; else float64.

    Parameters
    ----------
    impute : callable
        Takes the array (n, D) of a chunk, and returns it without missing cells.
    X : a Dask array or DataFrame, shape (n, D)
        All rows.
    labels : ndarray, shape (0, D), or None, default None
        If cells are labels and not numbers, an empty array of the dtype that ``impute`` returns.
    """
    if not hasattr(X, "columns"):
        return lazily(impute, X, X.shape[1], np.float64 if labels is None else labels.dtype)
    kinds = {name: kind if labels is not None or _is_full(kind) else FLOAT for name, kind in X.dtypes.items()}
    return X.map_partitions(partial(_filled, impute, kinds), _partition_numbers(X), meta=kinds, align_dataframes=False)


def _partition_numbers(X: Any) -> Any:
    """Return a Dask series that holds in each partition its number.

    Errors name a chunk by this number. Dask's own numbers begin at the first partition that is computed.
    """
    import dask.dataframe as dd
    import pandas as pd

    return dd.from_pandas(pd.Series(range(X.npartitions)), chunksize=1)


def _columns(
    method: Callable[[Any], Mapping[str, np.ndarray]], kinds: dict[str, Any], rows: Any, number: Any, start: int = 0
) -> Any:
    import pandas as pd

    index = rows.index if isinstance(rows, pd.DataFrame) else pd.RangeIndex(start, start + len(rows))
    nothing = {name: np.empty(0, kind) for name, kind in kinds.items()}
    columns = apply_to_chunk(method, np.asarray(rows), int(np.asarray(number)[0])) if len(rows) else nothing
    return pd.DataFrame(columns, index=index)


def _filled(impute: Callable[[Any], np.ndarray], kinds: dict[str, Any], frame: Any, number: Any) -> Any:
    import pandas as pd

    at = int(np.asarray(number)[0])
    values = apply_to_chunk(impute, np.asarray(frame), at) if len(frame) else np.empty(frame.shape)
    filled = frame.copy()
    for d, (name, kind) in enumerate(kinds.items()):
        if not _is_full(kind):
            own = frame[name].dtype if hasattr(kind, "categories") else kind  # only the chunk may know categories
            filled[name] = pd.Series(values[:, d], index=frame.index).astype(own)
    return filled


def _is_full(kind: Any) -> bool:
    """Whether a column of this dtype cannot have missing cells."""
    return isinstance(kind, np.dtype) and kind.kind in "biu"
