"""EM on a cluster of this machine's processes, one thread each: ``python -m benchmarks.cluster``.

Says whether one worker, two, and two of which some are killed give the numbers that memory gives; what a pass over all
rows costs with one worker and with two; and what an iteration costs where there is hardly anything to add. All that is
started is stopped again, and everything listens on the loopback address only.
"""

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import dask
import dask.array as da
import numpy as np
import typer
from distributed import Client, LocalCluster
from rich.console import Console
from rich.table import Table

from benchmarks.calls import clouds
from benchmarks.measure import megabytes
from em import GaussianMixtureEM
from models.gmm import GMMParameters
from models.validation import Array

D, K = 10, 5


def main(
    rows: Annotated[int, typer.Option(help="Rows of the timed fits.")] = 4_000_000,
    kills: Annotated[int, typer.Option(help="How many fits have a worker killed in the middle.")] = 20,
    iterations: Annotated[int, typer.Option(help="Iterations of a timed fit.")] = 5,
) -> None:
    """Print what agrees, seconds per pass, the cost of an iteration, and what became of killed workers."""
    console = Console()
    with dask.config.set({"distributed.scheduler.active-memory-manager.start": False}):
        console.print(agreement())
        console.print(speed(rows, iterations))
        if kills:
            console.print(killed(kills))


@contextmanager
def cluster(n_workers: int) -> Iterator[Client]:
    """Start workers, processes of one thread each, and stop them."""
    options: dict[str, Any] = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(n_workers=n_workers, host="127.0.0.1", **options) as started, Client(started) as client:
        yield client


def data(rows: int, n_chunks: int) -> Any:
    """Return rows (n, D) of K clouds as a Dask array, each chunk drawn from a seed of its own."""
    size = -(-rows // n_chunks)
    seeds = da.arange(n_chunks, chunks=1)
    return seeds.map_blocks(_drawn, size, dtype=np.float64, new_axis=1, chunks=((size,) * n_chunks, (D,)))


def _drawn(seed: Array, size: int) -> Array:
    centers = clouds(K, D, 1)[:K] * 3
    rng = np.random.default_rng(int(seed[0]))
    return np.asarray(centers[rng.integers(K, size=size)] + rng.normal(size=(size, D)))


def start() -> GMMParameters:
    """Return where the timed fits start."""
    centers = clouds(K, D, 1)[:K] * 3
    return GMMParameters(np.full(K, 1 / K), centers + 0.5, np.broadcast_to(2 * np.eye(D), (K, D, D)))


def agreement() -> Table:
    """Compare fits by one, two and seven workers, and in other chunks, with that in memory."""
    found = Table(title="the same fit, 200,000 rows from the same start: largest relative difference from memory")
    for heading in ("workers", "chunks", "log-likelihood", "parameters", "same bits as one worker"):
        found.add_column(heading)
    X = data(200_000, 16).compute()
    memory = GaussianMixtureEM(K, init=start()).fit(X)
    bits: dict[int, Any] = {}
    for n_workers, n_chunks in ((1, 16), (2, 16), (7, 16), (2, 40)):
        with cluster(n_workers):
            fit = GaussianMixtureEM(K, init=start()).fit(da.from_array(X, chunks=(-(-len(X) // n_chunks), -1)))
        gap = max(np.abs(one / other - 1).max() for one, other in zip(_arrays(fit), _arrays(memory), strict=True))
        values = [array.tolist() for array in _arrays(fit)]
        same = "" if n_chunks not in bits else "yes" if bits[n_chunks] == values else "NO"
        bits.setdefault(n_chunks, values)
        likelihood = abs(fit.log_likelihood_ / memory.log_likelihood_ - 1)
        found.add_row(str(n_workers), str(n_chunks), f"{likelihood:.1e}", f"{gap:.1e}", same)
    return found


def speed(rows: int, iterations: int) -> Table:
    """Time passes over rows that the workers hold, and over next to nothing in 64 chunks."""
    found = Table(title=f"seconds per pass of EM, full covariances, (D, K) = ({D}, {K}), plain iterations")
    for heading in ("rows", "chunks", "one worker", "two workers", "ratio", "MB of a worker, two workers"):
        found.add_column(heading, justify="right")
    for n, n_chunks in ((rows, 32), (70_000, 64)):
        seconds, memory = {}, 0.0
        for n_workers in (1, 2):
            with cluster(n_workers) as client:
                X = data(n, n_chunks).persist()
                _fit(X, 1)
                one, more = (_seconds(X, count) for count in (1, 1 + iterations))
                seconds[n_workers] = (more - one) / iterations
                memory = max(client.run(_megabytes).values())
        ratio = f"{seconds[1] / seconds[2]:.2f}"
        found.add_row(f"{n:,}", str(n_chunks), f"{seconds[1]:.3f}", f"{seconds[2]:.3f}", ratio, f"{memory:.0f}")
    return found


def killed(times: int) -> Table:
    """Kill a worker at a random moment of each fit, and compare what comes out."""
    found = Table(title="a worker is killed (signal 9) in the middle of a fit of 400,000 rows")
    for heading in ("fits", "worker killed in time", "right results"):
        found.add_column(heading)
    rng, hits, right = np.random.default_rng(0), 0, 0
    with cluster(2) as client:
        wanted, seconds = _fit(data(400_000, 16), 12), _seconds(data(400_000, 16), 12)
        for _ in range(times):
            client.wait_for_workers(2)
            done = threading.Event()
            victim = int(next(iter(client.run(os.getpid).values())))
            killer = threading.Thread(target=_kill, args=(victim, float(rng.uniform(0.1, 0.9)) * seconds, done))
            killer.start()
            fit = _fit(data(400_000, 16), 12)
            done.set()
            killer.join()
            hits += not _alive(victim)
            right += all((one == other).all() for one, other in zip(_arrays(fit), _arrays(wanted), strict=True))
    found.add_row(str(times), str(hits), str(right))
    return found


def _kill(victim: int, after: float, done: threading.Event) -> None:
    if not done.wait(after):
        os.kill(victim, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _fit(X: Any, max_iter: int) -> GaussianMixtureEM:
    with warnings.catch_warnings(action="ignore"):
        return GaussianMixtureEM(K, init=start(), max_iter=max_iter, acceleration=None).fit(X)


def _seconds(X: Any, max_iter: int) -> float:
    begin = time.perf_counter()
    _fit(X, max_iter)
    return time.perf_counter() - begin


def _arrays(fit: GaussianMixtureEM) -> list[Array]:
    return list(fit.parameters_.arrays().values())


def _megabytes() -> float:
    return megabytes("VmRSS")


if __name__ == "__main__":
    typer.run(main)
