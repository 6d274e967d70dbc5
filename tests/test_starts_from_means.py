"""EM starts where it is told the components are, and its steps say what they take."""

import numpy as np
import pytest
from families import each_family, each_family_once, largest_relative_gap

from em import BinomialMixtureEM, GaussianMixtureEM, KMeans, PoissonMixtureEM, load, save
from em.status import left_to_the_status
from models.gmm.structures import COVARIANCE_TYPES


def located(parameters):
    """Return the values of what the components have first: means, probs or rates."""
    return parameters.arrays()[parameters.quantities[1].name]


@each_family_once
def test_means_are_one_start_and_components_keep_their_order(family):
    X, _, rng = family.problem(2, 2, 2, 80)
    with left_to_the_status():
        best = family.fit(X, 2, n_init=5, random_state=0)
        for order in ([0, 1], [1, 0]):
            given = located(best.parameters_.permute(order))
            fit = family.fit(X, 2, init=given, random_state=rng)
            again = family.fit(X, 2, init=given.tolist(), random_state=1)
            assert sum(row["times_found"] for row in fit.starts_) == 1 - fit.collapsed_
            np.testing.assert_array_equal(fit.history_, again.history_)  # nothing is random in it
            if fit.objective_ > best.objective_ - 1e-4 and best.identifiability_.identified:
                expected = best.parameters_.permute(order).arrays()
                assert largest_relative_gap(fit.parameters_.arrays(), expected) < 0.01


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e9])
def test_means_are_in_the_units_of_the_data(kind, scale):
    X = np.random.RandomState(0).normal(size=(60, 2)) + np.repeat([[0, 5], [9, 0], [0, 0]], 20, axis=0)
    means = np.array([[9.0, 0.0], [0.0, 0.0], [0.0, 5.0]])
    fit = GaussianMixtureEM(3, covariance_type=kind, init=scale * means).fit(scale * X)
    np.testing.assert_allclose(fit.means_ / scale, means, atol=1.2)
    frozen = GaussianMixtureEM(3, covariance_type=kind, init=means[::-1], frozen={"means": means}).fit(X)
    np.testing.assert_array_equal(frozen.means_, means)


def test_means_start_where_cells_are_missing_too_and_are_saved(tmp_path):
    X = np.random.RandomState(0).normal(size=(40, 2)) + np.repeat([[0, 0], [9, 9]], 20, axis=0)
    X[::5, 0] = np.nan
    fit = GaussianMixtureEM(2, init=[[9, 9], [0, 0]]).fit(X)
    assert fit.means_[0, 1] > fit.means_[1, 1]
    save(fit, tmp_path / "model.json")
    np.testing.assert_array_equal(load(tmp_path / "model.json").means_, fit.means_)
    with left_to_the_status():
        replicated = fit.uncertainty(X, kind="bootstrap", n_bootstrap=3, random_state=0)
    assert replicated.replicates.shape[0] >= 2


@pytest.mark.parametrize(
    ("estimator", "init", "message"),
    [
        (GaussianMixtureEM, [[0.0, 1.0]], r"init must have shape \(2, 2\), got \(1, 2\)"),
        (GaussianMixtureEM, [[0.0, np.nan], [1.0, 1.0]], r"init must be finite, got NaN \(missing\) at init\[0, 1\]"),
        (BinomialMixtureEM, [[0.2, 1.5], [0.5, 0.5]], r"init must lie in \[0, 1\], got values from 0.2 to 1.5"),
        (PoissonMixtureEM, [[0.2, 1.5], [-0.5, 0.5]], "init must not be negative"),
        (GaussianMixtureEM, np.zeros((2, 2, 2)), r"init must be one of .*, or means of shape \(2, 2\), got"),
        (PoissonMixtureEM, "means", r"integer labels from 0 to 1, or rates of shape \(2, 2\), got 'means'"),
    ],
)
def test_a_start_that_is_none_is_refused_by_name(estimator, init, message):
    X = np.random.RandomState(0).binomial(1, 0.5, size=(20, 2))
    with pytest.raises(ValueError, match=message):
        estimator(2, init=init).fit(X)


@each_family
def test_the_steps_say_what_to_pass_for_an_estimator(family):
    X = family.problem(2, 1, 2, 30)[0]
    with left_to_the_status():
        fit = family.fit(X, 1)
    kind, name = type(fit.parameters_).__name__, type(fit).__name__
    for step in (family.steps.e_step, family.steps.log_joint, family.steps.component_log_prob):
        with pytest.raises(
            TypeError, match=f"parameters must be a {kind}, got a {name}: pass the {name}'s parameters_"
        ):
            step(X, fit)
        step(X, fit.parameters_, **family.options)


@pytest.mark.parametrize("kind", COVARIANCE_TYPES)
def test_precisions_are_inverse_covariances(kind):
    X = np.random.RandomState(0).normal(size=(50, 3))
    fit = GaussianMixtureEM(2, covariance_type=kind, n_init=2, random_state=0).fit(X)
    if kind in ("full", "tied"):
        identity = np.broadcast_to(np.eye(3), fit.covariances_.shape)
        np.testing.assert_allclose(fit.precisions_ @ fit.covariances_, identity, atol=1e-9)
    else:
        np.testing.assert_allclose(fit.precisions_ * fit.covariances_, 1)
    with pytest.raises(AttributeError, match="parameters_"):
        GaussianMixtureEM(2).precisions_  # noqa: B018 - asked for too early


def test_centres_of_k_means_are_a_start():
    X = np.random.RandomState(0).normal(size=(60, 2)) + np.repeat([[0, 5], [9, 0], [0, 0]], 20, axis=0)
    centers = KMeans(3, random_state=0).fit(X).cluster_centers_
    np.testing.assert_allclose(GaussianMixtureEM(3, init=centers).fit(X).means_, centers, atol=0.5)
