"""Names of features, which a frame brings, are in every table, sentence and axis; without them stand numbers."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from families import each_family, each_family_once

from comparisons import align, diagnose
from comparisons.comparison.fits import fit
from comparisons.comparison.problem import prepare
from comparisons.families import family_names, family_of
from comparisons.posterior.gibbs import as_datatree
from comparisons.posterior.predictive import predictive_check
from em import (
    CategoricalMixtureEM,
    GaussianMixtureEM,
    KMeans,
    NotIdentifiableWarning,
    PoissonMixtureEM,
    load,
    plots,
    save,
    select,
)
from em.cmm.latent_classes import latent_classes
from em.gibbs import gibbs
from em.status import left_to_the_status
from em.uncertainty.entries import entries_of
from models.gmm import GMMPrior

NAMES = ["eruptions", "waiting, in minutes"]
FITS = {}


def as_frame(X, names=NAMES):
    return pd.DataFrame(X, columns=names)


def named_and_not(family, K=2):
    """Return the fits to a frame and to its array, the frame, and the array; each is made once."""
    if (key := (family.name, K)) not in FITS:
        X = family.problem(0, K, 2, 60)[0]
        with left_to_the_status():
            named, unnamed = (family.fit(data, K, random_state=0) for data in (as_frame(X), X))
        FITS[key] = named, unnamed, as_frame(X), X
    return FITS[key]


def with_names(fit, name):
    """Return the name of an entry with the features' names in the place of their numbers."""
    array, _, index = name.rstrip("]").partition("[")
    (dims,) = (quantity.dims for quantity in fit.parameters_.quantities if quantity.name == array)
    places = [
        NAMES[int(place)]
        if dim in ("feature", "feature_bis")
        else re.sub(r"^item (\d)", lambda d: NAMES[int(d[1])], place)
        for dim, place in zip(dims, index.split(", "), strict=True)
    ]
    return f"{array}[{', '.join(places)}]"


@each_family_once
def test_standard_errors_carry_the_names_of_a_frame(family):
    named, unnamed, frame, X = named_and_not(family)
    table, plain = named.uncertainty(frame), unnamed.uncertainty(X)
    assert list(table.names) == [with_names(named, name) for name in plain.names]
    np.testing.assert_array_equal(table.standard_errors, plain.standard_errors)
    assert any(NAMES[1] in name for name in table.names)
    assert not any("eruptions" in name for name in plain.names)
    assert table[table.names[-1]]["estimate"] == plain.estimates[-1]


@each_family_once
def test_a_bootstrap_carries_the_names_too(family):
    named, unnamed, frame, X = named_and_not(family, K=1)
    settings = {"kind": "bootstrap", "n_bootstrap": 5, "random_state": 0}
    with left_to_the_status():
        tables = named.uncertainty(frame, **settings), unnamed.uncertainty(X, **settings)
    assert list(tables[0].names) == [with_names(named, name) for name in tables[1].names]


def test_names_of_answers_are_those_of_items_and_levels():
    fit_to = pd.DataFrame({"hair": ["black", "red", "red", "fair"] * 9, "eye": ["brown", "blue", "blue", "blue"] * 9})
    fit = CategoricalMixtureEM(1).fit(fit_to)
    assert fit.uncertainty(fit_to).names[1:] == (
        "probs[0, hair black]",
        "probs[0, hair fair]",
        "probs[0, hair red]",
        "probs[0, eye blue]",
        "probs[0, eye brown]",
    )
    assert repr(latent_classes(fit, fit_to)).count("hair") == 3
    unnamed = CategoricalMixtureEM(1).fit(fit_to.to_numpy(dtype=str))
    assert unnamed.uncertainty(fit_to.to_numpy(dtype=str)).names[1] == "probs[0, item 0 black]"


