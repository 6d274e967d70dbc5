"""A fit of Dask's chunks is the fit of the same rows in memory, whatever the chunks, and each family has it."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from families import FAILINGS, each_family, largest_relative_gap

import em.chunked.samples
from em import BernoulliMixtureEM, BinomialMixtureEM, CategoricalMixtureEM, GaussianMixtureEM
from em.chunked.chunks import Chunks
from em.chunked.summary import summary_of
from em.samples import Samples

FEW = 30  # rows of a sketch here


@pytest.fixture(autouse=True)
def chunks_that_matter(monkeypatch):
    """Take chunks as chunks although all would fit; Dask adds in this thread."""
    monkeypatch.setattr(em.chunked.samples, "MOST_SKETCHED", FEW)
    with dask.config.set(scheduler="synchronous"):
        yield


def holed(X, share, seed=0):
    X = np.array(X, dtype=float)
    X[np.random.RandomState(seed).random(X.shape) < share] = np.nan
    return X


@each_family
@pytest.mark.parametrize("share", [0.0, 0.2], ids=["complete", "missing"])
def test_from_the_same_start_the_fit_is_that_of_the_rows_in_memory(family, share):
    X, start, _ = family.problem(5, 2, 2, 200)
    X, weights = holed(X, share), np.random.RandomState(1).randint(0, 4, size=len(X))
    settings = {"init": start, "tol": 1e-11, "quiet": FAILINGS}
    whole = family.fit(X, 2, sample_weight=weights, **settings)
    parts = family.fit(da.from_array(X, chunks=(67, 1)), 2, sample_weight=weights, **settings)
    assert parts.n_features_in_ == 2
    assert parts.log_likelihood_ == pytest.approx(whole.log_likelihood_, abs=1e-6)  # of MAP it has a slope there
    assert parts.objective_ == pytest.approx(whole.objective_, abs=1e-9)
    assert largest_relative_gap(parts.parameters_.arrays(), whole.parameters_.arrays()) < 1e-5
    assert parts.identifiability_.identified == whole.identifiability_.identified
    if whole.n_e_steps_ == parts.n_e_steps_ and not whole.collapsed_:
        assert largest_relative_gap(parts.parameters_.arrays(), whole.parameters_.arrays()) < 1e-7


@each_family
def test_one_e_step_is_the_sum_of_those_of_the_chunks(family):
    X, start, _ = family.problem(5, 2, 3, 200)
    settings = {"init": start, "max_iter": 1, "quiet": FAILINGS, "acceleration": None}
    for data in (X, holed(X, 0.2)):
        whole, parts = (family.fit(rows, 2, **settings) for rows in (data, da.from_array(data, chunks=(23, -1))))
        assert parts.history_[0] == pytest.approx(whole.history_[0], rel=1e-12)
        assert largest_relative_gap(parts.parameters_.arrays(), whole.parameters_.arrays()) < 1e-10


@each_family
def test_predictions_are_lazy_and_those_of_the_rows_in_memory(family):
    X, start, _ = family.problem(5, 2, 2, 100)
    fit, chunks = family.fit(X, 2, init=start, max_iter=3, quiet=FAILINGS), da.from_array(X, chunks=(33, -1))
    lazy = fit.predict_proba(chunks), fit.score_samples(chunks), fit.predict(chunks)
    assert all(isinstance(one, da.Array) for one in lazy)
    assert [one.shape for one in lazy] == [(100, 2), (100,), (100,)]
    for one, wanted in zip(lazy, (fit.predict_proba(X), fit.score_samples(X), fit.predict(X)), strict=True):
        np.testing.assert_allclose(one.compute(), wanted, rtol=1e-12)
    for criterion in ("aic", "bic", "icl", "score"):
        assert getattr(fit, criterion)(chunks) == pytest.approx(getattr(fit, criterion)(X), rel=1e-12)


@each_family
def test_standard_errors_are_those_of_the_rows_in_memory(family):
    X, start, _ = family.problem(5, 2, 2, 200)
    X, weights = holed(X, 0.1), np.random.RandomState(1).randint(0, 4, size=200)
    fit = family.fit(X, 2, sample_weight=weights, init=start, quiet=FAILINGS)
    whole = fit.uncertainty(X, sample_weight=weights)
    parts = fit.uncertainty(da.from_array(X, chunks=(90, -1)), sample_weight=weights)
    np.testing.assert_allclose(parts.standard_errors, whole.standard_errors, rtol=1e-8)
    assert parts.status == whole.status


def clouds(n=600, seed=0):
    rng = np.random.RandomState(seed)
    return np.concatenate([rng.normal(size=(n // 3, 2)), rng.normal([4, 3], 1, size=(n - n // 3, 2))])[
        rng.permutation(n)
    ]


def test_starts_depend_neither_on_the_order_of_the_rows_nor_on_the_chunks():
    X = clouds()
    first = GaussianMixtureEM(2, random_state=0, n_init=3).fit(da.from_array(X, chunks=(100, -1)))
    other = GaussianMixtureEM(2, random_state=0, n_init=3).fit(da.from_array(X[::-1].copy(), chunks=(77, -1)))
    assert first.converged_
    assert first.log_likelihood_ == pytest.approx(GaussianMixtureEM(2, random_state=0).fit(X).log_likelihood_, abs=1e-6)
    np.testing.assert_allclose(first.means_, other.means_, rtol=1e-7)


def test_the_same_chunks_give_the_same_bits_whoever_adds_them():
    X = da.from_array(clouds(), chunks=(61, -1))
    one = GaussianMixtureEM(2, random_state=0, n_init=1).fit(X)
    with dask.config.set(scheduler="threads", num_workers=3):
        three = GaussianMixtureEM(2, random_state=0, n_init=1).fit(X)
    assert one.means_.tolist() == three.means_.tolist()
    assert one.log_likelihood_ == three.log_likelihood_


def test_frozen_values_and_means_as_starts_are_taken():
    X, means = clouds(), np.array([[0.0, 0.0], [4.0, 3.0]])
    chunks = da.from_array(X, chunks=(100, -1))
    held = GaussianMixtureEM(2, frozen={"means": means}, random_state=0).fit(chunks)
    np.testing.assert_array_equal(held.means_, means)
    wanted = GaussianMixtureEM(2, frozen={"means": means}, random_state=0).fit(X).covariances_
    np.testing.assert_allclose(held.covariances_, wanted, rtol=1e-4)
    np.testing.assert_allclose(GaussianMixtureEM(2, init=means).fit(chunks).means_, means, atol=0.3)


def test_a_frame_keeps_its_names_and_a_chunk_may_be_empty():
    frame = dd.from_pandas(pd.DataFrame(clouds(), columns=["a", "b"]), npartitions=4)
    few = frame[frame["a"] > frame["a"].max().compute() - 1e-9]  # one row in one partition
    fit = GaussianMixtureEM(2, random_state=0, n_init=1).fit(frame)
    assert fit.feature_names_in_.tolist() == ["a", "b"]
    assert fit.predict(few).compute().shape == (1,)
    both = dd.concat([frame, few])
    assert GaussianMixtureEM(2, init=fit.parameters_).fit(both).summary  # fitted


def test_few_distinct_rows_are_fitted_in_memory_with_their_weights(monkeypatch):
    X = (np.random.RandomState(0).random((400, 3)) < 0.4).astype(float)
    whole = BernoulliMixtureEM(2, random_state=0, n_init=2, max_iter=20)
    with pytest.warns(tuple(FAILINGS)):
        parts = BernoulliMixtureEM(2, random_state=0, n_init=2, max_iter=20).fit(da.from_array(X, chunks=(90, -1)))
    with pytest.warns(tuple(FAILINGS)):
        whole.fit(X)
    np.testing.assert_allclose(parts.probs_, whole.probs_, rtol=1e-8)


def test_labels_of_levels_are_found_over_all_chunks():
    words = np.array([["a", "x"], ["b", "x"], ["b", "y"], ["c", "y"]] * 30, dtype=object)
    with pytest.warns(tuple(FAILINGS)):
        fit = CategoricalMixtureEM(2, random_state=0, n_init=1).fit(da.from_array(words, chunks=(1, 2)))
    assert fit.levels_ == (("a", "b", "c"), ("x", "y"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({(250, 1): np.inf}, r"chunk 2: X must be finite, or NaN where a cell is missing, got infinity at X\[50, 1\]"),
        ({(slice(None), 1): np.nan}, "X must have an observed cell in every column"),
    ],
)
def test_bad_rows_are_named_by_chunk_and_row(change, message):
    X = clouds()
    for place, value in change.items():
        X[place] = value
    with pytest.raises(ValueError, match=message):
        GaussianMixtureEM(2).fit(da.from_array(X, chunks=(100, -1)))


def test_what_cannot_be_cut_into_chunks_is_refused():
    X = da.from_array((clouds() > 0).astype(float), chunks=(100, -1))
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(600,\)"):
        BernoulliMixtureEM(2).fit(X, sample_weight=np.ones(5))
    with pytest.raises(ValueError, match="rechunk it like X"):
        BernoulliMixtureEM(2).fit(X, sample_weight=da.ones(600, chunks=50))
    counts = da.from_array(np.arange(1200.0).reshape(600, 2), chunks=(100, -1))
    with pytest.raises(ValueError, match="n_trials must be a number or one for each column"):
        BinomialMixtureEM(2, n_trials=np.full((600, 2), 1200)).fit(counts)


def test_the_summary_of_parts_is_that_of_the_whole():
    X = holed(clouds() * [1.0, 1e-3] + [1e6, 5.0], 0.1)
    weights = np.random.RandomState(2).randint(1, 4, size=len(X)).astype(float)
    seen = ~np.isnan(X).all(axis=1)
    X, weights = X[seen], weights[seen]
    parts = [
        summary_of(Samples(X[at], weights[at], np.arange(len(X[at])), len(X[at])), FEW)
        for at in np.array_split(np.arange(len(X)), 7)
    ]
    total = sum(parts[1:], parts[0])
    whole = Samples(X, weights, np.arange(len(X)), len(X))
    np.testing.assert_allclose(total.mean, whole.mean, rtol=1e-14)
    np.testing.assert_allclose(np.sqrt(total.moment / total.n_observed), whole.deviation, rtol=1e-10)
    assert total.total == whole.total
    np.testing.assert_array_equal(total.patterns, whole.patterns)
    np.testing.assert_array_equal(total.sketch.rows, summary_of(whole, FEW).sketch.rows)


def test_sums_are_a_tree_over_any_number_of_chunks():
    for n in (1, 8, 9, 70):
        chunks = Chunks.of(da.ones((n, 1), chunks=1), None)
        assert chunks.sum(number_of_chunk) == n * (n - 1) // 2


def number_of_chunk(rows, weights, number):
    return number
