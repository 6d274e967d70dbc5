"""The exact quantile of a number of each row, where the rows are in chunks.

Floats have the order of their bits, read as whole numbers of 64 digits (of negative ones all bits reversed). So the
quantile is found 16 bits at a time: a pass adds how often each of the 2^16 next bits occurs among the rows that agree
with those found before. Four passes give the number itself, whatever the chunks.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from em.chunked.predictions import sums_over
from models.validation import Array

BITS, SIGN = 16, np.uint64(2**63)


def quantile_of_chunks(
    values: Callable[[Any, Any], tuple[Array, Array]], X: Any, sample_weight: Any, quantile: float
) -> float:
    """Return the value at place ⌈(W - 1) quantile⌉ of the sorted rows, counted from 0 and repeated by their weights.

    Parameters
    ----------
    values : callable
        Takes rows and weights of a chunk; returns a number of each row, and how often it counts.
    X, sample_weight
        Dask's rows, and their weights.
    quantile : float
        Share of the W samples that lie below.

    Raises
    ------
    ValueError
        If no row counts.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from em.chunked.quantiles import quantile_of_chunks
    >>> X = da.from_array(np.arange(101.0)[::-1, None] - 50, chunks=(7, -1))
    >>> quantile_of_chunks(lambda rows, weights: (rows[:, 0], np.ones(len(rows))), X, None, 0.04)
    -46.0
    """
    place, below, found = 0.0, 0.0, 0
    for shift in range(64 - BITS, -1, -BITS):
        counts = sums_over(partial(_counts, values, found, shift), X, sample_weight)
        if shift == 64 - BITS:
            place = float(np.ceil((counts.sum() - 1) * quantile))
        if not counts.any():
            raise ValueError("X must have a row with an observed cell and a positive weight, got none")
        totals = below + np.cumsum(counts)
        bits = min(int(np.searchsorted(totals, place, side="right")), int(np.flatnonzero(counts)[-1]))  # by rounding
        below = float(totals[bits] - counts[bits])
        found = (found << BITS) | bits
    return _float_of(found)


def _counts(
    values: Callable[[Any, Any], tuple[Array, Array]], found: int, shift: int, rows: Any, weights: Any
) -> Array:
    """Return how often each of the next bits occurs, among the numbers that begin with those found."""
    numbers, counted = values(rows, weights)
    keys = _keys(numbers)
    alike = keys >> np.uint64(shift) >> np.uint64(BITS) == np.uint64(found)
    bits = (keys[alike] >> np.uint64(shift)) & np.uint64(2**BITS - 1)
    return np.bincount(bits.astype(np.intp), counted[alike], minlength=2**BITS)


def _keys(numbers: Array) -> np.ndarray:
    """Return whole numbers of 64 bits in the order of floats."""
    bits = (numbers + 0.0).view(np.uint64)  # one zero
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def _float_of(key: int) -> float:
    bits = np.uint64(key)
    return float((bits ^ SIGN if bits & SIGN else ~bits).view(np.float64))
