"""A submission costs its own marks only, whatever it does; marks are for what it answers, not for what it says."""

import contextlib
import json
import os
import socket
import time
from pathlib import Path

import pytest
from toy_assignment import CUBE, DEFINES, HOSTILE, TAMPERS, TOY, WRONG, cell, notebook, plain, written

from comparisons.coursework.marking import sandbox
from comparisons.coursework.marking.answers import Limits
from comparisons.coursework.marking.judge import MAX_BYTES, mark_file
from comparisons.coursework.sources import Assignment, cells_of

LIMITS = Limits(seconds=0.5, grace=0.5, total_seconds=20.0, memory=2**30)


def marked(notebook, path, hidden=()):
    result = mark_file(written(notebook, path), TOY, LIMITS, hidden)
    return {mark.cell: (mark.points, mark.why) for mark in result.marks}, result


def test_solutions_have_full_marks_and_texts_are_to_be_read(tmp_path):
    marks, result = marked(notebook(), tmp_path / "a.ipynb")
    assert (result.points, result.of, result.to_read) == (5, 5, 4), result
    assert marks["why"] == (0, "to be read")
    assert result.answers == {"why": "A square is a product."}


@pytest.mark.parametrize("name", HOSTILE | TAMPERS)
def test_what_a_hostile_cell_costs_is_its_own(name, tmp_path):
    begun = time.monotonic()
    marks, _ = marked(notebook(square=(HOSTILE | TAMPERS)[name]), tmp_path / "a.ipynb")
    points, why = marks["square-test"]
    assert points == 0
    assert why
    assert marks["cube-test"][0] == (2 if name in HOSTILE else 0), marks["cube-test"]
    assert time.monotonic() - begun < 60


def commands():
    """Yield the command of each process of this machine."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it may end meanwhile
            yield path.read_bytes()


def test_a_process_that_was_left_behind_is_ended(tmp_path):
    token = f"left-behind-{os.getpid()}"
    stays = (
        "import os, sys\ntry:\n    if os.fork() == 0:\n        os.setsid()\n        "
        f"os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)', {token!r}])\n"
        "except OSError:\n    pass\n"
    )
    assert marked(notebook(square=stays + DEFINES), tmp_path / "a.ipynb")[1].points == 5
    until = time.monotonic() + 30  # the kernel ends what is left in a namespace a moment after its first process
    while left := [command for command in commands() if token.encode() in command]:
        assert time.monotonic() < until, left
        time.sleep(0.05)


def test_files_and_network_are_out_of_reach(tmp_path):
    """What is tried stands in the answer: a string for each success."""
    kept, solutions = tmp_path / "kept", tmp_path / "solutions"
    for folder in (kept, solutions):
        folder.mkdir()
        (folder / "file.txt").write_text("mine")
        folder.chmod(0o777)
        (folder / "file.txt").chmod(0o666)
    tries = f"""
import os, shutil, socket, subprocess
done = []
def attempt(name, action):
    try:
        action()
        done.append(name)
    except BaseException:
        pass
