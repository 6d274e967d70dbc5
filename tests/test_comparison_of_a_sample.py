"""Of more rows than a comparison takes, a random sample is compared, and EM of all rows stands beside it."""

import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest

import comparisons.data.parquet
from comparisons import concentration
from comparisons.comparison.all_rows import sample_note, with_all_rows
from comparisons.comparison.fits import fit
from comparisons.comparison.problem import DEFAULTS, prepare
from comparisons.components import compare_components
from comparisons.data import read
from em import GaussianMixtureEM, PoissonMixtureEM, open_parquet, sample_rows

N, ROWS = 4000, 500


pytestmark = pytest.mark.usefixtures("dask_in_one_thread")


def clouds(n=N, seed=0):
    rng = np.random.RandomState(seed)
    return rng.normal(size=(n, 2)) + 5.0 * (rng.uniform(size=n) < 0.4)[:, None]


X = clouds()
FRAME = pd.DataFrame(X, columns=["a", "b"])


def chunked(size=700):
    return da.from_array(X, chunks=(size, -1))


def test_a_sample_of_chunks_is_that_of_the_rows_whatever_the_chunks():
    wanted = prepare(X, "gmm", 2, rows=ROWS, sampled=True, random_state=3)
    assert (wanted.X.shape, wanted.all_rows.n_rows) == ((ROWS, 2), N)
    rows = set(map(tuple, X.tolist()))
    assert len(set(map(tuple, wanted.X.tolist())) & rows) == ROWS  # without replacement
    unknown = chunked()[da.from_array(np.ones(N, dtype=bool), chunks=700)]
    for given in (chunked(), chunked(900), unknown, dd.from_pandas(FRAME, npartitions=3)):
        problem = prepare(given, "gmm", 2, rows=ROWS, sampled=True, random_state=3)
        np.testing.assert_array_equal(problem.X, wanted.X)
        assert problem.all_rows.n_rows == N
    assert problem.feature_names == ("a", "b")
    assert (prepare(X, "gmm", 2, rows=ROWS, sampled=True, random_state=4).X != wanted.X).any()


def test_rows_that_are_few_enough_are_all_compared():
    for given in (X, chunked()):
        problem = prepare(given, "gmm", 2, rows=N, sampled=True)
        np.testing.assert_array_equal(problem.X, X)
        assert problem.all_rows is None
    with pytest.raises(ValueError, match="rows must be a whole number of at least 100, got 9"):
        prepare(X, "gmm", 2, rows=9, sampled=True)


def test_numbers_of_components_and_concentrations_are_compared_on_all_rows(monkeypatch):
    monkeypatch.setitem(DEFAULTS, "rows", 100)
    few, problems = X[:300], []
    sizes = {"draws": 250, "n_init": 1}
    table = compare_components(few, "gmm", [1], sampler="gibbs", evidence=False, **sizes)
    assert table.to_frame()["bic"].item() == pytest.approx(GaussianMixtureEM(1).fit(few).bic(few))
    monkeypatch.setattr(
        concentration, "prepare", lambda *args, **given: problems.append(prepare(*args, **given)) or problems[0]
    )
    concentration.sweep(few, "gmm", 2, [1.0], **sizes)
    np.testing.assert_array_equal(problems[0].X, few)
    assert problems[0].all_rows is None
    for compared in (lambda: compare_components(chunked(), "gmm"), lambda: concentration.sweep(chunked(), "gmm", 2)):
        with pytest.raises(TypeError, match="X must be in memory here, got a Dask Array"):
            compared()


def test_every_row_is_as_likely_in_a_sample():
    numbers = da.from_array(np.arange(40)[:, None], chunks=(7, 1))
    rng = np.random.RandomState(0)
    drawn = np.concatenate([sample_rows(numbers, 10, rng).ravel() for _ in range(60)])
    counts = np.bincount(drawn, minlength=40)
    chi_squared = ((counts - 15) ** 2 / (15 * 0.75)).sum()  # of counts without replacement, about 40 of them
    assert 15 < chi_squared < 75
    with pytest.raises(ValueError, match="X must be a Dask array or DataFrame, got"):
        sample_rows(X, 10)


@pytest.mark.parametrize("whole", [X, chunked()], ids=["in memory", "chunks"])
def test_em_of_all_rows_stands_beside_the_samples_estimates(whole):
    fits = with_all_rows(fit(prepare(whole, "gmm", 2, rows=ROWS, sampled=True)))
    best = GaussianMixtureEM(2, random_state=0).fit(X)
    assert fits.of_all_rows.log_likelihood_ == pytest.approx(best.log_likelihood_, abs=1e-6)
    rows = fits.all_rows_estimates
    distances = np.array([row["distance"] for row in rows])
    assert len(rows) == 12
    assert 0.2 < np.sqrt(np.mean(distances**2)) < 2  # about one standard error of 500 rows
    errors = fits.mle.uncertainty(fits.X)
    of_all = fits.of_all_rows.uncertainty(X)
    np.testing.assert_allclose([row["standard_error"] for row in rows], errors.standard_errors)
    np.testing.assert_allclose([row["all_rows"] for row in rows], of_all.estimates, rtol=1e-8)
    np.testing.assert_allclose(distances, (of_all.estimates - errors.estimates) / errors.standard_errors, atol=1e-6)


def test_exposures_of_each_cell_go_with_their_rows():
    rng = np.random.RandomState(0)
    exposure = rng.uniform(0.5, 2, size=(N, 2))
    counts = rng.poisson(exposure * np.where(rng.uniform(size=(N, 1)) < 0.5, 2.0, 9.0)).astype(float)
    fits = with_all_rows(fit(prepare(counts, "pmm", 2, rows=ROWS, sampled=True, exposure=exposure)))
    best = PoissonMixtureEM(2, exposure=exposure, random_state=0).fit(counts)
    assert fits.family.exposure.shape == (ROWS, 2)
    assert fits.of_all_rows.log_likelihood_ == pytest.approx(best.log_likelihood_, abs=1e-6)


