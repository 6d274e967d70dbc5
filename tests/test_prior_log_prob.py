"""One prior: what EM adds to its objective is what the PyMC models add to theirs, and what SciPy says."""

from dataclasses import replace

import numpy as np
import pytest
from random_mixtures import (
    declared_density,
    random_bmm,
    random_bmm_prior,
    random_cmm,
    random_cmm_prior,
    random_gmm,
    random_gmm_prior,
    random_pmm,
    random_pmm_prior,
)
from scipy import stats

from models import bmm, cmm, gmm, pmm

TOLERANCE = 1e-10  # sums of at most a hundred terms of size 1 to 100, each right to 16 digits
SHAPES = [(1, 1), (1, 3), (2, 1), (3, 2), (4, 5)]


def gmm_prior_of(model):
    return declared_density(model, ["weights", "means", "covariances"])


def bmm_prior_of(model):
    return declared_density(model, ["weights", "probs"])


@pytest.mark.parametrize(("K", "D"), SHAPES)
def test_gmm_prior_is_the_prior_part_of_both_pymc_models_and_scipys(K, D):
    rng = np.random.default_rng([K, D])
    prior, X = random_gmm_prior(K, D, rng), rng.normal(size=(3, D))
    by_vector = gmm_prior_of(gmm.build_marginal_model(X, K, prior))
    alike = replace(prior, concentration=1.7)
    by_number = gmm_prior_of(gmm.build_model(X, K, alike))
    for _ in range(3):
        theta = random_gmm(K, D, rng)
        normal_inverse_wishart = sum(
            stats.invwishart.logpdf(covariance, df=prior.degrees_of_freedom, scale=prior.scale)
            + stats.multivariate_normal.logpdf(mean, prior.mean, covariance / prior.mean_precision)
            for mean, covariance in zip(theta.means, theta.covariances, strict=True)
        )
        for this, pymc, a in [
            (prior, by_vector(theta.arrays()), prior.concentration),
            (alike, by_number(theta.arrays() | {"z": np.zeros(3, dtype=int)}), np.full(K, 1.7)),
        ]:
            dirichlet = stats.dirichlet.logpdf(theta.weights, a) if K > 1 else 0.0
            assert this.log_prob(theta) == pytest.approx(pymc, rel=0, abs=TOLERANCE)
            assert this.log_prob(theta) == pytest.approx(dirichlet + normal_inverse_wishart, rel=0, abs=TOLERANCE)


@pytest.mark.parametrize(("K", "D"), [(1, 1), (2, 1), (3, 2)])
@pytest.mark.parametrize("structure", ["tied", "diag", "spherical"])
def test_gmm_prior_of_each_structure_is_the_prior_part_of_the_pymc_model_and_scipys(structure, K, D):
    rng = np.random.default_rng([K, D])
    prior, X = random_gmm_prior(K, D, rng, structure), rng.normal(size=(3, D))
    by_pymc = gmm_prior_of(gmm.build_marginal_model(X, K, prior, structure))
    theta = random_gmm(K, D, rng, structure)
    expected = stats.dirichlet.logpdf(theta.weights, prior.concentration) if K > 1 else 0.0
    nu, scale = prior.degrees_of_freedom, prior.scale
    if structure == "tied":
        matrices = [theta.covariances] * K
        expected += stats.invwishart.logpdf(theta.covariances, df=nu, scale=scale)
    else:
        variances = theta.covariances
        matrices = [np.diag(np.broadcast_to(row, D)) for row in variances]
        expected += stats.invgamma.logpdf(variances, nu / 2, scale=scale / 2).sum()
    for mean, matrix in zip(theta.means, matrices, strict=True):
        expected += stats.multivariate_normal.logpdf(mean, prior.mean, matrix / prior.mean_precision)
    assert prior.log_prob(theta) == pytest.approx(by_pymc(theta.arrays()), rel=0, abs=TOLERANCE)
    assert prior.log_prob(theta) == pytest.approx(expected, rel=0, abs=TOLERANCE)


