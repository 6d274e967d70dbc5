"""EM's loop with one mistake: in the E-step, in the M-step, or in the order of things."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake, texts_beside
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array

TEXTS = texts_beside(__file__)
Theta = Mapping[str, Array]
Iterate = Callable[[Problem], Theta]
LIMIT_MISTAKES, LOOP_MISTAKES = (
    {name: Mistake(name, hint, why, name == "wrong iterations") for name, (hint, why) in TEXTS[kind].items()}
    for kind in ("limit", "loop")
)


def iterations(book: Textbook) -> Iterator[tuple[Mistake, Iterate]]:
    """Yield each known mistake in one step with the iteration that has it."""
    first = book.first_quantity("e")
    for change in book.formulas[first].singles():
        yield change.mistake, _with_e_step(book, first, change)
    for quantity in book.quantities:
        for change in book.formulas[quantity].singles():
            if not change.mistake.follows:
                yield change.mistake, _with_m_step(book, quantity, change)


def _with_e_step(book: Textbook, quantity: str, change: Any) -> Iterate:
    def iterate(at: Problem) -> Theta:
        with np.errstate(all="ignore"):
            try:
                r = book.as_responsibilities(book.formulas[quantity].changed(at, [change]), at)
                return {name: book.formulas[name].value(at.changed(r=r)) for name in book.quantities}
            except (ValueError, IndexError, np.linalg.LinAlgError, KeyError):
                return {}

    return iterate


def _with_m_step(book: Textbook, quantity: str, change: Any) -> Iterate:
    def iterate(at: Problem) -> Theta:
        with np.errstate(all="ignore"):
            soft = at.changed(r=book.responsibilities(at))
            theta = {name: book.formulas[name].value(soft) for name in book.quantities}
            try:
                return {**theta, quantity: book.formulas[quantity].changed(soft, [change])}
            except (ValueError, IndexError, np.linalg.LinAlgError, KeyError):
                return {}

    return iterate


def loop_mistake(
    book: Textbook, problem: Problem, path: Sequence[Theta], from_start: bool, same: Callable[[Theta, Theta], bool]
) -> Mistake | None:
    """Return the mistake in the order of things that gives a path, which may begin at a given start, or None."""
    steps = list(pairwise(path))
    if all(same(before, after) for before, after in steps):
        return LOOP_MISTAKES["parameters never change" if from_start else "E-step only once"]
    if len(path) > 2 and all(same(before, after) for before, after in steps[1:]):
        return LOOP_MISTAKES["E-step only once"]
    if len(path) > 3:
        twice = [(path[i], path[i + 2]) for i in range(len(path) - 2)]
        if all(same(book.iterate(problem.changed(**a)), c) for a, c in twice):
            return LOOP_MISTAKES["stale responsibilities"]
    two = [book.iterate(problem.changed(**book.iterate(problem.changed(**before)))) for before, _ in steps]
    if all(same(after, guess) for (_, after), guess in zip(steps, two, strict=True)):
        return LOOP_MISTAKES["two iterations counted as one"]
    for name, iterate in (("E-step between the updates", between), ("half of the step", halved)):
        if all(same(iterate(book, problem.changed(**before)), after) for before, after in steps):
            return LOOP_MISTAKES[name]
    for frozen in book.quantities:
        if all(same({**book.iterate(problem.changed(**a)), frozen: a[frozen]}, b) for a, b in steps):
            text = LOOP_MISTAKES["one quantity never changes"]
            return Mistake(f"{frozen} never change", text.hint, text.why)
    return None


def between(book: Textbook, at: Problem) -> Theta:
    """Return the next parameters if the responsibilities are computed anew after each quantity."""
    for name in book.quantities:
        soft = at.changed(r=book.responsibilities(at))
        at = at.changed(**{name: book.formulas[name].value(soft)})
    return at.theta


def halved(book: Textbook, at: Problem) -> Theta:
    """Return the mean of the parameters and the next ones."""
    after = book.iterate(at)
    return {name: (after[name] + at.theta[name]) / 2 for name in after}
