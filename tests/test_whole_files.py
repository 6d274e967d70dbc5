"""A file is written whole or not at all, through links, with its mode."""

import errno
import os
import socket
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from comparisons.output.files import written_whole
from em import BernoulliMixtureEM, KMeans, load, save, select
from em.page import write_page
from em.plots import animate
from em.saving.whole_files import write_whole

ROOT = Path(__file__).parent.parent
NOBODY = 65534
FIT = KMeans(2, random_state=0).fit([[0.0], [1.0], [9.0], [11.0]])


def names(folder):
    return sorted(os.listdir(folder))


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@contextmanager
def without_privileges():
    """Act as a user to whom permissions apply, in a folder of that user."""
    privileged = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        if privileged:
            os.chown(folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(folder)
        finally:
            os.chmod(folder, 0o700)
            if privileged:
                os.seteuid(0)


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


# Links ----------------------------------------------------------------------------------------------------------------


def test_a_link_stays_and_the_file_it_leads_to_is_written(tmp_path):
    (tmp_path / "models").mkdir()
    target, link, chain = tmp_path / "models" / "v1.json", tmp_path / "link.json", tmp_path / "chain.json"
    target.write_text("old")
    link.symlink_to("models/v1.json")
    chain.symlink_to(link)
    for name in (link, chain):
        target.write_text("old")
        save(FIT, name)
        assert load(target).inertia_ == load(name).inertia_ == FIT.inertia_
    assert (os.readlink(link), os.readlink(chain)) == ("models/v1.json", str(link))
    assert not target.is_symlink()
    assert names(tmp_path) == ["chain.json", "link.json", "models"]
    assert names(tmp_path / "models") == ["v1.json"]


def test_a_link_to_nothing_yet_gets_its_file(tmp_path):
    (tmp_path / "current").symlink_to("next")
    save(FIT, tmp_path / "current")
    assert (tmp_path / "current").is_symlink()
    assert load(tmp_path / "next").inertia_ == FIT.inertia_


def test_links_in_a_circle_are_an_error_and_stay(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links") as raised:
        save(FIT, tmp_path / "a")
    assert raised.value.errno == errno.ELOOP
    assert names(tmp_path) == ["a", "b"]


# Mode -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o664, 0o755, 0o200])
@pytest.mark.parametrize("linked", [False, True])
def test_a_file_that_is_replaced_keeps_its_mode(tmp_path, bits, linked, umask):
    path = link = tmp_path / "model.json"
    if linked:
        link = tmp_path / "link"
        link.symlink_to(path)
    path.write_text("old")
    path.chmod(bits)
    umask(0o077)
    save(FIT, link)
    assert mode(path) == bits
    path.chmod(0o600)
    assert load(path).inertia_ == FIT.inertia_


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077, 0o002])
def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path, umask, mask):
    umask(mask)
    save(FIT, tmp_path / "model.json")
    assert mode(tmp_path / "model.json") == 0o666 & ~mask


# What is no regular file, or cannot be one ----------------------------------------------------------------------------


@pytest.fixture(params=["folder", "pipe", "socket", "device"])
def special(request, tmp_path):
    place = tmp_path / request.param
    if request.param == "folder":
        place.mkdir()
    elif request.param == "pipe":
        os.mkfifo(place)
    elif request.param == "device":
        place.symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listener:
        if request.param == "socket":
            listener.bind(str(place))
        yield place


@pytest.mark.parametrize("linked", [False, True])
def test_what_is_no_regular_file_is_refused_by_name_and_stays(special, linked, tmp_path):
    place = special
    before = place.stat().st_mode
    if linked:
        (tmp_path / "link").symlink_to(place)
        place = tmp_path / "link"
    there = names(tmp_path)
    with pytest.raises(ValueError, match=rf"path must be a regular file or a new name, got '{place}'"):
        save(FIT, place)
    assert place.stat().st_mode == before
    assert names(tmp_path) == there


@pytest.mark.parametrize("name", ["m" * 255, "ü" * 127, "m" * 238 + ".json"])
def test_names_may_be_as_long_as_the_file_system_lets_them(tmp_path, name):
    for _ in range(2):
        save(FIT, tmp_path / name)
    assert names(tmp_path) == [name]
    assert load(tmp_path / name).inertia_ == FIT.inertia_


