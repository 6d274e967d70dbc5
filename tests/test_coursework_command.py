"""The commands of coursework: what they write and say, and what bad input costs."""

import csv
import json
import shutil

import pytest
from toy_assignment import HOSTILE, WRONG, notebook, written
from typer.testing import CliRunner

from comparisons.coursework.__main__ import app
from comparisons.coursework.marking import sandbox
from comparisons.coursework.marking.folder import submissions, write
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
    assert "zoe Zoe, toy: handed in nothing" in done.output
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
    assert all("ask your teacher" in pages[rows[name]["page"]] for name in ("what.ipynb", "eve_toy.ipynb"))
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
    ("text", "words"),
    [
        ("name\nAnn\n", "column student"),
        ("student\n1\n1\n", "got 1"),
        ("student\n007\n7\n", "got 007, 7"),
        ("student\n", "got none"),
    ],
)
def test_a_roster_that_cannot_be_one_is_refused(text, words, tmp_path):
    (tmp_path / "class.csv").write_text(text)
    with pytest.raises(ValueError, match=words):
        read_roster(tmp_path / "class.csv")


def test_students_are_found_by_folder_file_number_and_name(tmp_path):
    roster = [Student("007", "Ann Lee", "al@x.y"), Student("8", "Bob Lee", "lee@x.y"), Student("zo_e", "Zoë")]
    made = {"assignment": "toy", "student_number": None, "notes": [], "of": 1.0, "marks": []}
    for name, number, student, note in [
        ("Ann Lee_123_file_/toy.ipynb", None, "007", ""),
        ("Bob Lee_77_file_/toy.ipynb", None, "8", ""),
        ("7/toy.ipynb", 7, "007", ""),
        ("group 1/Bob Lee/toy.ipynb", None, "8", ""),
        ("AL@x.y_toy.ipynb", None, "007", ""),
        ("zo_e_5_toy.ipynb", None, "zo_e", ""),
        ("Zoe\u0308_5_toy.ipynb", None, "zo_e", ""),  # as macOS writes it
        ("lee_toy.ipynb", 5, "8", "not that of the roster"),
        ("lee_77_toy.ipynb", None, "lee_77", "not on the roster"),
        ("Lee Ann/toy.ipynb", 7, "007", "by its student number only"),
        ("what/toy.ipynb", 8, "8", "by its student number only"),
        ("what/toy.ipynb", None, "what", "not on the roster"),
    ]:
        marks = enrol([{**made, "submission": name, "student_number": number}], roster)
        assert marks[0]["student"] == student
        assert note in "; ".join(marks[0]["notes"])
        assert note or not marks[0]["notes"]
        assert [one["student"] for one in marks[1:]] == [one.student for one in roster if one.student != student]


def test_a_submission_that_may_be_of_two_students_is_given_to_neither():
    roster = [Student("ann"), Student("lee"), Student("ann_li", "Lee"), Student("zoe")]
    made = {"assignment": "toy", "student_number": None, "notes": [], "of": 1.0, "marks": []}
    for name, students in [("lee_ann_toy.ipynb", "ann or lee or ann_li"), ("ann_li_77_toy.ipynb", "ann or ann_li")]:
        first, *others = enrol([{**made, "submission": name}], roster)
        assert (first["student"], first["name"]) == (name.removesuffix("_toy.ipynb"), "")
        assert first["notes"] == [f"may be {students}"]
        said = {one["student"]: one["notes"] for one in others}
        possible = {one: [f"may have handed in {name}"] for one in students.split(" or ")}
        assert said == {one.student: ["handed in nothing"] for one in roster} | possible


def test_who_handed_in_something_unknown_did_not_hand_in_nothing():
    made = {"assignment": "toy", "student_number": None, "notes": [], "of": 1.0, "marks": []}
    results = [{**made, "submission": "007/toy.ipynb"}, {**made, "submission": "8/a.ipynb", "assignment": None}]
    others = enrol(results, [Student("7"), Student("8"), Student("9")])[2:]
    words = ["handed in one notebook whose assignment is not known"], ["handed in nothing"]
    assert [(one["student"], one["notes"]) for one in others] == list(zip("89", words, strict=True))


def test_a_column_without_a_head_is_no_name(tmp_path):
    (tmp_path / "class.csv").write_text("student,\n007,remark\n8,\n")
    assert read_roster(tmp_path / "class.csv") == [Student("007"), Student("8")]


def test_each_submission_has_a_page_without_the_notes_of_the_teacher(toy, tmp_path):
    made = {"assignment": None, "notes": ["marking failed: Traceback /home/t"], "marks": [], "name": "", "email": ""}
    made |= {"points": 0.0, "of": 0.0, "to_read": 0.0, "student_number": None, "submission": "x.ipynb"}
    feedback = tmp_path / "feedback"
    write([{**made, "student": name} for name in ("a.b", "a_b", "A_b", "old")], tmp_path, toy)
    (feedback / "mine.html").write_text("")
    results = [{**made, "student": "a.b"}, {**made, "student": "a_b"}, {**made, "student": "c", "submission": ""}]
    write(results, tmp_path, toy)
    with open(tmp_path / "marks.csv", newline="", encoding="utf-8") as file:
        pages = [row["page"] for row in csv.DictReader(file)]
    assert pages == ["a_b_unknown.html", "a_b_unknown-2.html", ""]
    assert [marks["page"] for marks in json.loads((tmp_path / "marks.json").read_text())] == pages
    assert {path.name for path in feedback.iterdir()} == {*pages[:2], "mine.html"}
    for page in pages[:2]:
        text = (feedback / page).read_text(encoding="utf-8")
        assert ("could not be marked: ask your teacher" in text, "marking failed" in text) == (True, False)


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
    (tmp_path / "taken").write_text("mine")
    for arguments, words in [
        (["mark", tmp_path / "empty", "--source", toy], "which has none"),
        (["mark", toy, "--source", tmp_path / "empty"], "--source"),
        (["mark", toy, "--source", toy, "--assignment", "tooy"], "must be one of toy"),
        (["release", toy, "--source", toy], "they would be lost"),
        (["check", tmp_path / "none.py"], "a Python file that exists"),
        (["check", tmp_path], "a Python file that exists"),
        (["release", tmp_path / "taken", "--source", toy], "a file stands there"),
        (["mark", toy, "--source", toy, "--out", tmp_path / "taken"], "a file stands there"),
        (["mark", toy, "--source", tmp_path / "empty", "--out", tmp_path / "new"], "--source"),
    ]:
        done = invoke(*arguments)
        assert (done.exit_code, words in done.output) == (2, True), done.output
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "sources", "taken"}


@pytest.mark.parametrize("taken", ["marks", "marks/feedback"])
def test_a_folder_for_marks_that_cannot_be_made_is_told_before_the_work(taken, toy, tmp_path, monkeypatch):
    monkeypatch.setattr("comparisons.coursework.marking.folder._mark_one", lambda *_: pytest.fail("marked"))
    (tmp_path / taken).parent.mkdir(exist_ok=True)
    (tmp_path / taken).write_text("mine")
    done = invoke("mark", toy, "--source", toy)
    assert (done.exit_code, f"{taken} cannot be written to" in done.output) == (2, True), done.output


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
    hint = invoke("check", script).output
    assert ("weights left out" in hint, "To see which term it is, add --explain." in hint) == (False, True), hint
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
