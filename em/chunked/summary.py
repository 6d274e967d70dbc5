"""What a fit asks of data before it starts, as sums over chunks: counts, means, spreads, ends, holes, and a sample.

Means and spreads of two parts are joined as Chan, Golub & LeVeque do, about the mean of both, so that no digit is lost
far from the origin:

    M = M_a + M_b + n_a n_b / (n_a + n_b) (mean_a - mean_b)²

The sample is the m distinct rows of smallest hash, with the sums of their weights over all chunks. Which they are
depends on the rows alone, not on their order or on the chunks; of data with few distinct rows it is the data.

References
----------
Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance, The American Statistician 37, 242-247.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from em.samples import Samples
from em.samples.distinct import distinct_rows, hashes
from models.validation import Array


@dataclass(frozen=True)
class Sketch:
    """The distinct rows (m, D) of smallest hash, how often each occurs (m,), and at most how many there may be."""

    rows: Array
    weights: Array
    most: int

    def __add__(self, other: "Sketch") -> "Sketch":
        both = np.concatenate([self.rows, other.rows])
        return _sketched(both, np.concatenate([self.weights, other.weights]), self.most)


@dataclass(frozen=True)
class Summary:
    """Sums over the rows of chunks that take part.

    Attributes
    ----------
    n_rows, total : float
        How many rows there are, those too that take no part; how many samples those that do stand for.
    n_observed, mean, moment : ndarray, shape (D,)
        Weight of the observed cells of each column, their mean, and the sum of squares about it.
    co_moment : ndarray, shape (D, D)
        Sums of products about the mean, of rows that are complete.
    highest, lowest : ndarray, shape (D,)
        Ends of each column.
    complete : bool
        Whether no cell is missing.
    patterns : ndarray of bool, shape (P, D)
        Which features rows show together.
    sketch : Sketch
        A sample of the rows.
    """

    n_rows: int
    total: float
    n_observed: Array
    mean: Array
    moment: Array
    co_moment: Array
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
        of_gap = np.sqrt(n * m / both) * gap
        return type(self)(
            self.n_rows + other.n_rows,
            self.total + other.total,
            n + m,
            mean,
            self.moment + other.moment + of_gap**2,
            self.co_moment + other.co_moment + np.outer(of_gap, of_gap),
            np.fmax(self.highest, other.highest),
            np.fmin(self.lowest, other.lowest),
            self.complete and other.complete,
            np.unique(np.concatenate([self.patterns, other.patterns]), axis=0),
            self.sketch + other.sketch,
        )

    def in_units(self, units: Any) -> Self:
        """Return the summary of the same rows in other units: the sketch has the same rows."""
        sketch = replace(self.sketch, rows=units.rows(self.sketch.rows))
        moment, co_moment = self.moment / units.scale**2, self.co_moment / np.outer(units.scale, units.scale)
        mean, highest, lowest = map(units.rows, (self.mean, self.highest, self.lowest))
        moved = {"mean": mean, "moment": moment, "co_moment": co_moment, "highest": highest, "lowest": lowest}
        return replace(self, **moved, sketch=sketch)


def summary_of(part: Samples, most: int) -> Summary:
    """Return the summary of one chunk, with a sketch of at most so many rows; rows may be none."""
    D = part.X.shape[1]
    none = Sketch(np.empty((0, D)), np.empty(0), most)
    if not len(part.X):
        zero, nowhere = np.zeros(D), np.full(D, np.nan)
        patterns = np.empty((0, D), dtype=bool)
        return Summary(part.n_rows, 0.0, zero, zero, zero, np.zeros((D, D)), nowhere, nowhere, True, patterns, none)
    weights = np.ones(len(part.X)) if part.weights is None else part.weights
    seen = ~np.isnan(part.X)
    counts = weights @ seen
    with np.errstate(invalid="ignore", over="ignore"):  # of columns that no row of this chunk shows
        mean = np.where(counts > 0, part.mean, 0.0)
        gaps = np.where(seen, part.X - mean, 0.0)
        moment = weights @ gaps**2
        co_moment = (gaps * weights[:, None]).T @ gaps if part.complete else np.diag(moment)
    patterns = np.ones((1, D), dtype=bool) if part.complete else np.unique(seen, axis=0)
    sketch = _sketched(part.X, weights, most)
    ends = np.fmax.reduce(part.X), np.fmin.reduce(part.X)
    return Summary(part.n_rows, part.total, counts, mean, moment, co_moment, *ends, bool(seen.all()), patterns, sketch)


def _sketched(X: Array, weights: Array, most: int) -> Sketch:
    """Return the sketch of rows that occur so often."""
    if len(X) > most:  # equal rows have equal hashes: none of those that are left out belongs to one that is kept
        h = hashes(X)
        distinct = np.unique(h)
        kept = h <= distinct[min(most, len(distinct)) - 1]
        X, weights = X[kept], weights[kept]
    chosen, counts = distinct_rows(X, weights, hashed=True) if len(X) else (np.empty(0, dtype=int), weights)
    return Sketch(X[chosen][:most], counts[:most], most)
