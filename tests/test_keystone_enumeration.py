"""The keystone: both PyMC models and EM are the same mixture, because summing out the labels by hand says so."""

import numpy as np
import pytest
from random_mixtures import (
    all_labellings,
    declared_density,
    joint_density_of_labels,
    random_bmm,
    random_bmm_prior,
    random_cmm,
    random_cmm_prior,
    random_gmm,
    random_gmm_prior,
    random_pmm,
    random_pmm_prior,
)
from scipy.special import logsumexp

from em import bmm as em_bmm
from em import cmm as em_cmm
from em import gmm as em_gmm
from em import pmm as em_pmm
from models import bmm, cmm, gmm, pmm
from models.gmm.structures import COVARIANCE_TYPES

TOLERANCE = 1e-10  # sums of a few hundred terms of size 1 to 100, each right to 16 digits
N = 6  # samples: 64, 729 and 4096 label vectors for K = 2, 3 and 4
TRIALS = {
    "bernoulli": lambda n, D: 1,
    "binomial": lambda n, D: 12,
    "binomial per feature": lambda n, D: np.arange(2, 2 + D),
    "binomial per cell": lambda n, D: 1 + np.arange(n * D).reshape(n, D) % 7,
}
EXPOSURES = {
    "no exposure": lambda n, D: 1,
    "exposure": lambda n, D: 2.5,
    "exposure per feature": lambda n, D: 0.5 + np.arange(D),
    "exposure per cell": lambda n, D: 0.3 + np.arange(n * D).reshape(n, D) % 7,
}


def summed_over_labels(explicit_model, parameters):
    """Return logsumexp of the joint log density log p(x, z, θ) over all K^n label vectors z."""
    labellings = all_labellings(parameters.n_components, N)
    return logsumexp(joint_density_of_labels(explicit_model)(parameters, labellings))


def assert_one_mixture(explicit_model, marginal_model, parameters, prior, em_log_likelihood):
    enumerated = summed_over_labels(explicit_model, parameters) - prior.log_prob(parameters)
    marginal = declared_density(marginal_model, ["x"])(parameters.arrays())
    assert enumerated == pytest.approx(em_log_likelihood, rel=0, abs=TOLERANCE)
    assert marginal == pytest.approx(em_log_likelihood, rel=0, abs=TOLERANCE)


# Every kind with two K, and every K with at least two kinds: labels are summed out alike whatever the kind.
PAIRS = [(i, K) for i in range(4) for K in (2, 3, 4) if (i + K) % 3 != 1]
GAUSSIAN_CASES = [(COVARIANCE_TYPES[i], K, 1 + (i + 2 * K) % 3) for i, K in PAIRS]
COUNT_CASES = [(K, list(TRIALS)[i]) for i, K in PAIRS]
POISSON_CASES = [(K, list(EXPOSURES)[i], (i + K) % 2 == 0) for i, K in PAIRS]  # with cells missing or not


@pytest.mark.parametrize(("structure", "K", "D"), GAUSSIAN_CASES)
def test_gaussian_joint_summed_over_all_labels_is_em_log_likelihood(structure, K, D):
    rng = np.random.default_rng([K, D])
    parameters, prior = random_gmm(K, D, rng, structure), random_gmm_prior(K, D, rng, structure)
    X = 2 * rng.normal(size=(N, D))
    assert_one_mixture(
        gmm.build_model(X, K, prior, structure),
        gmm.build_marginal_model(X, K, prior, structure),
        parameters,
        prior,
        em_gmm.e_step(X, parameters)[1],
    )


@pytest.mark.parametrize("structure", COVARIANCE_TYPES)
def test_gaussian_keystone_holds_for_the_observed_cells_where_cells_are_missing(structure):
    """Every pattern of missing cells: nothing missing, one or two of three, and a row with nothing."""
    rng = np.random.default_rng(5)
    parameters, prior = random_gmm(3, 3, rng, structure), random_gmm_prior(3, 3, rng, structure)
    X = np.where(
        np.array([[1, 1, 1], [0, 1, 1], [1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 0, 0]]), rng.normal(size=(N, 3)), np.nan
    )
    assert_one_mixture(
        gmm.build_model(X, 3, prior, structure),
        gmm.build_marginal_model(X, 3, prior, structure),
        parameters,
        prior,
        em_gmm.e_step(X, parameters)[1],
    )


@pytest.mark.parametrize("kind", ["bernoulli", "binomial per cell"])
def test_count_keystone_holds_for_the_observed_cells_where_cells_are_missing(kind):
    rng = np.random.default_rng(6)
    parameters, prior, trials = random_bmm(2, 3, rng), random_bmm_prior(2, 3, rng), TRIALS[kind](N, 3)
    X = np.where(rng.uniform(size=(N, 3)) < 0.4, np.nan, rng.binomial(trials, 0.5, size=(N, 3)))
    assert_one_mixture(
        bmm.build_model(X, 2, prior, n_trials=trials),
        bmm.build_marginal_model(X, 2, prior, n_trials=trials),
        parameters,
        prior,
        em_bmm.e_step(X, parameters, trials)[1],
    )


@pytest.mark.parametrize(("K", "kind"), COUNT_CASES)
def test_count_joint_summed_over_all_labels_is_em_log_likelihood(K, kind):
    rng = np.random.default_rng(K)
    parameters, prior, trials = random_bmm(K, 3, rng), random_bmm_prior(K, 3, rng), TRIALS[kind](N, 3)
    X = rng.binomial(trials, 0.5, size=(N, 3))
    assert_one_mixture(
        bmm.build_model(X, K, prior, n_trials=trials),
        bmm.build_marginal_model(X, K, prior, n_trials=trials),
        parameters,
        prior,
        em_bmm.e_step(X, parameters, trials)[1],
    )


