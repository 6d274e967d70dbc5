"""A fit says what it is: a page of the numbers that its methods give, a frame of assignments, frames of all tables."""

import numpy as np
import pandas as pd
import pytest
from families import each_family, each_family_once
from sklearn.exceptions import NotFittedError

from comparisons.alignment import align
from comparisons.alignment.diagnosis import diagnose
from comparisons.posterior.gibbs import as_datatree
from em import BinomialMixtureEM, GaussianMixtureEM, KMeans, PoissonMixtureEM, is_anomaly, likelihood_ratio_test, select
from em.gibbs import gibbs
from em.status import left_to_the_status
from models.gmm import GMMPrior

NAMES = ["eruptions", "waiting"]
FITS = {}


def fitted(family):
    """Return the fit of two components to a frame, and the frame; each is made once."""
    if family.name not in FITS:
        X = pd.DataFrame(family.problem(1, 2, 2, 60)[0], columns=NAMES, index=range(100, 160))
        with left_to_the_status():
            FITS[family.name] = family.fit(X, 2, n_init=3, random_state=0), X
    return FITS[family.name]


@each_family_once
def test_the_numbers_of_the_page_are_those_of_the_methods(family):
    fit, X = fitted(family)
    page, r = fit.summary(X), fit.predict_proba(X).to_numpy()
    for name in ("aic", "bic", "icl"):
        assert page[name] == pytest.approx(getattr(fit, name)(X), rel=1e-12)
    assert page["log_likelihood"] == pytest.approx(fit.log_likelihood_, rel=1e-9)
    assert page["mean_probability"] == pytest.approx(r.max(axis=1).mean())
    assert page["share_sure"] == pytest.approx((r.max(axis=1) > 0.9).mean())
    assert [row["samples"] for row in page.components] == np.bincount(fit.predict(X), minlength=2).tolist()
    for k, row in enumerate(page.components):
        assert row["weight"] == fit.weights_[k]
        own = r[fit.predict(X) == k, k]
        assert row["probability"] == pytest.approx(own.mean() if own.size else np.nan, nan_ok=True)
    assert sum(row["estimate"] for row in page.parameters[:2]) == pytest.approx(1)
    assert page.starts == fit.starts_


@each_family
def test_the_page_says_all_this_in_words(family):
    fit, X = fitted(family)
    page = repr(fit.summary(X))
    for text in (
        f"{page.split(' mixture')[0]} mixture of 2 components",
        "60 samples of 2 features: eruptions, waiting",
    ):
        assert text in page
    for number in (fit.log_likelihood_, fit.aic(X), fit.bic(X), fit.icl(X)):
        assert f"{number:.3f}" in page
    assert fit.status_ in page
    assert ("by maximum likelihood" in page) == (fit.prior is None)
    assert fit.prior is None or repr(fit.prior) in page
    assert all(name in page for name in fit.uncertainty(X).names)
    assert "standard error" not in page


@each_family
def test_standard_errors_are_shown_where_asked_for_or_given(family):
    fit, X = fitted(family)
    asked, given = fit.summary(X, uncertainty=True), fit.summary(X, uncertainty=(table := fit.uncertainty(X)))
    assert repr(asked) == repr(given)
    assert repr(asked).count("\n".join(repr(table).splitlines()[1:-1])) == 1
    pd.testing.assert_frame_equal(asked.to_frame(), table.to_frame())


def test_clusters_have_a_page_as_soon_as_they_are_fitted():
    X = [[0.0], [1.0], [9.0], [11.0]]
    with pytest.raises(NotFittedError, match="not fitted yet"):
        KMeans(2).summary(X)
    fit = KMeans(3, random_state=0).fit(X)
    assert len(fit.set_params(n_clusters=2).summary(X).components) == 3


def test_rows_without_an_observed_cell_have_no_summary_and_no_score():
    fit = GaussianMixtureEM(1).fit([[0.0], [1.0], [3.0]])
    for ask in (fit.summary, fit.score, fit.bic):
        with pytest.raises(ValueError, match="X must have a row with an observed cell and a positive weight, got none"):
            ask([[np.nan]])


def test_weights_count_as_repeated_rows_do():
    X, w = np.array([[0.0], [1.0], [2.0], [7.0], [8.0], [9.5]]), np.array([1, 2, 1, 3, 1, 2])
    repeated = np.repeat(X, w, axis=0)
    fits = (
        GaussianMixtureEM(2, random_state=0).fit(X, sample_weight=w),
        GaussianMixtureEM(2, random_state=0).fit(repeated),
    )
    pages = fits[0].summary(X, sample_weight=w), fits[1].summary(repeated)
    for one, other in zip(*(page.fit.values() for page in pages), strict=True):
        assert one == pytest.approx(other)
    pd.testing.assert_frame_equal(pages[0].to_frame("components"), pages[1].to_frame("components"))


def test_missing_cells_and_frozen_arrays_are_said():
    X = np.random.RandomState(0).normal(size=(40, 2))
    X[:5, 0] = np.nan
    fit = GaussianMixtureEM(2, frozen={"weights": [0.5, 0.5]}, n_init=2, random_state=0).fit(X)
    page = repr(fit.summary(X))
    assert "40 samples of 2 features; 5 of 80 cells missing" in page
    assert "weights frozen, by maximum likelihood" in page


