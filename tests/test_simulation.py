"""Ancestral simulation: labels, then samples; reproducible; exact where the mixture is."""

import numpy as np
import pytest
from scipy import stats

from models import bmm, gmm

GAUSSIAN = gmm.GMMParameters(
    [0.3, 0.7], [[0.0, 0.0], [50.0, 0.0]], [[[1.0, 0.8], [0.8, 1.0]], [[4.0, -1.0], [-1.0, 1.0]]]
)
COUNT = bmm.BMMParameters([0.3, 0.7], [[0.0, 0.2], [1.0, 0.6]])


def test_labels_follow_the_weights_and_samples_their_component():
    X, z = gmm.simulate(GAUSSIAN, 20_000, random_state=0)
    assert stats.chisquare(np.bincount(z), 20_000 * GAUSSIAN.weights).pvalue > 1e-5
    np.testing.assert_array_equal(z, (X[:, 0] > 25).astype(int))  # 25 standard deviations apart
    for k in range(2):
        own = X[z == k]
        for d in range(2):
            theory = stats.norm(GAUSSIAN.means[k, d], np.sqrt(GAUSSIAN.covariances[k, d, d]))
            assert stats.kstest(own[:, d], theory.cdf).pvalue > 1e-5
        whitened = np.linalg.solve(GAUSSIAN.cholesky[k], (own - GAUSSIAN.means[k]).T)
        assert stats.kstest((whitened**2).sum(axis=0), stats.chi2(2).cdf).pvalue > 1e-5


def test_counts_are_binomial_within_their_label():
    X, z = bmm.simulate(COUNT, 20_000, 5, random_state=0)
    assert stats.chisquare(np.bincount(z), 20_000 * COUNT.weights).pvalue > 1e-5
    np.testing.assert_array_equal(X[:, 0], 5 * z)  # probs of exactly 0 and 1
    for k in range(2):
        observed = np.bincount(X[z == k, 1].astype(int), minlength=6)
        expected = (z == k).sum() * stats.binom.pmf(np.arange(6), 5, COUNT.probs[k, 1])
        assert stats.chisquare(observed, expected).pvalue > 1e-5


@pytest.mark.parametrize(("simulate", "parameters"), [(gmm.simulate, GAUSSIAN), (bmm.simulate, COUNT)])
def test_a_seed_repeats_the_draw_and_a_random_state_moves_on(simulate, parameters):
    X, z = simulate(parameters, 30, random_state=7)
    again = simulate(parameters, 30, random_state=7)
    np.testing.assert_array_equal(X, again[0])
    np.testing.assert_array_equal(z, again[1])
    stream = np.random.RandomState(7)
    np.testing.assert_array_equal(simulate(parameters, 30, random_state=stream)[0], X)
    assert not np.array_equal(simulate(parameters, 30, random_state=stream)[0], X)
    assert (X.shape, z.shape, X.dtype, z.dtype.kind) == ((30, 2), (30,), np.float64, "i")


def test_a_weight_of_zero_is_never_drawn():
    parameters = bmm.BMMParameters([0.0, 1.0, 0.0], [[0.5], [0.5], [0.5]])
    assert set(bmm.simulate(parameters, 1000, random_state=0)[1]) == {1}


def test_n_trials_may_differ_by_feature_and_by_cell():
    certain = bmm.BMMParameters([1.0], [[1.0, 1.0]])
    np.testing.assert_array_equal(bmm.simulate(certain, 3, [2, 9], random_state=0)[0], [[2, 9]] * 3)
    by_cell = np.arange(1, 7).reshape(3, 2)
    np.testing.assert_array_equal(bmm.simulate(certain, 3, by_cell, random_state=0)[0], by_cell)


@pytest.mark.parametrize("n", [0, -1, 2.0, "3", True, None])
def test_a_bad_number_of_samples_is_refused(n):
    for simulate, parameters in [(gmm.simulate, GAUSSIAN), (bmm.simulate, COUNT)]:
        with pytest.raises(ValueError, match="n_samples must be a whole number of at least 1, got"):
            simulate(parameters, n)


@pytest.mark.parametrize(
    "n_trials", [0, -1, 1.5, np.nan, np.inf, "many", True, [1, 2, 3], np.ones((2, 2)), [[1], [1, 2]]]
)
def test_bad_n_trials_are_refused(n_trials):
    with pytest.raises(ValueError, match="n_trials must"):
        bmm.simulate(COUNT, 4, n_trials)
