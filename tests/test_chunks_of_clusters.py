"""K-means of Dask's chunks is K-means of the rows in memory, whatever the chunks and the order of the rows."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

import em
from em import FewerClustersWarning, KMeans, NotConvergedWarning
from em.kmeans.chunks import Farthest

pytestmark = pytest.mark.usefixtures("chunks_that_matter")


def clouds(n=900, seed=0):
    rng = np.random.RandomState(seed)
    rows = rng.normal(size=(n, 2)) + np.repeat([[0.0, 0.0], [4.0, 1.0], [1.0, 5.0]], n // 3, axis=0)
    return rows[rng.permutation(n)] + 100


X = clouds()
CHUNKS = da.from_array(X, chunks=(400, 1))
START = X[:5]
WEIGHTS = np.random.RandomState(1).randint(0, 4, size=900).astype(float)
WEIGHTS[400:800] = 0  # a chunk of which no row counts


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["rows", "weights"])
@pytest.mark.parametrize("tol", [0.0, 1e-2])
def test_from_the_same_start_the_centres_are_those_of_the_rows_in_memory(weights, tol):
    whole, parts = (KMeans(5, init=START, tol=tol).fit(rows, sample_weight=weights) for rows in (X, CHUNKS))
    np.testing.assert_allclose(parts.cluster_centers_, whole.cluster_centers_, rtol=1e-10)
    np.testing.assert_allclose(parts.history_, whole.history_, rtol=1e-10)
    assert (parts.n_iter_, parts.converged_, parts.status_) == (whole.n_iter_, True, whole.status_)
    assert parts.inertia_ == pytest.approx(whole.inertia_, rel=1e-12)
    assert isinstance(parts.labels_, da.Array)
    np.testing.assert_array_equal(parts.labels_.compute(), whole.labels_)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["rows", "weights"])
def test_a_cluster_without_a_row_restarts_at_the_farthest_row_of_all_chunks(weights):
    start = np.concatenate([START[:2], [[1e3, 1e3], [2e3, 0.0]]])  # two that are the nearest of no row
    whole, parts = (KMeans(4, init=start).fit(rows, sample_weight=weights) for rows in (X, CHUNKS))
    np.testing.assert_allclose(parts.cluster_centers_, whole.cluster_centers_, rtol=1e-10)
    assert parts.n_iter_ == whole.n_iter_


def test_of_rows_that_are_as_far_the_first_by_value_is_the_farthest_in_any_order():
    rows = np.array([[2.0, 1.0], [0.0, 5.0], [0.0, 3.0], [9.0, 9.0]])
    distances = np.array([4.0, 4.0, 4.0, 1.0])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2]):
        first, last = (Farthest.of(rows[half], distances[half]) for half in (order[:2], order[2:]))
        assert (first + last).row.tolist() == [0.0, 3.0]


@pytest.mark.parametrize("chunks", [400, 77])
def test_the_fit_depends_neither_on_the_order_of_the_rows_nor_on_the_chunks(chunks):
    one = KMeans(3, random_state=0).fit(CHUNKS)
    other = KMeans(3, random_state=0).fit(da.from_array(X[::-1].copy(), chunks=(chunks, -1)))
    np.testing.assert_allclose(other.cluster_centers_, one.cluster_centers_, rtol=1e-12)
    assert one.inertia_ == pytest.approx(
        KMeans(3, random_state=0).fit(X).inertia_, rel=1e-2
    )  # one optimum, or one beside it
    assert "best of 10 restarts" in one.status_


def test_the_same_chunks_give_the_same_bits_whoever_adds_them():
    one = KMeans(4, random_state=0).fit(CHUNKS)
    with dask.config.set(scheduler="threads", num_workers=3):
        three = KMeans(4, random_state=0).fit(CHUNKS)
    assert three.cluster_centers_.tolist() == one.cluster_centers_.tolist()
    assert three.history_.tolist() == one.history_.tolist()


def test_what_the_fit_says_of_chunks_is_lazy_and_what_it_says_of_the_rows():
    fit = KMeans(3, random_state=0).fit(CHUNKS)
    lazy = fit.predict(CHUNKS), fit.transform(CHUNKS), fit.fit_predict(CHUNKS), fit.fit_transform(CHUNKS)
    assert [(type(one), one.shape) for one in lazy] == [(da.Array, (900,)), (da.Array, (900, 3))] * 2
    wanted = (fit.predict(X), fit.transform(X)) * 2
    for one, of_rows in zip(dask.compute(*lazy), wanted, strict=True):
        np.testing.assert_allclose(one, of_rows, rtol=1e-12)
    pd.testing.assert_frame_equal(fit.assignments(CHUNKS).compute(), fit.assignments(X))
    for weights in (None, WEIGHTS):
        page, of_rows = (fit.summary(rows, sample_weight=weights) for rows in (CHUNKS, X))
        assert page.samples == of_rows.samples
        assert page.fit == pytest.approx(of_rows.fit, rel=1e-12)
        np.testing.assert_allclose(page.to_frame("components"), of_rows.to_frame("components"), rtol=1e-12)
        assert fit.score(CHUNKS, sample_weight=weights) == pytest.approx(fit.score(X, sample_weight=weights))


def test_labels_stay_those_of_the_fit_that_was_made_and_are_in_no_file(tmp_path):
    fit = KMeans(3, random_state=0).fit(CHUNKS)
    labels, wanted = fit.labels_, fit.predict(X)
    assert not hasattr(fit._for_chunks(CHUNKS), "labels_")  # which would send their graph to the workers
    em.save(fit, tmp_path / "clusters.json")
    loaded = em.load(tmp_path / "clusters.json")
    assert loaded.labels_ is None
    np.testing.assert_array_equal(loaded.predict(CHUNKS).compute(), wanted)
    fit.fit(CHUNKS * -1)
    np.testing.assert_array_equal(labels.compute(), wanted)


def test_names_of_a_frame_are_kept_and_weights_may_be_one_of_its_columns():
    frame = pd.DataFrame(X, columns=["height", "width"]).assign(times=WEIGHTS)
    parts, features = dd.from_pandas(frame, npartitions=4), ["height", "width"]
    fit = KMeans(5, init=START).fit(parts[features], sample_weight=parts["times"])
    assert fit.feature_names_in_.tolist() == features
    wanted = KMeans(5, init=START).fit(X, sample_weight=WEIGHTS)
    np.testing.assert_allclose(fit.cluster_centers_, wanted.cluster_centers_, rtol=1e-10)
    assert "2 features: height, width" in repr(fit.summary(parts[features]))
    with pytest.raises(ValueError, match="feature names should match"):
        fit.predict(parts[["width", "height"]])


def test_few_distinct_rows_are_clustered_in_memory_with_their_weights():
    rows = np.random.RandomState(0).randint(0, 3, size=(400, 2)).astype(float)
    whole, parts = (KMeans(3, random_state=0).fit(x) for x in (rows, da.from_array(rows, chunks=(90, -1))))
    np.testing.assert_array_equal(parts.cluster_centers_, whole.cluster_centers_)
    with pytest.warns(FewerClustersWarning, match=r"found 9 distinct clusters"):
        KMeans(12, random_state=0).fit(da.from_array(rows, chunks=(90, -1)))


def test_a_run_that_is_stopped_ends_where_it_does_in_memory():
    with pytest.warns(NotConvergedWarning, match="stopped at max_iter=2"):
        whole = KMeans(5, init=START, max_iter=2).fit(X)
    with pytest.warns(NotConvergedWarning, match="stopped at max_iter=2"):
        parts = KMeans(5, init=START, max_iter=2).fit(CHUNKS)
    np.testing.assert_allclose(parts.cluster_centers_, whole.cluster_centers_, rtol=1e-10)
    np.testing.assert_allclose(parts.history_, whole.history_, rtol=1e-10)


def spoilt(value):
    rows = X.copy()
    rows[850, 1] = value
    return da.from_array(rows, chunks=(400, -1))


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (spoilt(np.nan), {}, r"chunk 2: X must be finite, got NaN \(missing\) at X\[50, 1\]"),
        (spoilt(np.inf), {}, r"chunk 2: X must be finite, got infinity at X\[50, 1\]"),
        (CHUNKS, {"n_clusters": 901}, "n_clusters must be at most the number of samples 900, got 901"),
        (CHUNKS, {"init": np.zeros((2, 3))}, r"init must have shape \(2, 2\)"),
        (CHUNKS * 1e200, {}, "X must have standard deviations between"),
        (CHUNKS[:, 0], {}, "X must be two-dimensional"),
    ],
    ids=["missing", "infinity", "clusters", "start", "scale", "one-dimensional"],
)
def test_bad_input_is_refused_by_chunk_and_row(rows, settings, message):
    with np.errstate(over="ignore"), pytest.raises(ValueError, match=message):
        KMeans(**{"n_clusters": 2} | settings).fit(rows)
