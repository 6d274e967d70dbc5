"""The commands of coursework: what they write and say, and what bad input costs."""

import csv
import json
import shutil

import pytest
from toy_assignment import HOSTILE, WRONG, notebook, written
from typer.testing import CliRunner

from comparisons.coursework.__main__ import app
from comparisons.coursework.marking import sandbox
from comparisons.coursework.marking.folder import submissions
from comparisons.coursework.marking.roster import Student, enrol, read_roster
from comparisons.coursework.release import student_version


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def toy(tmp_path):
    """Return a folder that has the toy assignment as its only one."""
    folder = tmp_path / "sources"
    folder.mkdir()
    written(notebook(), folder / "toy.ipynb")
    return folder


def test_a_class_is_marked_each_for_itself(toy, tmp_path, monkeypatch):
    folder = tmp_path / "submitted"
    for student in ("ann", "bob", "=cmd()"):
        (folder / student).mkdir(parents=True)
    written(notebook(), folder / "ann" / "toy.ipynb")
    written(notebook(square=HOSTILE["leaves by os._exit"]), folder / "bob" / "toy.ipynb")
    written(notebook(square=WRONG), folder / "=cmd()" / "renamed.ipynb")  # known by its cells
    written(student_version(notebook()), folder / "dan_toy.ipynb")
    (folder / "what.ipynb").write_bytes(b"\0")
    (folder / "eve_toy.ipynb").symlink_to(toy / "toy.ipynb")
    roster = tmp_path / "class.csv"
    roster.write_text("Student;Name;E-Mail\nann;Ann <b>Lee</b>;a@b.c\nbob;;\n7;Dan;dan@b.c\nzoe;Zoe;\n")
    done = invoke("mark", folder, "--source", toy, "--roster", roster)
    assert done.exit_code == 0, done.output
    assert "zoe Zoe: handed in nothing for toy" in done.output
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "marks" / "feedback").iterdir()}
    assert set(pages) == {
        "ann_toy.html",
        "bob_toy.html",
        "cmd_toy.html",
        "7_toy.html",
        "eve_toy.html",
        "what_unknown.html",
    }
    assert "Ann &lt;b&gt;Lee&lt;/b&gt;" in pages["ann_toy.html"]
    assert "not so: assert square(2) == 4" in pages["cmd_toy.html"]
    assert "ann/toy.ipynb: 5 of 5, 4 to be read" in done.output
    assert ("Warning" in done.output) != sandbox.can_isolate()
    with open(tmp_path / "marks" / "marks.csv", newline="", encoding="utf-8") as file:
        rows = {row["submission"]: row for row in csv.DictReader(file)}
    points = {name: (row["points"], row["of"], row["percent"], row["to_read"]) for name, row in rows.items()}
    assert points == {
        "'=cmd()/renamed.ipynb": ("2.0", "5.0", "40", "4.0"),
        "ann/toy.ipynb": ("5.0", "5.0", "100", "4.0"),
        "bob/toy.ipynb": ("2.0", "5.0", "40", "4.0"),
        "dan_toy.ipynb": ("0.0", "5.0", "0", "0"),
        "eve_toy.ipynb": ("0.0", "0.0", "0", "0.0"),
        "what.ipynb": ("0.0", "0.0", "0", "0.0"),
        "": ("0.0", "5.0", "0", "0.0"),
    }
    assert (rows["dan_toy.ipynb"]["student"], rows["ann/toy.ipynb"]["email"]) == ("7", "a@b.c")
    assert (rows[""]["student"], rows[""]["notes"]) == ("zoe", "handed in nothing")
    assert "not on the roster" in rows["'=cmd()/renamed.ipynb"]["notes"]
    assert "link" in rows["eve_toy.ipynb"]["notes"]
    assert "--assignment" in rows["what.ipynb"]["notes"]
    with open(tmp_path / "marks" / "reasons.csv", newline="", encoding="utf-8") as file:
        whys = {(row["submission"], row["cell"]): row["why"] for row in csv.DictReader(file)}
    assert whys["'=cmd()/renamed.ipynb", "square-test"] == "not so: assert square(2) == 4"
    assert whys["dan_toy.ipynb", "why"] == "no answer"
    everything = json.loads((tmp_path / "marks" / "marks.json").read_text())
    assert [marks["answers"] for marks in everything if marks["submission"] == "ann/toy.ipynb"] == [
        {"why": "A square is a product."}
    ]


