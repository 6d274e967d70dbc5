"""Who is in a class: submissions are found by student, and who handed in nothing is said."""

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
        What a submission's folder or file is called by: a number, a user name.
    name, email : str
        As far as the roster has them.
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
    found = [Student(*(((row.get(head) if head else "") or "").strip() for head in columns)) for row in rows]
    found = [one for one in found if one.student]
    keys = [_key(one.student) for one in found]
    twice = sorted({one.student for one, key in zip(found, keys, strict=True) if keys.count(key) > 1})
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
    """Return marks with ``student``, ``name`` and ``email``, and after them who handed in nothing, by assignment.

    A submission that may be of two students is given to neither, with a note.
    """
    named = [_named(student_of(marks["submission"], marks["assignment"]), marks, roster) for marks in results]
    fits = [own or _numbered(marks, roster) for own, marks in zip(named, results, strict=True)]
    enrolled = [
        _with_student(marks, fit, roster, by_name=bool(own))
        for marks, fit, own in zip(results, fits, named, strict=True)
    ]
    nothing: dict[str, Any] = {"submission": "", "student_number": None, "marks": [], "answers": {}}
    nothing |= {"points": 0.0, "to_read": 0.0}
    for assignment in sorted({marks["assignment"] for marks in results if marks["assignment"]}):
        of = max(marks["of"] for marks in results if marks["assignment"] == assignment)
        for one in roster:
            theirs = [(marks, len(fit) == 1) for marks, fit in zip(results, fits, strict=True) if one in fit]
            if not any(sure and marks["assignment"] == assignment for marks, sure in theirs):
                known = {"student": one.student, "name": one.name, "email": one.email, "assignment": assignment}
                notes = _why_no_marks(theirs, assignment)
                enrolled.append({**nothing, **known, "of": of, "notes": notes})
    return enrolled


def _key(text: str) -> str:
    """Return a text as it is compared: whatever its case, spaces and accents' form; a number without leading zeros."""
    key = " ".join(normalize("NFKC", text).casefold().split())
    return key.lstrip("0") or "0" if key.isdecimal() else key


def _named(called: str, marks: Mapping[str, Any], roster: Sequence[Student]) -> list[Student]:
    """Return everyone whom a submission's path may name.

    What the path calls the student is compared whole, and by its parts between underscores; folders are compared whole.
    Before its @, an email address says little, so that this must be the whole name.
    """
    whole = _key(called)
    if exact := [one for one in roster if _key(one.student) == whole]:
        return exact
    parts = called.split("_")
    runs = ["_".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, len(parts) + 1)]
    pieces = {_key(text) for text in (*runs, *PurePosixPath(marks["submission"]).parent.parts)} - {""}
    return [
        one
        for one in roster
        if pieces & {_key(text) for text in (one.student, one.name, one.email) if text}
        or (one.email and _key(one.email.partition("@")[0]) == whole)
    ]


def _numbered(marks: Mapping[str, Any], roster: Sequence[Student]) -> list[Student]:
    """Return the students with the number that a submission has in it."""
    number = marks["student_number"]
    return [] if number is None else [one for one in roster if _key(one.student) == _key(str(number))]


def _with_student(
    marks: Mapping[str, Any], fit: Sequence[Student], roster: Sequence[Student], *, by_name: bool
) -> dict[str, Any]:
    """Return marks with the one student that fits, or with what the path calls its student, and a note."""
    called = student_of(marks["submission"], marks["assignment"])
    found, number = fit[0] if len(fit) == 1 else Student(called), marks["student_number"]
    notes = list(marks["notes"])
    if len(fit) > 1:
        notes.append(f"may be {' or '.join(one.student for one in fit)}")
    elif roster and not fit:
        notes.append(f"{called} is not on the roster")
    elif fit and not by_name:
        notes.append("found by its student number only")
    elif fit and found.student.isdecimal() and number is not None and _key(found.student) != _key(str(number)):
        notes.append(f"student number {number} is not that of the roster, {found.student}")
    return {**marks, "student": found.student, "name": found.name, "email": found.email, "notes": notes}


def _why_no_marks(theirs: Sequence[tuple[Mapping[str, Any], bool]], assignment: str) -> list[str]:
    """Return why a student has no marks in an assignment, of submissions that are, or may be, the student's."""
    unknown = sum(sure and marks["assignment"] is None for marks, sure in theirs)
    doubtful = [m["submission"] for m, sure in theirs if not sure and m["assignment"] in (assignment, None)]
    notes = [f"may have handed in {name}" for name in doubtful]
    if unknown:
        several = "one notebook" if unknown == 1 else f"{unknown} notebooks"
        notes.append(f"handed in {several} whose assignment is not known")
    return notes or [NOTHING]
