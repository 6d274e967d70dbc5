"""Mean field as an estimator: what `variational` finds, under the methods, names and reports of the other mixtures."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from families import FAMILIES
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from em import VariationalMixture, density_threshold, load, plots, save
from em.variational import variational
from models.cmm import CMMPrior
from models.gmm import GMMPrior
from models.pmm import PMMPrior

NAMES = ["eruptions", "waiting"]
CONJUGATE = [row for row in FAMILIES if (prior := row.prior(2, 2)) is not None and prior.conjugate]
each_conjugate_family = pytest.mark.parametrize("family", CONJUGATE, ids=lambda family: family.name)


def fitted(family):
    """Return a fit, its data and what `variational` finds, once for each family."""
    return fitted_once(family.name)


@cache
def fitted_once(name, n=50):
    (family,) = (row for row in CONJUGATE if row.name == name)
    X, prior = family.problem(4, 2, 2, n)[0], family.prior(2, 2)
    frame = pd.DataFrame(X, columns=NAMES, index=range(10, 10 + n))
    settings = {"n_init": 2, "random_state": 0}
    fit = VariationalMixture(2, prior=prior, **settings).fit(frame, **family.options)
    return fit, frame, variational(X, 2, prior, **settings, **family.options)


def test_every_family_with_a_conjugate_prior_is_here():
    assert {row.steps.__name__ for row in CONJUGATE} == {row.steps.__name__ for row in FAMILIES}


@each_conjugate_family
def test_it_is_what_mean_field_finds(family):
    fit, X, q = fitted(family)
    assert fit.lower_bound_ == q.elbo == fit.history_.max()
    for name, array in q.mean.items():
        np.testing.assert_array_equal(getattr(fit, f"{name}_"), array)
        np.testing.assert_array_equal(fit.parameters_.arrays()[name], array)
    np.testing.assert_allclose(fit.predict_proba(X), q.responsibilities, atol=1e-9)
    np.testing.assert_array_equal(fit.predict(X), q.responsibilities.argmax(axis=1))
    assert fit.status_ == q.status
    assert fit.n_iter_ == len(fit.history_) - 1
    assert not hasattr(fit, "bic")


@each_conjugate_family
def test_densities_are_those_at_the_posterior_mean(family):
    fit, X, _ = fitted(family)
    theta, rows = fit.parameters_, X.to_numpy()
    of_components = [[family.log_prob(x, theta, k) for k in range(2)] for x in rows]
    wanted = logsumexp(np.log(theta.weights) + of_components, axis=1)
    np.testing.assert_allclose(fit.score_samples(X), wanted, rtol=1e-9, atol=1e-9)
    assert fit.score(X) == pytest.approx(wanted.mean())
    assert density_threshold(fit, X, 0.1) in fit.score_samples(X)


@each_conjugate_family
def test_its_reports_are_those_of_the_other_mixtures(family):
    fit, X, q = fitted(family)
    page, frame, table = fit.summary(X), fit.assignments(X), fit.uncertainty()
    assert page["lower_bound"] == fit.lower_bound_
    assert page["log_likelihood"] == pytest.approx(fit.score(X) * len(X))
    assert "by mean field" in repr(page)
    assert any(NAMES[1] in name for name in table.names)
    assert table["weights[0]"]["standard_error"] == pytest.approx(q.standard_deviation["weights"][0])
    inside = (table.low <= table.estimates) & (table.estimates <= table.high)
    assert inside.mean() > 0.9
    np.testing.assert_array_equal(frame.index, X.index)
    np.testing.assert_array_equal(frame["label"], fit.predict(X))


@each_conjugate_family
def test_weights_count_rows_as_if_they_were_repeated(family):
    X, prior = family.problem(4, 2, 2, 40)[0], family.prior(2, 2)
    start, w = np.random.RandomState(1).dirichlet([2.0, 2.0], size=40), np.random.RandomState(0).randint(4, size=40)
    first = VariationalMixture(2, prior=prior, init=start).fit(X, sample_weight=w, **family.options)
    sizes = {name: np.repeat(np.broadcast_to(a, X.shape), w, axis=0) for name, a in family.options.items()}
    again = VariationalMixture(2, prior=prior, init=np.repeat(start, w, axis=0)).fit(np.repeat(X, w, axis=0), **sizes)
    np.testing.assert_allclose(first.lower_bound_, again.lower_bound_, rtol=1e-10)
    for name, array in again.posterior_.distribution.arrays().items():
        np.testing.assert_allclose(first.posterior_.distribution.arrays()[name], array, rtol=1e-10, err_msg=name)
    assert first.n_iter_ == again.n_iter_


@each_conjugate_family
def test_a_row_of_weight_0_takes_no_part_and_has_a_label(family):
    X, prior = family.problem(4, 2, 2, 40)[0], family.prior(2, 2)
    w = 1.0 + np.arange(40) % 2
    sizes = {name: np.array(np.broadcast_to(a, X.shape)) for name, a in family.options.items()}
    one = VariationalMixture(2, prior=prior, n_init=2, random_state=0).fit(X, sample_weight=w, **sizes)
    longer = {name: np.vstack([a[-1:], a]) for name, a in sizes.items()}
    other = VariationalMixture(2, prior=prior, n_init=2, random_state=0)
    other.fit(np.vstack([X[-1:], X]), sample_weight=np.append(0.0, w), **longer)
    np.testing.assert_allclose(other.history_, one.history_, rtol=1e-12)
    r = other.posterior_.responsibilities
    np.testing.assert_allclose(r[1:], one.posterior_.responsibilities, rtol=1e-9)
    np.testing.assert_allclose(r[0], r[-1], rtol=1e-12)


@pytest.mark.parametrize("row", [[0.0, 9.0], [1e155, 1e155]], ids=["column constant but for it", "squares overflow"])
def test_values_of_a_row_of_weight_0_change_nothing(row):
    X = np.column_stack([np.random.RandomState(0).normal(size=40), np.full(40, 2.0)])
    prior = GMMPrior(0.5, [0.0, 2.0], 0.05, 4.0, np.eye(2))
    r = np.random.RandomState(1).dirichlet([1.0, 1.0], size=41)
    one = VariationalMixture(2, prior=prior, init=r[:40]).fit(X)
    other = VariationalMixture(2, prior=prior, init=r).fit(np.vstack([X, row]), sample_weight=np.arange(41) < 40)
    np.testing.assert_allclose(other.history_, one.history_, rtol=1e-12)
    assert np.isfinite(other.posterior_.responsibilities).all()


def test_restarts_of_weighted_rows_are_those_of_repeated_ones():
    X, w = np.random.RandomState(3).normal(size=(30, 2)), np.arange(30) % 3
    X[15:] += 3
    estimator = VariationalMixture(3, prior=GMMPrior.weakly_informative(X, 3), n_init=2, random_state=0)
    by_weights = estimator.fit(X, sample_weight=w).lower_bound_
    assert by_weights == pytest.approx(estimator.fit(np.repeat(X, w, axis=0)).lower_bound_, rel=1e-10)
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(30,\)"):
        estimator.fit(X, sample_weight=w[:5])


@each_conjugate_family
def test_it_comes_back_from_a_file_and_holds_no_data(family, tmp_path):
    fit, X, _ = fitted(family)
    save(fit, tmp_path / "fit.json")
    again = load(tmp_path / "fit.json")
    for ask in ("predict", "predict_proba", "score_samples"):
        np.testing.assert_array_equal(getattr(again, ask)(X), getattr(fit, ask)(X))
    np.testing.assert_array_equal(again.uncertainty().high, fit.uncertainty().high)
    assert again.uncertainty().names == fit.uncertainty().names
    assert again.posterior_.responsibilities.tolist() == fit.posterior_.responsibilities.tolist()
    assert len(fit.posterior_._mixture.X) <= 2  # what new rows need, and none of the 50 rows


def test_sizes_of_each_row_are_asked_for_after_a_file_too(tmp_path):
    X, exposure = np.array([[1], [2], [30], [40]]), np.array([[1], [2], [1], [2]])
    fit = VariationalMixture(2, prior=PMMPrior(), random_state=0).fit(X, exposure=exposure)
    save(fit, tmp_path / "fit.json")
    again = load(tmp_path / "fit.json")
    assert again.predict(X, exposure=exposure).tolist() == fit.predict(X, exposure=exposure).tolist()
    with pytest.raises(ValueError, match="exposure must be given for new rows"):
        again.predict(X)


def test_labels_of_answers_go_in_and_come_out_as_names():
    X = pd.DataFrame({"hair": ["black", "red", "red", "fair"] * 9, "eye": ["brown", "blue", "blue", "blue"] * 9})
    fit = VariationalMixture(2, prior=CMMPrior(), random_state=0).fit(X)
    assert fit.predict(X.iloc[:4]).tolist() == [fit.predict(X)[0], *[1 - fit.predict(X)[0]] * 3]
    assert "probs[1, hair red]" in fit.uncertainty().names
    with pytest.raises(ValueError, match="X must hold known levels, got 'green' in column"):
        fit.predict(pd.DataFrame({"hair": ["red"], "eye": ["green"]}))


def test_new_rows_bring_their_own_sizes():
    X, exposure = np.array([[1], [2], [30], [40]]), np.array([[1], [2], [1], [2]])
    fit = VariationalMixture(2, prior=PMMPrior(), random_state=0).fit(X, exposure=exposure)
    assert fit.predict(X, exposure=exposure).tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
    doubled = fit.score_samples([[4]], exposure=2)
    assert doubled != fit.score_samples([[4]], exposure=1)
    with pytest.raises(ValueError, match="exposure must be given for new rows"):
        fit.predict(X)


def test_it_keeps_the_conventions_of_scikit_learn():
    X, prior = np.random.RandomState(0).normal(size=(30, 2)), GMMPrior(1.0, [0, 0], 0.1, 4, np.eye(2))
    estimator = VariationalMixture(2, prior=prior, n_init=1, random_state=0)
    assert clone(estimator).get_params()["prior"].concentration == 1.0
    with pytest.raises(NotFittedError):
        estimator.predict(X)
    assert estimator.fit(X).n_features_in_ == 2
    assert plots.plot_density_contours(estimator, X).figure.clear() is None


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (None, "prior must be conjugate, such as a GMMPrior, got NoneType"),
        (
            GMMPrior(0.01, [0.0, 0.0], 0.1, 2.5, np.eye(2)),
            "prior must give every parameter a mean under q, got none for",
        ),
    ],
    ids=["none", "too few degrees of freedom"],
)
def test_a_prior_that_will_not_do_is_refused_with_what_would(prior, message):
    X = np.random.RandomState(0).normal(size=(30, 2))
    with pytest.raises(ValueError, match=message):
        VariationalMixture(3, prior=prior, n_init=3, random_state=0).fit(X)
