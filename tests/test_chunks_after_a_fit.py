"""What a fitted mixture says of Dask's chunks is what it says of the rows in memory; what takes no chunks says so."""

from functools import partial

import dask
import dask.array as da
import dask.bag
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from families import FAILINGS, each_family, each_family_once

from em import (
    CategoricalMixtureEM,
    GaussianMixtureEM,
    KMeans,
    density_threshold,
    is_anomaly,
    likelihood_ratio_test,
    select,
)
from em.plots import plot_silhouettes
from models.gmm import GMMPrior

pytestmark = pytest.mark.usefixtures("dask_in_one_thread")


def clouds(n=120, seed=0):
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.normal(size=(n // 2, 2)), rng.normal([4, 3], 1, size=(n // 2, 2))])


X = clouds()
CHUNKS = da.from_array(X, chunks=(50, -1))
UNKNOWN = da.from_array(np.concatenate([X + 100, X]), chunks=(60, -1))[da.from_array(np.arange(240) >= 120, chunks=60)]
FRAME = pd.DataFrame(X, columns=["a", "b"])
FIT = GaussianMixtureEM(2, random_state=0, n_init=1).fit(X)
NUMBERS = ("aic", "bic", "icl", "score")


@each_family_once
def test_predictions_are_lazy_and_those_of_the_rows_in_memory(family):
    X, start, _ = family.problem(5, 2, 2, 100)
    fit, chunks = family.fit(X, 2, init=start, max_iter=3, quiet=FAILINGS), da.from_array(X, chunks=(60, -1))
    lazy = fit.predict_proba(chunks), fit.score_samples(chunks), fit.predict(chunks)
    assert all(isinstance(one, da.Array) for one in lazy)
    assert [one.shape for one in lazy] == [(100, 2), (100,), (100,)]
    computed, wanted = dask.compute(*lazy), (fit.predict_proba(X), fit.score_samples(X), fit.predict(X))
    for one, of_rows in zip(computed, wanted, strict=True):
        np.testing.assert_allclose(one, of_rows, rtol=1e-12)
    for number in NUMBERS:
        assert getattr(fit, number)(chunks) == pytest.approx(getattr(fit, number)(X), rel=1e-12)


def test_chunks_are_read_as_often_as_the_page_on_large_data_says():
    numbers, weights = [], np.ones(len(X))

    def read(rows, block_id=None):
        numbers.append(block_id)
        return rows

    chunks = CHUNKS.map_blocks(read, dtype=float, meta=np.empty((0, 2)))
    posterior = GaussianMixtureEM(2, prior=GMMPrior.weakly_informative(X, 2)).fit(X)
    asked = {
        1: [FIT.summary, FIT.bic, FIT.score],
        2: [FIT.uncertainty, posterior.laplace, partial(FIT.summary, sample_weight=weights)],
        3: [partial(FIT.summary, uncertainty=True)],
        4: [FIT.assignments, partial(is_anomaly, FIT)],
    }
    for n_passes, calls in asked.items():
        for call in calls:
            numbers.clear()
            call(chunks)
            assert len(numbers) == n_passes * chunks.npartitions, call


@each_family_once
def test_lines_pages_and_filled_rows_are_those_of_the_rows_in_memory(family):
    X, start, _ = family.problem(5, 2, 2, 100)
    X = np.array(X, dtype=float)
    X[::9, 0], weights = np.nan, np.random.RandomState(1).randint(0, 4, size=100).astype(float)
    weights[:50] = 0  # a chunk of which no row counts, but is there
    fit, chunks = family.fit(X, 2, init=start, max_iter=3, quiet=FAILINGS), da.from_array(X, chunks=(50, -1))
    lines, wanted = (fit.assignments(rows, sample_weight=weights) for rows in (chunks, X))
    assert isinstance(lines, dd.DataFrame)
    lines, anomaly = lines.compute(), wanted.pop("anomaly")
    threshold = density_threshold(fit, X, sample_weight=weights)
    apart = np.abs(wanted["log_density"] - threshold) > 1e-9  # where no rounding decides
    np.testing.assert_array_equal(lines.pop("anomaly")[apart], anomaly[apart])
    pd.testing.assert_frame_equal(lines, wanted, rtol=1e-10)
    filled = fit.impute(chunks)
    assert isinstance(filled, da.Array)
    assert filled.shape == X.shape
    np.testing.assert_allclose(filled.compute(), fit.impute(X), rtol=1e-10)
    for given in (None, weights):
        assert_same_page(*(fit.summary(rows, sample_weight=given, uncertainty=True) for rows in (chunks, X)))


def assert_same_page(page, wanted):
    """Hold two pages to each other, whose numbers differ by the rounding of sums in another order."""
    assert (page.model, page.samples, page.status, page.starts) == (
        wanted.model,
        wanted.samples,
        wanted.status,
        wanted.starts,
    )
    assert page.fit == pytest.approx(wanted.fit, rel=1e-10)
    for name in ("components", "parameters"):
        pd.testing.assert_frame_equal(page.to_frame(name), wanted.to_frame(name), rtol=1e-7)


def test_a_frame_of_five_partitions_keeps_its_index_and_its_columns():
    days = pd.date_range("2020", periods=120, name="day")
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "n": np.arange(120) % 7}, index=days)
    frame.iloc[::7, 0], frame["m"] = np.nan, pd.array(np.arange(120) % 5, dtype="Int64")
    frame.iloc[3, 3], frame["f"] = pd.NA, (np.arange(120) % 3).astype("float32")
    chunks = dd.from_pandas(frame, npartitions=5)
    fit = GaussianMixtureEM(2, random_state=0, n_init=1, covariance_type="tied", tol=1e-3).fit(frame)
    lines, filled = fit.assignments(chunks), fit.impute(chunks)
    for lazy, wanted in ((lines, fit.assignments(frame)), (filled, fit.impute(frame))):
        assert lazy.divisions == chunks.divisions
        computed = lazy.compute()
        assert (lazy.dtypes == computed.dtypes).all()
        pd.testing.assert_frame_equal(computed, wanted, rtol=1e-10, check_dtype=False)
    assert lines.head(3).index.equals(days[:3])
    assert filled.dtypes.astype(str).tolist() == ["float64", "float64", "int64", "float64", "float64"]
    assert fit.predict(filled).compute().shape == (120,)


