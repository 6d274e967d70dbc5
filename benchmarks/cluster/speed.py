"""Compare fits of chunks with the fit in memory, and time passes with one worker and two, and their parts."""

import pickle
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
from rich.table import Table
from sklearn.base import clone

from benchmarks.cluster.workers import D, K, arrays, cluster, data, held, memory_now, seconds_per_pass, start
from em import GaussianMixtureEM
from em.chunked.chunks import Chunks
from em.chunked.groups import add
from em.chunked.samples import chunked_samples
from em.engine.problem import one_run
from models.validation import Array

MEGABYTE = 2**20
ROUNDS = 5


def agreement() -> Table:
    """Compare fits by one, two and seven workers, and in other chunks, with the fit in memory."""
    table = Table(title="200,000 rows: largest gap from the fit in memory, in units of the kind")
    for heading in ("starts", "workers", "chunks", "log-likelihood", "parameters", "same bits as one worker"):
        table.add_column(heading)
    X = data(200_000, 16).compute()
    for starts, settings in (("default", {"random_state": 0}), ("given", {"init": start()})):
        _agree(table, X, starts, GaussianMixtureEM(K, **settings))
    return table


def _agree(table: Table, X: Array, starts: str, estimator: GaussianMixtureEM) -> None:
    memory, bits = clone(estimator).fit(X), dict[int, Any]()
    for n_workers, n_chunks in ((1, 16), (2, 16), (7, 16), (2, 40)):
        with cluster(n_workers):
            fit = clone(estimator).fit(da.from_array(X, chunks=(-(-len(X) // n_chunks), -1)))
        pairs = zip(arrays(fit), arrays(memory), strict=True)
        gap = max(np.abs(one - other).max() / np.abs(other).max() for one, other in pairs)
        values = [array.tolist() for array in arrays(fit)]
        same = "" if n_chunks not in bits else "yes" if bits[n_chunks] == values else "NO"
        bits.setdefault(n_chunks, values)
        likelihood = abs(fit.log_likelihood_ / memory.log_likelihood_ - 1)
        table.add_row(starts, str(n_workers), str(n_chunks), f"{likelihood:.1e}", f"{gap:.1e}", same)


def speed(rows: int, iterations: int) -> Table:
    """Measure time and processor time of passes over rows in the workers' memory; medians of rounds."""
    table = Table(title=f"a pass of EM over {rows:,} rows in 32 chunks, full covariances, (D, K) = ({D}, {K})")
    for heading in ("workers", "seconds", "times faster", "processor seconds of each worker", "MB of a worker"):
        table.add_column(heading, justify="right")
    seconds, used, memory = np.empty((ROUNDS, 2)), {}, {}
    for turn, which in np.ndindex(seconds.shape):
        with cluster(which + 1) as client:  # started anew: idle workers take processor time
            X = held(client, data(rows, 32))
            seconds[turn, which] = seconds_per_pass(X, iterations)
            used[which] = ", ".join(f"{each:.3f}" for each in _processor_seconds(client, X, iterations))
            memory[which] = max(client.run(memory_now).values())
    medians = np.median(seconds, axis=0)
    for which, median in enumerate(medians):
        numbers = f"{median:.3f}", f"{medians[0] / median:.2f}", used[which], f"{memory[which]:.0f}"
        table.add_row(str(which + 1), *numbers)
    return table


def overhead(iterations: int) -> Table:
    """Time iterations over 64 nearly empty chunks, and passes that do nothing, with 1 to 8 workers."""
    table = Table(title="milliseconds where hardly a row is in each of 64 chunks (70,000 rows in all)")
    for heading in ("workers", "chunks held by them", "tasks", "iteration", "pass that does nothing", "for each task"):
        table.add_column(heading, justify="right")
    for n_workers, persisted in ((2, True), (2, False), (1, True), (4, True), (8, True)):
        with cluster(n_workers) as client:
            X = data(70_000, 64)
            X = held(client, X) if persisted else X
            iteration, chunks = seconds_per_pass(X, iterations), Chunks.of(X, None)
            chunks.sum(nothing)
            empty, n_tasks = best_of(partial(chunks.sum, nothing), 20), len(list(chunks._tasks(client)))
        times = [f"{1e3 * seconds:.1f}" for seconds in (iteration, empty, empty / n_tasks)]
        table.add_row(str(n_workers), "yes" if persisted else "no", str(n_tasks), *times)
    return table


def constants() -> Table:
    """Measure the constants of the page "Beyond one cluster"."""
    table = Table(title="constants of docs/howto/beyond_one_cluster.md, one run, full covariances")
    for heading in (
        "(D, K)",
        "bytes sent to a group",
        "bytes it returns",
        "ns a row and statistic",
        "us to add",
        "ms M-step",
    ):
        table.add_column(heading, justify="right")
    for n_features, n_components in ((10, 5), (30, 20), (100, 10)):
        table.add_row(f"({n_features}, {n_components})", *_constants_of(n_features, n_components))
    return table


def _constants_of(n_features: int, n_components: int) -> list[str]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, n_features)) + 3 * rng.integers(2, size=(20_000, 1))
    estimator = GaussianMixtureEM(n_components, init=start(n_features, n_components))
    samples = chunked_samples(estimator, da.from_array(X, chunks=(20_000, -1)))
    moved = estimator._in_standard_units(samples)
    standard: Any = moved._standardised(samples)
    problem, theta, runs = moved._problem(standard), one_run(moved.init.arrays()), np.zeros(1, dtype=int)
    sent: list[int] = []
    part = _kept(standard.chunks, lambda: problem.expect(theta, runs), sent)
    n_statistics = n_components * (n_features + 1) * (n_features + 2) // 2
    seconds = best_of(lambda: problem.expect(theta, runs), 3)
    adding = best_of(lambda: add({(0, 0): part}, (0, 1), part, 2), 20)
    m_step = best_of(lambda: problem.maximise(part.statistics, runs), 3)
    each = 1e9 * seconds / (len(X) * n_statistics)
    sizes = [f"{size:,}" for size in (sent[0], len(pickle.dumps(part)))]
    return [*sizes, f"{each:.3f}", f"{1e6 * adding:.0f}", f"{1e3 * m_step:.2f}"]


def nothing(rows: Any, weights: Array | None) -> Array:
    """Return a tiny result of a chunk."""
    return np.zeros(1)


def best_of(function: Callable[[], object], times: int) -> float:
    """Return the least seconds of several calls."""
    seconds = []
    for _ in range(times):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def _kept(chunks: Chunks, call: Callable[[], object], sent: list[int]) -> Any:
    """Return the part of a pass, and record the size of the function that was sent."""
    parts = []

    def summed(function: Any, *arguments: Any) -> Any:
        sent.append(len(pickle.dumps((function, arguments))))
        parts.append(type(chunks).sum(chunks, function, *arguments))
        return parts[-1]

    vars(chunks)["sum"] = summed
    call()
    del vars(chunks)["sum"]
    return parts[0]


def _processor_seconds(client: Any, X: Any, iterations: int) -> list[float]:
    samples = chunked_samples(GaussianMixtureEM(K, init=start()), X)
    expect, theta = samples.e_step(GaussianMixtureEM(K, init=start())), one_run(start().arrays())
    expect(theta, np.zeros(1, dtype=int))
    before = client.run(_processor)
    for _ in range(iterations):
        expect(theta, np.zeros(1, dtype=int))
    return [(after - before[who]) / iterations for who, after in client.run(_processor).items()]


def _processor() -> float:
    return time.process_time()
