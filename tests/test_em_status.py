"""Collapse, emptied components and estimates on the boundary are named in a sentence, and nothing is ever NaN."""

import numpy as np
import pytest
import reference_data

import em.starts.restarts
from em import (
    BernoulliMixtureEM,
    BinomialMixtureEM,
    CollapseWarning,
    GaussianMixtureEM,
    NoMaximumWarning,
    NotIdentifiableWarning,
)
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMPrior


@pytest.fixture
def runs(monkeypatch):
    """Every run of the EM loop, recorded."""
    recorded = []
    run_em = em.starts.restarts.run_em

    def recording(*args, **settings):
        runs = run_em(*args, **settings)
        recorded.extend(runs)
        return runs

    monkeypatch.setattr(em.starts.restarts, "run_em", recording)
    return recorded


def cloud_and_duplicates():
    return np.concatenate([np.random.RandomState(0).normal(size=(50, 2)) + 5, np.zeros((30, 2))])


def assert_finite(fit, X):
    for name in ("weights_", "means_", "covariances_", "history_", "log_likelihood_", "objective_"):
        assert np.isfinite(getattr(fit, name)).all(), name
    assert np.isfinite(fit.predict_proba(X)).all()
    assert np.isfinite(fit.score_samples(X)).all()


def test_when_every_restart_collapses_there_is_no_maximum():
    X = cloud_and_duplicates()
    with pytest.warns(NoMaximumWarning, match=r"pass prior=GMMPrior\.weakly_informative"):
        fit = GaussianMixtureEM(2, n_init=5, random_state=0).fit(X)
    assert fit.n_collapsed_ == 5
    assert not fit.converged_
    assert fit.status_.startswith("no maximum: all 5 restarts collapsed, this one collapsed in iteration")
    assert "fell onto a point or a plane" in fit.status_
    assert len(fit.history_) == fit.n_iter_ + 1
    assert_finite(fit, X)


def test_a_prior_keeps_the_same_data_from_collapsing():
    X = cloud_and_duplicates()
    fit = GaussianMixtureEM(2, prior=GMMPrior.weakly_informative(X, 2), random_state=0).fit(X)
    assert fit.converged_
    assert fit.n_collapsed_ == 0
    assert_finite(fit, X)


def test_collapsed_restarts_are_counted_and_never_ranked(runs):
    fit = GaussianMixtureEM(4, n_init=12, random_state=3).fit(reference_data.iris())
    collapsed = [run for run in runs if run.collapsed]
    ranked = [run for run in runs if not run.collapsed and run.beaten_by is None]
    assert len(runs) == 12
    assert 0 < fit.n_collapsed_ == len(collapsed)
    assert f"best of 12 restarts, of which {len(collapsed)} collapsed and were not ranked" in fit.status_
    highest = max(run.objective for run in ranked)  # in the units in which EM runs
    assert (fit.n_iter_, fit.n_e_steps_ - 1) in [  # Newton's step has an E-step of its own
        (run.n_iter, run.n_e_steps) for run in ranked if run.objective > highest - 1e-8
    ]
    assert max(run.objective for run in collapsed) > highest  # ranking would have chosen a collapsed one


def test_when_most_restarts_collapse_a_warning_says_so():
    with pytest.warns(CollapseWarning, match="of 8 restarts collapsed"):
        fit = GaussianMixtureEM(8, n_init=8, random_state=1).fit(reference_data.iris())
    assert 4 < fit.n_collapsed_ < 8
    assert fit.converged_


def test_a_component_that_keeps_too_few_samples_has_collapsed():
    X = np.random.RandomState(0).normal(size=(6, 2))
    with pytest.warns(NoMaximumWarning, match=r"keeps .* samples, at most the 2 features"):
        fit = GaussianMixtureEM(6, n_init=2, random_state=0).fit(X)
    assert_finite(fit, X)


@pytest.mark.parametrize(("spread", "collapses"), [(1e-3, False), (1e-6, True)])
def test_a_component_far_tighter_than_the_data_has_collapsed(spread, collapses):
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=(60, 2)) + 4, spread * rng.normal(size=(30, 2))])
    estimator = GaussianMixtureEM(2, n_init=3, random_state=0)
    if collapses:  # a variance of 1e-12 beside the data's, well under the 1e-8 that counts
        with pytest.warns(NoMaximumWarning, match="fell onto a point or a plane: its covariance is .* of the data's"):
            estimator.fit(X)
    else:
        assert estimator.fit(X).n_collapsed_ == 0


