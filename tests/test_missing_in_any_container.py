"""A missing value is a missing value in every data frame, list and array: the same answers as from NaN, bit by bit."""

import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from comparisons.comparison.problem import prepare
from em import BernoulliMixtureEM, BinomialMixtureEM, GaussianMixtureEM, KMeans
from em.gibbs import gibbs
from models import bmm as model_bmm
from models import gmm as model_gmm
from models.bmm import BMMPrior
from models.gmm import GMMIndependentPrior, GMMPrior
from models.validation import real_numbers

rng = np.random.default_rng(0)
NAMES = ["a", "b", "c"]
WHOLE = rng.integers(0, 5, size=(40, 3)) + np.repeat([[0.0], [8.0]], 20, axis=0)  # every dtype holds them exactly
WHOLE[::6, 1], WHOLE[3, :] = np.nan, np.nan
BITS = (rng.random((60, 3)) < np.repeat([[0.2], [0.8]], 30, axis=0)).astype(np.float64)
BITS[::5, 2], BITS[1, 0] = np.nan, np.nan
MAKERS = {"float": float, "int": int, "bool": bool}


def cells(X, kind, missing=None):
    """Return columns by name: Python numbers, and ``missing`` where a cell is."""
    make = MAKERS[kind]
    return {
        name: [missing if np.isnan(x) else make(x) for x in column]
        for name, column in zip(NAMES, X.T.tolist(), strict=True)
    }


def rows(X, kind, missing=None):
    return [list(row) for row in zip(*cells(X, kind, missing).values(), strict=True)]


def nullable(dtype):
    kind = {"Int64": "int", "Int8": "int", "int64[pyarrow]": "int", "boolean": "bool", "bool[pyarrow]": "bool"}
    return lambda X: pd.DataFrame(cells(X, kind.get(dtype, "float"))).astype(dtype)


def mixed(X):
    """One column of each kind: nullable integers, floats with NaN, objects with pandas.NA and None."""
    a, b, c = cells(X, "int").values()
    c[0], b = (pd.NA if c[0] is None else c[0]), [np.nan if x is None else float(x) for x in b]
    return pd.DataFrame({"a": pd.array(a, dtype="Int64"), "b": b, "c": np.array(c, dtype=object)})


def arrow(X, kind="int"):
    return pa.table(cells(X, kind))


def encoded(X):
    return pa.table({name: pa.array(column).dictionary_encode() for name, column in cells(X, "int").items()})


def masked(X, dtype):
    return np.ma.array(np.nan_to_num(X, nan=1).astype(dtype), mask=np.isnan(X))


