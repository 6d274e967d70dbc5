"""The roster of a class: find the student of each submission, and list who handed in nothing."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from unicodedata import normalize

NOTHING = "handed in nothing"
EMAILS = "email", "e-mail", "e_mail", "mail"


@dataclass(frozen=True)
class Student:
    """A row of a roster.

    Attributes
    ----------
    student : str
        Name by which submissions are found: a number or a user name.
    name, email : str
        Name and email address, or "".
    """

    student: str
    name: str = ""
    email: str = ""


def read_roster(path: Path) -> list[Student]:
    """Return the students of a CSV file with a column ``student``, and ``name`` and ``email`` if it has them.

    Raises
    ------
    ValueError
        If the column is missing, a student is there twice (007 and 7 are one), or there is none.
    """
    text = path.read_text(encoding="utf-8-sig")
    rows = csv.DictReader(text.splitlines(), delimiter=";" if ";" in text.partition("\n")[0] else ",")
    heads = {head.strip().casefold(): head for head in rows.fieldnames or ()}
    if "student" not in heads:
        raise ValueError(f"roster must have a column student, got {', '.join(heads) or 'an empty file'} in {path}")
    email = next((heads[head] for head in EMAILS if head in heads), "")
    columns = heads["student"], heads.get("name", ""), email
    students = [Student(*(((row.get(head) if head else "") or "").strip() for head in columns)) for row in rows]
    students = [one for one in students if one.student]
    keys = [_key(one.student) for one in students]
    twice = sorted({one.student for one, key in zip(students, keys, strict=True) if keys.count(key) > 1})
    if twice or not students:
        raise ValueError(f"roster must have each student once, got {', '.join(twice) or 'none'} in {path}")
    return students


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
    """Return marks with ``student``, ``name`` and ``email``, and after them who handed in nothing, by assignment.

    A submission that may be of two students is given to neither, with a note.
    """
    by_path = [_students_by_path(marks, roster) for marks in results]
    fits = [matches or _students_by_number(marks, roster) for matches, marks in zip(by_path, results, strict=True)]
    enrolled = [
        _with_student(marks, fit, roster, by_name=bool(matches))
        for marks, fit, matches in zip(results, fits, by_path, strict=True)
    ]
    no_marks: dict[str, Any] = {"submission": "", "student_number": None, "marks": [], "answers": {}}
    no_marks |= {"points": 0.0, "to_read": 0.0}
    for assignment in sorted({marks["assignment"] for marks in results if marks["assignment"]}):
        of = max(marks["of"] for marks in results if marks["assignment"] == assignment)
        for one in roster:
            theirs = [(marks, len(fit) == 1) for marks, fit in zip(results, fits, strict=True) if one in fit]
            if not any(sure and marks["assignment"] == assignment for marks, sure in theirs):
                identity = {"student": one.student, "name": one.name, "email": one.email, "assignment": assignment}
                notes = _why_no_marks(theirs, assignment)
                enrolled.append({**no_marks, **identity, "of": of, "notes": notes})
    return enrolled


def _key(text: str) -> str:
    """Return a text for comparisons: without case, extra spaces or forms of accents, and numbers without leading 0."""
    key = " ".join(normalize("NFKC", text).casefold().split())
    return key.lstrip("0") or "0" if key.isdecimal() else key


def _students_by_path(marks: Mapping[str, Any], roster: Sequence[Student]) -> list[Student]:
    """Return the students whom a submission's path may name.

    The path's name of the student is compared as a whole, and by its parts between underscores. Folders are compared as
    a whole. The part of an email address before the @ must be the whole name, since it says little.
    """
    label = student_of(marks["submission"], marks["assignment"])
    key = _key(label)
    if exact := [one for one in roster if _key(one.student) == key]:
        return exact
    parts = label.split("_")
    runs = ["_".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)]
    pieces = {_key(text) for text in (*runs, *PurePosixPath(marks["submission"]).parent.parts)} - {""}
    return [
        one
        for one in roster
        if pieces & {_key(text) for text in (one.student, one.name, one.email) if text}
        or (one.email and _key(one.email.partition("@")[0]) == key)
    ]


def _students_by_number(marks: Mapping[str, Any], roster: Sequence[Student]) -> list[Student]:
    """Return the students with the number that a submission has in it."""
    number = marks["student_number"]
    return [] if number is None else [one for one in roster if _key(one.student) == _key(str(number))]


def _with_student(
    marks: Mapping[str, Any], fit: Sequence[Student], roster: Sequence[Student], *, by_name: bool
) -> dict[str, Any]:
    """Return marks with the one student that fits, else with the path's name of the student, and with notes."""
    label = student_of(marks["submission"], marks["assignment"])
    person, number = fit[0] if len(fit) == 1 else Student(label), marks["student_number"]
    notes = list(marks["notes"])
    if len(fit) > 1:
        notes.append(f"may be {' or '.join(one.student for one in fit)}")
    elif roster and not fit:
        notes.append(f"{label} is not on the roster")
    elif fit and not by_name:
        notes.append("found by its student number only")
    elif fit and person.student.isdecimal() and number is not None and _key(person.student) != _key(str(number)):
        notes.append(f"student number {number} is not that of the roster, {person.student}")
    return {**marks, "student": person.student, "name": person.name, "email": person.email, "notes": notes}


def _why_no_marks(theirs: Sequence[tuple[Mapping[str, Any], bool]], assignment: str) -> list[str]:
    """Return notes on why a student has no marks in an assignment.

    ``theirs`` are marks of submissions that may be the student's, each with whether it surely is.
    """
    unknown = sum(sure and marks["assignment"] is None for marks, sure in theirs)
    doubtful = [m["submission"] for m, sure in theirs if not sure and m["assignment"] in (assignment, None)]
    notes = [f"may have handed in {name}" for name in doubtful]
    if unknown:
        notebooks = "one notebook" if unknown == 1 else f"{unknown} notebooks"
        notes.append(f"handed in {notebooks} whose assignment is not known")
    return notes or [NOTHING]
