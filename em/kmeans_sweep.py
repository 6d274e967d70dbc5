"""How many clusters? Inertia (for the elbow) and silhouette of K-means over a range of K."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from em.kmeans import KMeans
from models.validation import Array, count_at_least_one, data_matrix


@dataclass(frozen=True)
class KMeansSweep:
    """What `kmeans_sweep` found, one entry for each K.

    Attributes
    ----------
    n_clusters : ndarray of int, shape (m,)
        Numbers of clusters K.
    inertia : ndarray, shape (m,)
        Σ_i min_k ‖x_i - c_k‖² of the best restart.
    silhouette : ndarray, shape (m,)
        scikit-learn's silhouette score, from -1 to 1, larger is better; NaN where it is not defined: for one cluster,
        or as many as there are samples.
    """

    n_clusters: np.ndarray
    inertia: Array
    silhouette: Array


def kmeans_sweep(
    X: ArrayLike,
    n_clusters: Iterable[int],
    *,
    n_init: int = 10,
    silhouette_samples: int | None = None,
    random_state: Any = None,
) -> KMeansSweep:
    """Fit K-means for each K and return inertia and silhouette.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    n_clusters : iterable of int
        Numbers of clusters K to try.
    n_init : int, default 10
        Number of restarts for each K.
    silhouette_samples : int or None, default None
        Compute the silhouette, whose cost grows with n², on so many samples drawn at random; ``None`` takes all.
    random_state : int, RandomState or None, default None
        Seed or source of randomness.

    Returns
    -------
    KMeansSweep
        ``n_clusters``, ``inertia``, ``silhouette``.

    References
    ----------
    Rousseeuw (1987), Silhouettes, Journal of Computational and Applied Mathematics 20, 53-65.

    Examples
    --------
    >>> from em import kmeans_sweep
    >>> sweep = kmeans_sweep([[0.0], [1.0], [9.0], [11.0]], range(1, 4), random_state=0)
    >>> sweep.inertia.tolist(), int(sweep.n_clusters[sweep.silhouette[1:].argmax() + 1])
    ([92.75, 2.5, 0.5], 2)
    """
    matrix = data_matrix(X)
    sizes = [count_at_least_one("n_clusters", K) for K in n_clusters]
    if not sizes or max(sizes) > len(matrix):
        raise ValueError(f"n_clusters must hold numbers from 1 to the number of samples {len(matrix)}, got {sizes}")
    if silhouette_samples is not None and count_at_least_one("silhouette_samples", silhouette_samples) < 2:
        raise ValueError(f"silhouette_samples must be None or at least 2, got {silhouette_samples}")
    rng = check_random_state(random_state)
    fits = [KMeans(K, n_init=n_init, random_state=rng).fit(X) for K in sizes]
    rows = np.arange(len(matrix))
    if silhouette_samples is not None and silhouette_samples < len(matrix):
        rows = rng.choice(len(matrix), size=silhouette_samples, replace=False)
    silhouette = [_silhouette(matrix[rows], fit.labels_[rows]) for fit in fits]
    return KMeansSweep(np.array(sizes), np.array([fit.inertia_ for fit in fits]), np.array(silhouette))


def _silhouette(X: Array, labels: np.ndarray) -> float:
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(labels)) <= len(X) - 1:
        return float("nan")
    return float(silhouette_score(X, labels))
