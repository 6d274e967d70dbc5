"""Splits and merges of K-means' clusters lead out of optima that Lloyd's algorithm does not leave."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
import reference_data
from scipy.sparse import csr_array

from em import KMeans
from em.kmeans.lloyd import cluster_sums, lloyd, nearest
from em.kmeans.split_and_merge import SHARE, longest_axes, proposals, split_and_merge
from em.samples import Samples

RNG = np.random.RandomState(0)
GROUPS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
X = np.vstack([center + RNG.normal(size=(50, 2)) for center in GROUPS])


def samples_of(X, weights=None):
    return Samples(X, weights, np.ones(X.shape[0], dtype=bool), X.shape[0])


def runs_of(X, weights, starts):
    return [lloyd(X, weights, start) for start in starts]


def escaped(X, weights, start):
    run = partial(runs_of, X, weights)
    (stuck,) = run([start])
    return stuck, split_and_merge(samples_of(X, weights), stuck, run, 1e-9)


def test_two_centres_in_one_group_and_one_for_two_groups_are_put_right():
    start = np.array([[-1.0, 0.0], [1.0, 0.0], [10.0, 0.0], [5.0, 10.0]])
    stuck, free = escaped(X, None, start)
    assert -stuck.objective > 5 * -free.objective
    right = lloyd(X, None, GROUPS)
    assert free.objective == pytest.approx(right.objective, rel=1e-12)


def test_where_no_split_and_merge_helps_the_run_stays():
    right = lloyd(X, None, GROUPS)
    stuck, free = escaped(X, None, right.centers)
    assert free is stuck


def test_a_row_of_weight_3_is_three_rows_and_sparse_rows_are_dense_ones():
    weights = RNG.randint(1, 4, size=len(X)).astype(float)
    start = np.array([[-1.0, 0.0], [1.0, 0.0], [10.0, 0.0], [5.0, 10.0]])
    weighted = proposals(X, weights, start)
    repeated = proposals(np.repeat(X, weights.astype(int), axis=0), None, start)
    np.testing.assert_allclose(weighted, repeated, rtol=1e-9)
    np.testing.assert_allclose(proposals(csr_array(X), weights, start), weighted, rtol=1e-9)


def test_the_longest_axis_is_the_first_principal_component_of_a_long_cluster():
    Y = RNG.normal(size=(400, 3)) @ np.diag([5.0, 1.0, 0.5]) @ np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    center = Y.mean(axis=0)[None]
    spreads, axes = longest_axes(Y, np.ones(400), center, *nearest(Y, center))
    values, vectors = np.linalg.eigh(np.cov(Y.T, bias=True))
    assert spreads[0] == pytest.approx(400 * values[-1], rel=1e-3)  # four steps of the power method
    assert abs(axes[0] @ vectors[:, -1]) == pytest.approx(1, abs=1e-3)


def test_merging_costs_what_ward_says():
    labels = nearest(X, GROUPS)[0]
    counts = np.bincount(labels)
    centers = cluster_sums(X, labels, np.ones(len(X)), 4) / counts[:, None]
    before = nearest(X, centers)[1].sum()
    both = np.isin(labels, [0, 1])
    after = ((X[both] - X[both].mean(axis=0)) ** 2).sum() + ((X[~both] - centers[labels[~both]]) ** 2).sum()
    ward = counts[0] * counts[1] / (counts[0] + counts[1]) * ((centers[0] - centers[1]) ** 2).sum()
    assert after - before == pytest.approx(ward, rel=1e-9)


def test_a_normal_sample_cut_at_its_mean_loses_the_share_of_its_variance():
    """Tolerance: four standard errors of the mean of a half-normal variable's square about its mean."""
    x = np.random.RandomState(1).normal(size=(200_000, 1))
    half = np.sqrt(SHARE)
    inertia = nearest(x, np.array([[-half], [half]]))[1]
    assert inertia.mean() == pytest.approx(1 - SHARE, abs=4 * inertia.std() / np.sqrt(len(x)))


def test_the_most_promising_proposal_comes_first():
    start = np.array([[-1.0, 0.0], [1.0, 0.0], [10.0, 0.0], [5.0, 10.0]])
    first = proposals(X, None, start)[0]
    assert np.unique(nearest(GROUPS, first)[0]).size == 4


@pytest.mark.parametrize("rows", [np.zeros((6, 2)), np.repeat(np.eye(3), 2, axis=0)])
def test_clusters_without_spread_are_not_split(rows):
    assert proposals(rows, None, np.unique(rows, axis=0)) == []


@pytest.mark.parametrize("K", [3, 6, 10])
def test_several_restarts_end_no_higher_than_without_splits_and_merges(monkeypatch, K):
    iris = reference_data.iris()
    inertias = [KMeans(K, n_init=3, random_state=seed).fit(iris).inertia_ for seed in range(10)]
    monkeypatch.setattr("em.kmeans.split_and_merge", lambda samples, best, run, same: best)
    without = [KMeans(K, n_init=3, random_state=seed).fit(iris).inertia_ for seed in range(10)]
    assert (np.array(inertias) <= np.array(without) * (1 + 1e-9)).all()
    assert K == 3 or np.mean(inertias) < np.mean(without)


def test_the_answer_does_not_depend_on_the_order_of_the_rows():
    order = np.random.RandomState(2).permutation(len(X))
    one, other = (KMeans(7, random_state=0).fit(rows).cluster_centers_ for rows in (X[order], X[np.sort(order)]))
    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("scale", [2.0**-664, 2.0**664])
def test_only_ratios_of_weights_count(scale):
    start = np.array([[-1.0, 0.0], [1.0, 0.0], [10.0, 0.0], [5.0, 10.0]])
    weights = np.full(len(X), scale)
    np.testing.assert_allclose(proposals(X, weights, start), proposals(X, None, start), rtol=1e-9)
    one, other = (KMeans(6, n_init=3, random_state=0).fit(X, sample_weight=w) for w in (weights, None))
    assert one.inertia_ / scale == pytest.approx(other.inertia_, rel=1e-9)


def test_of_two_empty_clusters_none_is_put_nowhere():
    proposed = proposals(X, None, np.array([[90.0, 90.0], [99.0, 99.0], [5.0, 5.0]]))
    assert proposed
    assert np.isfinite(proposed).all()


def test_sparse_rows_need_no_distance_to_every_cluster_at_once():
    n, K = 100_000, 50
    rows = csr_array((np.ones(n), np.arange(n) % 100, np.arange(n + 1)), shape=(n, 100))
    centers = np.random.RandomState(0).uniform(size=(K, 100))
    tracemalloc.start()
    proposals(rows, None, centers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n * K * 8 / 2
