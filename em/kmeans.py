"""K-means as hard EM ("hard GMM").

Story: a Gaussian mixture with equal weights and covariances ε I. As ε → 0 the responsibilities become one-hot,

    r_ik = 1 if k = argmin_j ‖x_i - c_j‖² else 0            (E-step: assignment)
    c_k  = Σ_i r_ik x_i / Σ_i r_ik                           (M-step: update)

and the objective becomes minus the inertia, J = Σ_i min_k ‖x_i - c_k‖² (Bishop 2006, section 9.3.2). So Lloyd's
algorithm runs on the same engine as every mixture.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import check_random_state

from em.engine import Problem, blocks, run_em, sum_over_blocks
from em.samples import Samples, samples_to_fit, samples_to_use, typical_size, weighted
from em.status import NotConvergedWarning
from models.shown import shown
from models.validation import Array, check_sample_weight, count_at_least_one, data_matrix, frozen_array, number_above


def squared_distances(X: Array, centers: Array) -> Array:
    """Return ‖x_i - c_k‖², shape (n, K), by differences: exact where expanding the square would cancel."""
    return np.stack([np.einsum("nd,nd->n", X - center, X - center) for center in centers], axis=1)


def nearest(X: Array, centers: Array) -> tuple[np.ndarray, Array]:
    """Return the index of the nearest centre and the squared distance to it, each of shape (n,)."""
    labels, closest = np.empty(len(X), dtype=np.intp), np.empty(len(X))
    for rows in blocks(len(X)):
        distances = squared_distances(X[rows], centers)
        labels[rows], closest[rows] = distances.argmin(axis=1), distances.min(axis=1)
    return labels, closest


def kmeans_plusplus(X: Array, n_clusters: int, rng: np.random.RandomState, weights: Array | None = None) -> Array:
    """Choose K starting centres (K, D) among the samples by `choose_rows`, in an order of their values."""
    key = (X * np.sqrt(np.arange(2, 2 + X.shape[1]))).sum(axis=1)
    w = np.ones(len(X)) if weights is None else weights
    return X[choose_rows(key, lambda rows: squared_distances(X, X[rows]), n_clusters, rng, w)]


def choose_rows(
    key: Array,
    distances_to: Callable[[list[int]], Array],
    n_clusters: int,
    rng: np.random.RandomState,
    w: Array,
) -> list[int]:
    """Choose K rows as starting centres, each with probability proportional to weight times D² (k-means++).

    D² is the squared distance to the nearest centre chosen so far. Of 2 + log K candidates at each step the one that
    lowers the inertia most is kept. Rows are drawn in the order of ``key`` (n,), a function of their values, so that
    neither the order of the rows nor whether a row is repeated or weighted matters. ``distances_to`` gives the squared
    distances (n, m) of all rows to m of them.

    References
    ----------
    Arthur & Vassilvitskii (2007), k-means++: the advantages of careful seeding, SODA, 1027-1035.
    """
    order = np.argsort(key, kind="stable")
    n_candidates = 2 + int(np.log(n_clusters))

    def draw(shares: Array, size: int) -> np.ndarray:
        if not shares.any():  # every sample sits on a centre: any will do
            shares = w
        return order[rng.choice(len(key), size=size, p=shares[order] / shares.sum())]

    chosen = [int(draw(w, 1)[0])]
    closest = distances_to(chosen)[:, 0]
    for _ in range(1, n_clusters):
        candidates = draw(w * closest, n_candidates).tolist()
        after = np.minimum(closest[:, None], distances_to(candidates))
        best = int((w @ after).argmin())
        chosen.append(candidates[best])
        closest = after[:, best]
    return chosen


@dataclass(frozen=True)
class Centers:
    """Parameters of K-means: the centres (K, D)."""

    centers: Array

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name."""
        return {"centers": self.centers}


@dataclass(frozen=True)
class ClusterStatistics:
    """Counts (K,), sums of gaps to the old centres (K, D), and the worst-placed sample (for an empty cluster)."""

    old: Array
    counts: Array
    gaps: Array
    farthest: Array
    farthest_distance: float

    def __add__(self, other: Self) -> Self:
        far = self if self.farthest_distance >= other.farthest_distance else other
        return type(self)(
            self.old, self.counts + other.counts, self.gaps + other.gaps, far.farthest, far.farthest_distance
        )


