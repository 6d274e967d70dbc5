"""What a frame is asked about comes back as a frame of its library, with its index; an array stays an array."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from families import each_family_once

from em import CategoricalMixtureEM, GaussianMixtureEM, KMeans
from em.status import left_to_the_status

NAMES = ["eruptions", "waiting"]


def fitted(family, n=50):
    """Return fits to a pandas frame and to an array, and X with missing cells in its first column only."""
    X = family.problem(3, 2, 2, n)[0].astype(float)
    with left_to_the_status():
        fits = [family.fit(data, 2, n_init=2, random_state=0) for data in (pd.DataFrame(X, columns=NAMES), X)]
    holed = X.copy()
    holed[::7, 0] = np.nan
    return *fits, holed


@each_family_once
def test_a_pandas_frame_comes_back_with_its_index(family):
    named, unnamed, X = fitted(family)
    frame = pd.DataFrame(X, columns=NAMES, index=[f"row {i}" for i in range(len(X))])
    before, probabilities, filled = frame.copy(), named.predict_proba(frame), named.impute(frame)
    assert probabilities.columns.tolist() == ["component_0", "component_1"]
    np.testing.assert_array_equal(probabilities, unnamed.predict_proba(X))
    np.testing.assert_array_equal(filled.to_numpy().astype(float), unnamed.impute(X).astype(float))
    for found in (probabilities, filled):
        pd.testing.assert_index_equal(found.index, frame.index)
    assert filled.columns.tolist() == NAMES
    pd.testing.assert_frame_equal(frame, before)
    np.testing.assert_array_equal(named.predict(frame), unnamed.predict(X))


@each_family_once
def test_a_polars_frame_comes_back_as_one(family):
    named, unnamed, X = fitted(family)
    frame = pl.DataFrame(X, schema=NAMES)
    probabilities, filled = named.predict_proba(frame), named.impute(frame)
    assert isinstance(probabilities, pl.DataFrame)
    assert filled.columns == NAMES
    np.testing.assert_array_equal(probabilities.to_numpy(), unnamed.predict_proba(X))
    np.testing.assert_array_equal(filled.to_numpy().astype(float), unnamed.impute(X).astype(float))


@each_family_once
def test_an_array_and_a_list_stay_arrays(family):
    _, unnamed, X = fitted(family)
    for data in (X, X.tolist()):
        assert type(unnamed.predict_proba(data)) is np.ndarray
        assert type(unnamed.impute(data)) is np.ndarray


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame], ids=["pandas", "polars"])
def test_columns_that_miss_nothing_keep_their_types(frame):
    whole = frame({"a": [1.5, None, 3.5, 2.5], "b": [1, 2, 4, 9]})
    filled = GaussianMixtureEM(1).fit(whole).impute(whole)
    assert "int" in str(filled["b"].dtype).lower()
    assert filled["a"].to_list()[0] == 1.5
    assert not np.isnan(filled["a"].to_numpy()).any()


def test_categories_stay_categories():
    hair = pd.Categorical(["red", "fair", None, "fair"], categories=["fair", "red", "black"])
    frame = pd.DataFrame({"hair": hair, "sex": ["f", "m", "m", "m"]}, index=[7, 7, 8, 9])
    filled = CategoricalMixtureEM(1).fit(frame).impute(frame)
    assert filled["hair"].tolist() == ["red", "fair", "fair", "fair"]
    assert filled.dtypes.tolist() == frame.dtypes.tolist()
    assert filled.index.tolist() == [7, 7, 8, 9]


def test_k_means_follows_set_output():
    frame = pd.DataFrame(np.random.RandomState(0).normal(size=(9, 2)), columns=NAMES, index=range(10, 19))
    fit = KMeans(2, random_state=0).fit(frame)
    assert type(fit.transform(frame)) is np.ndarray
    assert fit.set_output(transform="pandas").transform(frame).index.tolist() == list(range(10, 19))
    assert isinstance(fit.set_output(transform="polars").transform(frame), pl.DataFrame)