@each_family_once
def test_a_free_direction_names_the_features(family):
    X = family.problem(0, 2, 2, 60)[0].astype(float)
    X[:30, 0], X[30:, 1] = np.nan, np.nan
    with left_to_the_status():
        found = family.fit(as_frame(X), 2, n_init=2, random_state=0).identifiability_
    arrays = {name.split("[")[0] for name in found.free_direction}
    assert all(any(name in key for name in NAMES) for key in found.free_direction if "weights" not in key) or (
        arrays <= {"weights", "covariances"} and family.structure.get("covariance_type") == "spherical"
    )
    moving = [key for key, part in found.free_direction.items() if abs(part) > 0.01 and "weights" not in key]
    assert not moving or any(name in found.sentence for name in NAMES)


def test_a_warning_that_names_parameters_names_their_features():
    X = as_frame([[1.0, np.nan], [2.0, np.nan], [np.nan, 5.0], [np.nan, 7.0]])
    with pytest.warns(NotIdentifiableWarning, match=r"so covariances\[0, eruptions, waiting, in minutes\] may have"):
        GaussianMixtureEM(1).fit(X)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_select_fits_with_the_names_of_a_frame(frame):
    X = np.random.RandomState(0).normal(size=(50, 2))
    data = frame({name: X[:, d] for d, name in enumerate(NAMES)})
    best = select(data, GaussianMixtureEM(n_init=2, random_state=0), range(1, 4)).estimator
    assert best.feature_names_in_.tolist() == NAMES
    assert f"means[0, {NAMES[0]}]" in best.uncertainty(data).names


@each_family
def test_a_saved_fit_keeps_the_names(family, tmp_path):
    named, _, frame, _ = named_and_not(family)
    save(named, tmp_path / "model.json")
    loaded = load(tmp_path / "model.json")
    assert loaded.uncertainty(frame).names == named.uncertainty(frame).names


@pytest.mark.parametrize("frame", [True, False], ids=["fit to a frame", "fit to an array"])
def test_axes_are_named_after_the_features_once(frame):
    X = np.random.RandomState(0).normal(size=(40, 2))
    fit = GaussianMixtureEM(1).fit(as_frame(X) if frame else X)
    ax = plots.plot_density_contours(fit, as_frame(X))
    assert (ax.get_xlabel(), ax.get_ylabel()) == tuple(NAMES)
    ax.set_xlabel("mine")
    assert plots.plot_density_contours(fit, as_frame(X), ax).get_xlabel() == "mine"
    ax.figure.clear()


def test_axes_of_unnamed_features_stay_unnamed():
    X = np.random.RandomState(0).normal(size=(40, 2))
    ax = plots.plot_decision_boundaries(KMeans(2, random_state=0).fit(X), X)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("", "")
    ax.figure.clear()


def test_a_name_that_is_no_text_for_a_terminal_is_shown_as_escapes():
    X = as_frame(np.random.RandomState(0).normal(size=(20, 2)), ["red\x1b[31m", "two\nlines"])
    table = repr(GaussianMixtureEM(1).fit(X).uncertainty(X))
    assert r"means[0, red\x1b[31m]" in table
    assert r"means[0, two\nlines]" in table


def legal(codes, name):
    """Return codes 0 and 1, or 1 and 2 where a family's cells are positive."""
    steps = getattr(family_of(name), "steps", None)
    return codes + (steps is not None and bool(steps.cells.misfits(np.zeros((1, 1)), np.ones((1, 1))).any()))


# The comparison ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["frame", "feature_names"])
@pytest.mark.parametrize("name", family_names())
def test_a_comparison_calls_entries_as_the_features_are_called(name, given):
    X = legal(np.array([[0, 1], [1, 1], [1, 0], [0, 0], [1, 1]] * 5), name)
    settings = {} if given == "frame" else {"feature_names": NAMES}
    problem = prepare(as_frame(X) if given == "frame" else X, name, 1, **settings)
    assert prepare(X, name, 1).labels.get("cell", []) in ([], ["item 0 0", "item 0 1", "item 1 0", "item 1 1"])
    assert "feature" not in prepare(X, name, 1).labels
    fit = problem.fit_by_em(n_init=1, random_state=0)
    entries = list(entries_of(fit.parameters_, np.inf, labels=problem.labels).names)
    assert entries == list(fit.uncertainty(problem.named_samples).names)
    quantity = problem.family.quantities[1]
    cells = [f"{feature} {code}" for feature in NAMES for code in (0, 1)]
    assert entries[1 : 1 + fit.parameters_.arrays()[quantity.name].size] == [
        f"{quantity.name}[0, {called}]" for called in (cells if quantity.dims[-1] == "cell" else NAMES)
    ]


