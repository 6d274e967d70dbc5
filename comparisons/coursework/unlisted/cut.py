"""The right answer without some of its digits or of its range: rounded, truncated, or kept above or below a number.

The number is read off the answers.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

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
    said = _digits(yours, right) or _range(yours, right)
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
    if not (np.isfinite(low) and np.isfinite(high) and close(np.clip(right, low, high), yours)):
        return ""
    cut = {f"at least {low:.6g}": (low, right < low), f"at most {high:.6g}": (high, right > high)}
    said = {name: where & ~np.isclose(right, at, rtol=GRID) for name, (at, where) in cut.items()}
    said = {name: where for name, where in said.items() if where.any()}
    known = all(where.sum() >= LEAST_CUT or _is_round(cut[name][0]) for name, where in said.items())
    return f"kept {' and '.join(said)}" if said and known else ""


def _is_round(number: float) -> bool:
    """Whether a number has three digits or less behind the point."""
    return abs(1000 * number - round(1000 * number)) < GRID
