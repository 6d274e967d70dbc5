"""Booleans, integers, float32, Fortran-ordered and read-only arrays, lists and data frames are good input: the same
answer as from float64 in C order, to the last bit."""

import numpy as np
import pandas as pd
import pytest
import reference_data

from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, KMeans

COUNTS = np.random.RandomState(0).randint(5, size=(40, 3))
BITS = np.random.RandomState(1).uniform(size=(60, 4)) < np.repeat([0.2, 0.8], 30)[:, None]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def strided(X):
    return np.repeat(X, 2, axis=0)[::2]


FORMS = {
    "integers": lambda X: X.astype(np.int64),
    "small integers": lambda X: X.astype(np.uint8),
    "float32": lambda X: X.astype(np.float32),
    "big-endian": lambda X: X.astype(">f8"),
    "Fortran order": np.asfortranarray,
    "read-only": read_only,
    "strided": strided,
    "lists": lambda X: X.tolist(),
}


def same(fit, expected, X):
    for name, array in expected.parameters_.arrays().items():
        actual = fit.parameters_.arrays()[name]
        assert actual.dtype == np.float64
        np.testing.assert_array_equal(actual, array)
    assert fit.objective_ == expected.objective_
    np.testing.assert_array_equal(fit.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_the_same_numbers_gives_the_same_gaussian_mixture(form):
    X = np.round(reference_data.faithful() * 2)[:100]  # whole numbers, which every type holds exactly
    expected = GaussianMixtureEM(2, n_init=2, random_state=0).fit(X)
    same(GaussianMixtureEM(2, n_init=2, random_state=0).fit(FORMS[form](X)), expected, FORMS[form](X))


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_the_same_counts_gives_the_same_binomial_mixture(form):
    expected = BinomialMixtureEM(2, n_trials=4, n_init=2, random_state=0).fit(COUNTS.astype(float))
    fit = BinomialMixtureEM(2, n_trials=np.int8(4), n_init=2, random_state=0).fit(FORMS[form](COUNTS))
    same(fit, expected, FORMS[form](COUNTS))


@pytest.mark.parametrize("form", FORMS)
def test_any_form_of_the_same_points_gives_the_same_clusters(form):
    X = np.round(reference_data.faithful() * 2)[:100]
    expected = KMeans(3, n_init=2, random_state=0).fit(X)
    fit = KMeans(3, n_init=2, random_state=0).fit(FORMS[form](X))
    np.testing.assert_array_equal(fit.cluster_centers_, expected.cluster_centers_)
    assert fit.inertia_ == expected.inertia_


def test_booleans_are_zeros_and_ones():
    expected = BernoulliMixtureEM(2, n_init=2, random_state=0).fit(BITS.astype(float))
    same(BernoulliMixtureEM(2, n_init=2, random_state=0).fit(BITS), expected, BITS)
    as_gaussian = GaussianMixtureEM(1).fit(BITS)
    np.testing.assert_allclose(as_gaussian.means_, [BITS.mean(axis=0)], rtol=1e-12)


@pytest.mark.parametrize(
    "trials", [4, [4, 4, 4], np.full((40, 3), 4), np.full(3, 4.0)], ids=["number", "D", "n, D", "float"]
)
def test_trials_may_be_given_as_a_number_a_row_or_a_matrix(trials):
    expected = BinomialMixtureEM(2, n_trials=4, n_init=2, random_state=0).fit(COUNTS)
    fit = BinomialMixtureEM(2, n_trials=trials, n_init=2, random_state=0).fit(COUNTS)
    # a matrix is summed in another order, and leaps magnify that
    np.testing.assert_allclose(fit.probs_, expected.probs_, rtol=1e-6)
    np.testing.assert_allclose(fit.score_samples(COUNTS), expected.score_samples(COUNTS), rtol=1e-9)


def test_input_is_left_as_it_was():
    X = reference_data.faithful()
    before = X.copy()
    fit = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
    fit.predict_proba(X)
    np.testing.assert_array_equal(X, before)


def test_data_frames_keep_their_feature_names():
    frame = pd.DataFrame(reference_data.faithful(), columns=["eruptions", "waiting"])
    for estimator in (GaussianMixtureEM(2, n_init=1, random_state=0), KMeans(2, n_init=1, random_state=0)):
        fit = estimator.fit(frame)
        np.testing.assert_array_equal(fit.feature_names_in_, ["eruptions", "waiting"])
        assert fit.n_features_in_ == 2
        fit.predict(frame)
        with pytest.raises(ValueError, match="feature names should match"):
            fit.predict(frame[["waiting", "eruptions"]])


def test_arrays_have_a_number_of_features_and_no_names():
    fit = GaussianMixtureEM(1).fit(reference_data.faithful())
    assert fit.n_features_in_ == 2
    assert not hasattr(fit, "feature_names_in_")
