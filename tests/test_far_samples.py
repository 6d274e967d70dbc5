"""A sample far out gets the responsibilities that it has as it recedes, whatever its distance and the origin."""

import numpy as np
import pytest

from em import GaussianMixtureEM, gmm
from em.gmm.far import far_responsibilities
from models.gmm import GMMParameters

MATRICES = np.array([[[2.0, 0.3], [0.3, 1.0]], [[1.0, 0.0], [0.0, 1.5]]])
COVARIANCES = {"full": MATRICES, "tied": MATRICES[0], "diag": [[2.0, 1.0], [1.0, 1.5]], "spherical": [1.0, 1.0]}
DIRECTIONS = np.array([[1.0, 0.3], [0.0, 1.0], [-1.0, 1.0], [1.0, np.nan], [np.nan, -1.0]])


def fitted(kind, origin=0.0):
    """Return an estimator that stands at parameters given by hand."""
    start = GMMParameters([0.3, 0.7], origin + np.array([[0.0, 0.0], [3.0, 1.0]]), COVARIANCES[kind], kind)
    X = origin + np.random.default_rng(0).normal(size=(40, 2))
    frozen = start.arrays()
    return GaussianMixtureEM(2, covariance_type=kind, init=start, frozen=frozen).fit(X)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_far_samples_have_the_responsibilities_of_the_limit(kind):
    fit = fitted(kind)
    expected = fit.predict_proba(1e6 * DIRECTIONS)  # which Bayes' rule still tells
    assert set(expected.ravel()) == {0.0, 1.0}
    for distance in 10.0 ** np.array([10, 13, 16, 20, 40, 100, 152, 160, 300]):
        np.testing.assert_array_equal(fit.predict_proba(distance * DIRECTIONS), expected)


@pytest.mark.parametrize("kind", COVARIANCES)
def test_the_limit_does_not_depend_on_the_origin(kind):
    far = 1e200 * DIRECTIONS
    np.testing.assert_array_equal(fitted(kind, origin=2.0**33).predict_proba(far), fitted(kind).predict_proba(far))


def test_components_alike_share_by_their_weights():
    alike = GMMParameters([0.3, 0.7], [[1.0], [1.0]], [[[2.0]], [[2.0]]])
    np.testing.assert_allclose(far_responsibilities(np.array([[1e200]]), alike), [[0.3, 0.7]])


def test_an_empty_component_never_wins():
    empty = GMMParameters([1.0, 0.0], [[0.0], [0.0]], [[[1.0]], [[100.0]]])
    np.testing.assert_array_equal(far_responsibilities(np.array([[1e200]]), empty), [[1, 0]])


def test_the_step_and_the_estimator_have_one_rule():
    parameters = fitted("full").parameters_
    far, log_likelihood = gmm.e_step([[1e200, 1.0]], parameters)
    np.testing.assert_array_equal(far, fitted("full").predict_proba([[1e200, 1.0]]))
    assert log_likelihood == -np.inf
