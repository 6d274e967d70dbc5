"""Numbers of components compared: on data whose number is known, and under sparse priors."""

import importlib
from dataclasses import replace

import numpy as np
import pytest
import typer
from scipy.stats import norm
from typer.testing import CliRunner

import comparisons.components.criteria
import comparisons.evidence.smc
import comparisons.posterior
import em.gibbs
from comparisons import log_joint
from comparisons.alignment.mixing import MAX_RHAT
from comparisons.components import compare_components, pointwise_log_likelihood
from comparisons.concentration import n_occupied, sweep
from comparisons.evidence import Evidence
from comparisons.evidence.exact import exact_posterior
from comparisons.posterior.gibbs import as_datatree
from em import GaussianMixtureEM, NoMaximumWarning
from em.gibbs import gibbs
from models.bmm import BMMParameters, BMMPrior
from models.bmm import simulate as simulate_counts
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior, simulate


@pytest.fixture(scope="module")
def data():
    truth = GMMParameters([0.4, 0.6], [[-3.0, 0.0], [3.0, 1.0]], [np.eye(2), np.diag([1.0, 2.0])])
    return simulate(truth, 200, random_state=0)[0]


@pytest.fixture(scope="module")
def components(data):
    return compare_components(data, "gmm", [1, 2, 3], sampler="gibbs", evidence=False, draws=500, tune=300)


def test_every_criterion_finds_the_true_number(components):
    assert [components.best(criterion) for criterion in ("bic", "icl", "chib")] == [2, 2, 2]
    one, two, three = (row["elpd"] for row in components.table)
    assert two > one + 20
    assert abs(three - two) < 4  # a component more does little harm


def test_no_pareto_k_is_bad_on_well_specified_data(components):
    assert [row["n_bad_k"] for row in components.table[:2]] == [0, 0]


def test_cross_validation_charges_about_one_nat_per_parameter(components):
    assert components.table[1]["p_loo"] == pytest.approx(11, rel=0.35)
    assert components.table[1]["elpd"] == pytest.approx(components.table[1]["log_likelihood"] - 11, abs=5)


def test_em_columns_are_those_of_em(data, components):
    fit = GaussianMixtureEM(2, n_init=10, random_state=0).fit(data)
    assert components.table[1]["bic"] == pytest.approx(fit.bic(data))
    assert components.table[1]["icl"] == pytest.approx(fit.icl(data))


def test_differences_are_measured_row_by_row(components):
    best = max(components.table, key=lambda row: row["elpd"])
    assert (best["elpd_difference"], best["elpd_difference_se"]) == (0, 0)
    first, gaps = components.table[0], components.pointwise[0] - components.pointwise[components.table.index(best)]
    assert first["elpd_difference"] == pytest.approx(gaps.sum())
    assert first["elpd_difference_se"] == pytest.approx(np.sqrt(len(gaps) * gaps.var()))


def test_the_table_and_the_figure_show_every_column(components):
    printed = repr(components)
    assert all(word in printed for word in ("BIC", "elpd", "Chib", "k > .7"))
    assert "k > .7: samples whose elpd is rough" in printed
    figure = components.plot()
    figure.canvas.draw()
    assert [ax.get_ylabel() for ax in figure.axes] == ["criterion", "elpd - the best's, in nats", "log p(X) in nats"]
    assert all(ax.get_legend().get_window_extent().y1 <= ax.get_window_extent().y0 for ax in figure.axes)  # hides none


def test_pointwise_values_are_the_mixture_density_with_labels_summed_out(data):
    prior = GMMPrior.weakly_informative(data[:, :1], 2)
    draws = as_datatree(gibbs(data[:, :1], 2, prior, draws=3, chains=2, random_state=0), prior)
    values = pointwise_log_likelihood(draws, log_joint(data[:, :1], "gmm"))
    of = {name: draws["posterior"][name].to_numpy()[1, 2] for name in ("weights", "means", "covariances")}
    density = of["weights"] * norm.pdf(data[:, :1], of["means"][:, 0], np.sqrt(of["covariances"][:, 0, 0]))
    np.testing.assert_allclose(values[1, 2], np.log(density.sum(axis=1)), rtol=1e-10)


