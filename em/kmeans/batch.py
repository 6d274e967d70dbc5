"""Lloyd's algorithm for a batch of runs: arrays have a leading axis for runs, and runs that have ended leave.

Without ‖x‖², which is the same for all centres, the assignments of all R runs are one matrix product, and so are the
sums of all clusters,

    ‖x - c‖² - ‖x‖² = (‖c‖², -2 c) · (1, x),        (N_k, Σ_i r_ik x_i) = Σ_i r_ik (1, x_i)

This decides which starts go on. The last digits, and ties between centres, are left to :mod:`em.kmeans.lloyd`.
"""

from typing import Any

import numpy as np
from scipy.sparse import issparse

from em.engine.blocks import Sums, sum_over_chunks
from em.engine.problem import EPS
from em.kmeans.lloyd import PRODUCT_ROUNDING, LloydRun, lloyd, nearest, rest_of_gains, squared_norms
from em.samples import Samples
from em.samples.parts import SAME, may_win
from models.validation import Array

LATELY = 5  # iterations, whose gain is compared with the distance to the best
SAME_SUMS = 1e-12  # difference of sums, relative to the sum of all squares, up to which no row has changed clusters


def lloyd_batch(
    X: Array,
    weights: Array | None,
    starts: list[Array],
    *,
    tol: float = 0.0,
    max_iter: int = 1000,
    reach: float = np.inf,
) -> list[LloydRun]:
    """Run Lloyd's algorithm on dense rows X (n, D), near 0 and of size 1, from each of R starts (K, D).

    A run ends if no row changes clusters, or if at most ``tol`` is still to be gained. It leaves if it is farther
    behind the best than ``reach`` times what its last five iterations gained; then the last remaining run ends too. All
    these runs have an empty status, and :func:`em.kmeans.lloyd.lloyd` makes their last step. A run with an empty
    cluster is run on its own from its start.

    Examples
    --------
    >>> import numpy as np
    >>> from em.kmeans.batch import lloyd_batch
    >>> X, starts = np.array([[0.0], [1.0], [9.0]]), [np.array([[0.0], [1.0]]), np.array([[1.0], [9.0]])]
    >>> [round(run.objective, 9) for run in lloyd_batch(X, None, starts)]
    [-0.5, -0.5]
    """
    columns, norms = np.vstack([np.ones(len(X)), X.T]), squared_norms(X)
    w, largest, ids = np.ones(len(X)) if weights is None else weights, float(norms.max()), np.arange(len(starts))
    total, centers, ended = float(w @ norms), np.stack(starts), dict[int, LloydRun]()
    path, best, before = np.empty((0, len(starts))), np.inf, (centers, np.inf)
    while len(ids):
        inertias, sums = assigned_sums(columns, weights, centers, largest)
        path = np.vstack([path, np.maximum(total + inertias, 0.0)])
        counts, best = sums[..., 0], min(best, path[-1].min())
        emptied = (counts == 0).any(axis=1)
        still = (np.abs(sums - before[1]) <= SAME_SUMS * total).all(axis=(1, 2)) | _at_rest(path, tol, total)
        left = np.full(len(ids), len(path) > max_iter)
        if len(path) > LATELY:
            left |= path[-1] - best > reach * (path[-1 - LATELY] - path[-1])
        left |= reach < np.inf and len(ids) == 1 and path[-1] == best
        for i in np.flatnonzero(emptied | still | left).tolist():
            if emptied[i]:
                ended[int(ids[i])] = lloyd(X, weights, starts[int(ids[i])], tol=tol, max_iter=max_iter)
            else:
                at, n_past = (before[0][i], -1) if still[i] else (centers[i], None)
                history = -np.minimum.accumulate(path[:, i])
                ended[int(ids[i])] = LloydRun(at, float(history[-1]), history[:n_past], bool(still[i]), "", counts[i])
        goes_on = ~(emptied | still | left)
        ids, path, sums, counts = ids[goes_on], path[:, goes_on], sums[goes_on], counts[goes_on]
        before = centers[goes_on], sums
        centers = sums[..., 1:] / counts[..., None]
    return [ended[r] for r in range(len(starts))]


def lloyd_runs(samples: Samples, starts: list[Array], **settings: Any) -> list[LloydRun]:
    """Run Lloyd's algorithm from all starts, for dense rows as one batch."""
    if issparse(samples.X):
        settings.pop("reach", None)
        return [lloyd(samples.X, samples.weights, start, **settings) for start in starts]
    return lloyd_batch(samples.X, samples.weights, starts, **settings)


def assigned_sums(columns: Array, weights: Array | None, centers: Array, largest: float) -> tuple[Array, Array]:
    """Return Σ w (‖x - c‖² - ‖x‖²) over the nearest centres (R,), and Σ w (1, x) of each cluster (R, K, 1 + D).

    ``columns`` (1 + D, n) holds 1 and the rows, whose squares are at most ``largest``. Of centres that are equally near
    up to rounding, the first is taken: k times the rounding is added to the k-th distance.
    """
    R, K, D = centers.shape
    squares = (centers**2).sum(axis=2)
    slack = PRODUCT_ROUNDING * (largest + squares.max()) * np.arange(K)
    factors = np.concatenate([(squares + slack)[..., None], -2 * centers], axis=2).reshape(R * K, 1 + D)

    def step(rows: slice) -> Sums:
        part = columns[:, rows]
        distances = (factors @ part).reshape(R, K, -1)
        least = distances.min(axis=1)
        mine = distances == least[:, None]
        if weights is None:
            np.copyto(distances, mine)
            of_rows = least.sum(axis=1)
        else:
            np.multiply(mine, weights[rows], out=distances)
            of_rows = least @ weights[rows]
        return of_rows, {"sums": (distances.reshape(R * K, -1) @ part.T).reshape(R, K, 1 + D)}

    inertias, sums = sum_over_chunks(columns.shape[1], R * K + 1 + D, step)
    return inertias, sums["sums"]


def _at_rest(path: Array, tol: float, total: float) -> np.ndarray:
    """Return which runs (R,) will gain nothing or at most ``tol``, given their inertias ``path`` (n_iter + 1, R)."""
    still = np.zeros(path.shape[1], dtype=bool) if len(path) < 2 else path[-2] - path[-1] <= EPS * total
    if tol and len(path) > 2:
        rest = np.array([rest_of_gains(inertias) for inertias in path[-3:].T.tolist()])
        still |= (rest > 0) & (rest <= tol)
    return still


def best_of(runs: list[LloydRun]) -> LloydRun:
    """Return the run of least inertia; of equal ones the first."""
    highest = max(run.objective for run in runs)
    return next(run for run in runs if run.objective >= highest * (1 + SAME))


def shortlisted(part: Samples, runs: list[LloydRun]) -> list[Array]:
    """Return the centres of those runs on a part of the rows that may be the best on all rows."""
    going_on = may_win(runs, best_of(runs), lambda run: -nearest(part.X, run.centers)[1], part.weights)
    return [run.centers for run in going_on]
