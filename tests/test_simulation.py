"""Ancestral simulation: labels, then samples; reproducible; exact where the mixture is."""

import numpy as np
import pytest
from random_mixtures import random_gmm_prior
from scipy import stats

from models import bmm, gmm
from models.gmm.structures import COVARIANCE_TYPES

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


# A fixed seed: a p-value below 1e-4 in one of these few looks is a wrong distribution, not bad luck.
SMALLEST_P = 1e-4


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_parameters_drawn_from_the_conjugate_prior_have_its_marginals(kind):
    """π_0 is beta, κ0 (μ - m0)' Σ⁻¹ (μ - m0) is χ²(D), Σ_dd is inverse gamma with shape (ν0 - D + 1) / 2 or ν0 / 2."""
    prior, rng = random_gmm_prior(3, 2, np.random.default_rng(0), kind), np.random.RandomState(0)
    draws = [gmm.draw_parameters(prior, 3, rng) for _ in range(1000)]
    weights, means = (np.stack([getattr(draw, name) for draw in draws]) for name in ("weights", "means"))
    matrices, a = np.stack([draw.covariance_matrices for draw in draws]), prior.concentration
    assert stats.kstest(weights[:, 0], stats.beta(a[0], a[1:].sum()).cdf).pvalue > SMALLEST_P
    gap = means[:, 0] - prior.mean
    distance = prior.mean_precision * np.einsum("sd,sde,se->s", gap, np.linalg.inv(matrices[:, 0]), gap)
    assert stats.kstest(distance, stats.chi2(2).cdf).pvalue > SMALLEST_P
    degrees = prior.degrees_of_freedom - (1 if kind in ("full", "tied") else 0)
    scale = np.diag(prior.scale) if prior.scale.ndim == 2 else np.broadcast_to(prior.scale, 2)
    assert stats.kstest(matrices[:, 0, 1, 1], stats.invgamma(degrees / 2, scale=scale[1] / 2).cdf).pvalue > SMALLEST_P


def test_parameters_drawn_from_the_beta_prior_have_its_marginals():
    prior, rng = bmm.BMMPrior([0.5, 1.5], [0.7, 3.0], [2.0, 0.4]), np.random.RandomState(0)
    draws = [bmm.draw_parameters(prior, 2, 2, rng) for _ in range(1000)]
    assert stats.kstest([draw.weights[0] for draw in draws], stats.beta(0.5, 1.5).cdf).pvalue > SMALLEST_P
    for d in range(2):
        marginal = stats.beta(prior.successes[d], prior.failures[d])
        assert stats.kstest(np.ravel([draw.probs[:, d] for draw in draws]), marginal.cdf).pvalue > SMALLEST_P


def test_weights_of_a_tiny_concentration_are_weights():
    """Gamma(1e-4) itself rounds to 0; of such weights one is nearly 1, each as often."""
    drawn = [bmm.draw_parameters(bmm.BMMPrior(1e-4), 3, 1, seed).weights for seed in range(200)]
    np.testing.assert_allclose(np.sum(drawn, axis=1), 1, rtol=1e-12)
    counts = np.bincount(np.argmax(drawn, axis=1), minlength=3)
    assert (np.abs(counts - 200 / 3) < 4.5 * np.sqrt(200 * 2 / 9)).all()


def test_parameters_are_drawn_only_from_a_prior_that_fits():
    conjugate = random_gmm_prior(3, 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match=r"prior.concentration must be a number or have shape \(2,\), got \(3,\)"):
        gmm.draw_parameters(conjugate, 2)
    with pytest.raises(ValueError, match="prior must be a GMMPrior or a GMMIndependentPrior, got BMMPrior"):
        gmm.draw_parameters(bmm.BMMPrior(), 2)
    with pytest.raises(ValueError, match=r"prior must be .*such as a BMMPrior, got GMMPrior"):
        bmm.draw_parameters(conjugate, 2, 2)
    with pytest.raises(ValueError, match="n_features must be a whole number of at least 1, got 0"):
        bmm.draw_parameters(bmm.BMMPrior(), 2, 0)
