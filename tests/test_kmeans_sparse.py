"""K-means of sparse rows is that of the same dense rows, to rounding, and never makes them dense as a whole."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse import csr_array
from sklearn.cluster import KMeans as RivalKMeans

from em import KMeans
from em.kmeans import _location_and_scale, nearest, squared_distances
from em.samples import Samples

FORMATS = ["csr", "csc", "coo", "lil", "dok", "bsr", "dia"]


def rare_cells(n=300, D=12, K=3, seed=0, density=0.3):
    """Draw rows of K classes, most cells 0, some negative."""
    rng = np.random.RandomState(seed)
    means = rng.normal(scale=3, size=(K, D))
    return np.where(rng.uniform(size=(n, D)) < density, means[rng.randint(K, size=n)] + rng.normal(size=(n, D)), 0.0)


def tight_clusters(n=400, D=6, offset=1e6, seed=0):
    """Draw rows far from the origin beside what separates them, where expanding the square would lose most digits."""
    rng = np.random.RandomState(seed)
    X = offset + rng.randint(3, size=(n, 1)) * 20.0 + rng.normal(size=(n, D))
    X[:, -1] = 0
    return X


DATA = {"rare cells": rare_cells(), "far from the origin": tight_clusters(), "no cell but one": np.eye(30)[:, :8]}


def assert_same_fit(fit, dense, X):
    """Sums in another order: rounding of the data's size, and of the distances' for the inertia at the end."""
    size = np.abs(dense.cluster_centers_).max()
    np.testing.assert_allclose(fit.cluster_centers_, dense.cluster_centers_, rtol=0, atol=1e-13 * size)
    np.testing.assert_array_equal(fit.labels_, dense.labels_)
    np.testing.assert_allclose(fit.history_[-1], dense.history_[-1], rtol=1e-9)
    np.testing.assert_allclose(fit.history_, dense.history_, rtol=1e-9, atol=1e-15 * (X**2).sum())  # before it
    assert (fit.n_iter_, fit.converged_) == (dense.n_iter_, dense.converged_)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("weighted", [False, True])
def test_every_figure_is_that_of_the_dense_rows(data, weighted):
    X = DATA[data]
    S, new = csr_array(X), csr_array(X[::3] * 1.01)
    times = np.random.RandomState(1).randint(0, 4, size=len(X)) if weighted else None
    for init in ("k-means++", X[:3]):
        fit, dense = (KMeans(3, init=init, n_init=3, random_state=0).fit(rows, sample_weight=times) for rows in (S, X))
        assert_same_fit(fit, dense, X)
        np.testing.assert_array_equal(fit.predict(new), dense.predict(new.toarray()))
        distances = dense.transform(new.toarray())
        np.testing.assert_allclose(fit.transform(new), distances, rtol=1e-9, atol=1e-14)
        assert fit.score(S, sample_weight=times) == pytest.approx(dense.score(X, sample_weight=times), rel=1e-9)
        np.testing.assert_array_equal(fit.predict(X), fit.labels_)


def test_scikit_learns_sparse_k_means_ends_at_the_same_centres():
    X = rare_cells(D=20)
    fit = KMeans(3, init=X[:3]).fit(csr_array(X))
    rival = RivalKMeans(3, init=X[:3], n_init=1, tol=0.0, max_iter=1000, algorithm="lloyd").fit(csr_array(X))
    np.testing.assert_allclose(fit.cluster_centers_, rival.cluster_centers_, rtol=1e-9, atol=1e-12)
    assert fit.inertia_ == pytest.approx(rival.inertia_, rel=1e-10)


@pytest.mark.parametrize("offset", [0.0, 1.0, 1e4, 1e8])
def test_distances_keep_the_digits_of_differences(offset):
    """Expanding the square alone would miss by a rounding of ‖x‖², here up to 1e17 times the distance."""
    X = tight_clusters(50, 7, offset)
    centers = X[[3, 20, 45]] + [[0.0], [1e-6], [0.5]]
    exact = np.array([[((x - c).astype(np.longdouble) ** 2).sum() for c in centers] for x in X], dtype=float)
    np.testing.assert_allclose(squared_distances(csr_array(X), centers), exact, rtol=1e-12)
    assert squared_distances(csr_array(X), centers)[3, 0] == 0
    labels, closest = nearest(csr_array(X), centers)
    np.testing.assert_array_equal(labels, exact.argmin(axis=1))
    np.testing.assert_allclose(closest, exact.min(axis=1), rtol=1e-12)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("weights", [None, np.linspace(0.1, 2, 400)], ids=["once", "weighted"])
def test_the_scale_is_that_of_the_dense_columns_with_their_means(data, weights):
    X = DATA[data]
    w = None if weights is None else weights[: len(X)]
    samples = Samples(X, w, np.ones(len(X), dtype=bool), len(X))
    size = np.maximum(np.abs(samples.mean), samples.deviation)
    wanted = np.sqrt(np.mean(np.where(size > 0, size, 1.0) ** 2))
    location, scale = _location_and_scale(replace(samples, X=csr_array(X)))
    assert not location.any()
    assert scale == 2 ** np.round(np.log2(wanted))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("container", ["array", "matrix"])
@pytest.mark.parametrize("dtype", [bool, np.int8, np.float32])
def test_any_format_and_type_gives_the_same_fit_and_is_left_alone(kind, container, dtype):
    X = rare_cells(60, 5).round().astype(dtype)
    expected = KMeans(2, init=X[:2]).fit(csr_array(X.astype(float)))
    S = getattr(sparse, f"{kind}_{container}")(X)
    fit = KMeans(2, init=X[:2]).fit(S)
    assert fit.history_.tolist() == expected.history_.tolist()
    np.testing.assert_array_equal(fit.transform(S), expected.transform(csr_array(X.astype(float))))
    assert (S.dtype, S.format) == (dtype, kind)


def test_weights_stand_for_repeated_sparse_rows():
    X, times = rare_cells(), np.random.RandomState(2).randint(0, 4, size=300)
    fit = KMeans(3, random_state=0).fit(csr_array(X), sample_weight=times)
    repeated = KMeans(3, random_state=0).fit(csr_array(np.repeat(X, times, axis=0)))
    assert fit.inertia_ == pytest.approx(repeated.inertia_, rel=1e-12)
    np.testing.assert_allclose(fit.cluster_centers_, repeated.cluster_centers_, rtol=1e-10, atol=1e-13)


def test_an_emptied_cluster_restarts_at_the_worst_placed_sparse_row():
    X = np.array([[0.0, 1.0], [1.0, 0.0], [10.0, 0.0], [11.0, 0.0]])
    fit = KMeans(2, init=[[5.0, 0.0], [1000.0, 0.0]]).fit(csr_array(X))
    np.testing.assert_array_equal(np.sort(fit.cluster_centers_[:, 0]), [0.5, 10.5])


def test_nothing_of_the_size_of_dense_x_is_ever_held():
    """Loose and tight rows: half of them lie on three points, whose distances are computed from differences."""
    n, D = 10_000, 2_000
    loose = sparse.random_array((n // 2, D), density=2e-3, format="csr", rng=np.random.default_rng(0))
    S = sparse.vstack([loose, loose[np.arange(n // 2) % 3]], format="csr")
    tracemalloc.start()
    fit = KMeans(5, n_init=1, tol=1.0, random_state=0).fit(S)
    fit.predict(S), fit.score(S), fit.transform(S)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * n * D / 5


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([[0, np.nan], [0, 1]], "X must be finite where it is sparse, got NaN or infinity in it$"),
        ([[0, 1j], [0, 1]], "X must hold numbers, got a sparse csr_array"),
        ([[0, 1]], "at least two rows"),
        ([[0, 1], [1, 0]], "n_clusters must be at most the number of samples 2, got 3"),
    ],
)
def test_sparse_data_that_will_not_do_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        KMeans(3).fit(csr_array(X))


def test_rows_of_another_width_are_refused():
    fit = KMeans(2, random_state=0).fit(csr_array(np.eye(4)))
    with pytest.raises(ValueError, match="X has 3 features, but KMeans is expecting 4"):
        fit.predict(csr_array(np.eye(3)))
