"""The commands of coursework: release assignments, mark submissions, check a script."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from comparisons.comparison.command import bad_input_exits
from comparisons.coursework.sources import FOLDER
from comparisons.output.console import tell
from comparisons.output.files import check_writable

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, help="Set, mark and check coursework.", no_args_is_help=True
)
SOURCE = Annotated[Path, typer.Option(help="Folder of the assignments with solutions.")]


@app.command()
def release(
    folder: Annotated[Path, typer.Argument(help="Where the student versions go.")] = Path("release"),
    source: SOURCE = FOLDER,
) -> None:
    """Write student versions of the assignments: no solutions, no hidden tests. Exit code 0, or 2 for bad input."""
    from comparisons.coursework.release import release as write_all

    with bad_input_exits((ValueError, OSError)):
        written = write_all(folder, source)
    tell(Console(), f"{len(written)} assignments written to {folder}/: {', '.join(path.stem for path in written)}")


@app.command()
def mark(
    folder: Annotated[
        Path, typer.Argument(help="Submissions: <student>/<assignment>.ipynb or <student>_<assignment>.ipynb.")
    ],
    source: SOURCE = FOLDER,
    assignment: Annotated[str | None, typer.Option(help="All submissions are of this assignment.")] = None,
    roster: Annotated[Path | None, typer.Option(help="CSV file of the class: student, name, email.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the marks; default: marks, beside FOLDER.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Submissions at a time.")] = 2,
    seconds: Annotated[float, typer.Option(min=1, help="Most seconds of one cell, and of one call in a test.")] = 20.0,
    memory: Annotated[int, typer.Option(min=256, help="Most memory of a submission, in MB.")] = 3072,
) -> None:
    """Mark notebooks by the assignments' own tests; each is run by itself, shut off, with limits.

    Written: marks.csv, a row for each submission; reasons.csv, a row for each cell with points; marks.json, all of it
    and the answers that are to be read; feedback/, a page for each submission. Exit code 0, or 2 for bad input.
    """
    from comparisons.coursework.marking.answers import Limits
    from comparisons.coursework.marking.folder import mark as mark_all
    from comparisons.coursework.marking.folder import write
    from comparisons.coursework.marking.sandbox import NOT_ISOLATED, can_isolate

    console = Console()
    if not can_isolate():
        tell(console, ("Warning:", "bold yellow"), f" {NOT_ISOLATED}.")

    def show(marks: dict[str, Any]) -> None:
        to_read = f", {marks['to_read']:g} to be read" if marks["to_read"] else ""
        lost = [mark["cell"] for mark in marks["marks"] if mark["points"] < mark["of"] and mark["kind"] == "test"]
        note = "".join(f"; {note}" for note in marks["notes"][:1])
        why = f"; not right: {', '.join(lost)}" if lost and marks["points"] else note
        tell(console, f"{marks['submission']}: ", (f"{marks['points']:g} of {marks['of']:g}", "bold"), to_read, why)

    limits = Limits(seconds, total_seconds=max(120.0, 3 * seconds), memory=memory * 2**20)
    with bad_input_exits((ValueError, OSError)):
        out = check_writable(folder.resolve().parent / "marks" if out is None else out)
        check_writable(out / "feedback")
        results = mark_all(folder, source, only=assignment, roster=roster, limits=limits, jobs=jobs, tell=show)
        written = write(results, out, source)
    for marks in results:
        if not marks["submission"]:
            tell(
                console,
                f"{marks['student']} {marks['name']}".strip(),
                f", {marks['assignment']}: {'; '.join(marks['notes'])}",
            )
    tell(console, f"Written: {', '.join(map(str, written))}")


@app.command()
def check(
    script: Annotated[
        Path, typer.Argument(help="A Python file with functions e_step, m_step, log_likelihood, q, fit.")
    ],
    family: Annotated[str, typer.Option(help="gmm, bmm, pmm, cmm, a family that was added, or kmeans.")] = "gmm",
    option: Annotated[
        list[str] | None,
        typer.Option(help="An option of the check as name=value, such as covariance_type=diag or n_trials=10."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Name each mistake, not only hint at it.")] = False,
) -> None:
    """Check the steps of a script and hint at what is wrong. Exit code 0 if all is right, 1 if not, 2 for bad input."""
    console, all_right = Console(), True
    with bad_input_exits((ValueError, TypeError, OSError)):
        if not script.is_file():
            raise ValueError(f"script must be a Python file that exists, got {script}")
        from comparisons.coursework.script import checks_of, options_of

        for _, result in checks_of(script, family, **options_of(option or ())):
            page = result.explain() if explain and not result.right else str(result)
            for line in page.replace("print what explain() of this result returns", "add --explain").splitlines():
                tell(console, line)
            console.print()
            all_right &= result.right
    raise typer.Exit(0 if all_right else 1)


if __name__ == "__main__":
    installed = sys.argv[0].startswith("mixture-twins ")
    app(prog_name=sys.argv[0] if installed else "python -m comparisons.coursework")
