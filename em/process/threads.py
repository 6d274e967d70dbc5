"""Threads of Python that share what is large, as many as BLAS might have: whoever limits BLAS's limits these.

While BLAS is held to one thread (:mod:`em.process.blas`), NumPy's calls on blocks of rows run side by side instead.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache

from em.process.blas import no_other_thread, one_blas_thread, threads_allowed


def mapped[T, S](function: Callable[[T], S], items: Iterable[T]) -> Iterator[S]:
    """Return what a function gives for each item, in their order; threads that are allowed share the items.

    Examples
    --------
    >>> from em.process.threads import mapped
    >>> list(mapped(abs, [-1, 2]))
    [1, 2]
    """
    if (n_threads := threads_allowed()) == 1:
        return map(function, items)
    items, here = list(items), copy_context()  # in which NumPy handles its floating-point errors as it does here

    def held(item: T) -> S:
        with one_blas_thread(), no_other_thread():  # which would wait for a thread that waits for it
            return function(item)

    try:
        return _threads(n_threads).map(lambda item: here.copy().run(held, item), items)
    except RuntimeError:  # no thread begins any more where the interpreter ends
        return map(function, items)


@cache
def _threads(n_threads: int) -> ThreadPoolExecutor:
    """Return threads that stay, with the memory that they write to."""
    return ThreadPoolExecutor(n_threads, "em")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # a forked process has none of them
