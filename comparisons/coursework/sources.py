"""Assignments as they are written: notebooks in nbgrader's format, with solutions, hidden tests and points.

A cell's ``metadata.nbgrader`` says what it is: *given* (locked code that everybody runs), an *answer* (the student
writes it), a *test* (locked, with points), or an answer that is *read* by the teacher (with points too). Cells without
it are text, pictures and feedback, which count for nothing.
"""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "notebooks" / "exercises"
BEGIN_SOLUTION, END_SOLUTION = "### BEGIN SOLUTION", "### END SOLUTION"
BEGIN_HIDDEN, END_HIDDEN = "### BEGIN HIDDEN TESTS", "### END HIDDEN TESTS"
CODE_STUB, TEXT_STUB = "# YOUR CODE HERE\nraise NotImplementedError()", "YOUR ANSWER HERE"
KINDS = {(False, False): "given", (False, True): "answer", (True, False): "test", (True, True): "read"}


@dataclass(frozen=True)
class Cell:
    """A cell of a notebook.

    Parameters
    ----------
    name : str
        nbgrader's ``grade_id``, unique in the notebook; else Jupyter's id, or ``""``.
    kind : str
        ``"given"``, ``"answer"``, ``"test"``, ``"read"``, or ``""`` where nbgrader's metadata are missing.
    is_code : bool
        Whether it is code, not text.
    source : str
        Its content.
    points : float
        Points of a test or of an answer that is read; else 0.
    """

    name: str
    kind: str
    is_code: bool
    source: str
    points: float = 0.0


@dataclass(frozen=True)
class Assignment:
    """An assignment, with its solutions.

    Parameters
    ----------
    name : str
        The file's name without ``.ipynb``.
    cells : tuple of Cell
        In order.
    """

    name: str
    cells: tuple[Cell, ...]

    @property
    def answered_names(self) -> frozenset[str]:
        """Names that the solutions give a value: the functions and variables that a student writes."""
        return frozenset(
            name for cell in self.cells if cell.kind in ("answer", "read") and cell.is_code for name in names_in(cell)
        )


def names_in(cell: Cell) -> set[str]:
    """Return the names of the functions, classes and variables that a cell defines, without imports."""
    names: set[str] = set()
    for node in ast.parse(cell.source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif not isinstance(node, ast.Import | ast.ImportFrom):
            targets = (
                part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            )
            names |= {target.id for target in targets}
    return names


def cells_of(notebook: Any) -> tuple[Cell, ...]:
    """Return the cells of a notebook of format 4, whatever else is in it.

    Raises
    ------
    ValueError
        If it is not such a notebook.
    """
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError("not a notebook of Jupyter's format 4: it has no list of cells")
    return tuple(_cell(node) for node in cells if isinstance(node, dict))


def _cell(node: dict[str, Any]) -> Cell:
    """Return a cell of a notebook's JSON; its kind follows from nbgrader's metadata."""
    source, metadata = node.get("source", ""), node.get("metadata")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if not isinstance(nbgrader, dict):
        return Cell(str(node.get("id", "")), "", node.get("cell_type") == "code", text)
    name, points = nbgrader.get("grade_id", node.get("id", "")), nbgrader.get("points", 0)
    kind = KINDS[bool(nbgrader.get("grade")), bool(nbgrader.get("solution"))]
    worth = float(points) if isinstance(points, int | float) else 0.0
    return Cell(str(name), kind, node.get("cell_type") == "code", text, worth)


def assignment_files(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the files of the assignments in a folder by name.

    Raises
    ------
    ValueError
        If there are none.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    if not files:
        where = "they are in notebooks/exercises of the repository, not in the installed package: pass --source"
        raise ValueError(f"source must be a folder with assignments, got {folder}, which has none; {where}")
    return files


def load_assignment(path: Path) -> Assignment:
    """Read an assignment with its solutions.

    Raises
    ------
    ValueError
        If a cell's marks and its metadata contradict each other, so that a solution would be handed out.
    """
    cells = cells_of(json.loads(path.read_text(encoding="utf-8")))
    names = [cell.name for cell in cells if cell.kind]
    faults = [f"grade_id {name!r} is there twice" for name in dict.fromkeys(names) if names.count(name) > 1]
    faults += [f"cell {cell.name or cell.source[:40]!r} {fault}" for cell in cells for fault in _faults(cell)]
    if faults:
        raise ValueError(f"{path.name}: {'; '.join(faults)}")
    return Assignment(path.stem, cells)


def _faults(cell: Cell) -> Iterator[str]:
    """Yield sentences on marks of solutions and hidden tests that do not fit the cell."""
    markers = {BEGIN_SOLUTION: (END_SOLUTION, ("answer", "read")), BEGIN_HIDDEN: (END_HIDDEN, ("test",))}
    for begin, (end, kinds) in markers.items():
        if cell.source.count(begin) != cell.source.count(end):
            yield f"has not as many {begin!r} as {end!r}"
        if begin in cell.source and cell.kind not in kinds:
            yield f"has {begin!r}, which belongs into a cell with metadata of kind {' or '.join(kinds)}"
