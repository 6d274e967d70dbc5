"""Find EM's own limit in what a fit returned, where it stands there in another form.

The components of one quantity may be in another order than those of the rest, and the data may have been changed, or
samples left out, before EM began: then the parameters are a fixed point of EM on those data.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import permutations

import numpy as np

from comparisons.coursework.formulas.loops import FORM_MISTAKES, Theta, distance
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array

MOVES = 1e-4  # relative: an iteration that goes on
STILL = 1e-2  # of it: what a fixed point in another form may move
DATA: dict[str, Callable[[Array], Array]] = {
    "standardised": lambda X: (X - X.mean(axis=0)) / X.std(axis=0),
    "standardised (with n - 1)": lambda X: (X - X.mean(axis=0)) / X.std(axis=0, ddof=1),
    "centred": lambda X: X - X.mean(axis=0),
    "divided by their standard deviations": lambda X: X / X.std(axis=0),
    "scaled to 0 .. 1": lambda X: (X - X.min(axis=0)) / np.ptp(X, axis=0),
    "divided by the largest": lambda X: X / X.max(axis=0),
    "divided by the largest of all": lambda X: X / X.max(),
    "in their absolute values": np.abs,
    "as log(1 + x)": np.log1p,
    "in whole numbers": np.trunc,
    "sorted feature by feature": lambda X: np.sort(X, axis=0),
    "in the other outcome, 1 - x": lambda X: 1 - X,
    "with the features in reverse order": lambda X: X[:, ::-1],
}


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
        yield problem.changed(X=changed(problem.X), **theta), _said("other data", f"fitted to data {words}")
    n = problem.n
    parts = [(f"the first {m} of {n}", slice(m)) for m in range(n // 4, n)]
    parts += [(f"the last {m} of {n}", slice(n - m, n)) for m in range(n // 4, n)]
    parts += [("every second of the", slice(i, n, 2)) for i in (0, 1)]
    for words, part in parts:
        yield problem.changed(X=problem.X[part], **theta), _said("few samples", f"only {words} samples")


def _said(row: str, name: str) -> Mistake:
    return replace(FORM_MISTAKES[row], name=name)