@pytest.mark.parametrize(("K", "kind", "holes"), POISSON_CASES)
def test_poisson_joint_summed_over_all_labels_is_em_log_likelihood(K, kind, holes):
    rng = np.random.default_rng(K)
    parameters, prior, exposure = random_pmm(K, 3, rng), random_pmm_prior(K, 3, rng), EXPOSURES[kind](N, 3)
    X = rng.poisson(4.0, size=(N, 3)).astype(float)
    X[1] = X[0]  # a row that occurs twice is computed once
    if holes:
        X[rng.uniform(size=X.shape) < 0.4] = np.nan
    assert_one_mixture(
        pmm.build_model(X, K, prior, exposure),
        pmm.build_marginal_model(X, K, prior, exposure),
        parameters,
        prior,
        em_pmm.e_step(X, parameters, exposure)[1],
    )


def test_marginal_poisson_model_is_finite_where_a_rate_or_a_weight_is_zero():
    X = np.array([[0.0, 3.0], [0.0, 1.0], [2.0, 0.0]])
    possible, impossible = (pmm.build_marginal_model(rows, 3, pmm.PMMPrior()) for rows in (X[:2], X))
    for weights in ([0.3, 0.7, 0.0], [0.0, 1.0, 0.0], [1.0, -0.0, 0.0]):
        parameters = pmm.PMMParameters(weights, [[0.0, 4.0], [-0.0, 0.5], [1.0, 1.0]])
        expected = em_pmm.e_step(X[:2], parameters)[1]
        assert np.isfinite(expected)
        assert declared_density(possible, ["x"])(parameters.arrays()) == pytest.approx(expected, rel=0, abs=TOLERANCE)
        assert declared_density(impossible, ["x"])(parameters.arrays()) == -np.inf


@pytest.mark.parametrize("holes", [False, True], ids=["complete", "with missing cells"])
@pytest.mark.parametrize("K", [2, 3, 4])
def test_categorical_joint_summed_over_all_labels_is_em_log_likelihood(K, holes):
    rng, levels = np.random.default_rng(K), (2, 4, 3)
    parameters, prior = random_cmm(K, levels, rng), random_cmm_prior(K, levels, rng)
    X = rng.integers(0, levels, size=(N, 3)).astype(float)
    if holes:
        X[rng.uniform(size=X.shape) < 0.4] = np.nan
    assert_one_mixture(
        cmm.build_model(X, K, prior, levels),
        cmm.build_marginal_model(X, K, prior, levels),
        parameters,
        prior,
        em_cmm.e_step(X, parameters)[1],
    )


def test_labels_given_the_data_in_the_joint_are_em_responsibilities():
    """One label vector at a time through the plain joint density: p(z_i = k | x) by hand is column k of the E-step."""
    rng = np.random.default_rng(1)
    K, parameters, prior, X = 2, random_gmm(2, 2, rng), random_gmm_prior(2, 2, rng), rng.normal(size=(N, 2))
    model = gmm.build_model(X, K, prior)
    joint, labellings = declared_density(model, model.named_vars), all_labellings(K, N)
    log_joint = np.array([joint(parameters.arrays() | {"z": z}) for z in labellings])
    responsibilities, log_likelihood = em_gmm.e_step(X, parameters)
    assert logsumexp(log_joint) - prior.log_prob(parameters) == pytest.approx(log_likelihood, rel=0, abs=TOLERANCE)
    posterior = np.exp(log_joint - logsumexp(log_joint))
    by_hand = np.array([[posterior[labellings[:, i] == k].sum() for k in range(K)] for i in range(N)])
    np.testing.assert_allclose(by_hand, responsibilities, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["bernoulli", "binomial"])
def test_marginal_count_model_equals_em_where_parameters_lie_on_the_boundary(kind):
    """0 log 0 = 0 and log 0 = -inf, never NaN: a weight of 0, probs of exactly 0 and 1, rows that are impossible."""
    X = np.array([[0, 1, 1], [0, 0, 1], [1, 1, 0]])
    trials = TRIALS[kind](*X.shape)
    X = X * trials
    model = bmm.build_marginal_model(X[:2], 3, bmm.BMMPrior(), n_trials=trials)
    impossible = bmm.build_marginal_model(X, 3, bmm.BMMPrior(), n_trials=trials)
    for weights in ([0.3, 0.7, 0.0], [0.0, 1.0, 0.0], [1.0, -0.0, 0.0]):
        parameters = bmm.BMMParameters(weights, [[0.0, 0.4, 1.0], [-0.0, 0.5, 1.0], [1.0, 1.0, 0.0]])
        expected = em_bmm.e_step(X[:2], parameters, trials)[1]
        assert np.isfinite(expected)
        assert declared_density(model, ["x"])(parameters.arrays()) == pytest.approx(expected, rel=0, abs=TOLERANCE)
        assert em_bmm.e_step(X, parameters, trials)[1] == -np.inf
        assert declared_density(impossible, ["x"])(parameters.arrays()) == -np.inf


def test_marginal_gaussian_model_equals_em_where_a_weight_is_zero():
    rng = np.random.default_rng(2)
    X, three = rng.normal(size=(6, 2)), random_gmm(3, 2, rng)
    parameters = gmm.GMMParameters([0.4, 0.0, 0.6], three.means, three.covariances)
    marginal = declared_density(gmm.build_marginal_model(X, 3, None), ["x"])
    assert marginal(parameters.arrays()) == pytest.approx(em_gmm.e_step(X, parameters)[1], rel=0, abs=TOLERANCE)
