"""What a fit says is missing is no more than is missing, and its last digits are right."""

import re
from dataclasses import replace

import numpy as np
import pytest
import reference_data
from scipy.optimize import minimize
from sklearn.base import clone

from em import BernoulliMixtureEM, GaussianMixtureEM, PoissonMixtureEM
from em.saving import load, save
from em.starts import newton
from em.starts.newton import after_a_step
from models.gmm import GMMPrior
from models.pmm import PMMParameters

TOL = 1e-8  # nats, the default of every estimator


def overlapping(seed):
    """Return an estimator and data whose clusters overlap: EM is slow there, in one direction or several."""
    rng = np.random.RandomState(seed)
    K, D, n = rng.randint(2, 6), rng.randint(1, 5), rng.randint(300, 4000)
    centers = rng.normal(size=(K, D)) * rng.uniform(0.8, 2.5)
    X = centers[rng.randint(K, size=n)] + rng.normal(size=(n, D))
    if seed % 4 == 3:
        return BernoulliMixtureEM(K), np.hstack([X > 0, rng.uniform(size=(n, 3)) < 0.5]).astype(float)
    if seed % 4 == 2:
        return PoissonMixtureEM(K), rng.poisson(np.exp(centers[rng.randint(K, size=n)] * 0.7 + 1))
    return GaussianMixtureEM(K), X


@pytest.mark.parametrize("seed", [6, 9, 13, 51, 60, 79, 83, 87, 99, 105])
def test_no_more_nats_are_missing_than_the_status_says(seed):
    estimator, X = overlapping(seed)
    fit = estimator.set_params(n_init=1, random_state=seed).fit(X)
    assert fit.converged_
    limit = type(fit)(fit.n_components, init=fit.parameters_, tol=0).fit(X)
    assert limit.objective_ - fit.objective_ <= TOL + 1e-12 * abs(fit.objective_)


def test_without_newton_some_are_farther_away_than_they_say(monkeypatch):
    monkeypatch.setattr("em.starts.restarts.polished", lambda estimator, problem, samples, run: run)
    estimator, X = overlapping(87)
    fit = estimator.set_params(n_init=1, random_state=87).fit(X)
    limit = type(fit)(fit.n_components, init=fit.parameters_, tol=0).fit(X)
    assert limit.objective_ - fit.objective_ > 100 * TOL


def test_fits_of_many_iterations_end_with_newtons_step_whatever_their_size(monkeypatch):
    monkeypatch.setattr(newton, "MOST_WORK", 0)
    estimator, X = overlapping(87)
    fit = estimator.set_params(n_init=1, random_state=87).fit(X)
    assert fit.n_e_steps_ > 200
    limit = type(fit)(fit.n_components, init=fit.parameters_, tol=0).fit(X)
    assert limit.objective_ - fit.objective_ <= TOL + 1e-12 * abs(fit.objective_)


def steps_of(monkeypatch, step):
    """Return the nats that were missing before each step of a long fit, and the fit; ``step`` as `after_a_step`."""
    missing = []

    def listed(information, parameters):
        arrays, nats = step(information, parameters)
        missing.append(nats)
        return arrays, nats

    monkeypatch.setattr(newton, "after_a_step", listed)
    rng = np.random.RandomState(0)
    X = rng.normal(size=(400, 2)) + rng.randint(2, size=(400, 1)) * 1.2
    fit = GaussianMixtureEM(2, random_state=0, n_init=1, tol=1e-6, acceleration=None).fit(X)
    assert fit.n_e_steps_ > 3 * (newton.FEWEST_E_STEPS + 14)
    return missing, fit


def test_a_step_that_was_long_is_followed_by_another(monkeypatch):
    missing, _ = steps_of(monkeypatch, after_a_step)
    assert len(missing) > 1
    assert missing[-2] > newton.LEAST_MISSING > missing[-1]


def test_a_step_that_loses_is_not_tried_again(monkeypatch):
    def lost(information, parameters):
        return {**parameters.arrays(), "means": parameters.means + 1}, 1e-7

    missing, fit = steps_of(monkeypatch, lost)
    assert missing == [1e-7]
    assert "at most 1e-06 nats" in fit.status_


@pytest.mark.parametrize("with_prior", [False, True])
def test_restarts_end_at_the_same_digits(with_prior):
    """To a hundred-billionth, where steps that leave 1e-8 nats differ in the fifth digit."""
    X = reference_data.faithful()
    prior = GMMPrior.weakly_informative(X, 2) if with_prior else None
    fits = [GaussianMixtureEM(2, prior=prior, n_init=1, random_state=seed).fit(X) for seed in range(4)]
    means = [np.sort(fit.means_, axis=0) for fit in fits]
    for other in means[1:]:
        np.testing.assert_allclose(other, means[0], rtol=1e-11)


