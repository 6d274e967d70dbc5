"""Compare posterior sampling with its rivals: ``python -m benchmarks.posterior``.

Each measurement is a process of its own, from import to posterior: cold with empty compilation caches, then warm with
the caches of the cold run. A rival that was slow when cold is not run again, because caches save only compilation.
Python's bytecode is cached both times. All have the same data, prior, start (EM's MAP), chains and draws.

The Gaussian mixture is measured under two priors: LKJ, with which the rival is the model that PyMC documents, and the
conjugate prior. ESS is the smallest bulk ESS of log-likelihood, entropy of weights and sorted weights; ESS/s divides it
by all seconds from import to posterior. The means of these quantities must agree with ours within 4 Monte Carlo
standard errors. The last lines compare with the targets, ESS/s by the worse of cold and warm. A figure shows the cost
of a gradient and of a pass of EM against n.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import arviz as az
import numpy as np
import typer
import xarray as xr
from rich.table import Table

from benchmarks.posterior.cases import CASES, QUICK, Posterior, start_of
from benchmarks.posterior.contestants import CONTESTANTS
from benchmarks.posterior.cost import SIZES, draw_costs
from benchmarks.tables import new_console
from comparisons.alignment.component_draws import Arrays
from comparisons.alignment.mixing import extremes, label_free
from comparisons.alignment.responsibilities import log_joint
from models.validation import Array

IMPORTS = """
import nutpie, pytensor.link.jax.dispatch, pytensor.link.numba.dispatch
import benchmarks.posterior.rivals, comparisons.posterior, models.bmm.story, models.gmm.story
"""
MAX_GAP = 4  # Monte Carlo standard errors between posterior means that agree


@dataclass(frozen=True)
class Measured:
    """One contestant on one case: seconds from import to posterior, and the label-free quantities of its draws."""

    case: Posterior
    who: str
    cache: str
    seconds: float
    quantities: xr.Dataset

    @property
    def ess(self) -> float:
        """The smallest bulk ESS of the label-free quantities."""
        return extremes(self.quantities)[1]

    @property
    def rate(self) -> float:
        """Effective samples per second from import to posterior."""
        return self.ess / self.seconds


@dataclass(frozen=True)
class Target:
    """At least so many times less wall time (without caches) than a rival, or more effective samples per second."""

    family: str
    n: tuple[int, ...]
    rival: str
    least: float
    what: str

    def ratio(self, ours: Measured, theirs: Measured) -> float:
        """Return how many times better ours is."""
        return theirs.seconds / ours.seconds if self.what == "less wall time" else ours.rate / theirs.rate


DEFAULTS, JAX = "PyMC, defaults", "PyMC, nutpie + JAX"
TARGETS = [
    Target("gmm", (1_000,), DEFAULTS, 6, "less wall time"),
    Target("gmm", (1_000,), JAX, 2, "less wall time"),
    Target("gmm", (20_000,), DEFAULTS, 30, "ESS/s"),
    Target("gmm", (20_000,), JAX, 8, "ESS/s"),
    Target("bmm", (0, 2_000), DEFAULTS, 5, "ESS/s"),
    Target("bmm", (0, 2_000), JAX, 5, "ESS/s"),
]


def main(
    quick: Annotated[bool, typer.Option(help="Small data and few draws, to see that it runs.")] = False,
    only: Annotated[
        str, typer.Option(help="Part of a case's name, such as 'n=1,000' or LKJ, or cost; default: all.")
    ] = "",
    contestants: Annotated[str, typer.Option(help=f"Names, with ; between: {'; '.join(CONTESTANTS)}.")] = "",
    draws: Annotated[int, typer.Option(help="Draws of each chain, after as many of warm-up.")] = 1000,
    chains: Annotated[int, typer.Option(help="Number of chains.")] = 4,
    patience: Annotated[float, typer.Option(help="A rival that took more seconds when cold is not run warm.")] = 240,
    out: Annotated[Path, typer.Option(help="Folder for the figure.")] = Path("results/posterior"),
) -> None:
    """Print seconds, effective samples per second and their ratios, cold and warm, and draw cost against n."""
    cases = [case for case in (QUICK if quick else CASES) if only in str(case)]
    rivals = [name.strip() for name in contestants.split(";") if name.strip()] or list(CONTESTANTS)
    names = ["ours", *(name for name in rivals if name != "ours")]
    if not cases and only not in "cost":
        raise typer.BadParameter(f"only must be part of one of {', '.join(map(str, CASES))}, cost; got {only!r}")
    if unknown := [name for name in rivals if name not in CONTESTANTS]:
        raise typer.BadParameter(f"contestants must be of {'; '.join(CONTESTANTS)}, got {unknown[0]!r}")
    console, table = new_console(), Table(title=f"{chains} chains x ({draws} + {draws})")
    for heading in ["case", "who", "cache", "seconds", "x ours", "min ESS", "ESS/s", "ours x", "gap in MCSE"]:
        table.add_column(heading, justify="left" if heading in ("case", "who", "cache") else "right")
    measurements: dict[tuple[Posterior, str, str], Measured] = {}
    lengths = {"draws": draws, "tune": draws, "chains": chains}
    with tempfile.TemporaryDirectory() as folder:
        for measured in measure_all(cases, names, lengths, patience, Path(folder)):
            measurements[measured.case, measured.who, measured.cache] = measured
            line = line_of(measured, measurements[measured.case, "ours", measured.cache])
            console.print("  ".join(line), style="dim")  # as it comes: the whole takes long
            table.add_row(*line)
    if cases:
        console.print(table)
    for sentence in judge(measurements):
        console.print(sentence, soft_wrap=True)
    if only in "cost":
        console.print(f"Written: {draw_costs(SIZES[:2] if quick else SIZES, out)}", soft_wrap=True)


def measure_all(
    cases: list[Posterior], contestants: list[str], lengths: dict[str, int], patience: float, folder: Path
) -> Iterator[Measured]:
    """Measure the contestants on the cases, cold and then warm, except rivals that were slow when cold."""
    for case, (index, who) in product(cases, enumerate(contestants)):
        X = case.data()
        start = start_of(case, X)
        order = {"who": who, "prior": case.prior, "K": case.K, "seed": 1 + index} | lengths
        caches = folder / f"{cases.index(case)}-{index}"
        caches.mkdir()
        for cache in ("cold", "warm"):
            seconds, posterior = run(order, X, start, caches)
            yield Measured(case, who, cache, seconds, label_free_draws(case, X, posterior))
            if who != "ours" and seconds > patience:
                break


def run(order: dict[str, Any], X: Array, start: dict[str, Any], caches: Path) -> tuple[float, xr.Dataset]:
    """Run one contestant in a fresh process whose compilation caches are in a folder; return seconds and draws."""
    if not (caches.parent / "bytecode").exists():
        subprocess.run([sys.executable, "-c", IMPORTS], env=environment(caches.parent / "imports"), check=True)
    np.savez(caches / "data.npz", X=X, **start)
    command = [sys.executable, "-m", "benchmarks.posterior.contestants", json.dumps(order), str(caches)]
    result = subprocess.run(command, env=environment(caches), capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"measurement {order} failed: {result.stderr}")
    with np.load(caches / "draws.npz") as archive:
        arrays = {name: archive[name] for name in archive.files}
    dims = ("chain", "draw", "component", "feature", "feature_bis")
    draws = xr.Dataset({name: (dims[: array.ndim], array) for name, array in arrays.items()})
    return float(json.loads(result.stdout.splitlines()[-1])["seconds"]), draws


def environment(caches: Path) -> dict[str, str]:
    """Return the environment of a process with its compilation caches in a folder, and Python's bytecode beside it."""
    flags = f"{os.environ.get('PYTENSOR_FLAGS', '')},base_compiledir={caches / 'pytensor'}".strip(",")
    where = {"PYTENSOR_FLAGS": flags, "NUMBA_CACHE_DIR": str(caches / "numba")}
    where |= {"PYTHONPYCACHEPREFIX": str(caches.parent / "bytecode"), "PYTHONDONTWRITEBYTECODE": ""}
    where |= {"JAX_COMPILATION_CACHE_DIR": str(caches / "jax")} if "JAX_COMPILATION_CACHE_DIR" in os.environ else {}
    return os.environ | where


