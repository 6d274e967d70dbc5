"""Measure the time that a check uses in seconds of its own thread, so that a busy machine does not shorten it."""

from threading import local
from time import perf_counter, thread_time

WAITING = 3.0  # seconds on the wall that count as one second while the thread does not compute


class Clock(local):
    """Count the time of one thread: each call adds what was used since the call before."""

    def __init__(self) -> None:
        self.wall, self.cpu, self.total = perf_counter(), thread_time(), 0.0

    def __call__(self) -> float:
        """Return the time counted up to now."""
        wall, cpu = perf_counter(), thread_time()
        self.total += max(cpu - self.cpu, (wall - self.wall) / WAITING)
        self.wall, self.cpu = wall, cpu
        return self.total


_CLOCK = Clock()


def used_seconds() -> float:
    """Return the time that this thread has used; only differences of two calls mean something.

    While the thread computes, a second is a second of CPU time. While it sleeps or other processes run, `WAITING`
    seconds on the wall count as one.
    """
    return _CLOCK()
