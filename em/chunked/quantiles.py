"""Compute the exact quantile of a number of each row, for rows in chunks.

Floats have the same order as their bits, read as 64-bit integers (for negative numbers with all bits reversed). So the
quantile is found 16 bits at a time. Each pass counts, among the rows whose leading bits agree with those found so far,
how often each of the 2^16 values of the next bits occurs. Four passes give the number exactly, for any chunks.
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
    """Return the value of rank ⌈(W - 1) quantile⌉, from 0, among the sorted rows, each repeated by its weight.

    Parameters
    ----------
    values : callable
        Takes the rows and weights of a chunk; returns the number of each row, and the row's weight.
    X, sample_weight
        The rows, in chunks, and their weights.
    quantile : float
        Share of the total weight W that lies below.

    Raises
    ------
    ValueError
        If no row has a positive weight.

    Examples
    --------
    >>> import dask.array as da
    >>> import numpy as np
    >>> from em.chunked.quantiles import quantile_of_chunks
    >>> X = da.from_array(np.arange(101.0)[::-1, None] - 50, chunks=(7, -1))
    >>> quantile_of_chunks(lambda rows, weights: (rows[:, 0], np.ones(len(rows))), X, None, 0.04)
    -46.0
    """
    rank, below, prefix = 0.0, 0.0, 0
    for shift in range(64 - BITS, -1, -BITS):
        counts = sums_over(partial(_counts, values, prefix, shift), X, sample_weight)
        if shift == 64 - BITS:
            rank = float(np.ceil((counts.sum() - 1) * quantile))
        if not counts.any():
            raise ValueError("X must have a row with an observed cell and a positive weight, got none")
        totals = below + np.cumsum(counts)
        bits = int(np.searchsorted(totals, rank, side="right"))
        bits = min(bits, int(np.flatnonzero(counts)[-1]))  # rounding of the totals may lead past the last count
        below = float(totals[bits] - counts[bits])
        prefix = (prefix << BITS) | bits
    return _float_of(prefix)


def _counts(
    values: Callable[[Any, Any], tuple[Array, Array]], prefix: int, shift: int, rows: Any, weights: Any
) -> Array:
    """Return how often each value of the next 16 bits occurs among the numbers that begin with ``prefix``."""
    numbers, counted = values(rows, weights)
    keys = _keys(numbers)
    matching = keys >> np.uint64(shift) >> np.uint64(BITS) == np.uint64(prefix)
    bits = (keys[matching] >> np.uint64(shift)) & np.uint64(2**BITS - 1)
    return np.bincount(bits.astype(np.intp), counted[matching], minlength=2**BITS)


def _keys(numbers: Array) -> np.ndarray:
    """Return 64-bit integers that sort as the floats do."""
    bits = (numbers + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    return np.where(bits & SIGN, ~bits, bits | SIGN)


def _float_of(key: int) -> float:
    bits = np.uint64(key)
    return float((bits ^ SIGN if bits & SIGN else ~bits).view(np.float64))
