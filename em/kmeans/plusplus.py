"""k-means++: choose starting centres that are spread over the samples."""

from typing import Any

import numpy as np
from scipy.sparse import issparse

from em.engine.blocks import blocks
from em.kmeans.lloyd import CELLS_AT_A_TIME, dense, first_within_rounding, squared_norms
from models.validation import Array

CANCELS = 1e-10  # relative to ‖x‖² + ‖c‖²: below it an expanded square has fewer than six digits


def kmeans_plusplus(X: Any, n_clusters: int, rng: np.random.RandomState, weights: Array | None = None) -> Array:
    """Choose K samples as starting centres (K, D), each with probability proportional to its weight times D².

    D² is the squared distance to the nearest centre chosen so far. At each step 2 + log K candidates are drawn, and the
    one that lowers the inertia most is kept. Draws depend on the order of the rows, so rows must be sorted by value
    (:mod:`em.samples.distinct`).

    References
    ----------
    Arthur & Vassilvitskii (2007), k-means++: the advantages of careful seeding, SODA, 1027-1035.
    """
    w, norms = np.ones(X.shape[0]) if weights is None else weights, squared_norms(X)
    n_candidates = 2 + int(np.log(n_clusters))

    def distances_to(rows: list[int]) -> Array:
        return expanded_squares(X, norms, dense(X[rows]))

    def draw(shares: Array, size: int) -> np.ndarray:
        if not shares.any():  # every sample equals a centre: draw any
            shares = w
        cumulated = np.cumsum(shares)
        return np.searchsorted(cumulated / cumulated[-1], rng.uniform(size=size), side="right")

    chosen = [int(draw(w, 1)[0])]
    closest = distances_to(chosen)[:, 0]
    for _ in range(1, n_clusters):
        candidates = draw(w * closest, n_candidates).tolist()
        after = np.minimum(closest[:, None], distances_to(candidates))
        inertia = (w @ after)[None]
        best = int(first_within_rounding(inertia, inertia.min(axis=1))[0])
        chosen.append(candidates[best])
        closest = after[:, best]
    return dense(X[chosen])


def expanded_squares(X: Any, norms: Array, centers: Array) -> Array:
    """Return ‖x_i - c_k‖², shape (n, K), by expanding the square, given ‖x_i‖², or from differences if that cancels.

    So a row that equals a centre has distance 0 in any units.
    """
    products, sizes = (X @ centers.T).T if issparse(X) else centers @ X.T, (centers**2).sum(axis=1)[:, None] + norms
    squares = sizes - 2 * products
    ks, rows = np.nonzero(squares <= CANCELS * sizes)
    distances = squares.T  # each column in one piece
    for part in blocks(len(rows), max(1, CELLS_AT_A_TIME // X.shape[1])):
        gaps = dense(X[rows[part]]) - centers[ks[part]]
        distances[rows[part], ks[part]] = np.einsum("nd,nd->n", gaps, gaps)
    return distances