@pytest.mark.parametrize("name", family_names())
def test_a_comparison_of_an_array_calls_entries_alike_and_takes_the_array_again(name, recwarn):
    X = legal(np.array([[0, 1], [1, 1], [1, 0], [0, 0], [1, 1]] * 5), name)
    problem = prepare(np.array(["no", "yes"])[X.astype(int)] if name == "cmm" else X, name, 1)
    fit = problem.fit_by_em(n_init=1, random_state=0)
    entries = list(entries_of(fit.parameters_, np.inf, labels=problem.labels).names)
    assert entries == list(fit.uncertainty(problem.named_samples).names)
    assert fit.predict(np.array(["no", "yes"])[X.astype(int)] if name == "cmm" else X).tolist() == [0] * len(X)
    assert not [str(told.message) for told in recwarn if "feature names" in str(told.message)]


def test_a_comparison_calls_levels_as_the_data_do():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.choice(["x", "y"], 60), "b": rng.choice([1, 3], 60)})
    problem = prepare(frame, "cmm", 2, n_init=2)
    cells = ["a x", "a y", "b 1", "b 3"]
    assert problem.labels["cell"] == cells
    assert problem.named_samples["a"].tolist() == frame["a"].tolist()
    free = fit(problem).mle.identifiability_.free_direction
    entries = {f"probs[{k}, {cell}]" for k in range(2) for cell in cells}
    assert set(free) <= {"weights[0]", "weights[1]"} | entries
    assert set(free) & entries


def test_two_features_of_one_name_are_refused():
    with pytest.raises(ValueError, match=r"feature_names must differ.*got \('a', 'a'\)"):
        prepare(np.eye(4)[:, :2], "bmm", 1, feature_names=["a", "a"])


@pytest.mark.parametrize("name", family_names())
def test_the_pymc_models_of_a_frame_have_its_names_as_coordinates(name):
    X = as_frame(legal(np.array([[0, 1], [1, 1], [1, 0], [0, 0]] * 5), name))
    family, codes = family_of(name).of_samples(X)
    for build in (family.build_model, family.build_marginal_model):
        named, unnamed = (build(data, 2, family.default_prior(codes, 2)).coords for data in (as_frame(codes), codes))
        assert named["feature"] == tuple(NAMES)
        assert unnamed["feature"] == (0, 1)
        for dim, names in family.labels(NAMES).items():
            assert tuple(named.get(dim, names)) == tuple(names)


def test_draws_of_gibbs_their_diagnosis_and_predictive_checks_carry_names():
    X = as_frame(np.random.RandomState(0).normal(size=(60, 2)))
    prior = GMMPrior.weakly_informative(X, 1)
    draws = as_datatree(gibbs(X, 1, prior, draws=300, chains=2, random_state=0), prior, feature_names=NAMES)
    aligned = align(draws, reference=GaussianMixtureEM(1, prior=prior).fit(X))
    found = [quantity.name for quantity in diagnose(aligned).parameters]
    assert found[1:5] == [f"means[0, {name}]" for name in NAMES] + [
        f"covariances[0, {NAMES[0]}, {name}]" for name in NAMES
    ]
    checked = predictive_check(X, draws, "gmm", n_replicates=5, random_state=0).names
    assert {f"mean[{NAMES[0]}]", f"correlation[{NAMES[0]}, {NAMES[1]}]"} < set(checked)
    assert "mean[0]" in predictive_check(X.to_numpy(), draws, "gmm", n_replicates=5, random_state=0).names


def test_a_sentence_lists_twenty_names_and_says_how_many_more_there_are():
    X = as_frame(np.random.RandomState(0).poisson(3.0, size=(20, 30)), [f"gene {d}" for d in range(30)])
    page = repr(PoissonMixtureEM(1).fit(X).summary(X))
    assert "20 samples of 30 features: gene 0, gene 1, " in page
    assert "gene 19, ... and 10 more\n" in page
