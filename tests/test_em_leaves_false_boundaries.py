"""A prob of exactly 0 or 1 is a fixed point of EM whatever its slope: estimators leave it where the slope is wrong."""

from dataclasses import replace

import numpy as np
import pytest

from comparisons.data import load
from em import BernoulliMixtureEM, BinomialMixtureEM, NotConvergedWarning, bmm
from em.engine import run_em
from models.bmm import BMMParameters, simulate
from models.supports import PROBABILITY

TRUTH = BMMParameters(np.array([0.6, 0.4]), np.array([[0.9, 0.8, 0.7, 0.1], [0.2, 0.1, 0.3, 0.8]]))
X, _ = simulate(TRUTH, 500, random_state=0)
PROBS = TRUTH.probs.copy()
PROBS[1, 1] = 0
TRAPPED = BMMParameters(TRUTH.weights, PROBS)


def test_a_start_on_the_boundary_reaches_the_optimum_of_a_start_inside():
    inside = BernoulliMixtureEM(2, init=TRUTH, tol=1e-10).fit(X)
    fit = BernoulliMixtureEM(2, init=TRAPPED, tol=1e-10).fit(X)
    assert fit.log_likelihood_ == pytest.approx(inside.log_likelihood_, abs=1e-8)
    assert (np.diff(fit.history_) >= -1e-9).all()  # the way out never loses either
    assert fit.n_iter_ == len(fit.history_) - 1


def test_every_run_that_ended_at_a_false_boundary_goes_on():
    """Which run is the best, and which optima were found, is asked of runs that are free."""
    estimator = BernoulliMixtureEM(2)
    problem, settings = estimator._problem(estimator._samples(X, None)), {"tol": 1e-10, "max_iter": 1000}
    trapped = run_em(replace(problem, released=None), [TRAPPED], **settings)[0]
    free, freed = run_em(problem, [TRUTH, TRAPPED], **settings)
    assert trapped.objective < free.objective - 0.1
    assert freed.objective == pytest.approx(free.objective, abs=1e-8)
    np.testing.assert_allclose(freed.history[: trapped.n_iter + 1], trapped.history, rtol=1e-12)
    assert freed.history[trapped.n_iter + 1] > trapped.objective  # the next iteration goes to where it is released


@pytest.mark.parametrize("acceleration", ["multisecant", "squarem", None])
def test_released_runs_leap_from_where_they_were_left(acceleration):
    estimator = BernoulliMixtureEM(2)
    problem = estimator._problem(estimator._samples(X, None))
    settings = {"tol": 1e-10, "max_iter": 1000, "acceleration": acceleration}
    free, freed = run_em(problem, [TRUTH, TRAPPED], **settings)
    assert freed.objective == pytest.approx(free.objective, abs=1e-8)
    assert freed.converged
    assert (np.diff(freed.history) >= 0).all()


def test_runs_of_a_batch_are_freed_each_on_the_data_of_its_fit():
    """Two runs of the second fit are trapped: both go on with its data until they meet."""
    estimator = BernoulliMixtureEM(2)
    samples = [estimator._distinct(estimator._samples(rows, None)) for rows in (1 - X[:250], X)]
    problem = estimator._joint_problem(samples).of_runs(np.ones(2, dtype=int))
    inside = BernoulliMixtureEM(2, init=TRUTH, tol=1e-10).fit(X)
    alone = run_em(problem, [TRAPPED, TRAPPED], tol=1e-10, max_iter=1000)
    assert [run.objective for run in alone] == pytest.approx([inside.log_likelihood_] * 2, abs=1e-8)
    first, second = run_em(problem, [TRAPPED, TRAPPED], tol=1e-10, max_iter=1000, races=[0, 0])
    assert first.objective == pytest.approx(inside.log_likelihood_, abs=1e-8)
    assert (second.beaten_by, second.met) == (0, True)


def test_a_run_out_of_iterations_on_a_false_boundary_has_not_converged():
    with pytest.warns(NotConvergedWarning, match="on a boundary from which the objective rises"):
        stopped = BernoulliMixtureEM(2, init=TRAPPED, tol=1e-10, max_iter=16).fit(X)
    with pytest.warns(NotConvergedWarning):
        assert not BernoulliMixtureEM(2, init=stopped.parameters_, max_iter=2).fit(X).converged_


def test_what_a_run_gained_on_a_false_boundary_does_not_count_against_it():
    """In a race it would leave soon after its release; alone it becomes the best."""
    rng = np.random.RandomState(2023)
    truth = BMMParameters(rng.dirichlet([4] * 3), rng.uniform(0.1, 0.9, (3, 5)))
    rows, _ = simulate(truth, 3000, random_state=rng)
    estimator = BernoulliMixtureEM(3)
    problem = estimator._problem(estimator._distinct(estimator._samples(rows, None)))
    alike = truth.probs.copy()
    alike[2] = alike[1]
    starts = [BMMParameters(truth.weights, alike)]
    for n_held in (1, 2, 3):
        probs = truth.probs.copy()
        for _ in range(n_held):
            probs[rng.randint(3), rng.randint(5)] = rng.randint(2)
        starts.append(BMMParameters(truth.weights, probs))
    settings = {"tol": 1e-4, "max_iter": 1000, "acceleration": "multisecant"}
    race, alone = (run_em(problem, starts, races=races, **settings) for races in ([0] * 4, None))
    assert max(run.objective for run in race) > max(run.objective for run in alone) - 1e-3


def test_plain_em_is_trapped_there():
    """The claim above can fail: without the way out, a prob of 0 stays 0 through E-step and M-step."""
    responsibilities, _ = bmm.e_step(X, TRAPPED)
    assert (bmm.m_step(X, responsibilities).probs[TRAPPED.probs == 0] == 0).all()


def test_estimates_on_the_boundary_cannot_move_inwards():
    """Karush-Kuhn-Tucker on real data: every prob held at 0 or 1 has a slope that points outwards."""
    digits = load("digits-counts")
    some = digits.X[:400]
    fit = BinomialMixtureEM(3, n_trials=16, n_init=2, tol=1e-10, random_state=0).fit(some)
    held = np.argwhere(PROBABILITY.at_edge(fit.probs_))
    assert len(held) > 20
    for index in map(tuple, held):
        probs = fit.probs_.copy()
        probs[index] = 1e-6 if probs[index] < 0.5 else 1 - 1e-6
        moved = bmm.e_step(some, BMMParameters(fit.weights_, probs), 16)[1]
        assert moved <= fit.log_likelihood_ + 1e-12 * abs(fit.log_likelihood_)


def test_a_true_boundary_stays():
    never = X.copy()
    never[:, 0] = 0
    fit = BernoulliMixtureEM(2, random_state=0).fit(never)
    assert (fit.probs_[:, 0] < 1e-8).all()
    assert "on the boundary" in fit.status_
