"""The benchmark runs: ours and an installed rival do the same work, a rival that is not installed is named."""

import pytest
from typer import Typer
from typer.testing import CliRunner

import em.fused
from benchmarks import digits, memmap, optimum
from benchmarks import em as command
from benchmarks.cases import QUICK, Case
from benchmarks.measure import measure
from em.engine import one_blas_thread


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
    ((_, plain, squarem, fewer, tol, passes, *_),) = quick("optimum")
    assert float(fewer) == pytest.approx(int(plain) / int(squarem), abs=0.05)
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
