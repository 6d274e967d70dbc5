"""Formulas with slots: the textbook's term in each slot, and beside it the terms that students put there.

A `Formula` computes a quantity from the values of its slots. Known mistakes are the wrong values of one slot, as
:mod:`comparisons.coursework.formulas.catalogue` reads them; mistakes that come in pairs need no entry of their own.
`explanations` finds which choice of values gives a function's numbers.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import Any

import numpy as np

from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.problem import Problem
from models.validation import Array

RTOL, GUARD, SINGLE = 1e-8, 2e-6, 2e-4  # rounding; a small constant that guards a division; rounding of float32


@dataclass(frozen=True)
class Mistake:
    """A known mistake.

    Attributes
    ----------
    name : str
        What it is called, in the words of the tutorial.
    hint : str
        A question that leads to it.
    why : str
        What was computed, and what belongs there.
    follows : bool
        Whether it is no mistake of its own, but follows from one in another quantity.
    """

    name: str
    hint: str
    why: str
    follows: bool = False


@dataclass(frozen=True)
class Wrong:
    """A wrong value of a slot.

    Attributes
    ----------
    value : callable
        A function of the same arguments as the slot's right value.
    hint, why : str
        As of `Mistake`.
    """

    value: Callable[..., Any]
    hint: str
    why: str


@dataclass(frozen=True)
class Slot:
    """A place in a formula: its right value, and the wrong ones by name.

    A value is a function of the problem; with ``apply=False`` the function itself is what `Formula.combine` is given.
    Names in ``follows`` are no mistakes of their own.
    """

    name: str
    right: Callable[..., Any]
    wrong: Mapping[str, Wrong] = field(default_factory=dict)
    apply: bool = True
    follows: tuple[str, ...] = ()

    def mistake(self, name: str) -> Mistake:
        """Return the mistake of this name."""
        return Mistake(name, self.wrong[name].hint, self.wrong[name].why, name in self.follows)

    def value(self, problem: Problem, name: str) -> Any:
        """Return the wrong value of this name on a problem, or the right one for ""."""
        function = self.wrong[name].value if name else self.right
        return function(problem) if self.apply else function

    def extended(self, more: Mapping[str, Wrong]) -> "Slot":
        """Return the slot with more mistakes."""
        return replace(self, wrong={**self.wrong, **more})


@dataclass(frozen=True)
class Change:
    """A mistake with the slot where it is made, or that of the swaps."""

    mistake: Mistake
    slot: str
    name: str
    swaps: bool


@dataclass(frozen=True)
class Formula:
    """How a quantity is computed from the values of slots.

    Attributes
    ----------
    quantity, text : str
        Name, and the right formula as text.
    slots : tuple of Slot
        Its places.
    combine : callable
        From a problem and the values of all slots by name to the quantity.
    swaps : Slot or None
        Mistakes that change the inputs before anything is computed: from a problem to a problem.
    divisor : callable or None
        From a problem to the right divisor of a ratio.
    pseudo : tuple of Slot
        Further places, of a prior: mistakes there are tried first, by themselves and in pairs.
    """

    quantity: str
    text: str
    slots: tuple[Slot, ...]
    combine: Callable[[Problem, Mapping[str, Any]], Array]
    swaps: Slot | None = None
    divisor: Callable[[Problem], Any] | None = None
    pseudo: tuple[Slot, ...] = ()
    key: object = field(default_factory=object, compare=False)

    def value(self, problem: Problem, choice: Mapping[str, str] | None = None) -> Array:
        """Return the quantity with the wrong value of this name in each slot named, and the right one elsewhere."""
        chosen = choice or {}
        values = {
            slot.name: self._held(problem, slot, chosen.get(slot.name, "")) for slot in (*self.pseudo, *self.slots)
        }
        return np.asarray(self.combine(problem, values), dtype=np.float64)

    def _held(self, problem: Problem, slot: Slot, name: str) -> Any:
        key = self.key, slot.name, name
        if key not in problem.memo:
            problem.memo[key] = slot.value(problem, name)
        return problem.memo[key]

    def swapped(self, problem: Problem, name: str) -> Problem:
        """Return the problem with the inputs that a mistake of `swaps` computes with."""
        if not name or self.swaps is None:
            return problem
        swapped: Problem = self._held(problem, self.swaps, name)
        return swapped

    def singles(self) -> Iterator[Change]:
        """Yield every mistake by itself."""
        for slot in (*self.pseudo, *self.slots, *([] if self.swaps is None else [self.swaps])):
            for name in slot.wrong:
                yield Change(slot.mistake(name), slot.name, name, slot is self.swaps)

    def changed(self, problem: Problem, changes: Sequence[Change]) -> Array:
        """Return the quantity with these mistakes."""
        swap = next((change.name for change in changes if change.swaps), "")
        choice = {change.slot: change.name for change in changes if not change.swaps}
        return self.value(self.swapped(problem, swap), choice)


def close(a: Array, b: Array, rtol: float = RTOL) -> bool:
    """Whether two arrays agree to rounding, in units of the largest entry; NaN agrees with NaN."""
    if a.shape != b.shape:
        return False
    if a.size == 0:
        return True
    gap, scale = float(np.abs(a - b).max()), float(np.abs(b).max())
    if gap <= 2 * rtol * scale < np.inf:
        return True
    if np.isfinite(gap):
        return False
    finite = np.isfinite(b)  # rare: the slow way
    scale = float(np.abs(b[finite]).max(initial=0.0))
    return bool(np.allclose(a, b, rtol=rtol, atol=rtol * scale, equal_nan=True))


@np.errstate(all="ignore")
def explanations(
    formula: Formula,
    problems: Sequence[Problem],
    outputs: Sequence[Array],
    deadline: float,
    rtol: float = RTOL,
    pairs: bool = True,
) -> list[tuple[Mistake, ...]]:
    """Return the mistakes, or with ``pairs`` also pairs of them, that give a function's outputs on all problems.

    Only those of the fewest changes are returned, in the catalogue's order. Beside each, mistakes that follow from
    others are tried too. The search ends at ``deadline``, a time of `used_seconds`. Of mistakes that give the same
    numbers on these problems only the first is tried in pairs.
    """
    if not (pairs or formula.pseudo):
        return single_explanations(formula, problems, outputs, rtol)
    rights = [formula.value(problem) for problem in problems]
    scales = [float(np.abs(np.where(np.isfinite(right), right, 0.0)).max(initial=1e-300)) for right in rights]
    seen: set[bytes] = {_digest(rights, scales)}
    singles: list[Change] = []
    following: list[Change] = []
    found: list[tuple[Mistake, ...]] = []
    shapes = [output.shape for output in outputs]
    shaping = {""} if [right.shape for right in rights] == shapes else set()
    for change in formula.singles():
        answers = _answers(formula, problems, [change])
        if answers is not None and [answer.shape for answer in answers] == shapes:
            shaping.add(change.slot)
            if all(_agrees(*pair, rtol) for pair in zip(answers, outputs, strict=True)):
                found.append((change.mistake,))
        digest = b"" if answers is None else _digest(answers, scales)
        if change.mistake.follows:
            following.append(change)
        elif not digest or digest not in seen:
            singles.append(change)  # without an answer, it may have one beside another mistake
        seen.add(digest)
    first = [change for change in singles if change.slot in {slot.name for slot in formula.pseudo}]
    if found or not shaping:
        return found

    def gives(changes: Sequence[Change]) -> bool:
        slots = {change.slot for change in changes}
        apart = len(slots) == len(changes) and bool(shaping & {"", *slots})
        return apart and _gives(formula, changes, problems, outputs, rtol)

    return _fewest(_sets(singles, following) if pairs else combinations(first, 2), gives, deadline)


def single_explanations(
    formula: Formula, problems: Sequence[Problem], outputs: Sequence[Array], rtol: float = RTOL
) -> list[tuple[Mistake, ...]]:
    """Return the mistakes each of which by itself gives a function's outputs on all problems."""
    return [(one.mistake,) for one in formula.singles() if _gives(formula, [one], problems, outputs, rtol)]


