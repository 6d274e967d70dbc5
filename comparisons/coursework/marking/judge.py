"""Mark one submission: the student's code runs in an isolated process, and the tests run here, in ours.

A test sees the student's variables as copies of plain data, and the student's functions as calls across a pipe. So a
student's code can change neither a test, nor NumPy's comparisons, nor what counts as an error: it can only answer.
This module imports only what tests import, since loading :mod:`em` would take two seconds of each submission.
"""

import ast
import json
import linecache
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from comparisons.coursework.marking.answers import AnswerError, Answers, EndedError, Limits
from comparisons.coursework.marking.steps import Step, steps_of
from comparisons.coursework.sources import CODE_STUB, TEXT_STUB, Assignment, Cell, cells_of

MAX_BYTES = 20 * 2**20  # of a submission
MAX_STARTS = 3  # of a student's process, each without the cells that ended an earlier one
MAX_REASON = 500
TO_READ, NUMBER = "to be read", "student_number"
NO_NUMBER = "student number missing: write it in cell 1, as in student_number = 1234567"
NO_ANSWER = "NotImplementedError"  # what stands where a student is to write


@dataclass(frozen=True)
class Mark:
    """Points of a cell, with the reason.

    Parameters
    ----------
    cell : str
        Its ``grade_id``.
    kind : str
        ``"test"``, or ``"read"``: the teacher gives the points, and ``points`` is 0 until then.
    points, of : float
        Points given, and the most that can be given.
    why : str
        Reason of lost points, ``"right"``, or ``"to be read"``.
    """

    cell: str
    kind: str
    points: float
    of: float
    why: str


