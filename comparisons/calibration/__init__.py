"""Simulation-based calibration: whether a sampler draws from the posterior of the model that made the data.

Draw a truth θ* from the prior and data X from θ*. Then θ* is itself a draw from p(θ | X), so that among L independent
draws θ_1, ..., θ_L of a correct sampler the rank of f(θ*, X) is uniform on 0, ..., L, whatever the function f. Over
many simulations the ranks are tested for uniformity; whatever fails shows an error in the model's density, in the
sampler, or in the truth's simulation. :func:`comparisons.calibration.simulations.quantities` lists the functions f.

Two samplers are held to this test: "NUTS" on the marginal PyMC model, as in a comparison of these data, compiled once
for all simulations; and, where the prior is conjugate, the Gibbs sampler of :mod:`em.gibbs`. Beside each stand the
coverages of its 95 % intervals and of EM's, by maximum likelihood and by Laplace's approximation at MAP: over data from
the prior a posterior's must be 95 %, EM's is what large samples make of it.

From the command line: ``python -m comparisons.calibration``.

References
----------
Talts, Betancourt, Simpson, Vehtari & Gelman (2018), Validating Bayesian inference algorithms with simulation-based
calibration, arXiv:1804.06788.
Modrák, Moon, Kim, Bürkner, Huurre, Faltejsková, Gelman & Vehtari (2023), Simulation-based calibration checking for
Bayesian computation: the choice of test quantities shapes sensitivity, Bayesian Analysis 20, 461-488.
Säilynoja, Bürkner & Vehtari (2022), Graphical test for discrete uniformity and its applications in goodness-of-fit
evaluation and multiple sample comparison, Statistics and Computing 32, 32: the simultaneous bands.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from comparisons.calibration.result import KINDS, Calibration, summary
from comparisons.calibration.simulations import BROKEN, LEVEL, SETTINGS, Setting
from comparisons.calibration.simulators import gibbs_ranks, simulations
from comparisons.comparison.command import bad_input_exits
from comparisons.comparison.report import tell_left_out
from comparisons.output.console import tell
from comparisons.output.files import check_writable
from em.process.progress import track
from em.process.table import table_lines
from models.shown import shown
from models.validation import count_at_least, count_at_least_one

NO_JACOBIAN = "no Jacobian"
MIN_SIMULATIONS = 20


def calibrate(
    setting: Setting,
    *,
    samplers: Sequence[str] = ("NUTS",),
    n_simulations: int = 500,
    jacobian: bool = True,
    random_state: int = 0,
    workers: int = 1,
    progress: bool = False,
) -> dict[str, Calibration]:
    """Run many simulations, each with a truth of its own, through the samplers.

    Parameters
    ----------
    setting : Setting
        Model, prior and shape of the data.
    samplers : sequence of {"NUTS", "Gibbs"}
        What to hold to the test, on the same simulations; Gibbs needs a conjugate prior, and no missing Gaussian cell.
    n_simulations : int, default 500
        Number of simulations.
    jacobian : bool, default True
        False leaves the Jacobian of the unconstrained scale out of NUTS's density: an error, for showing that it is
        caught.
    random_state : int, default 0
        Seed; a simulation has the same truth, data and draws of NUTS whatever the number of simulations and workers.
        Gibbs draws for all simulations at once, and its draws depend on their number.
    workers : int, default 1
        Number of processes.
    progress : bool, default False
        Whether to show a bar.

    Returns
    -------
    dict of Calibration
        By sampler.

    Raises
    ------
    ValueError
        If a sampler is none, or does not fit the setting, or there are fewer than 20 simulations.

    Examples
    --------
    >>> from comparisons.calibration import calibrate
    >>> from comparisons.calibration.simulations import Setting
    >>> from models.bmm import BMMPrior
    >>> setting = Setting(BMMPrior(4.0, 1.0, 1.0), n_samples=30, n_features=4)
    >>> calibration = calibrate(setting, samplers=["Gibbs"], n_simulations=40)["Gibbs"]
    >>> calibration.n_simulations, calibration.passed()
    (40, True)
    """
    if not samplers or not set(samplers) <= {"NUTS", "Gibbs"}:
        raise ValueError(f"samplers must be NUTS, Gibbs or both, got {shown(samplers)}")
    _check(n_simulations, workers, random_state)
    if "Gibbs" in samplers and not setting.has_gibbs:
        raise ValueError("samplers must not hold Gibbs here: the prior is not conjugate, or Gaussian cells are missing")
    if setting.prior.conjugate:
        setting.prior.check_mode()
    seeds = np.random.SeedSequence(random_state).generate_state(n_simulations).tolist()
    start = perf_counter()
    results = simulations(setting, seeds, "NUTS" in samplers, jacobian, workers)
    waited = zip(track(seeds, "Simulations", progress), results, strict=True)
    simulated, by_nuts = zip(*(result for _, result in waited), strict=True)
    ranked: dict[str, tuple[Any, float]] = {"NUTS": (by_nuts, perf_counter() - start)}
    if "Gibbs" in samplers:
        start = perf_counter()
        ranked["Gibbs"] = gibbs_ranks(setting, simulated, random_state), perf_counter() - start
    return {sampler: summary(sampler, simulated, *ranked[sampler]) for sampler in samplers}


def _check(n_simulations: int, workers: int, random_state: int) -> None:
    if count_at_least_one("n_simulations", n_simulations) < MIN_SIMULATIONS:
        raise ValueError(f"n_simulations must be at least {MIN_SIMULATIONS} to tell anything, got {n_simulations}")
    count_at_least_one("workers", workers)
    count_at_least("random_state", random_state, 0)


def main(
    only: Annotated[str, typer.Option(help="Comma-separated names of settings; default: all.")] = "",
    simulations: Annotated[int, typer.Option(help="Simulations of each setting.")] = 500,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for tables and figures.")] = Path("results/calibration"),
) -> None:
    """Calibrate every model under every prior: NUTS, the Gibbs sampler where it applies, and two broken densities.

    One line each: whether the ranks of the truth are uniform (family-wise alpha 0.01 over all lines; p is multiplied
    by the number of tests), and the least and largest coverage of 95 % intervals over the parameters. Exit code 0 when
    all are calibrated and the broken ones are caught, 1 when not, 2 for bad input. Written to the out folder as they
    come, for each line: the table of all quantities (.txt), the figure with simultaneous bands (.png), the ranks (.nc,
    for ArviZ).
    """
    console = Console()
    console.width = max(console.width, 120)
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    with bad_input_exits():
        if unknown := set(wanted) - set(SETTINGS):
            raise ValueError(f"only must name settings ({', '.join(SETTINGS)}), got {', '.join(sorted(unknown))}")
        _check(simulations, workers, seed)
        folder = check_writable(out)
    calibrations: dict[tuple[str, str], Calibration] = {}
    for name in wanted or SETTINGS:
        run = partial(calibrate, SETTINGS[name], n_simulations=simulations, random_state=seed, workers=workers)
        of_name = run(samplers=("NUTS", "Gibbs") if SETTINGS[name].has_gibbs else ("NUTS",), progress=True)
        if name in BROKEN:
            of_name[NO_JACOBIAN] = run(jacobian=False, progress=True)["NUTS"]
        for sampler, calibration in of_name.items():  # as it comes: the whole takes long
            p = f"least p of {len(calibration.p_values)}: {min(calibration.p_values.values()):.2g}"
            console.print(f"{name}, {sampler}: {calibration.seconds:.0f} s, {p}", style="dim", highlight=False)
            tell_left_out(console, calibration.save(folder, f"{name}-{sampler.replace(' ', '-')}"))
            calibrations[name, sampler] = calibration
    n_tests = sum(len(one.p_values) for (_, sampler), one in calibrations.items() if sampler != NO_JACOBIAN)
    rows, missed = [["setting", "sampler", "s", "ESS", "p x tests", *KINDS, ""]], 0
    for (name, sampler), one in calibrations.items():
        passed, broken = one.passed(n_tests=n_tests), sampler == NO_JACOBIAN
        missed += passed == broken
        verdict = ("MISSED" if passed else "caught") if broken else "uniform" if passed else "NOT UNIFORM"
        p = f"{min(1.0, min(one.p_values.values()) * n_tests):.2g}"
        rows.append([name, sampler, f"{one.seconds:.0f}", f"{np.median(one.ess):.0f}", p, *one.ranges(), verdict])
    tell(console, f"Calibration, {simulations} simulations each, {n_tests} tests")
    for line in table_lines(rows):
        tell(console, line)
    note = "a parameter without an interval counts as not covered"
    tell(console, f"Coverage over the parameters of nominal {LEVEL:.0%} intervals; {note}. Written to {folder}/")
    raise typer.Exit(1 if missed else 0)
