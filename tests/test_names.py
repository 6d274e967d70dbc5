"""Names of features, which a frame brings, are in every table, sentence and axis; without them stand numbers."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from families import each_family

from em import CategoricalMixtureEM, GaussianMixtureEM, KMeans, NotIdentifiableWarning, load, plots, save, select
from em.cmm.latent_classes import latent_classes
from em.status import left_to_the_status

NAMES = ["eruptions", "waiting, in minutes"]


def as_frame(X, names=NAMES):
    return pd.DataFrame(X, columns=names)


def named_and_not(family, n=60, K=2):
    """Return the fits to a frame and to its array, the frame, and the array."""
    X = family.problem(0, K, 2, n)[0]
    with left_to_the_status():
        return family.fit(as_frame(X), K, random_state=0), family.fit(X, K, random_state=0), as_frame(X), X


def with_names(fit, name):
    """Return the name of an entry with the features' names in the place of their numbers."""
    array, _, index = name.rstrip("]").partition("[")
    (dims,) = (quantity.dims for quantity in fit.parameters_.quantities if quantity.name == array)
    labels = {"feature": NAMES, "feature_bis": NAMES, "cell": fit._labels.get("cell")}
    places = zip(dims, map(int, index.split(", ")), strict=True)
    return f"{array}[{', '.join(str(labels[dim][i]) if dim in labels else str(i) for dim, i in places)}]"


@each_family
def test_standard_errors_carry_the_names_of_a_frame(family):
    named, unnamed, frame, X = named_and_not(family)
    table, plain = named.uncertainty(frame), unnamed.uncertainty(X)
    assert list(table.names) == [with_names(named, name) for name in plain.names]
    np.testing.assert_array_equal(table.standard_errors, plain.standard_errors)
    assert any(NAMES[1] in name for name in table.names)
    assert not any("eruptions" in name for name in plain.names)
    assert table[table.names[-1]]["estimate"] == plain.estimates[-1]


@each_family
def test_a_bootstrap_carries_the_names_too(family):
    named, unnamed, frame, X = named_and_not(family)
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


@each_family
def test_a_free_direction_names_the_features(family):
    X = family.problem(0, 2, 2, 60)[0].astype(float)
    X[:30, 0], X[30:, 1] = np.nan, np.nan
    with left_to_the_status():
        found = family.fit(as_frame(X), 2, n_init=2, random_state=0).identifiability_
    arrays = {name.split("[")[0] for name in found.free_direction}
    assert all(any(name in key for name in NAMES) for key in found.free_direction if "weights" not in key) or (
        arrays <= {"weights", "covariances"} and family.structure.get("covariance_type") == "spherical"
    )
    if found.free_direction:
        assert any(name in found.sentence for name in NAMES)


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