def test_two_classes_of_answers_are_found():
    truth = BMMParameters([0.5, 0.5], [[0.15] * 5, [0.85] * 5])
    X, _ = simulate_counts(truth, 150, random_state=0)
    components = compare_components(X, "bmm", [1, 2], sampler="gibbs", evidence=False, draws=300, tune=100)
    assert [components.best(criterion) for criterion in ("bic", "elpd", "chib")] == [2, 2, 2]
    assert [row["n_bad_k"] for row in components.table] == [0, 0]


def test_nuts_starts_inside_where_map_lies_on_the_edge(monkeypatch):
    X, prior, starts = np.array([[1, 0], [1, 1], [1, 0]]), BMMPrior(1.0, 1.0, 1.0), []

    def sample(model, of_chains, **settings):
        starts.extend(start["probs"] for start in of_chains)
        return as_datatree(gibbs(X, 1, prior, draws=300, random_state=0), prior)

    monkeypatch.setattr(comparisons.posterior, "sample", sample)
    compare_components(X, "bmm", [1], prior=prior, evidence=False, draws=300)
    assert len(starts) == 4
    assert np.abs(np.array(starts) - [[1, 1 / 3]]).max() < 1e-9
    assert np.max(starts) < 1


def test_smc_runs_only_where_chibs_identity_does_not_apply(data, monkeypatch):
    asked = []

    def smc_evidence(model, **settings):
        asked.append(settings["draws"])
        return Evidence(-123.0, 0.5, (-123.0,))

    def sample(model, of_chains, **settings):
        prior = GMMPrior.weakly_informative(data, 1, "diag")
        return as_datatree(gibbs(data, 1, prior, draws=300, random_state=0), prior)

    monkeypatch.setattr(comparisons.evidence.smc, "smc_evidence", smc_evidence)
    monkeypatch.setattr(comparisons.posterior, "sample", sample)
    by_chib = compare_components(data, "gmm", [1], sampler="gibbs", draws=250)
    assert (asked, by_chib.best("chib"), by_chib.best("log_evidence")) == ([], 1, None)
    assert ("Chib" in repr(by_chib), "log p(X)" in repr(by_chib)) == (True, False)
    prior = GMMIndependentPrior.weakly_informative(data, 1, "diag")
    by_smc = compare_components(data, "gmm", [1], prior, covariance_type="diag", particles=7)
    assert (asked, by_smc.best("chib"), by_smc.table[0]["log_evidence"]) == ([7], None, -123.0)
    assert ("Chib" in repr(by_smc), "log p(X)" in repr(by_smc)) == (False, True)


def one_chain_elsewhere(*arguments, **settings):
    """Draws of the Gibbs sampler whose first chain has its labels and parameters from a single component."""
    drawn = gibbs(*arguments, **settings)
    drawn["z"][0] = 0
    drawn["weights"][0] = np.eye(drawn["weights"].shape[2])[0] * 0.98 + 0.01
    return drawn


def test_r_hat_sees_a_chain_that_is_elsewhere(data, monkeypatch):
    monkeypatch.setattr(comparisons.components.criteria, "gibbs", one_chain_elsewhere)
    monkeypatch.setattr(em.gibbs, "gibbs", one_chain_elsewhere)
    sizes = {"draws": 250, "tune": 100, "n_init": 1}
    apart = compare_components(data, "gmm", [2], sampler="gibbs", evidence=False, **sizes)
    assert apart.table[0]["rhat"] > 1.5
    assert "R-hat above 1.01 or unknown at K = 2" in repr(apart)
    assert sweep(data, "gmm", 2, [1.0], **sizes).rhat[0] > 1.5


