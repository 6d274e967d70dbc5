"""Put the cells that are run to mark a submission in order: our own cells, and the student's answers in their places.

Tests and given cells are always ours, so that changes of a locked cell have no effect. An answer is found by its
``grade_id``, wherever it is; the first one counts. Other code of the student is run after the cell that it follows.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from comparisons.coursework.sources import Assignment, Cell


@dataclass(frozen=True)
class Step:
    """A cell to run or to test.

    Parameters
    ----------
    cell : Cell
        Ours; of code that the student added, theirs.
    source : str or None
        Source to run, the student's answer or ours; ``None`` if the answer is missing.
    note : str
        What a teacher should know.
    """

    cell: Cell
    source: str | None
    note: str = ""


LIBRARIES = {"em", "models", "comparisons", "sklearn"}  # which have what students are to write


def imports_of(source: str) -> set[str]:
    """Return the libraries with solutions that some code imports."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {module.partition(".")[0] for module in modules} & LIBRARIES


def steps_of(assignment: Assignment, submitted: Sequence[Cell]) -> list[Step]:
    """Return what to run for a submission.

    Parameters
    ----------
    assignment : Assignment
        Ours, with solutions and tests.
    submitted : sequence of Cell
        The student's.
    """
    ours = {cell.name: cell for cell in assignment.cells if cell.kind}
    ignored = {cell.source.strip() for cell in assignment.cells if not cell.kind}
    answers: dict[str, str] = {}
    repeated: set[str] = set()
    added: dict[str, list[Step]] = {"": []}
    place = ""
    for cell in submitted:
        our_cell = ours.get(cell.name)
        if our_cell is not None and our_cell.kind in ("given", "test"):
            place = cell.name
        elif our_cell is not None and cell.name not in answers:
            place, answers[cell.name] = cell.name, cell.source
        elif cell.is_code and cell.source.strip() and cell.source.strip() not in ignored:
            repeated |= {cell.name} & answers.keys()
            extra = Cell(f"added after {place or 'the start'}", "added", True, cell.source)
            added.setdefault(place, []).append(Step(extra, cell.source))
    steps = added[""]
    for cell in ours.values():
        if cell.kind in ("given", "test"):
            steps.append(Step(cell, cell.source))
        else:
            steps.append(Step(cell, answers.get(cell.name), _note(cell, answers.get(cell.name, ""), repeated)))
        steps += added.get(cell.name, [])
    return steps


def _note(cell: Cell, answer: str, repeated: set[str]) -> str:
    """Return what a teacher should know about an answer: imports of libraries with solutions, repetitions."""
    notes = [
        f"the answer imports {name}, which has solutions"
        for name in sorted(imports_of(answer) - imports_of(cell.source))
    ]
    if cell.name in repeated:
        notes.append("the answer is there more than once: the first counts, the others run after it")
    return "; ".join(notes if cell.is_code else [])
