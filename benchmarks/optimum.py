"""Measure E-steps and time to the optimum of overlapping clusters, with and without leaps, against scikit-learn.

Plain EM is compared with SQUAREM and with multisecant leaps, the default, which is the one that is timed. All fits
start from the same parameters, without regularisation. The optimum is the best objective of all fits; a fit has reached
it if its objective is within 1e-8 of it, relative. The E-steps of rejected leaps count too.

For the time, `tol` is lowered tenfold until a fit reaches the optimum, for ours and scikit-learn's alike, and fits with
that `tol` are timed in turn. (scikit-learn's `tol` bounds the last gain per sample, ours the whole gain to come.) A fit
of scikit-learn takes a minute, so those that would stop too early, by plain EM's gains, are left out.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.cases import Case
from benchmarks.measure import run
from em import GaussianMixtureEM
from em.engine.leaps import ACCELERATIONS
from models.gmm import GMMParameters
from models.validation import Array

CASES = {  # and the typical distance of two centres, in standard deviations
    Case("full", 100_000, 2, 3): 7.0,
    Case("full", 100_000, 5, 4): 4.0,
    Case("full", 100_000, 10, 3): 3.0,
    Case("full", 100_000, 10, 5): 4.0,
}
QUICK = {Case("full", 500, 2, 2): 12.0}
REACHED = 1e-8
TOLS = [10.0**-power for power in range(16)]


def table(quick: bool, threads: int, repeats: int, console: Console) -> Table:
    """Measure each case in a process of its own, and print its line at once, since scikit-learn takes minutes."""
    result = Table(title=f"To within {REACHED:g} of the best objective, relative, where clusters overlap")
    result.add_column("case (n, D, K)")
    for heading in [
        "E-steps",
        "SQUAREM",
        "multisecant",
        "scikit-learn's tol",
        "passes",
        "s",
        "ours, s",
        "ratio (range)",
    ]:
        result.add_column(heading, justify="right")
    for case, distance in (QUICK if quick else CASES).items():
        order = {"case": astuple(case), "distance": distance, "repeats": repeats}
        m = run(order, threads, "benchmarks.optimum")
        ours, theirs = np.array(m["ours"]), np.array(m["theirs"])
        faster = theirs / ours
        fewer = [f"{m[name]} ({m['plain'] / m[name]:.1f}x)" for name in ("squarem", "multisecant")]
        steps = [str(m["plain"]), *fewer]
        rival = [f"{m['tol']:g}", str(m["passes"]), f"{np.median(theirs):.3f}", f"{np.median(ours):.4f}"]
        ratio = f"{np.median(faster):.0f} ({faster.min():.0f}-{faster.max():.0f})"
        line = [str(case), *steps, *rival, ratio]
        console.print("  ".join(line), style="dim")
        result.add_row(*line)
    return result


def make_data(case: Case, distance: float) -> tuple[Array, GMMParameters]:
    """Return X (n, D) and a start: equal weights, samples as means, the data's covariance."""
    rng = np.random.default_rng(0)
    centers = rng.normal(scale=distance / np.sqrt(2 * case.D), size=(case.K, case.D))
    X = rng.normal(size=(case.n, case.D)) + centers[rng.integers(case.K, size=case.n)]
    means = X[rng.choice(case.n, case.K, replace=False)]
    return X, GMMParameters(np.full(case.K, 1 / case.K), means, np.repeat(np.cov(X.T)[None], case.K, axis=0))


def measure(case: Case, distance: float, repeats: int) -> dict[str, Any]:
    """Return the E-steps of plain EM and with leaps, and the seconds of our fits and of scikit-learn's, in turn."""
    X, start = make_data(case, distance)
    paths = {name: e_steps(X, start, name) for name in ACCELERATIONS}
    best = max(objective for path in paths.values() for objective in path)
    target = best - REACHED * abs(best)
    fits: dict[str, Callable[[float], Any]] = {
        "ours": lambda tol: fit_ours(X, start, tol),
        "theirs": lambda tol: fit_scikit_learn(X, start, tol),
    }
    steps = {name or "plain": reached(path, target) for name, path in paths.items()}
    least_gain = np.diff(paths[None][: steps["plain"]]).min() / case.n
    tols = {
        "ours": first(fits["ours"], TOLS, lambda fit: fit.objective_ >= target),
        "theirs": first(fits["theirs"], [t for t in TOLS if t <= least_gain], lambda f: f.score(X) * case.n >= target),
    }
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(repeats):
        for who, fit in fits.items():
            begin = time.perf_counter()
            fitted = fit(tols[who])
            seconds[who].append(time.perf_counter() - begin)
    return steps | seconds | {"tol": tols["theirs"], "passes": fitted.n_iter_}


def e_steps(X: Array, start: GMMParameters, acceleration: str | None) -> list[float]:
    """Return the objective at each E-step of a fit."""
    objectives = []

    class Recorded(GaussianMixtureEM):
        def _problem(self, samples: Any) -> Any:
            problem = super()._problem(samples)

            def expect(theta: Any, runs: Any) -> Any:
                log_likelihood, statistics = problem.expect(theta, runs)
                objectives.append(float(log_likelihood[0]))
                return log_likelihood, statistics

            return replace(problem, expect=expect)

    fit = Recorded(start.n_components, init=start, acceleration=acceleration, tol=1e-6, max_iter=50_000).fit(X)
    if len(objectives) != fit.n_e_steps_:
        raise RuntimeError(f"every E-step must be counted, got {len(objectives)} and n_e_steps_={fit.n_e_steps_}")
    units = fit.history_[0] - objectives[0]  # EM runs in standard units
    return [objective + units for objective in objectives]


def reached(objectives: list[float], target: float) -> int:
    """Return the number of E-steps until the target."""
    if max(objectives) < target:
        raise RuntimeError(
            f"plain EM and its leaps must reach the same optimum, got {max(objectives)!r}, not {target!r}"
        )
    return int(np.argmax(np.array(objectives) >= target)) + 1


def first(fit: Callable[[float], Any], tols: list[float], arrives: Callable[[Any], bool]) -> float:
    """Return the largest `tol` with which a fit reaches the optimum."""
    return next(tol for tol in tols if arrives(fit(tol)))


def fit_ours(X: Array, start: GMMParameters, tol: float) -> GaussianMixtureEM:
    """Fit by `em`, as a user would."""
    return GaussianMixtureEM(start.n_components, init=start, tol=tol, max_iter=50_000).fit(X)


def fit_scikit_learn(X: Array, start: GMMParameters, tol: float) -> Any:
    """Fit by scikit-learn from the same start, without regularisation."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(
        start.n_components,
        reg_covar=0,
        tol=tol,
        max_iter=50_000,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(start.covariances),
    ).fit(X)


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    print(json.dumps(measure(Case(*order["case"]), order["distance"], order["repeats"])))
