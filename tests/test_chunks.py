"""A fit of Dask's chunks is the fit of the same rows in memory, whatever the chunks, and each family has it."""

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from families import FAILINGS, FAMILIES, each_family, largest_relative_gap

import em.samples.sketch
import em.starts.newton
from em import BernoulliMixtureEM, BinomialMixtureEM, CategoricalMixtureEM, GaussianMixtureEM, PoissonMixtureEM
from em.chunked.chunks import Chunks
from em.chunked.samples import chunked_samples
from em.chunked.summary import summary_of
from em.samples import Samples
from em.samples.distinct import hashes
from em.samples.sketch import LAST, bound_of
from models.gmm import GMMParameters
from models.pmm import PMMParameters

FEW = 30  # rows of a sketch here, as `chunks_that_matter` says


pytestmark = pytest.mark.usefixtures("chunks_that_matter")


def holed(X, share, seed=0):
    X = np.array(X, dtype=float)
    X[np.random.RandomState(seed).random(X.shape) < share] = np.nan
    return X


@each_family
def test_from_the_same_start_the_fit_is_that_of_the_rows_in_memory(family, monkeypatch):
    monkeypatch.setattr(em.samples.sketch, "MOST_SKETCHED", 3)  # so that sums are over chunks where few rows differ
    X, start, _ = family.problem(5, 2, 2, 150)
    X, weights = holed(X, 0.2), np.random.RandomState(1).randint(0, 4, size=150)
    weights[60:120] = 0  # a chunk of which no row counts
    settings = {"init": start, "max_iter": 12, "quiet": FAILINGS}
    whole = family.fit(X, 2, sample_weight=weights, **settings)
    parts = family.fit(da.from_array(X, chunks=(60, 1)), 2, sample_weight=weights, **settings)
    assert parts.n_features_in_ == 2
    assert parts.n_e_steps_ == whole.n_e_steps_
    assert parts.objective_ == pytest.approx(whole.objective_, rel=1e-11)
    assert largest_relative_gap(parts.parameters_.arrays(), whole.parameters_.arrays()) < 1e-10
    assert parts.identifiability_.identified == whole.identifiability_.identified


@each_family
def test_one_e_step_is_the_sum_of_those_of_the_chunks(family, monkeypatch):
    monkeypatch.setattr(em.samples.sketch, "MOST_SKETCHED", 3)
    X, start, _ = family.problem(5, 2, 3, 150)
    settings = {"init": start, "max_iter": 1, "quiet": FAILINGS, "acceleration": None}
    whole, parts = (family.fit(rows, 2, **settings) for rows in (X, da.from_array(X, chunks=(17, -1))))
    assert parts.history_[0] == pytest.approx(whole.history_[0], rel=1e-12)
    assert largest_relative_gap(parts.parameters_.arrays(), whole.parameters_.arrays()) < 1e-10


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
    standard_error = 1 / np.sqrt(200)  # √(2 tol) of which is a gain of tol nats
    np.testing.assert_allclose(first.means_, other.means_, rtol=0, atol=np.sqrt(2 * first.tol) * standard_error)


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


def test_few_distinct_rows_are_fitted_in_memory_with_their_weights():
    X = (np.random.RandomState(0).random((400, 2)) < 0.4).astype(float)
    whole, parts = (BernoulliMixtureEM(5, random_state=0, n_init=2, max_iter=20) for _ in range(2))  # of 4 rows
    with pytest.warns(tuple(FAILINGS)):
        whole.fit(X)
    with pytest.warns(tuple(FAILINGS)):
        parts.fit(da.from_array(X, chunks=(90, -1)))
    np.testing.assert_array_equal(parts.probs_, whole.probs_)


def test_labels_of_levels_are_found_over_all_chunks():
    words = np.array([["a", "x"], ["b", "x"], ["b", "y"], ["c", "y"]] * 30, dtype=object)
    with pytest.warns(tuple(FAILINGS)):
        fit = CategoricalMixtureEM(2, random_state=0, n_init=1).fit(da.from_array(words, chunks=(1, 2)))
    assert fit.levels_ == (("a", "b", "c"), ("x", "y"))


