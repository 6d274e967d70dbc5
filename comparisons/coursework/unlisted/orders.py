"""Sums, products and normalisations in another order: over features, components and samples.

The likelihood multiplies densities of cells over features, adds them over components, with their weights, and
multiplies over samples; responsibilities are normalised over components once the features are multiplied. All other
orders are made here, with averages in the place of sums and products too, and the weights at another point.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations, product
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import log_sum, softmax
from comparisons.coursework.formulas.slots import Mistake, close
from models.validation import Array

AXES = "samples", "components", "features"
VERBS: dict[str, Callable[[Array, int], Array]] = {
    "multiplied": lambda a, axis: a.sum(axis=axis, keepdims=True),
    "added": lambda a, axis: log_sum(a, axis, True),
    "averaged": lambda a, axis: log_sum(a, axis, True) - np.log(a.shape[axis]),
    "averaged as logs": lambda a, axis: a.mean(axis=axis, keepdims=True),
}
WEIGHTS = "", "without weights", "with the weights in each cell", "with the weights added to the densities"
RIGHT = (("multiplied", "features"), ("added", "components"), ("multiplied", "samples"))
Steps = tuple[tuple[str, str], ...]
HINTS = {
    "log_likelihood": "In which order are densities multiplied over features, added over components and multiplied "
    "over samples?",
    "responsibilities": "What is normalised: the density of a whole sample, or of each feature by itself?",
}


@np.errstate(all="ignore")
def by_order(book: Any, quantity: str, pairs: Sequence[tuple[Problem, Array]]) -> Mistake | None:
    """Return the mistake that another order of sums and products is, or None.

    Parameters
    ----------
    book : Textbook
        Whose ``cells`` are the log densities of single features.
    quantity : {"log_likelihood", "responsibilities"}
        What the answers are.
    pairs : sequence of (Problem, ndarray)
        Problems with a function's answers.
    """
    made = {"log_likelihood": _likelihoods, "responsibilities": _normalised}[quantity]
    several = [(p, yours) for p, yours in pairs if p.D > 1 and p.K > 1]
    if not several or "weights" not in book.quantities:
        return None
    options = [_of_cells(made, book.cells(p), np.log(p.theta["weights"])) for p, _ in several]
    for answers in zip(*options, strict=True):
        if all(close(value, yours) for (_, value), (_, yours) in zip(answers, several, strict=True)):
            named = answers[0][0]
            return Mistake(named, HINTS[quantity], f"Densities of single cells are {named}.")
    return None


def _of_cells(made: Callable[..., Iterator[Any]], cells: Array | None, weights: Array) -> Iterator[tuple[str, Array]]:
    return iter(()) if cells is None else made(cells, weights)


def _likelihoods(cells: Array, weights: Array) -> Iterator[tuple[str, Array]]:
    """Yield every order of the three reductions by name, with the logarithm at the end."""
    for axes in permutations(AXES[::-1]):
        for verbs, when in product(product(VERBS, repeat=3), WEIGHTS):
            steps = tuple(zip(verbs, axes, strict=True))
            if steps == RIGHT and not when:
                continue
            a = cells + weights[:, None] if when == WEIGHTS[2] else cells
            for verb, axis in steps:
                if axis == "components" and when == WEIGHTS[3]:
                    a = np.logaddexp(a, weights[:, None])
                if axis == "components" and not when:
                    logs = verb == "averaged as logs"  # by the weights
                    a = a * np.exp(weights)[:, None] * len(weights) if logs else a + weights[:, None]
                a = VERBS[verb](a, AXES.index(axis))
            yield _said(steps, when), np.asarray(a.ravel()[0])


def _normalised(cells: Array, weights: Array) -> Iterator[tuple[str, Array]]:
    """Yield responsibilities (n, K) that are normalised before the features are put together, and after or not."""
    for first, verb, again in product((*AXES, ""), VERBS, (True, False)):
        for when in WEIGHTS[:3]:
            a = cells + (weights[:, None] if when == WEIGHTS[2] else 0.0)
            if not when and again is False:
                a = a + weights[:, None] / cells.shape[2]
            a = np.log(softmax(a, AXES.index(first))) if first else a
            a = VERBS[verb](a, 2)[:, :, 0] + (weights if not when and again else 0.0)
            named = f"normalised over {first}, then {verb} over features" if first else f"{verb} over features"
            end = ", then normalised over components" if again else ""
            yield f"{named}{end}{when and ', ' + when}", softmax(a) if again else np.exp(a)


def _said(steps: Steps, when: str) -> str:
    """Return steps in words."""
    parts: list[list[str]] = []
    for verb, axis in steps:
        if parts and parts[-1][0] == verb:
            parts[-1].append(axis)
        else:
            parts.append([verb, axis])
    return ", then ".join(f"{verb} over {' and '.join(axes)}" for verb, *axes in parts) + (when and f", {when}")
