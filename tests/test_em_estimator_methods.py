"""A fitted mixture behaves as scikit-learn's users expect."""

import pickle

import numpy as np
import pytest
import reference_data
from families import each_family, largest_relative_gap
from family_bmm import TRIALS
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM
from models.gmm import GMMPrior


@pytest.fixture(scope="module")
def fits():
    cache = {}

    def fit(family):
        if family.name not in cache:
            X, start, _ = family.problem(0, 2, 2, 80)
            quiet = (
                (Warning,) if family.name.startswith(("bernoulli", "categorical")) else ()
            )  # two items: not identified
            cache[family.name] = X, family.fit(X, 2, init=start, quiet=quiet)
        return cache[family.name]

    return fit


@each_family
def test_predictions_are_the_most_probable_labels(family, fits):
    X, fit = fits(family)
    responsibilities, log_likelihood = family.steps.e_step(X, fit.parameters_, **family.options)
    np.testing.assert_allclose(fit.predict_proba(X), responsibilities, rtol=1e-12)
    np.testing.assert_array_equal(fit.predict(X), responsibilities.argmax(axis=1))
    np.testing.assert_allclose(fit.score(X), log_likelihood / len(X), rtol=1e-12)


@each_family
def test_information_criteria_count_the_free_parameters(family, fits):
    X, fit = fits(family)
    p = family.n_free
    np.testing.assert_allclose(fit.bic(X), -2 * fit.log_likelihood_ + p * np.log(80), rtol=1e-12)
    np.testing.assert_allclose(fit.aic(X), -2 * fit.log_likelihood_ + 2 * p, rtol=1e-12)


@each_family
def test_attributes_are_the_parameters(family, fits):
    _, fit = fits(family)
    for name, array in fit.parameters_.arrays().items():
        np.testing.assert_array_equal(getattr(fit, f"{name}_"), array)
    assert fit.objective_ == fit.history_[-1]
    assert (fit.objective_ == fit.log_likelihood_) == (fit.prior is None)


@each_family
def test_samples_have_the_distribution_of_the_fit(family, fits):
    _, fit = fits(family)
    n = 20_000
    X, z = fit.sample(n, random_state=0)
    assert X.shape == (n, 2)
    assert z.shape == (n,)
    shares = np.bincount(z, minlength=2) / n
    np.testing.assert_allclose(shares, fit.weights_, atol=4 * 0.5 / np.sqrt(n))  # four standard errors, as below
    centers = family.expected(fit.parameters_)
    for k in range(2):
        # 1e-12: no draw shows a prob that EM has brought next to 0 or 1
        error = 4 * X[z == k].std(axis=0) / np.sqrt((z == k).sum()) + 1e-12
        assert (np.abs(X[z == k].mean(axis=0) - centers[k]) <= error).all()
    again, _ = fit.sample(n, random_state=0)
    np.testing.assert_array_equal(X, again)


@each_family
def test_a_clone_is_the_same_estimator_unfitted(family, fits):
    X, fit = fits(family)
    twin = clone(fit)
    assert repr(twin) == repr(fit)
    for method in (twin.predict, twin.predict_proba, twin.score_samples, twin.bic):
        with pytest.raises(NotFittedError):
            method(X)
    with pytest.raises(NotFittedError):
        twin.sample()


@each_family
def test_a_fit_survives_pickling(family, fits):
    X, fit = fits(family)
    again = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(again.predict_proba(X), fit.predict_proba(X))
    assert largest_relative_gap(again.parameters_.arrays(), fit.parameters_.arrays()) == 0


@pytest.mark.parametrize("init", ["k-means++", "kmeans", "random"])
def test_every_kind_of_start_finds_faithful(init):
    fit = GaussianMixtureEM(2, init=init, random_state=0).fit(reference_data.faithful())
    assert fit.log_likelihood_ == pytest.approx(-1130.263960, abs=1e-6)  # as printed, see the reference values


def test_labels_start_with_the_fit_to_them():
    X = reference_data.faithful()
    labels = (X[:, 0] > 3).astype(int)
    fit = GaussianMixtureEM(2, init=labels).fit(X)
    assert fit.log_likelihood_ == pytest.approx(-1130.263960, abs=1e-6)
    np.testing.assert_array_equal(fit.predict(X), labels)  # with the components in the labels' order
    np.testing.assert_array_equal(GaussianMixtureEM(2, init=labels).fit_predict(X), labels)


def test_a_given_start_is_one_run():
    X = reference_data.faithful()
    fit = GaussianMixtureEM(2, init=(X[:, 0] > 3).astype(int), n_init=10).fit(X)
    assert fit.status_.endswith("best of 1 restart")


def test_map_is_pulled_towards_the_prior():
    X = reference_data.faithful()
    prior = GMMPrior(2.0, X.mean(axis=0), 1e6, 4.0, np.cov(X, rowvar=False))
    fit = GaussianMixtureEM(2, prior=prior, n_init=1, random_state=0).fit(X)
    np.testing.assert_allclose(fit.means_, np.tile(X.mean(axis=0), (2, 1)), rtol=1e-3)


def test_trials_of_each_sample_serve_the_samples_they_came_with():
    rng = np.random.RandomState(0)
    trials = rng.randint(1, TRIALS, size=(50, 2))
    X = rng.binomial(trials, 0.5)
    fit = BinomialMixtureEM(1, n_trials=trials).fit(X)
    assert fit.score_samples(X).shape == (50,)
    assert fit.sample(50, random_state=0)[0].shape == (50, 2)
    with pytest.raises(ValueError, match=r"n_trials must be given for 10 rows.*shape \(2,\) or \(10, 2\)"):
        fit.predict(X[:10])


def test_one_trial_of_the_binomial_mixture_is_the_bernoulli_mixture():
    X = reference_data.lsat7()
    first = BernoulliMixtureEM(2, n_init=1, random_state=0).fit(X)
    second = BinomialMixtureEM(2, n_trials=1, n_init=1, random_state=0).fit(X)
    np.testing.assert_array_equal(first.probs_, second.probs_)
    assert "n_trials" not in first.get_params()
