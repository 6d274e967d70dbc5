"""``python -m comparisons.calibration``."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from comparisons.calibration import check_sizes
from comparisons.comparison.command import bad_input_exits
from comparisons.comparison.problem import FLAGS
from comparisons.families import family_classes
from comparisons.output.console import tell
from comparisons.output.files import check_writable
from comparisons.output.flags import named, takes

NO_JACOBIAN = "no Jacobian"


@takes(FLAGS["random_state"])
def main(
    random_state: int,
    only: Annotated[str, typer.Option(help="Comma-separated names of settings; default: all.")] = "",
    simulations: Annotated[int, typer.Option(help="Simulations of each setting.")] = 500,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder for tables and figures.")] = Path("results/calibration"),
) -> None:
    """Calibrate every model under every prior: NUTS, the Gibbs sampler where it applies, and some broken densities.

    Each line says whether the ranks of the truth are uniform (family-wise alpha 0.01 over all lines; p is multiplied by
    the number of tests), and gives the smallest and largest coverage of 95 % intervals over the parameters. For each
    line, the out folder receives a table of all quantities (.txt), a figure with simultaneous bands (.png) and the
    ranks (.nc, for ArviZ).

    Exit code: 0 if all samplers are calibrated and all broken densities are detected, 1 if not, 2 for bad input.
    """
    known = [f"{family.name}-{name}" for family in family_classes() for name in family.calibrations]
    with bad_input_exits():
        wanted = named(only, known, "settings")
        check_sizes(simulations, workers, random_state)
        folder = check_writable(out)
    passed = _run(wanted, folder, n_simulations=simulations, random_state=random_state, workers=workers)
    raise typer.Exit(0 if passed else 1)


def _run(names: list[str], folder: Path, **settings: Any) -> bool:
    """Run settings by name, print and write the result of each; return whether all results are as expected."""
    from comparisons.calibration.result import KINDS
    from comparisons.calibration.simulations import BROKEN, LEVEL, SETTINGS
    from comparisons.calibration.steps import calibrate
    from models.tables import table_lines

    console = Console()
    console.width = max(console.width, 120)
    calibrations: dict[tuple[str, str], Any] = {}
    for name in names:
        run = partial(calibrate, SETTINGS[name], **settings)
        of_name = run(samplers=("NUTS", "Gibbs") if SETTINGS[name].has_gibbs else ("NUTS",))
        if name in BROKEN:
            of_name[NO_JACOBIAN] = run(jacobian=False)["NUTS"]
        for sampler, calibration in of_name.items():  # shown at once, because all settings take long
            p = f"least p of {len(calibration.p_values)}: {min(calibration.p_values.values()):.2g}"
            console.print(f"{name}, {sampler}: {calibration.seconds:.0f} s, {p}", style="dim", highlight=False)
            calibration.save(folder, f"{name}-{sampler.replace(' ', '-')}")
            calibrations[name, sampler] = calibration
    n_tests = sum(len(one.p_values) for (_, sampler), one in calibrations.items() if sampler != NO_JACOBIAN)
    rows, missed = [["setting", "sampler", "s", "ESS", "p x tests", *KINDS, ""]], 0
    for (name, sampler), one in calibrations.items():
        passed, broken = one.passed(n_tests=n_tests), sampler == NO_JACOBIAN
        missed += passed == broken
        verdict = ("MISSED" if passed else "caught") if broken else "uniform" if passed else "NOT UNIFORM"
        p = f"{min(1.0, min(one.p_values.values()) * n_tests):.2g}"
        rows.append([name, sampler, f"{one.seconds:.0f}", f"{np.median(one.ess):.0f}", p, *one.ranges(), verdict])
    tell(console, f"Calibration, {settings['n_simulations']} simulations each, {n_tests} tests")
    for line in table_lines(rows):
        tell(console, line)
    note = "a parameter without an interval counts as not covered"
    tell(console, f"Coverage over the parameters of nominal {LEVEL:.0%} intervals; {note}. Written to {folder}/")
    return not missed


if __name__ == "__main__":
    typer.run(main)