@pytest.mark.parametrize(
    ("text", "words"), [("name\nAnn\n", "column student"), ("student\n1\n1\n", "got 1"), ("student\n", "got none")]
)
def test_a_roster_that_cannot_be_one_is_refused(text, words, tmp_path):
    (tmp_path / "class.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_roster(tmp_path / "class.csv")


def test_students_are_found_by_folder_file_number_and_name(tmp_path):
    roster = [Student("007", "Ann Lee", "lee@x.y"), Student("8", "Bob")]
    made = {"assignment": "toy", "student_number": None, "notes": [], "of": 1.0, "marks": []}
    for name, number, student, note in [
        ("Ann Lee_123_file_/toy.ipynb", None, "007", ""),
        ("lee_toy.ipynb", 5, "007", "not that of the roster"),
        ("what/toy.ipynb", 8, "8", "by its student number only"),
        ("what/toy.ipynb", None, "what", "not on the roster"),
    ]:
        marks = enrol([{**made, "submission": name, "student_number": number}], roster)
        assert marks[0]["student"] == student
        assert note in "; ".join(marks[0]["notes"])
        assert [one["student"] for one in marks[1:]] == [one.student for one in roster if one.student != student]


def test_submissions_are_found_by_name_folder_and_cells(toy, tmp_path):
    folder = tmp_path / "in"
    (folder / "toy" / ".ipynb_checkpoints").mkdir(parents=True)
    shutil.copy(toy / "toy.ipynb", folder / "toy" / ".ipynb_checkpoints" / "a.ipynb")
    (folder / "toy" / "a.ipynb").write_text("")
    (folder / "b.ipynb").write_text("{}")
    found = submissions(folder, {"toy": toy / "toy.ipynb"})
    assert [(each.name, each.assignment) for each in found] == [("b.ipynb", None), ("toy/a.ipynb", "toy")]


def test_bad_input_is_named(toy, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments, words in [
        (["mark", tmp_path / "empty", "--source", toy], "which has none"),
        (["mark", toy, "--source", tmp_path / "empty"], "--source"),
        (["mark", toy, "--source", toy, "--assignment", "tooy"], "must be one of toy"),
        (["release", toy, "--source", toy], "they would be lost"),
        (["check", tmp_path / "none.py"], "does not exist"),
    ]:
        done = invoke(*arguments)
        assert (done.exit_code, words in done.output) == (2, True), done.output


SCRIPT = """
import numpy as np
from scipy.stats import multivariate_normal

def e_step(X, weights, means, covariances):
    columns = [w * multivariate_normal(m, S).pdf(X) for w, m, S in zip(weights, means, covariances)]
    joint = np.column_stack(columns)
    return joint / joint.sum(axis=1, keepdims=True)

if __name__ == "__main__":
    raise RuntimeError("not to be run")
"""


VARIANCES = """
def m_step(X, r):
    N = r.sum(axis=0)[:, None]
    means = r.T @ X / N
    return N[:, 0] / len(X), means, r.T @ X**2 / N - means**2
"""


def test_a_script_is_checked_by_the_names_of_its_functions(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(SCRIPT)
    right = invoke("check", script)
    assert (right.exit_code, "right" in right.output) == (0, True), right.output
    script.write_text(SCRIPT.replace("w * multi", "multi"))
    wrong = invoke("check", script, "--explain")
    assert (wrong.exit_code, "\nresponsibilities: weights" in wrong.output) == (1, True), wrong.output
    assert "weights left out" not in invoke("check", script).output  # a hint only
    script.write_text(VARIANCES)
    for option, words, code in [
        ("covariance_type=diag", "right", 0),
        ("covariance_type", "name=value", 2),
        ("kind=1", "no option", 2),
    ]:
        done = invoke("check", script, "--option", option)
        assert (done.exit_code, words in done.output) == (code, True), done.output
    for text, words in [("x = 1", "at least one of e_step"), ("1 / 0", "ZeroDivisionError"), ("def", "SyntaxError")]:
        script.write_text(text)
        refused = invoke("check", script)
        assert (refused.exit_code, words in refused.output) == (2, True), refused.output
