"""The right answer without some of its digits or its range: rounded, truncated, kept within numbers, 0 below one.

The number is read off the answers. Responsibilities may be cut before they are normalised: each row is brought to the
scale of the right one by its largest entry, and then shows the number.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import softmax
from comparisons.coursework.formulas.slots import Mistake, close
from comparisons.coursework.unlisted.sums import Pair
from models.validation import Array

GRID = 1e-7  # how near to a whole number a rounded one is, in units of its last digit
MOST_DECIMALS = 4
LEAST_CUT = 2  # answers that were cut to the same number of many digits: one agrees by chance
HINT = "Compare your smallest and largest numbers, and all their digits, with the right ones. What was cut?"


@np.errstate(all="ignore")
def by_cut(book: Any, quantity: str, pairs: Sequence[Pair]) -> Mistake | None:
    """Return the mistake that rounding, truncating or clipping is, of problems with answers and the right ones."""
    if not pairs or any(yours.size > 1 and np.ptp(yours) == 0 for _, yours, _ in pairs):
        return None
    yours, right = _joined(yours for _, yours, _ in pairs), _joined(right for *_, right in pairs)
    said = _digits(yours, right) or _range(yours, right) or _zeroed(pairs)
    if quantity == "responsibilities":
        joint: Callable[[Problem], Array] = lambda p: book.log_density_of(p) + np.log(p.theta["weights"])  # noqa: E731
        said = said or _floor(pairs, lambda p: softmax(joint(p)), ", then normalised")
        said = said or _floor(pairs, lambda p: np.exp(joint(p)), " as joint densities")
    return Mistake(said, HINT, f"The {quantity} are right but for this: {said}.") if said else None


def _joined(arrays: Iterable[Array]) -> Array:
    return np.concatenate([np.ravel(a) for a in arrays])


def _digits(yours: Array, right: Array) -> str:
    """Return to how many decimals the right numbers were rounded or truncated."""
    for decimals in range(MOST_DECIMALS + 1):
        a, b = yours * 10.0**decimals, right * 10.0**decimals
        whole = "whole numbers" if decimals == 0 else f"{decimals} decimal{'s' * (decimals > 1)}"
        if np.abs(a - np.round(a)).max() > GRID or not np.ptp(a):
            continue
        if np.abs(a - b).max() <= 0.5 + GRID:
            return f"rounded to {whole}"
        if close(np.trunc(b), np.round(a)):
            return f"truncated to {whole}"
    return ""


def _range(yours: Array, right: Array) -> str:
    """Return between which numbers the right ones were kept."""
    low, high = float(yours.min()), float(yours.max())
    if not close(np.clip(right, low, high), yours):
        return ""
    cut = {f"at least {low:.6g}": (low, right < low), f"at most {high:.6g}": (high, right > high)}
    said = {name: where & ~np.isclose(right, at, rtol=GRID) for name, (at, where) in cut.items()}
    said = {name: where for name, where in said.items() if where.any()}
    known = all(where.sum() >= LEAST_CUT or _is_round(cut[name][0]) for name, where in said.items())
    return f"kept {' and '.join(said)}" if said and known else ""


def _floor(pairs: Sequence[Pair], table: Callable[[Problem], Array], words: str) -> str:
    """Return above which number the entries of tables (n, K) were kept before their rows were normalised."""
    rights = [table(problem) for problem, *_ in pairs]
    scaled = []
    for (_, yours, _), right in zip(pairs, rights, strict=True):
        largest = right.argmax(axis=1)[:, None]
        scaled.append(yours * np.take_along_axis(right / yours, largest, axis=1))
    raised = _joined(own[own > right * (1 + 1e-6)] for own, right in zip(scaled, rights, strict=True))
    if raised.size < LEAST_CUT:
        return ""
    kept = [np.maximum(right, raised.max()) for right in rights]
    fits = all(close(a / a.sum(axis=1, keepdims=True), yours) for a, (_, yours, _) in zip(kept, pairs, strict=True))
    return f"kept at least {raised.max():.6g}{words}" if fits else ""


def _zeroed(pairs: Sequence[Pair]) -> str:
    """Return below which number the right ones were set to 0, and whether the rest was normalised again."""
    yours, right = _joined(yours for _, yours, _ in pairs), _joined(right for *_, right in pairs)
    gone = (yours == 0) & (right > 0)
    below, above = right[gone].max(initial=0.0), right[yours != 0].min(initial=np.inf)
    if gone.sum() < LEAST_CUT or not below < above:
        return ""
    decimals = next(d for d in range(20) if np.ceil(below * 10.0**d) / 10.0**d <= above)
    kept = [np.where(yours == 0, 0.0, right) for _, yours, right in pairs]
    again = {"": kept, ", then normalised": [a / a.sum(axis=-1, keepdims=True) for a in kept if a.ndim]}
    for words, arrays in again.items():
        if len(arrays) == len(pairs) and all(close(a, yours) for a, (_, yours, _) in zip(arrays, pairs, strict=True)):
            return f"set to 0 below {np.ceil(below * 10.0**decimals) / 10.0**decimals:g}{words}"
    return ""


def _is_round(number: float) -> bool:
    """Whether a number has three digits or less behind the point."""
    return abs(1000 * number - round(1000 * number)) < GRID