def test_categories_of_a_frame_are_levels_in_their_order():
    frame = pd.DataFrame({"a": pd.Categorical(["x", "y", None] * 20, ["y", "no", "x"]), "b": [1, 2, 2] * 20})
    with pytest.warns(tuple(FAILINGS)):
        fit = CategoricalMixtureEM(2, random_state=0, n_init=1).fit(dd.from_pandas(frame, npartitions=3))
    assert fit.levels_ == (("y", "no", "x"), (1, 2))


def test_rows_that_are_all_missing_take_no_part_also_where_no_other_cell_is():
    X = clouds()
    X[[7, *range(300, 320)]] = np.nan
    parts = GaussianMixtureEM(2, random_state=0, n_init=1).fit(da.from_array(X, chunks=(100, -1)))
    seen = X[~np.isnan(X).any(axis=1)]
    assert parts.log_likelihood_ == pytest.approx(parts.score(seen) * len(seen), rel=1e-12)
    np.testing.assert_allclose(parts.weights_ @ parts.means_, seen.mean(axis=0), rtol=1e-6)


def test_weights_may_be_a_column_of_the_frame():
    frame = pd.DataFrame(clouds(), columns=["a", "b"]).assign(times=np.random.RandomState(0).uniform(0.5, 2, size=600))
    parts, X = dd.from_pandas(frame, npartitions=4), frame[["a", "b"]]
    start = GaussianMixtureEM(2, random_state=0, n_init=1).fit(X).parameters_
    whole = GaussianMixtureEM(2, init=start).fit(X, sample_weight=frame["times"])
    fit = GaussianMixtureEM(2, init=start).fit(parts[["a", "b"]], sample_weight=parts["times"])
    assert fit.log_likelihood_ == pytest.approx(whole.log_likelihood_, rel=1e-12)
    np.testing.assert_allclose(fit.covariances_, whole.covariances_, rtol=1e-6)


def test_a_column_that_hardly_varies_does_so_in_every_start():
    X = np.random.RandomState(0).poisson(20, size=(500, 4)).astype(float)
    X[:, 3] = 1
    shown = hashes(X).argmax()  # by no sketch
    X[:, 3] = np.arange(500) == shown
    samples = chunked_samples(PoissonMixtureEM(2), da.from_array(X, chunks=(100, -1)))
    assert samples.summary.sketch.rows[:, 3].max() == 0
    assert samples.start_rows.X[:, 3].max() == samples.start_rows.some(10, np.random.RandomState(0)).X[:, 3].max() == 1


BAD = clouds()
BAD[250, 1] = np.inf
HOLED = clouds() * [1.0, np.nan]
FLAT = clouds() * [1.0, 0.0]
COUNTS = (clouds() > 0).astype(float)
COUNTS[250, 1] = 2


@pytest.mark.parametrize(
    ("estimator", "X", "message"),
    [
        (GaussianMixtureEM(2), BAD, r"chunk 2: X must be finite, or NaN where .* missing, got infinity at X\[50, 1\]"),
        (GaussianMixtureEM(2), HOLED, "X must have an observed cell in every column"),
        (GaussianMixtureEM(2), FLAT, r"constant column 1: .* What helps here: drop them, or pass prior="),
        (GaussianMixtureEM(2), clouds().ravel(), "X must be two-dimensional"),
        (GaussianMixtureEM(2), clouds()[:1], "X must have at least two rows"),
        (GaussianMixtureEM(2, init=np.arange(600) % 2), clouds(), "init must be one of .* for X in chunks, got"),
        (BernoulliMixtureEM(2), COUNTS, r"chunk 2: X must hold only 0 and 1 .* the first misfit is X\[50, 1\] = 2"),
        (BinomialMixtureEM(2, n_trials=np.full((600, 2), 2)), COUNTS, "n_trials must be a number or one for each col"),
    ],
    ids=["infinity", "unseen column", "constant", "one-dimensional", "one row", "labels", "cell", "matrix of trials"],
)
@pytest.mark.parametrize("most", [FEW, 2**16], ids=["many", "few"])
def test_bad_input_is_refused_the_same_however_many_rows_differ(estimator, X, message, most, monkeypatch):
    monkeypatch.setattr(em.samples.sketch, "MOST_SKETCHED", most)
    with pytest.raises(ValueError, match=message):
        estimator.fit(da.from_array(X, chunks=(100, -1)[: X.ndim]))