def test_a_row_of_the_rest_that_is_no_sample_leaves_em_of_all_rows_out_and_is_named():
    numbers = sample_rows(da.from_array(np.arange(N)[:, None], chunks=700), ROWS, 0).ravel()
    bad = X.copy()
    bad[row := int(np.setdiff1d(np.arange(N), numbers)[-1]), 0] = np.inf
    fits = with_all_rows(fit(prepare(da.from_array(bad, chunks=(700, -1)), "gmm", 2, rows=ROWS, sampled=True)))
    assert fits.of_all_rows is None
    assert f"chunk {row // 700}: X must be finite" in fits.all_rows.why
    assert fits.all_rows_estimates == []


def test_a_file_that_went_after_its_sample_was_read_leaves_em_of_all_rows_out(tmp_path):
    FRAME.to_parquet(tmp_path / "a.parquet")
    FRAME.to_parquet(tmp_path / "b.parquet")
    problem = prepare(open_parquet(tmp_path), "gmm", 2, rows=ROWS, sampled=True)
    (tmp_path / "b.parquet").unlink()
    fits = with_all_rows(fit(problem))
    assert fits.of_all_rows is None
    assert "FileNotFoundError" in fits.all_rows.why
    assert "b.parquet" in fits.all_rows.why
    assert sample_note(fits) == "500 rows drawn at random (random_state=0) from 8,000"


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def large(tmp_path, monkeypatch):
    """Take Parquet files of this size as too large for the memory."""
    monkeypatch.setattr(comparisons.data.parquet, "MOST_CELLS", 2000)
    numbered = FRAME.assign(id=np.arange(N) + 7, word=np.where(X[:, 0] > 1, "yes", "no"))
    for number, part in enumerate(np.array_split(np.arange(N), 3)):
        numbered.iloc[part].to_parquet(tmp_path / f"{number}.parquet", index=False)
    return tmp_path


def test_of_a_large_folder_a_sample_is_read_and_all_rows_are_there_by_chunks(large):
    dataset = read(large, "gmm", most_rows=ROWS, drop="word")
    np.testing.assert_array_equal(dataset.X, prepare(X, "gmm", 2, rows=ROWS, sampled=True).X)
    assert dataset.notes[0].startswith(
        f"Read {large.name}: {ROWS} rows drawn at random (random_state=0) from 4,000; 2 features: a, b"
    )
    assert any("column 'id' (it numbers the rows)" in note for note in dataset.notes)
    np.testing.assert_array_equal(dataset.all_rows.X.compute().to_numpy(), X)
    problem = prepare(dataset.X, "gmm", 2, rows=ROWS, sampled=True, all_rows=dataset.all_rows)
    best = GaussianMixtureEM(2, random_state=0).fit(X)
    assert with_all_rows(fit(problem)).of_all_rows.log_likelihood_ == pytest.approx(best.log_likelihood_, abs=1e-6)
    assert read(large, "gmm", drop="word").X.shape == (N, 2)  # where nobody asks for a sample


@pytest.mark.parametrize("kind", ["int64", "Int64", "float64"])
def test_codes_of_missing_cells_are_left_out_of_all_rows_though_no_row_of_the_sample_has_one(large, kind):
    numbers = sample_rows(da.from_array(np.arange(N)[:, None], chunks=700), ROWS, 0).ravel()
    whole = np.round(X)
    whole[coded := np.setdiff1d(np.arange(N), numbers)[::50], 0] = -999
    pd.DataFrame(whole, columns=["a", "b"]).astype(kind).to_parquet(large / "coded.parquet", row_group_size=900)
    dataset = read(large / "coded.parquet", "gmm", most_rows=ROWS, missing="-999,none")
    assert "--missing: no feature of the sample holds -999, none" in dataset.notes
    whole[coded, 0] = np.nan
    np.testing.assert_array_equal(dataset.all_rows.X.compute().to_numpy(), whole)
    problem = prepare(dataset.X, "gmm", 2, rows=ROWS, sampled=True, all_rows=dataset.all_rows)
    best = GaussianMixtureEM(2, random_state=0).fit(whole)
    assert with_all_rows(fit(problem)).of_all_rows.log_likelihood_ == pytest.approx(best.log_likelihood_, abs=1e-5)


def test_marks_among_true_and_false_leave_em_of_all_rows_out(large):
    pd.DataFrame({"a": X[:, 0], "b": X[:, 0] > 1}).to_parquet(large / "bool.parquet")
    assert read(large / "bool.parquet", "gmm", most_rows=ROWS).all_rows.X.shape[1] == 2
    assert (
        read(large / "bool.parquet", "gmm", most_rows=ROWS, missing="False").all_rows.why
        == "there are words or marks in column 'b'"
    )


def test_what_chunks_cannot_give_as_the_file_is_read_is_left_out_of_em_of_all_rows(large):
    dataset = read(large, "gmm", most_rows=ROWS, drop="id")
    assert dataset.X.shape == (ROWS, 3)
    assert (dataset.all_rows.X, dataset.all_rows.why) == (None, "there are words or marks in column 'word'")
    FRAME.assign(count=1).to_parquet(large / "counts.parquet", index=False)
    with pytest.raises(ValueError, match=r"is too large to repeat its rows by the frequencies in column 'count'"):
        read(large / "counts.parquet", "gmm", most_rows=ROWS)
    (large / "empty").mkdir()
    with pytest.raises(ValueError, match="is a folder without"):
        read(large / "empty", "gmm")
