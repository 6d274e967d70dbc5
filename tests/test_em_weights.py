"""Weights are frequencies: a fit with weights is the fit of the rows repeated as often."""

import numpy as np
import pytest
import reference_data
from families import FAILINGS, each_family, feature_counts, largest_relative_gap, seeds
from hypothesis import given
from hypothesis import strategies as st

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, KMeans, NotIdentifiableWarning


def frequencies(seed, n):
    return np.random.RandomState(seed).randint(0, 4, size=n)


@each_family
@given(seed=seeds, K=st.integers(1, 3), D=feature_counts)
def test_weighted_rows_are_repeated_rows(family, seed, K, D):
    X, start, _ = family.problem(seed, K, D, 40)
    times = frequencies(seed, 40)
    times[:2] = 1  # the two rows that keep count data from being constant
    settings = {"init": start, "max_iter": 5, "quiet": FAILINGS}
    repeated = family.fit(np.repeat(X, times, axis=0), K, **settings)
    fit = family.fit(X, K, sample_weight=times, **settings)
    # the same sums in another order: five iterations may enlarge their rounding by the condition of the problem
    assert largest_relative_gap(fit.parameters_.arrays(), repeated.parameters_.arrays()) < 1e-9
    np.testing.assert_allclose(fit.history_, repeated.history_, rtol=1e-11)
    everything = np.repeat(X, times, axis=0)
    for criterion in ("aic", "bic", "icl", "score"):
        weighted, plain = getattr(fit, criterion)(X, sample_weight=times), getattr(repeated, criterion)(everything)
        assert weighted == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("init", ["k-means++", "kmeans"])
def test_starts_are_those_of_the_repeated_rows(init):
    X = reference_data.faithful()
    times = frequencies(0, len(X))
    settings = {"init": init, "n_init": 1, "random_state": 0}
    fit = GaussianMixtureEM(3, **settings).fit(X, sample_weight=times)
    repeated = GaussianMixtureEM(3, **settings).fit(np.repeat(X, times, axis=0))
    assert fit.history_[0] == pytest.approx(repeated.history_[0], rel=1e-12)
    assert fit.objective_ == pytest.approx(repeated.objective_, abs=3e-8)  # each within tol = 1e-8 of the same limit


def test_weights_of_k_means_are_repeated_rows():
    X = reference_data.faithful()
    times = frequencies(1, len(X))
    fit = KMeans(3, random_state=0).fit(X, sample_weight=times)
    repeated = KMeans(3, random_state=0).fit(np.repeat(X, times, axis=0))
    np.testing.assert_allclose(fit.cluster_centers_, repeated.cluster_centers_, rtol=1e-12)
    assert fit.inertia_ == pytest.approx(repeated.inertia_, rel=1e-12)
    assert fit.score(X, sample_weight=times) == pytest.approx(-fit.inertia_, rel=1e-12)
    assert fit.labels_.shape == (len(X),)  # rows of weight zero are labelled all the same


def test_patterns_with_counts_are_the_published_fit():
    """LSAT 7 as its 32 response patterns with their frequencies (Bock & Lieberman 1970): the same maximum."""
    X, times = np.unique(reference_data.lsat7(), axis=0, return_counts=True)
    assert len(X) < 33
    fit = BernoulliMixtureEM(2, random_state=0, tol=1e-12).fit(X, sample_weight=times)
    assert fit.log_likelihood_ == pytest.approx(-2660.296827, abs=1e-6)


@each_family
def test_a_weight_of_two_weighs_everywhere_alike(family):
    X, start, _ = family.problem(3, 2, 2, 60)
    one, two = (family.fit(X, 2, init=start, max_iter=3, quiet=FAILINGS, sample_weight=np.full(60, w)) for w in (1, 2))
    assert two.log_likelihood_ != one.log_likelihood_
    if family.name.endswith("ML"):  # without a prior the maximum is the same and the log-likelihood doubles
        np.testing.assert_allclose(two.history_, 2 * one.history_, rtol=1e-12)


def test_trials_of_rows_without_weight_are_left_out():
    """Ten trials in a row that does not occur tell nothing: one flip per coin stays unidentified."""
    X, trials, weights = np.array([[1], [0], [1], [0], [1], [5]]), np.array([[1]] * 5 + [[10]]), [1, 1, 1, 1, 1, 0]
    with pytest.warns(NotIdentifiableWarning):
        BinomialMixtureEM(2, n_trials=trials, n_init=1, random_state=0).fit(X, sample_weight=weights)
    with pytest.raises(ValueError, match=r"n_trials must be a number or have shape .*, got \(7, 1\)"):
        BinomialMixtureEM(2, n_trials=np.ones((7, 1), dtype=int)).fit(X, sample_weight=weights)


def test_repeated_rows_of_different_trials_take_the_same_steps():
    """The steps' metric knows the trials of the rows that occur, as often as they occur, and no others."""
    rng = np.random.default_rng(0)
    trials, times = rng.integers(1, 6, size=(40, 3)), frequencies(2, 40)
    trials[times == 0] = 100
    X, rows = rng.binomial(trials, rng.choice([0.2, 0.5, 0.7], (40, 1))), np.repeat(np.arange(40), times)
    settings = {"n_init": 2, "random_state": 0}
    fit = BinomialMixtureEM(3, n_trials=trials, **settings).fit(X, sample_weight=times)
    repeated = BinomialMixtureEM(3, n_trials=trials[rows], **settings).fit(X[rows])
    np.testing.assert_array_equal(fit.history_, repeated.history_)
    np.testing.assert_array_equal(fit.probs_, repeated.probs_)
