"""The inverse-Wishart distribution is right: density, draws, support point, transform, and NUTS on it."""

import arviz as az
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.distributions.distribution import support_point
from pymc.logprob.utils import ParameterValueError
from scipy import stats
from scipy.integrate import quad
from threadpoolctl import threadpool_limits

from models.distributions.inverse_wishart import CovarianceTransform, InverseWishart


@pytest.fixture(autouse=True, scope="module")
def one_blas_thread():
    with threadpool_limits(1, user_api="blas"):
        yield


def evaluate(graph):
    return pytensor.function([], graph, mode="FAST_COMPILE")()


def random_covariances(rng, *shape):
    root = rng.normal(size=(*shape, shape[-1]))
    return root @ np.swapaxes(root, -1, -2) + 0.1 * np.eye(shape[-1])


@pytest.mark.parametrize("D", [1, 2, 3, 4])
def test_log_density_is_scipys_for_a_batch_with_its_own_nu_and_scale_each(D):
    rng = np.random.default_rng(D)
    nu, scale, value = D - 1 + rng.gamma(2.0, size=5), random_covariances(rng, 5, D), random_covariances(rng, 5, D)
    ours = evaluate(pm.logp(InverseWishart.dist(nu=nu, scale=scale), value))
    scipys = [stats.invwishart.logpdf(value[i], df=nu[i], scale=scale[i]) for i in range(5)]
    np.testing.assert_allclose(ours, scipys, rtol=1e-12, atol=1e-12)


def test_one_nu_and_scale_serve_a_batch_of_values():
    rng = np.random.default_rng(0)
    value, scale = random_covariances(rng, 3, 2), random_covariances(rng, 2)
    ours = evaluate(pm.logp(InverseWishart.dist(nu=4, scale=scale, size=3), value))
    np.testing.assert_allclose(ours, [stats.invwishart.logpdf(v, df=4, scale=scale) for v in value], rtol=1e-12)


def test_one_dimension_is_the_inverse_gamma_and_integrates_to_one():
    nu, psi = 3.7, 2.2
    value = pt.scalar("value", dtype="float64")
    log_density = pm.logp(InverseWishart.dist(nu=nu, scale=[[psi]]), value[None, None])
    density = pytensor.function([value], pt.exp(log_density), mode="FAST_COMPILE")
    for x in (0.05, 0.3, 1.0, 9.0):
        assert density(x) == pytest.approx(stats.invgamma.pdf(x, nu / 2, scale=psi / 2), rel=1e-12)
    total, error = quad(density, 0, np.inf, limit=200)
    assert total == pytest.approx(1, abs=1e-7)  # quad's own bound, next line, is below 1e-7
    assert error < 1e-7


