"""Hold settings of the whole process for as long as any thread needs them.

BLAS's number of threads, the warning filters, a logger's level and PyTensor's flags are shared by all threads. A
context manager that saves such a setting and restores it fails when two threads overlap: the second saves the value
that the first has set, and restores it when it leaves last. So the threads inside are counted, under a lock.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from threading import RLock

EXPECTED = (  # warnings of other libraries that the callers here handle themselves
    "X does not have valid feature names",
    "The optimizer did not converge",
    "The RandomType SharedVariables",
    "Estimated shape parameter",
    "Glyph .* missing from",  # a name in letters that a figure's font lacks
)


class ProcessWide[T]:
    """A process-wide setting as a context manager: the first thread to enter sets, the last to leave restores.

    Parameters
    ----------
    setting : callable
        Returns a context manager that sets on entry and restores on exit. All threads get the value of its entry.

    Examples
    --------
    >>> from contextlib import contextmanager
    >>> from em.process.process_wide import ProcessWide
    >>> @contextmanager
    ... def loud():
    ...     print("set")
    ...     yield
    ...     print("restored")
    >>> shared = ProcessWide(loud)
    >>> with shared:
    ...     with shared:
    ...         print("inside twice")
    set
    inside twice
    restored
    """

    def __init__(self, setting: Callable[[], AbstractContextManager[T]]) -> None:
        self._setting = setting
        self._lock = RLock()  # a signal handler may enter while its own thread holds the lock
        self._inside = 0

    def __enter__(self) -> T:
        with self._lock:
            if self._inside == 0:
                held = self._setting()
                self._given = held.__enter__()
                self._held = held
            self._inside += 1
            return self._given

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._held.__exit__(None, None, None)


@contextmanager
def within[T](variable: ContextVar[T], value: T) -> Iterator[None]:
    """Set a context variable inside."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


@contextmanager
def _ignored(*messages: str) -> Iterator[None]:
    with warnings.catch_warnings():
        for message in messages:
            warnings.filterwarnings("ignore", message=message)
        yield


# One for all messages: each context that restores the list of filters restores all of it.
without_expected_warnings = ProcessWide(lambda: _ignored(*EXPECTED))

# For code of others whose results are judged, not its warnings: a student's steps, a library's fits.
without_warnings = ProcessWide(lambda: _ignored(""))
