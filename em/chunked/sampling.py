"""Random rows of chunks, in memory: for what needs rows at hand, such as a prior's scales, a picture or NUTS."""

import operator
from functools import partial, reduce
from typing import Any

import numpy as np
from sklearn.utils.random import sample_without_replacement

from em.chunked import is_chunked
from em.chunked.chunks import rows_of
from em.chunked.samples import CELLS_AT_A_TIME, ChunkedSamples
from em.samples import Samples
from em.streams.row_sample import RowSample, samples_of
from models.shown import shown
from models.validation import count_at_least_one, random_source


def sample_rows(X: Any, n_rows: int, random_state: Any = None) -> Any:
    """Return so many rows of chunks, drawn without replacement and in their order, or all if there are no more.

    Each row is as likely as another. Which they are depends on the seed and on how many rows there are, not on the
    chunks.

    Parameters
    ----------
    X : a Dask array or DataFrame, shape (n, D)
        All rows.
    n_rows : int
        How many rows are wanted.
    random_state : int, RandomState or None, default None
        Seed or source of randomness.

    Returns
    -------
    ndarray or pandas.DataFrame, shape (m, D)
        The rows, m the smaller of ``n_rows`` and n.

    Raises
    ------
    ValueError
        If X is not in chunks.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from em import sample_rows
    >>> sample_rows(da.from_array(np.arange(100)[:, None], chunks=30), 5, random_state=0).ravel().tolist()
    [2, 26, 55, 75, 86]
    """
    if not is_chunked(X):
        raise ValueError(f"X must be a Dask array or DataFrame, got {shown(X)}")
    sizes = sizes_of_chunks(X)
    return rows_at(X, sizes, row_numbers(int(sizes.sum()), n_rows, random_state))


def in_memory(samples: ChunkedSamples, n_samples: int) -> Samples:
    """Return the distinct rows with their weights where they are few, else about so many of the samples at random.

    Each sample is as likely as another, whatever repeats, and a weight counts samples (:mod:`em.streams.row_sample`).
    Draws follow the hashes of the rows.
    """
    if (whole := samples.distinct(hashed=True)).in_memory:
        return whole
    of_chunk = partial(_part_of_chunk, most=2 * n_samples, share=min(n_samples / samples.total, 1.0))
    part: RowSample = samples.sum_of(of_chunk)
    return samples_of(part.rows, part.weights, samples.names)


def _part_of_chunk(chunk: Samples, most: int, share: float) -> RowSample:
    """Return the part of a chunk, of few cells at a time: nothing of its size is held beside it."""
    parts = chunk.parts(max(CELLS_AT_A_TIME // chunk.X.shape[1], 1))
    return reduce(operator.add, (RowSample.of(part, most, share) for part in parts))


def row_numbers(n: int, n_rows: int, random_state: Any) -> np.ndarray:
    """Return so many of the numbers of n rows at random, ascending; all, if there are no more."""
    if count_at_least_one("n_rows", n_rows) >= n:
        return np.arange(n)
    return np.sort(sample_without_replacement(n, n_rows, random_state=random_source(random_state)))


def sizes_of_chunks(X: Any) -> np.ndarray:
    """Return how many rows each chunk has; where Dask does not know, the chunks are counted."""
    from dask.base import compute
    from dask.delayed import delayed

    sizes = np.array([np.nan] if hasattr(X, "columns") else rows_of(X).chunks[0])
    if np.isnan(sizes).any():
        (sizes,) = compute([delayed(len)(chunk) for chunk in _delayed(X)])
    return np.asarray(sizes, dtype=np.int64)


def rows_at(X: Any, sizes: np.ndarray, numbers: np.ndarray) -> Any:
    """Return the rows of these numbers, ascending, of chunks of these sizes, in memory."""
    from dask.base import compute
    from dask.delayed import delayed

    ends = np.cumsum(sizes)
    parts = np.split(numbers, np.searchsorted(numbers, ends[:-1]))
    chosen = zip(_delayed(X), parts, ends - sizes, strict=True)
    (found,) = compute([delayed(_taken)(chunk, part - first) for chunk, part, first in chosen if len(part)])
    if not hasattr(X, "columns"):
        return np.concatenate(found)
    from pandas import concat

    return concat(found, ignore_index=True)


def _taken(rows: Any, numbers: np.ndarray) -> Any:
    return rows.iloc[numbers] if hasattr(rows, "iloc") else np.asarray(rows)[numbers]


def _delayed(X: Any) -> list[Any]:
    """Return a delayed frame or matrix for each chunk."""
    return list(X.to_delayed()) if hasattr(X, "columns") else rows_of(X).to_delayed().ravel().tolist()
