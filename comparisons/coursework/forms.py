"""Find EM's own limit in what a fit returned, where it stands there in another form.

The components of one quantity may be in another order than those of the rest, and the data may have been changed, or
samples left out, before EM began: then the parameters are a fixed point of EM on those data.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

import numpy as np

from comparisons.coursework.formulas.catalogue import DATA
from comparisons.coursework.formulas.loops import FORM_MISTAKES, Theta, distance
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake
from comparisons.coursework.formulas.textbook import Textbook

MOVES = 1e-4  # relative: an iteration that goes on
STILL = 1e-2  # of it: what a fixed point in another form may move


@np.errstate(all="ignore")
def other_form(book: Textbook, problem: Problem, theta: Theta) -> Mistake | None:
    """Return the mistake by which parameters are EM's limit in another form, or None."""
    own = _move(book, problem.changed(**theta))
    if own < MOVES:
        return None
    gaps = [(_move(book, at), mistake) for at, mistake in _forms(book, problem, theta)]
    gap, mistake = min(gaps, key=lambda pair: pair[0])
    return mistake if gap < STILL * own else None


def _move(book: Textbook, at: Problem) -> float:
    """Return by how much an iteration changes the parameters."""
    try:
        return distance(book.iterate(at), at.theta)
    except (ValueError, IndexError, KeyError, np.linalg.LinAlgError):
        return np.inf


def _forms(book: Textbook, problem: Problem, theta: Theta) -> Iterator[tuple[Problem, Mistake]]:
    """Yield problems of which the parameters may be a fixed point."""
    for name in [name for name in book.quantities if name not in book.shared]:
        for order in permutations(range(problem.K)):
            moved = problem.changed(**{**theta, name: np.asarray(theta[name])[list(order)]})
            yield moved, _said("one quantity in another order", f"{name} in another order than the rest")
    for words, changed in DATA.items():
        yield problem.changed(X=changed(problem), **theta), _said("other data", f"fitted to data {words}")
    n = problem.n
    parts = [(f"the first {m} of {n}", slice(m)) for m in range(n // 4, n)]
    parts += [(f"the last {m} of {n}", slice(n - m, n)) for m in range(n // 4, n)]
    parts += [("every second of the", slice(i, n, 2)) for i in (0, 1)]
    for words, part in parts:
        yield problem.changed(X=problem.X[part], **theta), _said("few samples", f"only {words} samples")


def _said(row: str, name: str) -> Mistake:
    return replace(FORM_MISTAKES[row], name=name)
