"""Exchanges of rows between clusters lower the inertia by what they say, and a fit leaves none that would."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn import datasets

from em import KMeans
from em.kmeans.exchanges import after_exchanges
from em.status import left_to_the_status

RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 2))


def inertia(X, labels, w):
    """Σ w ‖x - c‖² about the clusters' own means."""
    means = np.stack([np.average(X[labels == k], axis=0, weights=w[labels == k]) for k in range(labels.max() + 1)])
    return w @ ((X - means[labels]) ** 2).sum(axis=1)


def lowest_after_a_move(X, labels, w):
    """The least inertia after one row has gone to another cluster, by trying all."""
    tried = []
    for i in np.flatnonzero(np.bincount(labels)[labels] > 1):
        for k in set(range(labels.max() + 1)) - {labels[i]}:
            moved = labels.copy()
            moved[i] = k
            tried.append(inertia(X, moved, w))
    return min(tried)


def labels_of(X, centers):
    return ((X[:, None] - centers) ** 2).sum(axis=2).argmin(axis=1)


@pytest.mark.parametrize("weighted", [False, True])
def test_exchanges_lower_the_inertia_and_none_that_would_is_left_by_a_fit(weighted):
    n_stuck = 0
    w = RNG.randint(1, 4, size=len(X)).astype(float) if weighted else np.ones(len(X))
    for seed in range(10):
        lloyds = KMeans(6, n_init=1, random_state=seed).fit(X, sample_weight=w)
        moved = after_exchanges(X, w, lloyds.cluster_centers_)
        assert (moved is not None) == (lowest_after_a_move(X, lloyds.labels_, w) < lloyds.inertia_ * (1 - 1e-9))
        if moved is not None:
            n_stuck += 1
            assert w @ ((X - moved[labels_of(X, moved)]) ** 2).sum(axis=1) < lloyds.inertia_
        fit = KMeans(6, random_state=seed).fit(X, sample_weight=w)
        assert lowest_after_a_move(X, fit.labels_, w) >= fit.inertia_ * (1 - 1e-9)
    assert n_stuck > 2  # as often Lloyd's algorithm alone does not see them


def test_sparse_rows_are_dense_ones():
    centers = KMeans(6, n_init=1, random_state=0).fit(X).cluster_centers_
    expected, found = after_exchanges(X, None, centers), after_exchanges(csr_array(X), None, centers)
    assert expected is not None
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_where_a_cluster_has_no_row_nothing_is_exchanged():
    assert after_exchanges(X, None, np.array([[0.0, 0.0], [99.0, 99.0]])) is None


def test_every_seed_finds_the_lowest_inertia_of_digits_in_three_clusters():
    fits = [KMeans(3, random_state=seed).fit(datasets.load_digits().data) for seed in range(5)]
    np.testing.assert_allclose([fit.inertia_ for fit in fits], min(fit.inertia_ for fit in fits), rtol=1e-12)
    for fit in fits:  # the iterations before the exchanges count, too
        assert len(fit.history_) == fit.n_iter_ + 1 > 5
        assert (np.diff(fit.history_) >= 0).all()


@pytest.mark.filterwarnings("error")
def test_weights_that_vanish_beside_others_do_no_harm():
    X = np.random.RandomState(0).normal(size=(60, 2))
    assert np.isfinite(KMeans(3, random_state=0).fit(X, sample_weight=10.0 ** np.linspace(-200, 200, 60)).inertia_)


@pytest.mark.parametrize("max_iter", [1, 5, 15, 20])
def test_exchanges_keep_to_the_largest_number_of_iterations(max_iter):
    with left_to_the_status():
        fit = KMeans(10, random_state=0, max_iter=max_iter).fit(datasets.load_digits().data)
    assert fit.n_iter_ <= max_iter
    assert fit.converged_ == (max_iter >= 15)