@np.errstate(all="ignore")
def with_following(
    formula: Formula, problems: Sequence[Problem], outputs: Sequence[Array], deadline: float, rtol: float = RTOL
) -> list[tuple[Mistake, ...]]:
    """Return the mistakes that give a function's outputs beside what follows from them; see `explanations`."""
    sets = _beside(list(formula.singles()), [change for change in formula.singles() if change.mistake.follows])
    return _fewest(sets, lambda changes: _gives(formula, changes, problems, outputs, rtol), deadline)


def _fewest(
    sets: Iterable[Sequence[Change]], gives: Callable[[Sequence[Change]], bool], deadline: float
) -> list[tuple[Mistake, ...]]:
    """Return the mistakes of those sets that give the outputs with the fewest that do not follow from others."""
    found: list[tuple[Mistake, ...]] = []
    fewest = 0
    for changes in sets:
        n_own = sum(not change.mistake.follows for change in changes)
        if used_seconds() > deadline or (found and n_own > fewest):
            break
        if gives(changes):
            found.append(tuple(change.mistake for change in changes))
            fewest = n_own
    return found


def _beside(singles: Sequence[Change], following: Sequence[Change]) -> Iterator[tuple[Change, ...]]:
    """Yield single mistakes with one or two that follow, of other slots."""
    for one, n_following in product(singles, (1, 2)):
        for others in combinations(following, n_following):
            if len({change.slot for change in (one, *others)}) == 1 + n_following:
                yield one, *others


def _sets(singles: Sequence[Change], following: Sequence[Change]) -> Iterator[tuple[Change, ...]]:
    """Yield single mistakes with up to two that follow, then pairs, then pairs with one that follows."""
    yield from _beside(singles, following)
    yield from combinations(singles, 2)
    for pair in combinations(singles, 2):
        yield from ((*pair, other) for other in following)


def _answers(formula: Formula, problems: Sequence[Problem], changes: Sequence[Change]) -> list[Array] | None:
    """Return the quantity with mistakes on each problem, or None if they cannot be made there."""
    try:
        return [formula.changed(problem, changes) for problem in problems]
    except (ValueError, np.linalg.LinAlgError, IndexError, KeyError):
        return None


def _gives(
    formula: Formula, changes: Sequence[Change], problems: Sequence[Problem], outputs: Sequence[Array], rtol: float
) -> bool:
    """Whether mistakes give all outputs; the first problem that says no ends it."""
    for problem, output in zip(problems, outputs, strict=True):
        answers = _answers(formula, [problem], changes)
        if answers is None or not _agrees(answers[0], output, rtol):
            return False
    return True


def _agrees(answer: Array, output: Array, rtol: float) -> bool:
    """Whether a mistake gives an output; where it divides 0 by 0, a guarded division may have given 0."""
    if close(answer, output, rtol):
        return True
    holes = np.isnan(answer) & (output == 0) if answer.shape == output.shape else np.zeros(1, dtype=bool)
    return bool(holes.any()) and close(np.where(holes, 0.0, answer), output, rtol)


def _digest(answers: Sequence[Array], scales: Sequence[float]) -> bytes:
    """Return what is the same for answers that are equal to rounding, in units of these scales."""
    parts = []
    for answer, scale in zip(answers, scales, strict=True):
        parts.append(str(answer.shape).encode() + (np.round(answer / scale, 9) + 0.0).tobytes())
    return b"|".join(parts)
