"""Find numbers that may mark missing cells, such as -999, 88 and 99, or the end of an instrument's scale."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import poisson

from comparisons.data.options import flag
from comparisons.data.table import Column
from comparisons.data.words import WORDS
from models.labels import some_of
from models.validation import Array

MOST_CODED = 5  # if no number is larger, -1 beside 0 is a code like the others and no mark
SPIKE, TIMES = 0.1, 5  # zeros are asked about in a tenth of the rows, if 5 times as frequent as any other number
NEAREST, WIDE, PART = 10, 3, 0.1  # a gap is wide at 3 times the gaps of the 10 next values, and a tenth of the range
LEAST_WITHIN, RARE = 100, 1e-3  # smallest mark among amounts, and the chance that an amount is as frequent as a mark
CODES = [sign * code for code in WORDS["code"] for sign in (1, -1)] + WORDS["negative_code"]


def marks_question(column: Column, features: Sequence[Column]) -> str:
    """Ask about numbers such as -999, or 88 and 99, that lie far from all others or alone below 0; "" if none do.

    It asks also about a largest or only negative number that is too frequent: the end of an instrument's scale.
    """
    values, inverse = np.unique(column.numbers, return_inverse=True)
    times = np.bincount(inverse[column.codes[column.observed]])
    is_code = np.isin(values, [*CODES, *(8.0, 9.0) * (column.is_whole and int((values >= 0).sum()) > 2)])
    digits = is_code * (np.log10(np.maximum(values, 1)) // 1)  # 77, 88 and 99 are used together
    wide = np.diff(values) > np.ptp(values) / 1.5  # a gap of more than twice the range of the other values
    is_lone = np.isin(values, values[[0, -1]]) & (np.append(wide, False) | np.append(False, wide)) & (times > 1)
    inner = np.flatnonzero(~(is_code | (is_lone & (len(values) > NEAREST))))
    codes, rest = values[:0], values[inner[0] : inner[-1] + 1] if len(inner) else values
    for outer in np.flatnonzero(values < rest[0]), np.flatnonzero(values > rest[-1]):
        alike = digits[[at for at in outer if _is_far(values[at], rest, is_code[at], repeated=True)]]
        again = [times[at] > 1 or (digits[at] > 0 and (alike == digits[at]).sum() > 1) for at in outer]
        far = np.array([_is_far(values[at], rest, is_code[at], again[i]) for i, at in enumerate(outer)], dtype=bool)
        codes, rest = np.append(codes, values[outer[far]]), np.union1d(rest, values[outer[~far]])
    often = is_code & (times > times[~is_code].max(initial=2)) & (values >= LEAST_WITHIN)
    is_end = (values == values[-1]) & (values > LEAST_WITHIN) & (times > 2)
    is_end |= (values < 0) & (np.sum(values < 0) == 1) & (times > 1)
    if not column.is_whole and values[0] == 0:  # beside amounts with decimals, not found or below what can be measured
        is_end[0] |= times[0] > max(SPIKE * times.sum(), TIMES * times[1:].max(initial=0))
    heaps = np.flatnonzero((often | is_end) & (len(values) > NEAREST) & ~np.isin(values, codes)).tolist()
    # A limit of detection with a minus is larger than no other number.
    heaps = [at for at in heaps if -values[1] <= values[at] < 0 or _is_heap(values, times, at)]
    if not len(codes := np.union1d(codes, values[heaps])) or "a dash of accounts" in column.notes:
        return ""
    marks = [f"{code + 0.0:.15g}" for code in codes]
    what = "is it a mark" if len(marks) == 1 else "are these marks"
    too = [one.name for one in features if np.isin(codes, one.numbers).any()]
    other = f"; if not so in each of {some_of(too)}, empty these cells in the file" * (len(too) > 1)
    what += " of missing cells" + ", or the end of a scale" * bool((~is_code | (values == 0))[heaps].any())
    return f"holds {' and '.join(marks)}: {what}? Then {flag('missing', marks)}{other}"


def _is_heap(values: Array, times: np.ndarray, at: int) -> bool:
    """Whether a number is more frequent than chance allows: a Poisson count, with the rate of the numbers around it."""
    near = slice(max(at - NEAREST, 0), at + NEAREST + 1)
    rate = (times[near].sum() - times[at]) * np.diff(values).min() / np.ptp(values[near])
    return bool(poisson.sf(times[at] - 1, rate) < RARE)


def _is_far(value: float, rest: Array, known: bool, repeated: bool) -> bool:
    """Whether a number marks missing cells: it is far from the rest.

    A known code does so too if it, or it and others, is repeated beyond a wide gap, or if it alone is below 0.
    """
    is_below = value < rest[0]
    if len(rest) < 2 or is_below != (value <= 0):
        return False
    gap, nearest = (rest[0] - value, rest[:NEAREST]) if is_below else (value - rest[-1], rest[-NEAREST:])
    is_wide = len(rest) > 2 and gap >= max(WIDE * np.diff(nearest).max(), PART * np.ptp(rest))
    is_alone = value < 0 <= rest[0] and (rest[0] > 0 or rest[-1] > MOST_CODED)
    return bool(gap > 2 * np.ptp(rest) or (known and (is_alone or (repeated and is_wide))))
