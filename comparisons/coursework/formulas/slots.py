"""Formulas with slots: the textbook's term in each slot, and beside it the terms that students put there.

A `Formula` computes a quantity from the values of its slots. Known mistakes are the wrong values of one slot; mistakes
that come in pairs need no entry of their own. `explanations` finds which choice of values gives a function's numbers.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, product
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

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


@cache
def texts_beside(file: str) -> dict[str, dict[str, list[str]]]:
    """Return hint and explanation of each mistake, by slot and name, from the TOML file beside a module."""
    with Path(file).with_suffix(".toml").open("rb") as stream:
        return tomllib.load(stream)


@dataclass(frozen=True)
class Slot:
    """A place in a formula: its right value, and the wrong ones by name.

    A value is a function of the problem; with ``apply=False`` the function itself is what `Formula.combine` is given.
    ``texts`` are hints and explanations by the slot's name; names in ``follows`` are no mistakes of their own.
    """

    name: str
    right: Callable[..., Any]
    wrong: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    texts: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)
    apply: bool = True
    follows: tuple[str, ...] = ()

    def mistake(self, name: str) -> Mistake:
        """Return the mistake of this name."""
        hint, why = self.texts[self.name][name]
        return Mistake(name, hint, why, name in self.follows)

    def value(self, problem: Problem, name: str) -> Any:
        """Return the wrong value of this name on a problem, or the right one for ""."""
        function = self.wrong[name] if name else self.right
        return function(problem) if self.apply else function


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
    """

    quantity: str
    text: str
    slots: tuple[Slot, ...]
    combine: Callable[[Problem, Mapping[str, Any]], Array]
    swaps: Slot | None = None
    key: object = field(default_factory=object, compare=False)

    def value(self, problem: Problem, choice: Mapping[str, str] | None = None) -> Array:
        """Return the quantity with the wrong value of this name in each slot named, and the right one elsewhere."""
        chosen = choice or {}
        values = {slot.name: self._held(problem, slot, chosen.get(slot.name, "")) for slot in self.slots}
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

    def choices(self, n_changes: int) -> Iterator[tuple[tuple[Mistake, ...], str, dict[str, str]]]:
        """Yield mistakes, the name of the swap ("" is none) and wrong values by slot, of so many changes."""
        for slots in combinations(self.slots, n_changes):
            for names in product(*(slot.wrong for slot in slots)):
                choice = {slot.name: name for slot, name in zip(slots, names, strict=True)}
                yield tuple(slot.mistake(choice[slot.name]) for slot in slots), "", choice
        if n_changes and self.swaps is not None:
            for swap in self.swaps.wrong:
                for others, inner, choice in self.choices(n_changes - 1):
                    if not inner:
                        yield (self.swaps.mistake(swap), *others), swap, choice


def close(a: Array, b: Array, rtol: float = RTOL) -> bool:
    """Whether two arrays agree to rounding, in units of the largest entry of each row of the first axis."""
    if a.shape != b.shape:
        return False
    scale = np.abs(np.where(np.isfinite(b), b, 0.0)).max(initial=0.0)
    return bool(np.allclose(a, b, rtol=rtol, atol=rtol * scale, equal_nan=True))


def explanations(
    formula: Formula, problems: Sequence[Problem], outputs: Sequence[Array], deadline: float, rtol: float = RTOL
) -> list[tuple[Mistake, ...]]:
    """Return the mistakes, or combinations of up to three, that give a function's outputs on all of some problems.

    Only those of the fewest changes are returned. The search ends at ``deadline``, a time of `perf_counter`.
    """
    for n_changes in (1, 2, 3):
        found = []
        for mistakes, swap, choice in formula.choices(n_changes):
            if perf_counter() > deadline:
                return found
            if _gives(formula, swap, choice, problems, outputs, rtol):
                found.append(mistakes)
                if len(found) > 5:
                    break
        if found:
            return found
    return []


def _gives(
    formula: Formula,
    swap: str,
    choice: Mapping[str, str],
    problems: Sequence[Problem],
    outputs: Sequence[Array],
    rtol: float,
) -> bool:
    """Whether a choice of mistakes gives all outputs; one that fails on a problem does not."""
    with np.errstate(all="ignore"):
        for problem, output in zip(problems, outputs, strict=True):
            try:
                if not close(formula.value(formula.swapped(problem, swap), choice), output, rtol):
                    return False
            except (ValueError, np.linalg.LinAlgError, FloatingPointError, IndexError):
                return False
    return True
