"""Run a student's function within a time limit, without its output, and record what it raised or changed.

The limit is a timer of the operating system. Python serves it in the main thread only, and Windows does not have it:
elsewhere `can_limit` is false, and there is no limit. Code that catches the first interruption is interrupted at each
line, so that an endless loop around an ``except`` ends too. Nothing is pickled or forked, so functions of a notebook
work.
"""

import gc
import inspect
import io
import signal
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from time import thread_time
from types import FrameType
from typing import Any

import numpy as np

from comparisons.coursework.clock import used_seconds
from em.process.process_wide import without_warnings
from models.shown import shown

AGAIN = 0.05  # seconds after which the timer goes off again, if code caught the first interruption
WAITS, SHORT = 0.1, 0.2  # a call waits if it computes less than this share of the wall time, after these seconds


class Overtime(BaseException):
    """The time limit was reached; no `except Exception` of the student's code catches it."""


class _Sink(io.StringIO):
    """A stream that discards what is printed."""

    def write(self, text: str) -> int:
        return len(text)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a call.

    Attributes
    ----------
    value : object
        The value returned.
    error : str
        The exception with the line of the student's code that raised it, or that time was up; "" if it returned.
    seconds : float
        Time that the call used.
    changed : tuple of int or str
        Positions and names of the arguments that it changed in place.
    overtime : bool
        Whether the limit was reached.
    """

    value: Any = None
    error: str = ""
    seconds: float = 0.0
    changed: tuple[int | str, ...] = ()
    overtime: bool = False


def can_limit() -> bool:
    """Whether a time limit can be set here."""
    return hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise `Overtime` in a call by `_call_student` in the block when so many seconds are over, where `can_limit`."""
    if not can_limit():
        yield
        return
    events = sys.monitoring
    tool = next((i for i in range(events.OPTIMIZER_ID + 1) if events.get_tool(i) is None), None)

    stops: list[bool] = []
    until, waits = used_seconds() + seconds, thread_time() + WAITS * (seconds - SHORT)

    def stop(_: int, frame: FrameType | None) -> None:
        if used_seconds() < until and thread_time() > waits:
            return  # others use the machine: the timer goes off again
        if stops and tool is not None:
            events.set_events(tool, events.events.LINE)
        stops.append(True)
        _stop(frame)

    if tool is not None:
        events.use_tool_id(tool, __name__)
        events.register_callback(tool, events.events.LINE, lambda *_: _stop(inspect.currentframe()))
    handler = signal.signal(signal.SIGALRM, stop)
    previous_timer = signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3), AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *previous_timer)
        signal.signal(signal.SIGALRM, handler)
        if tool is not None:
            events.set_events(tool, events.events.NO_EVENTS)
            events.register_callback(tool, events.events.LINE, None)
            events.free_tool_id(tool)


def _stop(frame: FrameType | None) -> None:
    """Raise `Overtime` if a student's function is running: if `_call_student` is among the callers of a frame.

    What the garbage collector or a weak reference calls meanwhile is not stopped: Python ignores what is raised there.
    """
    collector_callbacks = {getattr(callback, "__code__", None) for callback in gc.callbacks}
    while frame is not None and frame.f_code is not _call_student.__code__:
        ignored = frame.f_code in collector_callbacks or frame.f_code.co_filename == weakref.__file__
        frame = None if ignored else frame.f_back
    if frame is not None:
        raise Overtime


def _call_student(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return function(*args, **kwargs)


def answer_of(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], seconds: float) -> Outcome:
    """Call a function by `run`, if time is left; a method that returns None answers by its object."""
    if seconds <= 0:
        return Outcome(error="no answer within the time limit", overtime=True)
    outcome = run(function, args, kwargs, seconds)
    if outcome.error or outcome.value is not None:
        return outcome
    owner = getattr(function, "__self__", None)
    missing = "" if owner is not None else "returned None: is a return missing?"
    return Outcome(owner, missing, outcome.seconds, () if missing else outcome.changed)


def run(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], seconds: float) -> Outcome:
    """Call a function on copies of its arguments."""
    own_args, own_kwargs = [_copy(value) for value in args], {name: _copy(value) for name, value in kwargs.items()}
    start = used_seconds()
    value: Any = None
    error, overtime = "", False
    try:
        with (
            at_most(seconds),
            without_warnings,
            np.errstate(all="ignore"),
            redirect_stdout(_Sink()),
            redirect_stderr(_Sink()),
        ):
            value = _call_student(function, own_args, own_kwargs)
    except Overtime:
        error, overtime = f"no answer within {seconds:.2g} s", True
    except KeyboardInterrupt:
        raise
    except BaseException as raised:  # a student's code may raise anything, SystemExit too
        error = _describe(raised)
    taken = used_seconds() - start
    places: list[tuple[int | str, Any]] = [*enumerate(own_args), *own_kwargs.items()]
    given = [*args, *kwargs.values()]
    changed = tuple(place for (place, now), then in zip(places, given, strict=True) if not _same(now, then))
    return Outcome(value, error, taken, changed, overtime)


def _copy(value: Any) -> Any:
    return value.copy() if isinstance(value, np.ndarray) else value


def _same(now: Any, then: Any) -> bool:
    return not isinstance(now, np.ndarray) or np.array_equal(now, then, equal_nan=now.dtype.kind == "f")


def _describe(raised: BaseException) -> str:
    """Return class, message and line of an exception."""
    frames = [frame for frame in traceback.extract_tb(raised.__traceback__) if frame.filename != __file__]
    innermost = next(
        (f for f in reversed(frames) if "site-packages" not in f.filename and "/lib/python" not in f.filename), None
    )
    line = f": {innermost.line}" if innermost and innermost.line else ""
    where = f", in line {innermost.lineno}{line}" if innermost else ""
    return f"{type(raised).__name__}: {shown(str(raised))[1:-1]}{where}"
