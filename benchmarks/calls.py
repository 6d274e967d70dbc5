"""Time whole calls as a user makes them, ours and a rival's in turn: ``python -m benchmarks.calls``.

Every call uses its defaults, with data loaded and code imported. The table has the seconds of our first call and of the
best of the others, and by how much our log-likelihood (sum, nats) or inertia is better. The rivals are scikit-learn,
StepMix if it is installed, and R's mclust if ``Rscript`` finds it.
"""

import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.table import Table
from sklearn.cluster import KMeans as RivalKMeans
from sklearn.mixture import GaussianMixture

from benchmarks.contestants import installed
from benchmarks.measure import forget_peak, megabytes
from benchmarks.tables import new_console
from comparisons.data import load
from em import BernoulliMixtureEM, GaussianMixtureEM, KMeans, likelihood_ratio_test, select
from models.validation import Array

SIZES = [(100, 2, 2), (300, 2, 2), (1_000, 2, 3), (10_000, 4, 5), (100_000, 10, 5), (300_000, 10, 10)]
LARGE = [(1_000_000, 10, 5)]
PATIENCE = 60  # a first call that takes more seconds is not repeated
STRUCTURES = ("full", "tied", "diag", "spherical")
MCLUST = """
suppressMessages(library(mclust)); X <- as.matrix(faithful)
time <- function(call) system.time(call)[["elapsed"]]
a <- time(mclustBIC(X, G = 1:6, modelNames = c("VVV", "EEE", "VVI", "VII"), verbose = FALSE))
b <- time(mclustBootstrapLRT(X, "VVV", maxG = 1, nboot = 99, verbose = FALSE))
fit <- Mclust(X, 2, "VVV", verbose = FALSE)
c <- time(MclustBootstrap(fit, nboot = 199, type = "bs", verbose = FALSE))
cat(a, b, c)
"""


@dataclass(frozen=True)
class Call:
    """A call of ours and a rival's; each returns its objective, of which larger is better."""

    name: str
    ours: Callable[[], float]
    rival: str = ""
    theirs: Callable[[], float] | None = None


def clouds(n: int, D: int, K: int) -> Array:
    """Return X (n, D): K spherical clouds about centres whose coordinates have a standard deviation of 1.2."""
    rng = np.random.RandomState(0)
    centers = 1.2 * rng.normal(size=(K, D))
    return np.asarray(centers[rng.randint(K, size=n)] + rng.normal(size=(n, D)))


def classes(n: int, D: int, K: int) -> Array:
    """Return answers (n, D) of 0 and 1 from K classes."""
    rng = np.random.RandomState(0)
    return rng.binomial(1, rng.uniform(0.1, 0.9, size=(K, D))[rng.randint(K, size=n)]).astype(np.float64)


def calls(sizes: list[tuple[int, int, int]]) -> Iterator[Call]:
    """Yield the calls of the table."""
    for n, D, K in sizes:
        X, at = clouds(n, D, K), f"({n:,}, {D}, {K})"
        ours = GaussianMixtureEM(K, random_state=0)
        yield Call(f"GMM fit {at}", *_fits(ours, X, "scikit-learn, n_init=10", _theirs(K, X, 10)))
        yield Call(f"GMM fit {at}", *_fits(ours, X, "scikit-learn, default", _theirs(K, X, 1)))
        yield Call(f"K-means fit {at}", *_fits(KMeans(K, random_state=0), X, "scikit-learn, n_init=10", _inertia(K, X)))
        yield _predictions(K, X, at)
    answers = classes(20_000, 50, 5) if sizes[-1][0] >= 10_000 else classes(500, 10, 2)
    stepmix = _stepmix(answers) if installed("StepMix") else None
    yield Call(
        f"Bernoulli(5) fit {answers.shape}",
        lambda: float(BernoulliMixtureEM(5, random_state=0).fit(answers).log_likelihood_),
        "StepMix, n_init=10" if stepmix else "",
        stepmix,
    )
    yield from _of_faithful()


def _of_faithful() -> Iterator[Call]:
    X, lsat, upto_six = load("faithful").X, load("lsat7").X, range(1, 7)
    grid: dict[str, Any] = {"n_components": upto_six, "covariance_type": STRUCTURES}
    fit = GaussianMixtureEM(2, random_state=0).fit(X)
    some = GaussianMixtureEM(n_init=3)
    bootstrap: dict[str, Any] = {"kind": "bootstrap", "n_bootstrap": 199, "random_state": 0}
    yield Call(
        "select, faithful, K = 1..6 x 4 structures", lambda: _best_bic(X, GaussianMixtureEM(random_state=0), grid)
    )
    yield Call(
        "select, lsat7, K = 1..6",
        lambda: _best_bic(lsat, BernoulliMixtureEM(random_state=0), {"n_components": upto_six}),
    )
    yield Call(
        "likelihood_ratio_test, faithful, 99 samples, n_init=3",
        lambda: -likelihood_ratio_test(X, some, 1, random_state=0).p_value,
    )
    yield Call("bootstrap, faithful, 199 samples", lambda: -float(fit.uncertainty(X, **bootstrap).standard_errors[0]))


def _fits(estimator: Any, X: Array, rival: str, theirs: Callable[[], float]) -> tuple[Any, str, Callable[[], float]]:
    def ours() -> float:
        estimator.fit(X)
        return float(estimator.log_likelihood_ if hasattr(estimator, "log_likelihood_") else -estimator.inertia_)

    return ours, rival, theirs


