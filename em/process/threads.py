"""Share large work among Python threads, as many as BLAS had: limits on BLAS limit these too.

While BLAS is limited to one thread (:mod:`em.process.blas`), NumPy calls on blocks of rows run in parallel instead.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache

from em.process.blas import no_other_thread, one_blas_thread, threads_allowed


def mapped[T, S](function: Callable[[T], S], items: Iterable[T]) -> Iterator[S]:
    """Return function(item) for each item, in order; the allowed threads share the items.

    Examples
    --------
    >>> from em.process.threads import mapped
    >>> list(mapped(abs, [-1, 2]))
    [1, 2]
    """
    if (n_threads := threads_allowed()) == 1:
        return map(function, items)
    items, here = list(items), copy_context()  # NumPy's handling of floating-point errors is in the context

    def held(item: T) -> S:
        with one_blas_thread(), no_other_thread():  # nested work would wait for threads that wait for it
            return function(item)

    try:
        return _threads(n_threads).map(lambda item: here.copy().run(held, item), items)
    except RuntimeError:  # the interpreter is shutting down and starts no thread
        return map(function, items)


@cache
def _threads(n_threads: int) -> ThreadPoolExecutor:
    """Return a pool of threads that is kept, so that memory is reused."""
    return ThreadPoolExecutor(n_threads, "em")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # a forked process has none of them
