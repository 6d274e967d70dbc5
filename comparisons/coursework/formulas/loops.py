"""Iterations of EM with one mistake: in the E-step, in the M-step, or in the order of the updates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import combinations, pairwise, permutations, product

import numpy as np

from comparisons.coursework.formulas.catalogue import tables_beside
from comparisons.coursework.formulas.problem import Problem, per_component
from comparisons.coursework.formulas.slots import Change, Formula, Mistake, close
from comparisons.coursework.formulas.textbook import Textbook
from models.validation import Array

TEXTS = tables_beside(__file__)
SAME = 1e-6  # relative: two iterations that are one
MOVES = 1e-4  # relative: an iteration that goes on
LOOSE = 1e-5  # relative: what rounding and a fine tolerance leave at the end
Theta = Mapping[str, Array]
Iterate = Callable[[Problem], Theta]
LIMIT_MISTAKES, LOOP_MISTAKES, FORM_MISTAKES = (
    {name: Mistake(name, hint, why, name == "wrong iterations") for name, (hint, why) in TEXTS[kind].items()}
    for kind in ("limit", "loop", "form")
)


def iterations(book: Textbook) -> Iterator[tuple[Mistake, Iterate]]:
    """Yield each known mistake in one step with the iteration that has it."""
    first = book.formulas[book.first_quantity("e")]
    for change in first.singles():
        yield change.mistake, partial(_iterate, book, partial(_wrong_e_step, book, first, change), {})
    for quantity in book.quantities:
        for change in book.formulas[quantity].singles():
            if not change.mistake.follows:
                yield change.mistake, partial(_iterate, book, book.responsibilities, {quantity: [change]})


def _wrong_e_step(book: Textbook, formula: Formula, change: Change, at: Problem) -> Array:
    return book.as_responsibilities(formula.value_with(at, [change]), at)


@np.errstate(all="ignore")
def _iterate(
    book: Textbook, e_step: Callable[[Problem], Array], changes: Mapping[str, Sequence[Change]], at: Problem
) -> Theta:
    """Return the next parameters by an E-step, and an M-step with mistakes in some quantities; {} if they fail."""
    try:
        soft = at.changed(r=e_step(at))
        return {name: book.formulas[name].value_with(soft, changes.get(name, ())) for name in book.quantities}
    except (ValueError, IndexError, np.linalg.LinAlgError, KeyError):
        return {}


def loop_mistake(book: Textbook, problem: Problem, path: Sequence[Theta], from_start: bool) -> Mistake | None:
    """Return the mistake in the loop that gives a path, or None.

    Parameters
    ----------
    book : Textbook
        The family's formulas.
    problem : Problem
        The data.
    path : sequence of mapping
        Parameters after one iteration after another.
    from_start : bool
        Whether the path begins at the start, before the first iteration.
    """
    steps = list(pairwise(path))

    def all_by(iterate: Iterate, pairs: Sequence[tuple[Theta, Theta]] = steps) -> bool:
        return all(same(iterate(problem.changed(**before)), after) for before, after in pairs)

    never = LOOP_MISTAKES["one quantity never changes"]
    for k in range(problem.K):
        if all_by(lambda at, k=k: _with_component_kept(book.iterate(at), at.theta, k, book.shared)):  # type: ignore[misc]
            return replace(never, name=f"component {k} never changes")
    for names in _subsets(book.quantities)[1:]:
        if all_by(lambda at, names=names: {**book.iterate(at), **{n: at.theta[n] for n in names}}):  # type: ignore[misc]
            return replace(never, name=f"{' and '.join(names)} never change")
    if all_by(lambda at: at.theta):
        return LOOP_MISTAKES["parameters never change" if from_start else "E-step only once"]
    once = not from_start or all_by(book.iterate, steps[:1])
    if len(path) > 2 and once and all_by(lambda at: at.theta, steps[1:]):
        return LOOP_MISTAKES["E-step only once"]
    for names in _subsets(book.quantities) if len(path) > 3 else ():
        if all(same(_stale(book, problem, *three, names), path[i + 2]) for i, three in enumerate(pairwise(path[:-1]))):
            suffix = "" if names == tuple(book.quantities) else f" in the {' and '.join(names)}"
            return replace(LOOP_MISTAKES["stale responsibilities"], name=f"stale responsibilities{suffix}")
    if any(all_by(partial(ecm_step, book, blocks=blocks, about_given=False)) for blocks in orders(book.quantities)):
        return LOOP_MISTAKES["E-step between the updates"]
    return None


def _subsets(quantities: Sequence[str]) -> list[tuple[str, ...]]:
    """Return all quantities, then each of them, pairs of them, and so on."""
    return [
        tuple(quantities),
        *(names for size in range(1, len(quantities)) for names in combinations(quantities, size)),
    ]


def _stale(book: Textbook, problem: Problem, before: Theta, now: Theta, names: Sequence[str]) -> Theta:
    """Return the next parameters if some quantities are computed with the responsibilities of the iteration before.

    Covariances are about the new means.
    """
    old, new = (book.responsibilities(problem.changed(**theta)) for theta in (before, now))
    theta: dict[str, Array] = {}
    for name in book.quantities:
        at = problem.changed(**{**now, **theta}, r=old if name in names else new)
        theta[name] = _about_given_means(book, name, at)
    return theta


def _with_component_kept(theta: Theta, old: Theta, k: int, shared: Sequence[str]) -> Theta:
    """Return parameters in which one component keeps its old parameters, except its weight."""
    names = [name for name in theta if name not in ("weights", *shared)]
    is_kept = {name: per_component(np.arange(len(theta[name])) == k, theta[name]) for name in names}
    return {**theta, **{name: np.where(is_kept[name], old[name], theta[name]) for name in names}}


def ecm_step(book: Textbook, at: Problem, blocks: Sequence[Sequence[str]], about_given: bool = True) -> Theta:
    """Return the next parameters of a multi-cycle ECM, with an E-step before each block of quantities.

    Each block maximises Q given the other quantities. Covariances in a block without the means are about the current
    means; with ``about_given=False`` they are about the means of the new responsibilities.
    """
    for block in blocks:
        soft, given = at.changed(r=book.responsibilities(at)), about_given and "means" not in block
        at = at.changed(
            **{n: _about_given_means(book, n, soft) if given else book.formulas[n].value(soft) for n in block}
        )
    return at.theta


def _about_given_means(book: Textbook, name: str, at: Problem) -> Array:
    """Return a quantity of the M-step; covariances are about the current means, not about new ones."""
    changes = [c for c in book.formulas[name].singles() if c.name == "about the old means"]
    return book.formulas[name].value_with(at, changes)


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


def same(a: Theta, b: Theta, rtol: float = SAME) -> bool:
    """Whether the second parameters are among the first, to rounding."""
    return a.keys() >= b.keys() and all(close(np.asarray(a[name]), np.asarray(b[name]), rtol) for name in b)


def distance(a: Theta, b: Theta) -> float:
    """Return the largest difference, in units of the largest number of each quantity."""
    if a.keys() != b.keys() or any(np.shape(a[name]) != np.shape(b[name]) for name in b):
        return np.inf
    with np.errstate(all="ignore"):
        gaps = [np.abs(a[name] - b[name]).max() / np.abs(b[name]).max() for name in b]
    return float(max(gaps)) if np.isfinite(gaps).all() else np.inf


def all_the_same(book: Textbook, theta: Theta) -> bool:
    """Whether the components differ in nothing but their weights."""
    arrays = [np.asarray(theta[name]) for name in book.quantities if name != "weights" and name not in book.shared]
    return all(close(a, np.broadcast_to(a[:1], a.shape), SAME) for a in arrays)