attempt("read", lambda: open({str(solutions / "file.txt")!r}).read())
attempt("list", lambda: os.listdir({str(solutions)!r}))
attempt("write", lambda: open({str(kept / "new.txt")!r}, "w"))
attempt("remove", lambda: os.remove({str(kept / "file.txt")!r}))
attempt("tree", lambda: shutil.rmtree({str(kept)!r}))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", {{port}}), 1))
attempt("own", lambda: open("own.txt", "w").write("fine"))
attempt("secret", lambda: os.environ["COURSEWORK_SECRET"])
assert done == ["own"], done
{DEFINES}"""
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSEWORK_SECRET", "key")
        source = tries.replace("{port}", str(server.getsockname()[1]))
        for isolates in {sandbox.can_isolate(), False}:
            patch.setattr(sandbox, "can_isolate", lambda isolates=isolates: isolates)
            _, result = marked(notebook(square=source), tmp_path / "a.ipynb", [solutions])
            assert (result.points, result.notes) == (5, []), (isolates, result.notes)
    assert (kept / "file.txt").read_text() == "mine"
    assert [path.name for path in kept.iterdir()] == ["file.txt"]


def test_locked_cells_are_ours_whatever_the_student_made_of_them(tmp_path):
    changed = notebook(square=WRONG)
    for node in changed["cells"]:
        if node["id"] == "square-test":
            node["source"] = "assert True"
        if node["id"] == "imports":
            node["source"] = "raise SystemExit"
    changed["cells"] = [node for node in changed["cells"] if node["id"] != "cube-test"]
    marks, _ = marked(changed, tmp_path / "a.ipynb")
    assert marks["square-test"][0] == 0
    assert marks["cube-test"] == (2, "right")


def test_added_repeated_moved_and_missing_cells(tmp_path):
    helped = notebook(
        square="def square(x):\n    return times(x, x)", before=[plain("def times(x, y):\n    return x * y")]
    )
    assert marked(helped, tmp_path / "a.ipynb")[1].points == 5
    repeated = notebook()
    repeated["cells"].insert(3, cell("answer", "square", WRONG))
    marks, result = marked(repeated, tmp_path / "b.ipynb")
    assert result.points == 5  # the copy comes after the test of the first
    assert "more than once" in result.notes[0]
    missing = notebook()
    del missing["cells"][1]
    marks, result = marked(missing, tmp_path / "c.ipynb")
    assert marks["square-test"] == (0, "name 'square' is not defined")
    assert (result.points, result.notes) == (2, ["square: this cell is missing in the submission"])
    moved = notebook()
    moved["cells"].reverse()
    assert marked(moved, tmp_path / "d.ipynb")[1].points == 5
    renamed = notebook(square=DEFINES)
    renamed["cells"][1]["metadata"] = {}
    renamed["cells"][1]["id"] = "renamed"
    assert marked(renamed, tmp_path / "e.ipynb")[1].points == 5  # it is there, in a cell that counts as added


def test_an_answer_that_imports_solutions_is_noted(tmp_path):
    source = f"def square(x):\n    import em.gmm, numpy\n    from sklearn.mixture import GaussianMixture\n{DEFINES}"
    _, result = marked(notebook(square=DEFINES, cube=source.replace("square", "cube")), tmp_path / "a.ipynb")
    notes = [f"the answer imports {name}, which has solutions" for name in ("em", "sklearn")]
    assert result.notes == [f"cube: {'; '.join(notes)}"]


BROKEN = {
    "empty": b"",
    "binary": bytes(range(256)),
    "no JSON": b'{"cells": [',
    "a list": b"[]",
    "no cells": b'{"cells": 3}',
    "cells of another kind": b'{"cells": [1, null, {"cell_type": 7, "source": 3, "metadata": []}]}',
    "deep": b"[" * 10**6,
    "a long number": b'{"cells": ' + b"1" * 10**5 + b"}",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_has_no_points_and_says_why(name, tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_bytes(BROKEN[name])
    result = mark_file(path, TOY, LIMITS)
    assert (result.points, len(result.marks)) == (0, 3)
    assert all(mark.why for mark in result.marks)


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "a.ipynb"
    with open(path, "wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "MB" in mark_file(path, TOY, LIMITS).marks[0].why


def test_reasons_name_what_was_wrong(tmp_path):
    marks, _ = marked(
        notebook(square="def square(x):\n    return x * 2", cube="def cube(x):\n    return 1 / 0"), tmp_path / "a.ipynb"
    )
    assert marks["square-test"] == (0, "wrong squares")
    assert marks["cube-test"] == (0, "your code raised ZeroDivisionError: division by zero (line 2 of cell cube)")


def test_an_answer_that_is_missing_is_called_so(tmp_path):
    marks, _ = marked(
        notebook(square="def square(x):\n    raise NotImplementedError()", cube=CUBE), tmp_path / "a.ipynb"
    )
    assert marks["square-test"] == (0, "no answer: raise NotImplementedError() still stands in line 2 of cell square")


def test_a_test_says_which_cell_was_left_out_that_it_needs(tmp_path):
    marks, _ = marked(notebook(square="import os\nos._exit(0)", cube=CUBE), tmp_path / "a.ipynb")
    points, why = marks["square-test"]
    assert points == 0
    assert why.startswith("name 'square' is not defined; square: the process ended (")
    assert why.endswith("this cell was left out")


def test_a_missing_student_number_is_the_reason_of_what_needs_it_and_of_nothing_else(tmp_path):
    def whole(number):
        needs = [cell("answer", "number", number), cell("given", "data", "data = np.arange(student_number)")]
        made = notebook(before=needs)
        made["cells"].append(cell("test", "data-test", "assert square(data).sum() == 1", 1))
        return made

    ours = Assignment("toy", cells_of(whole("### BEGIN SOLUTION\nstudent_number = 2\n### END SOLUTION")))
    result = mark_file(written(whole("pass"), tmp_path / "a.ipynb"), ours, LIMITS)
    whys = {mark.cell: mark.why for mark in result.marks}
    assert whys["data-test"] == "student number missing: write it in cell 1, as in student_number = 1234567"
    assert (whys["square-test"], whys["cube-test"]) == ("right", "right")
    assert result.notes == [whys["data-test"]]


def test_magics_are_left_out_and_values_are_copies(tmp_path):
    changes_x = "    y = x**2\n    if hasattr(x, 'flags'):\n        x[:] = 7\n    return y\n"
    source = f"%matplotlib inline\n!ls\ndef square(x):\n{changes_x}"
    assert marked(notebook(square=source, cube=CUBE), tmp_path / "a.ipynb")[1].points == 5


def test_marks_are_json(tmp_path):
    _, result = marked(notebook(square=WRONG), tmp_path / "a.ipynb")
    assert json.loads(json.dumps(result.to_json()))["points"] == 2
