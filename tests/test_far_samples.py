"""A sample so far out that every density underflows belongs to the component that wins as it recedes."""

import numpy as np
import pytest

from em import GaussianMixtureEM, gmm
from em.gmm_far import far_responsibilities
from models.gmm import GMMParameters

WIDE = {
    "full": [[[1.0, 0.3], [0.3, 2.0]], [[5.0, -1.0], [-1.0, 3.0]]],
    "tied": [[1.0, 0.3], [0.3, 2.0]],
    "diag": [[1.0, 2.0], [5.0, 0.5]],
    "spherical": [1.0, 4.0],
}
DIRECTIONS = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 2.0], [3.0, -1.0], [-1.0, -1.0]])


def mixture(kind):
    return GMMParameters([0.3, 0.7], [[0.0, 1.0], [2.0, 0.0]], WIDE[kind], kind)


def fit_of(parameters):
    fit = GaussianMixtureEM(2, covariance_type=parameters.covariance_type, init=parameters, n_init=1)
    fit.parameters_, fit.n_features_in_ = parameters, 2
    return fit


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", WIDE)
def test_it_is_the_limit_of_points_that_recede(kind):
    parameters = mixture(kind)
    near = gmm.e_step(1e4 * DIRECTIONS, parameters)[0]  # far enough to be decided, near enough to be computed
    for size in (1e160, 1e300):
        far, log_likelihood = gmm.e_step(size * DIRECTIONS, parameters)
        np.testing.assert_allclose(far, near, atol=1e-12)
        assert log_likelihood == -np.inf
        np.testing.assert_array_equal(fit_of(parameters).predict_proba(size * DIRECTIONS), far)
        assert (fit_of(parameters).score_samples(size * DIRECTIONS) == -np.inf).all()


def test_components_alike_share_by_their_weights():
    alike = GMMParameters([0.3, 0.7], [[1.0], [1.0]], [[[2.0]], [[2.0]]])
    np.testing.assert_allclose(far_responsibilities(np.array([[1e200]]), alike), [[0.3, 0.7]])


def test_tied_covariances_go_by_the_means_along_the_direction():
    tied = mixture("tied")
    far = far_responsibilities(np.array([[1e200, 0.0], [-1e200, 0.0]]), tied)
    np.testing.assert_array_equal(far, [[0, 1], [1, 0]])


@pytest.mark.parametrize("kind", WIDE)
def test_of_missing_cells_it_is_the_rule_of_the_observed_ones(kind):
    parameters = mixture(kind)
    far = fit_of(parameters).predict_proba([[1e200, np.nan], [np.nan, -1e200]])
    for row, feature, sign in zip(far, (0, 1), (1, -1), strict=True):
        part = parameters.marginal(np.array([feature]))
        np.testing.assert_allclose(row, gmm.e_step([[sign * 1e4]], part)[0][0], atol=1e-12)


def test_an_empty_component_never_wins():
    empty = GMMParameters([1.0, 0.0], [[0.0], [0.0]], [[[1.0]], [[100.0]]])
    np.testing.assert_array_equal(far_responsibilities(np.array([[1e200]]), empty), [[1, 0]])
