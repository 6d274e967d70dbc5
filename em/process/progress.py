"""A progress bar for many fits, or a spinner: on a terminal or in a notebook, else nothing."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from models.watched import is_watched


def track[T](items: Iterable[T], description: str, progress: bool, total: int | None = None) -> Iterable[T]:
    """Return ``items``; with ``progress``, show a bar on standard error. ``total`` is for items without a length."""
    if not progress:
        return items
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    return rich_track(items, description, total, console=console, transient=True, disable=not is_watched(console))


def waiting(description: str, progress: bool) -> AbstractContextManager[Any]:
    """Return a context; with ``progress``, it shows a spinner on standard error."""
    from rich.console import Console

    console = Console(stderr=True)
    return console.status(description) if progress and is_watched(console) else nullcontext()
