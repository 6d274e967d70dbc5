"""Find rows that a sketch (:mod:`em.samples.sketch`) may miss: extremes of columns, and rows that many samples share.

The rows that many samples share take two passes. The first finds k candidates, among which is every row of more than
n / (k + 1) of the n samples: of more than k rows, each loses the weight of the (k + 1)-th largest, and rows with no
weight left are dropped. The second pass counts the candidates.

References
----------
Agarwal, Cormode, Huang, Phillips, Wei & Yi (2012), Mergeable summaries, PODS 31, 23-34.
"""

import operator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Self

import numpy as np

from em.samples.distinct import distinct_rows, hashes, order_of_values
from em.samples.sketch import most_sketched
from models.validation import Array


def frequent_rows(samples: Any, k: int) -> tuple[Array, Array]:
    """Return the rows that at least n / k of the n samples share, in the order of their hashes, and their weights."""
    rows = samples.sum_of(partial(candidates, k=k)).rows
    weights = samples.sum_of(partial(weights_of, h=hashes(rows))) if len(rows) else np.empty(0)
    many = weights * k >= samples.total
    return rows[many], weights[many]


@dataclass(frozen=True)
class Candidates:
    """At most k rows, among which is every row of more than n / (k + 1) samples, with their remaining weights (m,)."""

    rows: Array
    weights: Array
    k: int

    @classmethod
    def of(cls, X: Array, weights: Array, k: int) -> Self:
        """Return the candidates of some rows: each row loses the (k + 1)-th largest weight."""
        chosen, w = distinct_rows(X, weights, hashed=True)
        w = w - np.partition(w, len(w) - k - 1)[len(w) - k - 1] if len(w) > k else w
        return cls(X[chosen[w > 0]], w[w > 0], k)

    def __add__(self, other: Self) -> Self:
        both = np.concatenate([self.rows, other.rows])
        return self.of(both, np.concatenate([self.weights, other.weights]), self.k)


def candidates(samples: Any, k: int) -> Candidates:
    """Return the candidates of samples, computed part by part."""
    parts = samples.parts(most_sketched(samples.X.shape[1]))
    return reduce(operator.add, (Candidates.of(part.X, part.frequencies, k) for part in parts))


def weights_of(samples: Any, h: np.ndarray) -> Array:
    """Return the total weight of each of the hashes ``h`` (m,), which ascend, among samples."""
    own = hashes(samples.X)
    at = np.minimum(np.searchsorted(h, own), len(h) - 1)
    return np.bincount(at, np.where(h[at] == own, samples.frequencies, 0.0), minlength=len(h))


@dataclass(frozen=True)
class Extremes:
    """For each of H columns a row at which it is largest, then for each a row at which it is smallest, (2 H, D)."""

    rows: Array
    columns: np.ndarray

    @classmethod
    def of(cls, X: Array, columns: np.ndarray) -> Self:
        """Return the extremes of some rows; of several equal ones the first in the order of the rows' values."""
        order = order_of_values(X)
        highest = [np.where(np.isnan(x := X[order, d]), -np.inf, x).argmax() for d in columns]
        lowest = [np.where(np.isnan(x := X[order, d]), np.inf, x).argmin() for d in columns]
        return cls(X[order[highest + lowest]], columns)

    def __add__(self, other: Self) -> Self:
        return self.of(np.concatenate([self.rows, other.rows]), self.columns)
