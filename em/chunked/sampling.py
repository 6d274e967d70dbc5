"""Draw random rows from chunks into memory, for what needs rows at once, such as a prior's scales, plots or NUTS."""

import operator
from functools import partial, reduce
from typing import Any

import numpy as np
from sklearn.utils.random import sample_without_replacement

from em.chunked import is_chunked
from em.chunked.chunks import rows_of
from em.chunked.samples import CELLS_AT_A_TIME, ChunkedSamples
from em.samples import Samples, samples_of
from em.samples.concise import ConciseSample
from models.shown import shown
from models.validation import count_at_least_one, random_source


def sample_rows(X: Any, n_rows: int, random_state: Any = None) -> Any:
    """Draw rows from chunks without replacement, or return all rows if there are no more than ``n_rows``.

    Each row is equally likely, and rows keep their order. Which rows are drawn depends on the seed and on the number of
    rows, not on the chunks.

    Parameters
    ----------
    X : a Dask array or DataFrame, shape (n, D)
        All rows.
    n_rows : int
        Number of rows to draw.
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
    """Return the distinct rows with their weights if the sketch holds them all, else a random sample of the samples.

    The random sample has about ``n_samples`` samples. Each sample is equally likely, even if rows repeat; a row of
    weight w counts as w samples (:mod:`em.samples.concise`). Which are drawn depends on the hashes of the rows.
    """
    if (whole := samples.distinct(hashed=True)).in_memory:
        return whole
    of_chunk = partial(_part_of_chunk, most=2 * n_samples, share=min(n_samples / samples.total, 1.0))
    part: ConciseSample = samples.sum_of(of_chunk)
    return samples_of(part.rows, part.weights, samples.names)


def _part_of_chunk(chunk: Samples, most: int, share: float) -> ConciseSample:
    """Return the random sample of a chunk, drawn from few cells at a time to save memory."""
    parts = chunk.parts(max(CELLS_AT_A_TIME // chunk.X.shape[1], 1))
    return reduce(operator.add, (ConciseSample.of(part, most, share) for part in parts))


def row_numbers(n: int, n_rows: int, random_state: Any) -> np.ndarray:
    """Draw ``n_rows`` of the numbers 0..n-1 without replacement, ascending; all if there are no more."""
    if count_at_least_one("n_rows", n_rows) >= n:
        return np.arange(n)
    return np.sort(sample_without_replacement(n, n_rows, random_state=random_source(random_state)))


def sizes_of_chunks(X: Any) -> np.ndarray:
    """Return the number of rows of each chunk; if Dask does not know it, the rows are counted."""
    from dask.base import compute
    from dask.delayed import delayed

    sizes = np.array([np.nan] if hasattr(X, "columns") else rows_of(X).chunks[0])
    if np.isnan(sizes).any():
        (sizes,) = compute([delayed(len)(chunk) for chunk in _delayed(X)])
    return np.asarray(sizes, dtype=np.int64)


def rows_at(X: Any, sizes: np.ndarray, numbers: np.ndarray) -> Any:
    """Return the rows with these ascending numbers, in memory; ``sizes`` are the chunks' numbers of rows."""
    from dask.base import compute
    from dask.delayed import delayed

    ends = np.cumsum(sizes)
    parts = np.split(numbers, np.searchsorted(numbers, ends[:-1]))
    chosen = zip(_delayed(X), parts, ends - sizes, strict=True)
    (taken,) = compute([delayed(_taken)(chunk, part - first) for chunk, part, first in chosen if len(part)])
    if not hasattr(X, "columns"):
        return np.concatenate(taken)
    from pandas import concat

    return concat(taken, ignore_index=True)


def _taken(rows: Any, numbers: np.ndarray) -> Any:
    return rows.iloc[numbers] if hasattr(rows, "iloc") else np.asarray(rows)[numbers]


def _delayed(X: Any) -> list[Any]:
    """Return a delayed frame or matrix for each chunk."""
    return list(X.to_delayed()) if hasattr(X, "columns") else rows_of(X).to_delayed().ravel().tolist()