def test_a_step_is_newtons_and_what_is_missing_is_what_it_gains():
    """Against differences of the log-likelihood of a Poisson mixture in its free parameters."""
    x = np.random.RandomState(0).poisson([[2.0], [9.0]], size=(2, 200)).reshape(-1, 1)
    fit = PoissonMixtureEM(2, random_state=0).fit(x)
    near = replace(fit.parameters_, rates=fit.rates_ * [[1.001], [0.9995]])
    fit.parameters_ = near
    moved, missing = after_a_step(fit._information_of(fit._samples_of(x, None)), near)

    def lost(theta):
        weights = np.array([theta[0], 1 - theta[0]])
        fit.parameters_ = PMMParameters(weights, theta[1:, None])
        return -float(np.sum(fit.score_samples(x)))

    start = np.array([near.weights[0], *near.rates.ravel()])
    best = minimize(lost, start, method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-13, "maxiter": 4000})
    after = np.array([moved["weights"][0], *moved["rates"].ravel()])
    np.testing.assert_allclose(after, best.x, rtol=1e-5)  # the square of a thousandth, by the curvature's change
    assert missing == pytest.approx(lost(start) - best.fun, rel=1e-2)


def test_a_fit_that_may_leave_a_nat_takes_fewer_steps():
    estimator, X = overlapping(9)
    settings = {"n_init": 1, "random_state": 9}
    rough, fine = (clone(estimator).set_params(**settings, tol=tol).fit(X) for tol in (1.0, TOL))
    assert rough.n_iter_ < fine.n_iter_
    assert fine.objective_ - rough.objective_ < 1


def test_no_step_is_taken_where_it_would_take_long_or_nothing_is_known(monkeypatch):
    X = reference_data.faithful()
    monkeypatch.setattr(newton, "MOST_WORK", 0)
    plain = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
    monkeypatch.undo()
    fit = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
    assert fit.n_e_steps_ == plain.n_e_steps_ + 1
    assert fit.n_iter_ == plain.n_iter_
    assert fit.objective_ >= plain.objective_
    np.testing.assert_allclose(fit.means_, plain.means_, rtol=1e-4)


@pytest.mark.parametrize("seed", [9, 11])
def test_where_em_goes_on_the_first_of_its_starts_and_the_status_go_along(seed, tmp_path):
    """EM goes on to gain about a nat; what it said before, or was asked for on the way, is not what is missing."""
    estimator, X = overlapping(seed)
    fit = estimator.set_params(n_init=2, random_state=seed, tol=1.0).fit(X)
    first, *others = fit.starts_
    assert first["objective"] == pytest.approx(fit.objective_, rel=1e-12)
    for row in others:
        assert row["nats_below_best"] == pytest.approx(fit.objective_ - row["objective"], rel=1e-9)
    save(fit, tmp_path / "fit.json")
    assert load(tmp_path / "fit.json").starts_ == fit.starts_
    limit = clone(fit).set_params(init=fit.parameters_, tol=TOL).fit(X)
    assert limit.objective_ - fit.objective_ <= float(re.search(r"at most (\S+) nats", fit.status_)[1])


@pytest.mark.parametrize("max_iter", [60, 10_000])
def test_every_e_step_is_counted(monkeypatch, max_iter):
    """Also those of EM that went on in vain, as it does where ``max_iter`` is 60."""
    estimator, X = overlapping(9)
    n_made, problem_of = [], GaussianMixtureEM._problem

    def counting(self, samples):
        problem = problem_of(self, samples)

        def expect(theta, runs):
            n_made.append(len(runs))
            return problem.expect(theta, runs)

        return replace(problem, expect=expect)

    monkeypatch.setattr(GaussianMixtureEM, "_problem", counting)
    fit = estimator.set_params(n_init=1, random_state=9, tol=1.0, max_iter=max_iter).fit(X)
    assert fit.n_e_steps_ == sum(n_made)


def test_no_step_is_taken_of_few_rows_with_many_features(monkeypatch):
    """The inverse of the information would take the cube of their number."""
    X = (np.random.RandomState(0).uniform(size=(20, 300)) < 0.5).astype(float)
    monkeypatch.setattr(newton, "after_a_step", lambda *_: pytest.fail("a step was taken"))
    BernoulliMixtureEM(2, n_init=1, random_state=0).fit(X)
