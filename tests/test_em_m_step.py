"""E-step and M-step, checked by hand: against naive loops, known labels, and the definition of a mode."""

import numpy as np
import pytest
from families import FAMILIES, each_family, feature_counts, largest_relative_gap, seeds
from family_bmm import TRIALS
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp

from em import bmm, gmm, q_function
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMPrior
from models.pmm import PMMPrior

some_components = st.integers(1, 3)


@each_family
@given(seed=seeds, K=some_components, D=feature_counts)
def test_e_step_is_the_naive_double_loop(family, seed, K, D):
    X, parameters, _ = family.problem(seed, K, D, 12)
    joint = np.empty((len(X), K))
    for i, x in enumerate(X):
        for k in range(K):
            joint[i, k] = np.log(parameters.weights[k]) + family.log_prob(x, parameters, k)
    log_density = logsumexp(joint, axis=1)  # densities far out fit no float

    responsibilities, log_likelihood = family.steps.e_step(X, parameters, **family.options)
    # SciPy inverts covariances by eigenvalues, here by Cholesky: condition numbers up to 1e3 cost three of 16 digits
    np.testing.assert_allclose(family.steps.log_joint(X, parameters, **family.options), joint, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(responsibilities, np.exp(joint - log_density[:, None]), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(log_likelihood, log_density.sum(), rtol=1e-10)


@each_family
@given(seed=seeds, K=some_components, D=feature_counts)
def test_one_hot_responsibilities_give_the_fit_with_known_labels(family, seed, K, D):
    X, _, rng = family.problem(seed, K, D, 30)
    z = rng.permutation(np.arange(30) % K)
    actual = family.m_step(X, np.eye(K)[z], family.prior(K, D))
    assert largest_relative_gap(actual.arrays(), family.closed_form(X, z, K)) < 1e-12  # sums of 30 terms


def q_plus_log_prior(family, X, responsibilities, prior):
    """Return Q(θ) + log p(θ) as a function of the parameters."""

    def objective(parameters):
        q = q_function(family.steps.log_joint(X, parameters, **family.options), responsibilities)
        return q + (0.0 if prior is None else prior.log_prob(parameters))

    return objective


def on_unconstrained_vectors(family, objective, K, D):
    """Return the same function of K log weights (up to a constant) and the family's own vector."""

    def of_vector(vector):
        weights = np.exp(vector[:K] - vector[:K].max())
        return objective(family.from_vector(weights / weights.sum(), vector[K:], K, D))

    return of_vector


def numerical_gradient(function, at, h):
    """Five-point differences: error h^4/30 times the fifth derivative, and 1.5 eps |f| / h of rounding."""
    steps = h * np.eye(len(at))
    return np.array(
        [
            (8 * (function(at + e) - function(at - e)) - (function(at + 2 * e) - function(at - 2 * e))) / (12 * h)
            for e in steps
        ]
    )


@each_family
@pytest.mark.parametrize(("seed", "K", "D"), [(0, 1, 2), (1, 2, 1), (1, 3, 2)])
def test_m_step_is_the_mode_of_q_plus_log_prior(family, seed, K, D):
    X, _, rng = family.problem(seed, K, D, 40)
    responsibilities = rng.dirichlet(np.ones(K), size=40)
    prior = family.prior(K, D)
    estimate = family.m_step(X, responsibilities, prior)

    function = on_unconstrained_vectors(family, q_plus_log_prior(family, X, responsibilities, prior), K, D)
    at = np.concatenate([np.log(estimate.weights), family.to_vector(estimate)])
    # |f| is a few hundred and its derivatives at most about 1e4 (40 samples, scales of order 1), so with h = 1e-3 the
    # differences are right to 1e-12 * 1e4 / 30 + 1.5 * 2e-16 * 1e3 / 1e-3 = 6e-10. A wrong denominator is of order 1.
    assert np.abs(numerical_gradient(function, at, 1e-3)).max() < 1e-8
    for _ in range(20):  # a maximum, not a saddle
        assert function(at + 0.1 * rng.normal(size=len(at))) < function(at)


def test_m_step_reads_a_prior_that_differs_between_components_and_features():
    rng = np.random.RandomState(0)
    responsibilities = rng.dirichlet(np.ones(2), size=40)
    priors = {
        "full-MAP": GMMPrior([1.5, 4.0], [1.0, -2.0], 3.0, 2.5, [[2.0, 0.3], [0.3, 0.5]]),
        "binomial-MAP": BMMPrior([1.5, 4.0], [1.0, 6.0], [3.0, 1.5]),
        "poisson-exposure-MAP": PMMPrior([1.5, 4.0], [1.0, 6.0], [3.0, 1.5]),
    }
    for family in (row for row in FAMILIES if row.name in priors):
        X, _, _ = family.problem(0, 2, 2, 40)
        prior = priors[family.name]
        estimate = family.m_step(X, responsibilities, prior)
        function = on_unconstrained_vectors(family, q_plus_log_prior(family, X, responsibilities, prior), 2, 2)
        at = np.concatenate([np.log(estimate.weights), family.to_vector(estimate)])
        assert np.abs(numerical_gradient(function, at, 1e-3)).max() < 1e-8  # as above


def test_binomial_trials_may_differ_between_samples():
    rng = np.random.RandomState(0)
    trials = rng.randint(1, TRIALS, size=(30, 2))
    X = rng.binomial(trials, 0.4)
    responsibilities = rng.dirichlet(np.ones(2), size=30)
    estimate = bmm.m_step(X, responsibilities, n_trials=trials)
    for k in range(2):
        share = responsibilities[:, k]
        np.testing.assert_allclose(estimate.probs[k], share @ X / (share @ trials), rtol=1e-13)


def test_binomial_with_one_trial_is_bernoulli():
    X = np.random.RandomState(0).randint(2, size=(20, 3))
    parameters = BMMParameters([0.3, 0.7], [[0.2, 0.5, 0.9], [0.6, 0.1, 0.5]])
    responsibilities, log_likelihood = bmm.e_step(X, parameters, n_trials=np.ones((20, 3), dtype=int))
    expected, expected_log_likelihood = bmm.e_step(X, parameters)
    np.testing.assert_array_equal(responsibilities, expected)
    assert log_likelihood == expected_log_likelihood


def test_m_step_of_an_emptied_gaussian_component_is_refused():
    X = np.random.RandomState(0).normal(size=(10, 1))
    with pytest.raises(ValueError, match="component 1 was emptied"):
        gmm.m_step(X, np.eye(2)[np.zeros(10, dtype=int)])


def test_map_m_step_of_an_emptied_gaussian_component_is_the_prior_mode():
    X = np.random.RandomState(0).normal(size=(10, 1))
    prior = GMMPrior(2.0, [5.0], 0.1, 3.0, [[2.0]])
    estimate = gmm.m_step(X, np.eye(2)[np.zeros(10, dtype=int)], prior)
    np.testing.assert_allclose(estimate.weights, [11 / 12, 1 / 12], rtol=1e-15)
    np.testing.assert_allclose(estimate.means[1], [5.0], rtol=1e-15)
    np.testing.assert_allclose(estimate.covariances[1], [[2.0 / (3.0 + 1 + 2)]], rtol=1e-15)


@pytest.mark.parametrize(
    ("responsibilities", "message"),
    [
        ([[1, 0], [0.5, 0.6], [2, 0]], r"sum to 1 in each row, got \[0.5, 0.6\] in row 1"),
        ([[1.5, -0.5], [0.5, 0.5], [1, 0]], r"must be non-negative and sum to 1 .*, got \[1.5, -0.5\] in row 0"),
        ([[np.nan, 1], [0.5, 0.5], [1, 0]], r"must be non-negative and sum to 1 .*, got \[nan, 1.0\] in row 0"),
        ([[0.5, 0.5], [0.5, 0.5]], "responsibilities must have one row for each of the 3 samples"),
        ([1, 0, 1], r"responsibilities must have shape \(n, K\)"),
    ],
)
@pytest.mark.parametrize("steps", [gmm, bmm])
def test_m_step_refuses_responsibilities_that_are_none(steps, responsibilities, message):
    with pytest.raises(ValueError, match=message):
        steps.m_step([[0.0], [1.0], [1.0]], responsibilities)
