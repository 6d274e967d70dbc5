"""Write a page for each submission, to send to the student: points and reasons by task.

Text of students is escaped.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from comparisons.coursework.sources import Assignment, load_assignment
from em.page import Section, write_page

NOT_MARKED = "This submission could not be marked: ask your teacher."


def write_feedback(results: Sequence[Mapping[str, Any]], folder: Path, files: Mapping[str, Path]) -> list[str]:
    """Write ``<student>_<assignment>.html`` for each submission, and return the files' names, "" where there is none.

    Notes are for the teacher, and are on no page.

    Parameters
    ----------
    results : sequence of dict
        Marks, with ``student`` and ``name``.
    folder : path
        Where the pages go.
    files : mapping
        The assignments' files by name, for the titles of their tasks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names: list[str] = []
    for marks in results:
        if not marks["submission"]:
            names.append("")
            continue
        assignment = marks["assignment"]
        words = [re.sub(r"[^\w-]+", "_", str(word)).strip("_") for word in (marks["student"], assignment or "unknown")]
        stem = "_".join(word[:60] for word in words if word)
        name, again, taken = f"{stem}.html", 1, {name.casefold() for name in names}
        while name.casefold() in taken:
            again += 1
            name = f"{stem}-{again}.html"
        tasks = tasks_of(load_assignment(files[assignment])) if assignment in files else {}
        title = f"{tasks.get('', assignment) or 'Your submission'}: {marks['name'] or marks['student']}"
        write_page(folder / name, title, _lead(marks), _sections(marks, tasks), _tone(marks))
        names.append(name)
    return names


def tasks_of(assignment: Assignment) -> dict[str, str]:
    """Return the title of the task of each cell, by the cell's name; that of the assignment under ""."""
    titles: dict[str, str] = {}
    last = ""
    for cell in assignment.cells:
        head = re.match(r"(#+) +(.*)", cell.source) if not cell.is_code and not cell.kind else None
        if head and head[1] == "#":
            titles[""] = head[2]
        elif head:
            last = re.sub(r"\s*\(.*\)$", "", head[2])
        titles[cell.name] = titles.get(cell.name, last)
    return titles


def _lead(marks: Mapping[str, Any]) -> str:
    if not marks["marks"]:
        return NOT_MARKED
    texts = f" {marks['to_read']:g} more points are for texts, which are still to be read." if marks["to_read"] else ""
    return f"{marks['points']:g} of {marks['of']:g} points by tests.{texts}"


def _tone(marks: Mapping[str, Any]) -> str:
    return "good" if marks["marks"] and marks["points"] == marks["of"] else "doubtful" if marks["points"] else "bad"


def _sections(marks: Mapping[str, Any], tasks: Mapping[str, str]) -> list[Section]:
    """Return a table with the points and the reason of each task."""
    rows = [
        {
            "task": tasks.get(mark["cell"]) or mark["cell"],
            "points": f"{mark['points']:g}" if mark["kind"] == "test" else "",
            "of": f"{mark['of']:g}",
            "reason": mark["why"],
        }
        for mark in marks["marks"]
    ]
    return [Section("Points", table=rows)] if rows else []
