"""Progress on many fits: silent by default, a bar on a terminal or in a notebook."""

from collections.abc import Iterable, Sequence


def track[T](items: Sequence[T], description: str, progress: bool) -> Iterable[T]:
    """Return ``items``; with ``progress``, going through them moves a bar on standard error."""
    if not progress:
        return items
    from rich.console import Console
    from rich.progress import track as rich_track

    console = Console(stderr=True)
    shown = console.is_terminal or console.is_jupyter
    return rich_track(items, description, console=console, transient=True, disable=not shown)