def label_free_draws(case: Posterior, X: Array, posterior: xr.Dataset) -> xr.Dataset:
    """Return log-likelihood, entropy of weights and sorted weights of the draws."""
    draws = Arrays(posterior)
    log_likelihood = sum(log_prob.sum(axis=1) for _, log_prob in log_joint(X, case.family).normalised(draws))
    return label_free(posterior, np.reshape(log_likelihood, draws.sizes))


def line_of(measured: Measured, ours: Measured) -> list[str]:
    """Return the cells of a line of the table."""
    return [
        *(str(measured.case), measured.who, measured.cache),
        *(f"{measured.seconds:.1f}", f"{measured.seconds / ours.seconds:.1f}"),
        *(f"{measured.ess:.0f}", f"{measured.rate:.1f}", f"{ours.rate / measured.rate:.1f}"),
        "" if measured is ours else agreement(ours.quantities, measured.quantities),
    ]


def agreement(ours: xr.Dataset, theirs: xr.Dataset) -> str:
    """Return the largest distance of label-free means in Monte Carlo standard errors, marked if it is too large."""
    errors = az.mcse(ours, method="mean") ** 2 + az.mcse(theirs, method="mean") ** 2
    gaps = abs(ours.mean(("chain", "draw")) - theirs.mean(("chain", "draw"))) / errors**0.5
    gap = max(float(values.max()) for values in gaps.data_vars.values())
    return f"{gap:.1f}" if gap <= MAX_GAP else f"{gap:.1f} DISAGREE"


def judge(measurements: dict[tuple[Posterior, str, str], Measured]) -> Iterator[str]:
    """Yield for each target and each of its measured cases whether the target was met."""
    for target in TARGETS:
        for case in {case: None for case, *_ in measurements if case.family == target.family and case.n in target.n}:
            caches = ["cold"] if target.what == "less wall time" else ["cold", "warm"]
            pairs = [
                (measurements[case, "ours", cache], measurements.get((case, target.rival, cache))) for cache in caches
            ]
            ratios = [target.ratio(ours, theirs) for ours, theirs in pairs if theirs is not None]
            if ratios:
                word = "met" if min(ratios) >= target.least else "missed"
                claim = f"{case}, {target.least}x {target.what} against {target.rival}"
                yield f"target {claim}: {word} ({min(ratios):.1f}x)"


if __name__ == "__main__":
    typer.run(main)