def test_r_hat_of_the_sweep_sees_occupied_components(data, monkeypatch):
    def labels_elsewhere(*arguments, **settings):
        drawn = gibbs(*arguments, **settings)
        drawn["z"][0] = 0
        return drawn

    monkeypatch.setattr(em.gibbs, "gibbs", labels_elsewhere)
    assert not sweep(data, "gmm", 2, [1.0], draws=250, tune=50, n_init=1).rhat[0] <= 1.01  # infinite or unknown


def test_a_map_that_collapses_is_refused_before_any_draw():
    X = np.repeat([[0.0], [5.0]], 20, axis=0) + np.repeat([0.0, 1e-3], 20)[:, None] * np.arange(40)[:, None]
    prior = GMMIndependentPrior.weakly_informative(X, 2, "diag")
    message = "prior must keep variances from 0 on these data"
    with pytest.warns(NoMaximumWarning), pytest.raises(ValueError, match=message):
        compare_components(X, "gmm", [2], prior, covariance_type="diag", evidence=False)


def test_chains_that_have_not_mixed_are_named(components):
    assert max(row["rhat"] for row in components.table[:2]) <= MAX_RHAT
    apart = [row | {"rhat": rhat} for row, rhat in zip(components.table, [1.0, 1.2, np.nan], strict=True)]
    assert "R-hat above 1.01 or unknown at K = 2, 3" in repr(replace(components, table=apart))
    assert "R-hat above" not in repr(replace(components, table=components.table[:2]))


def test_a_prior_without_a_map_is_welcome_where_none_is_needed():
    X, prior = np.array([[0, 0], [0, 0], [1, 1], [1, 1], [1, 0]]), BMMPrior(0.1, 0.5, 0.5)
    sizes = {"draws": 100, "tune": 100, "chains": 20, "n_init": 1}
    row = compare_components(X, "bmm", [2], prior, sampler="gibbs", evidence=False, **sizes).table[0]
    assert abs(row["chib"] - exact_posterior(X, 2, prior).log_evidence) < 4 * row["chib_se"]
    assert sweep(X, "bmm", 2, [0.1], prior, **sizes).n_occupied.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="concentration must be at least 1 for MAP"):
        compare_components(X, "bmm", [2], prior)
    too_wide = GMMPrior(0.1, [0.0, 0.0], 1.0, 3.0, np.eye(2))
    with pytest.raises(ValueError, match=r"prior.mean must have shape \(1,\)"):
        sweep(X[:, :1], "gmm", 2, prior=too_wide)


def test_a_file_of_ones_own_is_compared_and_swept(tmp_path):
    file, of_file = tmp_path / "mine.csv", ["--data", str(tmp_path / "mine.csv"), "--family", "bmm", "--trials", "3"]
    file.write_text("a,b,count\n0,1,9\n3,2,8\n1,0,5\n,3,2\n")
    commands = {
        "components.__main__": ["--sampler", "gibbs", "--no-evidence", "--max-components", "2", "--draws", "250"],
        "concentration": ["--components", "2", "--draws", "250"],
    }
    for name, options in commands.items():
        app = typer.Typer()
        app.command()(importlib.import_module(f"comparisons.{name}").main)
        result = CliRunner().invoke(app, [*of_file, *options, "--out", str(tmp_path)])
        assert result.exit_code == 0, result.output
        assert (tmp_path / f"{name.split('.')[0]}-mine.png").exists()
        refused = CliRunner().invoke(app, ["--data", str(file), "--out", str(tmp_path / "none")])
        assert (refused.exit_code, "family must be bmm" in refused.output) == (2, True)
        assert not (tmp_path / "none").exists()


def test_too_many_components_name_the_flag(tmp_path):
    app = typer.Typer()
    app.command()(importlib.import_module("comparisons.components.__main__").main)
    refused = CliRunner().invoke(app, ["--max-components", "500", "--out", str(tmp_path)])
    assert (refused.exit_code, "Error: --max-components: n_components must be" in refused.output) == (2, True)


