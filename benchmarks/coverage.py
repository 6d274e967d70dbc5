"""Measure the coverage of nominal 95 % intervals: ``python -m benchmarks.coverage [simulations]``.

Many samples are simulated from a known mixture. Each is fitted by maximum likelihood from the truth, so that labels and
the root of the likelihood equations are the right ones, and gets intervals from the observed information. With S
simulations and a true coverage of 95 %, the number of intervals that contain the truth is Binomial(S, 0.95). The
coverage of every parameter of every case must lie in a band of this distribution; if coverage is right, at least one of
them lies outside with a probability of at most 5 % (Bonferroni). The check is made at n = 1500, where a component has
500 samples or more; n = 50 is shown for comparison.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import binom

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM
from em.process.progress import track
from em.status import left_to_the_status
from models.bmm import BMMParameters
from models.gmm import GMMParameters

LEVEL, ERROR = 0.95, 0.05
LARGE, SMALL = 1500, 50
WEIGHTS = [0.4, 0.6]
MEANS = [[0.0, 0.0], [3.0, 2.0]]
FULL = [[[1.0, 0.5], [0.5, 1.0]], [[0.7, -0.3], [-0.3, 1.5]]]
COVARIANCES = {"full": FULL, "tied": FULL[0], "diag": [[1.0, 0.6], [0.7, 1.5]], "spherical": [0.8, 1.3]}
PROBS = [[0.2, 0.3, 0.15, 0.25, 0.4, 0.3], [0.8, 0.7, 0.85, 0.6, 0.75, 0.9]]


@dataclass(frozen=True)
class Case:
    """A mixture and its estimator."""

    name: str
    truth: Any
    estimator: Callable[..., Any]
    settings: dict[str, Any]

    def coverage(self, n: int, simulations: int) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """Return for each parameter its name, the number of intervals, and how many contain the truth."""
        there, hits, names = 0, 0, ()
        for seed in track(range(simulations), f"{self.name}, n = {n}", True):
            fit = self.estimator(2, init=self.truth, **self.settings)
            fit.parameters_ = self.truth
            X = fit.sample(n, seed)[0]
            with left_to_the_status():
                uncertainty = fit.fit(X).uncertainty(X, level=LEVEL)
            truth = fit._entries(n).of(self.truth.arrays())
            names = uncertainty.names
            there = there + np.isfinite(uncertainty.low)
            hits = hits + ((uncertainty.low <= truth) & (truth <= uncertainty.high))
        return names, np.asarray(there), np.asarray(hits)


CASES = [
    *(
        Case(
            kind,
            GMMParameters(np.array(WEIGHTS), np.array(MEANS), np.array(COVARIANCES[kind]), kind),
            GaussianMixtureEM,
            {"covariance_type": kind},
        )
        for kind in COVARIANCES
    ),
    Case("bernoulli", BMMParameters(np.array(WEIGHTS), np.array(PROBS)), BernoulliMixtureEM, {}),
    Case("binomial", BMMParameters(np.array(WEIGHTS), np.array(PROBS)[:, :2]), BinomialMixtureEM, {"n_trials": 5}),
]


def main(simulations: int = 1000) -> bool:
    """Run every case, print the table, and return whether every coverage lies in the band."""
    start = perf_counter()
    rows = []
    for case in CASES:
        names, there, hits = case.coverage(LARGE, simulations)
        _, few_there, few_hits = case.coverage(SMALL, simulations)
        rows += [(case.name, *row) for row in zip(names, there, hits, few_there, few_hits, strict=True)]
    low, high = binom.ppf([ERROR / len(rows) / 2, 1 - ERROR / len(rows) / 2], simulations, LEVEL) / simulations
    table = Table(title=f"Coverage of {LEVEL:.0%} intervals, {simulations} simulations")
    for head in ("mixture", "parameter", f"n = {LARGE}", "in the band", f"n = {SMALL}", f"no interval, n = {SMALL}"):
        table.add_column(head)
    passed = []
    for name, parameter, there, hits, few_there, few_hits in rows:
        passed.append(there == simulations and low <= hits / simulations <= high)
        few = f"{few_hits / max(few_there, 1):.3f}"
        verdict = "yes" if passed[-1] else "NO"
        table.add_row(name, parameter, f"{hits / simulations:.3f}", verdict, few, str(simulations - few_there))
    Console(width=110).print(table)
    print(f"band [{low:.3f}, {high:.3f}] for {len(rows)} parameters; {sum(passed)} inside")
    print(f"{perf_counter() - start:.0f} s")
    return all(passed)


if __name__ == "__main__":
    sys.exit(0 if main(*map(int, sys.argv[1:])) else 1)