FRAMES = {
    "Int64": nullable("Int64"),
    "Int8": nullable("Int8"),
    "Float64": nullable("Float64"),
    "Float32": nullable("Float32"),
    "int64 of pyarrow": nullable("int64[pyarrow]"),
    "double of pyarrow": nullable("double[pyarrow]"),
    "objects with None": lambda X: pd.DataFrame(cells(X, "int"), dtype=object),
    "objects with NA": lambda X: pd.DataFrame(cells(X, "float", pd.NA), dtype=object),
    "objects with NaT": lambda X: pd.DataFrame(cells(X, "float", pd.NaT), dtype=object),
    "mixed": mixed,
    "polars integers": lambda X: pl.DataFrame(cells(X, "int")),
    "polars small integers": lambda X: pl.DataFrame(cells(X, "int"), schema=dict.fromkeys(NAMES, pl.UInt8)),
    "polars floats": lambda X: pl.DataFrame(cells(X, "float")),
    "polars decimals": lambda X: pl.DataFrame(cells(X, "int")).cast(pl.Decimal(10, 2)),
    "arrow table": arrow,
    "arrow dictionaries": encoded,
}
PLAIN = {
    "lists with None": lambda X: rows(X, "float"),
    "lists with NA": lambda X: rows(X, "int", pd.NA),
    "tuples with NaT": lambda X: tuple(map(tuple, rows(X, "int", pd.NaT))),
    "object array": lambda X: np.array(rows(X, "int"), dtype=object),
    "masked integers": lambda X: masked(X, np.int64),
    "masked floats": lambda X: masked(X, np.float64),
    "masked objects": lambda X: masked(X, object),
    "list of masked rows": lambda X: list(masked(X, np.int64)),
    "list of pandas arrays": lambda X: [pd.array(row, dtype="Int64") for row in rows(X, "int")],
    "columns without names": lambda X: nullable("Int64")(X).set_axis(range(3), axis=1),
    "columns named by pairs": lambda X: nullable("Int64")(X).set_axis(
        pd.MultiIndex.from_product([["a"], NAMES]), axis=1
    ),
    "arrow batch": lambda X: pa.record_batch(cells(X, "int")),
}
BOOLEANS = {
    "boolean": nullable("boolean"),
    "bool of pyarrow": nullable("bool[pyarrow]"),
    "objects": lambda X: pd.DataFrame(cells(X, "bool"), dtype=object),
    "polars": lambda X: pl.DataFrame(cells(X, "bool")),
    "polars beside integers": lambda X: pl.DataFrame(cells(X, "bool") | {"a": cells(X, "int")["a"]}),
    "arrow": lambda X: arrow(X, "bool"),
    "lists": lambda X: rows(X, "bool"),
    "masked": lambda X: masked(X, bool),
}


@pytest.mark.parametrize("form", [*FRAMES, *PLAIN])
def test_a_container_holds_the_numbers_of_the_matrix_with_nan(form):
    np.testing.assert_array_equal(real_numbers("X", (FRAMES | PLAIN)[form](WHOLE)), WHOLE)


@pytest.mark.parametrize("form", BOOLEANS)
def test_a_container_of_booleans_holds_zeros_and_ones(form):
    np.testing.assert_array_equal(real_numbers("X", BOOLEANS[form](BITS)), BITS)


EXPECTED = {}  # the answers of the fits to arrays


def answers(estimator, data):
    """Return a fit and what it says of the data, by name."""
    fit = type(estimator)(**estimator.get_params()).fit(data)
    methods = "predict", "predict_proba", "score_samples", "impute", "score", "aic", "bic", "icl"
    said = {method: getattr(fit, method)(data) for method in methods} | fit.parameters_.arrays()
    return fit, said | {"objective": fit.objective_, "errors": fit.uncertainty(data).standard_errors}


def same_fit(estimator, data, X):
    """Fit to both, and hold every method of the two fits against each other."""
    if (key := (repr(estimator), X.tobytes())) not in EXPECTED:
        EXPECTED[key] = answers(estimator, X)[1]
    fit, answered = answers(estimator, data)
    for name, value in EXPECTED[key].items():
        np.testing.assert_array_equal(answered[name], value, err_msg=name)
    return fit


@pytest.mark.parametrize("form", [*FRAMES, *PLAIN])
def test_a_gaussian_mixture_is_fitted_and_used_as_from_nan(form):
    fit = same_fit(GaussianMixtureEM(2, n_init=1, random_state=0), (FRAMES | PLAIN)[form](WHOLE), WHOLE)
    assert getattr(fit, "feature_names_in_", np.array([])).tolist() == (NAMES if form in FRAMES else [])


@pytest.mark.parametrize("form", BOOLEANS)
def test_a_bernoulli_mixture_is_fitted_and_used_as_from_nan(form):
    same_fit(BernoulliMixtureEM(2, prior=BMMPrior(), n_init=1, random_state=0), BOOLEANS[form](BITS), BITS)


