"""``python -m benchmarks.cluster``: what agrees, what a pass costs, faults, files, constants, and Spark MLlib."""

from collections.abc import Callable
from typing import Annotated, Any

import dask
import typer

from benchmarks.cluster.disk import on_disk
from benchmarks.cluster.faults import clients_killed, workers_killed
from benchmarks.cluster.spark import rival
from benchmarks.cluster.speed import agreement, constants, overhead, speed
from benchmarks.tables import new_console

SPARK, QUICK = [(200_000, 10, 10), (2_000_000, 10, 5)], [(20_000, 10, 3)]


def main(
    rows: Annotated[int, typer.Option(help="Rows of the timed fits.")] = 4_000_000,
    iterations: Annotated[int, typer.Option(help="Iterations of a timed fit.")] = 5,
    kills: Annotated[int, typer.Option(help="How many fits have a worker killed in the middle.")] = 3,
    resumes: Annotated[int, typer.Option(help="How many fits have their client killed, and go on.")] = 2,
    gigabytes: Annotated[float, typer.Option(help="Size of the data set on disk, which is removed again.")] = 0.3,
    limit: Annotated[float, typer.Option(help="Gigabytes that each worker may hold while it reads from disk.")] = 2.0,
    rounds: Annotated[int, typer.Option(help="How often Spark and ours are timed, in turns.")] = 3,
    quick: Annotated[bool, typer.Option(help="Try Spark on few rows.")] = False,
    only: Annotated[
        str, typer.Option(help="A part: agreement, speed, overhead, workers, clients, disk, constants, spark.")
    ] = "",
) -> None:
    """Print the tables of all parts, or of one; processes are stopped and files removed at the end."""
    parts: dict[str, Callable[[], Any]] = {
        "agreement": lambda: agreement(),
        "speed": lambda: speed(rows, iterations),
        "overhead": lambda: overhead(iterations),
        "workers": lambda: workers_killed(kills),
        "clients": lambda: clients_killed(resumes),
        "disk": lambda: on_disk(gigabytes, limit, iterations),
        "constants": lambda: constants(),
        "spark": lambda: rival(QUICK if quick else SPARK, iterations, rounds),
    }
    if only and only not in parts:
        raise typer.BadParameter(f"--only must be one of {', '.join(parts)}, got {only}")
    console = new_console()
    with dask.config.set({"distributed.scheduler.active-memory-manager.start": False}):
        for part in [only] if only else parts:
            console.print(parts[part]())


if __name__ == "__main__":
    typer.run(main)
