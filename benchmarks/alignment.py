"""Measure the cost of undoing label switching: ``python -m benchmarks.alignment [--quick]``.

The draws are simulated: well separated Gaussian components (D = 2, full covariances), in random order in each draw. The
pivot's time is for a million draws x components. ECR and Stephens need responsibilities of the draws for n rows; their
cost is linear in draws x n if the last columns are the same in all lines of the table.
"""

import time
from typing import Annotated, Any

import numpy as np
import typer
import xarray as xr

from benchmarks.measure import forget_peak, megabytes
from comparisons import align, log_joint
from models.gmm import GMMParameters, simulate

PIVOT = [(333_334, 3), (200_000, 5), (100_000, 10)]
ROWS = [(1000, 1000), (1000, 10_000), (4000, 1000), (4000, 10_000), (16_000, 1000)]
QUICK = [(200, 3)], [(100, 100), (100, 200)]


def mixture(K: int) -> GMMParameters:
    """Return K unit clouds on a line, 6 apart, of unequal weights."""
    weights, along = np.arange(1, K + 1), np.arange(K)
    return GMMParameters(weights / weights.sum(), np.stack([6.0 * along, along % 2], axis=1), np.stack([np.eye(2)] * K))


def switching_draws(S: int, truth: GMMParameters) -> tuple[xr.Dataset, np.ndarray]:
    """Return S draws in 4 chains about the truth, and the order of the components in each draw."""
    rng, K = np.random.default_rng(0), truth.n_components
    order = rng.permuted(np.broadcast_to(np.arange(K), (4, S // 4, K)), axis=2)
    means = truth.means[order] + 0.1 * rng.normal(size=(*order.shape, 2))
    covariances = truth.covariances[order] * rng.chisquare(200, size=(*order.shape, 1, 1)) / 200
    dims = ("chain", "draw", "component", "feature", "feature_bis")
    draws = {"weights": truth.weights[order], "means": means, "covariances": covariances}
    return xr.Dataset({name: (dims[: array.ndim], array) for name, array in draws.items()}), order


def measured(rule: str, S: int, n: int, K: int) -> tuple[float, float, int]:
    """Return seconds, peak memory beyond the draws in MB and iterations; check that the order is undone."""
    truth = mixture(K)
    draws, order = switching_draws(S, truth)
    X, _ = simulate(truth, max(n, 1), random_state=0)
    options: dict[str, Any] = {} if rule == "pivot" else {"log_joint": log_joint(X, "gmm")}
    if rule != "stephens":
        options["reference"] = truth
    forget_peak()
    held, start = megabytes("VmRSS"), time.perf_counter()
    aligned = align(draws, rule, **options)
    seconds = time.perf_counter() - start
    undone = np.take_along_axis(order, aligned["alignment"]["order"].to_numpy(), axis=2)
    if (undone != undone[0, 0]).any():
        raise ValueError(f"rule {rule!r} left labels mixed")
    return seconds, megabytes("VmHWM") - held, aligned["alignment"].attrs["n_iter"]


def main(quick: Annotated[bool, typer.Option(help="Few draws, to see that it runs.")] = False) -> None:
    """Print both tables."""
    pivots, rows = QUICK if quick else (PIVOT, ROWS)
    measured("pivot", 100, 0, 2)  # what is imported late is imported now
    print("pivot\n     draws    K  draws x K   seconds       MB")
    for S, K in pivots:
        seconds, memory, _ = measured("pivot", S, 0, K)
        print(f"{S:10,} {K:4} {S * K:10,} {seconds:9.2f} {memory:8.0f}")
    for rule in ("ecr", "stephens"):
        title = "one pass, pivot given" if rule == "ecr" else "iterated from 5 draws"
        print(f"{rule}, K = 3, {title}\n     draws        n   seconds       MB  passes  ns per draw x n x pass")
        for S, n in rows:
            seconds, memory, n_iter = measured(rule, S, n, 3)
            unit = 1e9 * seconds / (S * n * n_iter)
            print(f"{S:10,} {n:8,} {seconds:9.2f} {memory:8.0f} {n_iter:7} {unit:10.1f}")


if __name__ == "__main__":
    typer.run(main)
