"""Messages about data say which column, by its name where it has one, what was observed there, and what would do."""

import datetime
import re

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from comparisons.comparison.problem import prepare
from comparisons.posterior.predictive import predictive_check
from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, KMeans, select
from em.gibbs import gibbs
from models import gmm as model_gmm
from models.bmm import BMMParameters, BMMPrior
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior
from models.shown import shown

count_matrix = BMMParameters.cells.dense
LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}


def said(call, *arguments, error=ValueError, **settings):
    """Return the message of the error that a call ends in."""
    with pytest.raises(error) as caught:
        call(*arguments, **settings)
    return str(caught.value)


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_column_of_text_is_named_with_a_value_and_what_to_do(library):
    frame = LIBRARIES[library]({"size": [1.0, 2.0, 4.0], "city": ["Paris", "Rome", "Oslo"]})
    calls = [GaussianMixtureEM(1).fit, BernoulliMixtureEM(1).fit, KMeans(1).fit, count_matrix]
    for call in calls:
        message = said(call, frame, error=TypeError)
        assert "got 'Paris' of type str in column 'city'" in message
        assert message.endswith("drop column 'city', or encode it as numbers")


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        ([[1, "yes"], [0, "no"]], ValueError, "drop column 1, or encode it as numbers"),
        (pd.DataFrame([[1, "x"], [2, 3]]), TypeError, "got 'x' of type str in column 1: .*; drop column 1"),
        (pd.DataFrame({"t": [None, "1"]}), TypeError, "drop column 't', or encode it as numbers"),
        (pd.DataFrame({"n": [1], "z": [1j]}), ValueError, "complex128 in column 'z': .* Complex data not supported"),
        (pd.DataFrame({"z": [[1, 2], [3, 4]]}), TypeError, r"got \[1, 2\] of type list in column 'z'"),
    ],
    ids=["words in lists", "no names", "numbers as text", "complex", "lists"],
)
def test_columns_that_are_no_numbers_are_named(data, error, words):
    assert re.search(words, said(GaussianMixtureEM(1).fit, data, error=error))


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_column_of_dates_is_named(library):
    frame = LIBRARIES[library]({"n": [1, 2], "when": [datetime.datetime(2020, 1, 1), None]})
    message = said(GaussianMixtureEM(1).fit, frame, error=(TypeError, ValueError))
    assert re.search("got .*2020.* in column 'when': .*drop column 'when', or encode it", message)


def test_columns_that_share_a_name_are_named():
    frame = pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["a", "b", "a"])
    for call in (GaussianMixtureEM(1).fit, KMeans(1).fit, count_matrix):
        assert said(call, frame) == "X must have a different name for each column, got ['a'] more than once"


def test_a_column_with_an_array_in_each_cell_is_named():
    frame = pl.DataFrame({"pair": pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float64, 2))})
    assert said(GaussianMixtureEM(1).fit, frame) == "X must hold one number in each cell, got arrays in column 'pair'"


@pytest.mark.parametrize("library", LIBRARIES)
def test_infinity_is_named_by_row_and_column(library):
    frame = LIBRARIES[library]({"eruptions": [1.0, 2.0, 3.0], "waiting": [1.0, 2.0, np.inf]})
    for call in (GaussianMixtureEM(1).fit, KMeans(1).fit, count_matrix):
        assert "got infinity at X[2, 'waiting']" in said(call, frame)
    assert "got -infinity at X[0, 1]" in said(GaussianMixtureEM(1).fit, [[1.0, -np.inf], [2.0, 1.0]])


@pytest.mark.parametrize("library", LIBRARIES)
def test_constant_and_empty_columns_are_named(library):
    constant = LIBRARIES[library]({"eruptions": [1.0, 2.0, 3.0], "waiting": [5.0, None, 5.0]})
    empty = LIBRARIES[library]({"eruptions": [1.0, 2.0, 3.0], "waiting": [np.nan, None, None]})
    assert "constant column 'waiting'" in said(GaussianMixtureEM(1).fit, constant)
    draws = gibbs([[0, 1], [1, 0]], 1, BMMPrior(), draws=4, chains=1, random_state=0)
    for call, arguments in [
        (GaussianMixtureEM(1).fit, ()),
        (BernoulliMixtureEM(1).fit, ()),
        (model_gmm.build_model, (1, None)),
        (model_gmm.build_marginal_model, (1, None)),
        (prepare, ("gmm", 1)),
        (predictive_check, (draws, "gmm")),
    ]:
        message = said(call, empty, *arguments)
        assert "observed cell in every column, got none in column 'waiting': drop every such column" in message


