"""A run returns the best parameters that it visited, of equal ones the last; its history never falls."""

import numpy as np
import pytest
import reference_data

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, NotConvergedWarning
from em.engine import run_em
from em.engine.problem import one_by_one
from models.bmm import BMMParameters
from models.gmm import GMMPrior

KINDS = ["full", "tied", "diag", "spherical"]


def scripted(objectives):
    """A problem whose visits have these objectives, in turn."""
    remaining = iter(objectives)
    probs = iter(np.linspace(0.4, 0.6, len(objectives)))

    def maximise(statistics):
        return BMMParameters([1.0], [[next(probs)]])

    scales = {"weights": 1.0, "probs": 1.0}
    start = BMMParameters([1.0], [[0.3]])
    return one_by_one(
        start, lambda theta: (next(remaining), None), maximise, lambda theta: 0.0, lambda a: BMMParameters(**a), scales
    )


def test_a_fall_ends_the_run_before_it_is_made():
    run = run_em(scripted([-10.0, -5.0, -4.0, -4.5, -3.0]), [BMMParameters([1.0], [[0.3]])], tol=1e-8, max_iter=10)[0]
    assert run.history.tolist() == [-10, -5, -4]
    assert run.objective == -4
    assert not run.converged
    assert "would lose 0.5 nats to rounding" in run.status
    assert run.n_e_steps == 4


def test_a_fall_within_rounding_does_not_end_it_and_the_last_parameters_are_returned():
    run = run_em(scripted([-10.0, -5.0, *[-5.0 - 1e-14] * 40]), [BMMParameters([1.0], [[0.3]])], tol=0, max_iter=3)[0]
    assert run.objective == -5
    assert run.history.tolist() == [-10, -5, -5, -5]
    assert run.log_likelihood == -5
    assert run.parameters.probs[0, 0] == np.linspace(0.4, 0.6, 42)[2]


@pytest.mark.parametrize("max_iter", [1, 2, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_at_max_iter_the_objective_is_the_highest_of_the_history(kind, max_iter):
    X = reference_data.iris()
    for seed in range(5):
        estimator = GaussianMixtureEM(3, covariance_type=kind, n_init=1, max_iter=max_iter, random_state=seed)
        with pytest.warns(match="stopped at max_iter|collapsed"):
            fit = estimator.fit(X)
        assert fit.objective_ == fit.history_.max() == fit.history_[-1]
        assert (np.diff(fit.history_) >= 0).all()


@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_from_a_converged_fit_the_next_says_converged(kind, prior):
    for seed in range(6):
        rng = np.random.RandomState(seed)
        X = rng.normal(size=(80, 3)) + 3 * rng.randint(2, size=(80, 1))
        settings = {"covariance_type": kind, "prior": GMMPrior.weakly_informative(X, 2, kind) if prior else None}
        fit = GaussianMixtureEM(2, n_init=2, random_state=seed, **settings).fit(X)
        for max_iter in (1, 2):
            again = GaussianMixtureEM(2, init=fit.parameters_, max_iter=max_iter, **settings).fit(X)
            assert again.converged_
            assert again.n_iter_ <= max_iter
            assert again.objective_ >= fit.objective_ - 1e-9 * abs(fit.objective_)


@pytest.mark.parametrize("max_iter", [1, 2])
@pytest.mark.parametrize(
    ("estimator", "X"),
    [(BernoulliMixtureEM(2), reference_data.lsat7()), (BinomialMixtureEM(2, n_trials=12), reference_data.saxony())],
)
def test_counts_too(estimator, X, max_iter):
    fit = estimator.set_params(n_init=2, random_state=0, max_iter=10_000, init="k-means++").fit(X)
    assert estimator.set_params(init=fit.parameters_, max_iter=max_iter).fit(X).converged_


def test_a_loop_of_single_iterations_comes_to_its_end():
    X = reference_data.faithful()
    parameters, n_iter = "k-means++", 0
    while n_iter < 200:
        estimator = GaussianMixtureEM(2, covariance_type="diag", n_init=1, init=parameters, max_iter=1, random_state=0)
        try:
            fit = estimator.fit(X)
        except NotConvergedWarning:  # warnings are errors in these tests
            fit = estimator
        parameters, n_iter = fit.parameters_, n_iter + 1
        if fit.converged_:
            break
    whole = GaussianMixtureEM(2, covariance_type="diag", n_init=1, random_state=0).fit(X)
    assert fit.converged_
    assert fit.objective_ == pytest.approx(whole.objective_, abs=1e-7)


def test_a_run_far_from_its_limit_does_not_say_converged():
    X = reference_data.lsat7()
    with pytest.warns(NotConvergedWarning, match="stopped at max_iter=2"):
        assert not BernoulliMixtureEM(2, n_init=1, max_iter=2, random_state=0).fit(X).converged_
