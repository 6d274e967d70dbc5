"""``python -m comparisons.auditing --model fit.json --data mine.csv``: audit a fit stored in a file."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from comparisons.comparison.command import DATA, bad_input_exits, flags_of_any_family
from comparisons.comparison.problem import FLAGS, split
from comparisons.data import built_in, find
from comparisons.output.console import tell, tell_read
from comparisons.output.flags import takes

MODEL = 'A file that em.save wrote, or JSON such as {"family": "gmm", "weights": ..., "means": ..., "covariances": ...}'


@takes(*flags_of_any_family("random_state"))
def main(
    model: Annotated[Path, typer.Option(help=f"{MODEL}.")],
    data: Annotated[str, typer.Option(help=f"{DATA}.")] = "faithful",
    report: Annotated[Path | None, typer.Option(help="An HTML file for the audit; default: none.")] = None,
    **flags: Any,
) -> None:
    """Audit a fit on the data that it was fitted to: one page, a verdict for each question, and what to do.

    Exit code 0 when nothing is wrong, 1 when something is, 2 for bad input.
    """
    settings, options = split(flags, {name: flags[name] for name in FLAGS.keys() & flags.keys()})
    options = {name: value for name, value in options.items() if value is not None}
    of_fit: dict[str, str] = {}
    with bad_input_exits((ValueError, OSError), of_fit):
        from comparisons.auditing.files import fit_of
        from em.saving.whole_files import write_whole

        if report is not None:
            write_whole(report, None)
        fit, family = fit_of(model, options.pop("family", None))
        names = getattr(fit, "feature_names_in_", None)
        if names is not None and data not in built_in() and "columns" not in options:
            options["columns"], of_fit["columns"] = list(names), "the file lacks a feature of the model: "
        dataset = find(data, family, **options)
        tell_read(Console(), dataset.notes)
        from comparisons.auditing.steps import audit

        result = audit(fit, dataset.to_frame(), family, **dataset.options, **settings)
        result.print()
        if report is not None:
            result.report(report)
            tell(Console(), f"Written to {report}")
    raise typer.Exit(int(result.verdict == "wrong"))


if __name__ == "__main__":
    typer.run(main)
