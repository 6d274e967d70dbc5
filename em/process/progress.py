"""A progress bar for many fits: on a terminal or in a notebook, else nothing."""

from collections.abc import Iterable

from models.watched import is_watched


def track[T](items: Iterable[T], description: str, progress: bool, total: int | None = None) -> Iterable[T]:
    """Return ``items``; with ``progress``, show a bar on standard error. ``total`` is for items without a length."""
    if not progress:
        return items
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    return rich_track(items, description, total, console=console, transient=True, disable=not is_watched(console))
