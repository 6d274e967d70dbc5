"""A hash sample of many rows: the m distinct rows of smallest hash, with their total weights (a bottom-m sketch).

The sketch depends only on the values of the rows: not on their order, and not on the chunks they are in. Sketches of
parts of the rows add up to that of all rows. If the data have at most m distinct rows, the sketch is the data. In other
units other rows have the smallest hashes.

Each distinct row is in the sketch with the same probability p, however many samples it stands for. A row that very many
samples share, say half of them, would either be missing or count 1 / p times too much. So each sample of such a row
counts p times (:meth:`Sketch.balanced`). If the total weight shows that such a row is missing from the sketch, it is
looked for in the data (:mod:`em.samples.missed`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from em.samples.distinct import distinct_rows, hashes
from models.validation import Array

MOST_SKETCHED, FEWEST_SKETCHED = 2**16, 2**10  # rows of a sketch, from which starts are computed
MOST_CELLS_SKETCHED = 2**22
LAST = 2**64 - 1  # the largest hash
MARGIN = 1.5  # for chunks of unequal sizes
CLEARLY = 3.0  # standard errors
FREQUENT = 64  # a row is frequent if 64 / most of all samples share it, or more


def most_sketched(n_features: int) -> int:
    """Return how many rows a sketch of data with D features may have."""
    return min(MOST_SKETCHED, max(MOST_CELLS_SKETCHED // max(n_features, 1), FEWEST_SKETCHED))


@dataclass(frozen=True)
class Sketch:
    """The distinct rows of smallest hash.

    Attributes
    ----------
    rows : ndarray, shape (m, D)
        The rows, in the order of their hashes.
    weights : ndarray, shape (m,)
        How often each row occurs in the data.
    most : int
        Largest number of rows.
    bound : int
        The largest hash that a row may have.
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
    def full(self) -> bool:
        """Whether no row is left out because of the bound: the sketch has ``most`` rows, or there is no bound."""
        return self.bound == LAST or len(self.rows) == self.most

    @property
    def whole(self) -> bool:
        """Whether a full sketch surely holds all distinct rows of the data, because there is room for more."""
        return len(self.rows) < self.most

    @property
    def share(self) -> float:
        """The probability p that a distinct row is in the sketch: its largest hash over the largest possible one."""
        return 1.0 if self.whole else float(hashes(self.rows[-1:])[0]) / LAST

    def balanced(self, total: float, frequent: Callable[[int], tuple[Array, Array]]) -> tuple[Array, Array]:
        """Return rows (h, D) and weights (h,) in which each sample of the data counts equally.

        Weights are scaled so that Σ w = Σ w² over the rows that are not frequent. They then count independent draws,
        as :func:`em.samples.parts.is_clear` needs.

        Parameters
        ----------
        total : float
            The number of samples of the data.
        frequent : callable
            Takes k; returns the rows that at least a k-th of all samples share, and their weights.
        """
        k, p = self.most // FREQUENT, self.share
        many = self.weights * k >= total
        rows, weights, rare = self.rows[many], self.weights[many], self.weights[~many]
        missing = total - weights.sum() - rare.sum() / p
        if k and missing > CLEARLY * np.sqrt((rare**2).sum()) / p:
            rows, weights = frequent(k)
        counts = np.concatenate([rare, p * weights])
        return np.concatenate([self.rows[~many], rows]), counts * (rare.sum() / (rare**2).sum() if len(rare) else 1.0)


def bound_of(most: int, n_rows: int) -> int:
    """Return a hash below which lie about 1.5 ``most`` of ``n_rows`` distinct rows, almost surely at least ``most``."""
    return min(LAST, int((most + 6 * np.sqrt(most)) * MARGIN / n_rows * 2**64))


def sketched(X: Array, weights: Array, h: np.ndarray, most: int, bound: int = LAST) -> Sketch:
    """Return the sketch of rows X (n, D) with weights and hashes ``h`` (n,)."""
    kept = h <= np.uint64(bound)
    if kept.sum() > most:  # equal rows have equal hashes, so they are kept or left out together
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
