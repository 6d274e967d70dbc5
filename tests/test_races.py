"""Restarts race: those that have met go on as one, and the best is that of runs that all go to their ends."""

import re
from dataclasses import replace

import numpy as np
import pytest
import reference_data

import em.exponential
import em.starts.restarts
from em import BernoulliMixtureEM, GaussianMixtureEM
from em.batches import best_runs
from em.engine import best_of, run_em
from em.engine.loop import LOOKS
from em.engine.problem import Collapse, one_by_one
from em.engine.race import LATE, MARGIN
from models.bmm import BMMParameters
from models.gmm import GMMPrior


def clouds(seed, n=300, K=3, distance=1.5):
    rng = np.random.RandomState(seed)
    return distance * rng.normal(size=(K, 2))[rng.randint(K, size=n)] + rng.normal(size=(n, 2))


def moved(estimator, X):
    samples = estimator._distinct(estimator._samples(X, None))
    there = estimator._in_standard_units(samples)
    return there, there._standardised(samples)


PROBLEMS = {
    **{f"clouds {seed}": (GaussianMixtureEM(3, random_state=seed), clouds(seed)) for seed in range(4)},
    "diag": (GaussianMixtureEM(3, covariance_type="diag", random_state=0), reference_data.iris()),
    "lsat7": (BernoulliMixtureEM(3, random_state=0), reference_data.lsat7()),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_race_is_won_by_the_best_of_runs_to_the_end(name):
    estimator, X = PROBLEMS[name]
    there, samples = moved(estimator, X)
    problem, starts = there._problem(samples), there._starts(samples)
    settings = {"tol": 1e-8, "max_iter": 10_000, "acceleration": "multisecant"}
    alone, race = run_em(problem, starts, **settings), run_em(problem, starts, races=[0] * len(starts), **settings)
    assert best_of(race, problem).objective == pytest.approx(best_of(alone, problem).objective, abs=1e-7)
    assert any(run.beaten_by is not None for run in race)
    for run, to_the_end in zip(race, alone, strict=True):
        if run.met:  # it left to one with its own limit
            assert race[run.beaten_by].objective == pytest.approx(to_the_end.objective, abs=1e-2)
        elif run.beaten_by is not None:  # the best optimum had been found often enough
            assert to_the_end.objective <= race[run.beaten_by].objective + 1e-7
    assert sum(run.n_e_steps for run in race) < sum(run.n_e_steps for run in alone)


def test_a_race_that_asks_only_who_leads_ends_with_the_last_run():
    estimator, X = GaussianMixtureEM(3, random_state=0), clouds(0)
    there, samples = moved(estimator, X)
    problem, start = there._problem(samples), there._starts(samples)[0]
    settings = {"tol": 1e-8, "max_iter": 10_000, "races": [0, 0]}
    to_the_end, _ = run_em(problem, [start, start], **settings)
    leading, met = run_em(problem, [start, start], **settings, end_last_run=True)
    assert met.met
    assert leading.status.startswith("ended after")
    assert leading.beaten_by is None
    assert leading.n_iter < to_the_end.n_iter


def test_of_a_part_of_the_rows_runs_at_one_limit_go_on_as_one():
    estimator, X = GaussianMixtureEM(2, random_state=0), clouds(0, n=2000, K=2, distance=4.0)
    there, samples = moved(estimator, X)
    led = there._shortlist_of_part(samples, None)  # ten starts, one optimum
    assert len(led.starts) == 1
    assert 1 < led.times[0] <= 10
    assert there._shortlist_of_part(samples, led._replace(starts=led.starts * 3, times=[5, 3, 2])).times == [10]


def one_step_of(limits, rates=None, scale=1.0):
    """Return a problem without plateaus: the first number of a run names its limit, and the share of its way left."""

    def limit(probs):
        return limits[round(10 * probs[0, 0])]

    def step(probs):
        rate = (rates or {}).get(round(10 * probs[0, 0]), 0.5)
        return BMMParameters([1.0], [[probs[0, 0], 0.6 + (probs[0, 1] - 0.6) * rate]])

    return one_by_one(
        BMMParameters([1.0], [[0.0, 0.5]]),
        lambda theta: (limit(theta.probs) - scale * (theta.probs[0, 1] - 0.6) ** 2, theta.probs),
        step,
        lambda theta: 0.0,
        lambda arrays: BMMParameters(**arrays),
        {"weights": 1.0, "probs": 1.0},
        whitened=lambda theta, moves: 1e6 * moves["probs"].reshape(*moves["probs"].shape[:2], -1),
    )


def test_a_race_is_over_when_three_runs_have_ended_at_the_best_optimum():
    near = [BMMParameters([1.0], [[number / 10, 0.6 - 1e-3]]) for number in (1, 1, 1)]
    far = BMMParameters([1.0], [[0.2, 0.6 - 0.4]])
    problem = one_step_of({1: 0.0, 2: -1.0}, {2: 0.8})
    settings = {"tol": 1e-9, "max_iter": 100}
    *_, left = run_em(problem, [*near, far], races=[0, 0, 0, 0], **settings)
    assert left.beaten_by == 0
    assert left.status.endswith("enough runs had ended at the best optimum")
    *_, goes_on = run_em(problem, [*near[:2], far], races=[0, 0, 0], **settings)
    assert goes_on.status.startswith("was out of reach")
    *_, elsewhere = run_em(problem, [*near, far], races=[0, 0, 0, 1], **settings)
    assert elsewhere.converged
    *_, above = run_em(one_step_of({1: 0.0, 2: 1.0}), [*near, far], races=[0, 0, 0, 0], **settings)
    assert above.converged


def test_who_falls_behind_leaves_after_twice_as_many_iterations_as_the_best_and_who_climbs_goes_on():
    starts = [BMMParameters([1.0], [[number / 10, 0.2]]) for number in (1, 2, 3)]
    problem = one_step_of({1: 0.0, 2: -1.0, 3: 1.0}, {2: 0.985, 3: 0.97}, scale=100.0)
    best, behind, climbing = run_em(problem, starts, tol=1e-8, max_iter=1000, races=[0, 0, 0])
    assert best.converged
    assert (behind.beaten_by, behind.met, behind.converged) == (0, False, False)
    assert LATE * best.n_iter <= behind.n_iter < LATE * best.n_iter + LOOKS
    assert climbing.history[behind.n_iter] < best.objective
    assert climbing.converged
    assert best_of([best, behind, climbing], problem) is climbing


def test_who_is_to_gain_a_thousandth_of_what_is_missing_leaves_and_who_climbs_goes_on():
    starts = [BMMParameters([1.0], [[number / 10, at]]) for number, at in ((1, 0.59), (2, 0.2), (3, 0.2))]
    problem = one_step_of({1: 0.0, 2: -1.0, 3: 1.0}, {1: 0.985, 3: 0.97}, scale=100.0)
    slow, near_its_limit, climbing = run_em(problem, starts, tol=1e-12, max_iter=2000, races=[0, 0, 0])
    assert (near_its_limit.beaten_by, near_its_limit.met) == (0, False)
    assert -1 - near_its_limit.objective < 1 / MARGIN
    assert near_its_limit.n_iter < LATE * slow.n_iter
    assert climbing.history[near_its_limit.n_iter] < slow.history[near_its_limit.n_iter]
    assert climbing.converged


@pytest.mark.parametrize("reach", [np.inf, 10.0])
def test_a_run_that_was_just_released_stays_in_its_race(reach):
    """The second converges at the first look, and from its boundary the way leads to the best limit."""

    def released(theta, objective, run):
        if theta["probs"][0, 0, 0] > 0.25:
            return None
        return {**theta, "probs": np.array([[[0.3, 0.2]]])}

    starts = [BMMParameters([1.0], [[number / 10, 0.5]]) for number in (1, 2)]
    problem = replace(one_step_of({1: 0.0, 2: -1.0, 3: 1.0}, {2: 0.02}), released=released)
    settings = {"tol": 1e-9, "max_iter": 100, "races": [0, 0]}
    _, freed = run_em(problem, starts, **settings, reach=reach)
    assert freed.history[LOOKS] == pytest.approx(-1.0)
    assert freed.history[LOOKS + 1] == pytest.approx(1 - 0.4**2)
    assert freed.beaten_by is None


def test_runs_in_races_of_their_own_go_to_their_ends():
    estimator, X = PROBLEMS["clouds 0"]
    there, samples = moved(estimator, X)
    problem, starts = there._problem(samples), there._starts(samples)
    runs = run_em(problem, starts[:4], tol=1e-8, max_iter=1000, races=[0, 1, 2, 3])
    assert all(run.beaten_by is None and run.converged for run in runs)


def test_who_left_to_a_run_that_collapses_later_goes_on():
    """The first of two runs that have met goes on, and collapses in its 8th step; the other has its limit still."""

    def step(p):
        if p[0, 0] < 0.5 and p[0, 1] > 0.6 - 0.1 * 0.5**8:
            raise Collapse("made up")
        return BMMParameters([1.0], [[p[0, 0], 0.6 + (p[0, 1] - 0.6) / 2]])

    start = BMMParameters([1.0], [[0.4, 0.5]])
    problem = one_by_one(
        start,
        lambda theta: (-((theta.probs[0, 1] - 0.6) ** 2), theta.probs),
        step,
        lambda theta: 0.0,
        lambda arrays: BMMParameters(**arrays),
        {"weights": 1.0, "probs": 1.0},
        whitened=lambda theta, moves: 1e-6 * moves["probs"].reshape(*moves["probs"].shape[:2], -1),
    )
    starts = [start, BMMParameters([1.0], [[0.6, 0.5]])]
    collapsed, other = run_em(problem, starts, tol=1e-12, max_iter=100, races=[0, 0])
    assert collapsed.collapsed
    assert other.converged
    assert other.beaten_by is None
    assert len(other.history) == other.n_iter + 1
    counted = re.match(r"converged after (\d+) iterations, .*, (\d+) iterations after its start", other.status)
    assert sum(map(int, counted.groups())) == other.n_iter
    assert (np.diff(other.history) >= 0).all()
    assert other.parameters.probs[0, 1] == pytest.approx(0.6, abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_restarts_on_a_part_of_many_rows_lead_where_those_on_all_rows_lead(seed, monkeypatch):
    X = clouds(seed, n=9000)
    fit = GaussianMixtureEM(3, random_state=seed).fit(X)
    monkeypatch.setattr(em.starts.restarts, "WORTH_A_PART", np.inf)
    whole = GaussianMixtureEM(3, random_state=seed).fit(X)
    assert fit.history_[0] != whole.history_[0]
    assert fit.objective_ >= whole.objective_ - 1e-6


def test_a_problem_for_some_of_the_runs_gives_them_their_own_data():
    estimator, X = PROBLEMS["clouds 0"]
    there, samples = moved(estimator, X)
    weights = np.random.RandomState(0).randint(1, 4, size=(2, len(samples.X))).astype(float)
    joint = there._joint_problem([replace(samples, weights=of_one) for of_one in weights])
    start = there._starts(samples)[:1]
    for number in range(2):
        alone = there._problem(replace(samples, weights=weights[number]))
        ran = run_em(joint.of_runs(np.array([number])), start, tol=1e-8, max_iter=5)[0]
        np.testing.assert_allclose(ran.history, run_em(alone, start, tol=1e-8, max_iter=5)[0].history, rtol=1e-12)


@pytest.mark.parametrize("settings", [{"prior": True}, {"frozen": {"means": [[2.0, 55.0], [4.3, 80.0]]}}])
def test_samples_in_a_batch_have_the_fits_that_they_have_alone(settings):
    """Prior and frozen values are in the units of the data, which differ between samples."""
    X = reference_data.faithful()
    prior = GMMPrior(2.0, X.mean(axis=0), 5.0, 10.0, np.cov(X.T)) if "prior" in settings else None
    estimator = GaussianMixtureEM(2, **(settings | {"prior": prior}), random_state=0)
    fit = estimator.fit(X)
    rng, samples = np.random.RandomState(0), []
    for _ in range(4):
        times = np.bincount(rng.choice(len(X), len(X)), minlength=len(X)).astype(float)
        samples.append(replace(fit._samples(X, None), weights=times))
    at_estimate = [fit.at_estimate(np.arange(len(X))) for _ in samples]
    for run, own in zip(best_runs(at_estimate, samples), samples, strict=True):
        kept = own.weights > 0
        alone = fit.at_estimate(np.flatnonzero(kept)).fit(X[kept], sample_weight=own.weights[kept])
        for name, array in alone.parameters_.arrays().items():
            np.testing.assert_allclose(run.parameters.arrays()[name], array, rtol=1e-4)  # both within tol of a limit


@pytest.mark.parametrize("collide", [False, True])
def test_resampled_counts_in_a_batch_have_the_fits_that_they_have_alone(collide, monkeypatch):
    """Rows are joined by their hashes; where two rows have the same one they are not joined."""
    rng = np.random.RandomState(0)
    probs = np.where(rng.random(200) < 0.4, 0.15, 0.8)[:, None]
    X = (rng.random((200, 5)) < probs).astype(float)
    fit = BernoulliMixtureEM(2, random_state=0).fit(X)
    resampled = [X[rng.choice(200, 200)] for _ in range(3)]
    estimators = [fit.at_estimate(np.arange(200)) for _ in resampled]
    samples = [estimator._samples(own, None) for estimator, own in zip(estimators, resampled, strict=True)]
    if collide:
        monkeypatch.setattr(em.exponential, "hashes", lambda X: np.zeros(len(X), dtype=np.uint64))
    assert (estimators[0]._joint_problem([own.distinct() for own in samples]) is None) == collide
    for run, own in zip(best_runs(estimators, samples), resampled, strict=True):
        alone = fit.at_estimate(np.arange(200)).fit(own)
        np.testing.assert_allclose(run.parameters.probs, alone.probs_, rtol=1e-4)  # both within tol of a limit
