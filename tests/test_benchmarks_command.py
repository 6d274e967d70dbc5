"""The benchmark runs: ours and an installed rival do the same work, a rival that is not installed is named."""

import numpy as np
import pytest
import xarray as xr
from random_mixtures import declared_density
from typer import Typer
from typer.testing import CliRunner

import em.fused
from benchmarks import digits, memmap, optimum, posterior
from benchmarks import em as command
from benchmarks import posterior_contestants as contestants
from benchmarks.cases import QUICK, Case
from benchmarks.measure import measure
from em.engine import one_blas_thread
from models import bmm, gmm


@pytest.fixture
def quick(monkeypatch):
    """Return a function that runs parts of the quick benchmark in this process, rivals beside scikit-learn missing."""

    def in_this_process(order, threads, module="benchmarks.measure"):
        if module == "benchmarks.optimum":
            with one_blas_thread():
                return optimum.measure(Case(*order["case"]), order["distance"], order["repeats"])
        limits = {"dgemm": 1e11, "copy": 1e10}
        return limits if order["who"] == "limits" else measure(order["who"], Case(*order["case"]), order["n_iter"])

    for module in (command, digits):
        monkeypatch.setattr(module, "installed", lambda name: name in ("ours", "scikit-learn"))
    for module in (command, optimum):
        monkeypatch.setattr(module, "run", in_this_process)
    monkeypatch.setattr(em.fused, "COMPILING", em.fused.COMPILING)  # put back what a measurement sets
    app = Typer()
    app.command()(command.main)

    def run(part):
        options = ["--quick", "--repeats", "1", "--iterations", "2", "--only", part]
        result = CliRunner().invoke(app, options, catch_exceptions=False)
        assert result.exit_code == 0
        return [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.output.splitlines() if "│" in line]

    return run


def test_quick_benchmark_prints_a_ratio_and_names_what_is_not_installed(quick):
    by_rival = {line[1]: line for line in quick("passes")}
    assert "(" in by_rival["scikit-learn"][4]  # a ratio with its range
    assert by_rival["StepMix"][2] == by_rival["hmmlearn"][2] == "not installed"
    assert float(by_rival["no rival"][3]) > 0


def test_time_to_the_optimum_counts_every_e_step_and_compares_the_same_objective(quick):
    ((_, plain, squarem, multisecant, tol, passes, *_),) = quick("optimum")
    for cell in (squarem, multisecant):
        steps, fewer = cell.removesuffix("x)").split(" (")
        assert float(fewer) == pytest.approx(int(plain) / int(steps), abs=0.05)
    assert float(tol) < 1e-3
    assert abs(int(plain) - int(passes)) < int(plain)  # the same EM, whoever runs it


def test_digits_are_kept_by_both_forms_and_lost_by_scikit_learn_far_from_zero(quick):
    lines = {line[0]: line[1:] for line in quick("digits")}
    assert not any("!" in cell for line in lines.values() for cell in line[:2])
    assert "!" in lines["Gaussian, offset 1e8 spreads"][2]
    assert lines["Bernoulli, plain"][2:] == ["", "", "not installed"]


def test_a_file_that_does_not_fit_into_the_memory_allowed_gives_the_same_bits(monkeypatch):
    def in_memory_here(order, threads, module):
        if order["mapped"]:
            return command.run(order, threads, module)
        return memmap.measure(Case(*order["case"]), order["path"], order["room"], mapped=False)

    monkeypatch.setattr(memmap, "QUICK", memmap.QUICK[:1])
    monkeypatch.setattr(memmap, "run", in_memory_here)
    monkeypatch.setattr(em.fused, "COMPILING", em.fused.COMPILING)
    (same,) = memmap.table(quick=True).columns[-1].cells
    assert same == "yes"


def test_a_measurement_in_a_process_of_its_own_reports_time_memory_and_likelihood():
    found = command.run({"who": "ours", "case": [*vars(QUICK[0]).values()], "n_iter": 2}, threads=1)
    assert found["seconds"] > 0
    assert found["megabytes"] < 50  # 2,000 rows
    assert found["log_likelihood"] < 0


def test_quick_posterior_benchmark_prints_ratios_and_draws_cost_against_n(monkeypatch, tmp_path):
    """With draws made up where contestants would sample for minutes: two alike, and one that is somewhere else."""

    def made_up(order, X, start, caches):
        rng = np.random.default_rng(order["seed"])
        weights = rng.dirichlet([3, 1, 1] if order["who"] == "PyMC, defaults" else [40, 30, 30], size=(2, 200))
        noise = {name: value + 0 * rng.normal(size=(2, 200, *value.shape)) for name, value in start.items()}
        dims = ("chain", "draw", "component", "feature", "feature_bis")
        draws = {name: (dims[: array.ndim], array) for name, array in (noise | {"weights": weights}).items()}
        return {"ours": 2.0}.get(order["who"], 20.0), xr.Dataset(draws)

    monkeypatch.setattr(posterior, "run", made_up)
    monkeypatch.setattr(posterior, "seconds_per_gradient", lambda n: n * 1e-7)
    monkeypatch.setattr(posterior, "seconds_per_pass", lambda n: n * 1e-8)
    app = Typer()
    app.command()(posterior.main)
    result = CliRunner().invoke(app, ["--quick", "--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    lines = [line for line in result.output.splitlines() if "│" in line and "cold" in line]
    assert len(lines) == 2 * len(posterior.CONTESTANTS)
    for line in lines:
        assert ("10.0" in line) == ("ours" not in line)
        assert ("DISAGREE" in line) == ("defaults" in line)
    assert {file.name for file in tmp_path.iterdir()} == {"cost.png", "cost.csv"}


@pytest.mark.parametrize("family", ["gmm", "bmm"])
def test_the_rivals_models_have_our_density(family):
    """Same prior, same likelihood: log densities of the declared quantities differ by nothing."""
    case = posterior.Posterior(family, 50, 3)
    X = case.data()
    order = {"family": family, "K": 3, "X": X}
    point = posterior.start_of(case, X)
    rival = (contestants.mixture_of_normals if family == "gmm" else contestants.vector_of_bernoullis)(order)
    ours = {"gmm": gmm, "bmm": bmm}[family].build_marginal_model(X, 3, contestants._prior(order))
    names = [*point, "x"]
    assert declared_density(rival, names)(point) == pytest.approx(declared_density(ours, names)(point), rel=1e-12)
