"""Samples: rows and how often each occurs, as every estimator takes them.

:mod:`em.samples.reading` checks X and weights, and :mod:`em.samples.distinct` merges equal rows. There are two kinds of
random sample. In a sketch (:mod:`em.samples.sketch`) each distinct row is equally likely; starts are computed from it,
because it is the same in memory and in chunks. In a concise sample (:mod:`em.samples.concise`) each sample is equally
likely; it needs no second look at the rows, so streams keep one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from scipy.sparse import csr_array, hstack, issparse

from em.engine.blocks import blocks
from em.samples.distinct import CELLS_AT_A_TIME, distinct_rows, hashes, order_of_values
from em.samples.missed import Extremes, frequent_rows
from em.samples.sketch import MOST_CELLS_SKETCHED, Sketch, bound_of, most_sketched, sketched
from models.validation import Array

PART_ROWS = 65_536  # at least, of a part in which distinct rows are looked for


@dataclass(frozen=True)
class Samples:
    """Rows, and how often each occurs.

    Attributes
    ----------
    X : ndarray, shape (n, D)
        Samples; NaN where a cell is missing. A ``csr_array`` if the user's X was sparse; then no cell is missing.
    weights : ndarray, shape (n,), or None
        Frequencies of the rows, all positive; ``None`` if each occurs once.
    kept : ndarray of bool, shape (n_rows,), or of int, shape (n,)
        Which rows of the user's matrix these are, as a mask or as row numbers. Rows of weight 0 and rows that are all
        missing are left out. Distinct rows and random parts have row numbers.
    n_rows : int
        Number of rows of the user's matrix.
    names : sequence of str, or None
        Names of the columns, if they are known.
    lasting : bool, default True
        Whether more than one pass will be made over these rows while they are in memory. False for those of a chunk.
    make_start_rows : callable or None
        Returns ``start_rows``. Given for rescaled rows: their bits depend on rounding, so their hashes choose nothing.
    """

    X: Array
    weights: Array | None
    kept: np.ndarray
    n_rows: int
    names: Sequence[str] | None = None
    lasting: bool = True
    make_start_rows: "Callable[[], Samples] | None" = None

    in_memory, n_parts = True, 1

    @cached_property
    def total(self) -> float:
        """The number of samples: the sum of the weights."""
        return float(self.X.shape[0]) if self.weights is None else float(self.weights.sum())

    @property
    def frequencies(self) -> Array:
        """How often each row occurs, shape (n,)."""
        return np.ones(self.X.shape[0]) if self.weights is None else self.weights

    def part(self, rows: slice | np.ndarray) -> "Samples":
        """Return some of the rows."""
        weights = None if self.weights is None else self.weights[rows]
        return replace(self, X=self.X[rows], weights=weights, make_start_rows=None)

    def parts(self, size: int | None = None) -> "Iterator[Samples]":
        """Yield parts of ``size`` rows one after the other, so that temporary arrays stay small."""
        return map(self.part, blocks(len(self.X), size))

    @cached_property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return not any(np.isnan(part.X).any() for part in self.parts())

    @cached_property
    def n_observed(self) -> Array:
        """Weight of the observed cells of each column, shape (D,)."""
        return self._sums(np.zeros_like)[1]

    @cached_property
    def constant(self) -> np.ndarray:
        """Which columns have a single value, as booleans (D,)."""
        highest, lowest = self._ends
        return np.asarray(highest == lowest)

    @cached_property
    def _ends(self) -> tuple[Array, Array]:
        parts = self.parts(max(CELLS_AT_A_TIME // self.X.shape[1], 1))
        columns = (np.ascontiguousarray(part.X.T) for part in parts)  # reduced 5 times as fast as rows
        ends = [(np.fmax.reduce(cells, axis=1), np.fmin.reduce(cells, axis=1)) for cells in columns]
        highest, lowest = zip(*ends, strict=True)
        return np.fmax.reduce(highest), np.fmin.reduce(lowest)

    @cached_property
    def mean(self) -> Array:
        """Mean of the observed cells of each column, shape (D,); for a constant column exactly its value."""
        with np.errstate(over="ignore", invalid="ignore"):  # sums that overflow are refused later
            return np.where(self.constant, self._ends[0], np.divide(*self._sums(lambda x: x)))

    @cached_property
    def deviation(self) -> Array:
        """Standard deviation of the observed cells of each column, shape (D,); not finite if it overflows."""
        highest, lowest = self._ends
        with np.errstate(over="ignore", invalid="ignore"):
            farthest = np.maximum(highest - self.mean, self.mean - lowest)
            unit = np.where(farthest > 0, farthest, 1.0)  # so that squares do not overflow
            return unit * np.sqrt(np.divide(*self._sums(lambda x: ((x - self.mean) / unit) ** 2)))

    @cached_property
    def covariance(self) -> Array:
        """Maximum-likelihood covariance (D, D) of all samples; diagonal if cells are missing."""
        if not self.complete:
            return np.diag(self.deviation**2)
        mean = self.mean
        total: Array = self.sum_of(lambda part: part.products_about(mean))
        return total / self.total

    def products_about(self, mean: Array) -> Array:
        """Return Σ_i w_i (x_i - mean) (x_i - mean)' of complete rows, shape (D, D)."""
        gaps = ((part.X - mean, part.weights) for part in self.parts())
        return sum((gap.T @ weighted(gap, weights) for gap, weights in gaps), np.zeros((len(mean), len(mean))))

    @cached_property
    def patterns(self) -> np.ndarray | None:
        """The distinct patterns of observed features, shape (P, D); None if no cell is missing."""
        return None if issparse(self.X) or self.complete else np.unique(~np.isnan(self.X), axis=0)

    @property
    def fits_sketch(self) -> bool:
        """Whether a sketch would hold all rows, so that starts are computed from all rows."""
        return issparse(self.X) or len(self.X) <= most_sketched(self.X.shape[1])

    @cached_property
    def sketch(self) -> Sketch:
        """The sketch of the rows: a sample in which each distinct row is equally likely."""
        n, D = self.X.shape
        rows = self.X, self.frequencies, hashes(self.X), most_sketched(D)
        quick = sketched(*rows, bound_of(most_sketched(D), n))  # has enough rows, unless rows repeat
        return quick if quick.full else sketched(*rows)

    @cached_property
    def start_rows(self) -> "Samples":
        """The rows from which starts are computed: all rows, or those of the sketch if there are many.

        A column may be constant or missing in the sketch, but not in the data. Rows with its largest and its smallest
        value are then added, because a start with a variance of 0 is useless.
        """
        if self.fits_sketch:
            return self
        if self.make_start_rows is not None:
            return self.make_start_rows()
        D, rows, weights = self.X.shape[1], self.sketch.rows, self.sketch.weights
        if not self.sketch.whole:
            rows, weights = self.sketch.balanced(self.total, partial(frequent_rows, self))
        highest, lowest = np.fmax.reduce(rows), np.fmin.reduce(rows)
        hidden = np.flatnonzero(~((highest > lowest) | (self.constant & ~np.isnan(highest))))
        if len(hidden := hidden[: MOST_CELLS_SKETCHED // (2 * D)]):
            ends = self.sum_of(lambda part: Extremes.of(part.X, hidden)).rows
            rows, weights = np.concatenate([rows, ends]), np.concatenate([weights, np.ones(len(ends))])
        return samples_of(rows, weights, self.names)

    def in_units(self, units: Any) -> "Samples":
        """Return the samples in other units."""
        return units.samples(self)

    def sum_of(self, function: "Callable[[Samples], Any]") -> Any:
        """Return function(samples); over chunks, the sum of the function of each chunk's samples."""
        return function(self)

    def e_step(self, estimator: Any) -> Callable[..., Any]:
        """Return an estimator's E-step on these samples."""
        return estimator._e_step_of(self)

    @cached_property
    def filled(self) -> Array:
        """The rows with each missing cell replaced by its column's mean."""
        return self.X if self.complete else np.where(np.isnan(self.X), self.mean, self.X)

    @cached_property
    def numbers(self) -> np.ndarray:
        """Row numbers in the user's matrix, shape (n,)."""
        return np.flatnonzero(self.kept) if self.kept.dtype == bool else self.kept

    def distinct(self, beside: Array | None = None, *, hashed: bool = False) -> "Samples":
        """Return the distinct rows with their total weights, sorted by values.

        Parameters
        ----------
        beside : ndarray, shape (n, B), or None
            Further columns by which rows differ, such as numbers of trials.
        hashed : bool, default False
            Whether to sort by hashes instead of features.
        """
        n, weights = self.X.shape[0], self.weights
        if issparse(self.X):
            keys = self.X if beside is None else csr_array(hstack([self.X, beside]))
            return self._these(*distinct_rows(keys, weights, hashed=hashed))
        chosen, frequencies, stop = np.empty(0, dtype=int), np.empty(0), 0
        while stop < n:  # in parts, so that memory is needed for distinct rows only
            start, stop = stop, min(stop + max(len(chosen), PART_ROWS), n)
            rows = np.concatenate([chosen, np.arange(start, stop)])
            added = np.ones(stop - start) if weights is None else weights[start:stop]
            keys = self.X[rows] if beside is None else np.hstack([self.X[rows], beside[rows]])
            some, frequencies = distinct_rows(keys, np.concatenate([frequencies, added]), hashed=hashed)
            chosen = rows[some]
        return self._these(chosen, frequencies)

    def _these(self, chosen: np.ndarray, weights: Array) -> "Samples":
        counts = None if (weights == 1).all() else weights
        return replace(self, X=self.X[chosen], weights=counts, kept=self.numbers[chosen], make_start_rows=None)

    def some(self, n_rows: int, rng: np.random.RandomState, *, hashed: bool = False) -> "Samples":
        """Return all rows if there are at most ``n_rows``, else about so many at random; each sample is equally likely.

        Rows without weights are drawn without replacement, rows with weights with replacement. If a column varies in
        the data but not in the part, rows with its largest and its smallest value are added, because a start with a
        variance or a prob of 0 is useless. Sparse rows are all kept. Draws depend on the order of the rows' values, or,
        with ``hashed``, on their hashes.
        """
        if issparse(self.X) or len(self.X) <= n_rows:
            return self
        order = np.argsort(hashes(self.X)) if hashed else self._order
        if self.weights is None:
            chosen = order[rng.permutation(len(order))[:n_rows]]
        else:
            chosen = order[rng.choice(len(order), n_rows, p=self.weights[order] / self.total)]
        part = self.X[chosen]
        if (hidden := ~(np.fmax.reduce(part) > np.fmin.reduce(part))).any():
            columns = self.X[:, hidden][order]
            ends = np.concatenate([np.nanargmax(columns, axis=0), np.nanargmin(columns, axis=0)])
            chosen = np.concatenate([chosen, order[ends]])
        return replace(self, X=self.X[chosen], weights=None, kept=self.numbers[chosen], make_start_rows=None).distinct()

    @cached_property
    def _order(self) -> np.ndarray:
        """The rows sorted by value, as row numbers (n,)."""
        return order_of_values(self.X, self.weights)

    def _sums(self, function: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Return Σ w function(x) over the observed cells of each column, and their weight Σ w, shape (D,) each."""
        total = weight = np.zeros(self.X.shape[1])
        for part in self.parts():
            observed = ~np.isnan(part.X)
            weights = weighted(observed, part.weights)
            total = total + (weights * np.where(observed, function(part.X), 0.0)).sum(axis=0)
            weight = weight + weights.sum(axis=0)
        return total, weight


def samples_of(rows: Array, weights: Array | None = None, names: Sequence[str] | None = None) -> Samples:
    """Return rows (m, D) and their weights (m,) as samples, numbered from 0."""
    counts = None if weights is None or (weights == 1).all() else weights
    return Samples(rows, counts, np.arange(len(rows)), len(rows), names)


def kept_samples(matrix: Array, weights: Array | None, names: Sequence[str] | None, missing: bool = True) -> Samples:
    """Return the samples of a fit, without rows of weight 0 and, with ``missing``, rows without an observed cell."""
    n_rows = matrix.shape[0]
    kept = np.ones(n_rows, dtype=bool) if weights is None else weights > 0
    for rows in blocks(n_rows if missing else 0):
        kept[rows] &= ~np.isnan(matrix[rows]).all(axis=1)
    if not kept.all():
        matrix, weights = matrix[kept], None if weights is None else weights[kept]
    return Samples(matrix, weights, kept, n_rows, names)


def weighted(responsibilities: Array, weights: Array | None) -> Array:
    """Return responsibilities (n, K) times the weights of their rows."""
    return responsibilities if weights is None else responsibilities * weights[:, None]


def mean_and_deviation(X: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return the weighted mean and standard deviation of each column of complete rows, shape (D,) each."""
    mean = np.average(X, axis=0, weights=weights)
    return mean, np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))
