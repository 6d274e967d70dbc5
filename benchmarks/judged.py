"""Measure how often a true mixture fails the checks that compare estimates with the posterior mean.

``python -m benchmarks.judged [data sets] [first seed]``

`comparisons.comparison.posterior_checks.why_shown` decides from the data whether the distances of MLE and MAP from the
posterior mean are judged. Here random mixtures of every kind are drawn, with 1 to 4 components, near or far from each
other, and 50 to 1000 samples from each. EM fits them, and the Gibbs sampler, which is faster than compiling NUTS, draws
from the posterior. Nothing is wrong with EM, so a judged check that fails is a false alarm. At most 1 in 200 of the
judged data sets may have one. Chains that have not mixed (R-hat above 1.01, ESS below 400) are counted and left out, as
`compare` would call its verdict inconclusive.

The exit code is 0 if false alarms are that rare, else 1.
"""

import sys
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from benchmarks.tables import new_console
from comparisons.alignment import align
from comparisons.alignment.mixing import MAX_RHAT, MIN_ESS, extremes
from comparisons.comparison.draws import Draws
from comparisons.comparison.estimates import estimates_of
from comparisons.comparison.fits import Fits, fit
from comparisons.comparison.posterior_checks import (
    averaged_responsibilities,
    near_average,
    near_posterior_mean,
    why_shown,
)
from comparisons.comparison.problem import prepare
from comparisons.posterior.gibbs import as_datatree
from em.gibbs import gibbs
from em.process.progress import track
from em.status import left_to_the_status
from models import bmm, cmm, gmm, pmm
from models.gmm.structures import COVARIANCE_TYPES

RARE = 1 / 200
SIZES: dict[str, Any] = {"draws": 1500, "tune": 500, "chains": 4}


class Data(NamedTuple):
    """Simulated samples of a family with its options."""

    family: str
    X: np.ndarray
    n_components: int
    options: dict[str, Any]


def draw_data(seed: int) -> Data:
    """Draw a random mixture and samples from it."""
    rng = np.random.RandomState(seed)
    kind, K, n = rng.randint(6), rng.randint(1, 5), int(10 ** rng.uniform(1.7, 3.0))
    weights = rng.dirichlet(np.full(K, 4.0))
    if kind <= 1:
        return _gaussian(rng, weights, n)
    if kind == 2:
        theta = bmm.BMMParameters(weights, _probs(rng, K, rng.randint(5, 13)))
        return Data("bmm", bmm.simulate(theta, n, random_state=rng)[0], K, {})
    if kind == 3:
        theta, trials = bmm.BMMParameters(weights, _probs(rng, K, rng.randint(1, 4))), int(rng.choice([10, 20, 40]))
        X = bmm.simulate(theta, n, n_trials=trials, random_state=rng)[0]
        return Data("bmm", X, K, {"n_trials": trials})
    if kind == 4:
        rates = rng.choice([1.0, 0.1]) * (rng.gamma(2, 5, size=(K, rng.randint(1, 4))) + 0.3)
        return Data("pmm", pmm.simulate(pmm.PMMParameters(weights, rates), n, random_state=rng)[0], K, {})
    levels = tuple(rng.randint(2, 5, size=rng.randint(4, 9)).tolist())
    of_items = np.hstack([rng.dirichlet(np.full(L, 0.8), size=K) for L in levels])
    of_classes = cmm.CMMParameters(weights, of_items, levels)
    return Data("cmm", cmm.simulate(of_classes, n, random_state=rng)[0], K, {})


def _gaussian(rng: np.random.RandomState, weights: np.ndarray, n: int) -> Data:
    K, D, structure = len(weights), rng.randint(1, 5), str(rng.choice(COVARIANCE_TYPES))
    means = rng.choice([1.5, 2.5, 4.0, 6.0]) * rng.normal(size=(K, D))
    roots = np.eye(D) + 0.3 * rng.normal(size=(K, D, D))
    full = roots @ roots.mT
    variances = np.diagonal(full, axis1=1, axis2=2)
    of_kind = {"full": full, "tied": full[0], "diag": variances, "spherical": variances[:, 0]}
    theta = gmm.GMMParameters(weights, means, of_kind[structure], structure)
    return Data("gmm", gmm.simulate(theta, n, random_state=rng)[0], K, {"covariance_type": structure})


def _probs(rng: np.random.RandomState, K: int, D: int) -> np.ndarray:
    return np.asarray(rng.beta(0.8, 0.8, size=(K, D)).clip(0.03, 0.97))


def outcome(data: Data, seed: int) -> str:
    """Return "false alarm: ...", "passed", "not judged" or "chains not mixed"."""
    with left_to_the_status():
        fits = fit(prepare(data.X, data.family, data.n_components, random_state=seed, **data.options))
    if shown := why_shown(fits):
        return f"not judged: {shown}"
    draws = gibbs_draws(fits, seed)
    rhat, ess = extremes(draws.aligned)
    if rhat > MAX_RHAT or ess < MIN_ESS:
        return "chains not mixed"
    estimates, responsibilities = estimates_of(fits, draws), averaged_responsibilities(fits, draws)
    checks = [*near_posterior_mean(fits, estimates, ess, ["mle", "map"], "")]
    checks.append(near_average(fits, estimates, responsibilities, ""))
    failed = [f"{check.name} {check.value:.2f} > {check.tolerance:.2f}" for check in checks if check.passed is False]
    return f"false alarm: {', '.join(failed)}" if failed else "passed"


def gibbs_draws(fits: Fits, seed: int) -> Draws:
    """Return aligned draws by the Gibbs sampler, without their densities."""
    made = gibbs(fits.X, fits.n_components, fits.prior, random_state=seed, **SIZES, **fits.family.of_conjugate)
    tree = as_datatree(made, fits.prior)
    tree["posterior"] = xr.DataTree(tree["posterior"].to_dataset().drop_vars("z"))
    aligned = align(tree, "pivot", reference=fits.mode)
    nothing = np.empty((SIZES["chains"], SIZES["draws"]))
    return Draws(aligned, tree["posterior"].to_dataset(), nothing[..., None], nothing)


def main(n_data: int = 400, first: int = 0) -> int:
    """Print the judged data sets that failed, and the counts; return the exit code."""
    console, counts = new_console(), dict.fromkeys(["passed", "false alarm", "not judged", "chains not mixed"], 0)
    for seed in track(range(first, first + n_data), "simulated mixtures", True):
        data = draw_data(seed)
        result = outcome(data, seed)
        counts[result.partition(":")[0]] += 1
        if result.startswith("false alarm"):
            console.print(
                f"seed {seed}: {data.family} {data.options} n = {len(data.X)} K = {data.n_components}; {result}"
            )
    judged = counts["passed"] + counts["false alarm"]
    console.print(f"{counts}: {counts['false alarm']} false alarms among {judged} data sets that were judged")
    return int(counts["false alarm"] > RARE * judged)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:3])))
