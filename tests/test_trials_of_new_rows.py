"""Where trials differ between rows, new rows bring their own: through every method and scikit-learn's tools."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import logsumexp
from scipy.stats import binom
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import em
from em import (
    BernoulliMixtureEM,
    BinomialMixtureEM,
    GaussianMixtureEM,
    NotConvergedWarning,
    density_threshold,
    is_anomaly,
    likelihood_ratio_test,
    select,
)
from models.bmm import BMMParameters, simulate

TRUTH = BMMParameters([0.4, 0.6], [[0.1, 0.7, 0.5], [0.8, 0.2, 0.5]])


def counts(n, seed, most=12):
    trials = np.random.RandomState(seed).randint(1, most, size=(n, 3))
    return simulate(TRUTH, n, trials, seed)[0], trials


X, TRIALS = counts(60, 0)
NEW, NEW_TRIALS = counts(25, 1)
HOLED = np.where(np.random.RandomState(2).uniform(size=NEW.shape) < 0.3, np.nan, NEW)
WEIGHTS = np.arange(25) % 4


@pytest.fixture(scope="module")
def fit():
    return BinomialMixtureEM(2, n_trials=TRIALS, n_init=2, random_state=0).fit(X)


def naive_log_joint(parameters, rows, trials):
    """Cell by cell; a missing one says nothing."""
    terms = binom.logpmf(rows[:, None], trials[:, None], parameters.probs)
    return np.log(parameters.weights) + np.nansum(np.where(np.isnan(rows)[:, None], 0.0, terms), axis=2)


@pytest.mark.parametrize("rows", [NEW, HOLED], ids=["complete", "with gaps"])
def test_every_method_of_new_rows_takes_their_trials(fit, rows):
    joint = naive_log_joint(fit.parameters_, rows, NEW_TRIALS)
    seen = ~np.isnan(rows).all(axis=1)
    log_prob, r = logsumexp(joint, axis=1), np.exp(joint - logsumexp(joint, axis=1, keepdims=True))
    told = {"n_trials": NEW_TRIALS}
    np.testing.assert_allclose(fit.score_samples(rows, **told), log_prob, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(fit.predict_proba(rows, **told), r, rtol=1e-9)
    np.testing.assert_array_equal(fit.predict(rows, **told), r.argmax(axis=1))
    assert fit.score(rows, **told) == pytest.approx(log_prob[seen].mean(), rel=1e-10)
    weighted, n = WEIGHTS @ log_prob, WEIGHTS[seen].sum()
    assert fit.score(rows, sample_weight=WEIGHTS, **told) == pytest.approx(weighted / n, rel=1e-10)
    assert fit.aic(rows, WEIGHTS, **told) == pytest.approx(-2 * weighted + 14, rel=1e-10)
    bic = -2 * weighted + 7 * np.log(n)
    assert fit.bic(rows, WEIGHTS, **told) == pytest.approx(bic, rel=1e-10)
    unsure = np.where(seen, np.log(r.max(axis=1)), 0)
    assert fit.icl(rows, WEIGHTS, **told) == pytest.approx(bic - 2 * WEIGHTS @ unsure, rel=1e-10)
    means = (r @ fit.probs_) * NEW_TRIALS
    np.testing.assert_allclose(fit.impute(rows, **told), np.where(np.isnan(rows), means, rows), rtol=1e-9)
    threshold = density_threshold(fit, rows, 0.2, **told)
    assert threshold in fit.score_samples(rows, **told)
    below = (log_prob < threshold - 1e-9) & seen
    np.testing.assert_array_equal(is_anomaly(fit, rows, quantile=0.2, **told), below)
    np.testing.assert_array_equal(is_anomaly(fit, rows, threshold, **told), below)


def test_samples_are_drawn_with_the_trials_that_are_given(fit):
    drawn, z = fit.sample(25, random_state=3, n_trials=NEW_TRIALS)
    expected, labels = simulate(fit.parameters_, 25, NEW_TRIALS, 3)
    np.testing.assert_array_equal(drawn, expected)
    np.testing.assert_array_equal(z, labels)
    assert fit.sample(4, random_state=0, n_trials=[1, 2, 3])[0].max(axis=0).tolist() <= [1, 2, 3]
    assert fit.sample(60, random_state=0)[0].shape == (60, 3)


def test_a_call_with_trials_leaves_the_fit_as_it_is(fit):
    before = fit.score_samples(X)
    fit.predict(NEW, n_trials=NEW_TRIALS)
    np.testing.assert_array_equal(fit.score_samples(X), before)
    np.testing.assert_array_equal(fit.score_samples(X, n_trials=TRIALS), before)
    assert fit.get_params()["n_trials"] is TRIALS


CALLS = {
    "predict": lambda fit, **told: fit.predict(NEW, **told),
    "predict_proba": lambda fit, **told: fit.predict_proba(NEW, **told),
    "score_samples": lambda fit, **told: fit.score_samples(NEW, **told),
    "score": lambda fit, **told: fit.score(NEW, **told),
    "sample": lambda fit, **told: fit.sample(25, **told),
    "impute": lambda fit, **told: fit.impute(HOLED, **told),
    "bic": lambda fit, **told: fit.bic(NEW, **told),
    "aic": lambda fit, **told: fit.aic(NEW, **told),
    "icl": lambda fit, **told: fit.icl(NEW, **told),
    "is_anomaly": lambda fit, **told: is_anomaly(fit, NEW, **told),
    "density_threshold": lambda fit, **told: density_threshold(fit, NEW, **told),
}


@pytest.mark.parametrize("name", CALLS)
def test_without_trials_the_error_says_what_to_pass(fit, name):
    message = (
        r"n_trials must be given for 25 rows, because it differs between the 60 rows of the fit: pass n_trials=, "
        r"a number or an array of shape \(3,\) or \(25, 3\)"
    )
    with pytest.raises(ValueError, match=message):
        CALLS[name](fit)
    with pytest.raises(ValueError, match=r"n_trials must be a number or have shape \(3,\) or \(25, 3\).*got \(60, 3\)"):
        CALLS[name](fit, n_trials=TRIALS)
    with pytest.raises(ValueError, match="n_trials must be whole numbers of at least 1, got 0"):
        CALLS[name](fit, n_trials=0)
    assert CALLS[name](fit, n_trials=NEW_TRIALS) is not None


def test_trials_that_all_rows_of_the_fit_share_serve_any_number_of_rows():
    each = np.broadcast_to([11, 12, 13], X.shape)
    fit, by_column = (BinomialMixtureEM(2, n_trials=m, n_init=2, random_state=0).fit(X) for m in (each, [11, 12, 13]))
    np.testing.assert_allclose(fit.score_samples(NEW), by_column.score_samples(NEW), rtol=1e-12)
    assert fit.sample(7, random_state=0)[0].shape == (7, 3)


def test_trials_may_be_a_frame(fit):
    frame = pd.DataFrame(NEW_TRIALS, columns=["a", "b", "c"])
    np.testing.assert_array_equal(fit.predict(NEW, n_trials=frame), fit.predict(NEW, n_trials=NEW_TRIALS))
    by_frame = clone(fit).set_params(n_trials=1).fit(X, n_trials=pd.DataFrame(TRIALS))
    np.testing.assert_array_equal(by_frame.probs_, fit.probs_)


def test_families_without_trials_take_none():
    gaussian, bernoulli = GaussianMixtureEM(1).fit(X), BernoulliMixtureEM(1).fit(X > 3)
    for fit in (gaussian, bernoulli):
        assert "n_trials" not in fit.get_params()
        with pytest.raises(TypeError, match="n_trials"):
            fit.predict(X > 3, n_trials=1)
        with pytest.raises(TypeError, match="unexpected keyword argument 'n_trials'"):
            is_anomaly(fit, X > 3, n_trials=1)
    with pytest.raises(ValueError, match="n_trials must be whole numbers of at least 1, got 0"):
        BinomialMixtureEM(2).fit(NEW, n_trials=0)
    with pytest.raises(NotFittedError):
        BinomialMixtureEM(2).predict(NEW, n_trials=NEW_TRIALS)


# Trials given to fit ------------------------------------------------------------------------------------------------


def test_trials_may_be_given_to_fit_and_stay_with_it(fit, tmp_path):
    plain = BinomialMixtureEM(2, n_init=2, random_state=0)
    given = clone(plain).fit(X, n_trials=TRIALS)
    assert given.get_params()["n_trials"] == 1
    np.testing.assert_array_equal(given.probs_, fit.probs_)
    np.testing.assert_array_equal(given.predict(X), fit.predict(X))
    np.testing.assert_array_equal(clone(plain).fit_predict(X, n_trials=TRIALS), fit.predict(X))
    np.testing.assert_array_equal(given.uncertainty(X).standard_errors, fit.uncertainty(X).standard_errors)
    for kind in ("bootstrap", "parametric bootstrap"):
        settings = {"kind": kind, "n_bootstrap": 3, "random_state": 0}
        one, other = (each.uncertainty(X, **settings).replicates for each in (given, fit))
        np.testing.assert_array_equal(one, other)
    em.save(given, tmp_path / "fit.json")
    np.testing.assert_array_equal(em.load(tmp_path / "fit.json").predict_proba(X), given.predict_proba(X))
    ones = (X > 3).astype(int)
    again, never = given.fit(ones), clone(plain).fit(ones)  # trials are those of one fit
    np.testing.assert_array_equal(again.probs_, never.probs_)
    assert vars(again).keys() == vars(never).keys()


def test_a_warning_of_the_fit_points_to_the_line_of_the_caller():
    for name in ("fit", "fit_predict"):
        with pytest.warns(NotConvergedWarning) as told:
            getattr(BinomialMixtureEM(2, n_init=1, max_iter=1, random_state=0), name)(X, n_trials=TRIALS)
        assert [one.filename for one in told] == [__file__]


def test_selection_and_the_bootstrap_test_keep_the_trials_of_each_row():
    """Rows of many trials alone would be another data set: the log-likelihoods tell."""
    estimator = BinomialMixtureEM(n_trials=TRIALS, n_init=2, tol=1e-3, random_state=0)
    selection = select(X, estimator, [1, 2], sample_weight=np.arange(60) % 3)
    alone = clone(estimator).set_params(n_components=2).fit(X, sample_weight=np.arange(60) % 3)
    assert selection.estimator.log_likelihood_ == pytest.approx(alone.log_likelihood_, rel=1e-12)
    assert selection.estimator.n_trials.tolist() == TRIALS.tolist()
    test = likelihood_ratio_test(X, estimator, 1, n_bootstrap=3, sample_weight=np.arange(60) % 3, random_state=0)
    assert test.null.score_samples(X).shape == (60,)
    assert np.abs(test.bootstrap_statistics).max() < 40 < test.statistic


def test_starts_from_a_random_part_of_the_rows_take_the_trials_of_these_rows(monkeypatch):
    """The part may be as large as the data, where rows of rare values are added to it."""
    monkeypatch.setattr(em.starts.restarts, "START_CELLS", 0)
    monkeypatch.setattr(em.starts.restarts, "START_ROWS", 59)
    rare = np.zeros((60, 4))
    rare[7] = 30
    many = np.hstack([TRIALS, np.full((60, 4), 30)])
    fit = BinomialMixtureEM(1, n_trials=many, n_init=3, random_state=0).fit(np.hstack([X, rare]))
    np.testing.assert_allclose(fit.probs_[0], np.hstack([X, rare]).sum(axis=0) / many.sum(axis=0), rtol=1e-12)


# scikit-learn's metadata routing ----------------------------------------------------------------------------------


def test_cross_validation_cuts_trials_and_weights_as_it_cuts_x():
    weights = np.arange(60) % 3 + 1
    with config_context(enable_metadata_routing=True):
        estimator = BinomialMixtureEM(n_init=2, random_state=0)
        estimator.set_fit_request(n_trials=True, sample_weight=True).set_score_request(
            n_trials=True, sample_weight=True
        )
        search = GridSearchCV(estimator, {"n_components": [1, 2]}, cv=3)
        search.fit(X, n_trials=TRIALS, sample_weight=weights)
        scores = cross_val_score(
            clone(estimator).set_params(n_components=2), X, cv=3, params={"n_trials": TRIALS, "sample_weight": weights}
        )
    assert search.best_params_ == {"n_components": 2}
    folds = np.array_split(np.arange(60), 3)
    by_hand = []
    for held in folds:
        rest = np.setdiff1d(np.arange(60), held)
        part = BinomialMixtureEM(2, n_trials=TRIALS[rest], n_init=2, random_state=0)
        part.fit(X[rest], sample_weight=weights[rest])
        by_hand.append(part.score(X[held], sample_weight=weights[held], n_trials=TRIALS[held]))
    np.testing.assert_allclose(scores, by_hand, rtol=1e-12)
    assert search.cv_results_["mean_test_score"][1] == pytest.approx(np.mean(by_hand), rel=1e-12)
    best = search.best_estimator_
    np.testing.assert_array_equal(best.predict(NEW, n_trials=NEW_TRIALS).shape, (25,))


def test_a_pipeline_hands_trials_to_the_mixture_at_its_end(fit):
    with config_context(enable_metadata_routing=True):
        mixture = BinomialMixtureEM(2, n_init=2, random_state=0).set_fit_request(n_trials=True)
        mixture.set_predict_request(n_trials=True).set_predict_proba_request(n_trials=True)
        mixture.set_score_request(n_trials=True)
        pipeline = make_pipeline(FunctionTransformer(), mixture).fit(X, n_trials=TRIALS)
        np.testing.assert_array_equal(pipeline.predict(NEW, n_trials=NEW_TRIALS), fit.predict(NEW, n_trials=NEW_TRIALS))
        r = pipeline.predict_proba(NEW, n_trials=NEW_TRIALS)
        np.testing.assert_array_equal(r, fit.predict_proba(NEW, n_trials=NEW_TRIALS))
        assert pipeline.score(NEW, n_trials=NEW_TRIALS) == fit.score(NEW, n_trials=NEW_TRIALS)


@pytest.mark.parametrize(
    "estimator",
    [
        GaussianMixtureEM(2, n_init=2, random_state=0),
        BinomialMixtureEM(2, n_trials=11, n_init=2, random_state=0),
        em.KMeans(2, random_state=0),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_fit_predict_takes_weights_alone_and_in_a_pipeline(estimator):
    weights = np.arange(60) % 3
    expected = clone(estimator).fit(X, sample_weight=weights).predict(X)
    assert len(expected) == 60  # rows of weight 0 have a label too
    np.testing.assert_array_equal(clone(estimator).fit_predict(X, sample_weight=weights), expected)
    np.testing.assert_array_equal(clone(estimator).fit_predict(X, None, weights), expected)
    repeated = clone(estimator).fit(np.repeat(X, weights, axis=0)).predict(X)
    assert (expected == repeated).mean() in (0, 1)  # the two clusters may be numbered the other way round
    with config_context(enable_metadata_routing=True):
        last = clone(estimator).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(FunctionTransformer(), last)
        np.testing.assert_array_equal(pipeline.fit_predict(X, sample_weight=weights), expected)


def test_k_means_hands_on_weights_when_it_transforms_in_a_pipeline():
    weights = np.arange(60) % 3
    expected = em.KMeans(2, random_state=0).fit(X, sample_weight=weights).transform(X)
    with config_context(enable_metadata_routing=True):
        first = em.KMeans(2, random_state=0).set_fit_request(sample_weight=True)
        pipeline = make_pipeline(first, FunctionTransformer())
        np.testing.assert_array_equal(pipeline.fit_transform(X, sample_weight=weights), expected)
