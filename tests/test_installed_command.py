"""The wheel, alone in an environment and from any folder, runs what a checkout runs; its command takes the data."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return Python of a new environment with the wheel, and with what the wheel needs."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    venv.create(folder / "env", with_pip=False)
    paths = {"base": str(folder / "env"), "platbase": str(folder / "env")}
    site = Path(sysconfig.get_path("purelib", vars=paths))
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return Path(sysconfig.get_path("scripts", vars=paths)) / ("python.exe" if os.name == "nt" else "python")


def run(python, folder, code, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(python), "-c", code, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


COMMANDS = """
import contextlib, io, json, sys
from importlib.metadata import entry_points
(command,) = entry_points(group="console_scripts", name="mixture-twins")
answers = []
for arguments in json.loads(sys.argv[1]):
    out, error, sys.argv = io.StringIO(), io.StringIO(), ["mixture-twins", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            code = command.load()()
        except SystemExit as end:
            code = end.code
    answers.append([code or 0, out.getvalue(), error.getvalue()])
print(json.dumps(answers))
"""
PACKAGES = """
import em, models, comparisons
from comparisons.data import load
from em.page import page
assert not any(str(module.__path__[0]).startswith({root!r}) for module in (em, models, comparisons)), em.__path__
fit = em.PoissonMixtureEM(2, random_state=0).fit(load("earthquakes").X)
print(round(fit.log_likelihood_, 6), "<h1>t</h1>" in page("t", "l", []))
"""
ASKED = [[], ["gmm", "--help"], ["gnm", "mine.csv"], ["coursework", "release"], ["gmm", "mine.csv"]]


class Answer(NamedTuple):
    code: int
    out: str
    error: str


@pytest.fixture(scope="module")
def printed(python, tmp_path_factory):
    """Return what one process prints: the answers of the commands, and what the packages gave."""
    packages = PACKAGES.format(root=str(ROOT) + os.sep)
    done = run(python, tmp_path_factory.mktemp("any"), COMMANDS + packages, json.dumps(ASKED))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_command_lists_names_takes_data_and_says_what_was_meant(printed):
    listed, helped, mistyped, released, missing = (Answer(*answer) for answer in json.loads(printed[0]))
    assert listed.code == 0, listed.error
    for name in ("gmm", "bmm", "pmm", "cmm", "components", "calibration", "coursework", "cases"):
        assert f"\n  {name} " in listed.out
    assert (helped.code, "mixture-twins gmm" in helped.out) == (0, True)
    assert (mistyped.code, "did you mean gmm?" in mistyped.error) == (2, True)
    assert (released.code, "--source" in released.error) == (2, True)  # a wheel has no assignments, and no solutions
    assert (missing.code, "mine.csv" in missing.error) == (2, True)


def test_the_packages_are_those_of_the_wheel_with_their_data_and_pages(printed):
    assert printed[1:] == ["-360.369044 True"]