@pytest.mark.parametrize("structure", ["diag", "spherical"])
def test_structures_share_one_prior_in_one_dimension(structure):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 1))
    full, other = (gmm.GMMPrior.weakly_informative(X, 2, kind) for kind in ("full", structure))
    theta = random_gmm(2, 1, rng)
    narrow = gmm.GMMParameters(
        theta.weights,
        theta.means,
        theta.covariances[:, 0] if structure == "diag" else theta.covariances[:, 0, 0],
        structure,
    )
    assert other.log_prob(narrow) == pytest.approx(full.log_prob(theta), rel=0, abs=TOLERANCE)


@pytest.mark.parametrize(("K", "D"), SHAPES)
def test_bmm_prior_is_the_prior_part_of_both_pymc_models_and_scipys(K, D):
    rng = np.random.default_rng([K, D])
    prior, X = random_bmm_prior(K, D, rng), rng.integers(0, 2, size=(3, D))
    by_vector = bmm_prior_of(bmm.build_marginal_model(X, K, prior))
    alike = bmm.BMMPrior(concentration=1.7, successes=1.2, failures=3.4)
    by_number = bmm_prior_of(bmm.build_model(X, K, alike))
    for _ in range(3):
        theta = random_bmm(K, D, rng)
        for this, pymc, a in [
            (prior, by_vector(theta.arrays()), prior.concentration),
            (alike, by_number(theta.arrays() | {"z": np.zeros(3, dtype=int)}), np.full(K, 1.7)),
        ]:
            dirichlet = stats.dirichlet.logpdf(theta.weights, a) if K > 1 else 0.0
            beta = stats.beta.logpdf(theta.probs, this.successes, this.failures).sum()
            assert this.log_prob(theta) == pytest.approx(pymc, rel=0, abs=TOLERANCE)
            assert this.log_prob(theta) == pytest.approx(dirichlet + beta, rel=0, abs=TOLERANCE)


@pytest.mark.parametrize(("K", "D"), SHAPES)
def test_pmm_prior_is_the_prior_part_of_both_pymc_models_and_scipys(K, D):
    rng = np.random.default_rng([K, D])
    prior, X = random_pmm_prior(K, D, rng), rng.integers(0, 9, size=(3, D))
    alike = pmm.PMMPrior(concentration=1.7, shape=1.2, rate=3.4)
    by_vector = declared_density(pmm.build_marginal_model(X, K, prior), ["weights", "rates"])
    by_number = declared_density(pmm.build_model(X, K, alike), ["weights", "rates"])
    for _ in range(3):
        theta = random_pmm(K, D, rng)
        for this, pymc, a in [
            (prior, by_vector(theta.arrays()), prior.concentration),
            (alike, by_number(theta.arrays() | {"z": np.zeros(3, dtype=int)}), np.full(K, 1.7)),
        ]:
            dirichlet = stats.dirichlet.logpdf(theta.weights, a) if K > 1 else 0.0
            gamma = stats.gamma.logpdf(theta.rates, this.shape, scale=1 / this.rate).sum()
            assert this.log_prob(theta) == pytest.approx(pymc, rel=0, abs=TOLERANCE)
            assert this.log_prob(theta) == pytest.approx(dirichlet + gamma, rel=0, abs=TOLERANCE)


@pytest.mark.parametrize(("K", "levels"), [(1, (2,)), (2, (4,)), (3, (2, 1, 3))])
def test_cmm_prior_is_the_prior_part_of_both_pymc_models_and_scipys(K, levels):
    rng = np.random.default_rng(K)
    prior, theta, X = (
        random_cmm_prior(K, levels, rng),
        random_cmm(K, levels, rng),
        rng.integers(0, levels, (3, len(levels))),
    )
    expected = stats.dirichlet.logpdf(theta.weights, prior.concentration) if K > 1 else 0.0
    for probs, b in zip(theta.by_feature, np.split(prior.pseudo_counts, np.cumsum(levels)[:-1]), strict=True):
        expected += sum(stats.dirichlet.logpdf(p, b) for p in probs) if len(b) > 1 else 0.0
    assert prior.log_prob(theta) == pytest.approx(expected, rel=0, abs=TOLERANCE)
    for build, z in [(cmm.build_marginal_model, {}), (cmm.build_model, {"z": np.zeros(3, dtype=int)})]:
        density = declared_density(build(X, K, prior, levels), ["weights", "probs"])
        assert density(theta.arrays() | z) == pytest.approx(expected, rel=0, abs=TOLERANCE)


