"""The posterior against its rivals: ``python -m benchmarks.posterior``.

Each measurement is a process of its own, from import to posterior: cold with empty compilation caches, then warm with
those that the cold one left. All have the same data, prior (the conjugate one), start (EM's MAP) and numbers of draws.
Effective samples are the smallest bulk ESS of log-likelihood, entropy of weights and sorted weights; the means of these
must agree with ours within 4 Monte Carlo standard errors.

At the end a figure of the cost of a gradient against n, beside that of a pass of EM.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import arviz as az
import numpy as np
import typer
import xarray as xr
from rich.console import Console
from rich.table import Table

from benchmarks.cases import Case, make_data, make_start
from benchmarks.measure import measure
from benchmarks.posterior_contestants import CONTESTANTS
from comparisons.data import load
from comparisons.mixing import extremes, label_free
from comparisons.responsibilities import log_joint
from em import BernoulliMixtureEM, GaussianMixtureEM
from models import bmm, gmm
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters, GMMPrior

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
WEIGHTS = np.array([0.3, 0.3, 0.4])
CLOUDS = GMMParameters(
    WEIGHTS,
    np.array([[0.0, 0.0], [3.0, 2.0], [-2.0, 3.0]]),
    np.array([[[1.0, 0.5], [0.5, 1.0]], [[0.7, -0.3], [-0.3, 1.5]], [[1.0, 0.0], [0.0, 0.5]]]),
)
CLASSES = BMMParameters(
    WEIGHTS,
    np.array([[0.1, 0.2, 0.1, 0.2, 0.1, 0.2], [0.8, 0.9, 0.8, 0.2, 0.1, 0.2], [0.9, 0.8, 0.9, 0.8, 0.9, 0.8]]),
)


@dataclass(frozen=True)
class Posterior:
    """A data set and its number of components; n = 0 is lsat7."""

    family: str
    n: int
    K: int

    def __str__(self) -> str:
        return f"{self.family} {f'n={self.n:,}' if self.n else 'lsat7'} K={self.K}"

    def data(self) -> np.ndarray:
        """Return X (n, D)."""
        if not self.n:
            return np.asarray(load("lsat7").X, dtype=float)
        family, truth = (gmm, CLOUDS) if self.family == "gmm" else (bmm, CLASSES)
        return np.asarray(family.simulate(truth, self.n, random_state=0)[0], dtype=float)


CASES = [Posterior("gmm", 1_000, 3), Posterior("gmm", 20_000, 3), Posterior("bmm", 2_000, 3), Posterior("bmm", 0, 2)]
QUICK = [Posterior("gmm", 100, 3), Posterior("bmm", 100, 3)]


def main(
    quick: Annotated[bool, typer.Option(help="Small data and few draws, to see that it runs.")] = False,
    only: Annotated[str, typer.Option(help="Part of a case's name, such as 'n=1,000'; default: all.")] = "",
    contestants: Annotated[str, typer.Option(help=f"Names, with ; between: {'; '.join(CONTESTANTS)}.")] = "",
    draws: Annotated[int, typer.Option(help="Draws of each chain, after as many of warm-up.")] = 1000,
    chains: Annotated[int, typer.Option(help="Number of chains.")] = 4,
    out: Annotated[Path, typer.Option(help="Folder for the figure.")] = Path("results/posterior"),
) -> None:
    """Print seconds, effective samples per second and their ratios, cold and warm, and draw cost against n."""
    cases = [case for case in (QUICK if quick else CASES) if only in str(case)]
    rivals = [name.strip() for name in contestants.split(";") if name.strip()] or list(CONTESTANTS)
    if not cases:
        raise typer.BadParameter(f"only must be part of one of {', '.join(map(str, CASES))}, got {only!r}")
    if unknown := [name for name in rivals if name not in CONTESTANTS]:
        raise typer.BadParameter(f"contestants must be of {'; '.join(CONTESTANTS)}, got {unknown[0]!r}")
    console, table = Console(), Table(title=f"{chains} chains x ({draws} + {draws})")
    console.width = max(console.width, 120)
    for heading in ["case", "who", "cache", "seconds", "x ours", "min ESS", "ESS/s", "ours x", "gap in MCSE"]:
        table.add_column(heading, justify="left" if heading in ("case", "who", "cache") else "right")
    for case in cases:
        for line in lines_of(case, ["ours", *(name for name in rivals if name != "ours")], draws, chains):
            console.print("  ".join(line), style="dim")  # as it comes: the whole takes long
            table.add_row(*line)
    console.print(table)
    console.print(f"Written: {draw_costs(SIZES[:2] if quick else SIZES, out)}", soft_wrap=True)


def lines_of(case: Posterior, contestants: list[str], draws: int, chains: int) -> list[list[str]]:
    """Measure the contestants on a case, ours first, and return the lines of the table."""
    X = case.data()
    start, lines = start_of(case, X), []
    reference: dict[str, tuple[float, float, xr.Dataset]] = {}
    for who in contestants:
        with tempfile.TemporaryDirectory() as caches:
            for cache in ("cold", "warm"):
                order = {"who": who, "family": case.family, "K": case.K, "seed": 1 + contestants.index(who)}
                order |= {"draws": draws, "tune": draws, "chains": chains}
                seconds, posterior = run(order, X, start, Path(caches))
                quantities = label_free_draws(case, X, posterior)
                _, ess = extremes(quantities)
                mine = reference.setdefault(cache, (seconds, ess, quantities))
                lines.append(
                    [
                        *(str(case), who, cache, f"{seconds:.1f}", f"{seconds / mine[0]:.1f}", f"{ess:.0f}"),
                        *(f"{ess / seconds:.1f}", f"{mine[1] / mine[0] / (ess / seconds):.1f}"),
                        "" if who == "ours" else agreement(mine[2], quantities),
                    ]
                )
    return lines


def start_of(case: Posterior, X: np.ndarray) -> dict[str, np.ndarray]:
    """Return EM's MAP, where every chain of everybody starts."""
    if case.family == "gmm":
        estimator = GaussianMixtureEM(case.K, prior=GMMPrior.weakly_informative(X, case.K), random_state=0)
    else:
        estimator = BernoulliMixtureEM(case.K, prior=BMMPrior(), random_state=0)
    return estimator.fit(X).parameters_.arrays()


