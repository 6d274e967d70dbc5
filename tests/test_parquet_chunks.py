"""Parquet files, folders of them and pyarrow datasets are read by chunks: the fit is that of the rows in memory."""

import gc
import tracemalloc

import numpy as np
import pandas as pd
import pyarrow.dataset
import pytest
from families import FAILINGS

import em.chunked.files
import em.samples.sketch
from em import CategoricalMixtureEM, GaussianMixtureEM, open_parquet

pytestmark = pytest.mark.usefixtures("chunks_that_matter")


def frame(n=600, seed=0):
    rng = np.random.RandomState(seed)
    X = rng.normal(size=(n, 2)) + np.repeat([[0.0, 0.0], [4.0, 3.0]], [n // 3, n - n // 3], axis=0)
    return pd.DataFrame(X, columns=["height", "width"])


def folder_of(path, rows, n_files=2, **settings):
    for number, part in enumerate(np.array_split(np.arange(len(rows)), n_files)):
        rows.iloc[part].to_parquet(path / f"part-{number}.parquet", index=False, **settings)
    return path


def test_a_folder_is_fitted_as_its_rows_in_memory_and_keeps_the_names_of_its_columns(tmp_path, monkeypatch):
    monkeypatch.setattr(em.chunked.files, "CELLS", 200)
    rows = frame()
    chunks = open_parquet(folder_of(tmp_path, rows, row_group_size=50))
    assert chunks.map_partitions(len).compute().tolist() == [100] * 6  # two row groups each
    start = GaussianMixtureEM(2, random_state=0, n_init=1).fit(rows).parameters_
    whole, parts = (GaussianMixtureEM(2, init=start).fit(given) for given in (rows, chunks))
    assert parts.feature_names_in_.tolist() == ["height", "width"]
    assert parts.log_likelihood_ == pytest.approx(whole.log_likelihood_, rel=1e-12)
    np.testing.assert_allclose(parts.predict_proba(chunks).compute(), whole.predict_proba(rows), atol=1e-7)
    assert parts.bic(chunks) == pytest.approx(whole.bic(rows), rel=1e-12)
    errors = whole.uncertainty(rows).standard_errors
    np.testing.assert_allclose(parts.uncertainty(chunks).standard_errors, errors, rtol=1e-6)


def test_row_groups_are_never_cut_and_empty_files_add_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(em.chunked.files, "CELLS", 100)
    folder_of(tmp_path, frame(200), row_group_size=70)
    frame(200).iloc[:0].to_parquet(tmp_path / "part-9.parquet")
    assert open_parquet(tmp_path).map_partitions(len).compute().tolist() == [70, 30, 70, 30]
    assert len(open_parquet(tmp_path / "part-0.parquet")) == 100


def test_columns_are_chosen_and_folders_names_are_columns_too(tmp_path):
    for year in (2023, 2024):
        (tmp_path / f"year={year}").mkdir()
        folder_of(tmp_path / f"year={year}", frame(100, year), n_files=1)
    found = open_parquet(tmp_path, ["year", "width"])
    assert found.columns.tolist() == ["year", "width"]
    assert found["year"].compute().value_counts().to_dict() == {2023: 100, 2024: 100}
    dataset = pyarrow.dataset.dataset(tmp_path, partitioning="hive")
    assert open_parquet(dataset).compute().equals(open_parquet(tmp_path).compute())


def test_categories_that_differ_between_files_are_the_levels_of_one_item(tmp_path):
    words = pd.DataFrame({"a": pd.Categorical(list("xyxy") * 15), "b": list("uvvw") * 15})
    words.to_parquet(tmp_path / "one.parquet", index=False)
    words.assign(a=pd.Categorical(list("zyzy") * 15)).to_parquet(tmp_path / "two.parquet", index=False)
    with pytest.warns(tuple(FAILINGS)):
        fit = CategoricalMixtureEM(2, random_state=0, n_init=1).fit(open_parquet(tmp_path))
    assert fit.levels_ == (("x", "y", "z"), ("u", "v", "w"))


def test_frequencies_are_a_column(tmp_path):
    rows = frame().assign(count=np.arange(600) % 3)
    chunks, features = open_parquet(folder_of(tmp_path, rows)), ["height", "width"]
    start = GaussianMixtureEM(2, random_state=0, n_init=1).fit(rows[features]).parameters_
    whole = GaussianMixtureEM(2, init=start).fit(rows[features], sample_weight=rows["count"])
    parts = GaussianMixtureEM(2, init=start).fit(chunks[features], sample_weight=chunks["count"])
    assert parts.log_likelihood_ == pytest.approx(whole.log_likelihood_, rel=1e-12)


def test_memory_of_a_pass_does_not_grow_with_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(em.chunked.files, "CELLS", 2 * 20_000)
    fit, peaks = GaussianMixtureEM(2, random_state=0, n_init=1).fit(frame()), []
    for n_chunks in (1, 3, 15):  # the first is there for what is imported, which takes long where it is traced
        frame(20_000 * n_chunks).to_parquet(path := tmp_path / f"{n_chunks}.parquet", row_group_size=20_000)
        chunks = open_parquet(path)
        assert chunks.npartitions == n_chunks
        gc.collect()
        if n_chunks > 1:
            tracemalloc.start()
        fit.check(chunks)  # the pass that reads most
        fit.score(chunks)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    rows = 8 * 20_000 * 2  # bytes of a chunk
    assert peaks[2] < 0.5 * 15 * rows
    assert peaks[2] - peaks[1] < 0.2 * (15 - 3) * rows  # what Dask knows of a chunk grows by some kilobytes


@pytest.mark.parametrize(
    ("source", "columns", "message"),
    [
        ("none", None, "source must be a Parquet file, a folder of them or a pyarrow dataset: no .*none"),
        ("text.parquet", None, "source must be a Parquet file"),
        ("good.parquet", ["depth"], "columns must be some of height, width, got depth"),
        ("empty.parquet", None, "source must have a row, got none"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(tmp_path, source, columns, message):
    (tmp_path / "text.parquet").write_text("height,width\n1,2\n")
    frame(9).to_parquet(tmp_path / "good.parquet")
    frame(9).iloc[:0].to_parquet(tmp_path / "empty.parquet")
    with pytest.raises(ValueError, match=message):
        open_parquet(tmp_path / source, columns)


@pytest.mark.parametrize("path", [True, False])
def test_a_fit_of_a_path_or_a_dataset_says_how_to_open_it(tmp_path, path):
    folder_of(tmp_path, frame(9))
    with pytest.raises(ValueError, match=r"X must hold numbers, got .*: em\.open_parquet\(X\) gives the rows"):
        GaussianMixtureEM(2).fit(str(tmp_path) if path else pyarrow.dataset.dataset(tmp_path))


def test_a_name_in_place_of_samples_is_told_how_to_load_a_built_in_data_set():
    hint = r"X must hold numbers, got 'faithful' of dtype <U8: comparisons\.data\.load\('faithful'\)\.X gives the rows"
    with pytest.raises(ValueError, match=hint):
        GaussianMixtureEM(2).fit("faithful")
    with pytest.raises(ValueError, match=r"X must hold numbers, got 'aaa.*' of dtype <U999: comparisons"):
        GaussianMixtureEM(2).fit("a" * 999)
    with pytest.raises(ValueError, match=r"X must hold numbers, got '1 11.*' of dtype <U999: em\.open_parquet"):
        GaussianMixtureEM(2).fit("1 1" * 333)
