"""What processes have used of processors is counted by process, as the benchmark beside Spark does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("distributed")
from benchmarks.cluster.spark import processor_seconds

BUSY = "import time\nwhile time.process_time() < 0.5: pass\nprint(flush=True); input()"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc")
def test_children_and_this_process_are_counted_and_ended_ones_take_nothing_away():
    before = processor_seconds()
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        during = processor_seconds()
        assert during[child.pid] >= 0.49  # counted in hundredths of a second
        child.communicate(b"\n")
    after = processor_seconds()
    assert child.pid not in after
    assert before[os.getpid()] <= during[os.getpid()] <= after[os.getpid()]
