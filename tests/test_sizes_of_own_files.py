"""A column of exposures or of numbers of trials is taken as the sizes of the cells of its row."""

import numpy as np
import pandas as pd
import pytest
from own_files import invoke, written

import comparisons.comparison.steps
from comparisons.data import read
from em import PoissonMixtureEM

__all__ = ["written"]  # a fixture

POPULATIONS = "id,population,flu,measles,count\n1,50,1,3,2\n2,120.5,4,,1\n3,80,0,2,0\n4,2000,9,11,1\n"


def test_exposures_are_repeated_with_their_rows_and_are_no_feature(written):
    dataset = read(written(POPULATIONS), "pmm", exposure="population")
    assert dataset.feature_names == ("flu", "measles")
    np.testing.assert_array_equal(dataset.X, [[1, 3], [1, 3], [4, np.nan], [9, 11]])
    np.testing.assert_array_equal(dataset.options["exposure"], [[50, 50], [50, 50], [120.5, 120.5], [2000, 2000]])
    assert "exposure: column 'population', 50 to 2000" in dataset.notes
    assert not any("may hold exposures" in note for note in dataset.notes)


def test_columns_that_are_named_are_the_features_beside_the_column_of_sizes(written):
    dataset = read(written(POPULATIONS), "pmm", columns="measles", exposure="population")
    assert dataset.feature_names == ("measles",)
    assert "left out, not among --columns: id, flu" in dataset.notes


def test_a_number_is_the_exposure_of_every_cell_and_the_default_is_said(written):
    file = written("calls,complaints\n50,1\n20,4\n80,0\n")
    given, note = read(file, "pmm", exposure=2.5), "exposure: {} in every cell (--exposure takes a number or a column)"
    assert given.options == {"exposure": 2.5}
    assert note.format(2.5) in given.notes
    assert note.format(1.0) in read(file, "pmm").notes
    assert not any(note.startswith("n_trials") for note in read(written("a,b\n0,1\n1,1\n1,0\n"), "bmm").notes)


@pytest.mark.parametrize(
    ("family", "options", "cell", "message"),
    [
        ("pmm", {"exposure": "time"}, "0", "line 3: exposure in column 'time' must be positive, got 0: correct it, or"),
        ("pmm", {"exposure": "time"}, "", "line 3: exposure in column 'time' must be positive, got an empty cell"),
        ("pmm", {"exposure": "time"}, "long", "line 3: exposure in column 'time' must be positive, got 'long'"),
        ("bmm", {"n_trials": "time"}, "2.5", "n_trials in column 'time' must be whole numbers of at least 1, got 2.5"),
        ("bmm", {"n_trials": "time"}, "3", r"line 3: expected .* to n_trials \(3 at most\) in column 'a', got 4"),
        ("pmm", {"exposure": "times"}, "3", "exposure must name columns of the file: a, b, time; got 'times'.*time?"),
        ("pmm", {"exposure": "a", "drop": "a"}, "3", "column 'a' must be named by one option once.*drop and exposure"),
        ("gmm", {"exposure": "time"}, "3", "exposure"),
    ],
)
def test_an_illegal_size_is_refused_with_its_line_and_column(written, family, options, cell, message):
    with pytest.raises(ValueError, match=message):
        read(written(f"a,b,time\n1,2,9\n4,0,{cell}\n3,5,7\n"), family, **options)


def test_a_command_compares_the_rates_of_a_column_of_exposures(written, tmp_path, monkeypatch):
    asked = []

    def stop(problem, bars):
        asked.append(problem)
        raise KeyboardInterrupt

    monkeypatch.setattr(comparisons.comparison.steps, "run", stop)
    exposure = np.random.RandomState(0).randint(5, 200, size=40)
    table = pd.DataFrame({"events": exposure // 5, "hours": exposure})
    result = invoke("pmm", "--data", str(written(table.to_csv(index=False))), "--exposure", "hours")
    assert "exposure: column 'hours'" in result.output
    fit = PoissonMixtureEM(1, exposure=exposure[:, None]).fit(table[["events"]])
    alone = asked[0].family.estimator(n_components=1).fit(asked[0].X)
    np.testing.assert_allclose(alone.rates_, fit.rates_, rtol=1e-12)
    assert fit.rates_.item() == pytest.approx((exposure // 5).sum() / exposure.sum(), rel=1e-12)


def test_a_sample_of_a_large_file_has_the_exposures_of_its_rows(tmp_path, monkeypatch):
    monkeypatch.setattr("comparisons.data.parquet.MOST_CELLS", 500)
    rng = np.random.RandomState(0)
    hours = rng.randint(1, 100, size=1000)
    pd.DataFrame({"events": 3 * hours, "others": 2 * hours, "hours": hours}).to_parquet(tmp_path / "big.parquet")
    dataset = read(tmp_path / "big.parquet", "pmm", exposure="hours", most_rows=100)
    assert len(dataset.X) == 100
    np.testing.assert_array_equal(dataset.X[:, 0], 3 * dataset.options["exposure"][:, 0])
    assert dataset.all_rows.X is None
    assert "exposure" in dataset.all_rows.why
