"""Kill workers and clients (signal 9) at random moments of a fit, and compare the fits."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer
from distributed import Client
from rich.table import Table

import em
from benchmarks.cluster.workers import arrays, cluster, data, fit

ROWS, CHUNKS, ITERATIONS = 400_000, 16, 12


def workers_killed(times: int) -> Table:
    """Kill a worker at a random moment of each fit, and compare the fits."""
    table = Table(title=f"a worker is killed in the middle of a fit of {ROWS:,} rows")
    for heading in ("fits", "worker killed in time", "right results (the same bits)"):
        table.add_column(heading)
    rng, hits, right = np.random.default_rng(0), 0, 0
    with cluster(2) as client:
        wanted, seconds, workers = *_timed(), cast(Any, client.cluster)
        for _ in range(times):
            workers.scale(2)  # also where a nanny gave up, as on a machine that others load
            client.wait_for_workers(2)
            done = threading.Event()
            victim = int(next(iter(client.run(os.getpid).values())))
            killer = threading.Thread(target=_kill, args=(victim, float(rng.uniform(0.1, 0.9)) * seconds, done))
            killer.start()
            fitted = fit(data(ROWS, CHUNKS), ITERATIONS)
            done.set()
            killer.join()
            hits += not _alive(victim)
            right += _same(fitted, wanted)
    table.add_row(str(times), str(hits), str(right))
    return table


def clients_killed(times: int) -> Table:
    """Kill the process that calls `fit` at a random moment, call it again with its checkpoint, and compare."""
    table = Table(title=f"the client is killed in the middle of a fit of {ROWS:,} rows, and its fit goes on")
    for heading in ("fits", "client killed in time", "the same path and bits"):
        table.add_column(heading)
    rng, hits, right = np.random.default_rng(1), 0, 0
    with cluster(2) as client, tempfile.TemporaryDirectory() as folder:
        wanted, seconds = _timed()
        for number in range(times):
            checkpoint, model = Path(folder, f"{number}.checkpoint"), Path(folder, f"{number}.json")
            address = str(client.scheduler_info(n_workers=0)["address"])
            command = [sys.executable, "-m", "benchmarks.cluster.faults", address, str(checkpoint), str(model)]
            first = subprocess.Popen(command)
            while not checkpoint.exists() and first.poll() is None:
                time.sleep(0.01)
            time.sleep(float(rng.uniform(0.0, 0.8)) * seconds)
            hits += first.poll() is None
            first.kill()
            first.wait()
            subprocess.run(command, check=True)
            right += _same(em.load(model), wanted)
    table.add_row(str(times), str(hits), str(right))
    return table


def one_client(scheduler: str, checkpoint: Path, model: Path) -> None:
    """Fit on a cluster that runs, from a checkpoint if it is there, and save the mixture."""
    with Client(scheduler):
        em.save(fit(data(ROWS, CHUNKS), ITERATIONS, checkpoint=checkpoint), model)


def _timed() -> tuple[Any, float]:
    fit(data(ROWS, CHUNKS), 1)
    begin = time.perf_counter()
    return fit(data(ROWS, CHUNKS), ITERATIONS), time.perf_counter() - begin


def _same(one: Any, other: Any) -> bool:
    pairs = zip([one.history_, *arrays(one)], [other.history_, *arrays(other)], strict=True)
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)


def _kill(victim: int, after: float, done: threading.Event) -> None:
    if not done.wait(after):
        os.kill(victim, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _command(scheduler: Annotated[str, typer.Argument()], checkpoint: Path, model: Path) -> None:
    one_client(scheduler, checkpoint, model)


if __name__ == "__main__":
    typer.run(_command)
