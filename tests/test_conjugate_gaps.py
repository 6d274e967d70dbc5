"""The distances that arithmetic explains: with labels known, from MLE and MAP to the posterior mean, in posterior sd.

The gaps are first-order formulas in 1 / N; the exact conjugate posteriors hold them to a few times 1 / N.
"""

import numpy as np
import pytest
from scipy.stats import beta, dirichlet, invwishart

from comparisons.bmm import BMM
from comparisons.family import conjugate_gaps_of_weights
from comparisons.gmm import GMM
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters, GMMPrior

N = 20_000
CLOSE = {"rtol": 5e-3, "atol": 1e-5}


def test_gaps_of_weights_are_those_of_the_dirichlet():
    weights, a = np.array([0.5, 0.3, 0.2]), 2.5
    posterior = dirichlet(N * weights + a)
    sd, mode = np.sqrt(posterior.var()), (N * weights + a - 1) / (N + 3 * (a - 1))
    of_mle, of_map = conjugate_gaps_of_weights(weights, N, a)
    np.testing.assert_allclose(of_mle, np.abs(weights - posterior.mean()) / sd, **CLOSE)
    np.testing.assert_allclose(of_map, np.abs(mode - posterior.mean()) / sd, **CLOSE)


def test_a_single_component_has_a_weight_without_gap():
    of_mle, of_map = conjugate_gaps_of_weights(np.ones(1), N, 2.0)
    assert of_mle == 0
    assert of_map == 0


def test_gaps_of_means_and_covariances_are_those_of_the_normal_inverse_wishart():
    mean, covariance = np.array([1.0, -2.0]), np.array([[2.0, 0.7], [0.7, 0.5]])
    prior = GMMPrior(2.0, np.zeros(2), 3.0, 7.0, np.array([[30.0, 1.0], [1.0, 4.0]]))
    of_mle, of_map = GMM().conjugate_gaps(GMMParameters(np.ones(1), mean[None], covariance[None]), N, prior)
    scale = prior.scale + N * covariance + 3 * N / (3 + N) * np.outer(mean, mean)
    nu = 7 + N
    of_covariance = invwishart(nu, scale)
    sd = np.sqrt(of_covariance.var())
    np.testing.assert_allclose(of_mle["covariances"][0], np.abs(covariance - of_covariance.mean()) / sd, **CLOSE)
    mode = scale / (nu + 2 + 2)  # of mean and covariance together
    np.testing.assert_allclose(of_map["covariances"][0], np.abs(mode - of_covariance.mean()) / sd, **CLOSE)
    center = N * mean / (3 + N)
    sd_of_mean = np.sqrt(np.diag(of_covariance.mean()) / (3 + N))
    np.testing.assert_allclose(of_mle["means"][0], np.abs(mean - center) / sd_of_mean, **CLOSE)
    assert not of_map["means"].any()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.97])
def test_gaps_of_probs_are_those_of_the_beta(p):
    prior = BMMPrior(2.0, 3.0, 1.5)
    of_mle, of_map = BMM(n_trials=5).conjugate_gaps(BMMParameters(np.ones(1), np.array([[p]])), N // 5, prior)
    b, c = N * p + 3, N * (1 - p) + 1.5
    posterior = beta(b, c)
    np.testing.assert_allclose(of_mle["probs"], abs(p - posterior.mean()) / posterior.std(), **CLOSE)
    np.testing.assert_allclose(
        of_map["probs"], abs((b - 1) / (b + c - 2) - posterior.mean()) / posterior.std(), **CLOSE
    )
