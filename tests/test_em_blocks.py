"""Sums over blocks of rows are the sums over all rows, and data far from zero keep their digits."""

import numpy as np
import pytest
import reference_data

import em.engine.blocks
from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, KMeans
from em.engine.blocks import blocks

TRIALS = np.random.RandomState(0).randint(1, 6, size=(100, 3))
CASES = [
    pytest.param(GaussianMixtureEM(2, n_init=1, random_state=0), reference_data.faithful(), id="gaussian"),
    pytest.param(BernoulliMixtureEM(2, n_init=1, random_state=0), reference_data.lsat7(), id="bernoulli"),
    pytest.param(
        BinomialMixtureEM(2, n_trials=TRIALS, n_init=1, random_state=0),
        np.random.RandomState(1).binomial(TRIALS, np.repeat([0.2, 0.7], 50)[:, None]),
        id="binomial",
    ),
    pytest.param(KMeans(3, n_init=1, random_state=0), reference_data.faithful(), id="k-means"),
]


@pytest.mark.parametrize("rows", [5, 64])
@pytest.mark.parametrize(("estimator", "X"), CASES)
def test_small_blocks_give_the_same_fit(estimator, X, rows, monkeypatch):
    history, objective = estimator.fit(X).history_, estimator.objective_
    predictions = estimator.predict(X)
    monkeypatch.setattr(em.engine.blocks, "BLOCK_ROWS", rows)
    again = estimator.fit(X)
    assert len(list(blocks(len(X)))) == -(-len(X) // rows)
    # the same terms summed in another order: up to 1000 terms, and the digits lost are not enlarged at a maximum
    np.testing.assert_allclose(again.history_[:5], history[:5], rtol=1e-11)
    np.testing.assert_allclose(again.objective_, objective, rtol=1e-11)
    np.testing.assert_array_equal(again.predict(X), predictions)


def test_more_rows_than_one_block_give_the_sums_of_one(monkeypatch):
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=(6000, 2)), rng.normal(size=(3001, 2)) + 4])
    assert len(X) > 2 * em.engine.blocks.BLOCK_ROWS
    fit = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
    proba, score = fit.predict_proba(X), fit.score_samples(X)
    monkeypatch.setattr(em.engine.blocks, "BLOCK_ROWS", 10**6)
    whole = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
    np.testing.assert_allclose(fit.covariances_, whole.covariances_, rtol=1e-9, atol=1e-9)  # both within 1e-8 nats
    np.testing.assert_allclose(fit.objective_, whole.objective_, rtol=1e-12)
    np.testing.assert_allclose(fit.predict_proba(X), proba, rtol=1e-12)
    np.testing.assert_allclose(fit.score_samples(X), score, rtol=1e-12)


@pytest.mark.parametrize("rows", [1, 3, 10, 11])
def test_blocks_cover_every_row_once(rows, monkeypatch):
    monkeypatch.setattr(em.engine.blocks, "BLOCK_ROWS", rows)
    covered = np.concatenate([np.arange(10)[block] for block in blocks(10)])
    np.testing.assert_array_equal(covered, np.arange(10))


def test_data_far_from_zero_keep_their_digits():
    shift = 2.0**20
    X = np.round(reference_data.faithful() * 2**10) / 2**10  # so that X + shift is exact
    near = GaussianMixtureEM(2, tol=1e-12, n_init=3, random_state=0).fit(X)
    far = GaussianMixtureEM(2, tol=1e-12, n_init=3, random_state=0).fit(X + shift)
    # A mean near 1e6 is stored to 1e-10 and the smallest standard deviation is 0.3: 1e-9 in the responsibilities. Raw
    # second moments would have lost 12 of 16 digits of the covariances.
    np.testing.assert_allclose(far.weights_, near.weights_, rtol=1e-8)
    np.testing.assert_allclose(far.means_ - shift, near.means_, rtol=1e-8)
    np.testing.assert_allclose(far.covariances_, near.covariances_, rtol=1e-7)
    np.testing.assert_allclose(far.log_likelihood_, near.log_likelihood_, rtol=1e-10)


def test_clusters_far_from_zero_keep_their_digits():
    shift = 2.0**20
    X = np.round(reference_data.faithful() * 2**10) / 2**10
    near = KMeans(3, n_init=3, random_state=0).fit(X)
    far = KMeans(3, n_init=3, random_state=0).fit(X + shift)
    np.testing.assert_array_equal(far.labels_, near.labels_)
    np.testing.assert_allclose(far.inertia_, near.inertia_, rtol=1e-9)
