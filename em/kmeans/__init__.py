"""K-means as hard EM ("hard GMM").

Take a Gaussian mixture with equal weights and covariances ε I. As ε → 0 the responsibilities become one-hot,

    r_ik = 1 if k = argmin_j ‖x_i - c_j‖² else 0            (E-step: assignment)
    c_k  = Σ_i r_ik x_i / Σ_i r_ik                           (M-step: update)

and the objective becomes minus the inertia, J = Σ_i min_k ‖x_i - c_k‖² (Bishop 2006, section 9.3.2). So Lloyd's
algorithm (:mod:`em.kmeans.lloyd`) is EM.

Starts come from k-means++ (:mod:`em.kmeans.plusplus`). Restarts run as one batch (:mod:`em.kmeans.batch`) or on chunks
(:mod:`em.kmeans.chunks`). The best run is improved by :mod:`em.kmeans.split_and_merge` and :mod:`em.kmeans.exchanges`.
"""

from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.sparsefuncs import mean_variance_axis

from em.chunked import is_chunked
from em.chunked.predictions import for_chunks, lazily, sums_of
from em.chunked.samples import ChunkedSamples, check_header, chunked_samples
from em.kmeans.batch import best_of, lloyd_runs, shortlisted
from em.kmeans.chunks import lloyds_of_chunks
from em.kmeans.exchanges import MOST_DISTANCES, exchanged
from em.kmeans.lloyd import LloydRun, lloyd, nearest, squared_distances
from em.kmeans.plusplus import kmeans_plusplus
from em.kmeans.split_and_merge import split_and_merge
from em.process.blas import one_blas_thread
from em.reports import ReportsOfKMeans
from em.samples import Samples
from em.samples.distinct import worth_sorting
from em.samples.parts import SAME, WORTH_A_PART
from em.samples.reading import samples_to_fit, samples_to_use
from em.status import FewerClustersWarning, NotConvergedWarning, tell
from models.shown import counted, shown
from models.validation import Array, check_sample_weight, count_at_least_one, frozen_array, number_above, random_source

MOST_ITERATIONS = 1000
SMALLEST_SCALE, LARGEST_SCALE = 1e-140, 1e140
FEWEST_IN_PART, ROWS_PER_NUMBER = 2048, 30  # of the first part: 2048 rows, or 30 per number; half if few
REACH = 20.0  # a run leaves if it is farther behind the best than 20 times the gain of its last iterations


