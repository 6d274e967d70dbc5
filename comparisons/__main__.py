"""Run every standard case of every family: ``python -m comparisons``. Each case prints one line with its verdict."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from comparisons.comparison.command import DRAWS, bad_input_exits, prepare_case
from comparisons.comparison.problem import FLAGS, Problem
from comparisons.data import load
from comparisons.declarations import Case
from comparisons.families import family_classes
from comparisons.output.console import tell
from comparisons.output.files import check_writable
from comparisons.output.flags import named, takes
from comparisons.output.progress import Bars


@takes(DRAWS, *(FLAGS[name] for name in ("tune", "chains", "random_state")))
def main(
    out: Annotated[Path | None, typer.Option(help="Folder for the results of each case; default: none.")] = None,
    only: Annotated[str, typer.Option(help="Comma-separated names of data sets; default: all.")] = "",
    **settings: Any,
) -> None:
    """Run every standard case of every family, with synthetic and real data; print one line with a verdict for each.

    Exit code: 0 if every case reaches its declared verdict, 1 if one does not, 2 for bad input.
    """
    cases = [case for family in family_classes() for case in family.cases]
    with bad_input_exits():
        wanted = named(only, [case.data for case in cases], "standard cases")
        chosen = [case for case in cases if case.data in wanted]
        problems = [prepare_case(load(case.data), case, **settings) for case in chosen]
        if out is not None:
            check_writable(out)
    as_declared = [_run(case, problem, out) for case, problem in zip(chosen, problems, strict=True)]
    raise typer.Exit(0 if all(as_declared) else 1)


def _run(case: Case, problem: Problem, out: Path | None) -> bool:
    """Run a case, print its line and write its results; return whether its verdict is the declared one."""
    from comparisons.comparison import report, steps

    console, comparison = Console(), steps.run(problem, Bars(case.data, tells=False))
    if out is not None:
        report.save(comparison, out / case.name)
    as_declared, structure = comparison.verdict == case.verdict, " ".join(map(str, problem.family.of_mixture.values()))
    mark, style = ("as declared", "green") if as_declared else (f"declared {case.verdict!r}", "bold red")
    name = f"{problem.family.name} {case.data:16s} K={case.n_components:<3d}{structure:10s} {comparison.verdict:15s} "
    note = "" if as_declared else f"; {comparison.explanation}"
    tell(console, name, (mark, style), f" ({sum(comparison.seconds.values()):.0f} s{note})")
    return as_declared


if __name__ == "__main__":
    typer.run(main)
