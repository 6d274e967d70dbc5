"""The benchmark runs: ours and an installed rival do the same work, a rival that is not installed is named."""

import numpy as np
import pytest
import xarray as xr
from random_mixtures import declared_density
from typer import Typer
from typer.testing import CliRunner

from benchmarks import digits, memmap, optimum
from benchmarks import em as command
from benchmarks.cases import QUICK, Case
from benchmarks.measure import measure
from benchmarks.posterior import __main__ as posterior
from benchmarks.posterior import cases as posterior_cases
from benchmarks.posterior import contestants
from benchmarks.posterior import cost as posterior_cost
from benchmarks.posterior import rivals as posterior_rivals
from em.process.blas import one_blas_thread
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


def test_digits_are_kept_and_lost_by_scikit_learn_far_from_zero(quick):
    lines = {line[0]: line[1:] for line in quick("digits")}
    assert not any("!" in line[0] for line in lines.values())
    assert "!" in lines["Gaussian, offset 1e8 spreads"][1]
    assert lines["Bernoulli, plain"][1:] == ["", "", "not installed"]


def test_a_file_that_does_not_fit_into_the_memory_allowed_gives_the_same_bits(monkeypatch):
    def in_memory_here(order, threads, module):
        if order["mapped"]:
            return command.run(order, threads, module)
        return memmap.measure(Case(*order["case"]), order["path"], order["room"], mapped=False)

    monkeypatch.setattr(memmap, "run", in_memory_here)
    assert list(memmap.table(quick=True).columns[-1].cells) == ["yes", "yes"]


def test_a_measurement_in_a_process_of_its_own_reports_time_memory_and_likelihood():
    found = command.run({"who": "ours", "case": [*vars(QUICK[0]).values()], "n_iter": 2}, threads=1)
    assert found["seconds"] > 0
    assert found["megabytes"] < 50  # 2,000 rows
    assert found["log_likelihood"] < 0


def test_quick_posterior_benchmark_prints_ratios_leaves_slow_rivals_cold_and_draws_cost(monkeypatch, tmp_path):
    """With draws made up where contestants would sample for minutes: two alike, and one that is somewhere else."""

    def made_up(order, X, start, caches):
        rng = np.random.default_rng(order["seed"])
        weights = rng.dirichlet([3, 1, 1] if order["who"] == "PyMC, defaults" else [40, 30, 30], size=(2, 200))
        noise = {name: value + 0 * rng.normal(size=(2, 200, *value.shape)) for name, value in start.items()}
        dims = ("chain", "draw", "component", "feature", "feature_bis")
        draws = {name: (dims[: array.ndim], array) for name, array in (noise | {"weights": weights}).items()}
        return {"ours": 2.0}.get(order["who"], 20.0), xr.Dataset(draws)

    monkeypatch.setattr(posterior, "run", made_up)
    monkeypatch.setattr(posterior_cost, "seconds_per_gradient", lambda n: n * 1e-7)
    monkeypatch.setattr(posterior_cost, "seconds_per_pass", lambda n: n * 1e-8)
    app = Typer()
    app.command()(posterior.main)
    result = CliRunner().invoke(app, ["--quick", "--patience", "10", "--out", str(tmp_path)], catch_exceptions=False)
    assert result.exit_code == 0
    lines = [line for line in result.output.splitlines() if "│" in line and "cold" in line]
    assert len(lines) == len(posterior.QUICK) * len(posterior.CONTESTANTS)
    for line in lines:
        assert ("10.0" in line) == ("ours" not in line)
        assert ("DISAGREE" in line) == ("defaults" in line)
    warm = [line for line in result.output.splitlines() if "│" in line and "warm" in line]
    assert len(warm) == len(posterior.QUICK)
    assert all("ours" in line for line in warm)  # rivals took longer than patience
    assert {file.name for file in tmp_path.iterdir()} == {"cost.png", "cost.csv"}


def made_up(case, who, cache, seconds, n_draws):
    """Independent draws, so that the ESS is about their number."""
    values = np.random.default_rng(n_draws).normal(size=(4, n_draws))
    return posterior.Measured(case, who, cache, seconds, xr.Dataset({"q": (("chain", "draw"), values)}))


def test_targets_are_judged_by_cold_seconds_and_by_the_worse_rate():
    small, large = posterior_cases.CASES[0], posterior_cases.CASES[2]
    measured = [
        made_up(small, "ours", "cold", 10, 500),
        made_up(small, posterior.DEFAULTS, "cold", 59, 500),
        made_up(small, posterior.JAX, "cold", 21, 500),
        made_up(large, "ours", "cold", 10, 500),
        made_up(large, "ours", "warm", 10, 500),
        made_up(large, posterior.JAX, "cold", 200, 500),
        made_up(large, posterior.JAX, "warm", 60, 500),
    ]
    slower, twice, rate = posterior.judge({(m.case, m.who, m.cache): m for m in measured})
    assert "6x less wall time" in slower
    assert "missed (5.9x)" in slower
    assert "met (2.1x)" in twice
    assert "missed (6.0x)" in rate


def rival_and_ours(case):
    """Log densities of a rival's model and of ours on the declared scale, and EM's start."""
    X = case.data()
    order = {"prior": case.prior, "K": 3, "X": X}
    family = bmm if case.family == "bmm" else gmm
    ours = family.build_marginal_model(X, 3, contestants.prior_of(order))
    models = contestants.rival_model(order), ours
    start = posterior_cases.start_of(case, X)
    return *(
        declared_density(model, [rv.name for rv in (*model.free_RVs, *model.observed_RVs)]) for model in models
    ), start


@pytest.mark.parametrize("prior", ["conjugate", "beta"])
def test_the_rivals_models_have_our_density(prior):
    """Same prior, same likelihood: log densities of the declared quantities differ by nothing."""
    theirs, ours, point = rival_and_ours(posterior_cases.Posterior(50, 3, prior))
    assert theirs(point) == pytest.approx(ours(point), rel=1e-12)


def test_the_documented_model_has_our_density_but_for_the_jacobian_of_its_cholesky_factors():
    """Σ = L L' has dΣ/dL = 2^D Π_i L_ii^(D - i + 1), i = 1..D; and the factors lead back to Σ."""
    theirs, ours, point = rival_and_ours(posterior_cases.Posterior(50, 3, "LKJ"))
    declared = posterior_rivals.with_factors(point)
    diagonals = np.diagonal(np.linalg.cholesky(point["covariances"]), axis1=1, axis2=2)
    log_jacobian = (np.log(2) + [2, 1] * np.log(diagonals)).sum()
    assert theirs(declared) == pytest.approx(ours(point) + log_jacobian, rel=1e-12)
    draws = {name: np.tile(value, (2, 5, *np.ones(value.ndim, dtype=int))) for name, value in declared.items()}
    back = posterior_rivals.with_covariances(draws)
    for name, value in point.items():
        assert np.allclose(back[name], value, rtol=1e-14, atol=1e-15)