@pytest.mark.parametrize("form", ["Int64", "polars integers", "lists with None"])
def test_trials_and_weights_may_lie_in_a_frame_too(form):
    X, make = WHOLE[4:], FRAMES.get(form) or PLAIN[form]
    trials, weights = np.full(X.shape, 12.0) + np.arange(3), 1.0 + np.arange(len(X)) % 2
    settings = {"n_components": 2, "n_init": 1, "random_state": 0}
    expected = BinomialMixtureEM(n_trials=trials, **settings).fit(X, sample_weight=weights)
    fit = BinomialMixtureEM(n_trials=make(trials), **settings)
    fit.fit(make(X), sample_weight=pd.Series(weights, dtype="Int64"))
    assert fit.objective_ == expected.objective_
    np.testing.assert_array_equal(fit.predict(make(X)), expected.predict(X))


@pytest.mark.parametrize("form", FRAMES)
def test_priors_are_scaled_to_a_frame_as_to_its_numbers(form):
    data = FRAMES[form](WHOLE)
    for kind in (GMMPrior, GMMIndependentPrior):
        prior, expected = kind.weakly_informative(data, 2), kind.weakly_informative(WHOLE, 2)
        np.testing.assert_array_equal(prior.mean, expected.mean)
        np.testing.assert_array_equal(prior.scale, expected.scale)
        assert prior.covariance_type == expected.covariance_type


@pytest.mark.parametrize("form", ["Int64", "polars integers", "arrow table", "lists with None"])
def test_gaussian_models_observe_a_frame_as_its_numbers(form):
    data, prior = (FRAMES | PLAIN)[form](WHOLE), GMMPrior.weakly_informative(WHOLE, 2)
    model, expected = (model_gmm.build_marginal_model(values, 2, prior) for values in (data, WHOLE))
    np.testing.assert_array_equal(observed(model), observed(expected))


@pytest.mark.parametrize("form", BOOLEANS)
def test_bernoulli_models_observe_a_frame_as_its_numbers(form):
    for build in (model_bmm.build_model, model_bmm.build_marginal_model):
        model, expected = (build(values, 2, BMMPrior()) for values in (BOOLEANS[form](BITS), BITS))
        np.testing.assert_array_equal(observed(model), observed(expected))


def observed(model):
    return model.rvs_to_values[model["x"]].data


@pytest.mark.parametrize("form", BOOLEANS)
def test_gibbs_and_comparisons_take_a_frame_as_its_numbers(form):
    data = BOOLEANS[form](BITS)
    draws, expected = (gibbs(X, 2, BMMPrior(), draws=3, tune=3, chains=1, random_state=0) for X in (data, BITS))
    np.testing.assert_array_equal(draws["probs"], expected["probs"])
    comparison = prepare(data, "bmm", 2)
    np.testing.assert_array_equal(comparison.X, BITS)
    named = form not in ("lists", "masked")
    assert comparison.feature_names == (tuple(NAMES) if named else ("feature 0", "feature 1", "feature 2"))


@pytest.mark.parametrize("form", FRAMES)
def test_where_no_cell_may_be_missing_the_first_that_is_one_is_named(form):
    with pytest.raises(ValueError, match=r"X must be finite, got NaN \(missing\) at X\[0, 'b'\]: drop the rows"):
        KMeans(2).fit(FRAMES[form](WHOLE))


@pytest.mark.parametrize(
    "weights",
    [[1, None, 2], [1, pd.NA, 2], pd.array([1, None, 2], dtype="Int64"), pl.Series([1, None, 2])],
    ids=["None", "NA", "pandas", "polars"],
)
def test_a_missing_weight_or_number_of_trials_is_named(weights):
    X = [[1.0], [0.0], [1.0]]
    with pytest.raises(ValueError, match=r"sample_weight must .*, got NaN \(missing\) at sample_weight\[1\]"):
        GaussianMixtureEM(1).fit(X, sample_weight=weights)
    with pytest.raises(ValueError, match=r"n_trials must .*, got NaN \(missing\) at n_trials\[1\]"):
        BinomialMixtureEM(1, n_trials=weights).fit([X[0] * 3, X[1] * 3])


def test_decimals_are_numbers():
    np.testing.assert_array_equal(real_numbers("X", [[decimal.Decimal("1.5"), None]]), [[1.5, np.nan]])
