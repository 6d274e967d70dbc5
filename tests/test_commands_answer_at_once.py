"""Help and a mistake in what was typed are answered before anything heavy is imported, by every command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from comparisons.families import family_names

ROOT = Path(__file__).parents[1]
HEAVY = ["arviz", "jax", "matplotlib", "numba", "pandas", "pymc", "pytensor", "scipy.special", "scipy.stats", "sklearn"]
HEAVY += ["em", "xarray"]
FAMILIES = [f"comparisons.{name}" for name in family_names()]
OF_DATA = [*FAMILIES, "comparisons.components", "comparisons.concentration"]
MISTYPED = {
    "comparisons": ["--only", "faithfull"],
    "comparisons.calibration": ["--only", "faithfull"],
    "comparisons.coursework": ["check", "faithfull.py"],
    **{module: ["--data", "faithfull"] for module in OF_DATA},
}
WORDS = "--help", "--dta", "faithfull", "does not exist", "are built in"
OF_FILES = ["--data", "nowhere.csv"], ["--data", "faithful", "--drop", "waiting"]
RUN_EACH = """
import contextlib, io, json, runpy, sys
module, heavy, calls = json.loads(sys.argv[1])
answers = []
for arguments in calls:
    out = io.StringIO()
    sys.argv = [module, *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            answers.append([end.code or 0, out.getvalue(), [name for name in heavy if name in sys.modules]])
print(json.dumps(answers))
"""


@pytest.mark.parametrize("module", MISTYPED)
def test_help_and_mistakes_load_nothing_heavy(module, tmp_path):
    calls = [["--help"], ["--dta", "x"], MISTYPED[module], *(OF_FILES if module in OF_DATA else [])]
    given = json.dumps([module, HEAVY, calls])
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", RUN_EACH, given]
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    expected_codes, words = [0, *[2] * (len(calls) - 1)], WORDS[: len(calls)]
    for (code, text, loaded), expected, word in zip(json.loads(run.stdout), expected_codes, words, strict=True):
        assert (code, loaded, word in text) == (expected, [], True), text
    assert list(tmp_path.iterdir()) == []
