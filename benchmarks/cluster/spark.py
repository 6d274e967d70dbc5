"""Spark MLlib's GaussianMixture beside ours: the same rows, start and iterations, two threads against two workers.

MLlib takes a start only in its older interface of RDDs. `uv sync --group spark` installs it; it needs Java 17
(``apt-get install default-jre-headless``). Rows are in both cases held in memory before anything is timed; a pass is
the difference of a long and a short fit, for each iteration that the long one makes more.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask.array as da
import numpy as np
from rich.table import Table

from benchmarks.cluster.workers import cluster, drawn, fit, held, seconds_per_pass, start
from em.gmm.passes import gaussian_pass
from models.gmm import GMMParameters
from models.validation import Array

PARTS = 16
HOW_TO = "Spark was left out: `uv sync --group spark` installs pyspark, and Java 17 or later must be there"


def rival(cases: list[tuple[int, int, int]], iterations: int) -> Table | str:
    """Return the table of both, or how to install Spark where it is missing."""
    if find_spec("pyspark") is None or shutil.which("java") is None:
        return HOW_TO
    found = Table(title=f"Spark MLlib, local[2], against two workers: full covariances, {iterations} iterations")
    headings = (
        "(n, D, K)",
        "Spark, s a pass",
        "ours, s a pass",
        "times",
        "log-likelihood, Spark's",
        "ours minus Spark's",
    )
    for heading in headings:
        found.add_column(heading, justify="right")
    for n, n_features, n_components in cases:
        with tempfile.TemporaryDirectory() as folder:
            size = n // PARTS
            for part in range(PARTS):
                np.save(Path(folder, f"{part}.npy"), drawn(np.array([part]), size, n_features, n_components))
            begin = start(n_features, n_components)
            theirs, seconds = _by_spark(folder, begin, iterations)
            own, own_seconds = _by_workers(folder, size, begin, iterations)
            rows = np.concatenate([np.load(Path(folder, f"{part}.npy")) for part in range(PARTS)])
            likelihoods = [gaussian_pass(rows, parameters)[0] for parameters in (theirs, own)]
        gain = likelihoods[1] - likelihoods[0]
        case, ratio = f"({n:,}, {n_features}, {n_components})", f"{seconds / own_seconds:.1f}"
        found.add_row(case, f"{seconds:.3f}", f"{own_seconds:.3f}", ratio, f"{likelihoods[0]:.4f}", f"{gain:.2g}")
    return found


def _by_workers(folder: str, size: int, begin: GMMParameters, iterations: int) -> tuple[GMMParameters, float]:
    numbers, D = da.arange(PARTS, chunks=1), begin.n_features
    X = numbers.map_blocks(_read, folder, dtype=np.float64, new_axis=1, chunks=((size,) * PARTS, (D,)))
    with cluster(2) as client:
        X = held(client, X)
        seconds = seconds_per_pass(X, iterations, begin)
        return fit(X, 1 + iterations, begin).parameters_, seconds


def _by_spark(folder: str, begin: GMMParameters, iterations: int) -> tuple[GMMParameters, float]:
    from pyspark.mllib.clustering import GaussianMixture
    from pyspark.mllib.linalg import DenseMatrix, DenseVector
    from pyspark.mllib.stat.distribution import MultivariateGaussian

    K, D = begin.n_components, begin.n_features
    gaussians = [
        MultivariateGaussian(DenseVector(mean), DenseMatrix(D, D, covariance.ravel()))
        for mean, covariance in zip(begin.means, begin.covariances, strict=True)
    ]
    first = SimpleNamespace(k=K, weights=begin.weights.tolist(), gaussians=gaussians)
    with _spark() as context:
        rows = context.parallelize(range(PARTS), PARTS).flatMap(lambda part: _vectors(folder, part)).cache()
        rows.count()
        GaussianMixture.train(rows, K, 0.0, 1, initialModel=first)  # compiles

        def seconds(max_iter: int) -> tuple[Any, float]:
            at = time.perf_counter()
            return GaussianMixture.train(rows, K, 0.0, max_iter, initialModel=first), time.perf_counter() - at

        short, long = ([seconds(max_iter) for _ in range(2)] for max_iter in (1, 1 + iterations))
        each, model = (min(pair[1] for pair in long) - min(pair[1] for pair in short)) / iterations, long[0][0]
        means = np.array([gaussian.mu.toArray() for gaussian in model.gaussians])
        covariances = np.array([gaussian.sigma.toArray() for gaussian in model.gaussians])
        return GMMParameters(np.asarray(model.weights), means, (covariances + covariances.mT) / 2), each


@contextmanager
def _spark() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": sys.executable}
    settings = {
        "driver.memory": "6g",
        "driver.host": "127.0.0.1",
        "driver.bindAddress": "127.0.0.1",
        "ui.enabled": "false",
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
