"""Contracts of EM that hold for every family, on random problems."""

import numpy as np
from families import (
    FAILINGS,
    component_counts,
    each_family,
    feature_counts,
    largest_relative_gap,
    sample_counts,
    seeds,
)
from hypothesis import given
from hypothesis import strategies as st

random_problem = given(seed=seeds, K=component_counts, D=feature_counts, n=sample_counts)

# A sum of at most 60 log densities, each right to a few units in the last place of its largest term, is right to about
# 60 * 1e-16 relative; a covariance of condition number 1e4 costs four more digits.
ROUNDING = 1e-10


@each_family
@random_problem
def test_objective_never_decreases(family, seed, K, D, n):
    X, start, _ = family.problem(seed, K, D, n)
    history = family.fit(X, K, init=start, max_iter=30, quiet=FAILINGS).history_
    assert np.isfinite(history).all()
    assert (np.diff(history) >= -ROUNDING * np.abs(history[1:])).all()


@each_family
@random_problem
def test_responsibilities_are_distributions(family, seed, K, D, n):
    X, start, _ = family.problem(seed, K, D, n)
    responsibilities, log_likelihood = family.steps.e_step(X, start, **family.options)
    assert responsibilities.shape == (n, K)
    assert (responsibilities >= 0).all()
    np.testing.assert_allclose(responsibilities.sum(axis=1), 1, rtol=0, atol=4 * K * np.finfo(float).eps)
    assert np.isfinite(log_likelihood)


@each_family
@random_problem
def test_permuting_the_start_permutes_one_iteration(family, seed, K, D, n):
    X, start, rng = family.problem(seed, K, D, n)
    order, prior = rng.permutation(K), family.prior(K, D)

    def iterate(parameters):
        responsibilities, log_likelihood = family.steps.e_step(X, parameters, **family.options)
        softened = 0.9 * responsibilities + 0.1 / K  # keeps a Gaussian component from collapsing in its first step
        after = family.m_step(X, softened, prior)
        return responsibilities, log_likelihood, after

    responsibilities, log_likelihood, after = iterate(start)
    permuted_responsibilities, permuted_log_likelihood, permuted_after = iterate(start.permute(order))
    # the same numbers in another order: only the sum over components can round differently
    np.testing.assert_allclose(permuted_responsibilities, responsibilities[:, order], rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(permuted_log_likelihood, log_likelihood, rtol=1e-12)
    assert largest_relative_gap(permuted_after.arrays(), after.permute(order).arrays()) < 1e-12


@each_family
@given(seed=seeds, K=st.integers(2, 4), D=feature_counts)
def test_permuting_the_start_permutes_the_fit(family, seed, K, D):
    X, start, rng = family.problem(seed, K, D, 60)
    order = rng.permutation(K)
    settings = {"max_iter": 10, "tol": 0.0, "quiet": FAILINGS}
    fit = family.fit(X, K, init=start, **settings)
    permuted = family.fit(X, K, init=start.permute(order), **settings)
    # ten iterations may enlarge the rounding of each, 1e-16, by the condition of the problem
    assert largest_relative_gap(permuted.parameters_.arrays(), fit.parameters_.permute(order).arrays()) < 1e-9
    np.testing.assert_allclose(permuted.history_, fit.history_, rtol=1e-10)


@each_family
@given(seed=seeds, D=feature_counts, n=sample_counts)
def test_one_component_is_the_closed_form(family, seed, D, n):
    X, start, _ = family.problem(seed, 1, D, n)
    expected = family.closed_form(X, np.zeros(n, dtype=int), 1)
    for init in ("k-means++", start):
        fit = family.fit(X, 1, init=init, n_init=1, random_state=0)
        assert fit.converged_
        assert largest_relative_gap(fit.parameters_.arrays(), expected) < 1e-12  # sums of at most 60 terms


@each_family
@random_problem
def test_history_ends_at_the_objective_of_the_returned_parameters(family, seed, K, D, n):
    X, start, _ = family.problem(seed, K, D, n)
    fit = family.fit(X, K, init=start, max_iter=7, quiet=FAILINGS)
    _, log_likelihood = family.steps.e_step(X, fit.parameters_, **family.options)
    prior = family.prior(K, D)
    log_prior = 0.0 if prior is None else prior.log_prob(fit.parameters_)
    assert len(fit.history_) == fit.n_iter_ + 1
    assert fit.history_[-1] == fit.objective_
    np.testing.assert_allclose(fit.log_likelihood_, log_likelihood, rtol=ROUNDING)
    np.testing.assert_allclose(fit.objective_, log_likelihood + log_prior, rtol=ROUNDING)
    np.testing.assert_allclose(fit.score_samples(X).sum(), log_likelihood, rtol=ROUNDING)
