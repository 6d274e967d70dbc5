"""The bootstrap likelihood-ratio test of the number of components."""

import warnings

import numpy as np
import pytest
import reference_data
from scipy.stats import binom, norm
from sklearn.base import clone

import em.likelihood_ratio
from em import (
    BernoulliMixtureEM,
    BinomialMixtureEM,
    GaussianMixtureEM,
    KMeans,
    LikelihoodRatioTest,
    likelihood_ratio_test,
)
from em.batches import best_runs
from em.estimator import MixtureEM
from models.bmm import BMMParameters, BMMPrior
from models.bmm import simulate as simulate_bmm
from models.gmm import GMMParameters
from models.gmm import simulate as simulate_gmm


def two_clusters(distance, n=40):
    return simulate_gmm(GMMParameters([0.5, 0.5], [[0.0], [distance]], [[[1.0]], [[1.0]]]), n, random_state=0)[0]


def test_the_statistic_is_twice_the_gain_in_log_likelihood():
    X = two_clusters(8.0)
    test = likelihood_ratio_test(X, GaussianMixtureEM(n_init=2), 1, n_bootstrap=1, random_state=0)
    one = norm(X.mean(), X.std()).logpdf(X).sum()
    alternative = GaussianMixtureEM(2, random_state=1).fit(X).log_likelihood_
    # both fits are within tol = 1e-8 nats of the maximum, whatever their seeds
    assert test.statistic == pytest.approx(2 * (alternative - one), rel=0, abs=4e-8)
    assert (test.null.n_components, test.alternative.n_components) == (1, 2)


def test_the_p_value_counts_the_statistic_itself_among_the_simulated():
    fit = GaussianMixtureEM(1)
    test = LikelihoodRatioTest(fit, fit, 3.0, np.array([1.0, 2.0, 3.0, 4.0]), 0)
    assert test.p_value == (1 + 2) / 5
    assert LikelihoodRatioTest(fit, fit, 9.0, np.array([1.0, 2.0, 3.0, 4.0]), 0).p_value == 1 / 5
    assert "K = 1 against 2: statistic 3, p = 0.6 (4 bootstrap samples; 0 more collapsed)" in repr(test)


def test_clear_clusters_are_found_and_no_more():
    X = simulate_bmm(BMMParameters([0.5, 0.5], [[0.1], [0.9]]), 60, 12, random_state=0)[0]
    estimator = BinomialMixtureEM(n_trials=12, n_init=2, tol=1e-2)
    tests = [likelihood_ratio_test(X, estimator, K, n_bootstrap=19, random_state=0) for K in (1, 2)]
    assert tests[0].p_value == 1 / 20
    assert tests[1].p_value > 1 / 20
    gaussian = GaussianMixtureEM(n_init=2, tol=1e-2)
    test = likelihood_ratio_test(two_clusters(8.0), gaussian, 1, n_bootstrap=9, random_state=0)
    assert test.statistic > test.bootstrap_statistics.max()
    assert test.p_value == 1 / (len(test.bootstrap_statistics) + 1)


def test_the_level_is_held():
    # Under K components P(p <= a) <= a for each multiple a of 1 / (B + 1): of 16 independent data sets so many reject
    # with a binomial count, which exceeds its bound here once in 1e4.
    estimator, p_values = BernoulliMixtureEM(n_init=1, tol=1e-2), []
    for seed in range(16):
        X = simulate_bmm(BMMParameters([1.0], [[0.3, 0.5, 0.6]]), 60, random_state=seed)[0]
        p_values.append(likelihood_ratio_test(X, estimator, 1, n_bootstrap=9, random_state=seed).p_value)
    for level in (0.1, 0.2, 0.5):
        assert np.sum(np.array(p_values) <= level + 1e-9) <= binom(16, level).ppf(1 - 1e-4)
    assert np.min(p_values) < 0.5  # and it is not held by never rejecting


def seeing(seen):
    """`best_runs`, which leaves the rows of each sample that it is given."""

    def spy(estimators, samples):
        seen.extend(own.X for own in samples)
        return best_runs(estimators, samples)

    return spy


def test_simulated_samples_follow_the_fit_with_fewer_components(monkeypatch):
    X, seen = two_clusters(3.0, n=50), []
    monkeypatch.setattr(em.likelihood_ratio, "best_runs", seeing(seen))
    likelihood_ratio_test(X, GaussianMixtureEM(n_init=1, tol=1e-2), 1, n_bootstrap=20, random_state=0)
    assert [Y.shape for Y in seen] == [X.shape] * 40  # each is fitted twice
    np.testing.assert_array_equal(seen[:20], seen[20:])
    drawn = np.concatenate(seen[:20])
    assert abs(drawn.mean() - X.mean()) < 4 * X.std() / np.sqrt(1000)  # four standard errors, as below
    assert abs(drawn.var() / X.var() - 1) < 4 * np.sqrt(2 / 1000)


