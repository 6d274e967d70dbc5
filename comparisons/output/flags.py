"""Make the flags of a command line from declared options."""

import inspect
import re
import sys
from _thread import interrupt_main
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from threading import Timer
from typing import Annotated, Any, Literal

import typer

from comparisons.declarations import Option


def takes(*options: Option) -> Callable[[Any], Any]:
    """Return a decorator that gives a typer command one flag for each option.

    The command receives them by name, or in its ``**options``. Paragraphs of its docstring become single lines, which
    the terminal wraps. No Ctrl-C is lost while the command runs.
    """

    def decorate(command: Any) -> Any:
        signature = inspect.signature(command)
        declared = {option.name for option in options}
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD and p.name not in declared]
        command.__doc__ = paragraphs(command.__doc__ or "")

        @wraps(command)
        def joined(*args: Any, **given: Any) -> Any:
            lists = {option.name for option in options if option.lists}
            with _without_lost_interrupts():
                return command(*args, **{n: _join(value) if n in lists else value for n, value in given.items()})

        joined.__signature__ = signature.replace(parameters=[*own, *map(_parameter, options)])  # type: ignore[attr-defined]
        return joined

    return decorate


@contextmanager
def _without_lost_interrupts() -> Iterator[None]:
    """Raise a Ctrl-C again that Python ignores because a callback ran, such as JAX's at each collection of garbage."""
    before = sys.unraisablehook

    def raise_again(ignored: Any) -> None:
        if ignored.exc_type is KeyboardInterrupt:
            later = Timer(0.1, interrupt_main)  # after the callback
            later.daemon = True
            later.start()
        else:
            before(ignored)

    sys.unraisablehook = raise_again
    try:
        yield
    finally:
        sys.unraisablehook = before


def named(only: str, known: Iterable[str], what: str) -> list[str]:
    """Return the names in a comma-separated list, or all known names if it is empty.

    Raises
    ------
    ValueError
        If a name is not known.
    """
    known = list(dict.fromkeys(known))
    names = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := set(names) - set(known):
        raise ValueError(f"only must name {what} ({', '.join(known)}), got {', '.join(sorted(unknown))}")
    return names or known


def paragraphs(text: str) -> str:
    """Return a docstring with each paragraph on one line."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", inspect.cleandoc(text))


def _join(lists: list[str] | None) -> str | None:
    """Return the lists of a flag that was given several times as one list; None if it was not given."""
    return ",".join(lists) if lists else None


def _parameter(option: Option) -> inspect.Parameter:
    default = option.default
    parse = option.parse or (str if default is None else type(default))
    kind: Any = Literal.__getitem__(option.choices) if option.choices else parse if isinstance(parse, type) else Any
    parser = parse if kind is Any else None
    kind, metavar = (list[str], "<a,b>") if option.lists else (kind, f"<{option.flag}>" if parser else None)
    kind = kind if default is not None else kind | None
    flag = typer.Option(f"--{option.flag}", help=f"{option.help}.", parser=parser, metavar=metavar)
    annotation: Any = Annotated[kind, flag]
    return inspect.Parameter(option.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
