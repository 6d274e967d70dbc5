"""One whole comparison, as a user runs it from Python, and everything it writes."""

import json
from dataclasses import replace

import arviz as az
import matplotlib.image
import numpy as np
import pytest
from shared_comparison import of_faithful

import comparisons.posterior
from comparisons.comparison import report
from comparisons.comparison.draws import Draws
from comparisons.comparison.estimates import stack
from comparisons.comparison.spread import spreads_of, summary
from comparisons.posterior import sample
from models.gmm import GMMIndependentPrior

FILES = {"comparison.json", "data.png", "objective.png", "posterior.png", "responsibilities.png", "posterior.nc"}


@pytest.fixture(scope="module")
def found():
    return of_faithful().result


@pytest.fixture(scope="module")
def folder(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out") / "new" / "folder"
    found.save(folder)
    return folder


def test_em_and_pymc_agree(found):
    assert found.verdict == "agree", found.explanation
    assert all(check.passed is not False for check in found.checks)


def test_every_promised_check_is_made(found):
    names = " ".join(check.name for check in found.checks)
    for promised in [
        "responsibilities = p(z|x) at MLE",
        "log-likelihood matches at MLE",
        "MLE is stationary",
        "find_MAP = MAP-EM",
        "find_MAP moved",
        "no draw beats the MLE",
        "no draw beats the MAP",
        "MLE near posterior mean",
        "plug-in responsibilities near posterior average",
        "R-hat, label-free",
        "ESS, aligned parameters",
    ]:
        assert promised in names
    assert all(check.reason for check in found.checks)


def test_the_whole_is_written_and_nothing_else(folder):
    assert {file.name for file in folder.iterdir()} == FILES


def test_json_has_the_documented_form(folder):
    written = json.loads((folder / "comparison.json").read_text())
    assert written["verdict"] == "agree"
    for check in written["checks"]:
        assert set(check) == {"name", "value", "tolerance", "reason", "passed"}
    assert written["em"]["mle"]["log_likelihood"] == pytest.approx(-1130.263960, abs=1e-6)
    assert {row["parameter"] for row in written["estimates"]} >= {"weights[0]", "means[1, 1]", "covariances[0, 0, 1]"}


def test_arviz_reads_the_posterior_back_and_computes_loo(found, folder):
    read = az.from_netcdf(folder / "posterior.nc")
    np.testing.assert_array_equal(read["posterior"]["means"], found.posterior["posterior"]["means"])
    loo = az.loo(read)
    assert loo.n_data_points == 272
    assert loo.elpd < found.mle.log_likelihood_  # out of sample is worse than the best in sample


def test_every_method_has_a_column_and_on_regular_data_none_understates_the_spread(found, folder):
    louis = found.mle.uncertainty(found.X)
    for row in found.spreads:
        assert row["mle_sd"] == pytest.approx(louis[row["parameter"]]["standard_error"], rel=1e-6)
        for method in ("laplace", "mean_field", "mle"):
            assert row[f"{method}_sd"] == pytest.approx(row["nuts_sd"], rel=0.25)
            assert abs(row[method] - row["nuts"]) < row["nuts_sd"]
        assert row["advi"] is None  # was not asked for
        assert row["understate"] == []
    assert json.loads((folder / "comparison.json").read_text())["spreads"] == found.spreads


def test_a_method_of_half_the_spread_is_named_whatever_its_labels(found):
    draws = stack(found.posterior["posterior"].to_dataset())
    halved = {name: (array.mean(axis=0) + array)[:, ::-1] / 2 for name, array in draws.items()}
    spreads = spreads_of(found, Draws(found.posterior, found.unaligned, None, None), found.estimates, halved)
    for row in spreads:
        assert row["advi"] == pytest.approx(row["nuts"])
        assert row["advi_sd"] == pytest.approx(row["nuts_sd"] / 2)
        assert row["understate"] == ["advi"]
    assert "ADVI in 12 of 12 parameters (least: 0.50" in summary(spreads)


def test_figures_are_pictures(folder):
    for file in folder.glob("*.png"):
        picture = matplotlib.image.imread(file)
        assert min(picture.shape[:2]) > 300
        assert picture[..., :3].std() > 0.01  # not blank


def test_the_report_names_verdict_and_estimates(found, capsys):
    found.print()
    printed = capsys.readouterr().out
    for word in [
        "Verdict: agree",
        "4 chains by NUTS",
        "weights[0]",
        "covariances[1,0,1]",
        "R-hat",
        "Laplace",
        "log-likelihood -1130.263960",
    ]:
        assert word in printed


def test_the_report_cautions_where_there_is_no_posterior(found, capsys):
    found.print()
    assert "Caution" not in capsys.readouterr().out
    replace(found, prior=GMMIndependentPrior.weakly_informative(found.X, 2)).print()
    printed = " ".join(capsys.readouterr().out.split())
    assert "Caution: column 'eruption length (minutes)' has a value that 8 samples share" in printed


def test_a_run_that_dies_while_writing_leaves_the_old_files(found, folder, monkeypatch):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def die(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(report.json, "dumps", die)
    with pytest.raises(KeyboardInterrupt):
        found.save(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_the_same_seed_gives_the_same_draws(found, monkeypatch):
    model = found.family.build_marginal_model(found.X, 2, found.prior)
    compiled = comparisons.posterior.UnconstrainedDensity(model, jacobian=True)
    monkeypatch.setattr(comparisons.posterior, "UnconstrainedDensity", lambda *args, **kwargs: compiled)
    settings = {"draws": 100, "tune": 200, "chains": 2}
    once, again, other = (sample(model, found.map.parameters_.arrays(), **settings, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(once["posterior"]["covariances"], again["posterior"]["covariances"])
    assert not np.array_equal(once["posterior"]["covariances"], other["posterior"]["covariances"])