@pytest.mark.parametrize("n_trials", [3, "per cell"])
def test_simulated_samples_repeat_the_rows_and_miss_the_same_cells(n_trials, monkeypatch):
    rng, seen = np.random.RandomState(0), []
    trials = rng.randint(2, 5, size=(30, 3)) if n_trials == "per cell" else n_trials
    X = np.where(rng.uniform(size=(30, 3)) < 0.2, np.nan, rng.binomial(trials, 0.5, size=(30, 3)))
    X[4], times = np.nan, rng.randint(0, 4, size=30)
    monkeypatch.setattr(em.likelihood_ratio, "best_runs", seeing(seen))
    estimator = BinomialMixtureEM(n_trials=trials, n_init=1, tol=1e-2)
    test = likelihood_ratio_test(X, estimator, 1, n_bootstrap=4, random_state=0, sample_weight=times)
    assert len(test.bootstrap_statistics) == 4
    assert len(seen) == 8
    for drawn in seen:
        missing, wanted = np.isnan(drawn), np.isnan(np.repeat(X, times, axis=0))
        wanted = wanted[~wanted.all(axis=1)]  # rows without an observed cell take no part
        assert sorted(missing.tolist()) == sorted(wanted.tolist())  # in an order of the values of X
    same = likelihood_ratio_test(
        np.repeat(X, times, axis=0),
        BinomialMixtureEM(n_trials=trials if n_trials == 3 else np.repeat(trials, times, axis=0), n_init=1, tol=1e-2),
        1,
        n_bootstrap=4,
        random_state=0,
    )
    # the fits with one component are the same but for rounding, so the simulated samples are the same
    np.testing.assert_allclose(test.bootstrap_statistics, same.bootstrap_statistics, rtol=0, atol=1e-8)
    assert test.null.log_likelihood_ == pytest.approx(same.null.log_likelihood_, rel=1e-12)


def test_the_same_seed_gives_the_same_test_and_more_samples_keep_the_first():
    X, estimator = reference_data.lsat7()[::20], BernoulliMixtureEM(n_init=1, tol=1e-2)
    few, again = (likelihood_ratio_test(X, estimator, 1, n_bootstrap=3, random_state=5) for _ in range(2))
    many = likelihood_ratio_test(X, estimator, 1, n_bootstrap=6, random_state=5)
    seeded = likelihood_ratio_test(X, clone(estimator).set_params(random_state=5), 1, n_bootstrap=3)
    for other in (again, seeded):
        np.testing.assert_array_equal(few.bootstrap_statistics, other.bootstrap_statistics)
    np.testing.assert_allclose(few.bootstrap_statistics, many.bootstrap_statistics[:3], rtol=1e-9)  # other batches
    assert few.statistic == again.statistic == seeded.statistic == many.statistic
    assert len(set(many.bootstrap_statistics)) == 6


def test_simulated_samples_that_collapse_are_counted_and_left_out():
    X = np.array([-1.5, -1.1, -1.0, -0.6, 0.7, 1.0, 1.2, 1.6])[:, None]
    estimator = GaussianMixtureEM(n_init=1, tol=1e-2)
    test = likelihood_ratio_test(X, estimator, 1, n_bootstrap=20, random_state=0)
    assert test.n_collapsed > 0
    assert len(test.bootstrap_statistics) == 20 - test.n_collapsed
    assert np.isfinite(test.bootstrap_statistics).all()


def test_data_whose_own_fit_collapses_cannot_be_tested():
    cloud_and_duplicates = np.concatenate([np.random.RandomState(0).normal(size=(50, 2)) + 5, np.zeros((30, 2))])
    with pytest.raises(ValueError, match="n_components=1 cannot be tested against 2 on this X: the fit with 2 has no"):
        likelihood_ratio_test(cloud_and_duplicates, GaussianMixtureEM(n_init=2), 1, random_state=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"estimator": KMeans()}, "estimator must be a mixture such as .*, got KMeans"),
        ({"estimator": BernoulliMixtureEM(prior=BMMPrior())}, r"estimator.prior must be None .*, got BMMPrior"),
        (
            {"estimator": BernoulliMixtureEM(init=[0] * 50)},
            "estimator.init must be the name of a random start.*got list",
        ),
        ({"n_components": 0}, "n_components must be a whole number of at least 1, got 0"),
        ({"n_components": 50}, "n_components must be at most the number of samples 50, got 51"),
        ({"n_bootstrap": 0}, "n_bootstrap must be a whole number of at least 1, got 0"),
        ({"X": [[0.5], [1.0]]}, "X must hold"),
        ({"sample_weight": np.full(50, 0.5)}, "sample_weight must hold whole numbers, which count rows"),
        ({"sample_weight": [1, 2]}, r"sample_weight must have shape \(50,\)"),
    ],
    ids=str,
)
def test_bad_tests_are_refused_before_any_fit(settings, message, monkeypatch):
    monkeypatch.setattr(MixtureEM, "fit", lambda self, X: pytest.fail("fitted"))
    arguments = {"X": reference_data.lsat7()[::20], "estimator": BernoulliMixtureEM(), "n_components": 1} | settings
    with pytest.raises(ValueError, match=message):
        likelihood_ratio_test(**arguments)


def test_simulated_fits_give_no_warnings_of_their_own():
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        likelihood_ratio_test(
            np.random.RandomState(0).randint(2, size=(30, 2)),
            BernoulliMixtureEM(n_init=1, tol=1e-2, max_iter=5),
            1,
            n_bootstrap=2,
            random_state=0,
        )
    assert given == []
