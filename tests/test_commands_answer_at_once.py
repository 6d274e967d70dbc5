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
heavy, calls = json.loads(sys.argv[1])
answers = {module: [] for module in calls}
for module, arguments in [(module, arguments) for module, each in calls.items() for arguments in each]:
    out = io.StringIO()
    sys.argv = [module, *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            answers[module].append([end.code or 0, out.getvalue(), [name for name in heavy if name in sys.modules]])
print(json.dumps(answers))
"""
CALLS = {
    module: [["--help"], ["--dta", "x"], mistyped, *(OF_FILES if module in OF_DATA else [])]
    for module, mistyped in MISTYPED.items()
}


@pytest.fixture(scope="module")
def answered(tmp_path_factory):
    """Return the answers to all calls of all commands, one after another in one fresh interpreter, and its folder."""
    folder, environment = tmp_path_factory.mktemp("at_once"), os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", RUN_EACH, json.dumps([HEAVY, CALLS])]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return json.loads(run.stdout), folder


@pytest.mark.parametrize("module", MISTYPED)
def test_help_and_mistakes_load_nothing_heavy(module, answered):
    answers, folder = answered
    expected_codes, words = [0, *[2] * (len(CALLS[module]) - 1)], WORDS[: len(CALLS[module])]
    for (code, text, loaded), expected, word in zip(answers[module], expected_codes, words, strict=True):
        assert (code, loaded, word in text) == (expected, [], True), text
    assert list(folder.iterdir()) == []
