"""The quantities of EM's proof: Q + H is the log-likelihood at the E-step's answer and a lower bound elsewhere."""

import numpy as np
import pytest
from families import component_counts, each_family, feature_counts, seeds
from hypothesis import given

from em import complete_data_log_likelihood, elbo, entropy, q_function

ROUNDING = 1e-10  # sums of 30 terms of ordinary size


@each_family
@given(seed=seeds, K=component_counts, D=feature_counts)
def test_log_likelihood_is_q_plus_entropy_at_the_e_step(family, seed, K, D):
    X, parameters, _ = family.problem(seed, K, D, 30)
    log_joint = family.steps.log_joint(X, parameters, **family.options)
    responsibilities, log_likelihood = family.steps.e_step(X, parameters, **family.options)
    np.testing.assert_allclose(
        q_function(log_joint, responsibilities) + entropy(responsibilities), log_likelihood, rtol=ROUNDING
    )
    np.testing.assert_allclose(elbo(log_joint, responsibilities), log_likelihood, rtol=ROUNDING)


@each_family
@given(seed=seeds, K=component_counts, D=feature_counts)
def test_any_other_distribution_bounds_the_log_likelihood_from_below_by_its_divergence(family, seed, K, D):
    X, parameters, rng = family.problem(seed, K, D, 30)
    log_joint = family.steps.log_joint(X, parameters, **family.options)
    _, log_likelihood = family.steps.e_step(X, parameters, **family.options)
    q = rng.dirichlet(np.full(K, 0.5), size=30)
    bound = elbo(log_joint, q)
    assert bound <= log_likelihood + ROUNDING * abs(log_likelihood)
    log_responsibilities = log_joint - np.logaddexp.reduce(log_joint, axis=1, keepdims=True)
    divergence = np.sum(q * (np.log(np.where(q > 0, q, 1.0)) - log_responsibilities))
    np.testing.assert_allclose(log_likelihood - bound, divergence, rtol=1e-9, atol=ROUNDING * abs(log_likelihood))


@each_family
@given(seed=seeds, K=component_counts, D=feature_counts)
def test_complete_data_log_likelihood_is_q_at_one_hot(family, seed, K, D):
    X, parameters, rng = family.problem(seed, K, D, 10)
    z = rng.randint(K, size=10)
    log_joint = family.steps.log_joint(X, parameters, **family.options)
    by_hand = sum(np.log(parameters.weights[k]) + family.log_prob(x, parameters, k) for x, k in zip(X, z, strict=True))
    complete = complete_data_log_likelihood(log_joint, z)
    np.testing.assert_allclose(complete, by_hand, rtol=ROUNDING)
    np.testing.assert_allclose(q_function(log_joint, np.eye(K)[z]), complete, rtol=ROUNDING)
    assert entropy(np.eye(K)[z]) == 0.0


def test_zero_responsibility_silences_an_impossible_component():
    log_joint = np.array([[-1.0, -np.inf], [-2.0, -3.0]])
    assert q_function(log_joint, [[1.0, 0.0], [0.0, 1.0]]) == -4.0
    assert q_function(log_joint, [[0.5, 0.5], [0.0, 1.0]]) == -np.inf


def test_entropy_of_even_odds_is_log_two_for_each_sample():
    np.testing.assert_allclose(entropy(np.full((5, 2), 0.5)), 5 * np.log(2), rtol=1e-15)


@pytest.mark.parametrize("z", [[0], [0, 2], [0, -1], [0.0, 1.0], [[0], [1]]])
def test_labels_that_are_none_are_refused(z):
    with pytest.raises(ValueError, match="z must hold 2 integer labels from 0 to 1, got"):
        complete_data_log_likelihood(np.zeros((2, 2)), z)


@pytest.mark.parametrize("log_joint", [np.zeros(2), np.zeros((2, 2, 1))])
def test_log_joint_that_is_no_matrix_is_refused(log_joint):
    for call in (q_function, complete_data_log_likelihood):
        with pytest.raises(ValueError, match=r"log_joint must have shape \(n, K\), got \(2"):
            call(log_joint, [0, 1])


def test_distributions_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"responsibilities must have the shape of log_joint \(2, 2\), got \(1, 2\)"):
        q_function(np.zeros((2, 2)), [[0.5, 0.5]])
