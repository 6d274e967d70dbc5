"""The command: draw, check, count, print."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.fuzz.check import NAMES, Verdicts, check
from benchmarks.fuzz.draws import draw

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
LONGEST = 150  # characters of a sentence in the table


def main(
    cases: Annotated[int, typer.Option(min=1, help="Number of cases.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed; a case depends on it and on its own number alone.")] = 0,
    only: Annotated[
        int | None, typer.Option("--only", "--case", min=0, help="One case: print it as Python, and its verdicts.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes; default: all processors.")] = None,
) -> None:
    """Check random fits for invariants that hold for every fit.

    The exit code is 0 if every invariant holds, 1 if one is violated, 2 for bad arguments.
    """
    console, begun = Console(), perf_counter()
    console.width = max(console.width, 150)
    if only is not None:
        print(draw(seed, only).snippet())
    numbers = range(cases) if only is None else [only]
    summary = Summary()
    with results(seed, numbers, jobs or os.cpu_count() or 1) as all_verdicts:
        steps = track(all_verdicts, "cases", total=len(numbers), console=Console(stderr=True), transient=True)
        for verdicts in steps if console.is_terminal else all_verdicts:
            summary.add(verdicts)
    longest = LONGEST if only is None else None
    console.print(summary.table(f"{len(numbers)} case(s), seed {seed}", longest))
    console.print(f"{perf_counter() - begun:.0f} seconds", highlight=False)
    raise typer.Exit(1 if summary.violated else 0)


@contextmanager
def results(seed: int, numbers: range | list[int], jobs: int) -> Iterator[Iterator[Verdicts]]:
    """Yield an iterator of the verdicts of each case in turn, from so many processes with one thread each."""
    of_seed = partial(check, seed)
    if min(jobs, len(numbers)) == 1:
        with threadpool_limits(limits=1):
            yield map(of_seed, numbers)
        return
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))  # read by the libraries when a new process loads them
    try:
        with get_context("spawn").Pool(min(jobs, len(numbers))) as pool:
            yield pool.imap(of_seed, numbers, chunksize=4)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


class Summary:
    """How often each invariant was checked and violated, and the first violation."""

    def __init__(self) -> None:
        self.checked, self.violated = dict.fromkeys(NAMES, 0), dict[str, int]()
        self.first: dict[str, tuple[int, str]] = {}

    def add(self, verdicts: Verdicts) -> None:
        """Count the verdicts of one case."""
        for name, sentence in verdicts.by_invariant.items():
            self.checked[name] += 1
            if sentence:
                self.violated[name] = self.violated.get(name, 0) + 1
                self.first.setdefault(name, (verdicts.number, sentence))

    def table(self, title: str, longest: int | None) -> Table:
        """Return a line for each invariant; sentences are cut to so many characters."""
        table = Table(title=title)
        for head in ("invariant", "checked", "violated", "first case", "what it says"):
            table.add_column(head, justify="right" if head in ("checked", "violated", "first case") else "left")
        for name in NAMES:
            number, sentence = self.first.get(name, ("", ""))
            short = sentence[:longest] + ("..." if longest and len(sentence) > longest else "")
            counts = (str(self.checked[name]), str(self.violated.get(name, 0)))
            table.add_row(name, *counts, str(number), escape(short))
        return table
