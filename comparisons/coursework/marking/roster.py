"""Who is in a class: submissions are found by student, and who handed in nothing is said."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

NOTHING = "handed in nothing"
EMAILS = "email", "e-mail", "e_mail", "mail"


@dataclass(frozen=True)
class Student:
    """A row of a roster.

    Attributes
    ----------
    student : str
        What a submission's folder or file is called by: a number, a user name.
    name, email : str
        As far as the roster has them.
    """

    student: str
    name: str = ""
    email: str = ""

    @property
    def spellings(self) -> set[str]:
        """What may stand for the student in a name, in lower case."""
        return {text.casefold() for text in (self.student, self.name, self.email, self.email.partition("@")[0]) if text}


def read_roster(path: Path) -> list[Student]:
    """Return the students of a CSV file with a column ``student``, and ``name`` and ``email`` if it has them.

    Raises
    ------
    ValueError
        If the column is missing, a student is there twice, or there is none.
    """
    text = path.read_text(encoding="utf-8-sig")
    rows = csv.DictReader(text.splitlines(), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    heads = {head.strip().casefold(): head for head in rows.fieldnames or ()}
    if "student" not in heads:
        raise ValueError(f"roster must have a column student, got {', '.join(heads) or 'an empty file'} in {path}")
    email = next((heads[head] for head in EMAILS if head in heads), "")
    found = [
        Student(*((row.get(head) or "").strip() for head in (heads["student"], heads.get("name", ""), email)))
        for row in rows
    ]
    found = [one for one in found if one.student]
    names = [one.student.casefold() for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not found:
        raise ValueError(f"roster must have each student once, got {', '.join(twice) or 'none'} in {path}")
    return found


def student_of(submission: str, assignment: str | None) -> str:
    """Return what a submission's path calls its student: its first part that is not the assignment.

    Examples
    --------
    >>> from comparisons.coursework.marking.roster import student_of
    >>> [student_of(name, "toy") for name in ("ann/toy.ipynb", "bob_toy.ipynb", "toy/eve.ipynb")]
    ['ann', 'bob', 'eve']
    """
    parts = PurePosixPath(submission).with_suffix("").parts
    left = [part.replace(assignment, "").strip("_- .") if assignment else part for part in parts]
    return next((part for part in left if part), submission)


def enrol(results: Sequence[Mapping[str, Any]], roster: Sequence[Student]) -> list[dict[str, Any]]:
    """Return marks with ``student``, ``name`` and ``email``, and after them who handed in nothing, by assignment."""
    enrolled = [_with_student(marks, roster) for marks in results]
    handed_in = {(marks["student"], marks["assignment"]) for marks in enrolled}
    nothing = {"student_number": None, "points": 0.0, "of": 0.0, "to_read": 0.0, "notes": [NOTHING]}
    for assignment in sorted({marks["assignment"] for marks in enrolled if marks["assignment"]}):
        of = max(marks["of"] for marks in enrolled if marks["assignment"] == assignment)
        for one in roster:
            if (one.student, assignment) not in handed_in:
                known = {"student": one.student, "name": one.name, "email": one.email, "assignment": assignment}
                enrolled.append({"submission": "", **nothing, **known, "of": of, "marks": [], "answers": {}})
    return enrolled


def _with_student(marks: Mapping[str, Any], roster: Sequence[Student]) -> dict[str, Any]:
    called = student_of(marks["submission"], marks["assignment"])
    pieces = {called.casefold(), *re.split(r"[_\s]+", called.casefold())}
    found = next((one for one in roster if one.student.casefold() == called.casefold()), None)
    found = found or next((one for one in roster if one.spellings & pieces), None)
    notes = list(marks["notes"])
    if found is None:
        by_number = [one for one in roster if one.student == str(marks["student_number"])]
        found = by_number[0] if by_number else Student(called)
        if roster:
            notes.append("found by its student number only" if by_number else f"{called} is not on the roster")
    elif found.student.isdecimal() and marks["student_number"] not in (None, int(found.student)):
        notes.append(f"student number {marks['student_number']} is not that of the roster, {found.student}")
    return {**marks, "student": found.student, "name": found.name, "email": found.email, "notes": notes}
