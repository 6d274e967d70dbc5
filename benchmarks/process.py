"""A measurement runs in a process of its own, so that nothing that ran before it counts."""

import json
import os
import subprocess
import sys
from typing import Any


def run(order: dict[str, Any], threads: int, module: str = "benchmarks.measure") -> dict[str, Any]:
    """Run a module on one order in a fresh process that may use so many threads; return what it prints last."""
    limit = dict.fromkeys(["OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"], str(threads))
    command = [sys.executable, "-m", module, json.dumps(order)]
    result = subprocess.run(command, env=os.environ | limit, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"measurement {order} failed: {result.stderr}")
    return dict(json.loads(result.stdout.splitlines()[-1]))
