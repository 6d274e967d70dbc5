"""Sums over blocks of rows, so that nothing of the size of the data is held twice; threads share large work."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from em.process.blas import one_blas_thread
from models.validation import Array

BLOCK_ROWS = 4096
CHUNK_NUMBERS = 2**16  # in the arrays of a chunk, which then stay in the cache
FEWEST_ROWS = 256
SHARED = 2**22  # numbers in the arrays of all chunks, from which on threads pay


def blocks(n_rows: int, size: int | None = None) -> Iterator[slice]:
    """Yield slices of at most ``size`` rows, by default ``BLOCK_ROWS``, that cover ``n_rows`` rows in order."""
    size = size or BLOCK_ROWS
    for start in range(0, n_rows, size):
        yield slice(start, min(start + size, n_rows))


def sum_over_chunks(
    n_rows: int,
    n_numbers: int,
    step: Callable[[slice], tuple[Array, Mapping[str, Array]]],
    threads: int | None = None,
) -> tuple[Array, dict[str, Array]]:
    """Sum log-likelihoods (R,) and statistics, arrays by name, over chunks of rows that fit the cache.

    Threads share the chunks of large work. The sums are added in the order of the rows, so that the number of threads
    changes no bit.

    Parameters
    ----------
    n_rows, n_numbers : int
        Number of rows, and how many numbers a chunk holds for each of them.
    step : callable
        What a slice of rows gives.
    threads : int or None, default None
        How many threads; ``None`` takes all that the process may use where the work is large.
    """
    size = min(max(CHUNK_NUMBERS // n_numbers, FEWEST_ROWS), BLOCK_ROWS)
    chunks = list(blocks(n_rows, size))
    return _sum(each_of(chunks, step, n_rows * n_numbers, threads))


def each_of[T](chunks: list[slice], step: Callable[[slice], T], n_numbers: int, threads: int | None = None) -> list[T]:
    """Return what a step gives of each chunk; threads share work on so many numbers, or one does it where they are few.

    NumPy's warnings are those of the thread that calls.
    """
    if threads is None:
        threads = available_threads() if n_numbers >= SHARED else 1
    settings, threads = np.geterr(), min(threads, len(chunks))

    def quietly(chunk: slice) -> T:
        with np.errstate(**settings):
            return step(chunk)

    with one_blas_thread():
        if threads <= 1:
            return list(map(step, chunks))
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(quietly, chunks))


def _sum(parts: Iterable[tuple[Array, Mapping[str, Array]]]) -> tuple[Array, dict[str, Array]]:
    first, *rest = ((log_likelihood, dict(statistics)) for log_likelihood, statistics in parts)
    log_likelihood, total = first
    for of_part, statistics in rest:
        log_likelihood = log_likelihood + of_part
        total = {name: array + statistics[name] for name, array in total.items()}
    return log_likelihood, total


def available_threads() -> int:
    """Return how many processors this process may use, or fewer if OMP_NUM_THREADS says so."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wish = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, int(wish)) if wish.isdigit() and int(wish) > 0 else processors