def test_a_column_whose_variance_fits_no_float_is_named():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1e-200, 2e-200, 3e-200]})
    assert "e-201] in column 'b'" in said(GaussianMixtureEM(1).fit, frame)


@pytest.mark.parametrize("library", LIBRARIES)
def test_equal_values_are_named_by_their_column(library):
    frame = LIBRARIES[library]({"eruptions": [1.0, 1.0, 3.0], "waiting": [2.0, 5.0, 4.0]})
    prior = GMMIndependentPrior.weakly_informative(frame, 2, "diag")
    assert prior.why_improper(frame, 2).startswith("column 'eruptions' has a value that 2 samples share")


def test_the_range_of_counts_is_that_of_observed_cells():
    message = said(BernoulliMixtureEM(1).fit, [[1, np.nan], [3, 1], [2, 1]])
    assert "got observed values from 1 to 3; the first misfit is X[1, 0] = 3" in message
    message = said(BinomialMixtureEM(1, n_trials=1000000).fit, [[1000001], [1000000]])
    assert "(1000000 at most), got values from 1000000 to 1000001; the first misfit is X[0, 0] = 1000001" in message


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_misfit_of_counts_is_named_in_fits_methods_and_models(library):
    good = LIBRARIES[library]({"a": [0, 1, 1], "b": [1, 0, None]})
    bad = LIBRARIES[library]({"a": [0, 1, 1], "b": [1, None, 3]})
    fit = BernoulliMixtureEM(1).fit(good)
    for call in (BernoulliMixtureEM(1).fit, fit.predict, fit.score_samples, fit.impute, fit.score, count_matrix):
        assert "the first misfit is X[2, 'b'] = 3" in said(call, bad)
    for call, arguments in [
        (prepare, ("bmm", 1)),
        (gibbs, (1, BMMPrior())),
        (select, (BernoulliMixtureEM(), [1])),
    ]:
        assert "the first misfit is X[2, 'b'] = 3" in said(call, bad, *arguments)


ONE_TWO = {
    "1 and 2": ([[1, 2], [2, 1]], "Every value is 1 or 2: subtract 1 from X", lambda X: X - 1),
    "1 and 2, holes": ([[1, np.nan], [2, 1]], "Every value is 1 or 2: subtract 1 from X", lambda X: X - 1),
    "some columns": (
        [[1, 0], [2, 1]],
        "Subtract 1 from column 'a', whose values are 1 and 2",
        lambda X: X - [1, 0],
    ),
    "-1 and 1": (
        [[1, -1], [-1, 1]],
        "Encode the two values of columns 'a', 'b' as 0 and 1",
        lambda X: (X + 1) / 2,
    ),
    "0 and 2": ([[0, 0], [1, 2]], "Encode the two values of column 'b' as 0 and 1", lambda X: X / [1, 2]),
}


@pytest.mark.parametrize("coding", ONE_TWO)
def test_items_of_two_values_are_told_how_to_become_0_and_1_and_it_works(coding):
    X, advice, follow = ONE_TWO[coding]
    X = np.array(X, dtype=np.float64)
    assert said(BernoulliMixtureEM(1).fit, pd.DataFrame(X, columns=["a", "b"])).endswith(advice)
    assert np.isfinite(BernoulliMixtureEM(1).fit(follow(X)).objective_)


@pytest.mark.parametrize(
    ("X", "n_trials"),
    [([[1, 0], [2, 0], [0, 0]], 1), ([[1, 2], [2, 3], [2, 1]], 1), ([[0.5, 0], [0, 1]], 1), ([[1, 2], [5, 5]], 4)],
    ids=["three values", "more values", "fractions", "trials"],
)
def test_no_recoding_is_advised_where_none_would_do(X, n_trials):
    message = said(count_matrix, X, n_trials)
    assert "ubtract" not in message
    assert "ncode" not in message


