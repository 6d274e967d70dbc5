"""Compare Spark MLlib's GaussianMixture with ours: the same rows, start and iterations, two threads and two workers.

MLlib takes a start only in its older interface of RDDs. `uv sync --group spark` installs it; it needs Java 17
(``apt-get install default-jre-headless``). Both hold the rows in memory before they are timed. The time of a pass is
the difference of a long and a short fit, divided by the difference of their iterations. Both clusters exist at the same
time and take turns. They are compared by the processor seconds of all processes and threads, because clock time depends
on other programs. A first round, in which Java compiles, is left out.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
from rich.table import Table

from benchmarks.cluster.workers import cluster, drawn, fit, held, start
from em.gmm.passes import gaussian_pass
from models.gmm import GMMParameters
from models.validation import Array

PARTS, OURS_MORE = 16, 4  # ours gets four times as many iterations, since /proc counts hundredths of a second

type Fit = Callable[[int], GMMParameters]  # a function of the number of iterations

HOW_TO = "Spark was left out: `uv sync --group spark` installs pyspark, and Java 17 or later must be there"


def rival(cases: list[tuple[int, int, int]], iterations: int, rounds: int) -> Table | str:
    """Return the table of both, or how to install Spark if it is missing."""
    if find_spec("pyspark") is None or shutil.which("java") is None:
        return HOW_TO
    table = Table(title=f"Spark MLlib, local[2], against two workers: full covariances, {iterations} iterations")
    headings = (
        "(n, D, K)",
        "Spark, processor s a pass",
        "ours",
        "times",
        "Spark, s a pass by the clock",
        "ours",
        "log-likelihood, Spark's",
        "ours minus Spark's",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for n, n_features, n_components in cases:
        with tempfile.TemporaryDirectory() as folder:
            size = n // PARTS
            for part in range(PARTS):
                np.save(Path(folder, f"{part}.npy"), drawn(np.array([part]), size, n_features, n_components))
            begin = start(n_features, n_components)
            with _spark() as context, cluster(2) as client:
                fits = _by_spark(context, folder, begin), _by_workers(client, folder, size, begin)
                lengths = iterations, OURS_MORE * iterations
                passes = [[_pass(*pair) for pair in zip(fits, lengths, strict=True)] for _ in range(1 + rounds)]
                both = [one(1 + iterations) for one in fits]
            rows = np.concatenate([np.load(Path(folder, f"{part}.npy")) for part in range(PARTS)])
            likelihoods = [gaussian_pass(rows, parameters)[0] for parameters in both]
        clock, processor = np.moveaxis(np.array(passes[1:]), -1, 0)
        ratios = processor[:, 0] / processor[:, 1]
        table.add_row(
            f"({n:,}, {n_features}, {n_components})",
            *map(_middle_of, (*processor.T, ratios, *clock.T)),
            f"{likelihoods[0]:.4f}",
            f"{likelihoods[1] - likelihoods[0]:.2g}",
        )
    return table


def _middle_of(values: Array) -> str:
    """Return the median, with minimum and maximum in brackets."""
    return f"{np.median(values):.3g} ({values.min():.3g} to {values.max():.3g})"


def _pass(fit_by: Fit, iterations: int) -> tuple[float, float]:
    """Return the clock seconds and the processor seconds of one iteration."""
    seconds = []
    for max_iter in (1, 1 + iterations):
        at, before = time.perf_counter(), processor_seconds()
        fit_by(max_iter)
        after = processor_seconds()
        used = sum(after[process] - before.get(process, 0.0) for process in after)  # some may have ended
        seconds.append((time.perf_counter() - at, used))
    (short_clock, short), (long_clock, long) = seconds
    return (long_clock - short_clock) / iterations, (long - short) / iterations


def processor_seconds() -> dict[int, float]:
    """Return the processor seconds of this process and its descendants by number, from Linux's /proc."""
    parents, used = {}, {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        parents[int(file.parent.name)], used[int(file.parent.name)] = int(fields[1]), sum(map(int, fields[11:13]))
    ours = {os.getpid()}
    for process in sorted(parents):  # parents have smaller numbers, unless the numbers wrapped around
        if parents[process] in ours:
            ours.add(process)
    return {process: used[process] / os.sysconf("SC_CLK_TCK") for process in ours}


def _by_workers(client: Any, folder: str, size: int, begin: GMMParameters) -> Fit:
    numbers, D = da.arange(PARTS, chunks=1), begin.n_features
    X = held(client, numbers.map_blocks(_read, folder, dtype=np.float64, new_axis=1, chunks=((size,) * PARTS, (D,))))
    return lambda max_iter: fit(X, max_iter, begin).parameters_


def _by_spark(context: Any, folder: str, begin: GMMParameters) -> Fit:
    from pyspark.mllib.clustering import GaussianMixture
    from pyspark.mllib.linalg import DenseMatrix, DenseVector
    from pyspark.mllib.stat.distribution import MultivariateGaussian

    K, D = begin.n_components, begin.n_features
    gaussians = [
        MultivariateGaussian(DenseVector(mean), DenseMatrix(D, D, covariance.ravel()))
        for mean, covariance in zip(begin.means, begin.covariances, strict=True)
    ]
    first = SimpleNamespace(k=K, weights=begin.weights.tolist(), gaussians=gaussians)
    rows = context.parallelize(range(PARTS), PARTS).flatMap(lambda part: _vectors(folder, part)).cache()
    rows.count()

    def fit_by(max_iter: int) -> GMMParameters:
        model = GaussianMixture.train(rows, K, 0.0, max_iter, initialModel=first)
        means = np.array([gaussian.mu.toArray() for gaussian in model.gaussians])
        covariances = np.array([gaussian.sigma.toArray() for gaussian in model.gaussians])
        return GMMParameters(np.asarray(model.weights), means, (covariances + covariances.mT) / 2)

    return fit_by


@contextmanager
def _spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    settings = {
        "driver.memory": "6g",
        "driver.host": "127.0.0.1",
        "driver.bindAddress": "127.0.0.1",
        "ui.enabled": "false",
        "ui.showConsoleProgress": "false",
    }
    builder: Any = SparkSession.builder
    builder = builder.master("local[2]").appName("benchmarks.cluster")
    for name, value in settings.items():
        builder = builder.config(f"spark.{name}", value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session.sparkContext
    finally:
        session.stop()


def _vectors(folder: str, part: int) -> Iterator[Any]:
    from pyspark.mllib.linalg import DenseVector

    return map(DenseVector, np.load(Path(folder, f"{part}.npy")))


def _read(number: Array, folder: str) -> Array:
    return np.asarray(np.load(Path(folder, f"{int(number[0])}.npy")))
