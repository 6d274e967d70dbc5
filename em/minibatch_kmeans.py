"""K-means on mini-batches: each batch moves the centres a little, so that no step needs all samples.

With v_k the number of samples that centre k has been given so far, a batch whose nearest centre is k for the samples
S_k moves it by

    v_k ← v_k + |S_k|,      c_k ← c_k + Σ_{i in S_k} (x_i - c_k) / v_k,

so that c_k is the mean of all samples ever given to it (Sculley 2010, with the rate 1 / v_k of each centre; giving
the samples of a batch one after the other comes to the same). The first batch starts the centres: v_k and c_k are the
sizes and means of its own K-means clusters.
"""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from em.kmeans import KMeans, nearest
from em.samples import samples_to_fit, samples_to_use
from models.validation import Array, count_at_least_one


class MiniBatchKMeans(KMeans):
    """K-means for data that are large or arrive in parts; predicts, transforms and scores as :class:`KMeans` does.

    Parameters
    ----------
    n_clusters : int, default 8
        Number of clusters K.
    batch_size : int, default 1024
        Number of samples of a mini-batch, at least K; all samples if there are fewer.
    n_init : int, default 10
        Number of restarts of the K-means on the first mini-batch that starts the centres.
    max_iter : int, default 100
        Number of mini-batches, the first included; they are drawn without replacement until too few samples are left.
    random_state : int, RandomState or None, default None
        Seed or source of randomness.

    Attributes
    ----------
    cluster_centers_ : ndarray, shape (K, D)
        Centres.
    counts_ : ndarray, shape (K,)
        v_k, how many samples each centre has been given.
    n_iter_ : int
        Number of mini-batches seen.
    labels_, inertia_ : ndarray of int, shape (n,); float
        As in `KMeans`, of the samples of the last call of `fit` or `partial_fit`.

    Raises
    ------
    ValueError
        If a parameter or X is not legal; see the message.

    Notes
    -----
    There is no rule to stop early: the centres move ever less. Where assignments have settled, t batches of b samples
    leave the inertia above its limit by a share of about K / (t b), which is the sampling error of K means.

    References
    ----------
    Sculley (2010), Web-scale k-means clustering, Proceedings of the 19th International Conference on World Wide Web,
    1177-1178.

    Examples
    --------
    >>> import numpy as np
    >>> from em import MiniBatchKMeans
    >>> X = np.concatenate([np.linspace(-1, 1, 5000), np.linspace(9, 11, 5000)])[:, None]
    >>> sorted(MiniBatchKMeans(2, random_state=0).fit(X).cluster_centers_.ravel().round().astype(int).tolist())
    [0, 10]
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        batch_size: int = 1024,
        n_init: int = 10,
        max_iter: int = 100,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.batch_size = batch_size
        self.n_init = n_init
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Find the centres from ``max_iter`` random mini-batches of X.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        y : ignored
            Present for scikit-learn's conventions.
        """
        X = samples_to_fit(self, X)
        K = self._check_settings(X)
        if count_at_least_one("batch_size", self.batch_size) < K:
            raise ValueError(f"batch_size must be at least n_clusters {K}, got {self.batch_size}")
        count_at_least_one("max_iter", self.max_iter)
        rng = check_random_state(self.random_state)
        batches = _random_batches(len(X), self.batch_size, rng)
        self._start(X[next(batches)], rng)
        for _ in range(self.max_iter - 1):
            self._move(X[next(batches)])
        return self._label(X)

    def partial_fit(self, X: ArrayLike, y: Any = None) -> Self:
        """Take X as one more mini-batch; the first one starts the centres and must hold at least K samples.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples.
        y : ignored
            Present for scikit-learn's conventions.
        """
        if hasattr(self, "cluster_centers_"):
            X = samples_to_use(self, X)
            self._move(X)
        else:
            X = samples_to_fit(self, X)
            self._check_settings(X)
            self._start(X, check_random_state(self.random_state))
        return self._label(X)

    def _check_settings(self, X: Array) -> int:
        K = count_at_least_one("n_clusters", self.n_clusters)
        if len(X) < K:
            raise ValueError(f"n_clusters must be at most the number of samples {len(X)}, got {K}")
        count_at_least_one("n_init", self.n_init)
        return K

    def _start(self, batch: Array, rng: np.random.RandomState) -> None:
        start = KMeans(self.n_clusters, n_init=self.n_init, random_state=rng).fit(batch)
        self.cluster_centers_ = start.cluster_centers_.copy()
        self.counts_ = np.bincount(start.labels_, minlength=self.n_clusters).astype(np.float64)
        self.n_iter_ = 1

    def _move(self, batch: Array) -> None:
        old = self.cluster_centers_
        labels = nearest(batch, old)[0]
        one_hot = np.eye(len(old))[labels]
        self.counts_ = self.counts_ + one_hot.sum(axis=0)
        gaps = one_hot.T @ (batch - old[labels])
        self.cluster_centers_ = old + gaps / np.maximum(self.counts_, 1)[:, None]
        self.n_iter_ += 1

    def _label(self, X: Array) -> Self:
        self.labels_, distances = nearest(X, self.cluster_centers_)
        self.inertia_ = float(distances.sum())
        return self


def _random_batches(n_rows: int, batch_size: int, rng: np.random.RandomState) -> Iterator[np.ndarray]:
    """Yield rows of mini-batches for ever, shuffled anew whenever too few are left for another batch."""
    size = min(batch_size, n_rows)
    while True:
        order = rng.permutation(n_rows)
        for start in range(0, n_rows - size + 1, size):
            yield order[start : start + size]
