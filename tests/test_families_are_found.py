"""A family is found from its folder; its options drive constructor, calls and flags; those of others are refused."""

import re
from dataclasses import replace

import numpy as np
import pytest
from stand_ins import draws_around
from typer.testing import CliRunner

import comparisons
import comparisons.posterior
from comparisons import compare, log_joint
from comparisons.bmm import BMM
from comparisons.comparison.command import application
from comparisons.comparison.problem import Settings, prepare
from comparisons.components import compare_components
from comparisons.concentration import sweep
from comparisons.data import find, load
from comparisons.families import family_class, family_names, family_of, family_of_prior
from comparisons.gmm import GMM
from models.bmm import BMMPrior
from models.gmm import GMMPrior

TOY = """
from comparisons.declarations import Case, Dataset, Option
from comparisons.gmm import GMM
import numpy as np

X = np.repeat([[0.0, 1.0, 2.0, 7.0, 8.0, 9.0]], 3, axis=0).reshape(-1, 1)


class Toy(GMM):
    name = "toy_of_a_test"
    title = "toy mixture"
    options = (*GMM.options, Option("n_sides", 6, "Sides of the die", "sides", parse=int, of_data=True))
    datasets = {"throws": lambda: Dataset("throws", "toy_of_a_test", "throws", X, ("throw",), {"n_sides": 4})}
    cases = (Case("throws", 2, {"covariance_type": "diag"}),)


FAMILY = Toy
"""
ANSWERS = np.array([[0.0, 1.0], [1.0, 1.0], [3.0, 0.0], [2.0, 2.0]])


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Add a folder of a family in another place."""
    folder = tmp_path / "toy_of_a_test"
    folder.mkdir()
    (folder / "__init__.py").write_text(TOY)
    (tmp_path / "no_family").mkdir()
    (tmp_path / "no_family" / "__init__.py").write_text('"""Nothing here."""\n')
    monkeypatch.setattr(comparisons, "__path__", [*comparisons.__path__, str(tmp_path)])
    return family_class("toy_of_a_test")


def test_a_folder_elsewhere_is_a_family_with_its_data_and_flags(toy, tmp_path):
    assert {"gmm", "bmm", toy.name} <= set(family_names())
    assert "no_family" not in family_names()
    assert load("throws").family == toy.name
    assert toy.case("throws", None, {"covariance_type": "diag"}) is toy.cases[0]
    shown = CliRunner().invoke(application(toy.name), ["--help"]).output
    assert all(word in shown for word in ("toy mixture", "--sides", "--covariance", "throws"))
    wrong = CliRunner().invoke(application(toy.name), ["--sides", "5", "--out", str(tmp_path / "out")])
    assert (wrong.exit_code, "n_sides of data 'throws' is 4, got 5" in wrong.output) == (2, True)


def test_without_its_folder_it_is_none():
    with pytest.raises(ValueError, match=r"family must be one of bmm, .*gmm.*, got 'toy_of_a_test'"):
        family_of("toy_of_a_test")


@pytest.mark.parametrize(
    "call",
    [
        lambda **options: prepare(np.eye(3), "gmm", 1, **options),
        lambda **options: log_joint(np.eye(3), "gmm", **options),
        lambda **options: compare_components(np.eye(3), "gmm", **options),
        lambda **options: sweep(np.eye(3), "gmm", 2, **options),
        lambda **options: GMM(**options),
        lambda **options: find("faithful", **options),
    ],
    ids=["prepare", "log_joint", "compare_components", "sweep", "constructor", "find"],
)
def test_options_of_others_are_refused_with_their_owner(call):
    with pytest.raises(ValueError, match=r"n_trials belongs to family 'bmm', got 3 for 'gmm'"):
        call(n_trials=3)
    with pytest.raises(
        TypeError, match=r"drawz is no setting and no option; .* 'gmm' are covariance_type; did you mean draws"
    ):
        call(drawz=3)
    with pytest.raises(TypeError, match=r"family 'gmm' are covariance_type; did you mean covariance_type\?"):
        call(covariance="full")
    with pytest.raises(ValueError, match="covariance_type must be one of full, tied, diag, spherical, got 'round'"):
        call(covariance_type="round")


def test_a_family_may_stand_for_its_name_and_options(monkeypatch):
    named, made = (prepare(ANSWERS, family, 1, **o) for family, o in [("bmm", {"n_trials": 3}), (BMM(n_trials=3), {})])
    assert repr(named.family) == repr(made.family) == "BMM(n_trials=3)"
    density = log_joint(ANSWERS, BMM(n_trials=3)).given({"weights": np.ones((1, 1)), "probs": np.full((1, 1, 2), 0.5)})
    assert density(slice(0, 1))[0, 0, 0] == pytest.approx(np.log(1 / 8 * 3 / 8))
    with pytest.raises(ValueError, match=r"family must be a name where options are given, got BMM.* and n_trials"):
        prepare(ANSWERS, BMM(), 1, n_trials=3)
    monkeypatch.setattr(comparisons.posterior, "sample", draws_around)
    monkeypatch.setattr(comparisons.posterior, "find_map", lambda model, start: start)
    found = compare(ANSWERS, BMM(n_trials=3), 1, draws=500, tune=100, n_init=1)
    assert (found.settings.draws, found.family.n_trials) == (500, 3)


def test_a_prior_says_its_family_and_structure():
    prior = GMMPrior.weakly_informative(load("faithful").X, 2, "tied")
    assert repr(family_of_prior(prior)) == "GMM(covariance_type='tied')"
    assert repr(family_of_prior(BMMPrior(), n_trials=2)) == "BMM(n_trials=2)"
    with pytest.raises(ValueError, match=r"prior must be a BMMPrior or a .*, got float"):
        family_of_prior(1.0)


def test_built_in_data_know_their_trials():
    assert find("saxony", n_trials=12).options == find("saxony").options == {"n_trials": 12}
    with pytest.raises(ValueError, match="n_trials of data 'saxony' is 12, got 5; it is for your own files"):
        find("saxony", n_trials=5)


@pytest.mark.parametrize(
    "bad",
    [
        {"draws": 99},
        {"chains": 1},
        {"starts": "many"},
        {"target_accept": 1.0},
        {"random_state": -1},
        {"max_depth": 1.5},
    ],
    ids=str,
)
def test_settings_are_checked_wherever_they_are_made(bad):
    ((name, value),) = bad.items()
    with pytest.raises(ValueError, match=rf"{name}.*{re.escape(str(value))}"):
        Settings(**bad)
    with pytest.raises(ValueError, match=name):
        replace(Settings(), **bad)


@pytest.mark.parametrize("bad", [None, "a", [0.8]])
def test_a_setting_that_is_no_number_is_refused_as_that(bad):
    with pytest.raises(ValueError, match=rf"^target_accept must be a number, got {re.escape(repr(bad))}$"):
        Settings(target_accept=bad)
