"""``python -m comparisons.components``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from comparisons.comparison.command import DATA, bad_input_exits, flags_of_any_family, show_table
from comparisons.components import Sampler
from comparisons.output.flags import takes
from comparisons.output.progress import Bars


@takes(*flags_of_any_family("draws", "tune", "random_state"))
def main(
    data: Annotated[str, typer.Option(help=f"{DATA}.")] = "faithful",
    max_components: Annotated[int, typer.Option(min=1, help="The largest number of components.")] = 4,
    sampler: Annotated[Sampler, typer.Option(help="Where the draws for cross-validation come from.")] = "nuts",
    evidence: Annotated[bool, typer.Option(help="Whether to run SMC, if the prior is not conjugate.")] = True,
    particles: Annotated[int, typer.Option(help="Particles of SMC.")] = 2000,
    out: Annotated[Path, typer.Option(help="Folder for the figure.")] = Path("results"),
    **options: Any,
) -> None:
    """Compare numbers of components by BIC, ICL, leave-one-out and evidence; write the figure to the out folder.

    Exit code 0, or 2 for bad input.
    """

    def make(*args: Any, **given: Any) -> Any:
        from comparisons.components import compare_components

        of_table: dict[str, Any] = {"n_components": range(1, max_components + 1), "progress": Bars(Path(data).stem)}
        chosen = {"sampler": sampler, "evidence": evidence, "particles": particles}
        with bad_input_exits(flags={"n_components": "--max-components: "}):
            return compare_components(*args, **of_table | chosen | given)

    show_table("components", data, out, options, make, "")


if __name__ == "__main__":
    typer.run(main)