def test_density_is_zero_outside_the_positive_definite_matrices():
    outside = np.array([[[1.0, 2.0], [2.0, 1.0]], [[-1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    assert (evaluate(pm.logp(InverseWishart.dist(nu=4.0, scale=np.eye(2), size=3), outside)) == -np.inf).all()


def test_too_few_degrees_of_freedom_are_refused():
    with pytest.raises(ParameterValueError, match="nu > D - 1"):
        evaluate(pm.logp(InverseWishart.dist(nu=1.0, scale=np.eye(2)), np.eye(2)))


@pytest.mark.parametrize("D", [1, 2, 3])
def test_draws_have_the_mean_and_second_moments_of_theory(D):
    """Standard errors come from the draws: nu > D + 7 gives the fourth moments that they need."""
    rng = np.random.default_rng(D)
    nu, scale, n = D + 9.5, random_covariances(rng, D), 20_000
    draws = pm.draw(InverseWishart.dist(nu=nu, scale=scale, size=n), random_seed=D, mode="FAST_COMPILE")
    assert (np.linalg.eigvalsh(draws) > 0).all()

    mean = scale / (nu - D - 1)
    # E[S_ij S_kl] = Cov + mean mean; Cov as in Press (1982), Applied Multivariate Analysis, 5.2
    c, d = 1 / ((nu - D) * (nu - D - 3)), (nu - D - 1) ** 2
    covariance = c * (
        2 * np.einsum("ij,kl->ijkl", scale, scale) / d
        + (np.einsum("ik,jl->ijkl", scale, scale) + np.einsum("il,jk->ijkl", scale, scale)) / (nu - D - 1)
    )
    products = np.einsum("nij,nkl->nijkl", draws, draws)
    for sample, expected in [(draws, mean), (products, covariance + np.einsum("ij,kl->ijkl", mean, mean))]:
        standard_error = sample.std(axis=0) / np.sqrt(n)
        assert (np.abs(sample.mean(axis=0) - expected) < 4.5 * standard_error).all()


def test_draws_broadcast_over_batched_parameters_and_size():
    rng = np.random.default_rng(0)
    nu, scale = np.array([1e6, 2e6, 3e6]), random_covariances(rng, 3, 2)
    draws = pm.draw(InverseWishart.dist(nu=nu, scale=scale, size=(4, 3)), draws=5, random_seed=0, mode="FAST_COMPILE")
    assert draws.shape == (5, 4, 3, 2, 2)
    # at such nu every draw lies at Psi / nu: relative standard deviation about sqrt(2 / nu) < 0.0015
    np.testing.assert_allclose(
        draws * nu[:, None, None], np.broadcast_to(scale, draws.shape), rtol=0, atol=0.01 * scale.max()
    )
    assert pm.draw(InverseWishart.dist(nu=nu, scale=np.eye(2)), mode="FAST_COMPILE").shape == (3, 2, 2)


def test_support_point_is_the_mode():
    rng = np.random.default_rng(0)
    nu, scale = 4.5, random_covariances(rng, 3)
    point = evaluate(support_point(InverseWishart.dist(nu=nu, scale=scale, size=(2,))))
    np.testing.assert_allclose(point, np.broadcast_to(scale / (nu + 4), (2, 3, 3)), rtol=1e-12)
    assert (np.linalg.eigvalsh(point) > 0).all()


@pytest.mark.parametrize("D", [1, 2, 3, 4])
def test_log_jacobian_of_the_transform_is_the_numerical_one(D):
    """Of the map from the unconstrained vector to the D (D + 1) / 2 free entries of the matrix."""
    rng = np.random.default_rng(D)
    transform, value = CovarianceTransform(D), pt.vector("value", shape=(D * (D + 1) // 2,), dtype="float64")
    matrix = transform.backward(value)
    function = pytensor.function(
        [value], [matrix, transform.forward(matrix), transform.log_jac_det(value)], mode="FAST_COMPILE"
    )
    point, step, lower = rng.normal(size=D * (D + 1) // 2), 1e-5, np.tril_indices(D)
    jacobian = [
        (function(point + e)[0] - function(point - e)[0])[lower] / (2 * step) for e in step * np.eye(len(point))
    ]
    covariance, back, log_jacobian = function(point)
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    np.testing.assert_allclose(back, point, atol=1e-12)
    # central differences of exponentials: relative error step² / 6 times the third derivative, at most 8
    assert log_jacobian == pytest.approx(np.linalg.slogdet(jacobian)[1], abs=1e-8)


@pytest.mark.parametrize("mode", ["FAST_COMPILE", "JAX"])
def test_log_density_keeps_float64_on_either_backend(mode):
    """Python floats can become float32 constants, seen as errors of 1e-7."""
    value = pt.matrix("value", shape=(2, 2), dtype="float64")
    nu, scale, at = 4.123456789, np.array([[1.1, 0.3], [0.3, 0.7]]), np.array([[0.9, -0.2], [-0.2, 0.4]])
    log_density = pytensor.function([value], pm.logp(InverseWishart.dist(nu=nu, scale=scale), value), mode=mode)(at)
    assert float(log_density) == pytest.approx(stats.invwishart.logpdf(at, df=nu, scale=scale), abs=1e-13)


def test_nuts_on_the_prior_alone_recovers_the_mean():
    """Mean Psi / (nu - D - 1), judged by the Monte Carlo standard error of each entry."""
    nu, scale = 9.0, np.array([[2.0, 0.6], [0.6, 1.0]])
    with pm.Model():
        InverseWishart("covariances", nu=nu, scale=scale)
        posterior = pm.sample(
            draws=1000, tune=500, chains=2, random_seed=1, progressbar=False, nuts_sampler="nutpie", backend="jax"
        )
    draws = posterior["posterior"]["covariances"]
    error = np.abs(draws.mean(("chain", "draw")) - scale / (nu - 3))
    assert (error < 4.5 * az.mcse(draws)).all()
    assert (az.rhat(draws) < 1.02).all()
