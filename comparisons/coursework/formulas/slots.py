"""Formulas with slots: each slot has the textbook's term, and the wrong terms that students write in its place.

A `Formula` computes a quantity from the values of its slots. Known mistakes are the wrong values of one slot, as
:mod:`comparisons.coursework.formulas.catalogue` reads them.
`explanations` finds which choice of values gives a function's numbers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, takewhile
from typing import Any

import numpy as np

from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.problem import Problem
from models.validation import Array

MOST_HOLES = 0.5  # of an array's entries that say nothing of a mistake
RTOL, GUARD, SINGLE = 1e-8, 2e-6, 2e-4  # rounding; a small constant that guards a division; rounding of float32


@dataclass(frozen=True)
class Mistake:
    """A known mistake.

    Attributes
    ----------
    name : str
        Its name, in the words of the tutorial.
    hint : str
        A question that leads to it.
    why : str
        What was computed, and what should have been.
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
    """A mistake by its name in a slot; ``swaps`` says that it is the formula's slot of changed inputs."""

    mistake: Mistake
    slot: str
    name: str
    swaps: bool


@dataclass(frozen=True, eq=False)
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

    def value(self, problem: Problem, choice: Mapping[str, str] | None = None) -> Array:
        """Return the quantity with the wrong value of this name in each slot named, and the right one elsewhere."""
        chosen = choice or {}
        values = {
            slot.name: self._memoised(problem, slot, chosen.get(slot.name, "")) for slot in (*self.pseudo, *self.slots)
        }
        return np.asarray(self.combine(problem, values), dtype=np.float64)

    def _memoised(self, problem: Problem, slot: Slot, name: str) -> Any:
        key = self, slot.name, name
        if key not in problem.memo:
            problem.memo[key] = slot.value(problem, name)
        return problem.memo[key]

    def swapped(self, problem: Problem, name: str) -> Problem:
        """Return the problem with the inputs that a mistake of `swaps` computes with."""
        if not name or self.swaps is None:
            return problem
        swapped: Problem = self._memoised(problem, self.swaps, name)
        return swapped

    def singles(self) -> Iterator[Change]:
        """Yield every mistake by itself."""
        for slot in (*self.pseudo, *self.slots, *([] if self.swaps is None else [self.swaps])):
            for name in slot.wrong:
                yield Change(slot.mistake(name), slot.name, name, slot is self.swaps)

    def value_with(self, problem: Problem, changes: Sequence[Change]) -> Array:
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
    formula: Formula, problems: Sequence[Problem], outputs: Sequence[Array], deadline: float, rtol: float = RTOL
) -> list[tuple[Mistake, ...]]:
    """Return the mistakes that give a function's outputs on all problems, of the first kind of which some do.

    Single ones are tried first, then pairs in prior terms, then each beside one or two that follow from it. Each is in
    a slot of its own. What follows is tried until ``deadline``, a time of `used_seconds`.
    """
    singles = list(formula.singles())
    of_prior = [one for one in singles if one.slot in {slot.name for slot in formula.pseudo}]
    following = [one for one in singles if one.mistake.follows]
    beside = ((one, *others) for one in singles for size in (1, 2) for others in combinations(following, size))
    in_time = takewhile(lambda _: used_seconds() <= deadline, beside)
    for sets in (((one,) for one in singles), combinations(of_prior, 2), in_time):
        apart = (changes for changes in sets if len({change.slot for change in changes}) == len(changes))
        if matching := [changes for changes in apart if _gives(formula, changes, problems, outputs, rtol)]:
            return [tuple(change.mistake for change in changes) for changes in matching]
    return []


def _gives(
    formula: Formula, changes: Sequence[Change], problems: Sequence[Problem], outputs: Sequence[Array], rtol: float
) -> bool:
    """Whether mistakes give the outputs on all problems; mistakes that cannot be made on one give none."""
    try:
        return all(_agrees(formula.value_with(p, changes), out, rtol) for p, out in zip(problems, outputs, strict=True))
    except (ValueError, np.linalg.LinAlgError, IndexError, KeyError):
        return False


def _agrees(answer: Array, output: Array, rtol: float) -> bool:
    """Whether a mistake gives an output; where it divides 0 by 0, a guarded division may have given any number."""
    if close(answer, output, rtol):
        return True
    if answer.shape != output.shape:
        return False
    holes = np.isnan(answer) & np.isfinite(output)
    return 0 < float(holes.mean()) <= MOST_HOLES and close(np.where(holes, output, answer), output, rtol)
