"""Lloyd's algorithm: assign each sample to its nearest centre, move each centre to the mean of its samples, repeat.

Near the end few samples change clusters, and bounds tell which may (Hamerly 2010). Let u_i be at least the distance of
x_i to its own centre, and l_i at most its distance to any other centre. If each centre c moves by δ_c, the bounds

    u_i ← u_i + δ_own,    l_i ← l_i - max_c δ_c

remain valid. So only samples with u_i >= l_i are measured again. The distances themselves are one matrix product,

    ‖x - c‖² = ‖x‖² - 2 x · c + ‖c‖²,

for rows near 0. If the two nearest centres are equally near up to the rounding of the product, distances are computed
from differences. If they are still equal, the first centre is taken. So the result is the same in other units.

References
----------
Lloyd (1982), Least squares quantization in PCM, IEEE Transactions on Information Theory 28, 129-137.
Hamerly (2010), Making k-means even faster, SIAM International Conference on Data Mining, 130-140.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

from em.engine.blocks import blocks
from em.engine.problem import EPS
from models.shown import counted
from models.validation import Array

TIED = 1e-12  # relative difference of squared distances that counts as rounding
PRODUCT_ROUNDING = 32 * EPS  # of an expanded square, relative to ‖x‖² + ‖c‖²
BLOCK_NUMBERS = 2**17
MEAN_ROUNDING = 16 * EPS  # of the mean of equal rows, relative to their size
FEW_SHARES = 2**15  # rows times clusters up to which a dense product is faster than a sparse one
IDLE = 10  # iterations in a row without a gain of one digit after which a run counts as converged
CELLS_AT_A_TIME = 250_000  # of rows that are made dense


@dataclass(frozen=True)
class LloydRun:
    """The result of a run of Lloyd's algorithm.

    Attributes
    ----------
    centers : ndarray, shape (K, D)
        Centres.
    objective : float
        Minus the inertia.
    history : ndarray, shape (n_iter + 1,)
        Minus the inertia at the start and after each iteration; it never decreases.
    converged : bool
        Whether no assignment changes any more, or at most ``tol`` is still to be gained.
    status : str
        How the run ended, as a sentence.
    counts : ndarray, shape (K,)
        Total weight of each cluster.
    """

    centers: Array
    objective: float
    history: Array
    converged: bool
    status: str
    counts: Array


def dense(rows: Any) -> Array:
    """Return rows, sparse or not, as an ndarray."""
    return rows.toarray() if issparse(rows) else rows


def squared_norms(X: Any) -> Array:
    """Return ‖x_i‖², shape (n,)."""
    return np.asarray(X.power(2).sum(axis=1)) if issparse(X) else np.einsum("nd,nd->n", X, X)


def squared_distances(X: Any, centers: Array) -> Array:
    """Return ‖x_i - c_k‖², shape (n, K), from differences, which is exact where an expanded square would cancel."""
    if not issparse(X):
        return np.stack([np.einsum("nd,nd->n", X - center, X - center) for center in centers], axis=1)
    distances = np.empty((X.shape[0], len(centers)))
    for rows in blocks(X.shape[0], max(1, CELLS_AT_A_TIME // X.shape[1])):
        distances[rows] = squared_distances(X[rows].toarray(), centers)
    return distances


def first_within_rounding(values: Array, least: Array) -> np.ndarray:
    """Return for each row of values (n, m) the first index whose value equals its least (n,) up to rounding."""
    return np.asarray((values <= least[:, None] * (1 + TIED)).argmax(axis=1))


def nearest(X: Any, centers: Array) -> tuple[np.ndarray, Array]:
    """Return the index of the nearest centre and the squared distance to it, each of shape (n,).

    Of centres that are equally near up to rounding, the first is taken.
    """
    labels = _assigned(X, squared_norms(X), centers)[0]
    return labels, _own_distances(X, centers, labels)


def lloyd(
    X: Any, weights: Array | None, centers: Array, *, tol: float = 0.0, max_iter: int = 1000, path: Sequence[float] = ()
) -> LloydRun:
    """Run Lloyd's algorithm from given centres (K, D) on dense or sparse rows X (n, D) near 0 and of size 1.

    ``path`` holds the inertias of earlier iterations of the run, which count in ``max_iter``.

    Examples
    --------
    >>> import numpy as np
    >>> from em.kmeans.lloyd import lloyd
    >>> lloyd(np.array([[0.0], [1.0], [9.0]]), None, np.array([[0.0], [1.0]])).centers.tolist()
    [[0.5], [9.0]]
    """
    w, norms = np.ones(X.shape[0]) if weights is None else weights, squared_norms(X)
    total, inertias, converged, status = float(w @ norms), list(path), False, ""
    labels, upper, lower = _assigned(X, norms, centers)
    counts, sums = np.bincount(labels, w, minlength=len(centers)), cluster_sums(X, labels, w, len(centers))
    while True:
        inertias.append(total - 2 * float((centers * sums).sum()) + float(counts @ (centers**2).sum(axis=1)))
        converged, status = stopping(inertias, total, tol, max_iter)
        if status:
            break
        before, centers = centers, means(counts, sums, centers, partial(farthest, X, centers, labels))
        shifts = np.sqrt(((centers - before) ** 2).sum(axis=1))
        upper, lower = upper + shifts[labels], lower - shifts.max()
        changed, others = _reassign(X, norms, centers, labels, upper, lower)
        counts = np.bincount(labels, w, minlength=len(centers))
        if len(changed):
            rows, own = X[changed], w[changed]
            sums = sums + cluster_sums(rows, labels[changed], own, len(centers))
            sums = sums - cluster_sums(rows, others, own, len(centers))
            continue
        sums = cluster_sums(X, labels, w, len(centers))  # computed again, without accumulated rounding
        centers, before = means(counts, sums, centers, partial(farthest, X, centers, labels)), labels
        labels, upper, lower = _assigned(X, norms, centers)
        counts, sums = np.bincount(labels, w, minlength=len(centers)), cluster_sums(X, labels, w, len(centers))
        if (labels == before).all():
            inertias.append(inertias[-1])
            converged, status = True, converged_after(len(inertias) - 1)
            break
    return finished_run(centers, inertias, float(w @ _own_distances(X, centers, labels)), converged, status, counts)


def stopping(inertias: Sequence[float], total: float, tol: float, max_iter: int) -> tuple[bool, str]:
    """Return whether a run with these inertias has converged, and its status, which is "" while it goes on.

    ``total`` is the inertia about 0; changes within its rounding do not count.
    """
    n_iter = len(inertias) - 1
    idle = n_iter >= IDLE and inertias[-1 - IDLE] - inertias[-1] <= EPS * total  # tied rows change back and forth
    if idle or (n_iter > 1 and 0 < rest_of_gains(inertias) <= tol):
        bound = 0.0 if idle else tol
        return True, converged_after(n_iter, bound)
    if n_iter < max_iter:
        return False, ""
    fell = f"the last iteration lowered the inertia by {inertias[-2] - inertias[-1]:.2g}"
    return False, f"stopped at max_iter={max_iter}, {fell}: raise max_iter or tol"


def converged_after(n_iter: int, bound: float = 0.0) -> str:
    """Return the status of a run that converged, with an inertia at most so far above its limit."""
    return f"converged after {counted(n_iter, 'iteration')}, inertia at most {bound:.3g} above the limit"


def finished_run(
    centers: Array, inertias: Sequence[float], inertia: float, converged: bool, status: str, counts: Array
) -> LloydRun:
    """Return the run; ``inertia`` is that of its centres, without the rounding of expanded squares."""
    history = np.minimum(-np.minimum.accumulate(inertias), -inertia)
    history[-1] = -inertia
    return LloydRun(centers, -inertia, history, converged, status, counts)


def rest_of_gains(inertias: Sequence[float]) -> float:
    """Return the rest of a geometric series of gains, from its last two terms."""
    before, last = inertias[-3] - inertias[-2], inertias[-2] - inertias[-1]
    return last * (last / (before - last)) if before > last > 0 else np.inf


def _reassign(
    X: Any, norms: Array, centers: Array, labels: np.ndarray, upper: Array, lower: Array
) -> tuple[np.ndarray, np.ndarray]:
    """Assign the samples again that may have changed clusters, and update labels and bounds in place.

    Return which samples changed, and the clusters that they left.
    """
    stale = np.flatnonzero(upper * (1 + 1e-9) >= lower)
    whole = 2 * len(stale) > len(labels)
    which = np.arange(len(labels)) if whole else stale
    new, upper[which], lower[which] = _assigned(X if whole else X[which], norms[which], centers)
    moved = new != labels[which]
    changed, others = which[moved], labels[which[moved]]
    labels[which] = new
    return changed, others


def _assigned(X: Any, norms: Array, centers: Array) -> tuple[np.ndarray, Array, Array]:
    """Return the nearest centre of each row (n,), and bounds u and l (n,) of its distances to it and to the others."""
    n, K = X.shape[0], len(centers)
    labels, upper, lower = np.zeros(n, dtype=np.intp), np.empty(n), np.empty(n)
    of_centers = (centers**2).sum(axis=1)

    def measure(rows: slice) -> None:
        part, label = X[rows], labels[rows]
        products = (part @ centers.T).T if issparse(part) else centers @ part.T
        scores = of_centers[:, None] - 2 * products  # ‖x - c‖² - ‖x‖²
        best, second = scores[0], np.full(scores.shape[1], np.inf)
        for k in range(1, K):
            nearer = scores[k] < best
            second = np.minimum(second, np.maximum(best, scores[k]))
            best = np.minimum(best, scores[k])
            np.copyto(label, k, where=nearer)
        own = np.maximum(best + norms[rows], 0.0)
        slack = PRODUCT_ROUNDING * (norms[rows] + of_centers.max())
        tied = np.flatnonzero(second - best <= 2 * slack + TIED * own)
        if len(tied):
            exact = squared_distances(part[tied], centers)
            of_means = MEAN_ROUNDING**2 * norms[rows][tied]  # centres of the same samples differ by at most this
            label[tied] = first_within_rounding(exact, exact.min(axis=1) + of_means)
        upper[rows] = np.sqrt(own + slack)
        with np.errstate(invalid="ignore"):  # the square of a very distant row may overflow
            lower[rows] = np.sqrt(np.fmax(second + norms[rows] - slack, 0.0))

    for rows in blocks(n, max(256, BLOCK_NUMBERS // (K + X.shape[1]))):
        measure(rows)
    return labels, upper, lower


def _own_distances(X: Any, centers: Array, labels: np.ndarray) -> Array:
    """Return the squared distance of each row to its own centre, shape (n,), from differences."""
    distances = np.empty(len(labels))
    for rows in blocks(len(labels), max(1, CELLS_AT_A_TIME // X.shape[1])):
        gaps = dense(X[rows]) - centers[labels[rows]]
        distances[rows] = np.einsum("nd,nd->n", gaps, gaps)
    return distances


def cluster_sums(X: Any, labels: np.ndarray, w: Array, n_clusters: int) -> Array:
    """Return Σ w_i x_i of each cluster, shape (K, D)."""
    n = len(labels)
    if n * n_clusters <= FEW_SHARES:  # building a sparse matrix would take longer
        sums = ((labels == np.arange(n_clusters)[:, None]) * w) @ X
    else:
        sums = csr_array((w, labels, np.arange(n + 1)), shape=(n, n_clusters)).T @ X
    return np.asarray(dense(sums))


def cluster_means(counts: Array, sums: Array, centers: Array) -> Array:
    """Return the mean of each cluster, shape (K, D); an empty cluster keeps its centre."""
    return np.where(counts[:, None] > 0, sums / np.where(counts > 0, counts, 1.0)[:, None], centers)


def means(counts: Array, sums: Array, centers: Array, farthest: Callable[[], tuple[float, Array]]) -> Array:
    """Return the mean of each cluster; the first empty cluster moves to the sample farthest from its own centre.

    ``farthest`` returns that sample's squared distance and the sample (D,).
    """
    centers = cluster_means(counts, sums, centers)
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        distance, row = farthest()
        if distance > MEAN_ROUNDING**2 * float(row @ row):  # else every sample equals its centre
            centers[empty[0]] = row
    return centers


def farthest(X: Any, centers: Array, labels: np.ndarray) -> tuple[float, Array]:
    """Return the largest squared distance of a row to its own centre, and the first row that has it."""
    distances = _own_distances(X, centers, labels)
    return float(distances.max()), dense(X[[int(distances.argmax())]])[0]
