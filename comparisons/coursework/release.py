"""Student versions of assignments: without solutions, hidden tests and output, as nbgrader's own release makes them."""

import json
import re
from pathlib import Path
from typing import Any

from comparisons.coursework.sources import (
    BEGIN_HIDDEN,
    BEGIN_SOLUTION,
    CODE_STUB,
    END_HIDDEN,
    END_SOLUTION,
    FOLDER,
    TEXT_STUB,
    assignment_files,
    load_assignment,
)
from comparisons.output.files import check_writable
from em.saving.whole_files import write_whole

SOLUTION = re.compile(rf"^([ \t]*){BEGIN_SOLUTION}.*?{END_SOLUTION}[^\n]*", re.MULTILINE | re.DOTALL)
HIDDEN = re.compile(rf"\n?^[ \t]*{BEGIN_HIDDEN}.*?{END_HIDDEN}[^\n]*", re.MULTILINE | re.DOTALL)


def student_version(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook without solutions, hidden tests and output; locked cells can be neither edited nor deleted.

    Parameters
    ----------
    notebook : dict
        An assignment in nbgrader's format, as JSON.
    """
    return notebook | {"cells": [_student_cell(cell) for cell in notebook["cells"]]}


def _student_cell(cell: dict[str, Any]) -> dict[str, Any]:
    """Return a cell without solution, hidden tests and output, locked unless it is an answer."""
    nbgrader, is_code = cell["metadata"].get("nbgrader", {}), cell["cell_type"] == "code"
    source, metadata = "".join(cell["source"]), dict(cell["metadata"])
    if nbgrader.get("solution"):
        source = without_solution(source, CODE_STUB if is_code else TEXT_STUB)
    if nbgrader:
        metadata |= {"deletable": False} | ({} if nbgrader.get("solution") else {"editable": False})
    output: dict[str, Any] = {"outputs": [], "execution_count": None} if is_code else {}
    lines = HIDDEN.sub("", source).splitlines(keepends=True)
    return cell | {"source": lines, "metadata": metadata} | output


def without_solution(source: str, stub: str) -> str:
    r"""Return an answer with each marked solution replaced by a stub; without marks all of it is the solution.

    Examples
    --------
    >>> from comparisons.coursework.release import without_solution
    >>> print(without_solution("def f():\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION", "return 0"))
    def f():
        return 0
    """
    if BEGIN_SOLUTION not in source:
        return stub
    return SOLUTION.sub(lambda match: "\n".join(match[1] + line for line in stub.splitlines()), source)


def release(folder: Path, source: Path = FOLDER) -> list[Path]:
    """Write the student version of every assignment into a folder, and return the files.

    Parameters
    ----------
    folder : path
        Folder of the student versions; it is created.
    source : path
        The folder of the assignments with solutions.

    Raises
    ------
    ValueError
        If the source has no assignments, is the folder itself, or has a solution in a cell that is no answer.
    """
    files = assignment_files(source)
    if folder.resolve() == source.resolve():
        raise ValueError(f"folder must not be that of the solutions, got {folder}: they would be lost")
    for path in files.values():
        load_assignment(path)  # which refuses what would give a solution away
    check_writable(folder).mkdir(parents=True, exist_ok=True)
    for path in files.values():
        notebook = student_version(json.loads(path.read_text(encoding="utf-8")))
        write_whole(folder / path.name, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return [folder / path.name for path in files.values()]
