"""ADVI finds the independent normals nearest to the posterior: with correlations, too narrow ones.

Of a binomial mixture with one feature and K = 2 the posterior has three coordinates, u = logit π_1, logit p_1 and
logit p_2, and its mean and covariance C are sums over a grid. With so many samples it is nearly normal. The nearest
independent normals have its mean, and for deviations those given the other coordinates, s_i = 1 / sqrt(H_ii), H = C⁻¹.

ADVI starts three standard deviations away. Its answer is the mean of T of Adam's steps, from gradients with one draw ε
of the normals each: H δ + H (s ε) where it is δ off, so that δ is on average s ε, an error of s / sqrt(T); and for
log s_i  ε_i Σ_j c_ij ε_j - 1, c_ij = s_i H_ij s_j, with the slope 2 and the variance 1 + Σ_j c_ij², an error of
sqrt((1 + Σ_j c_ij²) / T) / 2. Moments of S draws from the answer add s / sqrt(S) and s / sqrt(2 S).
"""

import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from comparisons.posterior.advi import advi
from models.bmm import BMMParameters, BMMPrior, build_marginal_model, simulate

STEPS, DRAWS, MOST_ERRORS = 1000, 5000, 4.0
TRUTH = BMMParameters([0.4, 0.6], [[0.3], [0.7]])
PRIOR = BMMPrior(2.0, 1.5, 2.5)


def log_posterior(u, X, m):
    """Return log p(u | X) + const, shape (S,), of u (S, 3), by the textbook's formulas."""
    w, p, q = expit(u).T[:, :, None]
    x, counts = np.unique(X, return_counts=True)
    density = w * p**x * (1 - p) ** (m - x) + (1 - w) * q**x * (1 - q) ** (m - x)
    prior_and_jacobian = 2 * np.log(w * (1 - w)) + 1.5 * np.log(p * q) + 2.5 * np.log((1 - p) * (1 - q))
    return np.log(density) @ counts + prior_and_jacobian[:, 0]


def moments(X, m):
    """Return mean (3,) and covariance of u: sums over a grid, which is put where the sums say, again and again."""
    axis = np.linspace(-6, 6, 21)
    v = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    mean, covariance = logit([0.4, 0.3, 0.7]), 0.05**2 * np.eye(3)
    for _ in range(6):
        u = mean + v @ np.linalg.cholesky(covariance).T
        probability = softmax(log_posterior(u, X, m))
        mean = probability @ u
        covariance = (probability * (u - mean).T) @ (u - mean)
    return mean, covariance


def test_the_answer_is_the_nearest_independent_normals():
    m = 10
    X, _ = simulate(TRUTH, 8000, m, random_state=0)
    mean, covariance = moments(X, m)
    precision, sd = np.linalg.inv(covariance), np.sqrt(np.diag(covariance))
    nearest = 1 / np.sqrt(np.diag(precision))
    assert (nearest / sd).min() == pytest.approx(0.8, abs=0.02)
    weight, *probs = expit(mean + 3 * sd)
    start = {"weights": np.array([weight, 1 - weight]), "probs": np.array(probs)[:, None]}
    draws = advi(build_marginal_model(X, 2, PRIOR, m), start, steps=STEPS, draws=DRAWS, seed=0)
    u = logit(np.stack([draws["weights"][:, 0], *draws["probs"][:, :, 0].T], axis=1))
    c, T = precision * np.outer(nearest, nearest), STEPS / 2
    of_mean, of_sd = np.sqrt(1 / T + 1 / DRAWS), np.sqrt((1 + (c**2).sum(axis=1)) / (4 * T) + 1 / (2 * DRAWS))
    np.testing.assert_array_less(np.abs(u.mean(axis=0) - mean) / nearest, MOST_ERRORS * of_mean)
    np.testing.assert_array_less(np.abs(u.std(axis=0) / nearest - 1), MOST_ERRORS * of_sd)
