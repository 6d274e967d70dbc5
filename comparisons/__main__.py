"""Run every standard case of both families: ``python -m comparisons``. One line and one verdict per case."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from comparisons.comparison import run as run_comparison
from comparisons.comparison.cases import STANDARD
from comparisons.comparison.command import bad_input_exits, prepare_case
from comparisons.comparison.report import save, tell_left_out
from comparisons.data import load
from comparisons.output.files import check_writable
from comparisons.output.progress import Bars
from em.process.labels import plain


def main(
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results of each case; default: none are kept.")
    ] = None,
    only: Annotated[str, typer.Option(help="Comma-separated names of data sets; default: all.")] = "",
    draws: Annotated[
        int | None, typer.Option(help="Posterior draws of each chain; default: the case's own, or 1000.")
    ] = None,
    tune: Annotated[int, typer.Option(help="Warm-up draws of each chain.")] = 1000,
    chains: Annotated[int, typer.Option(help="Number of chains.")] = 4,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
) -> None:
    """Run every standard case, synthetic and real, of both families; one line and one verdict per case.

    Exit code 0 when every case reaches the verdict it declares, 1 when one does not, 2 for bad input.
    """
    console = Console()
    cases = [case for family in STANDARD.values() for case in family]
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    with bad_input_exits():
        if unknown := set(wanted) - {case.data for case in cases}:
            names = ", ".join(dict.fromkeys(case.data for case in cases))
            raise ValueError(f"only must name standard cases ({names}), got {', '.join(sorted(unknown))}")
        chosen = [case for case in cases if not wanted or case.data in wanted]
        prepared = [
            prepare_case(load(case.data), case, draws=draws, tune=tune, chains=chains, seed=seed) for case in chosen
        ]
        if out is not None:
            check_writable(out)
    missed = 0
    for case, found in zip(chosen, prepared, strict=True):
        run_comparison(found, Bars(case.data))
        left_out = {} if out is None else save(found, out / case.name)
        as_declared = found.verdict == case.verdict
        missed += not as_declared
        mark = "[green]as declared[/]" if as_declared else f"[bold red]declared {case.verdict!r}[/]"
        seconds = sum(found.seconds.values())
        note = "" if as_declared else f"; {found.explanation}"
        structure = case.covariance_type if found.family.name == "gmm" else ""
        name = f"{found.family.name} {case.data:16s} K={case.n_components:<3d}{structure:10s}"
        console.print(
            f"{name} {found.verdict:15s} {mark} ({seconds:.0f} s{escape(plain(note))})",
            emoji=False,
            highlight=False,
            soft_wrap=True,
        )
        tell_left_out(console, left_out)
    raise typer.Exit(1 if missed else 0)


if __name__ == "__main__":
    typer.run(main)