@dataclass
class Marks:
    """Marks of a submission.

    Parameters
    ----------
    assignment : str
        Name of the assignment.
    marks : list of Mark
        One for each cell with points.
    student_number : int or None
        The student number in the submission.
    notes : list of str
        Notes for the teacher.
    answers : dict
        Texts to be read, by cell.
    """

    assignment: str
    marks: list[Mark] = field(default_factory=list)
    student_number: int | None = None
    notes: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)

    @property
    def points(self) -> float:
        """Points of the tests."""
        return sum(mark.points for mark in self.marks if mark.kind == "test")

    @property
    def of(self) -> float:
        """Most points that the tests give."""
        return sum(mark.of for mark in self.marks if mark.kind == "test")

    @property
    def to_read(self) -> float:
        """Most points of the answers that the teacher has still to read."""
        return sum(mark.of for mark in self.marks if mark.why == TO_READ)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON."""
        return asdict(self) | {"points": self.points, "of": self.of, "to_read": self.to_read}


def mark_file(path: Path, assignment: Assignment, limits: Limits, hidden: Sequence[Path] = ()) -> Marks:
    """Mark a submitted notebook; whatever is in the file, marks are returned.

    Parameters
    ----------
    path : path
        The submission.
    assignment : Assignment
        Ours, with solutions and tests.
    limits : Limits
        What the student's code may use.
    hidden : sequence of path
        Folders that the student's code must not see.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(
                f"the file has {path.stat().st_size / 2**20:.0f} MB, at most {MAX_BYTES / 2**20:.0f} are read"
            )
        cells = cells_of(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        cause = error.strerror if isinstance(error, OSError) else error  # without its path
        why = f"the file is no notebook: {cause}"[:MAX_REASON]
        return Marks(
            assignment.name,
            [Mark(c.name, c.kind, 0.0, c.points, why) for c in assignment.cells if c.points],
            None,
            [why],
        )
    return mark_steps(steps_of(assignment, cells), assignment, limits, hidden)


def mark_steps(steps: Sequence[Step], assignment: Assignment, limits: Limits, hidden: Sequence[Path] = ()) -> Marks:
    """Run and test all steps; a cell that ends its process is left out, and the others are run again without it."""
    left_out: dict[int, str] = {}
    starts = 0
    while True:
        starts += 1
        with Answers(limits, hidden) as answers:
            run, at = Run(assignment, answers, left_out), 0
            try:
                for at, step in enumerate(steps):
                    run.do(at, step)
                return run.result
            except EndedError as error:
                left_out[at] = f"{error}; this cell was left out"
                if starts == MAX_STARTS:
                    name = steps[at].cell.name
                    left_out |= dict.fromkeys(range(at + 1, len(steps)), f"{error}, in {name}, again and again")
                    for later in range(at, len(steps)):
                        run.do(later, steps[later])
                    return run.result


class Run:
    """One run of a submission from top to bottom.

    Parameters
    ----------
    assignment : Assignment
        Ours.
    answers : Answers
        The student's process.
    left_out : dict
        Steps that are not run, with the reason.
    """

    def __init__(self, assignment: Assignment, answers: Answers, left_out: Mapping[int, str]):
        self.result, self._answers, self._left_out = Marks(assignment.name), answers, left_out
        self._theirs = assignment.answered_names
        self._ours: dict[str, Any] = {"__name__": "tests"}
        self._lost: dict[str, str] = {}  # reasons of cells that were not run to their end

    def do(self, i: int, step: Step) -> None:
        """Run, test or keep one step."""
        cell, why_not = step.cell, self._left_out.get(i)
        if cell.kind == "test":
            self._test(step, why_not)
        elif cell.is_code and step.source is not None and why_not is None:
            self._run(cell, step.source)
        elif why_not:
            self._lost[cell.name] = f"{cell.name}: {why_not}"
        if cell.kind == "read":
            self._read(step)
        missing = "this cell is missing in the submission" if step.source is None else None
        self.result.notes += [f"{cell.name}: {note}" for note in (step.note, why_not, missing) if note]

    def _run(self, cell: Cell, source: str) -> None:
        """Run a given cell or an answer in the student's process, and keep what it raised."""
        if cell.kind == "given":
            fault = self._fault(source, cell.name)  # what is missing here is missing in the tests, which say so
            if fault == NO_NUMBER:
                self.result.notes.append(NO_NUMBER)
                return
        if error := self._answers.run(source, cell.name):
            if not error.startswith(NO_ANSWER):
                self._lost[cell.name] = f"{cell.name} raised {error}"
            if CODE_STUB not in source:
                self.result.notes.append(f"{cell.name}: {error}")

    def _read(self, step: Step) -> None:
        """Add an answer to those that the teacher reads, if it is not empty."""
        text = (step.source or "").strip()
        is_empty = not text or TEXT_STUB in text or CODE_STUB in text
        why = "no answer" if is_empty else TO_READ
        self.result.marks.append(Mark(step.cell.name, "read", 0.0, step.cell.points, why))
        if not is_empty:
            self.result.answers[step.cell.name] = text

    def _test(self, step: Step, why_not: str | None) -> None:
        cell = step.cell
        fault = why_not or self._fault(cell.source, cell.name)
        points, why = (cell.points, "right") if fault is None else (0.0, fault[:MAX_REASON])
        self.result.marks.append(Mark(cell.name, "test", points, cell.points, why))

    def _fault(self, source: str, name: str) -> str | None:
        """Run a test; return why it failed, or None."""
        try:
            self._give(source, name)
        except EndedError:
            raise
        except AnswerError as error:
            return _answer_fault(f"{error}")
        except AssertionError as error:
            return str(error).strip() or f"not so: {_line(error)}"
        except NameError as error:
            lacks_number = NUMBER in self._theirs and NUMBER not in self._ours
            if lacks_number and (error.name == NUMBER or error.name not in self._theirs):
                return NO_NUMBER
            return "; ".join([f"{error}", *self._lost.values()])
        except Exception as error:  # a value of another kind or shape than the test expects
            return f"{type(error).__name__}: {error} (at: {_line(error)})"
        return None

    def _give(self, source: str, name: str) -> None:
        """Run one of our cells here, with the student's variables and functions as they are now."""
        tree = ast.parse(source)
        read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        for variable in sorted(read & self._theirs):
            self._ours.pop(variable, None)
            try:
                self._ours[variable] = self._answers.get(variable)
            except AnswerError as error:
                if not str(error).startswith("NameError"):
                    raise
        if isinstance(number := self._ours.get(NUMBER), int):
            self.result.student_number = number
        file = f"<our {name}>"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(tree, file, "exec"), self._ours)


def _answer_fault(error: str) -> str:
    """Return why a student's code failed from what it raised; the stub of an answer means that there is no answer."""
    what, _, place = error.partition(" (")
    stands = f"no answer: raise {what}() still stands in {place.removesuffix(')')}"
    return stands if what == NO_ANSWER else f"your code raised {error}"


def _line(error: Exception) -> str:
    """Return the line of our cell in which it was raised."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith("<our ")]
    return (frames[-1].line or "") if frames else ""
