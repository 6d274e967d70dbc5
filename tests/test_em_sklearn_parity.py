"""EM for the Gaussian mixture takes the same path as scikit-learn's GaussianMixture, iteration by iteration."""

import numpy as np
import pytest
import reference_data
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from em import GaussianMixtureEM, NotConvergedWarning
from models.gmm import GMMParameters


def overlapping(seed, n, K, D):
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.normal(size=(n // K, D)) + 1.2 * rng.normal(size=D) for _ in range(K)])


DATA = {
    "faithful": (reference_data.faithful(), 3),
    "iris": (reference_data.iris(), 3),
    "overlapping": (overlapping(0, 300, 3, 2), 3),
    "five features": (overlapping(1, 600, 2, 5), 2),
}


def shared_start(X, K):
    """Means at spread-out samples, each with the covariance of all samples."""
    means = X[np.linspace(0, len(X) - 1, K).astype(int)]
    covariance = np.cov(X, rowvar=False)
    return GMMParameters(np.full(K, 1 / K), means, np.stack([covariance] * K))


@pytest.mark.parametrize("iterations", [1, 5, 50])
@pytest.mark.parametrize("name", DATA)
def test_parameters_agree_after_exactly_as_many_iterations(name, iterations):
    X, K = DATA[name]
    start = shared_start(X, K)
    rival = GaussianMixture(
        K,
        reg_covar=0.0,
        init_params="random",  # overruled by the start given below
        tol=0.0,  # |change| < 0 never holds, so it makes exactly max_iter rounds of one E-step and one M-step
        max_iter=iterations,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(start.covariances),
    )
    with pytest.warns(ConvergenceWarning, match="did not converge"):
        rival.fit(X)
    with pytest.warns(NotConvergedWarning):
        ours = GaussianMixtureEM(K, init=start, tol=0.0, max_iter=iterations, acceleration=None).fit(X)

    assert rival.n_iter_ == ours.n_iter_ == iterations
    # The same arithmetic in another order: 1e-16 per step, times the condition of the covariances (under 1e3), times
    # the iterations; the figure that the project promises is 1e-8.
    for mine, theirs in [
        (ours.weights_, rival.weights_),
        (ours.means_, rival.means_),
        (ours.covariances_, rival.covariances_),
    ]:
        np.testing.assert_allclose(mine, theirs, rtol=1e-8)
    np.testing.assert_allclose(ours.predict_proba(X), rival.predict_proba(X), rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(ours.score(X), rival.score(X), rtol=1e-10)
    np.testing.assert_allclose(ours.bic(X), rival.bic(X), rtol=1e-10)
    np.testing.assert_allclose(ours.aic(X), rival.aic(X), rtol=1e-10)


def test_reported_log_likelihood_belongs_to_the_returned_parameters_unlike_the_rivals_bound():
    X, K = DATA["faithful"]
    start = shared_start(X, K)
    with pytest.warns(NotConvergedWarning):
        ours = GaussianMixtureEM(K, init=start, tol=0.0, max_iter=1).fit(X)
    np.testing.assert_allclose(ours.log_likelihood_, ours.score_samples(X).sum(), rtol=1e-12)
    assert ours.history_[0] < ours.history_[1] == ours.objective_ == ours.log_likelihood_