def test_boundary_is_finite_under_a_flat_prior_and_impossible_under_any_other():
    """Beta(1, 1) and Dirichlet(1) are densities 1 and (K - 1)! everywhere, edges included: 0 log 0 = 0."""
    edge = bmm.BMMParameters([0.0, 1.0, 0.0], [[0.0], [1.0], [-0.0]])
    flat, peaked = bmm.BMMPrior(1, 1, 1), bmm.BMMPrior(2, 2, 2)
    assert flat.log_prob(edge) == pytest.approx(np.log(2), abs=1e-14)
    assert peaked.log_prob(edge) == -np.inf
    for prior in (flat, peaked):
        pymc = bmm_prior_of(bmm.build_marginal_model([[1], [0]], 3, prior))(edge.arrays())
        assert float(pymc) == pytest.approx(prior.log_prob(edge), abs=1e-12)


def test_gmm_prior_at_a_weight_of_zero_equals_pymc():
    rng = np.random.default_rng(0)
    theta = random_gmm(2, 2, rng)
    edge = gmm.GMMParameters([1.0, 0.0], theta.means, theta.covariances)
    for concentration in (1.0, [3.0, 1.0], 2.0):
        prior = replace(random_gmm_prior(2, 2, rng), concentration=concentration)
        pymc = gmm_prior_of(gmm.build_marginal_model(rng.normal(size=(3, 2)), 2, prior))(edge.arrays())
        assert float(pymc) == pytest.approx(prior.log_prob(edge), rel=0, abs=TOLERANCE)
        assert np.isfinite(prior.log_prob(edge)) == (concentration != 2.0)


@pytest.mark.parametrize("seed", range(3))
def test_an_exchangeable_prior_does_not_see_the_order_of_components(seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(3)
    gaussian, gaussian_prior = random_gmm(3, 2, rng), replace(random_gmm_prior(3, 2, rng), concentration=2.5)
    count, count_prior = random_bmm(3, 2, rng), replace(random_bmm_prior(3, 2, rng), concentration=[2.5, 2.5, 2.5])
    assert gaussian_prior.exchangeable
    assert count_prior.exchangeable
    assert gaussian_prior.log_prob(gaussian.permute(order)) == pytest.approx(gaussian_prior.log_prob(gaussian))
    assert count_prior.log_prob(count.permute(order)) == pytest.approx(count_prior.log_prob(count))
    assert not replace(count_prior, concentration=[1.0, 2.0, 2.0]).exchangeable
    assert not replace(gaussian_prior, concentration=[1.0, 2.0, 2.0]).exchangeable


def test_covariances_that_rounding_takes_for_singular_have_a_density():
    rng, prior, n_tried = np.random.RandomState(0), gmm.GMMPrior(1.0, [0.0, 0.0], 0.2, 4.5, [[1.0, 0.2], [0.2, 1.0]]), 0
    for _ in range(2000):
        v = rng.normal(size=2) * 10.0 ** rng.randint(3, 12)
        covariance = np.outer(v, v) + np.eye(2) * 10.0 ** rng.randint(-3, 3)
        try:
            np.linalg.cholesky(covariance)
        except np.linalg.LinAlgError:
            continue
        n_tried += 1
        assert not np.isnan(prior.log_prob(gmm.GMMParameters([1.0], [[0.0, 0.0]], [covariance])))
    assert n_tried > 500
