"""The wheel, alone in an environment and from any folder, runs what a checkout runs; its command takes the data."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

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


COMMAND = """
import sys
from importlib.metadata import entry_points
sys.argv[0] = "mixture-twins"
(command,) = entry_points(group="console_scripts", name="mixture-twins")
command.load()()
"""


def test_the_command_lists_names_takes_data_and_says_what_was_meant(python, tmp_path):
    listed = run(python, tmp_path, COMMAND)
    assert listed.returncode == 0, listed.stderr
    for name in ("gmm", "bmm", "pmm", "cmm", "components", "calibration", "coursework", "cases"):
        assert f"\n  {name} " in listed.stdout
    helped = run(python, tmp_path, COMMAND, "gmm", "--help")
    assert (helped.returncode, "mixture-twins gmm" in helped.stdout) == (0, True)
    mistyped = run(python, tmp_path, COMMAND, "gnm", "mine.csv")
    assert (mistyped.returncode, "did you mean gmm?" in mistyped.stderr) == (2, True)
    released = run(python, tmp_path, COMMAND, "coursework", "release")  # a wheel has no assignments, and no solutions
    assert (released.returncode, "--source" in released.stderr) == (2, True)
    missing = run(python, tmp_path, COMMAND, "gmm", "mine.csv")
    assert (missing.returncode, "mine.csv" in missing.stderr) == (2, True)


def test_the_packages_are_those_of_the_wheel_with_their_data_and_pages(python, tmp_path):
    code = """
import em, models, comparisons
from comparisons.data import load
from em.page import page
assert not any(str(module.__path__[0]).startswith({root!r}) for module in (em, models, comparisons)), em.__path__
fit = em.PoissonMixtureEM(2, random_state=0).fit(load("earthquakes").X)
print(round(fit.log_likelihood_, 6), "<h1>t</h1>" in page("t", "l", []))
"""
    done = run(python, tmp_path, code.format(root=str(ROOT) + os.sep))
    assert done.stdout == "-360.369044 True\n", done.stderr
