"""Limit BLAS to one thread while any Python thread fits a mixture.

Some libraries have one number of threads for the process (OpenBLAS as shipped with NumPy and SciPy). Others have one
for each Python thread (MKL, OpenBLAS built with OpenMP). For the first kind, the first thread to enter lowers the
number, and the last to leave restores it. For the second kind, each thread does so for itself.
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
    """Limit BLAS to one thread: with few features a second thread makes products slower (seen: 25 times).

    If another Python thread is inside `threadpoolctl.threadpool_limits`, its number stays.
    """
    with _ALL_THREADS as n, _limited(of_each_thread=True) as own, within(_allowed, _allowed.get() or max(n, own)):
        yield


def threads_allowed() -> int:
    """Return how many threads may share work inside `one_blas_thread`: as many as BLAS had before."""
    return _allowed.get() or 1


def no_other_thread() -> AbstractContextManager[None]:
    """Forbid threads to share work, for code that already runs on every core."""
    return within(_allowed, 1)


@contextmanager
def _limited(of_each_thread: bool) -> Iterator[int]:
    """Limit libraries to one thread; yield the largest number of threads that one of them had."""
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
    """Restore the number of threads, even if another Python thread lowered it.

    OpenBLAS accepts a number only from threadpoolctl's controlling thread, until that thread is cleared.
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
    """Return the BLAS libraries that count threads for each Python thread, or those that count for the process."""
    libraries = [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
    return [library for library in libraries if _counts_by_thread(library) == of_each_thread]


def _counts_by_thread(library: Any) -> bool:
    of_openmp = library.internal_api == "openblas" and library.threading_layer == "openmp"
    return library.internal_api == "mkl" or of_openmp


_ALL_THREADS = ProcessWide(lambda: _limited(of_each_thread=False))
_allowed: ContextVar[int | None] = ContextVar("_allowed", default=None)
