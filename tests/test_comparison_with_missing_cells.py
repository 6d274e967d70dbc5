"""Data with missing cells go through every step, table, figure and file; NUTS and `find_MAP` take too long for that."""

import json

import numpy as np
import pandas as pd
import pytest
from stand_ins import draws_around

import comparisons.posterior
from comparisons.comparison.problem import prepare
from comparisons.comparison.report.plots import objective_figure
from comparisons.comparison.steps import run
from comparisons.data import load
from em import BinomialMixtureEM

FILES = {"comparison.json", "posterior.nc", "report.html", "samples.csv"}
FILES |= {"data.png", "objective.png", "posterior.png", "responsibilities.png"}


@pytest.fixture(scope="module")
def comparison():
    dataset = load("faithful-missing")
    X = np.vstack([dataset.X, np.full((3, 2), np.nan)])  # rows with nothing are left out
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparisons.posterior, "sample", draws_around)
        patch.setattr(comparisons.posterior, "find_map", lambda model, start: start)
        return run(prepare(X, "gmm", 2, draws=250, n_init=3, feature_names=dataset.feature_names))


def test_em_and_pymc_agree(comparison):
    """All but the checks of `find_MAP`, which was not run, and of the posterior's mean: these draws are about MAP."""
    failed = {check.name for check in comparison.checks if check.passed is False}
    assert failed - {"MLE near posterior mean"} == {"find_MAP = MAP-EM"}
    passed = {check.name for check in comparison.checks if check.passed}
    assert {f"responsibilities = p(z|x) at {at}" for at in ("MLE", "MAP")} <= passed
    assert {f"log-likelihood matches at {at}" for at in ("MLE", "MAP")} <= passed
    assert {"MLE is stationary", "no draw beats the MLE", "no draw beats the MAP"} <= passed


def test_files_figures_and_tables_are_made(comparison, tmp_path, capsys):
    comparison.save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == FILES
    written = json.loads((tmp_path / "comparison.json").read_text())
    n_missing = int(np.isnan(comparison.X).sum())
    assert (written["n_samples"], written["n_missing"]) == (len(comparison.X), n_missing)
    assert 0.05 < n_missing / comparison.X.size < 0.15
    comparison.print()
    assert f"{n_missing} of {comparison.X.size} cells missing" in " ".join(capsys.readouterr().out.split())


def test_each_sample_has_its_row_its_component_and_what_em_and_the_posterior_say_of_it(comparison, tmp_path):
    comparison.save(tmp_path)
    table = pd.read_csv(tmp_path / "samples.csv")
    pd.testing.assert_frame_equal(table, comparison.to_frame("samples"))
    of_em = comparison.mle.predict_proba(comparison.named_samples).to_numpy()
    np.testing.assert_allclose(table[["em_0", "em_1"]], of_em, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(table["component"], of_em.argmax(axis=1))
    np.testing.assert_allclose(table[["posterior_mean_0", "posterior_mean_1"]].sum(axis=1), 1, rtol=1e-12)
    assert (table["posterior_sd_0"] >= 0).all()
    X = load("faithful-missing").X
    np.testing.assert_array_equal(table["row"], np.flatnonzero(~np.isnan(X).all(axis=1)))


def test_rows_are_called_as_in_the_file_the_frame_or_by_their_numbers():
    rows = [[1.0, 2.0], [np.nan, np.nan], [2.0, 4.5], [3.0, 5.0], [4.5, 7.5]]
    frame = pd.DataFrame(rows, index=list("abcde"), columns=["x", "y"])
    assert prepare(rows, "gmm", 1).row_labels == (0, 2, 3, 4)
    assert prepare(frame, "gmm", 1).row_labels == ("a", "c", "d", "e")
    assert prepare(rows, "gmm", 1, row_labels=("v", "w", "x", "y", "z")).row_labels == ("v", "x", "y", "z")
    many = pd.DataFrame({"x": np.arange(3000.0) ** 2}, index=np.arange(3000) + 7)
    drawn = prepare(many, "gmm", 1, sampled=True, rows=1000)
    np.testing.assert_array_equal(drawn.X[:, 0], (np.array(drawn.row_labels) - 7.0) ** 2)


def test_labels_that_are_too_few_are_refused():
    with pytest.raises(ValueError, match="row_labels must have 3 entries, one per row of X, got 2"):
        prepare([[1.0], [2.0], [4.0]], "gmm", 1, row_labels=("a", "b"))


def test_trials_of_each_cell_go_with_the_rows_that_are_kept():
    trials = 1 + np.arange(12).reshape(6, 2) % 5
    X = np.where(np.arange(12).reshape(6, 2) % 3 == 0, np.nan, 1.0)
    X[4] = np.nan
    comparison = prepare(X, "bmm", 1, n_trials=trials)
    kept = [0, 1, 2, 3, 5]
    np.testing.assert_array_equal(comparison.X, X[kept])
    np.testing.assert_array_equal(comparison.family.n_trials, trials[kept])
    fit = BinomialMixtureEM(1, n_trials=trials[kept]).fit(X[kept])
    assert comparison.family.e_step(comparison.X, fit.parameters_)[1] < 0


def test_the_figure_of_the_objective_shows_every_iteration(comparison):
    (ax,) = objective_figure(comparison).axes
    for line, fit in zip(ax.lines, (comparison.mle, comparison.map), strict=True):
        to_come = line.get_ydata()
        assert len(to_come) == fit.n_iter_ + 1
        assert (to_come > 0).all()
        assert (np.diff(to_come) <= 0).all()
