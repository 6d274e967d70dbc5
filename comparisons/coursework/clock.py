"""Time that a check has used: seconds in which its thread computed, however busy the machine is."""

from threading import local
from time import perf_counter, thread_time

WAITING = 3.0  # seconds on the wall that count as one, where the thread computes less: it waits, or others are served


class Clock(local):
    """The time of one thread, counted since it was last asked for."""

    def __init__(self) -> None:
        self.wall, self.own, self.total = perf_counter(), thread_time(), 0.0

    def __call__(self) -> float:
        """Return the time counted up to now."""
        wall, own = perf_counter(), thread_time()
        self.total += max(own - self.own, (wall - self.wall) / WAITING)
        self.wall, self.own = wall, own
        return self.total


_CLOCK = Clock()


def used_seconds() -> float:
    """Return the time used up to now; only differences mean something.

    On a quiet machine these are seconds on the wall, but for what sleeps; on a busy one, at most `WAITING` times fewer.
    """
    return _CLOCK()