def test_an_array_whose_rows_nobody_counted_has_lines_that_are_numbered():
    lines = FIT.assignments(UNKNOWN, threshold=-5.0).compute()
    pd.testing.assert_frame_equal(lines, FIT.assignments(X, threshold=-5.0))
    assert FIT.impute(UNKNOWN).compute().tolist() == X.tolist()


def test_labels_of_levels_are_filled_in_and_keep_their_types():
    frame = pd.DataFrame({"a": ["u", "v", None, "u"] * 15, "b": pd.Categorical(["x", "y", "x", None] * 15, ["y", "x"])})
    fit = CategoricalMixtureEM(1).fit(frame)
    chunks = dd.from_pandas(frame, npartitions=4)
    filled, wanted = fit.impute(chunks), fit.impute(frame)
    assert (filled.dtypes == chunks.dtypes).all()
    pd.testing.assert_frame_equal(filled.compute(), wanted, check_dtype=False)
    words = np.array(frame.astype(object))
    fit = CategoricalMixtureEM(1).fit(words)
    assert fit.impute(da.from_array(words, chunks=(25, 1))).compute().tolist() == wanted.to_numpy().tolist()


def test_nothing_is_read_before_it_is_wanted_and_a_page_reads_each_chunk_once():
    read = []

    def look(rows):
        read.append(len(rows))
        return rows

    chunks = CHUNKS.map_blocks(look, meta=np.empty((0, 2)))
    lines, _ = FIT.assignments(chunks, threshold=-5.0), FIT.impute(chunks)
    assert read == []
    lines.head(2)
    assert read == [50]
    read.clear()
    FIT.summary(chunks)
    assert sorted(read) == [20, 50, 50]


@each_family
def test_standard_errors_are_those_of_the_rows_in_memory(family):
    X, start, _ = family.problem(5, 2, 2, 150)
    X[::9, 0] = np.nan
    weights = np.random.RandomState(1).randint(0, 4, size=150)
    fit = family.fit(X, 2, sample_weight=weights, init=start, max_iter=100, quiet=FAILINGS)
    whole = fit.uncertainty(X, sample_weight=weights)
    parts = fit.uncertainty(da.from_array(X, chunks=(80, -1)), sample_weight=weights)
    np.testing.assert_allclose(parts.standard_errors, whole.standard_errors, rtol=1e-8)
    assert parts.status == whole.status


def test_chunks_of_no_row_or_no_weight_add_nothing():
    assert FIT.predict_proba(UNKNOWN).compute().shape == (120, 2)
    np.testing.assert_array_equal(FIT.predict(UNKNOWN).compute(), FIT.predict(X))
    weights = np.repeat([0.0, 1.0], [50, 70])
    for number in NUMBERS:
        assert getattr(FIT, number)(UNKNOWN) == pytest.approx(getattr(FIT, number)(X), rel=1e-12)
        wanted = getattr(FIT, number)(X[50:])
        assert getattr(FIT, number)(CHUNKS, sample_weight=weights) == pytest.approx(wanted, rel=1e-12)
    with pytest.raises(ValueError, match="X must have a row with a positive weight"):
        FIT.score(CHUNKS, sample_weight=np.zeros(120))


def test_what_is_computed_later_is_of_the_fit_that_was_asked():
    seed = np.random.RandomState(0)
    one, other = (GaussianMixtureEM(2, random_state=seed, n_init=1) for _ in range(2))  # of the same settings
    lazy = [one.fit(X, keep_path=True).score_samples(CHUNKS), other.fit(X + 1).score_samples(CHUNKS)]
    wanted = one.score_samples(X), other.score_samples(X)
    one.fit(X * 2)
    np.testing.assert_allclose(dask.compute(*lazy), wanted, rtol=1e-12)


