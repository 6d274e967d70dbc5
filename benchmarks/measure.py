"""One measurement in a process of its own: ``python -m benchmarks.measure '{"who": ...}'`` prints one line of JSON."""

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases import Case, make_data, make_start
from benchmarks.contestants import CONTESTANTS, Clock

STATUS = Path("/proc/self/status")


def run(order: dict[str, Any], threads: int, module: str = "benchmarks.measure") -> dict[str, Any]:
    """Run a module on one order in a new process with so many threads, and return the last line that it prints."""
    limit = dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"], str(threads))
    command = [sys.executable, "-m", module, json.dumps(order)]
    result = subprocess.run(command, env=os.environ | limit, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"measurement {order} failed: {result.stderr}")
    return dict(json.loads(result.stdout.splitlines()[-1]))


def megabytes(field: str) -> float:
    """Return VmRSS (current memory) or VmHWM (peak memory) in MB; NaN if the system does not report it."""
    if not STATUS.exists():
        return float("nan")
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) / 1024


def forget_peak() -> None:
    """Reset the peak to the current memory."""
    if STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")


def measure(who: str, case: Case, n_iter: int) -> dict[str, float]:
    """Return seconds per pass, peak memory beyond code and data in MB, and the log-likelihood."""
    small = Case(case.kind, 200 + 20 * case.D, case.D, 2)
    few = make_data(small)
    fit(who, small, few, 2, Clock())
    X = make_data(case)
    clock = Clock()
    forget_peak()
    held = megabytes("VmRSS")
    log_likelihood = fit(who, case, X, n_iter, clock)
    return {"seconds": clock.per_pass(), "megabytes": megabytes("VmHWM") - held, "log_likelihood": log_likelihood}


def fit(who: str, case: Case, X: Any, n_iter: int, clock: Clock) -> float:
    """Fit from the common start, and return the log-likelihood."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few iterations do not converge
        return CONTESTANTS[who](case, X, make_start(case, X), n_iter, clock)


def limits() -> dict[str, float]:
    """Return the limits of this machine: flops per second of dgemm, bytes per second of a copy; the best of five."""
    a, source = np.ones((1500, 1500)), np.ones(25_000_000)
    target = np.empty_like(source)
    return {
        "dgemm": 2 * 1500**3 / _best(lambda: a @ a),
        "copy": source.nbytes / _best(lambda: np.copyto(target, source)),
    }


def _best(function: Callable[[], object]) -> float:
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    print(
        json.dumps(
            limits() if order["who"] == "limits" else measure(order["who"], Case(*order["case"]), order["n_iter"])
        )
    )
