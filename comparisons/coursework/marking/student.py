"""The process that runs a student's cells: it reads requests, one JSON line each, and replies by one line each.

Requests are ``{"run": source, "cell": name}``, ``{"get": name}``, ``{"call": name, "args": [...], "kwargs": {...}}``.
The student's code may have changed everything in this process, so that a reply is no more than the student's claim. The
judge, in a process of its own, tests it.
"""

import builtins
import json
import linecache
import os
import re
import signal
import sys
import traceback
from contextlib import suppress
from typing import Any

resource: Any  # Windows has none
try:
    import resource
except ImportError:
    resource = None

MAX_MESSAGE = 300


def main() -> None:
    """Set the limits in the first line and reply that the process is ready; then answer each further line."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.chdir(os.environ["HOME"])
    limits = json.loads(requests.readline())
    set_limits(limits)
    if limits["readable"] is not None:
        refuse_outside(limits["readable"], limits["hidden"])
    student = Student(limits["seconds"])
    reply: dict[str, Any] = {"value": None}  # to the limits: ready
    while True:
        replies.write(json.dumps(reply).encode() + b"\n")
        replies.flush()
        if not (line := requests.readline()):
            return
        reply = student.answer(json.loads(line))


def set_limits(limits: dict[str, Any]) -> None:
    """Limit memory, CPU time, sizes of files, open files and processes of this process, where the system can."""
    if resource is None:
        return
    sizes = {"RLIMIT_AS": limits["memory"], "RLIMIT_FSIZE": limits["file_size"]}
    sizes |= {"RLIMIT_CPU": round(limits["total_seconds"]), "RLIMIT_NOFILE": 256, "RLIMIT_CORE": 0}
    if limits["readable"] is None:  # else processes are refused, and the user's other ones would count
        sizes["RLIMIT_NPROC"] = limits["processes"]
    for name, size in sizes.items():
        with suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (size, size))


def refuse_outside(readable: list[str], hidden: list[str]) -> None:
    """Refuse network, processes and files outside the working folder, where the system cannot: an audit hook."""
    refused = re.compile(
        r"socket\.(connect|bind|getaddrinfo|gethostby\w+|sendto)|subprocess\.Popen|os\.(fork|forkpty|exec|spawn|posix_spawn|"
        r"system|kill|killpg|startfile)|signal\.pthread_kill|pty\.spawn"
    )
    changing = re.compile(
        r"os\.(remove|rmdir|rename|link|symlink|chmod|chown|truncate|mkdir|utime|mkfifo|mknod)|shutil\.(rmtree|move)"
    )
    cwd = os.path.realpath(os.getcwd())
    inside, never = (tuple(os.path.realpath(path) + os.sep for path in paths) for paths in ((*readable, cwd), hidden))

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if refused.fullmatch(event):
            raise PermissionError(f"{event} is refused while marking")
        changes = changing.fullmatch(event) is not None
        if not changes and event not in ("open", "os.listdir", "os.scandir"):
            return
        writes = changes or (event == "open" and (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
        for path in arguments[:2] if event in ("os.rename", "os.link", "shutil.move") else arguments[:1]:
            if isinstance(path, str | bytes | os.PathLike):
                real = os.path.realpath(os.fsdecode(path)) + os.sep
                allowed = real.startswith((cwd + os.sep) if writes else inside) and not real.startswith(never)
                if not allowed and real != os.devnull + os.sep:
                    raise PermissionError(f"{os.fsdecode(path)} is outside the working folder: refused while marking")

    sys.addaudithook(hook)


class Student:
    """The namespace of a notebook, and the functions whose names were sent to the judge."""

    def __init__(self, seconds: float):
        from comparisons.coursework.marking import plain

        self.plain, self.seconds, self.process = plain, seconds, os.getpid()
        self.namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins, "display": lambda *_: None}
        self.functions: dict[str, Any] = {}
        if hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, _too_long)

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return ``{"value": ...}`` or ``{"error": a sentence}``."""
        try:
            if hasattr(signal, "setitimer"):
                signal.setitimer(signal.ITIMER_REAL, self.seconds)
            try:
                return {"value": self._do(request)}
            finally:
                if os.getpid() != self.process:
                    os._exit(0)  # a copy that the student's code made; it must not answer, too
                if hasattr(signal, "setitimer"):
                    signal.setitimer(signal.ITIMER_REAL, 0)
        except BaseException as error:
            return {"error": sentence(error)}

    def _do(self, request: dict[str, Any]) -> Any:
        """Run a cell, fetch a value or call a function, and return what is replied."""
        if "run" in request:
            source, name = without_magics(request["run"]), f"<cell {request['cell']}>"
            linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
            exec(compile(source, name, "exec"), self.namespace)
            return None
        if "get" in request:
            name = request["get"]
            if name not in self.namespace:
                raise NameError(f"name {name!r} is not defined")
            return self.plain.encode(self.namespace[name], self._remember)
        args, kwargs = (self.plain.decode(request[part], self._recall) for part in ("args", "kwargs"))
        return self.plain.encode(self.functions[request["call"]](*args, **kwargs), self._remember)

    def _remember(self, function: Any) -> str:
        key = f"{getattr(function, '__name__', 'function')}#{id(function)}"
        self.functions[key] = function
        return key

    def _recall(self, name: str, _: Any) -> Any:
        return self.functions[name]


def without_magics(source: str) -> str:
    """Return a cell with IPython's line magics and shell commands as empty lines."""
    return re.sub(r"^[ \t]*[%!].*$", lambda match: re.sub(r"\S.*", "pass", match[0]), source, flags=re.MULTILINE)


def sentence(error: BaseException) -> str:
    """Return what was raised and in which line of which cell."""
    try:
        text = str(error)[:MAX_MESSAGE]
    except BaseException:  # a student's exception may raise anything where it is shown
        text = ""
    if isinstance(error, SyntaxError):
        text, where = f"{error.msg}", f" (line {error.lineno})"
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<cell ")]
        where = f" (line {frames[-1].lineno} of {frames[-1].filename[1:-1]})" if frames else ""
    return f"{type(error).__name__}: {text}{where}" if text else f"{type(error).__name__}{where}"


def _too_long(*_: Any) -> None:
    raise TimeoutError("it took too long")


if __name__ == "__main__":
    main()
