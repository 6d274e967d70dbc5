"""EM against its rivals: ``python -m benchmarks.em``.

Each pair gets the same data, start, number of iterations and threads. Each measurement runs in a process of its own,
ours and the rival's in turn. A pass is one E-step and one M-step, timed inside the fit, so that the number of passes
does not matter. Peak memory is that of the whole fit, beyond code and data. Other parts, in modules of their own, are
time to the optimum, memory-mapped files under a limit of memory, and lost digits.
"""

from collections.abc import Callable
from dataclasses import astuple
from typing import Annotated

import numpy as np
import typer
from joblib import cpu_count  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table

from benchmarks import digits, memmap, optimum
from benchmarks.cases import CASES, QUICK, Case
from benchmarks.contestants import CONTESTANTS, installed, rivals_of
from benchmarks.measure import run
from benchmarks.tables import new_console


def main(
    quick: Annotated[bool, typer.Option(help="Small shapes, to see that it runs.")] = False,
    only: Annotated[
        str, typer.Option(help="A part: passes, optimum, memmap, digits; or part of a case's name, such as 'diag'.")
    ] = "",
    repeats: Annotated[int, typer.Option(help="Measurements of each contestant, in turn.")] = 3,
    iterations: Annotated[int, typer.Option(help="Iterations of each fit.")] = 5,
    threads: Annotated[
        int | None, typer.Option(help="Threads of BLAS in each process; default: all processors.")
    ] = None,
) -> None:
    """Print seconds per pass, memory, time to the optimum and lost digits, of ours and of each rival."""
    console, threads = new_console(), threads or cpu_count()
    cases = [case for case in (QUICK if quick else CASES) if only in ("", "passes") or only in str(case)]
    parts: dict[str, Callable[[], Table]] = {
        "optimum": lambda: optimum.table(quick, threads, repeats, console),
        "memmap": lambda: memmap.table(quick),
        "digits": lambda: digits.table(quick),
    }
    wanted = [part for part in parts if only in ("", part)]
    if not cases and not wanted:
        names = ", ".join(["passes", *parts, *map(str, CASES)])
        raise typer.BadParameter(f"only must be one of the parts or part of a case, of {names}, got {only!r}")
    if cases:
        console.print(passes(cases, threads, repeats, iterations, console))
    for part in wanted:
        console.print(parts[part]())


def passes(cases: list[Case], threads: int, repeats: int, iterations: int, console: Console) -> Table:
    """Return seconds per pass, ratio and peak memory against each rival, and the share of the machine's limits."""
    limits = run({"who": "limits"}, threads)
    table = Table(
        title=f"{threads} thread(s); dgemm {limits['dgemm'] / 1e9:.0f} Gflop/s, copy {limits['copy'] / 1e9:.1f} GB/s"
    )
    for heading in [
        "case (n, D, K)",
        "rival",
        "s per pass",
        "ours",
        "ratio (range)",
        "peak MB",
        "ours",
        "of dgemm",
        "of copy",
    ]:
        table.add_column(heading, justify="left" if heading in ("case (n, D, K)", "rival") else "right")
    for case in cases:
        for rival in rivals_of(case):
            line = [str(case), *row(case, rival, limits, threads, repeats, iterations)]
            console.print("  ".join(line), style="dim")  # as it comes: the whole takes minutes
            table.add_row(*line)
    return table


def row(case: Case, rival: str, limits: dict[str, float], threads: int, repeats: int, iterations: int) -> list[str]:
    """Measure one pair in turn and return its line of the table: medians, and the range of the ratio."""
    order = {"case": astuple(case), "n_iter": iterations}
    measurements: dict[str, list[dict[str, float]]] = {"ours": [], rival: []}
    for _ in range(repeats):
        for who in filter(installed, measurements):
            measurements[who].append(run(order | {"who": who}, threads))
    ours, theirs = (
        {key: np.array([one[key] for one in repeated]) for key in repeated[0]} if repeated else None
        for repeated in measurements.values()
    )
    assert ours is not None
    seconds = float(np.median(ours["seconds"]))
    shares = [f"{case.n_flops / limits['dgemm'] / seconds:.0%}", f"{case.n_bytes / limits['copy'] / seconds:.0%}"]
    own = [f"{seconds:.4f}", f"{ours['megabytes'].max():.0f}"]
    if theirs is None:
        return [rival, "not installed" if rival in CONTESTANTS else "-", own[0], "", "", own[1], *shares]
    check_same_work(case, ours["log_likelihood"][0], theirs["log_likelihood"][0])
    ratios = theirs["seconds"] / ours["seconds"]
    ratio = f"{np.median(ratios):.1f} ({ratios.min():.1f}-{ratios.max():.1f})"
    return [
        rival,
        f"{np.median(theirs['seconds']):.4f}",
        own[0],
        ratio,
        f"{theirs['megabytes'].max():.0f}",
        own[1],
        *shares,
    ]


def check_same_work(case: Case, ours: float, theirs: float) -> None:
    """Raise an error if the two log-likelihoods differ; NaN cannot be compared."""
    if abs(ours - theirs) > 1e-9 * abs(ours):
        raise RuntimeError(f"{case}: log-likelihoods differ after the same iterations, {ours!r} and {theirs!r}")


if __name__ == "__main__":
    typer.run(main)