@dataclass(eq=False, repr=False)
class KMeans(ReportsOfKMeans, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator):
    """K-means clustering by hard EM.

    X may be any scipy.sparse matrix or array; it is never made dense as a whole. If X has fewer distinct rows than
    clusters, some centres coincide or have no sample, and a `FewerClustersWarning` is given.

    Parameters
    ----------
    n_clusters : int, default 8
        Number of clusters K.
    n_init : int, default 10
        Number of restarts; the best one is kept. With two or more, clusters of the best run are then merged and split
        as long as that lowers the inertia (:mod:`em.kmeans.split_and_merge`). With many rows, all this runs on a random
        part, and the best runs go on with all rows. With few rows, single rows are then exchanged between clusters
        (:mod:`em.kmeans.exchanges`).
    init : "k-means++" or array_like, shape (K, D), default "k-means++"
        How to start; given centres make one run.
    tol : float, default 0
        Bound on the remaining decrease of the inertia; 0 iterates until no assignment changes.
    max_iter : int, default 1000
        Largest number of iterations of each restart.
    random_state : int, RandomState or None, default None
        Seed or source of randomness.

    Attributes
    ----------
    cluster_centers_ : ndarray, shape (K, D)
        Centres.
    labels_ : ndarray of int, shape (n,)
        Nearest centre of each sample. After a fit to Dask's chunks it is a lazy array; if such a fit was loaded, None.
    inertia_ : float
        Σ_i min_k ‖x_i - c_k‖² at the returned centres.
    objective_, history_ : float; ndarray, shape (``n_iter_`` + 1,)
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

    n_clusters: int = 8
    _: KW_ONLY
    n_init: int = 10
    init: Any = "k-means++"
    tol: float = 0.0
    max_iter: int = MOST_ITERATIONS
    random_state: Any = None

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Find the centres.

        Parameters
        ----------
        X : array_like, or a Dask array or DataFrame, shape (n, D)
            Samples. Dask's rows stay in their chunks: restarts run on a sketch of them (:mod:`em.samples.sketch`), and
            the best of these runs go on with sums over all chunks, in passes that they share.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs.
        """
        if not is_chunked(X):
            samples = samples_to_fit(self, X, sample_weight)
        else:
            samples = chunked_samples(self, X, sample_weight, missing=False)
            check_header(self, X, reset=True)
        self._check_settings(samples)
        distinct = not samples.in_memory or worth_sorting(samples.X)
        with one_blas_thread():
            best, n_starts, location, scale = self._search(samples.distinct() if distinct else samples, X)
        self.cluster_centers_ = location + scale * best.centers
        self.labels_ = self.predict(X)
        self.objective_, self.history_ = best.objective * scale**2, best.history * scale**2
        self.inertia_, self.n_iter_, self.converged_ = -self.objective_, len(best.history) - 1, best.converged
        self.status_ = f"{best.status}; best of {counted(n_starts, 'restart')}"
        if not self.converged_:
            tell(self.status_, NotConvergedWarning)
        used = np.unique(self.labels_[samples.numbers]) if samples.in_memory else np.flatnonzero(best.counts)
        if (n_used := len(used)) < self.n_clusters:
            why = "X has no more distinct rows" if self.inertia_ == 0 else "some centres are the nearest of no row"
            remark = f"found {counted(n_used, 'distinct cluster')}, fewer than n_clusters={self.n_clusters}: {why}"
            self.status_ = f"{self.status_}; {remark}"
            tell(remark, FewerClustersWarning)
        return self

    def fit_predict(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> np.ndarray:
        """Find the centres, and return the index of each sample's nearest centre, (n,), also of samples of weight 0."""
        return self.fit(X, sample_weight=sample_weight).labels_

    def fit_transform(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Array:
        """Find the centres and return the distance of each sample to each of them, shape (n, K)."""
        return self.fit(X, sample_weight=sample_weight).transform(X)

    def _packed(self) -> dict[str, Any]:
        """Return the attributes that a file stores differently: no lazy labels."""
        return {"labels_": None} if is_chunked(self.labels_) else {}

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that the data may be sparse."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _check_settings(self, samples: Samples) -> None:
        n, K = samples.X.shape[0], count_at_least_one("n_clusters", self.n_clusters)
        if n < K:
            raise ValueError(f"n_clusters must be at most the number of samples {n}, got {K}")
        count_at_least_one("n_init", self.n_init)
        count_at_least_one("max_iter", self.max_iter)
        number_above("tol", self.tol, 0, inclusive=True)
        random_source(self.random_state)
        if not isinstance(self.init, str):
            frozen_array("init", self.init, (K, samples.X.shape[1]))
        elif self.init != "k-means++":
            raise ValueError(f"init must be 'k-means++' or an array of centres, got {shown(self.init)}")

    def _search(self, rows: Samples, X: Any) -> tuple[LloydRun, int, Array, float]:
        """Return the best run, the number of starts, and the location and the scale of the run's units."""
        location, scale = _location_and_scale(rows)
        settings: dict[str, Any] = {"tol": self.tol / scale**2, "max_iter": self.max_iter}

        def standard(some: Samples) -> Samples:
            return replace(some, X=some.X / scale if issparse(some.X) else (some.X - location) / scale)

        whole, seeds = standard(rows) if rows.in_memory else rows, list[int]()
        if not isinstance(self.init, str):
            starts, n_starts = [(np.asarray(self.init, dtype=np.float64) - location) / scale], 1
        else:
            seeds = check_random_state(self.random_state).randint(2**31 - 1, size=self.n_init).tolist()
            start_rows = whole if rows.fits_sketch else standard(rows.start_rows)
            starts, n_starts = self._shortlist(start_rows, seeds, settings, all_rows=rows.fits_sketch), self.n_init
        if isinstance(rows, ChunkedSamples):
            runs = lloyds_of_chunks(rows, starts, X, location=location, scale=scale, **settings)
        elif len(starts) == 1:
            runs = [lloyd(whole.X, whole.weights, starts[0], **settings)]
        else:
            runs = self._runs(whole, starts, seeds, settings)
        best = best_of(runs)
        if n_starts > 1 and not starts and whole.X.shape[0] * self.n_clusters <= MOST_DISTANCES:
            best = exchanged(whole, best, partial(lloyd_runs, whole, **settings), SAME, self.max_iter)
        if not best.status:
            path = (-best.history[:-1]).tolist()
            best = lloyd(whole.X, whole.weights, best.centers, **settings, path=path)
        return best, n_starts, location, scale

    def _shortlist(
        self, samples: Samples, seeds: list[int], settings: dict[str, Any], *, all_rows: bool
    ) -> list[Array]:
        """Return the runs' centres that may be the best on all rows, from runs on growing parts of the samples.

        Each part has four times as many rows as the one before. The last runs take all ``samples``, unless these are
        all rows of the data (``all_rows``), on which the caller runs anyway.
        """
        enough = max(FEWEST_IN_PART, ROWS_PER_NUMBER * self.n_clusters * samples.X.shape[1])
        quarter = 0 if issparse(samples.X) else len(samples.X) // WORTH_A_PART
        rng, starts, n_rows = check_random_state(seeds[0]), list[Array](), min(enough, quarter)
        while enough <= 2 * n_rows <= 2 * quarter and len(starts) != 1:
            part = samples.some(n_rows, rng)
            starts, n_rows = shortlisted(part, self._runs(part, starts, seeds, settings)), n_rows * WORTH_A_PART
        if len(starts) != 1 and not all_rows:
            starts = shortlisted(samples, self._runs(samples, starts, seeds, settings))
        return starts

    def _runs(
        self, samples: Samples, shortlist: list[Array], seeds: list[int], settings: dict[str, Any]
    ) -> list[LloydRun]:
        """Run from the shortlisted centres; if there are none, from every seed, and split and merge the best run."""
        if shortlist:
            return lloyd_runs(samples, shortlist, **settings, reach=REACH)
        rng, starts = np.random.RandomState(0), list[Array]()  # seeding it again is faster than a new generator
        for seed in seeds:
            rng.seed(seed)
            starts.append(kmeans_plusplus(samples.X, self.n_clusters, rng, samples.weights))
        runs = lloyd_runs(samples, starts, **settings)
        if len(runs) == 1:
            return runs
        return [*runs, split_and_merge(samples, best_of(runs), partial(lloyd_runs, samples, **settings), SAME)]

    @property
    def _n_features_out(self) -> int:
        """Number of columns of `transform`, for the names that `set_output` gives them."""
        return len(self.cluster_centers_)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the index of the nearest centre of each sample, shape (n,); for Dask's chunks a lazy array."""
        if is_chunked(X):
            return lazily(self._for_chunks(X).predict, X, dtype=np.intp)
        return nearest(samples_to_use(self, X), self.cluster_centers_)[0]

    def transform(self, X: ArrayLike) -> Array:
        """Return the distance of each sample to each centre, shape (n, K); for Dask's chunks a lazy array."""
        if is_chunked(X):
            return lazily(self._for_chunks(X).transform, X, len(self.cluster_centers_))
        return np.sqrt(squared_distances(samples_to_use(self, X), self.cluster_centers_))

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Return minus the inertia of X; for Dask's chunks in one pass."""
        return -float(sums_of(type(self)._inertia, self, X, sample_weight))

    def _inertia(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Array:
        distances = nearest(samples_to_use(self, X), self.cluster_centers_)[1]
        weights = check_sample_weight(sample_weight, len(distances))
        return np.asarray(distances.sum() if weights is None else weights[weights > 0] @ distances[weights > 0])

    _for_chunks = for_chunks


def _location_and_scale(samples: Samples) -> tuple[Array, float]:
    """Return the units of the search: the mean of X (D,), and about the root of its mean variance, or 1.

    Raises
    ------
    ValueError
        If squared distances would overflow.
    """
    if issparse(samples.X):  # centring would make it dense
        mean, variance = mean_variance_axis(samples.X, axis=0, weights=samples.weights)
        location, deviation = np.zeros(len(mean)), np.where(variance > 0, np.sqrt(np.maximum(variance, 0.0)), 1.0)
        deviation = np.maximum(np.abs(mean), deviation)
    else:
        location, deviation = samples.mean, samples.deviation
        if samples.constant.all():
            return location, 1.0
    if not SMALLEST_SCALE < deviation.max() < LARGEST_SCALE:
        raise ValueError(
            f"X must have standard deviations between {SMALLEST_SCALE:g} and {LARGEST_SCALE:g}, so that squared "
            f"distances fit a float, got {deviation.tolist()}: rescale X"
        )
    scale = np.sqrt(np.mean(deviation**2))
    return location, float(2 ** np.round(np.log2(scale)))  # a power of two divides without rounding
