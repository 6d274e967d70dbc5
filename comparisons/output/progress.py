"""Report the progress of long steps: not at all by default, or as bars with times on a terminal."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.text import Text

from models.labels import plain
from models.watched import is_watched


class Progress:
    """Time steps and show nothing; a subclass shows them.

    Attributes
    ----------
    seconds : dict
        Time of each step that ended, by name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step."""
        began = perf_counter()
        yield
        self.seconds[name] = perf_counter() - began

    def advance_to(self, done: int, total: int) -> None:
        """Report the number of units of the current step that are done, and of all its units."""

    def tell(self, what: Any) -> None:
        """Show a sentence or a table to a person who waits."""


class Bars(Progress):
    """Show one line per step: spinner, bar if the length is known, elapsed time.

    Parameters
    ----------
    title : str
        Name of the work.
    console : Console or None
        Console of the bars; None takes standard error.
    tells : bool
        Whether to print sentences and tables too.
    """

    def __init__(self, title: str, console: Console | None = None, tells: bool = True) -> None:
        super().__init__()
        self.title, self.tells = title, tells
        console = console or Console(stderr=True)
        columns: list[ProgressColumn] = [
            SpinnerColumn(finished_text="[green]done"),
            TextColumn("{task.description}", markup=False),
        ]
        columns += [BarColumn(bar_width=30), TextColumn("{task.fields[count]}"), TimeElapsedColumn()]
        self.bars = RichProgress(*columns, console=console, transient=True, disable=not is_watched(console))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time and show a step."""
        self.task = self.bars.add_task(f"{plain(self.title)}: {name}", total=None, count="")
        with self.bars, super().step(name):
            yield
            self.bars.update(self.task, total=1, completed=1)

    def advance_to(self, done: int, total: int) -> None:
        """Show the number of units of the current step that are done, and of all its units."""
        self.bars.update(self.task, completed=done, total=total, count=f"{done} of {total}")

    def tell(self, what: Any) -> None:
        """Print a sentence or a table, above the bars."""
        if self.tells:
            self.bars.console.print(Text(plain(what)) if isinstance(what, str) else what)


def progress_for(asked: Progress | bool, title: str) -> Progress:
    """Return the given progress; for True, bars if a person watches, on a terminal or in a notebook with ipywidgets."""
    if isinstance(asked, Progress):
        return asked
    console = Console(stderr=True)
    return Bars(title, console) if asked and is_watched(console) else Progress()
