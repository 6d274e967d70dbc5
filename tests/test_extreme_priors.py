"""A prior that float64 cannot compute with on these data is refused by name, before any draw."""

from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner

from comparisons import compare
from comparisons.comparison import prepare
from comparisons.comparison.command import application
from comparisons.comparison.extremes import UnfitPriorError, rounding_of_prior
from comparisons.components import compare_components
from comparisons.posterior import sample
from comparisons.posterior.densities import UnconstrainedDensity, without_c_compiler
from models.bmm import BMMPrior, build_marginal_model
from models.gmm import GMMIndependentPrior, GMMPrior

QUICK = {"draws": 500, "tune": 100, "chains": 2, "n_init": 2}


def clouds():
    rng = np.random.default_rng(3)
    return np.concatenate([rng.normal(size=(25, 2)), rng.normal(size=(25, 2)) * 0.5 + 5])


def answers():
    rng = np.random.default_rng(4)
    return (rng.random((50, 4)) < np.where(rng.random((50, 1)) < 0.5, 0.8, 0.2)).astype(float)


def weak(kind, scales):
    if scales == "conjugate":
        return GMMPrior.weakly_informative(clouds(), 2, kind)
    return GMMIndependentPrior.weakly_informative(clouds(), 2, kind, scales)


@pytest.fixture(autouse=True)
def no_draws(monkeypatch):
    """Whatever is drawn fails the test: a refusal comes first."""

    def drawn(*args, **kwargs):
        raise AssertionError("a chain was begun")

    monkeypatch.setattr("comparisons.posterior._run", drawn)


@pytest.mark.parametrize(
    ("kind", "scales", "name", "value"),
    [
        ("full", "conjugate", "scale", 1e300 * np.eye(2)),
        ("full", "conjugate", "scale", 1e90 * np.eye(2)),
        ("tied", "conjugate", "mean", np.full(2, 1e200)),
        ("full", "conjugate", "mean", np.array([0.0, -1e30])),
        ("spherical", "conjugate", "concentration", 1e308),
        ("full", "conjugate", "concentration", 1e14),
        ("full", "conjugate", "degrees_of_freedom", 1e15),
        ("diag", "conjugate", "degrees_of_freedom", 1e300),
        ("diag", "conjugate", "scale", np.full(2, 1e300)),
        ("diag", "half-normal", "scale", 1e-300),
        ("spherical", "half-normal", "mean_sd", 1e-300),
        ("diag", "inverse-gamma", "mean", np.full(2, 1e200)),
        ("diag", "inverse-gamma", "variance_shape", 1e20),
        ("spherical", "conjugate", "mean_precision", 1e300),
        ("diag", "half-normal", "scale", 1e300),
    ],
    ids=str,
)
def test_an_extreme_number_of_a_gaussian_prior_is_named(kind, scales, name, value):
    prior = replace(weak(kind, scales), **{name: value})
    with pytest.raises(UnfitPriorError, match=rf"prior\.{name} .*got .*1e[+-]\d+"):
        compare(clouds(), "gmm", 2, prior, covariance_type=kind, **QUICK)


@pytest.mark.parametrize("name", ["concentration", "successes", "failures"])
@pytest.mark.parametrize("value", [1e300, 1e13])
def test_an_extreme_number_of_a_bernoulli_prior_is_named(name, value):
    with pytest.raises(UnfitPriorError, match=rf"prior\.{name} must be at most 1e\+11 .*got 1e\+"):
        compare(answers(), "bmm", 2, replace(BMMPrior(), **{name: value}), **QUICK)


@pytest.mark.parametrize("exponent", [-300, -160, -100, 100, 160, 300])
def test_data_of_an_extreme_scale_are_named(exponent):
    with pytest.raises(ValueError, match=r"X .*escale"):
        compare(clouds() * 10.0**exponent, "gmm", 2, **QUICK)


def test_an_error_that_is_not_the_priors_stays_as_it_is(monkeypatch):
    monkeypatch.setattr("comparisons.posterior._inverse_root", lambda information: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        compare(answers(), "bmm", 1, **QUICK)


def test_components_name_it_too():
    prior = replace(weak("full", "conjugate"), concentration=1e300)
    with pytest.raises(UnfitPriorError, match=r"prior\.concentration"):
        compare_components(clouds(), "gmm", [2], prior, evidence=False, **QUICK)


@pytest.mark.parametrize("change", ["concentration=1e300", "mean=1e200"])
def test_a_command_ends_with_a_sentence_and_exit_code_2(change, tmp_path):
    options = ["--data", "faithful", "--prior", change, "--restarts", "2", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(application("gmm"), options)
    assert result.exit_code == 2
    assert f"Error: prior.{change.partition('=')[0]} " in result.output
    assert len(result.output.splitlines()) == 1
    assert list((tmp_path / "out").iterdir()) == []


def inside():
    with without_c_compiler():
        return build_marginal_model(answers(), 1, BMMPrior()), {"weights": np.ones(1), "probs": np.full((1, 4), 0.5)}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda value, gradient: (value + 0.1 * np.sin(1e13 * gradient.sum()), gradient), "is rounded by"),
        (lambda value, gradient: (np.inf, gradient), "not finite"),
        (lambda value, gradient: (value, gradient * np.nan), "not finite"),
        (lambda value, gradient: (value, 0 * gradient), "does not curve"),
    ],
)
def test_a_density_that_is_not_resolved_is_refused_where_that_is_asked_for(spoil, words, monkeypatch):
    model, start = inside()
    exact = UnconstrainedDensity.value_and_gradient
    monkeypatch.setattr(UnconstrainedDensity, "value_and_gradient", lambda self, flat: spoil(*exact(self, flat)))
    start["probs"] = np.full((1, 4), 0.3)
    with pytest.raises(ValueError, match=words):
        sample(model, start, draws=10, tune=10, chains=1, seed=0, resolved=True)


def test_a_posterior_narrower_than_the_numbers_of_float64_is_refused(monkeypatch):
    model, start = inside()
    information = UnconstrainedDensity.information
    monkeypatch.setattr(UnconstrainedDensity, "information", lambda self, flat: 1e30 * information(self, flat))
    start["probs"] = np.full((1, 4), 0.3)
    with pytest.raises(ValueError, match="so narrow"):
        sample(model, start, draws=10, tune=10, chains=1, seed=0, resolved=True)


def test_a_density_as_usual_is_resolved():
    model, start = inside()
    with pytest.raises(AssertionError, match="a chain was begun"):
        sample(model, start, draws=10, tune=10, chains=1, seed=0, resolved=True)


def test_the_rounding_of_a_prior_is_that_of_its_log_gamma_functions():
    problem = prepare(answers(), "bmm", 2, BMMPrior(2.0, 1e10, 1e10))
    assert 1e-5 < rounding_of_prior(problem) < 1e-2
    assert rounding_of_prior(replace(problem, prior=BMMPrior())) < 1e-14
