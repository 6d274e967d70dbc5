"""A sample of many rows that depends on their values alone: not on their order, and not on the chunks they are in.

It is the m distinct rows of smallest hash, with the sums of their weights over all rows. Parts of the rows have
sketches that add up. Of data with few distinct rows the sketch is the data. In other units other rows have the smallest
hashes. Runs on parts of it tell which lead on all rows where the gaps between them, means over rows, are clear.

Each distinct row is in the sketch with the same probability p, however many samples it stands for. A row of very many
samples, such as one that half of them are, would be missing, or count 1 / p times too much. So each sample of such a
row counts p times. Where the weights in the sketch do not add up to those of all rows, such rows are looked for
(:mod:`em.samples.frequent`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

from em.samples.distinct import distinct_rows, hashes, order_of_values
from models.validation import Array

MOST_SKETCHED, FEWEST_SKETCHED = 2**16, 2**10  # rows that a fit looks at as a whole, for its starts
MOST_CELLS_SKETCHED = 2**22
LAST = 2**64 - 1  # hash
MARGIN = 1.5  # of chunks of other sizes
WORTH_A_PART = 4  # as many times more rows than a part has
CLEARLY = 3.0  # standard errors
FREQUENT = 64  # times the mean number of samples for each row of the sketch, if it were all: more are very many


def most_sketched(n_features: int) -> int:
    """Return how many rows a sketch has at the most."""
    return min(MOST_SKETCHED, max(MOST_CELLS_SKETCHED // max(n_features, 1), FEWEST_SKETCHED))


@dataclass(frozen=True)
class Sketch:
    """The distinct rows (m, D) of smallest hash and how often each occurs (m,).

    There are at most so many (``most``), and none has a hash above ``bound``.
    """

    rows: Array
    weights: Array
    most: int
    bound: int = LAST

    def __add__(self, other: "Sketch") -> "Sketch":
        both = np.concatenate([self.rows, other.rows])
        weights = np.concatenate([self.weights, other.weights])
        return sketched(both, weights, hashes(both), self.most, min(self.bound, other.bound))

    @property
    def whole(self) -> bool:
        """Whether these are as many rows as there may be, or all."""
        return self.bound == LAST or len(self.rows) == self.most

    @property
    def share(self) -> float:
        """The probability p with which a distinct row is here: the part of all hashes that are as small."""
        return 1.0 if len(self.rows) < self.most else float(hashes(self.rows[-1:])[0]) / LAST

    def balanced(self, total: float, frequent: Callable[[int], tuple[Array, Array]]) -> tuple[Array, Array]:
        """Return rows (h, D) and weights (h,) in which each of all samples counts as much as another.

        Weights are in units in which Σ w = Σ w² over rows that are not frequent: they count independent draws, as
        :func:`is_clear` takes them.

        Parameters
        ----------
        total : float
            How many samples the rows of all parts stand for.
        frequent : callable
            Returns the rows of at least a k-th of all samples each, and their weights, for a number k.
        """
        k, p = self.most // FREQUENT, self.share
        many = self.weights * k >= total
        rows, weights, rare = self.rows[many], self.weights[many], self.weights[~many]
        missing = total - weights.sum() - rare.sum() / p
        if k and missing > CLEARLY * np.sqrt((rare**2).sum()) / p:
            rows, weights = frequent(k)
        counts = np.concatenate([rare, p * weights])
        return np.concatenate([self.rows[~many], rows]), counts * (rare.sum() / (rare**2).sum() if len(rare) else 1.0)


@dataclass(frozen=True)
class Ends:
    """For each of some columns a row (D,) where it is largest, then for each one where it is smallest, (2 H, D)."""

    rows: Array
    columns: np.ndarray

    @classmethod
    def of(cls, X: Array, columns: np.ndarray) -> Self:
        """Return those of some rows; of several such rows the first in the order of their values."""
        order = order_of_values(X)
        highest = [np.where(np.isnan(x := X[order, d]), -np.inf, x).argmax() for d in columns]
        lowest = [np.where(np.isnan(x := X[order, d]), np.inf, x).argmin() for d in columns]
        return cls(X[order[highest + lowest]], columns)

    def __add__(self, other: Self) -> Self:
        return self.of(np.concatenate([self.rows, other.rows]), self.columns)


def bound_of(most: int, n_rows: int) -> int:
    """Return a hash below which are about so many of the rows, and almost surely not fewer."""
    return min(LAST, int((most + 6 * np.sqrt(most)) * MARGIN / n_rows * 2**64))


def sketched(X: Array, weights: Array, h: np.ndarray, most: int, bound: int = LAST) -> Sketch:
    """Return the sketch of rows that occur so often and have these hashes."""
    kept = h <= np.uint64(bound)
    if kept.sum() > most:  # equal rows have equal hashes: none of those that are left out belongs to one that is kept
        distinct = distinct_hashes(h[kept])
        kept = h <= distinct[min(most, len(distinct)) - 1]
    if not kept.all():
        X, weights = X[kept], weights[kept]
    chosen, counts = distinct_rows(X, weights, hashed=True)
    return Sketch(X[chosen][:most], counts[:most], most, bound)


def distinct_hashes(h: np.ndarray) -> np.ndarray:
    """Return the distinct hashes, sorted; ten times as fast as np.unique."""
    ordered = np.sort(h)
    return ordered[np.append(True, ordered[1:] != ordered[:-1])]


def is_clear(gap: Array, weights: Array | None) -> bool:
    """Whether the mean of a gap (m,) between two runs, one number of each row, is above 0 by 3 of its standard errors.

    Then it is above 0 on all the rows that these are a part of, too.

    Examples
    --------
    >>> import numpy as np
    >>> from em.samples.sketch import is_clear
    >>> is_clear(np.array([1.0, 1.1, 0.9, 1.0]), None), is_clear(np.array([9.0, -8.0, 1.0, 0.0]), None)
    (True, False)
    """
    w = np.ones(len(gap)) if weights is None else weights
    mean = np.average(gap, weights=w)
    error = np.sqrt(np.average((gap - mean) ** 2, weights=w) / w.sum())
    return bool(mean > CLEARLY * error)
