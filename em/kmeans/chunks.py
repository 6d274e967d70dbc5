"""Lloyd's algorithm on rows in chunks: each chunk returns the sums of its clusters.

    N_k = Σ_chunks Σ_i w_i,    S_k = Σ_chunks Σ_i w_i x_i  (i in the chunk, nearest to c_k),    c_k ← S_k / N_k

Nothing is stored per row between two passes. The run ends when a pass gives the same sums as the one before, because
then no assignment has changed.
"""

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any, Self

import numpy as np

from em.chunked.samples import ChunkedSamples
from em.chunked.shared_passes import in_shared_passes
from em.kmeans.lloyd import LloydRun, cluster_sums, converged_after, finished_run, means, nearest, stopping
from em.samples import Samples
from em.samples.distinct import order_of_values
from em.sums import Sums
from models.validation import Array

NUMBERS_AT_A_TIME = 15_000  # in an array: arrays of 128 kB or more cost Dask's workers page faults each time


@dataclass(frozen=True)
class Farthest:
    """The row (D,) of largest squared distance to its centre; of several the first in the order of the rows' values."""

    distance: float
    row: Array

    @classmethod
    def of(cls, X: Array, distances: Array) -> Self:
        """Return the farthest of rows X with these squared distances."""
        rows = X[distances == distances.max()]
        return cls(float(distances.max()), rows[order_of_values(rows)[0]])

    def __add__(self, other: Self) -> Self:
        return self.of(np.stack([self.row, other.row]), np.array([self.distance, other.distance]))


@dataclass(frozen=True)
class Assignment:
    """Assigns the rows of a chunk, minus ``location`` (D,) and over ``scale``, to the nearest of the centres (K, D)."""

    centers: Array
    location: Array
    scale: float

    def clusters(self, part: Samples) -> Sums:
        """Return weights N (K,) and sums S (K, D) of the clusters, and the inertia."""
        K = len(self.centers)
        of_blocks = (
            Sums((np.bincount(labels, w, minlength=K), cluster_sums(X, labels, w, K), float(w @ squares)))
            for X, w, labels, squares in self._blocks(part)
        )
        return reduce(operator.add, of_blocks)

    def farthest(self, part: Samples) -> Farthest:
        """Return the row that is farthest from its centre."""
        first, *others = (Farthest.of(X, squares) for X, _, _, squares in self._blocks(part))
        return sum(others, first)

    def _blocks(self, part: Samples) -> Iterator[tuple[Array, Array, np.ndarray, Array]]:
        """Yield rows, weights, nearest centres and squared distances, of few rows at a time."""
        for some in part.parts(max(1, NUMBERS_AT_A_TIME // max(self.centers.shape))):
            X = (some.X - self.location) / self.scale
            yield X, some.frequencies, *nearest(X, self.centers)


def lloyd_of_chunks(
    samples: ChunkedSamples, centers: Array, *, location: Array, scale: float, tol: float, max_iter: int
) -> LloydRun:
    """Run Lloyd's algorithm from given centres (K, D), in units in which the rows lie near 0 and have size 1."""
    total = float(samples.summary.moment.sum()) / scale**2
    before, inertias = None, list[float]()
    while True:
        at = Assignment(centers, location, scale)
        counts, sums, inertia = samples.sum_of(at.clusters).parts
        inertias.append(inertia)
        if before is not None and (counts == before[0]).all() and (sums == before[1]).all():
            converged, status = True, converged_after(len(inertias) - 1)
        else:
            converged, status = stopping(inertias, total, tol, max_iter)
        if status:
            return finished_run(centers, inertias, inertia, converged, status, counts)
        before, centers = (counts, sums), means(counts, sums, centers, partial(_farthest, samples, at))


def lloyds_of_chunks(samples: ChunkedSamples, starts: Sequence[Array], X: Any, **settings: Any) -> list[LloydRun]:
    """Run Lloyd's algorithm from several starts; the runs share passes over the chunks X."""
    return in_shared_passes([partial(lloyd_of_chunks, samples, start, **settings) for start in starts], X)


def _farthest(samples: ChunkedSamples, at: Assignment) -> tuple[float, Array]:
    farthest: Farthest = samples.sum_of(at.farthest)
    return farthest.distance, farthest.row
