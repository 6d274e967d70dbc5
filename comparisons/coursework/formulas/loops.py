"""EM's loop with one mistake: in the E-step, in the M-step, or in the order of things."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise, permutations, product
from typing import Any

import numpy as np

from comparisons.coursework.formulas.catalogue import tables_beside
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import softmax
from comparisons.coursework.formulas.slots import Mistake, close
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array

TEXTS = tables_beside(__file__)
SAME = 1e-6  # relative: two iterations that are one
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
    if "weights" in book.quantities:
        for of_density, of_weights in product((1.0, 0.5, 2.0, 0.0, -1.0), repeat=2):
            parts = {"the log density": of_density, "the log weights": of_weights}
            named = " and ".join(f"factor {factor:g} of {name}" for name, factor in parts.items() if factor != 1)
            if named:
                yield (
                    Mistake(named, "What factor has each term of your log joint density?", f"The E-step has {named}."),
                    partial(_with_factors, book, of_density, of_weights),
                )
    for quantity in book.quantities:
        for change in book.formulas[quantity].singles():
            if not change.mistake.follows:
                yield change.mistake, _with_m_step(book, quantity, change)


def _with_factors(book: Textbook, of_density: float, of_weights: float, at: Problem) -> Theta:
    with np.errstate(all="ignore"):
        joint = of_density * book.log_density_of(at) + of_weights * np.log(at.theta["weights"])
        soft = at.changed(r=softmax(joint))
        return {name: book.formulas[name].value(soft) for name in book.quantities}


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


def loop_mistake(book: Textbook, problem: Problem, path: Sequence[Theta], from_start: bool) -> Mistake | None:
    """Return the mistake in the order of things that gives a path, which may begin at a given start, or None."""
    steps = list(pairwise(path))
    if all(same(before, after) for before, after in steps):
        return LOOP_MISTAKES["parameters never change" if from_start else "E-step only once"]
    once = not from_start or same(book.iterate(problem.changed(**path[0])), path[1])
    if len(path) > 2 and once and all(same(before, after) for before, after in steps[1:]):
        return LOOP_MISTAKES["E-step only once"]
    if len(path) > 3:
        twice = [(path[i], path[i + 2]) for i in range(len(path) - 2)]
        if all(same(book.iterate(problem.changed(**a)), c) for a, c in twice):
            return LOOP_MISTAKES["stale responsibilities"]
    two = [book.iterate(problem.changed(**book.iterate(problem.changed(**before)))) for before, _ in steps]
    if all(same(after, guess) for (_, after), guess in zip(steps, two, strict=True)):
        return LOOP_MISTAKES["two iterations counted as one"]
    if all(same(halved(book, problem.changed(**before)), after) for before, after in steps):
        return LOOP_MISTAKES["half of the step"]
    for own_means in (False, True)[: 1 + ("covariances" in book.quantities)]:
        for blocks in orders(book.quantities):
            if all(same(between(book, problem.changed(**before), blocks, own_means), after) for before, after in steps):
                return LOOP_MISTAKES["E-step between the updates"]
    for k in range(problem.K):
        if all(same(_kept(book.iterate(problem.changed(**a)), a, k, book.shared), b) for a, b in steps):
            text = LOOP_MISTAKES["one quantity never changes"]
            return Mistake(f"component {k} never changes", text.hint, text.why)
    for frozen in book.quantities:
        if all(same({**book.iterate(problem.changed(**a)), frozen: a[frozen]}, b) for a, b in steps):
            text = LOOP_MISTAKES["one quantity never changes"]
            return Mistake(f"{frozen} never change", text.hint, text.why)
    return None


def _kept(theta: Theta, old: Theta, k: int, shared: Sequence[str]) -> Theta:
    """Return parameters with the old ones of a component, but for its weight."""
    own = [name for name in theta if name not in ("weights", *shared)]
    rows = {name: np.arange(len(theta[name])).reshape(-1, *(1,) * (np.ndim(theta[name]) - 1)) for name in own}
    return {**theta, **{name: np.where(rows[name] == k, old[name], theta[name]) for name in own}}


def between(book: Textbook, at: Problem, blocks: Sequence[Sequence[str]], own_means: bool = False) -> Theta:
    """Return the next parameters if the responsibilities are computed anew after each block of quantities.

    With ``own_means`` covariances are about the means as they are then, not about those of the new responsibilities.
    """
    for block in blocks:
        soft = at.changed(r=book.responsibilities(at))
        fixed = (
            [c for c in book.formulas["covariances"].singles() if c.name == "about the old means"] if own_means else []
        )
        at = at.changed(**{n: book.formulas[n].changed(soft, fixed if n == "covariances" else []) for n in block})
    return at.theta


def orders(quantities: Sequence[str]) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Yield all ways to update quantities in two blocks or more, that of the textbook's order first."""
    yield tuple((name,) for name in quantities)
    for order in permutations(quantities):
        for cuts in product((False, True), repeat=len(order) - 1):
            blocks: list[tuple[str, ...]] = [order[:1]]
            for name, cut in zip(order[1:], cuts, strict=True):
                blocks = [*blocks, (name,)] if cut else [*blocks[:-1], (*blocks[-1], name)]
            if any(cuts):
                yield tuple(blocks)


def halved(book: Textbook, at: Problem) -> Theta:
    """Return the mean of the parameters and the next ones."""
    after = book.iterate(at)
    return {name: (after[name] + at.theta[name]) / 2 for name in after}


def same(a: Theta, b: Theta, rtol: float = SAME) -> bool:
    """Whether the second parameters are among the first, to rounding."""
    return a.keys() >= b.keys() and all(close(np.asarray(a[name]), np.asarray(b[name]), rtol) for name in b)


def distance(a: Theta, b: Theta) -> float:
    """Return the largest difference, in units of the largest number of each quantity."""
    if a.keys() != b.keys():
        return np.inf
    with np.errstate(all="ignore"):
        gaps = [
            np.abs(a[name] - b[name]).max() / np.abs(b[name]).max()
            if np.shape(a[name]) == np.shape(b[name])
            else np.inf
            for name in b
        ]
    return float(max(gaps)) if np.isfinite(gaps).all() else np.inf


def all_the_same(book: Textbook, theta: Theta) -> bool:
    """Whether the components differ in nothing but their weights."""
    own = [np.asarray(theta[name]) for name in book.quantities if name != "weights" and name not in book.shared]
    return all(close(a, np.broadcast_to(a[:1], a.shape), SAME) for a in own)