def test_names_given_to_a_comparison_are_the_names_in_its_messages():
    X, names = np.array([[1, 0], [2, 1], [1, 1]]), ("item one", "item two")
    assert "X[1, 'item one'] = 2" in said(prepare, X, "bmm", 1, feature_names=names)
    assert "infinity at X[0, 'item two']" in said(prepare, [[1, np.inf], [2, 3]], "gmm", 1, feature_names=names)
    assert "constant column 'item two'" in said(prepare, [[1, 3], [2, 3]], "gmm", 1, feature_names=names)


NUMBER = np.float64(1.2)
GOOD = [[0.0], [1.0], [3.0], [4.0]]
CALLS = {
    "n_components": lambda: GaussianMixtureEM(NUMBER).fit(GOOD),
    "n_init": lambda: GaussianMixtureEM(1, n_init=NUMBER).fit(GOOD),
    "n_starts": lambda: GaussianMixtureEM(1, n_starts=NUMBER).fit(GOOD),
    "max_iter": lambda: KMeans(1, max_iter=NUMBER).fit(GOOD),
    "n_clusters": lambda: KMeans(NUMBER).fit(GOOD),
    "init": lambda: GaussianMixtureEM(1, init=NUMBER).fit(GOOD),
    "init of K-means": lambda: KMeans(1, init=np.str_("random")).fit(GOOD),
    "labels": lambda: GaussianMixtureEM(1, init=[NUMBER] * 4).fit(GOOD),
    "acceleration": lambda: GaussianMixtureEM(1, acceleration=NUMBER).fit(GOOD),
    "frozen": lambda: GaussianMixtureEM(1, frozen={"mean": NUMBER}).fit(GOOD),
    "tol": lambda: GaussianMixtureEM(1, tol=-NUMBER).fit(GOOD),
    "covariance_type": lambda: GaussianMixtureEM(1, covariance_type=NUMBER).fit(GOOD),
    "n_trials": lambda: BinomialMixtureEM(1, n_trials=[NUMBER]).fit(GOOD),
    "sample_weight": lambda: GaussianMixtureEM(1).fit(GOOD, sample_weight=[-NUMBER] * 4),
    "weights": lambda: GMMParameters([NUMBER], [[0.0]], [[[1.0]]]),
    "probs": lambda: BMMParameters([1.0], [[NUMBER]]),
    "concentration": lambda: BMMPrior(concentration=-NUMBER),
    "degrees_of_freedom": lambda: GMMPrior(2.0, [0.0, 0.0], 0.1, np.float64(0.5), np.eye(2)),
    "level": lambda: GaussianMixtureEM(1).fit(GOOD).uncertainty(GOOD, level=NUMBER),
    "criterion": lambda: select(GOOD, GaussianMixtureEM(), [1], criterion=NUMBER),
    "values to try": lambda: select(GOOD, GaussianMixtureEM(), NUMBER),
    "seed": lambda: prepare(GOOD, "gmm", 1, random_state=NUMBER),
    "family": lambda: prepare(GOOD, NUMBER, 1),
    "trials of the other family": lambda: prepare(GOOD, "gmm", 1, n_trials=[np.int64(3)]),
    "ragged rows": lambda: GaussianMixtureEM(1).fit([[NUMBER], [NUMBER, NUMBER]]),
    "text": lambda: GaussianMixtureEM(1).fit([[NUMBER, "a"], [NUMBER, "b"]]),
}


@pytest.mark.parametrize("argument", CALLS)
def test_numbers_of_numpy_are_shown_as_plain_numbers(argument):
    message = said(CALLS[argument])
    assert "np." not in message
    assert re.search("got .*", message)


def test_values_are_shown_short_and_plain():
    assert shown([np.float64(1.5), np.bool_(True), {"a": np.int8(2)}]) == "[1.5, True, {'a': 2}]"
    assert shown(np.arange(100.0)) == "[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, ...]"
    assert shown(np.longdouble(2)) == "2.0"
    assert shown("multisecant") == "'multisecant'"
