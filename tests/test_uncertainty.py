"""The table of standard errors and intervals: its kinds, its scales, its bootstraps, and its excuses."""

import numpy as np
import pytest
import reference_data
from scipy.stats import norm

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, NotIdentifiableWarning
from em.uncertainty import normal_intervals
from em.uncertainty.bootstrap import nearest_order
from em.uncertainty.entries import entries_of
from models import bmm, gmm
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters
from models.pmm import PMMParameters

BOOTSTRAPS = ("bootstrap", "parametric bootstrap")
PAIR = BMMParameters([0.4, 0.6], [[0.2, 0.3, 0.15, 0.25, 0.4], [0.8, 0.7, 0.85, 0.6, 0.75]])


@pytest.fixture(scope="module")
def counts():
    X = bmm.simulate(PAIR, 400, 1, 0)[0]
    return X, BernoulliMixtureEM(2, init=PAIR, random_state=0).fit(X)


@pytest.fixture(scope="module")
def clouds():
    truth = GMMParameters([0.4, 0.6], [[0.0, 0.0], [4.0, 2.0]], [[[1.0, 0.5], [0.5, 1.0]], [[0.7, -0.3], [-0.3, 1.5]]])
    X = gmm.simulate(truth, 300, 0)[0]
    return X, GaussianMixtureEM(2, init=truth, random_state=0).fit(X)


def test_replicates_without_variance_in_some_direction_leave_the_others_alone():
    X = np.random.RandomState(0).normal(size=(6, 2))  # of 100 bootstrap samples 2 hold no more than two distinct rows
    uncertainty = GaussianMixtureEM(1).fit(X).uncertainty(X, kind="bootstrap", n_bootstrap=100, random_state=0)
    assert "97 bootstrap samples" in uncertainty.status
    assert "3 more collapsed and were left out" in uncertainty.status


def test_intervals_are_normal_on_the_scale_of_each_parameter(clouds):
    X, fit = clouds
    uncertainty, z = fit.uncertainty(X, level=0.9), norm.ppf(0.95)
    for row in uncertainty.table:
        value, error, low, high = (row[name] for name in ("estimate", "standard_error", "low", "high"))
        name = row["parameter"]
        if name.startswith("weights"):
            middle, width = np.log(value / (1 - value)), error / (value * (1 - value))
            expected = [1 / (1 + np.exp(-(middle + s * z * width))) for s in (-1, 1)]
        elif name.startswith("covariances") and name[-5] == name[-2]:
            expected = [value * np.exp(s * z * error / value) for s in (-1, 1)]
        else:
            expected = [value + s * z * error for s in (-1, 1)]
        np.testing.assert_allclose([low, high], expected, rtol=1e-12)


def test_the_last_weight_follows_from_the_others(clouds):
    X, fit = clouds
    uncertainty = fit.uncertainty(X)
    np.testing.assert_allclose(
        uncertainty.covariance[0] + uncertainty.covariance[1], 0, atol=1e-12 * uncertainty.covariance[0, 0]
    )
    np.testing.assert_allclose(uncertainty.low[0], 1 - uncertainty.high[1], rtol=1e-12)


def test_map_is_called_laplace_and_counts_the_pseudo_samples():
    """One prob with mode p has the error sqrt(p (1 - p) / (n + b + c - 2))."""
    X = np.array([[1]] * 30 + [[0]] * 70)
    uncertainty = BernoulliMixtureEM(1, prior=BMMPrior(2.0, 11.0, 16.0)).fit(X).uncertainty(X)
    assert uncertainty.kind == "Laplace approximation (Louis)"
    assert uncertainty["probs[0, 0]"]["standard_error"] == pytest.approx(np.sqrt(0.32 * 0.68 / 125), rel=1e-12)


def test_the_table_says_which_kind_it_is(counts):
    X, fit = counts
    shown = repr(fit.uncertainty(X))
    assert shown.startswith("observed information (Louis), 0.95 intervals\nparameter")
    assert fit.uncertainty(X)["probs[0, 1]"]["kind"] == "observed information (Louis)"
    with pytest.raises(KeyError, match="parameter must be one of weights"):
        fit.uncertainty(X)["means[0, 0]"]


@pytest.mark.parametrize("kind", BOOTSTRAPS)
def test_bootstraps_find_the_errors_that_louis_finds(kind):
    """200 replicates know a standard deviation to 1 / sqrt(400) = 5 %; asymptotics are some 10 % off at N_k = 80."""
    truth = GMMParameters([0.4, 0.6], [[0.0], [9.0]], [1.0, 2.0], "spherical")
    X = gmm.simulate(truth, 200, 0)[0]
    fit = GaussianMixtureEM(2, covariance_type="spherical", init=truth).fit(X)
    uncertainty = fit.uncertainty(X, kind=kind, n_bootstrap=200, random_state=0)
    assert uncertainty.kind == kind
    ratios = uncertainty.standard_errors / fit.uncertainty(X).standard_errors
    assert (np.abs(np.log(ratios)) < 0.3).all()
    np.testing.assert_allclose(uncertainty.low, np.quantile(uncertainty.replicates, 0.025, axis=0))
    np.testing.assert_allclose(uncertainty.standard_errors, uncertainty.replicates.std(axis=0, ddof=1), rtol=1e-12)


