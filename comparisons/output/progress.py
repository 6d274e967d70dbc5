"""Progress on long steps: silent from Python, a bar with time on the command line."""

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
    """Where steps are timed and reported: nowhere. A subclass shows them.

    Attributes
    ----------
    seconds : dict
        Time of each step that ended, by name.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Open a step."""
        began = perf_counter()
        yield
        self.seconds[name] = perf_counter() - began

    def advance_to(self, done: int, total: int) -> None:
        """Say how many units of the open step are done, and how many there are."""

    def tell(self, what: Any) -> None:
        """Say what a person who waits wants to know: a sentence or a table."""


class Bars(Progress):
    """One line per step: spinner, bar where the length is known, elapsed time. It goes to standard error.

    Parameters
    ----------
    title : str
        What is worked on.
    console : Console or None
        Where bars are shown; standard error where there is none.
    tells : bool
        Whether sentences and tables are printed too.
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
        """Open a step."""
        self.task = self.bars.add_task(f"{plain(self.title)}: {name}", total=None, count="")
        with self.bars, super().step(name):
            yield
            self.bars.update(self.task, total=1, completed=1)

    def advance_to(self, done: int, total: int) -> None:
        """Say how many units of the open step are done, and how many there are."""
        self.bars.update(self.task, completed=done, total=total, count=f"{done} of {total}")

    def tell(self, what: Any) -> None:
        """Print a sentence or a table, above the bars."""
        if self.tells:
            self.bars.console.print(Text(plain(what)) if isinstance(what, str) else what)


def bars_where_watched(title: str) -> Progress:
    """Return bars where a person watches, in a terminal or a notebook with ipywidgets, and else what shows nothing."""
    console = Console(stderr=True)
    return Bars(title, console) if is_watched(console) else Progress()
