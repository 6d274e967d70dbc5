"""What the keystone does not show: the marginal models row by row, at other data, on JAX, and with labels swapped."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from random_mixtures import declared_density, random_bmm, random_bmm_prior, random_gmm, random_gmm_prior
from scipy import stats
from scipy.special import logsumexp

from models import bmm, gmm


def by_scipy_gmm(X, theta):
    per_component = [
        np.log(weight) + stats.multivariate_normal.logpdf(X, mean, covariance).reshape(len(X))
        for weight, mean, covariance in zip(theta.weights, theta.means, by_component(theta), strict=True)
    ]
    return logsumexp(per_component, axis=0)


def by_component(theta):
    """Return a covariance that SciPy takes for each component: a matrix, variances or a variance."""
    return [theta.covariances] * len(theta.weights) if theta.covariance_type == "tied" else theta.covariances


def by_scipy_bmm(X, trials, theta):
    per_component = [
        np.log(weight) + stats.binom.logpmf(X, trials, probs).sum(axis=1)
        for weight, probs in zip(theta.weights, theta.probs, strict=True)
    ]
    return logsumexp(per_component, axis=0)


@pytest.mark.parametrize(
    ("K", "D", "structure"),
    [
        (1, 1, "full"),
        (1, 3, "full"),
        (3, 1, "full"),
        (2, 5, "full"),
        (3, 2, "tied"),
        (3, 2, "diag"),
        (3, 2, "spherical"),
    ],
)
def test_marginal_gaussian_model_is_scipys_row_by_row_and_at_other_data(K, D, structure):
    rng = np.random.default_rng([K, D])
    theta, X, others = random_gmm(K, D, rng, structure), rng.normal(size=(7, D)), 5 * rng.normal(size=(7, D))
    model = gmm.build_marginal_model(X, K, random_gmm_prior(K, D, rng, structure), structure)
    fixed = pm.do(model, theta.arrays(), prune_vars=True)
    for data in (X, others):
        pointwise = pytensor.function([], pm.logp(fixed["x"], data), mode="FAST_COMPILE")()
        np.testing.assert_allclose(pointwise, by_scipy_gmm(data, theta), rtol=1e-11)


@pytest.mark.parametrize("trials", [1, 9, [4, 9, 1]], ids=["bernoulli", "binomial", "per feature"])
@pytest.mark.parametrize("K", [1, 3])
def test_marginal_count_model_is_scipys_row_by_row_and_at_other_data(K, trials):
    rng = np.random.default_rng(K)
    theta = random_bmm(K, 3, rng)
    X, others = rng.binomial(trials, 0.3, size=(7, 3)), rng.binomial(trials, 0.8, size=(7, 3))
    model = bmm.build_marginal_model(X, K, random_bmm_prior(K, 3, rng), n_trials=trials)
    fixed = pm.do(model, theta.arrays(), prune_vars=True)
    for data in (X, others):
        pointwise = pytensor.function([], pm.logp(fixed["x"], data), mode="FAST_COMPILE")()
        np.testing.assert_allclose(pointwise, by_scipy_bmm(data, trials, theta), rtol=1e-11)


def test_tiny_clusters_far_from_the_origin_keep_their_digits():
    """Year numbers, a millionth of a year apart: x² is 4e6 where the variance is 1e-12."""
    rng = np.random.default_rng(0)
    noise = np.round(rng.normal(size=(20, 1)) * 2**10) / 2**30  # exact in binary after 2000 is added
    theta = gmm.GMMParameters([1.0], [[2000.0]], [[[2.0**-40]]])
    model = gmm.build_marginal_model(2000 + noise, 1, None)
    expected = stats.norm.logpdf(noise, 0, 2.0**-20).sum()
    assert declared_density(model, ["x"])(theta.arrays()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("family", ["gmm", "bmm"])
def test_jax_computes_what_the_reference_computes(family):
    """Density and gradient with Jacobian, which is what NUTS sees, against the plain interpreter: all in float64."""
    rng = np.random.default_rng(0)
    if family == "gmm":
        model = gmm.build_marginal_model(rng.normal(size=(50, 3)), 2, random_gmm_prior(2, 3, rng))
    else:
        model = bmm.build_marginal_model(rng.integers(0, 6, size=(50, 3)), 2, random_bmm_prior(2, 3, rng), n_trials=5)
    point = {name: value + 0.3 * rng.normal(size=value.shape) for name, value in model.initial_point().items()}
    outputs = [model.logp(), model.dlogp()]
    reference = model.compile_fn(outputs, mode="FAST_COMPILE")(point)
    for ours, expected in zip(model.compile_fn(outputs, mode="JAX")(point), reference, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-11)
        assert ours.dtype == np.float64


@pytest.mark.parametrize("family", ["gmm", "bmm"])
def test_log_density_with_jacobian_adds_exactly_the_transforms(family):
    """One dimension, one component: the Jacobians by hand, sigma² = exp(2u) and p = 1 / (1 + exp(-u))."""
    rng = np.random.default_rng(0)
    if family == "gmm":
        model, u = gmm.build_marginal_model(rng.normal(size=(5, 1)), 1, random_gmm_prior(1, 1, rng)), 0.37
        point = {"weights_simplex__": np.zeros(0), "means": [[0.2]], "covariances_cholesky-cov__": [[u]]}
        log_jacobian = np.log(2) + 2 * u
    else:
        model, u = bmm.build_marginal_model([[1], [0]], 1, random_bmm_prior(1, 1, rng)), 0.37
        point = {"weights_simplex__": np.zeros(0), "probs_logodds__": [[u]]}
        p = 1 / (1 + np.exp(-u))
        log_jacobian = np.log(p * (1 - p))
    point = {name: np.asarray(value) for name, value in point.items()}
    both = model.compile_fn([model.logp(), model.logp(jacobian=False)], mode="FAST_COMPILE")(point)
    assert both[0] - both[1] == pytest.approx(log_jacobian, abs=1e-12)


@pytest.mark.parametrize("family", ["gmm", "bmm"])
def test_relabelling_components_leaves_the_log_likelihood_alone(family):
    rng = np.random.default_rng(0)
    theta = random_gmm(3, 2, rng) if family == "gmm" else random_bmm(3, 2, rng)
    X = rng.integers(0, 2, size=(9, 2))
    model = (gmm if family == "gmm" else bmm).build_marginal_model(X, 3, None)
    density = declared_density(model, ["x"])
    assert density(theta.permute([2, 0, 1]).arrays()) == pytest.approx(density(theta.arrays()), rel=1e-14)