def run(order: dict[str, Any], X: np.ndarray, start: dict[str, Any], caches: Path) -> tuple[float, xr.Dataset]:
    """Run one contestant in a fresh process whose compilation caches are in a folder; return seconds and draws."""
    np.savez(caches / "data.npz", X=X, **start)
    flags = f"{os.environ.get('PYTENSOR_FLAGS', '')},base_compiledir={caches / 'pytensor'}".strip(",")
    where = {"PYTENSOR_FLAGS": flags, "NUMBA_CACHE_DIR": str(caches / "numba")}
    where |= {"JAX_COMPILATION_CACHE_DIR": str(caches / "jax")} if "JAX_COMPILATION_CACHE_DIR" in os.environ else {}
    command = [sys.executable, "-m", "benchmarks.posterior_contestants", json.dumps(order), str(caches)]
    result = subprocess.run(command, env=os.environ | where, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"measurement {order} failed: {result.stderr}")
    with np.load(caches / "draws.npz") as found:
        arrays = {name: found[name] for name in found.files}
    dims = ("chain", "draw", "component", "feature", "feature_bis")
    draws = xr.Dataset({name: (dims[: array.ndim], array) for name, array in arrays.items()})
    return float(json.loads(result.stdout.splitlines()[-1])["seconds"]), draws


def label_free_draws(case: Posterior, X: np.ndarray, posterior: xr.Dataset) -> xr.Dataset:
    """Return log-likelihood, entropy of weights and sorted weights of the draws."""
    shape = posterior["weights"].shape[:2]
    flat = {str(name): array.to_numpy().reshape(-1, *array.shape[2:]) for name, array in posterior.data_vars.items()}
    blocks = log_joint(X, case.family).normalised(flat, len(flat["weights"]), case.K)
    log_likelihood = sum(log_prob.sum(axis=1) for _, log_prob in blocks)
    return label_free(posterior, np.reshape(log_likelihood, shape))


def agreement(ours: xr.Dataset, theirs: xr.Dataset) -> str:
    """Return the largest distance of label-free means in Monte Carlo standard errors, marked where above 4."""
    errors = az.mcse(ours, method="mean") ** 2 + az.mcse(theirs, method="mean") ** 2
    gaps = abs(ours.mean(("chain", "draw")) - theirs.mean(("chain", "draw"))) / errors**0.5
    gap = max(float(values.max()) for values in gaps.data_vars.values())
    return f"{gap:.1f}" if gap <= 4 else f"{gap:.1f} DISAGREE"


def draw_costs(sizes: tuple[int, ...], out: Path) -> Path:
    """Draw seconds per gradient of our marginal model and seconds per pass of EM against n."""
    import matplotlib.pyplot as plt

    gradients, passes = zip(*((seconds_per_gradient(n), seconds_per_pass(n)) for n in sizes), strict=True)
    out.mkdir(parents=True, exist_ok=True)
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.loglog(sizes, gradients, "o-", label="gradient of the log posterior (PyMC, JAX)")
    axes.loglog(sizes, passes, "s--", label="pass of EM (NumPy, Numba)")
    axes.set(xlabel="n", ylabel="seconds", title="Gaussian mixture, K = 3, D = 2")
    axes.legend()
    figure.savefig(out / "cost.png", dpi=130)
    plt.close(figure)
    rows = [f"{n},{gradient:.3g},{em:.3g}" for n, gradient, em in zip(sizes, gradients, passes, strict=True)]
    (out / "cost.csv").write_text("\n".join(["n,seconds_per_gradient,seconds_per_em_pass", *rows]) + "\n")
    return out / "cost.png"


def seconds_per_gradient(n: int) -> float:
    """Return the median seconds of value and gradient of the marginal model, as NUTS takes them."""
    import time

    from comparisons.densities import UnconstrainedDensity, without_c_compiler

    case = Case("full", n, 2, 3)
    X = make_data(case)
    with without_c_compiler():
        model = gmm.build_marginal_model(X, case.K, GMMPrior.weakly_informative(X, case.K))
        density = UnconstrainedDensity(model, jacobian=True)
    at, seconds = density.unconstrain(make_start(case, X).arrays()), []
    for _ in range(max(3, min(100, 1_000_000 // n))):
        began = time.perf_counter()
        density.value_and_gradient(at)
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds))


def seconds_per_pass(n: int) -> float:
    """Return the seconds of an E-step and M-step of EM."""
    return measure("ours", Case("full", n, 2, 3), 5)["seconds"]


if __name__ == "__main__":
    typer.run(main)
