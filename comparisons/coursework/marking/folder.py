"""Mark all submissions of a folder, each in a process of its own, and write the marks as tables."""

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from comparisons.coursework.marking.answers import Limits
from comparisons.coursework.marking.feedback import write_feedback
from comparisons.coursework.marking.judge import MAX_BYTES, MAX_STARTS
from comparisons.coursework.marking.roster import enrol, read_roster
from comparisons.coursework.sources import FOLDER, assignment_files, cells_of, load_assignment
from em.saving.whole_files import write_whole

HEAD = (
    "submission",
    "student",
    "name",
    "email",
    "assignment",
    "student_number",
    "points",
    "of",
    "percent",
    "to_read",
    "notes",
    "page",
)


@dataclass(frozen=True)
class Submission:
    """A file that was handed in.

    Parameters
    ----------
    name : str
        Its path within the folder.
    path : path
        Where it is.
    assignment : str or None
        Name of its assignment; ``None`` if it is not known.
    """

    name: str
    path: Path
    assignment: str | None


def submissions(folder: Path, files: Mapping[str, Path], only: str | None = None) -> list[Submission]:
    """Return what was handed in: every notebook in a folder and its folders.

    Its assignment is the one whose name is in its path; else the one with which it shares most cells.

    Parameters
    ----------
    folder : path
        Such as ``submitted/<student>/<assignment>.ipynb``, or ``submitted/<student>_<assignment>.ipynb``.
    files : mapping
        The assignments' files by name.
    only : str or None
        All submissions are of this assignment.

    Raises
    ------
    ValueError
        If there is no notebook.
    """
    paths = [
        path for path in sorted(folder.rglob("*.ipynb")) if ".ipynb_checkpoints" not in path.parts and path.is_file()
    ]
    if not paths:
        raise ValueError(f"folder must have notebooks (.ipynb) in it, got {folder}, which has none")
    names = [path.relative_to(folder).as_posix() for path in paths]
    return [
        Submission(name, path, only or next((key for key in files if key in name), None) or _by_cells(path, files))
        for name, path in zip(names, paths, strict=True)
    ]


def _by_cells(path: Path, files: Mapping[str, Path]) -> str | None:
    """Return the assignment with which a notebook shares most cells, or None."""
    if path.stat().st_size > MAX_BYTES:
        return None
    try:
        names = {cell.name for cell in cells_of(json.loads(path.read_bytes())) if cell.kind}
    except (OSError, ValueError, RecursionError):
        return None
    shared = {key: len(names & {cell.name for cell in load_assignment(file).cells}) for key, file in files.items()}
    best = max(shared, key=lambda key: shared[key])
    return best if shared[best] else None


def mark(
    folder: Path,
    source: Path = FOLDER,
    *,
    only: str | None = None,
    roster: Path | None = None,
    limits: Limits = Limits(),  # noqa: B008  (frozen)
    jobs: int = 2,
    tell: Callable[[dict[str, Any]], None] = lambda marks: None,
) -> list[dict[str, Any]]:
    """Mark all submissions of a folder.

    Parameters
    ----------
    folder : path
        See :func:`submissions`.
    source : path
        The folder of the assignments with solutions.
    only : str or None
        All submissions are of this assignment.
    roster : path or None
        A CSV file of the class (:func:`comparisons.coursework.marking.roster.read_roster`).
    limits : Limits
        Limits of each submission.
    jobs : int
        Number of submissions that are marked at a time.
    tell : callable
        Called with the marks of each submission as soon as they are there.

    Returns
    -------
    list of dict
        What :meth:`comparisons.coursework.marking.judge.Marks.to_json` returns for each, its name as "submission", and
        "student", "name" and "email"; then who handed in nothing.
    """
    files = assignment_files(source)
    if only is not None and only not in files:
        raise ValueError(f"assignment must be one of {', '.join(files)}, got {only!r}")
    handed_in, students = submissions(folder, files, only), read_roster(roster) if roster is not None else []
    hidden = [source.resolve(), folder.resolve()]

    def mark_and_tell(submission: Submission) -> dict[str, Any]:
        marks = {"submission": submission.name} | _mark_one(submission, files, limits, hidden)
        tell(marks)
        return marks

    with ThreadPoolExecutor(jobs) as workers:
        try:
            results = list(workers.map(mark_and_tell, handed_in))
        except BaseException:  # such as Ctrl-C: those that have not begun do not begin
            workers.shutdown(wait=False, cancel_futures=True)
            raise
    _note_shared_numbers(results)
    return enrol(results, students)


