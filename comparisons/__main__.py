"""Run every standard case of every family: ``python -m comparisons``. One line and one verdict per case."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from comparisons.comparison import run as run_comparison
from comparisons.comparison.command import DRAWS, bad_input_exits, prepare_case
from comparisons.comparison.problem import FLAGS
from comparisons.comparison.report import save, tell_left_out
from comparisons.data import load
from comparisons.family import family_classes
from comparisons.output.files import check_writable
from comparisons.output.flags import takes
from comparisons.output.progress import Bars
from em.process.labels import plain


@takes(DRAWS, *(FLAGS[name] for name in ("tune", "chains", "random_state")))
def main(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results of each case; default: none are kept.")
    ] = None,
    only: Annotated[str, typer.Option(help="Comma-separated names of data sets; default: all.")] = "",
    **settings: Any,
) -> None:
    """Run every standard case, synthetic and real, of every family; one line and one verdict per case.

    Exit code 0 when every case reaches the verdict it declares, 1 when one does not, 2 for bad input.
    """
    console = Console()
    cases = [case for family in family_classes() for case in family.cases]
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    with bad_input_exits():
        if unknown := set(wanted) - {case.data for case in cases}:
            names = ", ".join(dict.fromkeys(case.data for case in cases))
            raise ValueError(f"only must name standard cases ({names}), got {', '.join(sorted(unknown))}")
        chosen = [case for case in cases if not wanted or case.data in wanted]
        problems = [prepare_case(load(case.data), case, **settings) for case in chosen]
        if out is not None:
            check_writable(out)
    missed = 0
    for case, problem in zip(chosen, problems, strict=True):
        comparison = run_comparison(problem, Bars(case.data))
        left_out = {} if out is None else save(comparison, out / case.name)
        as_declared = comparison.verdict == case.verdict
        missed += not as_declared
        mark = "[green]as declared[/]" if as_declared else f"[bold red]declared {case.verdict!r}[/]"
        seconds = sum(comparison.seconds.values())
        note = "" if as_declared else f"; {comparison.explanation}"
        structure = " ".join(map(str, problem.family.of_mixture.values()))
        name = f"{problem.family.name} {case.data:16s} K={case.n_components:<3d}{structure:10s}"
        console.print(
            f"{name} {comparison.verdict:15s} {mark} ({seconds:.0f} s{escape(plain(note))})",
            emoji=False,
            highlight=False,
            soft_wrap=True,
        )
        tell_left_out(console, left_out)
    raise typer.Exit(1 if missed else 0)


if __name__ == "__main__":
    typer.run(main)