def test_a_longer_name_is_an_error_that_gives_it(tmp_path):
    with pytest.raises(OSError, match=r"name too long.*mmm"):
        save(FIT, tmp_path / ("m" * 256))
    assert names(tmp_path) == []


def test_a_missing_folder_and_a_file_as_folder_are_errors_that_give_the_path(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*/missing/model.json'"):
        save(FIT, tmp_path / "missing" / "model.json")
    with pytest.raises(NotADirectoryError, match=r"Not a directory: '.*/file/model.json'"):
        save(FIT, tmp_path / "file" / "model.json")
    assert names(tmp_path) == ["file"]


def test_a_protected_folder_or_file_is_an_error_that_gives_the_path_and_stays_as_it_was():
    with without_privileges() as folder:
        path = folder / "model.json"
        path.write_text("old")
        path.chmod(0o444)
        with pytest.raises(PermissionError, match=r"Permission denied: '.*/model.json'"):
            save(FIT, path)
        folder.chmod(0o555)
        with pytest.raises(PermissionError, match=r"Permission denied: '.*/other.json'"):
            save(FIT, folder / "other.json")
        assert path.read_text() == "old"
        assert mode(path) == 0o444
        assert names(folder) == ["model.json"]


def test_a_full_disk_is_an_error_that_gives_the_path_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.json"
    path.write_text("old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*/model.json'"):
        save(FIT, path)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["model.json"]


def work(*args, **settings):
    raise AssertionError("the path is checked before any work")


@pytest.mark.parametrize("writer", ["mixture", "clusters", "selection", "page", "animation"])
def test_a_path_that_cannot_be_written_is_an_error_before_any_work(tmp_path, writer, monkeypatch):
    monkeypatch.setattr(BernoulliMixtureEM, "summary", work)
    monkeypatch.setattr(KMeans, "summary", work)
    monkeypatch.setattr("em.plots.animation._frame", work)
    X, path = [[1], [0], [1]], tmp_path / "missing" / "page.html"
    fit = BernoulliMixtureEM(1).fit(X, keep_path=True)
    call = {
        "mixture": lambda: fit.report(X, path),
        "clusters": lambda: FIT.report([[0.0]], path),
        "selection": lambda: select(X, fit, [1]).report(X, path),
        "page": lambda: write_page(path, "Title", "Lead", map(work, [0])),
        "animation": lambda: animate(fit.path_, X, path),
    }[writer]
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: '.*/missing/page.html'"):
        call()
    assert names(tmp_path) == []


def test_an_audit_is_not_made_for_a_report_that_cannot_be_written(tmp_path):
    command = [sys.executable, "-m", "comparisons.auditing", "--model", tmp_path / "fit.json", "--report"]
    ended = subprocess.run([*command, tmp_path / "missing" / "a.html"], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, "missing/a.html" in "".join(ended.stderr.split())) == (2, True)


# Concurrent writers ---------------------------------------------------------------------------------------------------

REPEATED = """
import sys
from whole_files import write_whole
for _ in range(60):
    write_whole(sys.argv[1], sys.argv[2] * 100_000)
"""


def start(script, *args):
    """Start a script that imports the file alone, which is quick."""
    return subprocess.Popen([sys.executable, "-c", script, *map(str, args)], cwd=ROOT / "em" / "saving")


def test_saves_from_threads_and_processes_into_one_path_all_succeed(tmp_path):
    path = tmp_path / "model.json"
    processes = [start(REPEATED, path, letter) for letter in "abc"]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda letter: [write_whole(path, letter * 100_000) for _ in range(30)], "defg"))
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    text = path.read_text()
    assert text == text[0] * 100_000
    assert names(tmp_path) == ["model.json"]


def test_of_several_files_json_moves_last_and_a_failure_moves_none(tmp_path, monkeypatch):
    moved, replace = [], Path.replace
    monkeypatch.setattr(Path, "replace", lambda file, target: (moved.append(target.name), replace(file, target))[1])
    with written_whole(tmp_path, stale=["old.png"]) as partial:
        for name in ("a.json", "b.nc", "c.png"):
            (partial / name).write_text(name)
    assert (moved[-1], names(tmp_path)) == ("a.json", ["a.json", "b.nc", "c.png"])
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path) as partial:
        (partial / "d.json").write_text(str(1 / 0))
    assert names(tmp_path) == ["a.json", "b.nc", "c.png"]
