"""Anomalies are the samples below a quantile of the log density of the training data."""

import numpy as np
import pandas as pd
import pytest
import reference_data
from scipy.stats import chi2, norm
from sklearn.exceptions import NotFittedError

from em import BernoulliMixtureEM, GaussianMixtureEM, KMeans, density_threshold, is_anomaly
from em.plots import plot, plot_density_contours


@pytest.fixture(scope="module")
def faithful():
    X = reference_data.faithful()
    return X, GaussianMixtureEM(2, n_init=2, random_state=0).fit(X)


@pytest.mark.parametrize("percent", [1, 4, 25])
def test_training_samples_are_flagged_by_the_rule_of_the_percentile(faithful, percent):
    X, fit = faithful
    densities = fit.score_samples(X)
    expected = densities < np.percentile(densities, percent)  # Géron's rule, word for word
    np.testing.assert_array_equal(is_anomaly(fit, X, quantile=percent / 100), expected)
    assert expected.sum() == np.ceil(percent / 100 * (len(X) - 1))


def test_the_fourth_percentile_is_the_default(faithful):
    X, fit = faithful
    assert is_anomaly(fit, X).sum() == 11  # of 272
    assert density_threshold(fit, X) == density_threshold(fit, X, 0.04)


def test_new_samples_are_held_to_the_threshold_of_the_training_data(faithful):
    X, fit = faithful
    threshold = density_threshold(fit, X)
    new = np.array([[3.0, 70.0], [4.4, 80.0], [2.0, 54.0], [5.0, 40.0]])
    np.testing.assert_array_equal(is_anomaly(fit, new, threshold), fit.score_samples(new) < threshold)
    np.testing.assert_array_equal(is_anomaly(fit, new, threshold), [True, False, False, True])
    np.testing.assert_array_equal(is_anomaly(fit, np.vstack([X, new]), threshold)[: len(X)], is_anomaly(fit, X))


def test_the_threshold_of_a_gaussian_is_a_quantile_of_chi_squared():
    n, q, D = 20_000, 0.04, 3
    X = np.random.RandomState(0).normal(size=(n, D))
    fit = GaussianMixtureEM(1).fit(X)
    constant = -0.5 * (D * np.log(2 * np.pi) + np.linalg.slogdet(fit.covariances_[0])[1])
    squared_distance = -2 * (density_threshold(fit, X, q) - constant)
    error = np.sqrt(q * (1 - q) / n)  # of the share of samples beyond it
    low, high = (chi2(D).isf(q + z * error) for z in (norm.isf(1e-5), -norm.isf(1e-5)))
    assert low < squared_distance < high


@pytest.mark.parametrize("quantile", [0.01, 0.04, 0.5, 0.99])
def test_weights_give_the_threshold_of_the_repeated_rows(faithful, quantile):
    X, fit = faithful
    times = np.random.RandomState(0).randint(0, 4, size=len(X))
    repeated = np.repeat(X, times, axis=0)
    threshold = density_threshold(fit, X, quantile, sample_weight=times)
    assert threshold == density_threshold(fit, repeated, quantile)
    by_weight = is_anomaly(fit, X, quantile=quantile, sample_weight=times)
    np.testing.assert_array_equal(np.repeat(by_weight, times), is_anomaly(fit, repeated, quantile=quantile))


def test_a_sample_that_no_component_can_make_is_an_anomaly():
    X = np.column_stack([reference_data.lsat7()[:200], np.zeros(200, int)])
    fit = BernoulliMixtureEM(1).fit(X)
    impossible = np.ones((1, 6), int)
    assert is_anomaly(fit, impossible, density_threshold(fit, X)).all()
    assert not np.isnan(density_threshold(fit, np.vstack([X, impossible]), 0.001))


@pytest.mark.parametrize("quantile", [0, 1, -0.1, 4, np.nan, "few", None, [0.04]])
def test_quantiles_outside_zero_to_one_are_refused(faithful, quantile):
    X, fit = faithful
    with pytest.raises(ValueError, match=r"quantile must .*, got "):
        is_anomaly(fit, X, quantile=quantile)


@pytest.mark.parametrize("threshold", [np.nan, [1.0, 2.0], "low"])
def test_thresholds_that_are_no_number_are_refused(faithful, threshold):
    X, fit = faithful
    with pytest.raises(ValueError, match="threshold must be a log density in nats or None, got "):
        is_anomaly(fit, X, threshold)


@pytest.mark.parametrize("call", [is_anomaly, density_threshold, plot])
def test_what_is_no_fit_is_refused(faithful, call):
    X, fit = faithful
    with pytest.raises(TypeError, match="estimator must be a fitted mixture or fitted clusters, got a DataFrame"):
        call(pd.DataFrame(X), fit)
    with pytest.raises(NotFittedError):
        call(GaussianMixtureEM(2), X)


@pytest.mark.parametrize("call", [is_anomaly, density_threshold, plot_density_contours])
def test_clusters_have_no_density(faithful, call):
    with pytest.raises(TypeError, match="estimator must have score_samples, as mixtures have, got KMeans"):
        call(KMeans(2, random_state=0).fit(faithful[0]), faithful[0])


def test_rows_that_are_all_missing_are_no_anomalies_and_take_no_part_in_the_quantile(faithful):
    X, fit = faithful
    empty = np.full((200, 2), np.nan)
    assert density_threshold(fit, np.vstack([empty, X])) == density_threshold(fit, X)
    np.testing.assert_array_equal(is_anomaly(fit, np.vstack([empty, X]))[200:], is_anomaly(fit, X))
    assert not is_anomaly(fit, empty, threshold=1.0).any()
    with pytest.raises(ValueError, match="X must have a row with an observed cell"):
        density_threshold(fit, empty)
