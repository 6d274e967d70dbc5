"""Frozen parameters keep the values given; the others are the maximum given them."""

from functools import cache

import numpy as np
import pytest
from families import FAILINGS, FAMILIES, each_family

from em import BernoulliMixtureEM, GaussianMixtureEM, NoMaximumWarning


def names_of(family):
    return list(family.parameters(np.random.RandomState(0), 2, 2).arrays())


@cache
def free_fit(name):
    (family,) = (row for row in FAMILIES if row.name == name)
    return family.fit(family.problem(3, 2, 2, 300)[0], 2, n_init=3, random_state=0, quiet=FAILINGS).parameters_


CASES = [pytest.param(family, name, id=f"{family.name}-{name}") for family in FAMILIES for name in names_of(family)]


@pytest.mark.parametrize(("family", "name"), CASES)
def test_what_is_frozen_stays_and_the_rest_is_the_maximum(family, name):
    X, _, rng = family.problem(3, 2, 2, 300)
    free = free_fit(family.name)
    array = getattr(free, name)
    values = {
        "weights": np.array([0.4, 0.6]),
        "means": array + 0.05,
        "covariances": array * 1.1,
    }.get(name, 0.9 * array + 0.1 * array.mean(axis=0))
    fit = family.fit(X, 2, init=free, frozen={name: values}, tol=1e-13, quiet=FAILINGS)
    assert fit.converged_
    np.testing.assert_array_equal(getattr(fit, f"{name}_"), values)
    assert (np.diff(fit.history_) >= -1e-11 * np.abs(fit.history_[1:])).all()
    assert fit.n_free_parameters_ == sum(n for other, n in free.n_free.items() if other != name)
    objective = family.objective(X, 2, **{name: values})
    at = np.concatenate([np.log(fit.weights_), family.to_vector(fit.parameters_)])
    assert objective(at) == pytest.approx(fit.objective_, rel=1e-12)
    for _ in range(30):  # a step of h loses about n h²/2 = 2e-4 nats where the gradient is 0, and gains n h where not
        assert objective(at + 1e-3 * rng.normal(size=len(at))) < fit.objective_ + 1e-9


@each_family
def test_freezing_the_answer_changes_nothing(family):
    X, _, _ = family.problem(3, 2, 2, 200)
    fit = family.fit(X, 2, n_init=3, random_state=0, tol=1e-13, quiet=FAILINGS)
    assert fit.converged_
    for name, values in fit.parameters_.arrays().items():
        again = family.fit(X, 2, init=fit.parameters_, frozen={name: values}, tol=1e-13, quiet=FAILINGS)
        assert again.objective_ == pytest.approx(fit.objective_, rel=1e-12)


def test_a_frozen_component_may_lose_all_its_samples():
    X = np.random.RandomState(0).normal(size=(60, 1))
    fixed = {"means": [[0.0], [1000.0]], "covariances": [[[1.0]], [[1.0]]]}
    np.testing.assert_allclose(GaussianMixtureEM(2, frozen=fixed).fit(X).weights_, [1, 0], atol=1e-12)


def test_variances_about_frozen_means_need_no_spread_about_their_own():
    np.testing.assert_allclose(
        GaussianMixtureEM(1, frozen={"means": [[0.0, 0.0]]}).fit([[1, 0], [0, 1]] * 20).covariances_[0], np.eye(2) / 2
    )
    assert GaussianMixtureEM(1, frozen={"means": [[0.0]]}).fit([[1.0]] * 3).covariances_ == 1
    X = np.append(np.random.RandomState(0).normal(size=60), 3.5)[:, None]
    fit = GaussianMixtureEM(2, covariance_type="diag", frozen={"means": [[0.0], [4.0]]}, random_state=0).fit(X)
    assert fit.converged_


def test_frozen_weights_stay_where_there_is_no_maximum():
    x = np.random.RandomState(0).normal(size=40)
    with pytest.warns(NoMaximumWarning):
        fit = GaussianMixtureEM(2, frozen={"weights": [0.9, 0.1]}).fit(np.column_stack([x, x]))
    np.testing.assert_array_equal(fit.weights_, [0.9, 0.1])


def test_frozen_values_that_make_the_data_impossible_are_refused():
    with pytest.raises(ValueError, match="the objective is minus infinity"):
        BernoulliMixtureEM(1, frozen={"probs": [[0.0, 0.5]]}).fit([[1, 0], [0, 1], [1, 1]])
    with pytest.raises(ValueError, match="frozen weights must be positive"):
        GaussianMixtureEM(2, frozen={"weights": [1.0, 0.0]}).fit(np.arange(10.0)[:, None])


def test_what_is_frozen_is_not_asked_to_be_identified():
    """One flip per coin: the weight is known once the coins are."""
    X = [[1]] * 60 + [[0]] * 40
    fit = BernoulliMixtureEM(2, frozen={"probs": [[0.2], [0.9]]}).fit(X)
    assert fit.identifiability_.identified
    assert fit.identifiability_.n_free_parameters == 1
    assert fit.weights_ @ [0.2, 0.9] == pytest.approx(0.6, abs=1e-5)
