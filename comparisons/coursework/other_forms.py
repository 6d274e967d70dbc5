"""Name the mistake of a fit that returns EM's limit in another form.

One quantity may have its components in another order than the rest. Or the data were changed, or samples left out,
before EM began: then the parameters are a fixed point of EM on those data.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np

from comparisons.coursework.formulas.catalogue import DATA
from comparisons.coursework.formulas.loops import FORM_MISTAKES, MOVES, Theta, distance
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake, close
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array

ALIKE = 10.0  # ratio of two moves that differ by rounding only
STILL = 1e-2  # of the move in the form returned: the most that a fixed point in another form may move


@np.errstate(all="ignore")
def other_form(book: Textbook, problem: Problem, theta: Theta) -> Mistake | None:
    """Return the mistake by which parameters are EM's limit in another form, or None."""
    move = _move(book, problem.changed(**theta))
    if move < MOVES:
        return None
    gaps = [(_move(book, at), mistake) for at, mistake in _forms(book, problem, theta)]
    least = min(gap for gap, _ in gaps)
    first = next(mistake for gap, mistake in gaps if gap <= ALIKE * least)
    return first if least < STILL * move else None


def _move(book: Textbook, at: Problem) -> float:
    """Return by how much an iteration of EM changes the parameters; infinity if it fails."""
    try:
        return distance(book.iterate(at), at.theta)
    except (ValueError, IndexError, KeyError, np.linalg.LinAlgError):
        return np.inf


def _forms(book: Textbook, problem: Problem, theta: Theta) -> Iterator[tuple[Problem, Mistake]]:
    """Yield changed parameters or data, of which EM's limit may have been returned, each with its mistake."""
    for name in [name for name in book.quantities if name not in book.shared]:
        for order in permutations(range(problem.K)):
            moved = problem.changed(**{**theta, name: np.asarray(theta[name])[list(order)]})
            yield moved, _form_mistake("one quantity in another order", f"{name} in another order than the rest")
    for words, changed in DATA.items():
        Z = changed(problem)
        yield problem.changed(X=Z, **theta), _form_mistake("other data", f"fitted to data {words}")
        for names, partly in _partly_in_units(book, problem, theta, Z):
            yield problem.changed(X=Z, **partly), _form_mistake("some of other data", f"{names} of data {words}")
    n = problem.n
    parts = [(f"the first {m} of {n}", slice(m)) for m in range(n // 4, n)]
    parts += [(f"the last {m} of {n}", slice(n - m, n)) for m in range(n // 4, n)]
    parts += [("every second of the", slice(i, n, 2)) for i in (0, 1)]
    for words, part in parts:
        yield problem.changed(X=problem.X[part], **theta), _form_mistake("few samples", f"only {words} samples")


def _partly_in_units(book: Textbook, problem: Problem, theta: Theta, Z: Array) -> Iterator[tuple[str, Theta]]:
    """Yield names of parameters that may be in units of Z = (X - shift) / scale, and all parameters in these units."""
    X = problem.X
    scale = X.std(axis=0) / Z.std(axis=0)
    shift = X.mean(axis=0) - scale * Z.mean(axis=0)
    moved = book.in_units(theta, shift, scale) if close((X - shift) / scale, Z) else {}
    for size in range(1, len(moved)):
        for names in combinations(moved, size):
            in_units = {name: a for name, a in moved.items() if name not in names}
            yield " and ".join(names), {**theta, **in_units}


def _form_mistake(row: str, name: str) -> Mistake:
    return replace(FORM_MISTAKES[row], name=name)
