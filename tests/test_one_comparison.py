"""Whoever asks, from a frame, an array, a fit, a selection or the command line, the same is compared and judged."""

from dataclasses import replace
from io import StringIO

import numpy as np
import polars as pl
import pytest
import shared_comparison
from families import FAILINGS, each_family
from rich.console import Console

from comparisons.comparison.checks import Check
from comparisons.comparison.command import prepare_case
from comparisons.comparison.posterior_checks import ENOUGH_SAMPLES, why_shown
from comparisons.comparison.problem import prepare
from comparisons.comparison.steps import verdict_of
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


@pytest.fixture(scope="module")
def found():
    return shared_comparison.of_faithful().result


def test_it_shows_itself_in_five_lines(found):
    lines = repr(found).splitlines()
    assert len(lines) == 5
    assert lines[0] == "Comparison of Old Faithful: GMM(covariance_type='full'), 272 samples, 2 features, K = 2"
    assert lines[1].startswith("Verdict: agree")


def test_the_verdict_is_printed_first_and_reasons_on_request(found):
    texts = {}
    for verbose in (False, True):
        console = Console(record=True, width=200, file=StringIO())
        found.print(console, verbose=verbose)
        texts[verbose] = console.export_text()
        assert texts[verbose].split()[0] == "Verdict:"
    assert "Vehtari" in texts[True]
    assert "Vehtari" not in texts[False]
    for word in ("nats", "ESS", "label-free", "ridge"):
        assert f"\n{word}: " in texts[True]
    for check in found.checks:
        (line,) = [line for line in texts[False].splitlines() if f" {check.name} " in f"{line} "]
        assert check.why_shown in line


def test_figures_are_asked_for_by_name(found):
    assert found.plot().axes
    with pytest.raises(ValueError, match="name must be one of data, objective, posterior, responsibilities, got 'x'"):
        found.plot("x")


def test_distances_are_judged_where_the_data_are_worth_enough_labelled_samples(found):
    assert found.labelled * found.mle.weights_.min() > ENOUGH_SAMPLES
    assert why_shown(found) == ""
    few = replace(found, X=found.X[::9])
    mle = GaussianMixtureEM(2, random_state=0).fit(few.named_samples)
    assert "labelled samples; it takes" in why_shown(replace(few, mle=mle))


def test_too_few_draws_alone_are_inconclusive_and_say_how_many_would_do(found):
    passed, failed = Check("a", 0.0, 1.0, "", True), Check("b", 2.0, 1.0, "", False)
    few = [Check("R-hat, label-free", 1.03, 1.01, "", False), Check("ESS, label-free", 100.0, 400.0, "", False)]
    verdict, why = verdict_of(found, [passed, *few])
    assert verdict == "inconclusive"
    assert "ask for draws=3000" in why  # 500 x 400 / 100 and half as many again
    assert "modes of their own" not in why
    assert verdict_of(found, [passed, failed, *few]) == ("disagree", "failed: b; R-hat, label-free; ESS, label-free")
    apart = replace(few[0], value=1.8)
    assert "modes of their own" in verdict_of(found, [apart])[1]
