"""Make, fit and remove a data set on disk that is larger than the memory of the workers."""

import tempfile
import time
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
from rich.table import Table

from benchmarks.cluster.workers import D, cluster, drawn, fit, memory_now, most_memory
from benchmarks.measure import forget_peak
from models.validation import Array

CHUNK = 1_000_000  # rows, 80 MB
GIGABYTE = 2**30


def on_disk(gigabytes: float, limit: float, iterations: int) -> Table:
    """Fit files of so many gigabytes with two workers, which are limited to ``limit`` gigabytes each."""
    n_chunks = max(round(gigabytes * GIGABYTE / (8 * D * CHUNK)), 2)
    megabytes = 8 * D * CHUNK / 2**20
    table = Table(title=f"{n_chunks} files of {megabytes:.0f} MB, two workers of at most {limit:g} GB each")
    for heading in (
        "GB",
        "seconds per pass, read from disk",
        "most MB of a worker beyond what it held before",
        "beyond a chunk",
    ):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(n_chunks):
            np.save(Path(folder, f"{number}.npy"), drawn(np.array([number]), CHUNK))
        numbers, shape = da.arange(n_chunks, chunks=1), ((CHUNK,) * n_chunks, (D,))
        with cluster(2, f"{limit}GB") as client:
            fit(
                numbers.blocks[:2].map_blocks(_few, folder, dtype=np.float64, new_axis=1, chunks=((70_000,) * 2, (D,))),
                1,
            )
            before = client.run(memory_now)
            client.run(forget_peak)
            X = numbers.map_blocks(_read, folder, dtype=np.float64, new_axis=1, chunks=shape)
            fit(X, 1)
            begin = time.perf_counter()
            n_passes = fit(X, iterations).n_e_steps_ + 1  # and the pass that computes the summary
            seconds = (time.perf_counter() - begin) / n_passes
            more = max(most - before[who] for who, most in client.run(most_memory).items())
    size = n_chunks * megabytes / 1024
    table.add_row(f"{size:.1f}", f"{seconds:.2f}", f"{more:.0f}", f"{more - megabytes:.0f}")
    return table


def _read(number: Array, folder: Any) -> Array:
    return np.asarray(np.load(Path(folder, f"{int(number[0])}.npy")))


def _few(number: Array, folder: Any) -> Array:
    return _read(number, folder)[:70_000]
