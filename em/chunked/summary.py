"""Summaries of the data that a fit needs before it starts, as sums over chunks: counts, moments, extremes, a sketch.

Means and sums of squares M of two parts are joined as by Chan, Golub & LeVeque, about the mean of both, so that no
digit is lost if the data are far from the origin:

    M = M_a + M_b + n_a n_b / (n_a + n_b) (mean_a - mean_b)²

The sketch is that of :mod:`em.samples.sketch`. If rows hardly repeat, each chunk returns only the rows whose hashes are
below a bound. The bound is chosen so that all chunks together return about as many rows as the sketch may hold. If they
return fewer, a second pass without the bound follows.

References
----------
Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance, The American Statistician 37, 242-247.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from em.samples import Samples
from em.samples.distinct import CELLS_AT_A_TIME, hashes
from em.samples.sketch import LAST, Sketch, distinct_hashes, sketched
from models.validation import Array

MOST_PATTERNS = 4096
LOOKED_AT = 4096  # rows of smallest hash that tell whether rows repeat


@dataclass(frozen=True)
class Summary:
    """Sums over the rows of chunks that take part.

    Attributes
    ----------
    n_rows, n_left_out : int
        How many rows take part in the fit; how many do not, because their weight is 0 or all their cells are missing.
    total : float
        Sum of the weights.
    n_observed, mean, moment : ndarray, shape (D,)
        Weight of the observed cells of each column, their mean, and the sum of squares about it.
    highest, lowest : ndarray, shape (D,)
        Largest and smallest value of each column.
    complete : bool
        Whether no cell is missing.
    patterns : ndarray of bool, shape (P, D)
        Distinct patterns of observed features; of more than 4096 patterns the last in lexical order.
    sketch : Sketch
        The sketch of the rows.
    """

    n_rows: int
    n_left_out: int
    total: float
    n_observed: Array
    mean: Array
    moment: Array
    highest: Array
    lowest: Array
    complete: bool
    patterns: np.ndarray
    sketch: Sketch

    def __add__(self, other: Self) -> Self:
        n, m = self.n_observed, other.n_observed
        both = np.where(n + m > 0, n + m, 1.0)
        gap = np.where((n > 0) & (m > 0), other.mean - self.mean, 0.0)
        mean = np.where(n > 0, self.mean, other.mean) + gap * m / both
        return type(self)(
            self.n_rows + other.n_rows,
            self.n_left_out + other.n_left_out,
            self.total + other.total,
            n + m,
            mean,
            self.moment + other.moment + n * m / both * gap**2,
            np.fmax(self.highest, other.highest),
            np.fmin(self.lowest, other.lowest),
            self.complete and other.complete,
            _patterns(np.concatenate([self.patterns, other.patterns])),
            self.sketch + other.sketch,
        )

    def in_units(self, units: Any) -> Self:
        """Return the summary in other units; the sketch stays in the units of X."""
        mean, highest, lowest = map(units.rows, (self.mean, self.highest, self.lowest))
        moment = self.moment / units.scale**2
        return replace(self, mean=mean, moment=moment, highest=highest, lowest=lowest)


def summary_of(part: Samples, most: int, bound: int = LAST) -> Summary:
    """Return the summary of the samples of one chunk, which may be none.

    Parameters
    ----------
    part : Samples
        The samples.
    most : int
        How many rows the sketch may hold.
    bound : int
        The largest hash in the sketch, if rows hardly repeat.
    """
    n, D = part.X.shape
    n_left_out = part.n_rows - n
    if not n:
        zero, nowhere, nothing = np.zeros(D), np.full(D, np.nan), np.empty((0, D))
        sketch, patterns = Sketch(nothing, np.empty(0), most), nothing.astype(bool)
        return Summary(0, n_left_out, 0.0, zero, zero, zero, nowhere, nowhere, True, patterns, sketch)
    counts, mean, moment = _moments(part)
    patterns = np.ones((1, D), dtype=bool) if part.complete else _patterns(~np.isnan(part.X))
    h = hashes(part.X)
    sketch = sketched(part.X, part.frequencies, h, most, bound if bound < LAST and _hardly_repeat(h) else LAST)
    return Summary(n, n_left_out, part.total, counts, mean, moment, *part._ends, part.complete, patterns, sketch)


@np.errstate(invalid="ignore", over="ignore")  # columns may have no observed cell in this chunk
def _moments(part: Samples) -> tuple[Array, Array, Array]:
    """Return the weight of the observed cells of each column, their mean, and the sum of squares about it, (D,) each.

    With c the mean up to rounding, M = Σ w (x - c)² - (Σ w (x - c))² / Σ w.
    """
    D = part.X.shape[1]

    def sums(function: Callable[[Array], Array]) -> Array:
        some_rows = part.parts(max(CELLS_AT_A_TIME // D, 1))
        return sum((some.frequencies @ function(some.X) for some in some_rows), np.zeros(D))

    def filled(x: Array) -> Array:
        return x if part.complete else np.where(np.isnan(x), 0.0, x)

    counts = np.full(D, part.total) if part.complete else sums(lambda x: ~np.isnan(x))
    first = np.where(counts > 0, sums(filled) / counts, 0.0)
    gap = np.where(counts > 0, sums(lambda x: filled(x - first)) / counts, 0.0)
    return counts, first + gap, sums(lambda x: filled(x - first) ** 2) - counts * gap**2


def _patterns(seen: np.ndarray) -> np.ndarray:
    return np.unique(seen, axis=0)[-MOST_PATTERNS:]


def _hardly_repeat(h: np.ndarray) -> bool:
    """Whether at least nine in ten of the rows of smallest hash are distinct."""
    first = h if len(h) <= LOOKED_AT else np.partition(h, LOOKED_AT)[:LOOKED_AT]
    return len(distinct_hashes(first)) >= 0.9 * len(first)
