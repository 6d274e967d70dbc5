"""Sums over chunks of rows that fit the cache, so that nothing of the size of the data is held twice.

One thread adds them. Two that share the chunks gain at most a twentieth of a whole call (measured on two processors,
from 1e5 to 1e6 rows): NumPy's calls on chunks of this size are so short that the threads wait for each other's turn in
Python, and larger chunks leave the cache.
"""

from collections.abc import Callable, Iterator
from functools import reduce

from em.process.blas import one_blas_thread
from models.validation import Array

BLOCK_ROWS = 4096
CHUNK_NUMBERS = 2**17  # in the arrays of a chunk, which then stay in the cache
FEWEST_ROWS = 256

type Sums = tuple[Array, dict[str, Array]]


def blocks(n_rows: int, size: int | None = None) -> Iterator[slice]:
    """Yield slices of at most ``size`` rows, by default ``BLOCK_ROWS``, that cover ``n_rows`` rows in order."""
    size = size or BLOCK_ROWS
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def sum_over_chunks(n_rows: int, n_numbers: int, step: Callable[[slice], Sums]) -> Sums:
    """Sum log-likelihoods (R,) and statistics, arrays by name, over chunks of rows, in the order of the rows.

    Parameters
    ----------
    n_rows, n_numbers : int
        Number of rows, and how many numbers a chunk holds for each of them.
    step : callable
        What a slice of rows gives.
    """
    size = max(CHUNK_NUMBERS // n_numbers, FEWEST_ROWS)
    with one_blas_thread():
        return step(slice(0, n_rows)) if n_rows <= size else reduce(_added, map(step, blocks(n_rows, size)))


def _added(total: Sums, part: Sums) -> Sums:
    return total[0] + part[0], {name: array + part[1][name] for name, array in total[1].items()}
