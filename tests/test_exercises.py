"""Solutions have full marks, empty versions none, and everybody's data are equally hard."""

import json
import re

import nbformat
import numpy as np
import pytest

from comparisons.coursework.marking.answers import Limits
from comparisons.coursework.marking.judge import mark_steps
from comparisons.coursework.marking.steps import steps_of
from comparisons.coursework.release import release, student_version
from comparisons.coursework.sources import (
    BEGIN_SOLUTION,
    CODE_STUB,
    FOLDER,
    TEXT_STUB,
    assignment_files,
    cells_of,
    load_assignment,
)
from comparisons.coursework.students import clouds_of, coins_of, random_state_of
from em import BinomialMixtureEM, GaussianMixtureEM
from models.bmm import BMMParameters
from models.gmm import GMMParameters

FILES = assignment_files()
each_assignment = pytest.mark.parametrize("name", FILES)


def source_of(name):
    return json.loads(FILES[name].read_text(encoding="utf-8"))


def test_there_is_one_for_each_notebook_and_one_for_the_whole():
    assert [name.split("_")[1] for name in FILES] == list("1234567")
    assert len(list(FOLDER.parent.glob("*.ipynb"))) >= 6


@each_assignment
def test_solutions_have_full_marks_and_an_empty_version_has_none(name):
    assignment = load_assignment(FILES[name])
    limits = Limits(seconds=60, total_seconds=300)  # a busy machine is forgiven
    whole = mark_steps(steps_of(assignment, assignment.cells), assignment, limits)
    assert [(mark.cell, mark.why) for mark in whole.marks if mark.kind == "test" and mark.why != "right"] == []
    worth = {kind: sum(cell.points for cell in assignment.cells if cell.kind == kind) for kind in ("test", "read")}
    assert (whole.notes, whole.points, whole.of) == ([], whole.of, worth["test"])
    assert whole.to_read == worth["read"] > 0
    empty = mark_steps(steps_of(assignment, cells_of(student_version(source_of(name)))), assignment, limits)
    assert (empty.points, empty.of, empty.to_read, empty.answers) == (0, whole.of, 0, {})


@each_assignment
def test_the_student_version_gives_nothing_away(name):
    released = student_version(source_of(name))
    nbformat.validate(nbformat.from_dict(released))
    text = json.dumps(released)
    for word in ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "from em import gmm"):
        assert word not in text
    ours, theirs = source_of(name)["cells"], released["cells"]
    assert [cell["id"] for cell in ours] == [cell["id"] for cell in theirs]
    for mine, cell in zip(ours, theirs, strict=True):
        source = "".join(cell["source"])
        if mine["metadata"].get("nbgrader", {}).get("solution"):
            assert (CODE_STUB.splitlines()[0] if cell["cell_type"] == "code" else TEXT_STUB) in source
        if cell["cell_type"] == "code":
            compile(source, cell["id"], "exec")


