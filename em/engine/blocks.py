"""Sum over chunks of rows that fit the cache, so that temporary arrays stay small.

Threads share the chunks of a large sum. Chunks form sixteen groups, whose sums are added in the order of the rows, so
the result has the same bits for any number of threads.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import reduce

from em.process.blas import one_blas_thread
from em.process.threads import mapped
from models.validation import Array

BLOCK_ROWS = 4096
CHUNK_NUMBERS = 2**19  # in the arrays of a chunk: with fewer, calls are so short that threads wait for each other
FEWEST_ROWS = 256
GROUPS = 16  # of chunks, each summed by one thread
SHARED = 2**19  # numbers in all chunks above which threads share the work
SHARED_ROWS = 4 * BLOCK_ROWS
MOST_FITS, BATCH_NUMBERS = 100, 2**18  # fits in a batch, and numbers in all their samples

type Sums = tuple[Array, dict[str, Array]]


def blocks(n_rows: int, size: int | None = None) -> Iterator[slice]:
    """Yield slices of at most ``size`` rows, by default ``BLOCK_ROWS``, that cover ``n_rows`` rows in order."""
    size = size or BLOCK_ROWS
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def batches(n_fits: int, n_numbers: int) -> list[slice]:
    """Return slices that cover so many fits, to samples of ``n_numbers`` numbers each, in order."""
    return list(blocks(n_fits, max(1, min(MOST_FITS, BATCH_NUMBERS // max(1, n_numbers)))))


def each_block(n_rows: int, put: Callable[[slice], None]) -> None:
    """Call a function, which writes its results, on each block of rows; threads share the blocks if there are many."""
    with one_blas_thread() if n_rows >= SHARED_ROWS else nullcontext():
        list(mapped(put, blocks(n_rows)))


def sum_over_chunks(n_rows: int, n_numbers: int, step: Callable[[slice], Sums]) -> Sums:
    """Return Σ_chunks step(rows): log-likelihoods (R,) and statistics by name, added in the order of the rows.

    Parameters
    ----------
    n_rows, n_numbers : int
        Number of rows, and how many numbers the arrays of a chunk hold for each row.
    step : callable
        Returns the sums of a slice of rows.
    """
    size = max(CHUNK_NUMBERS // n_numbers, FEWEST_ROWS)
    with one_blas_thread():
        if n_rows <= size:
            return step(slice(0, n_rows))
        n_pairs = -(-n_rows // (2 * size))  # of chunks of nearly equal size
        chunks = list(blocks(n_rows, -(-n_rows // (2 * n_pairs))))
        groups = [chunks[some] for some in blocks(len(chunks), -(-len(chunks) // GROUPS))]

        def of_group(group: list[slice]) -> Sums:
            return reduce(_added, map(step, group))

        return reduce(_added, (mapped if n_rows * n_numbers >= SHARED else map)(of_group, groups))


def _added(total: Sums, part: Sums) -> Sums:
    return total[0] + part[0], {name: array + part[1][name] for name, array in total[1].items()}