def test_collapse_is_judged_on_the_scale_of_the_data():
    X = reference_data.faithful()
    expected = GaussianMixtureEM(2, random_state=0).fit(X)
    for scale in (1e-6, 1e6, np.array([1e-5, 1e5])):
        fit = GaussianMixtureEM(2, random_state=0).fit(X * scale)
        assert fit.n_collapsed_ == 0
        # tol leaves 1e-8 nats, see stopping; which of like restarts is best, and so the order of labels, is rounding
        order = np.argsort(fit.weights_)
        np.testing.assert_allclose(fit.means_[order], expected.means_[np.argsort(expected.weights_)] * scale, rtol=1e-6)


def test_a_good_fit_says_so():
    fit = GaussianMixtureEM(2, random_state=0).fit(reference_data.faithful())
    assert fit.status_ == (
        f"converged after {fit.n_iter_} iterations, at most 1e-08 nats from the limit; best of 10 restarts"
    )


def test_an_emptied_component_is_named():
    X = np.random.RandomState(0).randint(2, size=(60, 5))
    with pytest.warns(NotIdentifiableWarning, match="no sample has a share of component 2"):
        fit = BernoulliMixtureEM(3, init=np.arange(60) % 2).fit(X)
    assert fit.weights_[2] == 0
    assert "component 2 emptied: use fewer components or a prior" in fit.status_
    assert not fit.identifiability_.identified
    np.testing.assert_allclose(fit.probs_[2], X.mean(axis=0), rtol=1e-12)  # those of all samples pooled
    assert np.isfinite(fit.predict_proba(X)).all()


def test_a_prior_refills_an_emptied_component():
    X = np.random.RandomState(0).randint(2, size=(60, 5))
    fit = BernoulliMixtureEM(3, init=np.arange(60) % 2, prior=BMMPrior()).fit(X)
    assert (fit.weights_ > 0).all()
    assert "emptied" not in fit.status_


def test_estimates_on_the_boundary_are_counted_and_not_nan():
    rng = np.random.RandomState(0)
    X = np.column_stack([rng.uniform(size=(80, 4)) < np.repeat([0.2, 0.8], 40)[:, None], np.zeros(80), np.ones(80)])
    fit = BernoulliMixtureEM(2, random_state=0).fit(X)
    assert "4 of 12 probs on the boundary (0 or 1)" in fit.status_
    np.testing.assert_array_equal(fit.probs_[:, 4:], [[0, 1], [0, 1]])
    assert np.isfinite(fit.history_).all()
    assert np.isfinite(fit.predict_proba(X)).all()


@pytest.mark.parametrize(("estimator", "options"), [(BernoulliMixtureEM, {}), (BinomialMixtureEM, {"n_trials": 3})])
def test_rows_that_no_component_can_make_have_even_odds_and_minus_infinity(estimator, options):
    rng = np.random.RandomState(0)
    trials = options.get("n_trials", 1)
    X = np.column_stack([trials * (rng.uniform(size=(80, 4)) < np.repeat([0.2, 0.8], 40)[:, None]), np.zeros(80)])
    fit = estimator(2, random_state=0, **options).fit(X)
    impossible = np.array([[0, 0, trials, trials, trials]])
    np.testing.assert_array_equal(fit.predict_proba(impossible), [[0.5, 0.5]])
    np.testing.assert_array_equal(fit.score_samples(impossible), [-np.inf])
    assert fit.score(np.vstack([X, impossible])) == -np.inf


def test_identical_rows_are_a_fit_of_zero_nats():
    with pytest.warns(NotIdentifiableWarning):
        fit = BernoulliMixtureEM(2, random_state=0).fit(np.ones((10, 3)))
    assert fit.log_likelihood_ == pytest.approx(0.0, abs=1e-14)  # ten times the rounding of log(1)
    assert fit.converged_
    assert "6 of 6 probs on the boundary" in fit.status_


def test_a_start_with_an_empty_component_stays_a_mixture():
    X = np.random.RandomState(0).randint(2, size=(40, 4))
    start = BMMParameters([0.4, 0.6, 0.0], np.random.RandomState(1).uniform(0.2, 0.8, size=(3, 4)))
    with pytest.warns(NotIdentifiableWarning):
        fit = BernoulliMixtureEM(3, init=start).fit(X)
    assert fit.weights_[2] == 0
    assert np.isfinite(fit.history_).all()
