"""Runs that write into one folder at once leave whole files of one run, and none of a killed one for ever."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from comparisons.output import files
from comparisons.output.figures import write_figures
from comparisons.output.files import ReplacedError, is_in_place, written_whole

WRITER = """
import sys, time
from pathlib import Path
from comparisons.output.files import written_whole
folder, name, times, seconds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
for number in range(times):
    with written_whole(folder, last="b.txt", stale=("a.txt", "b.txt")) as hidden:
        (hidden / "a.txt").write_text(f"{name} {number} " * 1000)
        print("inside", flush=True)
        time.sleep(seconds)
        (hidden / "b.txt").write_text(f"{name} {number} " * 1000)
"""


def start(folder, name, times, seconds=0.0):
    arguments = [sys.executable, "-c", WRITER, str(folder), name, str(times), str(seconds)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=Path(files.__file__).parents[1])


def write(folder, name, number, barrier=None):
    with written_whole(folder, last="b.txt", stale=("a.txt", "b.txt")) as hidden:
        for file in ("a.txt", "b.txt"):
            (hidden / file).write_text(f"{name} {number} " * 1000)
        if barrier is not None:
            barrier.wait()


def assert_of_one_run(folder):
    assert sorted(file.name for file in folder.iterdir()) == ["a.txt", "b.txt"]
    one, other = ((folder / name).read_text() for name in ("a.txt", "b.txt"))
    assert one == other
    assert len(set(zip(one.split()[::2], one.split()[1::2], strict=True))) == 1


def test_processes_at_once_leave_the_files_of_one(tmp_path):
    writers = [start(tmp_path, f"process{i}", 40) for i in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    for writer in writers:
        writer.stdout.close()
    assert_of_one_run(tmp_path)


def test_threads_that_are_all_inside_leave_the_files_of_one(tmp_path):
    barrier = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: write(tmp_path, f"thread{i}", 0, barrier), range(8)))
    assert_of_one_run(tmp_path)


def test_what_a_killed_run_left_goes_and_what_a_living_run_has_stays(tmp_path):
    killed, living = start(tmp_path, "killed", 1, 60), start(tmp_path, "living", 1, 1.5)
    for writer in (killed, living):
        assert writer.stdout.readline() == "inside\n"
    assert len(list(tmp_path.glob(".partial-*"))) == 2
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(60)
    write(tmp_path, "after", 0)
    assert len(list(tmp_path.glob(".partial-*"))) == 1
    assert living.wait(60) == 0
    for writer in (killed, living):
        writer.stdout.close()
    assert_of_one_run(tmp_path)
    assert "living" in (tmp_path / "a.txt").read_text()


def test_a_folder_that_holds_more_than_files_is_nobodys_left_over(tmp_path):
    own = tmp_path / ".partial-thoughts"
    (own / "inner").mkdir(parents=True)
    (own / "notes.txt").write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "notes.txt").write_text("mine")
    (tmp_path / ".partial-link").symlink_to(elsewhere)
    write(tmp_path, "run", 0)
    assert (own / "notes.txt").read_text() == (elsewhere / "notes.txt").read_text() == "mine"


def test_a_run_that_fails_leaves_nothing_hidden(tmp_path):
    def fail():
        with written_whole(tmp_path) as hidden:
            hidden.rmdir()
            raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_still_takes_files(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError("no locks here")

    (tmp_path / ".partial-unknown").mkdir()
    monkeypatch.setattr(files.fcntl, "flock", refuse)
    write(tmp_path, "run", 0)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".partial-unknown", "a.txt", "b.txt"]


def test_figures_of_a_run_that_was_overtaken_do_not_appear(tmp_path):
    from matplotlib.figure import Figure

    write(tmp_path, "first", 0)
    with (tmp_path / "b.txt").open("rb") as mine:

        def overtaken():
            write(tmp_path, "second", 0)
            return Figure()

        drawings = {"one.png": Figure, "two.png": overtaken}
        left_out = write_figures(tmp_path, drawings, dpi=50, wanted=lambda: is_in_place(mine, tmp_path / "b.txt"))
    assert list(left_out) == ["two.png"]
    assert ReplacedError.__name__ in left_out["two.png"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.txt", "b.txt", "one.png"]
    assert "second" in (tmp_path / "a.txt").read_text()