def test_names_of_features_are_those_of_the_fit():
    frame = dd.from_pandas(FRAME, npartitions=3)
    fit = GaussianMixtureEM(2, random_state=0, n_init=1).fit(frame)
    assert fit.feature_names_in_.tolist() == ["a", "b"]
    assert fit.score(frame) == pytest.approx(fit.score(FRAME), rel=1e-12)
    pages = "assignments", "impute", "summary"
    for method in (*NUMBERS, *pages, "predict", "predict_proba", "score_samples", "uncertainty"):
        with pytest.raises(ValueError, match="feature names should match"):
            getattr(fit, method)(frame[["b", "a"]])
    assert not hasattr(fit.fit(CHUNKS), "feature_names_in_")
    numbered = dd.from_pandas(pd.DataFrame(X), npartitions=3)
    assert not hasattr(fit.fit(numbered), "feature_names_in_")
    twice = dd.from_pandas(pd.DataFrame(X, columns=["a", "a"]), npartitions=3)
    with pytest.raises(ValueError, match="X must have a different name for each column"):
        fit.fit(twice)


def test_what_cannot_be_predicted_is_refused_before_anything_is_computed():
    with pytest.raises(ValueError, match="X has 3 features, but GaussianMixtureEM is expecting 2"):
        FIT.predict(da.ones((4, 3)))
    with pytest.raises(ValueError, match="not fitted yet"):
        GaussianMixtureEM(2).predict(CHUNKS)
    for method in (*NUMBERS, "predict", "impute", "assignments", "summary", "uncertainty"):
        with pytest.raises(ValueError, match=r"X must be two-dimensional \(samples, features\), got 1 dimension"):
            getattr(FIT, method)(CHUNKS[:, 0])
    for call in (FIT.assignments, partial(is_anomaly, FIT)):
        with pytest.raises(ValueError, match="threshold must be a log density in nats or None, got 'low'"):
            call(CHUNKS, threshold="low")
        with pytest.raises(
            ValueError, match=r"sample_weight must have shape \(120,\), one for each row of X, got \(3,"
        ):
            call(CHUNKS, threshold=-5.0, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="X must have a row with an observed cell and a positive weight"):
        FIT.summary(CHUNKS * np.nan)


@pytest.mark.parametrize("last", [False, True], ids=["all", "the last alone"])
def test_a_bad_cell_is_named_by_chunk_and_row_when_it_is_computed(last):
    rows = X.copy()
    rows[112, 1] = np.inf
    array, frame = da.from_array(rows, chunks=(50, -1)), dd.from_pandas(pd.DataFrame(rows), npartitions=4)
    for rows, message in ((array, r"chunk 2: .* at X\[12, 1\]"), (frame, r"chunk 3: .* at X\[22, 1\]")):
        for lazy in (FIT.predict(rows), FIT.assignments(rows, threshold=-5.0), FIT.impute(rows)):
            part = lazy.partitions[lazy.npartitions - 1] if hasattr(lazy, "partitions") else lazy.blocks[-1]
            with pytest.raises(ValueError, match=message):
                (part if last else lazy).compute()


def test_anomalies_of_chunks_are_lazy():
    threshold = density_threshold(FIT, X)
    lazy = is_anomaly(FIT, CHUNKS, threshold)
    np.testing.assert_array_equal(lazy.compute(), is_anomaly(FIT, X))


def test_components_are_selected_by_chunks():
    settings = {"n_components": [1, 2], "progress": False}
    parts, whole = (select(rows, GaussianMixtureEM(n_init=1, random_state=0), **settings) for rows in (CHUNKS, X))
    assert parts.best.settings == whole.best.settings
    assert parts.best.bic == pytest.approx(whole.best.bic, rel=1e-9)


@pytest.mark.parametrize(
    "call",
    [
        lambda: likelihood_ratio_test(CHUNKS, FIT, 1, n_bootstrap=1),
        lambda: plot_silhouettes(KMeans(2, random_state=0).fit(X), CHUNKS),
        lambda: GMMPrior.weakly_informative(CHUNKS, 2),
    ],
)
def test_what_needs_all_rows_at_once_computes_no_chunks_and_says_so(call):
    with pytest.raises(TypeError, match=r"X must be in memory here, got a Dask Array: pass X\.compute\(\)") as raised:
        call()
    assert str(raised.value).endswith("or a random part, em.sample_rows(X, 20_000)")


def test_bags_are_not_taken():
    for foreign in (dask.delayed(X), dask.bag.from_sequence([[1.0, 2.0]])):
        with pytest.raises(TypeError, match=r"X must be in memory here, got a Dask (Delayed|Bag)"):
            GaussianMixtureEM(2).fit(foreign)