def _mark_one(submission: Submission, files: Mapping[str, Path], limits: Limits, hidden: list[Path]) -> dict[str, Any]:
    """Mark a submission in a process of its own; a failure of the process becomes a note."""
    nothing: dict[str, Any] = {"assignment": submission.assignment, "marks": [], "student_number": None, "answers": {}}
    nothing |= {"points": 0.0, "of": 0.0, "to_read": 0.0}
    if submission.assignment is None:
        note = f"its assignment is not known: name it {', '.join(files)}, in the file's name or by --assignment"
        return nothing | {"notes": [note]}
    if submission.path.is_symlink():
        return nothing | {"notes": ["it is a link to another file, which is not followed"]}
    paths = str(submission.path), str(files[submission.assignment])
    options = json.dumps(asdict(limits)), json.dumps([str(path) for path in hidden])
    command = [sys.executable, "-W", "ignore", "-m", "comparisons.coursework.marking", *paths, *options]
    timeout = MAX_STARTS * limits.total_seconds + 60
    pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as judge:
        try:
            printed, failed = judge.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            judge.terminate()  # it ends the student's process first
            with suppress(subprocess.TimeoutExpired):
                judge.wait(10)
            judge.kill()
            return nothing | {"notes": [f"marking took more than {timeout:g} s and was stopped"]}
    try:
        marks: dict[str, Any] = json.loads(printed.rstrip().rpartition("\n")[2])
    except ValueError:
        return nothing | {"notes": [f"marking failed: {failed.strip()[-300:]}"]}
    return marks


def _note_shared_numbers(results: list[dict[str, Any]]) -> None:
    """Add a note where two submissions of one assignment have the same student number."""
    pairs = [(marks["assignment"], marks["student_number"]) for marks in results]
    counts = Counter(pairs)
    for marks, pair in zip(results, pairs, strict=True):
        if pair[1] is not None and counts[pair] > 1:
            marks["notes"].append(f"student number {pair[1]} is in {counts[pair]} submissions of this assignment")


def write(results: list[dict[str, Any]], folder: Path, source: Path = FOLDER) -> list[Path]:
    """Write ``marks.csv`` (a row a submission), ``reasons.csv`` (a row a cell with points) and ``marks.json``.

    ``feedback/`` has a page for each submission, which the column ``page`` names; those that an earlier ``marks.json``
    names are removed first. ``source`` is the folder of the assignments.
    """
    files = assignment_files(source)
    folder.mkdir(parents=True, exist_ok=True)
    _remove_pages(folder)
    pages = write_feedback(results, folder / "feedback", files)
    results = [{**marks, "page": page} for marks, page in zip(results, pages, strict=True)]
    rows = [[_cell_of(marks, name) for name in HEAD] for marks in results]
    reasons = [
        [marks["submission"], marks["assignment"], *(mark[name] for name in ("cell", "kind", "points", "of", "why"))]
        for marks in results
        for mark in marks["marks"]
    ]
    head = "submission", "assignment", "cell", "kind", "points", "of", "why"
    content = {
        "marks.csv": _csv(HEAD, rows),
        "reasons.csv": _csv(head, reasons),
        "marks.json": json.dumps(results, indent=1),
    }
    for name, text in content.items():
        write_whole(folder / name, text)
    return [folder / name for name in (*content, "feedback")]


def _remove_pages(folder: Path) -> None:
    """Remove the pages of an earlier run; a page that it did not write stays."""
    with suppress(OSError, ValueError, TypeError, AttributeError):  # no earlier run, or no file of ours
        for marks in json.loads((folder / "marks.json").read_bytes()):
            page = Path(marks.get("page") or "").name
            if page.endswith(".html"):
                (folder / "feedback" / page).unlink(missing_ok=True)


def _cell_of(marks: dict[str, Any], name: str) -> Any:
    if name == "percent":
        return round(100 * marks["points"] / marks["of"]) if marks["of"] else 0
    return "; ".join(marks["notes"]) if name == "notes" else marks[name]


def _csv(head: tuple[str, ...], rows: list[list[Any]]) -> str:
    """Return a table as CSV; text that a spreadsheet would take for a formula is quoted by an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow(
            [f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" and cell else cell for cell in row]
        )
    return text.getvalue()