class KMeans(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator):
    """K-means clustering by hard EM.

    Parameters
    ----------
    n_clusters : int, default 8
        Number of clusters K.
    n_init : int, default 10
        Number of restarts; the one of least inertia is kept.
    init : "k-means++" or array_like, shape (K, D), default "k-means++"
        How to start; given centres make one run.
    tol : float, default 0
        Bound on the inertia still to be gained; 0 goes on until no assignment changes.
    max_iter : int, default 1000
        Largest number of iterations of each restart.
    random_state : int, RandomState or None, default None
        Seed or source of randomness.

    Attributes
    ----------
    cluster_centers_ : ndarray, shape (K, D)
        Centres.
    labels_ : ndarray of int, shape (n,)
        Nearest centre of each sample.
    inertia_ : float
        Σ_i min_k ‖x_i - c_k‖², of the returned centres.
    objective_, history_ : float; ndarray, shape (n_iter_ + 1,)
        Minus the inertia, at the end and at every iteration; it never decreases.
    n_iter_, converged_, status_
        As in the mixtures.

    Raises
    ------
    ValueError
        If a parameter or X is not legal; see the message.

    References
    ----------
    Lloyd (1982), Least squares quantization in PCM, IEEE Transactions on Information Theory 28, 129-137.

    Examples
    --------
    >>> from em import KMeans
    >>> sorted(KMeans(2, random_state=0).fit([[0.0], [1.0], [9.0], [11.0]]).cluster_centers_.ravel().tolist())
    [0.5, 10.0]
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        n_init: int = 10,
        init: Any = "k-means++",
        tol: float = 0.0,
        max_iter: int = 1000,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.n_init = n_init
        self.init = init
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find the centres.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs.
        """
        samples = samples_to_fit(self, X, sample_weight)
        starts = self._starts(samples)
        problem = _problem(samples)
        runs = [run_em(problem, Centers(start), tol=self.tol, max_iter=self.max_iter) for start in starts]
        best = max(runs, key=lambda run: run.objective)
        self.cluster_centers_ = best.parameters.centers
        self.labels_ = nearest(np.ascontiguousarray(data_matrix(X)), self.cluster_centers_)[0]
        self.objective_, self.inertia_ = best.objective, -best.objective
        self.history_, self.n_iter_, self.converged_ = best.history, best.n_iter, best.converged
        self.status_ = f"{best.status.replace('nats', 'units of inertia')}; best of {len(runs)} restart(s)"
        if not self.converged_:
            warnings.warn(self.status_, NotConvergedWarning, stacklevel=2)
        return self

    def _starts(self, samples: Samples) -> list[Array]:
        X, K = samples.X, count_at_least_one("n_clusters", self.n_clusters)
        if len(X) < K:
            raise ValueError(f"n_clusters must be at most the number of samples {len(X)}, got {K}")
        count_at_least_one("n_init", self.n_init)
        count_at_least_one("max_iter", self.max_iter)
        number_above("tol", self.tol, 0, inclusive=True)
        if not isinstance(self.init, str):
            return [frozen_array("init", self.init, (K, X.shape[1]))]
        if self.init != "k-means++":
            raise ValueError(f"init must be 'k-means++' or an array of centres, got {shown(self.init)}")
        seeds = check_random_state(self.random_state).randint(2**31 - 1, size=self.n_init)
        return [kmeans_plusplus(X, K, check_random_state(int(seed)), samples.weights) for seed in seeds]

    @property
    def _n_features_out(self) -> int:
        """Columns of `transform`, for the names that `set_output` gives them."""
        return len(self.cluster_centers_)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the index of the nearest centre of each sample, shape (n,)."""
        return nearest(samples_to_use(self, X), self.cluster_centers_)[0]

    def transform(self, X: ArrayLike) -> Array:
        """Return the distance of each sample to each centre, shape (n, K)."""
        return np.sqrt(squared_distances(samples_to_use(self, X), self.cluster_centers_))

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Return minus the inertia of X."""
        distances = nearest(samples_to_use(self, X), self.cluster_centers_)[1]
        weights = check_sample_weight(sample_weight, len(distances))
        return -float(distances.sum() if weights is None else weights @ distances)


def _problem(samples: Samples) -> Problem[Centers, ClusterStatistics]:
    """Assignment as E-step, update as M-step, minus the inertia as objective."""
    X, weights = samples.X, samples.weights

    def expect(parameters: Centers) -> tuple[float, ClusterStatistics]:
        old = parameters.centers

        def step(rows: slice) -> tuple[float, ClusterStatistics]:
            labels, distances = nearest(X[rows], old)
            one_hot = weighted(np.eye(len(old))[labels], None if weights is None else weights[rows])
            far = int(distances.argmax())
            gaps = one_hot.T @ (X[rows] - old[labels])
            statistics = ClusterStatistics(old, one_hot.sum(axis=0), gaps, X[rows][far], float(distances[far]))
            return -float(distances.sum() if weights is None else weights[rows] @ distances), statistics

        return sum_over_blocks(len(X), step)

    def maximise(statistics: ClusterStatistics) -> Centers:
        counts = statistics.counts[:, None]
        centers = statistics.old + statistics.gaps / np.where(counts > 0, counts, 1.0)
        empty = np.flatnonzero(statistics.counts == 0)
        if len(empty) and statistics.farthest_distance > 0:  # an emptied cluster restarts at the worst-placed sample
            centers[empty[0]] = statistics.farthest
        return Centers(centers)

    return Problem(expect, maximise, lambda parameters: 0.0, {"centers": typical_size(samples)[0]})