@each_assignment
def test_points_and_minutes_are_what_the_text_says(name):
    cells = load_assignment(FILES[name]).cells
    promised = float(re.search(r"(\d+) points", cells[0].source)[1])
    assert sum(cell.points for cell in cells) == promised
    tasks = [cell.source.splitlines()[0] for cell in cells if cell.source.startswith("## Task")]
    of_tasks = [re.search(r"\((?:.*, )?(\d+) minutes, ([\d + ]+) points\)", head) for head in tasks]
    assert sum(sum(map(int, found[2].split("+"))) for found in of_tasks) == promised
    page = (FOLDER.parents[1] / "docs" / "howto" / "teaching.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
    minutes, tests, texts = (int(part) for part in row.strip("| ").split(" | ")[2:])
    assert sum(int(found[1]) for found in of_tasks) == pytest.approx(minutes, rel=0.15)
    assert (tests, texts) == tuple(sum(cell.points for cell in cells if cell.kind == kind) for kind in ("test", "read"))


@each_assignment
def test_cells_are_as_nbgrader_wants_them(name):
    notebook = nbformat.read(FILES[name], as_version=4)
    nbformat.validate(notebook)
    marked = [cell.metadata.nbgrader for cell in notebook.cells if "nbgrader" in cell.metadata]
    assert len({cell.grade_id for cell in marked}) == len(marked)
    for cell in marked:
        assert cell.schema_version == 3
        assert ("points" in cell) == cell.grade
        assert cell.locked == (not cell.solution)
    for cell in notebook.cells:
        assert cell.get("outputs", []) == []
        if cell.cell_type == "code" and cell.metadata.get("nbgrader", {}).get("solution"):
            assert BEGIN_SOLUTION in cell.source


def test_release_writes_all_and_never_over_the_solutions(tmp_path):
    written = release(tmp_path / "handout")
    assert [path.stem for path in written] == list(FILES)
    assert "BEGIN SOLUTION" not in "".join(path.read_text(encoding="utf-8") for path in written)
    with pytest.raises(ValueError, match="they would be lost"):
        release(FOLDER)
    with pytest.raises(ValueError, match="--source"):
        release(tmp_path / "other", tmp_path)


SOLVED = "### BEGIN SOLUTION\nx = 1\n### END SOLUTION"
ANSWER = {"grade_id": "x", "solution": True, "grade": False}
TEST = {"grade_id": "x", "solution": False, "grade": True, "points": 1}


@pytest.mark.parametrize(
    ("cells", "fault"),
    [
        ([(SOLVED, {})], "belongs into a cell with metadata of kind answer or read"),
        ([(SOLVED, TEST)], "belongs into a cell with metadata of kind answer or read"),
        ([(SOLVED.replace("SOLUTION", "HIDDEN TESTS"), ANSWER)], "belongs into a cell with metadata of kind test"),
        ([(SOLVED.replace("END", "ENDE"), ANSWER)], "not as many"),
        ([(SOLVED, ANSWER), ("assert x == 1", TEST)], "grade_id 'x' is there twice"),
    ],
    ids=["no metadata", "a test", "hidden tests in an answer", "no end", "one name for two"],
)
def test_an_assignment_that_would_give_a_solution_away_is_refused(tmp_path, cells, fault):
    made = [nbformat.v4.new_code_cell(text, metadata={"nbgrader": own} if own else {}) for text, own in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=made), tmp_path / "own.ipynb")
    with pytest.raises(ValueError, match=fault):
        release(tmp_path / "handout", tmp_path)
    assert not (tmp_path / "handout").exists()


def test_what_is_locked_follows_from_what_a_cell_is(tmp_path):
    made = [nbformat.v4.new_code_cell(SOLVED, metadata={"nbgrader": own}) for own in (ANSWER,)]
    made.append(nbformat.v4.new_code_cell("assert x == 1", metadata={"nbgrader": TEST | {"grade_id": "of x"}}))
    nbformat.write(nbformat.v4.new_notebook(cells=made), tmp_path / "own.ipynb")
    (path,) = release(tmp_path / "handout", tmp_path)
    answer, test = nbformat.read(path, as_version=4).cells
    assert (answer.metadata.get("editable", True), test.metadata.editable) == (True, False)
    assert answer.source == CODE_STUB


def test_clouds_are_everybodys_own_and_equally_hard():
    fits, data = [], []
    for number in (0, 1, 1234567, 2**60):
        X, z, truth = clouds_of(number)
        truth = GMMParameters(*truth)
        assert np.array_equal(X, clouds_of(number)[0])
        for k, mean in enumerate(truth.means):
            assert np.allclose(X[z == k].mean(axis=0), mean)
            assert np.allclose(np.cov(X[z == k], rowvar=False, bias=True), truth.covariances[k])
            assert np.isclose(np.mean(z == k), truth.weights[k])
        fit = GaussianMixtureEM(3, init=truth).fit(X)
        unit = np.linalg.det(np.cov(X, rowvar=False))
        fits.append(fit.log_likelihood_ / len(X) + np.log(unit) / 2)  # without the unit of measurement
        data.append(X)
    assert np.ptp(fits) < 0.05
    assert not any(np.allclose(X, data[0]) for X in data[1:])


def test_coins_are_everybodys_own_and_equally_hard():
    gaps = []
    for number in range(6):
        heads, truth = coins_of(number)
        truth = BMMParameters(*truth)
        fit = BinomialMixtureEM(2, n_trials=10, init=truth).fit(heads)
        gaps.append(np.abs(np.sort(fit.probs_, axis=0) - truth.probs).max())
        assert heads.min() >= 0
        assert heads.max() <= 10
    assert max(gaps) < 0.02
    assert len({coins_of(number)[1][1].tobytes() for number in range(6)}) == 6


@pytest.mark.parametrize("number", ["1234567", -1, 1.0, True, None, 2**63])
def test_a_student_number_that_is_none_is_named(number):
    with pytest.raises(ValueError, match="student_number must be a whole number"):
        random_state_of(number)