@pytest.mark.parametrize("kind", BOOTSTRAPS)
def test_a_bootstrap_comes_again_from_its_random_state(clouds, kind):
    X, fit = clouds
    first, again, other = (
        fit.uncertainty(X, kind=kind, n_bootstrap=3, random_state=seed).replicates for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_a_bootstrap_with_weights_is_one_of_repeated_rows(counts):
    X, fit = counts
    patterns, frequencies = np.unique(X, axis=0, return_counts=True)
    rows = np.repeat(patterns, frequencies, axis=0)
    settings = {"kind": "bootstrap", "n_bootstrap": 3, "random_state": 0}
    weighted = fit.uncertainty(patterns, sample_weight=frequencies, **settings)
    np.testing.assert_allclose(weighted.replicates, fit.uncertainty(rows, **settings).replicates, rtol=1e-12)


@pytest.mark.parametrize("kind", BOOTSTRAPS)
def test_trials_go_with_their_rows(kind):
    rng = np.random.RandomState(0)
    trials = rng.choice([1, 30], size=(200, 2))
    pair = BMMParameters([0.4, 0.6], [[0.1, 0.2], [0.9, 0.7]])
    X = bmm.simulate(pair, 200, trials, 0)[0]
    fit = BinomialMixtureEM(2, n_trials=trials, init=pair).fit(X)
    uncertainty = fit.uncertainty(X, kind=kind, n_bootstrap=20, random_state=0)
    errors = fit.uncertainty(X).standard_errors
    assert (np.abs(uncertainty.replicates - fit._entries(200).values) < 6 * errors).all()


def test_labels_are_matched_to_the_estimate():
    rng = np.random.RandomState(0)
    reference = rng.dirichlet(np.full(4, 0.2), size=50)
    order = np.array([2, 0, 3, 1])
    np.testing.assert_array_equal(nearest_order(reference[:, np.argsort(order)], reference), order)


@pytest.mark.parametrize("kind", ["louis", *BOOTSTRAPS])
def test_a_prob_on_the_boundary_has_a_note_and_no_interval(kind):
    X = np.hstack([bmm.simulate(PAIR, 300, 1, 0)[0], np.zeros((300, 1))])
    start = BMMParameters(PAIR.weights, np.hstack([PAIR.probs, [[0.1], [0.1]]]))
    fit = BernoulliMixtureEM(2, init=start).fit(X)
    uncertainty = fit.uncertainty(X, kind=kind, n_bootstrap=5, random_state=0)
    held = [name.endswith(", 5]") for name in uncertainty.names]
    assert [note == "on the boundary" for note in uncertainty.notes] == held
    np.testing.assert_array_equal(np.isnan(uncertainty.standard_errors), held)
    np.testing.assert_array_equal(np.isnan(uncertainty.low), held)


def test_the_coins_are_told_that_nothing_can_be_said():
    X = np.array([[1]] * 54 + [[0]] * 46)
    with pytest.warns(NotIdentifiableWarning):
        fit = BernoulliMixtureEM(2, random_state=0).fit(X)
    uncertainty = fit.uncertainty(X)
    assert np.isnan(uncertainty.standard_errors).all()
    assert "rank 1 of 3 free parameters" in uncertainty.status
    assert "not identified" in repr(uncertainty)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "jackknife"}, "kind must be one of louis, bootstrap, parametric bootstrap, got 'jackknife'"),
        ({"level": 1.0}, "level must be less than 1, got 1.0"),
        ({"level": 0}, "level must be finite and greater than 0"),
        ({"n_bootstrap": 0}, "n_bootstrap must be a whole number"),
        ({"kind": "bootstrap", "n_bootstrap": 1}, "n_bootstrap must be at least 2"),
        ({"sample_weight": [1.0]}, "sample_weight must have shape"),
        ({"kind": "bootstrap", "sample_weight": np.full(300, 0.5)}, "sample_weight must hold whole numbers"),
    ],
)
def test_bad_arguments_are_named(clouds, arguments, message):
    X, fit = clouds
    with pytest.raises(ValueError, match=message):
        fit.uncertainty(X, **arguments)


def test_missing_cells_and_frozen_parameters_go_through_the_estimator():
    X = reference_data.faithful()
    holed = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.1, np.nan, X)
    fit = GaussianMixtureEM(2, random_state=0).fit(holed)
    with_holes, whole = fit.uncertainty(holed), GaussianMixtureEM(2, random_state=0).fit(X).uncertainty(X)
    assert np.nansum(with_holes.standard_errors) > np.nansum(whole.standard_errors)  # fewer cells, less known
    frozen = GaussianMixtureEM(2, frozen={"weights": fit.weights_}, init=fit.parameters_).fit(holed)
    held = frozen.uncertainty(holed)
    assert np.isnan(held.standard_errors[:2]).all()
    assert (held.standard_errors[2:] <= with_holes.standard_errors[2:] * (1 + 1e-6)).all()
    parametric = fit.uncertainty(holed, kind="parametric bootstrap", n_bootstrap=20, random_state=0)
    assert np.isfinite(parametric.standard_errors).all()


def test_an_end_beyond_all_floats_is_infinite_without_a_warning():
    entries = entries_of(PMMParameters([1.0], [[1e-3]]), 10.0)
    ends = normal_intervals(entries, entries.values, np.array([0.0, 10.0]), 0.95)
    np.testing.assert_array_equal(ends, [[np.nan, 0.0], [np.nan, np.inf]])
