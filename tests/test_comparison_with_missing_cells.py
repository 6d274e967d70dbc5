"""Data with missing cells go through every step, table, figure and file; NUTS and `find_MAP` take too long for that."""

import json

import numpy as np
import pytest
from stand_ins import draws_around

import comparisons.posterior
from comparisons.comparison.problem import prepare
from comparisons.comparison.report.plots import objective_figure
from comparisons.comparison.steps import run
from comparisons.data import load
from em import BinomialMixtureEM

FILES = {"comparison.json", "posterior.nc", "report.html"}
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