@pytest.mark.parametrize(
    ("estimator", "size"),
    [(BinomialMixtureEM(2, n_trials=9), "n_trials"), (PoissonMixtureEM(2, exposure=2), "exposure")],
)
def test_new_rows_bring_their_own_sizes(estimator, size):
    X = np.random.RandomState(0).binomial(6, [[0.2], [0.8]] * 20)
    fit, sizes = estimator.set_params(random_state=0).fit(X), np.full((40, 1), 7)
    assert fit.summary(X, **{size: sizes})["bic"] == fit.bic(X, **{size: sizes}) != fit.bic(X)
    frame = fit.assignments(X, **{size: sizes})
    np.testing.assert_array_equal(frame["log_density"], fit.score_samples(X, **{size: sizes}))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("jackknife", "uncertainty must be an Uncertainty, True, None or one of louis, bootstrap"),
        (
            GaussianMixtureEM(1).fit(X4 := np.arange(8.0).reshape(4, 2) ** 2).uncertainty(X4),
            "uncertainty must be of this",
        ),
    ],
    ids=["kind", "another fit"],
)
def test_an_uncertainty_that_is_none_of_this_fit_is_refused(given, message):
    X = np.random.RandomState(0).normal(size=(20, 1))
    with pytest.raises(ValueError, match=message):
        GaussianMixtureEM(1).fit(X).summary(X, uncertainty=given)


# Assignments ---------------------------------------------------------------------------------------------------------


@each_family
def test_assignments_are_what_the_methods_say_of_each_row(family):
    fit, X = fitted(family)
    frame = fit.assignments(X, quantile=0.2)
    assert frame.columns.tolist() == ["label", "component_0", "component_1", "log_density", "anomaly"]
    pd.testing.assert_index_equal(frame.index, X.index)
    np.testing.assert_array_equal(frame["label"], fit.predict(X))
    pd.testing.assert_frame_equal(frame[["component_0", "component_1"]], fit.predict_proba(X))
    np.testing.assert_array_equal(frame["log_density"], fit.score_samples(X))
    np.testing.assert_array_equal(frame["anomaly"], is_anomaly(fit, X, quantile=0.2))
    threshold = float(fit.score_samples(X).mean())
    np.testing.assert_array_equal(fit.assignments(X, threshold=threshold)["anomaly"], is_anomaly(fit, X, threshold))


def test_rows_of_an_array_are_numbered():
    X = np.random.RandomState(0).normal(size=(20, 1))
    assert GaussianMixtureEM(1).fit(X).assignments(X).index.tolist() == list(range(20))


def test_clusters_have_a_page_and_assignments_too():
    X = pd.DataFrame(np.random.RandomState(0).normal(size=(30, 2)), columns=NAMES, index=range(5, 35))
    fit = KMeans(3, n_init=2, random_state=0).fit(X)
    page, frame = fit.summary(X), fit.assignments(X)
    assert page["inertia"] == pytest.approx(fit.inertia_)
    sizes = [row["samples"] for row in page.components]
    assert sizes == np.bincount(fit.labels_).tolist()
    assert sizes @ np.array([row["mean squared distance"] for row in page.components]) == pytest.approx(fit.inertia_)
    assert "cluster_centers[2, waiting]" in page.to_frame()["parameter"].tolist()
    assert fit.status_ in repr(page)
    np.testing.assert_array_equal(frame["label"], fit.labels_)
    np.testing.assert_allclose(frame["distance"], fit.transform(X).min(axis=1))
    assert frame.index.tolist() == list(range(5, 35))


# Frames of tables ----------------------------------------------------------------------------------------------------


def test_every_table_is_a_frame_of_the_same_rows():
    X = np.random.RandomState(0).normal(size=(40, 1)) + np.repeat([[0.0], [8.0]], 20, axis=0)
    fit, prior = GaussianMixtureEM(2, random_state=0).fit(X), GMMPrior.weakly_informative(X, 2)
    draws = as_datatree(gibbs(X, 2, prior, draws=300, chains=2, random_state=0), prior)
    test = likelihood_ratio_test(X, GaussianMixtureEM(n_init=2, tol=1e-2), 1, n_bootstrap=4, random_state=0)
    found = [
        select(X, GaussianMixtureEM(n_init=2), [1, 2]),
        fit.uncertainty(X),
        diagnose(align(draws, reference=fit)),
        test,
    ]
    for one in found:
        pd.testing.assert_frame_equal(one.to_frame(), pd.DataFrame(one.table))
        assert len(one.to_frame()) > 0
    assert test.to_frame()["p_value"].tolist() == [test.p_value]
    page = fit.summary(X)
    assert {name: len(page.to_frame(name)) for name in page.tables} == {"parameters": 6, "components": 2, "fit": 1}
    with pytest.raises(ValueError, match="table must be one of parameters, components, fit, got 'rows'"):
        page.to_frame("rows")
