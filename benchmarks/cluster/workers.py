"""Workers, processes of one thread each, and their data: clouds that are drawn chunk by chunk."""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask.array as da
import numpy as np
from distributed import Client, LocalCluster

from benchmarks.calls import clouds
from benchmarks.measure import megabytes
from em import GaussianMixtureEM
from models.gmm import GMMParameters
from models.validation import Array

D, K = 10, 5


@contextmanager
def cluster(n_workers: int, memory_limit: str = "auto") -> Iterator[Client]:
    """Start workers and stop them."""
    options: dict[str, Any] = {"threads_per_worker": 1, "processes": True, "dashboard_address": "127.0.0.1:0"}
    options |= {"host": "127.0.0.1", "memory_limit": memory_limit}
    with LocalCluster(n_workers=n_workers, **options) as started, Client(started) as client:
        yield client


def data(rows: int, n_chunks: int) -> Any:
    """Return rows (n, D) of K clouds as a Dask array; each chunk is drawn from its own seed."""
    size = -(-rows // n_chunks)
    seeds = da.arange(n_chunks, chunks=1)
    return seeds.map_blocks(drawn, size, dtype=np.float64, new_axis=1, chunks=((size,) * n_chunks, (D,)))


def drawn(seed: Array, size: int, n_features: int = D, n_components: int = K) -> Array:
    """Return the rows of a chunk."""
    centers = clouds(n_components, n_features, 1)[:n_components] * 3
    rng = np.random.default_rng(int(seed[0]))
    return np.asarray(centers[rng.integers(n_components, size=size)] + rng.normal(size=(size, n_features)))


def held(client: Client, X: Any) -> Any:
    """Return X in the workers' memory; each worker holds equally many consecutive chunks."""
    workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
    ends = np.linspace(0, X.numblocks[0], len(workers) + 1).astype(int)
    spans = zip(ends[:-1], ends[1:], workers, strict=True)
    return da.concatenate([client.persist(X.blocks[a:b], workers=[worker]) for a, b, worker in spans])


def start(n_features: int = D, n_components: int = K) -> GMMParameters:
    """Return the start of the timed fits."""
    centers = clouds(n_components, n_features, 1)[:n_components] * 3 + 0.5
    covariances = np.broadcast_to(2 * np.eye(n_features), (n_components, n_features, n_features))
    return GMMParameters(np.full(n_components, 1 / n_components), centers, covariances)


def fit(X: Any, max_iter: int, begin: GMMParameters | None = None, **arguments: Any) -> GaussianMixtureEM:
    """Return a fit with so many plain iterations."""
    begin = start() if begin is None else begin
    estimator = GaussianMixtureEM(begin.n_components, init=begin, max_iter=max_iter, tol=0, acceleration=None)
    with warnings.catch_warnings(action="ignore"):
        return estimator.fit(X, **arguments)


def seconds_per_pass(X: Any, iterations: int, begin: GMMParameters | None = None) -> float:
    """Return the seconds of an E-step, from the difference of a long and a short fit; the best of three.

    A first fit, which sends code and tasks to the workers, is left out.
    """
    fit(X, 1, begin)
    short, long = ([_timed(X, max_iter, begin) for _ in range(3)] for max_iter in (1, 1 + iterations))
    return (min(long)[0] - min(short)[0]) / (long[0][1] - short[0][1])


def _timed(X: Any, max_iter: int, begin: GMMParameters | None) -> tuple[float, int]:
    at = time.perf_counter()
    n_e_steps = fit(X, max_iter, begin).n_e_steps_
    return time.perf_counter() - at, n_e_steps


def arrays(fitted: GaussianMixtureEM) -> list[Array]:
    """Return the parameters of a fit."""
    return list(fitted.parameters_.arrays().values())


def memory_now() -> float:
    """Return the current memory of this process in megabytes."""
    return megabytes("VmRSS")


def most_memory() -> float:
    """Return the peak memory of this process in megabytes since `benchmarks.measure.forget_peak`."""
    return megabytes("VmHWM")
