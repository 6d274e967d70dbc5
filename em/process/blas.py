"""BLAS on one thread, for as long as any thread of Python fits a mixture.

Some libraries keep one number of threads for the process (OpenBLAS as NumPy and SciPy bring it), others one for each
thread of Python (MKL, OpenBLAS upon OpenMP). The first kind is lowered by the first to enter and put back by the last
to leave, whoever they are; the second by each for itself.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from em.process.process_wide import ProcessWide, within


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread: on matrices of a few features a second one costs more than it gives (seen: 25 times).

    Where another thread of Python holds `threadpoolctl.threadpool_limits`, its number stays.
    """
    with _ALL_THREADS as n, _limited(of_each_thread=True) as own, within(_allowed, _allowed.get() or max(n, own)):
        yield


def threads_allowed() -> int:
    """Return how many threads may share work inside `one_blas_thread`: as many as BLAS had."""
    return _allowed.get() or 1


def no_other_thread() -> AbstractContextManager[None]:
    """Let no other thread share work, where each core already has one."""
    return within(_allowed, 1)


@contextmanager
def _limited(of_each_thread: bool) -> Iterator[int]:
    """Hold libraries to one thread; yield the largest number that one had."""
    libraries = _libraries(of_each_thread)
    before = [library.num_threads for library in libraries]
    for library in libraries:
        library.set_num_threads(1)
    try:
        yield max(before, default=1)
    finally:
        for library, number in zip(libraries, before, strict=True):
            _put_back(library, number)


def _put_back(library: Any, number: int) -> None:
    """Set the number of threads again, also where it was another thread of Python that lowered it.

    OpenBLAS listens to that one only (threadpoolctl's controlling thread), until it is told that it is done.
    """
    if library.num_threads == number:
        return
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread(force=True)
    library.set_num_threads(number)
    if hasattr(library, "clear_controlling_thread"):
        library.clear_controlling_thread()


@cache
def _libraries(of_each_thread: bool) -> list[Any]:
    """Return the BLAS libraries that count the threads of each thread of Python, or those that count the process's."""
    found = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
    return [library for library in found if _counts_by_thread(library) == of_each_thread]


def _counts_by_thread(library: Any) -> bool:
    of_openmp = library.internal_api == "openblas" and library.threading_layer == "openmp"
    return library.internal_api == "mkl" or of_openmp


_ALL_THREADS = ProcessWide(lambda: _limited(of_each_thread=False))
_allowed: ContextVar[int | None] = ContextVar("_allowed", default=None)
