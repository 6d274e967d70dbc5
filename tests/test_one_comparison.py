"""Whoever asks, from a frame, an array, a fit, a selection or the command line, the same is compared and judged."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from families import FAILINGS, each_family

from comparisons.comparison.command import prepare_case
from comparisons.comparison.problem import prepare
from comparisons.data import load
from comparisons.declarations import Case
from em import BernoulliMixtureEM, GaussianMixtureEM, PoissonMixtureEM, VariationalMixture, select
from models.gmm import GMMPrior


def as_values(problem):
    """Return all that decides what is compared and judged."""
    prior = {name: np.asarray(value).tolist() for name, value in vars(problem.prior).items()}
    return (
        repr(problem.family),
        problem.n_components,
        prior,
        problem.settings,
        problem.X.tolist(),
        problem.feature_names,
    )


def test_a_frame_an_array_a_fit_a_selection_and_the_command_line_are_one_problem():
    dataset = load("faithful")
    frame = pl.DataFrame(dict(zip(dataset.feature_names, dataset.X.T, strict=True)))
    fit = GaussianMixtureEM(2, covariance_type="tied", n_init=2, random_state=3).fit(frame)
    selection = select(frame, GaussianMixtureEM(n_init=2, random_state=3), [2], covariance_type=["tied"])
    names = {"feature_names": dataset.feature_names}
    of_array = prepare(dataset.X, "gmm", 2, covariance_type="tied", **names)
    case = Case("faithful", 2, {"covariance_type": "tied"})
    others = [
        prepare(frame, "gmm", 2, covariance_type="tied"),
        prepare(frame, fit),
        prepare(dataset.X, fit, **names),
        prepare(frame, selection),
        prepare_case(replace(dataset, options={}), case, minutes=5.0),
    ]
    for other in others:
        assert as_values(other) == as_values(of_array)


@each_family
def test_a_fit_says_its_family_options_and_prior(family):
    X, _, _ = family.problem(0, 2, 3, 80)
    fit = family.fit(X, 2, n_init=2, random_state=0, quiet=FAILINGS)
    problem = prepare(X, fit)
    assert isinstance(fit.parameters_, problem.family.parameters_type)
    assert problem.n_components == 2
    assert fit.prior is None or problem.prior is fit.prior
    for name, value in problem.family.of_mixture.items():
        assert getattr(fit.parameters_, name, value) == value
    for name, value in problem.family.of_data.items():
        np.testing.assert_array_equal(value, family.options.get(name, 1))


def test_a_fit_says_the_sizes_of_cells_that_fit_was_given():
    X = np.random.RandomState(0).poisson(4, size=(50, 2))
    exposure = np.linspace(1, 3, 100).reshape(50, 2)
    fit = PoissonMixtureEM(1).fit(X, exposure=exposure)
    np.testing.assert_array_equal(prepare(X, fit).family.exposure, exposure)


def test_what_a_fit_says_is_not_overruled():
    X = load("faithful").X
    fit = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X)
    with pytest.raises(ValueError, match="n_components must be None or that of the fit, 2, got 3"):
        prepare(X, fit, 3)
    with pytest.raises(ValueError, match="got weights frozen"):
        prepare(X, GaussianMixtureEM(2, frozen={"weights": [0.5, 0.5]}, random_state=0).fit(X))
    wanted = "family must be a name, a Family, a mixture fitted by EM or a selection"
    mean_field = VariationalMixture(2, prior=GMMPrior.weakly_informative(X, 2), n_init=1, random_state=0).fit(X)
    for other in (BernoulliMixtureEM(2), mean_field):
        with pytest.raises(ValueError, match=wanted):
            prepare(X, other)
    own = GMMPrior.weakly_informative(X, 2)
    assert prepare(X, fit, prior=own).prior is own
