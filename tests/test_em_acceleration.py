"""Leaps reach plain EM's optimum in fewer E-steps, and the objective never decreases on the way."""

from dataclasses import replace

import numpy as np
import pytest
import reference_data
from families import FAILINGS, component_counts, each_family, feature_counts, sample_counts, seeds
from hypothesis import given
from hypothesis import strategies as st
from leaps_of_points import leap_from

from comparisons.data import load
from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, bmm, gmm
from em.engine import run_em
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMParameters, GMMPrior


def clouds(gap, n_components=2, n=300):
    rng = np.random.RandomState(0)
    shifts = [np.array([gap * k, gap / 3 * (k % 2)]) for k in range(n_components)]
    return np.concatenate([shift + rng.normal(size=(n // n_components, 2)) for shift in shifts])


def gaussian(X, K, prior=False, **settings):
    return GaussianMixtureEM(K, prior=GMMPrior.weakly_informative(X, K) if prior else None, **settings), X


each_acceleration = pytest.mark.parametrize("acceleration", ["squarem", "multisecant"])
PROBLEMS = {
    "clouds-close": lambda **settings: gaussian(clouds(1.0), 2, **settings),
    "clouds-close-MAP": lambda **settings: gaussian(clouds(1.0), 2, prior=True, **settings),
    "clouds": lambda **settings: gaussian(clouds(1.5), 2, **settings),
    "clouds-wider": lambda **settings: gaussian(clouds(2.0), 2, **settings),
    "clouds-MAP": lambda **settings: gaussian(clouds(1.5), 2, prior=True, **settings),
    "three-clouds": lambda **settings: gaussian(clouds(2.0, 3, 600), 3, **settings),
    "iris": lambda **settings: gaussian(reference_data.iris(), 3, **settings),
    "iris-MAP": lambda **settings: gaussian(reference_data.iris(), 3, prior=True, **settings),
    "lsat7": lambda **settings: (BernoulliMixtureEM(2, **settings), reference_data.lsat7()),
    "lsat7-MAP": lambda **settings: (BernoulliMixtureEM(3, prior=BMMPrior(), **settings), reference_data.lsat7()),
    "saxony": lambda **settings: (BinomialMixtureEM(2, n_trials=12, **settings), reference_data.saxony()),
}


@pytest.fixture(scope="module")
def both():
    """Plain fit and the two accelerated ones of a problem by name, from the same start."""
    cache = {}

    def fit(name, acceleration):
        for kind in (None, acceleration):
            if (name, kind) not in cache:
                estimator, X = PROBLEMS[name](n_init=1, random_state=1, acceleration=kind)
                cache[name, kind] = estimator.fit(X)
        return cache[name, None], cache[name, acceleration]

    return fit


def e_steps_to(objective, fit):
    """Return how many E-steps a fit needed to an objective, each refused leap counted before it."""
    return int(np.argmax(fit.history_ >= objective)) + 1 + (fit.n_e_steps_ - fit.n_iter_ - 1)


@each_acceleration
@pytest.mark.parametrize("name", PROBLEMS)
def test_the_optimum_is_plain_ems(name, acceleration, both):
    plain, accelerated = both(name, acceleration)
    assert plain.converged_
    assert accelerated.converged_
    # both are within tol = 1e-8 nats of their limit, and Aitken's bound is right to a factor; see the stopping tests
    assert abs(accelerated.objective_ - plain.objective_) <= 5e-8


@each_acceleration
@pytest.mark.parametrize("name", PROBLEMS)
def test_no_problem_needs_more_e_steps(name, acceleration, both):
    plain, accelerated = both(name, acceleration)
    assert accelerated.n_e_steps_ <= plain.n_e_steps_


def e_steps_needed(names, acceleration, both):
    """Return how many E-steps plain EM and the accelerated one need to within 1e-8 (relative) of the optimum."""
    needed = []
    for name in names:
        fits = both(name, acceleration)
        best = max(fit.objective_ for fit in fits)
        needed.append([e_steps_to(best - 1e-8 * abs(best), fit) for fit in fits])
    return np.sum(needed, axis=0)


@each_acceleration
def test_overlapping_clusters_need_five_times_fewer_e_steps(acceleration, both):
    plain, accelerated = e_steps_needed(["clouds", "clouds-wider", "clouds-MAP", "three-clouds"], acceleration, both)
    assert plain >= 5 * accelerated


def test_clusters_one_standard_deviation_apart_need_eight_times_fewer_e_steps_by_multisecant_leaps(both):
    plain, accelerated = e_steps_needed(["clouds-close", "clouds-close-MAP"], "multisecant", both)
    assert plain >= 8 * accelerated


def test_multisecant_leaps_save_e_steps_over_squarem(both):
    totals = [sum(both(name, a)[1].n_e_steps_ for name in PROBLEMS) for a in ("squarem", "multisecant")]
    assert totals[1] <= 0.8 * totals[0]


def test_the_coins_ridge_is_no_longer_slow():
    """One flip per coin: along the ridge only the prior pulls, and plain EM takes thousands of steps."""
    X = load("coins").X
    with pytest.warns(match="not identified|free"):
        fit = BernoulliMixtureEM(2, prior=BMMPrior(), n_init=1, tol=1e-12, random_state=0).fit(X)
    assert fit.converged_
    assert fit.n_e_steps_ < 100


@each_family
@given(
    seed=seeds, K=component_counts, D=feature_counts, n=sample_counts, by=st.sampled_from(["multisecant", "squarem"])
)
def test_objective_never_decreases_and_ends_at_a_fixed_point_of_plain_em(family, seed, K, D, n, by):
    X, start, _ = family.problem(seed, K, D, n)
    fit = family.fit(X, K, init=start, max_iter=200, acceleration=by, quiet=FAILINGS)
    rounding = 1e-10 * np.abs(fit.history_[1:])  # as for plain EM, in the tests of its properties
    assert (np.diff(fit.history_) >= -rounding).all()
    if fit.converged_:
        on = family.fit(X, K, init=fit.parameters_, max_iter=20, tol=0.0, acceleration=None, quiet=FAILINGS)
        assert on.objective_ - fit.objective_ <= 1e-6  # tol is 1e-8: room for a limit that is a saddle


@pytest.mark.parametrize("name", ["iris-MAP", "lsat7"])
def test_without_acceleration_it_is_the_textbooks_loop(name):
    estimator, X = PROBLEMS[name](n_init=1, random_state=0, acceleration=None, max_iter=10)
    steps, history = (gmm, []) if name == "iris-MAP" else (bmm, [])
    theta = steps.m_step(
        X, responsibilities=np.random.RandomState(0).dirichlet(np.ones(estimator.n_components), len(X))
    )
    with pytest.warns(match="max_iter"):
        fit = estimator.set_params(init=theta).fit(X)
    for _ in range(11):
        responsibilities, log_likelihood = steps.e_step(X, theta)
        history.append(log_likelihood + (0.0 if estimator.prior is None else estimator.prior.log_prob(theta)))
        theta = steps.m_step(X, responsibilities, estimator.prior)
    np.testing.assert_allclose(fit.history_, history, rtol=1e-12)
    assert fit.n_e_steps_ == fit.n_iter_ + 1


@each_acceleration
@pytest.mark.parametrize("name", ["clouds", "lsat7", "saxony"])
def test_every_e_step_is_counted(name, acceleration):
    estimator, X = PROBLEMS[name](n_init=1, random_state=0)
    samples, calls = estimator._samples(X, None), []
    problem = estimator._problem(samples)
    counted = replace(problem, expect=lambda theta, runs: calls.append(theta) or problem.expect(theta, runs))
    start = estimator._starts(samples)[:1]
    run = run_em(counted, start, tol=1e-8, max_iter=1000, acceleration=acceleration)[0]
    assert run.n_e_steps == len(calls)
    assert len(calls) >= len(run.history)


@each_acceleration
def test_a_leap_that_would_lose_is_refused(acceleration):
    """An objective that falls wherever a leap lands leaves plain EM's very path; the E-steps tell of the attempts."""
    estimator, X = PROBLEMS["clouds"](n_init=1, random_state=0)
    samples = estimator._samples(X, None)
    problem, start = estimator._problem(samples), estimator._starts(samples)[:1]
    visited = {start[0].means.tobytes()}

    def maximise(statistics, runs):
        theta, why = problem.maximise(statistics, runs)
        visited.add(theta["means"][0].tobytes())
        return theta, why

    def log_prior(theta):  # only what an M-step made is spared
        return np.array([0.0 if theta["means"][0].tobytes() in visited else -1e6])

    spiteful = replace(problem, maximise=maximise, log_prior=log_prior)
    refused = run_em(spiteful, start, tol=1e-8, max_iter=30, acceleration=acceleration)[0]
    plain = run_em(problem, start, tol=1e-8, max_iter=30)[0]
    np.testing.assert_array_equal(refused.history, plain.history)
    assert refused.n_e_steps > plain.n_e_steps


# The leap ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.99, 0.999])
def test_a_leap_lands_on_the_limit_of_a_geometric_series(rate):
    weights, probs = np.array([0.3, 0.7]), np.array([[0.2, 0.5], [0.6, 0.9]])
    dw, dp = np.array([0.1, -0.1]), np.array([[0.1, -0.05], [0.02, 0.03]])
    points = [BMMParameters(weights + rate**t * dw, probs + rate**t * dp) for t in range(3)]
    _, leap = leap_from(*points)
    # v is a difference of steps, so it loses 1 / (1 - rate)² of its digits, and α² magnifies it by as much again
    np.testing.assert_allclose(leap.weights, weights, rtol=0, atol=1e-15 / (1 - rate) ** 2)
    np.testing.assert_allclose(leap.probs, probs, rtol=0, atol=1e-15 / (1 - rate) ** 2)
    assert abs(leap.weights.sum() - 1) < 1e-15


def test_what_plain_em_holds_still_the_leap_holds_still():
    def point(p):
        return BMMParameters([0.1, 0.9, 0.0], [[0.0, p], [1.0, 0.7], [0.3, p]])

    _, leap = leap_from(point(0.4), point(0.3), point(0.25))
    np.testing.assert_array_equal(leap.weights, [0.1, 0.9, 0.0])
    np.testing.assert_array_equal(leap.probs[:, 0], [0.0, 1.0, 0.3])
    assert leap.probs[1, 1] == 0.7
    np.testing.assert_allclose(leap.probs[[0, 2], 1], 0.2, rtol=1e-12)


def test_a_leap_out_of_the_space_is_shortened_until_it_is_inside():
    def point(p):
        return BMMParameters([1.0], [[p]])

    _, leap = leap_from(point(0.3), point(0.2), point(0.101))  # steps hardly shrink: the full leap ends at -9.5
    assert 0 <= leap.probs[0, 0] < 0.101

    def flat(variance):
        return GMMParameters([1.0], [[0.0]], [[[variance]]])

    _, leap = leap_from(flat(0.3), flat(0.2), flat(0.101))
    assert 0 < leap.covariances[0, 0, 0] < 0.101


def test_steps_that_grow_or_do_not_change_give_no_leap():
    def points(*probs):
        return [BMMParameters([1.0], [[p]]) for p in probs]

    assert leap_from(*points(0.5, 0.5, 0.5))[1] is None
    assert leap_from(*points(0.1, 0.2, 0.5))[1] is None  # α = 0.1 / 0.2 < 1