def test_bad_input_is_named_before_any_work(data):
    with pytest.raises(ValueError, match="sampler must be one of nuts, gibbs"):
        compare_components(data, "gmm", sampler="hmc")
    with pytest.raises(ValueError, match="n_components"):
        compare_components(data, "gmm", [])
    with pytest.raises(ValueError, match="particles"):
        compare_components(data, "gmm", particles=0)
    with_gaps = data.copy()
    with_gaps[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"sampler must be 'nuts' where .* got 'gibbs'"):
        compare_components(with_gaps, "gmm", sampler="gibbs")
    with pytest.raises(ValueError, match="concentrations"):
        sweep(data, "gmm", 3, [0.0])
    with pytest.raises(ValueError, match="missing"):
        sweep(with_gaps, "gmm", 3)
    with pytest.raises(ValueError, match="chains must be a whole number of at least 2, got 1"):
        sweep(data, "gmm", 3, chains=1)
    with pytest.raises(ValueError, match="z must hold integer labels from 0 to 1, got 0 to 2"):
        n_occupied([[0, 1, 2]], 2)


def test_a_criterion_that_is_none_is_refused_with_those_that_are(components):
    with pytest.raises(ValueError, match="criterion must be one of bic, icl, elpd, log_evidence, chib, got 'aic'"):
        components.best("aic")


def test_occupied_components_have_their_exact_posterior():
    X = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1], [1, 0, 1], [0, 0, 0]])
    prior = BMMPrior(0.4, 1.0, 1.0)
    exact = exact_posterior(X, 3, prior).n_occupied
    z = gibbs(X, 3, prior, draws=2000, chains=10, random_state=0)["z"]
    of_chains = np.array([n_occupied(each, 3) for each in z])
    error = of_chains.std(axis=0, ddof=1) / np.sqrt(10)
    np.testing.assert_array_less(np.abs(of_chains.mean(axis=0) - exact), 5 * error + 1e-12)  # t with 9 degrees


def test_a_person_who_waits_sees_progress_unless_it_is_declined(data, monkeypatch, capsys):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    settings = {"sampler": "gibbs", "draws": 250, "tune": 100, "n_init": 1}
    compare_components(data[:20], "gmm", [1], progress=False, **settings)
    assert not capsys.readouterr().err
    compare_components(data[:20], "gmm", [1], **settings)
    assert "data: Gibbs sampling, K = 1" in capsys.readouterr().err
    sweep(data[:20], "gmm", 1, [1.0], draws=10, tune=10, n_init=1)
    assert "Sweep of the concentration" in capsys.readouterr().err


def test_a_sparse_prior_empties_components_and_a_strong_one_levels_them(data):
    components = sweep(data[:, :1], "gmm", 3, [0.01, 10_000.0], draws=100, tune=200, n_init=3)
    assert components.n_mean_field.tolist() == [2, 3]
    assert components.n_occupied[0, 2:].sum() > 0.95
    assert components.n_occupied[0, 2] > 0.5
    np.testing.assert_allclose(components.weights[1], 1 / 3, atol=0.02)  # sd of a weight is 0.002
    np.testing.assert_allclose(components.mean_field_weights[0, :2], [0.6, 0.4], atol=0.15)  # four sd of the share
    assert len(components.plot().axes) == 3
    assert components.to_frame()["mean_field"].tolist() == [2, 3]
    assert components.to_frame().columns.tolist() == ["concentration", "mean_field", "p(1)", "p(2)", "p(3)", "rhat"]
    assert "10000" in repr(components)
    assert "R-hat above 1.01 or unknown at 0.01, 10000" in repr(replace(components, rhat=np.array([1.3, np.nan])))
    assert "R-hat above" not in repr(replace(components, rhat=np.array([1.0, 1.01])))