@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        (np.ones(5), r"sample_weight must have shape \(600,\)"),
        (da.ones(600, chunks=50), "rechunk it like X"),
        (np.zeros(600), "at least two rows .* have a weight, got 0"),
        (np.eye(600)[0], "at least two rows .* have a weight, got 1"),
        (-np.ones(600), "chunk .: sample_weight must be finite and not negative"),
    ],
    ids=["short", "other chunks", "none", "one", "negative"],
)
def test_weights_that_fit_no_chunks_are_refused(sample_weight, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixtureEM(2).fit(da.from_array(clouds(), chunks=(100, -1)), sample_weight=sample_weight)


@pytest.mark.parametrize("seed", range(5))
def test_a_sketch_has_the_weight_of_each_of_its_rows_in_all_chunks(seed):
    rng = np.random.RandomState(seed)
    X, weights = rng.randint(0, 6, size=(400, 3)).astype(float), rng.randint(1, 4, size=400).astype(float)
    cuts = np.sort(rng.randint(0, 400, size=rng.randint(1, 9)))  # with chunks of no row
    parts = [summary_of(samples_of(X[at], weights[at]), FEW) for at in np.split(rng.permutation(400), cuts)]
    sketch = sum(parts[1:], parts[0]).sketch
    distinct = np.unique(X, axis=0)
    smallest = distinct[np.argsort(hashes(distinct))[:FEW]]
    np.testing.assert_array_equal(sketch.rows, smallest)
    np.testing.assert_array_equal(sketch.weights, [weights[(row == X).all(axis=1)].sum() for row in smallest])


@pytest.mark.parametrize("repeated", [1, 4], ids=["distinct rows", "the same rows in each chunk"])
def test_chunks_that_look_at_part_of_the_hashes_give_the_sketch_of_all(repeated):
    X = np.random.RandomState(3).normal(size=(6000 // repeated, 2))
    chunks = da.from_array(np.tile(X, (repeated, 1)), chunks=(1500, -1))
    sketch = chunked_samples(GaussianMixtureEM(2), chunks).summary.sketch
    np.testing.assert_array_equal(sketch.rows, X[np.argsort(hashes(X))[:FEW]])
    assert sketch.weights.tolist() == [repeated] * FEW
    part = summary_of(samples_of(X[:1500], np.ones(1500)), FEW, bound_of(FEW, 6000)).sketch
    assert part.bound < LAST


def samples_of(X, weights):
    return Samples(X, weights, np.arange(len(X)), len(X))


def test_the_summary_of_parts_is_that_of_the_whole():
    X = holed(clouds() * [1.0, 1e-3] + [1e6, 5.0], 0.1)
    weights = np.random.RandomState(2).randint(1, 4, size=len(X)).astype(float)
    seen = ~np.isnan(X).all(axis=1)
    X, weights = X[seen], weights[seen]
    parts = [summary_of(samples_of(X[at], weights[at]), FEW) for at in np.array_split(np.arange(len(X)), 7)]
    total = sum(parts[1:], parts[0])
    whole = samples_of(X, weights)
    np.testing.assert_allclose(total.mean, whole.mean, rtol=1e-14)
    np.testing.assert_allclose(np.sqrt(total.moment / total.n_observed), whole.deviation, rtol=1e-10)
    assert total.total == whole.total
    np.testing.assert_array_equal(total.patterns, whole.patterns)
    np.testing.assert_array_equal(total.sketch.rows, summary_of(whole, FEW).sketch.rows)


def test_sums_are_a_tree_over_any_number_of_chunks():
    for n in (1, 8, 9, 70):
        chunks = Chunks.of(da.ones((n, 1), chunks=1), None)
        assert chunks.sum(number_of_rows) == n


def number_of_rows(rows, weights):
    return len(rows)


@pytest.mark.parametrize("name", ["full-ML", "bernoulli-MAP", "categorical-MAP", "poisson-exposure-ML"])
def test_from_the_same_start_plain_em_takes_the_same_iterations_to_parameters_that_agree_to_1e_10(name):
    (family,) = (family for family in FAMILIES if family.name == name)
    X, start, _ = family.problem(5, 2, 4, 500)
    settings = {"init": start, "acceleration": None, "max_iter": 40, "quiet": FAILINGS}
    whole, parts = (family.fit(rows, 2, **settings) for rows in (X, da.from_array(X, chunks=(170, -1))))
    assert (parts.n_iter_, parts.n_e_steps_, parts.converged_) == (whole.n_iter_, whole.n_e_steps_, whole.converged_)
    assert largest_relative_gap(parts.parameters_.arrays(), whole.parameters_.arrays()) < 1e-10


@pytest.mark.parametrize("seed", [4, 6, 8])
def test_leaps_lead_to_the_same_parameters_in_any_chunks(seed, monkeypatch):
    monkeypatch.setattr(em.starts.newton, "MOST_WORK", 0)
    rng = np.random.RandomState(seed)
    means = 0.9 * rng.normal(size=(5, 10))
    X = means[rng.randint(5, size=6000)] + rng.normal(size=(6000, 10))
    start = GMMParameters(np.full(5, 1 / 5), means, np.broadcast_to(np.eye(10), (5, 10, 10)))
    whole, parts = (GaussianMixtureEM(5, init=start).fit(rows) for rows in (X, da.from_array(X, chunks=(1700, -1))))
    assert parts.n_iter_ == whole.n_iter_
    assert largest_relative_gap(parts.parameters_.arrays(), whole.parameters_.arrays()) < 1e-10


@pytest.mark.parametrize("seed", [6, 20, 28, 32])
def test_the_last_digits_of_the_objective_decide_on_no_leap(seed, monkeypatch):
    """Rounding of the objective is more than tol here: many leaps near the limit gain or lose less than that."""
    monkeypatch.setattr(em.starts.newton, "MOST_WORK", 0)
    rng, n = np.random.RandomState(seed), 20_000
    rates = rng.gamma(4, 2, (3, 3))
    X, start = rng.poisson(rates[rng.randint(3, size=n)]), PMMParameters(np.full(3, 1 / 3), rates)
    chunks = da.from_array(X, chunks=((1, n // 3, n // 5, n - 1 - n // 3 - n // 5), -1))
    whole, parts = (PoissonMixtureEM(3, init=start).fit(rows) for rows in (X, chunks))
    assert parts.n_iter_ == whole.n_iter_
    assert largest_relative_gap(parts.parameters_.arrays(), whole.parameters_.arrays()) < 1e-10


@pytest.mark.parametrize("name", ["full-ML", "tied-MAP", "poisson-ML", "bernoulli-MAP", "categorical-MAP"])
def test_leaps_magnify_rounding_and_newtons_step_takes_it_away(name):
    (family,) = (family for family in FAMILIES if family.name == name)
    X, start, _ = family.problem(5, 2, 4, 500)
    whole, parts = (family.fit(rows, 2, init=start) for rows in (X, da.from_array(X, chunks=(170, -1))))
    assert largest_relative_gap(parts.parameters_.arrays(), whole.parameters_.arrays()) < 1e-10
