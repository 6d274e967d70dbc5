"""A student's process as the judge sees it: cells are run, values fetched and functions called across a pipe."""

import inspect
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from comparisons.coursework.marking import sandbox
from comparisons.coursework.marking.plain import decode, encode


@dataclass(frozen=True)
class Limits:
    """Limits of a submission.

    Parameters
    ----------
    seconds : float
        Time of one cell, or of one call in a test.
    grace : float
        Time beyond ``seconds`` after which the process is killed.
    total_seconds : float
        Time of one process from its start; its CPU time has the same limit.
    memory, file_size, reply_size : int
        Bytes of the process, of a file that it writes, and of one value that the judge fetches.
    processes : int
        Number of processes and threads at a time.
    """

    seconds: float = 20.0
    grace: float = 3.0
    total_seconds: float = 120.0
    memory: int = 3 * 2**30
    file_size: int = 2**25
    reply_size: int = 2**25
    processes: int = 64


class EndedError(Exception):
    """The student's process has ended, or its reply cannot be read."""


class AnswerError(Exception):
    """A student's code raised an exception; the message describes it."""


class Answers:
    """A student's process, as a context manager; its end kills everything that the process started.

    Parameters
    ----------
    limits : Limits
        Limits of the process.
    hidden : sequence of path
        Folders that it must not see: solutions, tests, other submissions.
    """

    def __init__(self, limits: Limits, hidden: Sequence[Path] = ()):
        self._limits, self._hidden = limits, hidden

    def __enter__(self) -> "Answers":
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        folder, limits = Path(self._folder.name), self._limits
        program = [sys.executable, "-P", "-m", "comparisons.coursework.marking.student"]
        self._process = subprocess.Popen(
            sandbox.command(program, folder, self._hidden),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=sandbox.environment(folder),
            start_new_session=True,
        )
        self._waiter, self._end = ThreadPoolExecutor(1), monotonic() + limits.total_seconds
        readable = None if sandbox.can_isolate() else sandbox.readable()
        settings = asdict(limits) | {"readable": readable, "hidden": [str(path) for path in self._hidden]}
        try:
            self._wait_for(settings, limits.total_seconds)
        except EndedError as error:
            self.__exit__()
            raise RuntimeError(f"the student's process does not start: {error}") from None
        return self

    def __exit__(self, *_: Any) -> None:
        with suppress(OSError, AttributeError):  # Windows has no groups
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        self._waiter.shutdown()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]
        self._folder.cleanup()

    def run(self, source: str, cell: str) -> str | None:
        """Run a cell and return what it raised, as a sentence, or None."""
        try:
            self._ask(run=source, cell=cell)
        except AnswerError as error:
            return str(error)
        return None

    def get(self, name: str) -> Any:
        """Return the value of a name: a copy as plain data, or a :class:`Function`."""
        return self._ask(get=name)

    def call(self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a function that was fetched before and return what it returns."""
        return self._ask(call=key, args=encode(args, _key_of), kwargs=encode(kwargs, _key_of))

    def _ask(self, **request: Any) -> Any:
        """Send a request and return the value in the reply; an error in the reply is raised as an AnswerError."""
        reply = self._wait_for(request, self._limits.seconds + self._limits.grace)
        if "error" in reply:
            raise AnswerError(str(reply["error"])[:400])
        try:
            return decode(reply["value"], lambda key, parameters: Function(self, key, parameters))
        except (KeyError, ValueError, RecursionError):
            raise EndedError("the process was tampered with: its reply cannot be read") from None

    def _wait_for(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return the reply to a request; the process is ended if there is none in time."""
        left = self._end - monotonic()
        future = self._waiter.submit(self._exchange, request)
        try:
            return future.result(max(0, min(seconds, left)))
        except TimeoutError:
            self._process.kill()
            most = f"it did not stop after {self._limits.seconds:g} s"
            all_most = f"all cells together took more than {self._limits.total_seconds:g} s"
            raise EndedError(most if left > seconds else all_most) from None

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        """Write a request and read one line as the reply, or raise an EndedError."""
        try:
            with suppress(BrokenPipeError):
                self._process.stdin.write(json.dumps(request).encode() + b"\n")  # type: ignore[union-attr]
                self._process.stdin.flush()  # type: ignore[union-attr]
            line = self._process.stdout.readline(self._limits.reply_size)  # type: ignore[union-attr]
        except OSError:
            line = b""
        if not line:
            raise EndedError("the process ended (os._exit, a crash, or more memory or CPU time than allowed)")
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            big = len(line) >= self._limits.reply_size
            why = "a value is too large" if big else "the process was tampered with: its reply is no JSON"
            raise EndedError(why) from None
        if not isinstance(reply, dict):
            raise EndedError("the process was tampered with: its reply is no JSON object")
        return reply


class Function:
    """A student's function: a call of it runs in the student's process."""

    def __init__(self, answers: Answers, key: str, parameters: list[Any]):
        self._answers, self.key, self.__name__ = answers, key, key.partition("#")[0]
        with suppress(ValueError, TypeError):  # what the student's process says may be anything
            self.__signature__ = inspect.Signature([_parameter(*described) for described in parameters])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the student's function returns."""
        return self._answers.call(self.key, args, kwargs)


def _parameter(name: Any, kind: Any, has_default: Any) -> inspect.Parameter:
    default = None if has_default else inspect.Parameter.empty
    return inspect.Parameter(name, kind, default=default)


def _key_of(function: Any) -> str:
    if not isinstance(function, Function):
        raise TypeError("only a student's own function can be passed to a student's function")
    return function.key