def _theirs(K: int, X: Array, n_init: int) -> Callable[[], float]:
    return lambda: float(GaussianMixture(K, n_init=n_init, random_state=0).fit(X).score(X) * len(X))


def _inertia(K: int, X: Array) -> Callable[[], float]:
    return lambda: -float(RivalKMeans(K, n_init=10, random_state=0).fit(X).inertia_)


def _best_bic(X: Array, estimator: Any, grid: dict[str, Any]) -> float:
    best = select(X, estimator, **grid).best
    return float("nan") if best is None else -best.bic


def _predictions(K: int, X: Array, at: str) -> Call:
    with warnings.catch_warnings(action="ignore"):
        fit = GaussianMixtureEM(K, n_init=1, tol=1.0, random_state=0).fit(X)
        rival = GaussianMixture(K, max_iter=2, random_state=0).fit(X)
    ours, theirs = lambda: float(fit.predict_proba(X)[0, 0]), lambda: float(rival.predict_proba(X)[0, 0])
    return Call(f"predict_proba {at}", ours, "scikit-learn", theirs)


def _stepmix(X: Array) -> Callable[[], float]:
    from stepmix.stepmix import StepMix

    return lambda: float(
        StepMix(5, measurement="binary", n_init=10, progress_bar=0, random_state=0).fit(X).score(X) * len(X)
    )


def timed(call: Callable[[], float], repeats: int) -> tuple[float, float, float]:
    """Return the seconds of the first call and of the best of the others, and the objective."""
    seconds: list[float] = []
    objective = float("nan")
    while len(seconds) < repeats and (not seconds or seconds[0] <= PATIENCE):
        with warnings.catch_warnings(action="ignore"):  # scikit-learn's defaults stop early
            begin = time.perf_counter()
            objective = call()
            seconds.append(time.perf_counter() - begin)
    return seconds[0], min(seconds[1:], default=seconds[0]), objective


def mclust() -> dict[str, float]:
    """Return R's seconds for `select`, the likelihood-ratio test and the bootstrap; empty if R has no mclust."""
    if shutil.which("Rscript") is None:
        return {}
    result = subprocess.run(["Rscript", "-e", MCLUST], capture_output=True, text=True, check=False)
    names = ("select, faithful", "likelihood_ratio_test", "bootstrap")
    return dict(zip(names, map(float, result.stdout.split()), strict=True)) if result.returncode == 0 else {}


def main(
    quick: Annotated[bool, typer.Option(help="Small data, to see that it runs.")] = False,
    only: Annotated[str, typer.Option(help="Part of a call's name, such as 'GMM' or 'select'; default: all.")] = "",
    repeats: Annotated[int, typer.Option(help="Calls of each, in turn.")] = 3,
    out: Annotated[Path, typer.Option(help="Folder for the figure of time against n.")] = Path("results/calls"),
) -> None:
    """Print seconds of whole calls, first and repeated, their ratio, by how much ours is better, and peak memory."""
    console, table = (
        new_console(),
        Table(title="Whole calls, seconds: first, best of the others; ratio is ours to theirs"),
    )
    for heading in ["call", "ours", "warm", "MB", "rival", "theirs", "warm", "ratio", "ours better by"]:
        table.add_column(heading, justify="left" if heading in ("call", "rival") else "right")
    of_r, points = mclust(), []
    for call in calls(SIZES[:2] if quick else [*SIZES, *LARGE]):
        if only not in call.name:
            continue
        forget_peak()
        held = megabytes("VmRSS")
        cold, warm, objective = timed(call.ours, repeats)
        line = [call.name, f"{cold:.3f}", f"{warm:.3f}", f"{megabytes('VmHWM') - held:.0f}"]
        if call.theirs is not None:
            their_cold, their_warm, theirs = timed(call.theirs, repeats)
            line += [
                call.rival,
                f"{their_cold:.3f}",
                f"{their_warm:.3f}",
                f"{warm / their_warm:.2f}",
                f"{objective - theirs:.3g}",
            ]
            points.append((call, warm, their_warm))
        else:
            seconds = next((of_r[name] for name in of_r if call.name.startswith(name)), None)
            line += ["mclust", f"{seconds:.3f}", "", f"{warm / seconds:.2f}", ""] if seconds else ["", "", "", "", ""]
        console.print("  ".join(line), style="dim")  # as it comes: the whole takes long
        table.add_row(*line)
    console.print(table)
    if points:
        console.print(f"Written: {plot(points, out)}", soft_wrap=True)


def plot(points: list[tuple[Call, float, float]], out: Path) -> Path:
    """Draw seconds of fits against n, ours and the rivals', and return the figure's path."""
    from matplotlib.figure import Figure

    axes = (figure := Figure(figsize=(8, 5))).subplots()
    lines: dict[str, list[tuple[int, float]]] = {}
    for call, ours, theirs in points:
        kind, _, size = call.name.partition(" (")
        n = int(size.split(", ")[0].replace(",", "")) if "fit" in kind and "Bernoulli" not in kind else 0
        if n:
            lines.setdefault(f"{kind}, ours", []).append((n, ours))
            lines.setdefault(f"{kind}, {call.rival}", []).append((n, theirs))
    for name, line in lines.items():
        axes.loglog(*zip(*sorted(line), strict=True), "o-" if name.endswith("ours") else "s--", label=name)
    axes.set(xlabel="n", ylabel="seconds of a whole call")
    axes.legend()
    out.mkdir(parents=True, exist_ok=True)
    figure.savefig(out / "calls.png", dpi=130, bbox_inches="tight")
    return out / "calls.png"


if __name__ == "__main__":
    typer.run(main)
