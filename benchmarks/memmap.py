"""Show that a memory-mapped file larger than the allowed memory gives the fit that X in memory gives, bit for bit.

`resource.RLIMIT_DATA` bounds the memory that a process may allocate; pages of a read-only file map do not count. The
fit in memory runs in another process without a limit. A copy of X must fail, which shows that the limit works.
"""

import json
import sys
import tempfile
import warnings
from dataclasses import astuple
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
from rich.table import Table

from benchmarks.cases import Case, make_data, make_start
from benchmarks.contestants import Clock
from benchmarks.measure import fit as fit_quietly
from benchmarks.measure import megabytes, run
from em import BernoulliMixtureEM, GaussianMixtureEM
from em.process.blas import one_blas_thread, threads_allowed
from em.process.threads import mapped

CASES = [Case("full", 10_000_000, 10, 5), Case("bernoulli", 2_000_000, 50, 5)]
QUICK = [Case("full", 900_000, 10, 2), Case("bernoulli", 180_000, 50, 2)]
THREADS = 2


def table(quick: bool) -> Table:
    """Fit each case from memory and from a file under the limit, and compare the bits."""
    result = Table(title="np.memmap, read-only, float64 in C order: fits under RLIMIT_DATA")
    for heading in ["case (n, D, K)", "file MB", "memory allowed MB", "of which for the fit", "same bits as in memory"]:
        result.add_column(heading)
    for case in QUICK if quick else CASES:
        room = 56 if quick else 128  # MB
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "X.npy")
            np.save(path, make_data(case))
            order = {"case": astuple(case), "path": path, "room": room}
            mapped, held = (run(order | {"mapped": mapped}, THREADS, "benchmarks.memmap") for mapped in (True, False))
        if not quick and mapped["allowed"] >= mapped["file"]:
            raise RuntimeError(f"the file must be larger than the memory allowed, got {mapped}: use more rows")
        same = "yes" if mapped["bits"] == held["bits"] else "NO"
        result.add_row(str(case), f"{mapped['file']:.0f}", f"{mapped['allowed']:.0f}", f"{room}", same)
    return result


def measure(case: Case, path: str, room: float, mapped: bool) -> dict[str, Any]:
    """Fit the file's rows, and return all bits of the estimates and of the objective's history."""
    small = Case(case.kind, 1000, case.D, 2)
    fit_quietly("ours", small, make_data(small), 2, Clock())
    start_threads()
    X = np.load(path, mmap_mode="r" if mapped else None)
    allowed = megabytes("VmData") + room
    if mapped:
        import resource  # not on Windows

        resource.setrlimit(resource.RLIMIT_DATA, (int(allowed * 2**20), resource.RLIM_INFINITY))
        refuse_copy(X)
    family = BernoulliMixtureEM if case.kind == "bernoulli" else GaussianMixtureEM
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # four iterations are not enough to converge
        fit = family(case.K, init=make_start(case, X), tol=0, max_iter=4).fit(X)
    arrays = [fit.history_, *fit.parameters_.arrays().values()]
    return {"bits": [array.tobytes().hex() for array in arrays], "file": X.nbytes / 2**20, "allowed": allowed}


def start_threads() -> None:
    """Let each thread multiply matrices once, so that memory for its stack and for BLAS is allocated before."""
    with one_blas_thread():
        together = Barrier(threads_allowed())
        factor = np.ones((500, 500))
        list(mapped(lambda _: (together.wait(), factor @ factor), range(threads_allowed())))


def refuse_copy(X: np.ndarray) -> None:
    """Raise an error if X can be copied, because then the limit does not work."""
    try:
        np.array(X)
    except MemoryError:
        return
    raise RuntimeError("a copy of X fits into the memory allowed: the file is too small to show anything")


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    print(json.dumps(measure(Case(*order["case"]), order["path"], order["room"], order["mapped"])))
