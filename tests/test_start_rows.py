"""Starts of many rows look at some that stand for all, whatever repeats or is rare, in memory and in chunks."""

import dask.array as da
import numpy as np
import pytest
from sklearn.base import clone

from em import GaussianMixtureEM, KMeans, PoissonMixtureEM
from em.chunked.samples import chunked_samples
from em.gmm.units import units_of
from em.samples import kept_samples
from em.samples.distinct import distinct_rows, hashes, order_of_values
from em.samples.missed import candidates

MOST, N = 640, 6000
LATE = 2**63  # a hash that no sketch shows of so many rows


@pytest.fixture(autouse=True)
def few_rows_are_sketched(monkeypatch):
    monkeypatch.setattr("em.samples.sketch.MOST_SKETCHED", MOST)


def in_memory_and_in_chunks(X, weights=None):
    chunks = da.from_array(X[::-1].copy(), chunks=(1000, -1))
    return [
        kept_samples(X, weights, None),
        chunked_samples(GaussianMixtureEM(2), chunks, None if weights is None else weights[::-1]),
    ]


@pytest.mark.parametrize("number", [0, -1], ids=["in the sketch", "not there"])
def test_a_row_of_half_of_the_samples_is_half_of_the_start_rows(number):
    X = np.random.RandomState(0).normal(size=(N, 2))
    X[N // 2 :] = often = X[np.argsort(hashes(X))[number]]
    for samples in in_memory_and_in_chunks(X):
        rows = samples.start_rows
        (those,) = np.nonzero((rows.X - often == 0).all(axis=1))
        assert len(those) == 1
        assert rows.weights[those] / rows.total == pytest.approx(0.5, abs=5 * 0.25 / np.sqrt(MOST))  # the error of p
    memory, chunks = (samples.start_rows for samples in in_memory_and_in_chunks(X))
    np.testing.assert_array_equal(memory.X, chunks.X)
    np.testing.assert_allclose(memory.weights, chunks.weights, rtol=1e-12)


def test_a_cluster_of_one_row_is_found():
    rng = np.random.RandomState(0)
    centers = np.array([[30.0, 0.0], [0.0, 30.0], [-30.0, -30.0]])
    X = centers[rng.randint(3, size=N)] + rng.normal(size=(N, 2))
    X[N // 2 :] = next(row for row in X[N // 2 :] + 30.0 if hashes(row[None]) > LATE)
    for rows in (X, da.from_array(X, chunks=(1000, -1))):
        assert KMeans(4, n_init=2, random_state=0).fit(rows).inertia_ == pytest.approx(
            N, rel=0.1
        )  # Σ |x - c|² of N / 2 rows of 2 features


def test_weights_of_a_thousand_samples_make_gaps_between_runs_no_clearer():
    X, weights = np.random.RandomState(0).normal(size=(N, 2)), np.random.RandomState(1).uniform(0.5, 2, size=N)
    one, thousand = (in_memory_and_in_chunks(X, w)[0].start_rows for w in (weights, 1000 * weights))
    np.testing.assert_allclose(thousand.weights, one.weights, rtol=1e-12)
    assert one.total == pytest.approx((one.weights**2).sum())


def test_a_constant_that_hardly_a_row_shows_is_in_every_start():
    X = np.random.RandomState(0).poisson(np.repeat([[20.0], [40.0]], N // 2, axis=0), size=(N, 4)).astype(float)
    X[:, 3] = 7
    X[np.setdiff1d(range(N), np.flatnonzero(hashes(X) > LATE)[:2]), 3] = np.nan
    fit = PoissonMixtureEM(2, random_state=0)
    fits = [clone(fit).fit(rows) for rows in (X, da.from_array(X, chunks=(1000, -1)))]
    for one in fits:
        np.testing.assert_allclose(one.rates_[:, 3], 7.0, rtol=1e-6)
    np.testing.assert_allclose(fits[1].rates_, fits[0].rates_, rtol=1e-6)


def test_where_starts_are_given_no_pass_looks_for_start_rows():
    X = np.random.RandomState(0).normal(size=(N, 2))
    _, chunks = in_memory_and_in_chunks(X)
    standard = chunks.in_units(units_of(chunks, "full"))
    assert "start_rows" not in vars(chunks)
    np.testing.assert_allclose(
        standard.start_rows.X, (chunks.start_rows.X - chunks.mean) / chunks.deviation, rtol=1e-12
    )


@pytest.mark.parametrize("seed", range(5))
def test_candidates_are_among_all_rows_that_are_frequent(seed):
    rng, k = np.random.RandomState(seed), 10
    X = rng.geometric(0.2, size=(3000, 1)).astype(float)
    weights = rng.uniform(size=3000)
    chosen, sums = distinct_rows(X, weights)
    frequent = X[chosen[sums > weights.sum() / (k + 1)], 0]
    found = candidates(kept_samples(X, weights, None), k)
    assert len(found.rows) <= k
    assert set(frequent) <= set(found.rows[:, 0])
    assert len(candidates(kept_samples(np.arange(100.0)[:, None], None, None), k).rows) == 0


def test_no_rows_have_an_empty_order():
    assert order_of_values(np.empty((0, 2))).tolist() == []
