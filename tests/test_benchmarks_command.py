"""The benchmark runs: ours and an installed rival do the same work, a rival that is not installed is named."""

from typer import Typer
from typer.testing import CliRunner

import em.fused
from benchmarks import em as command
from benchmarks.cases import QUICK, Case
from benchmarks.measure import measure


def test_quick_benchmark_prints_a_ratio_and_names_what_is_not_installed(monkeypatch):
    def in_this_process(order, threads):
        limits = {"dgemm": 1e11, "copy": 1e10}
        return limits if order["who"] == "limits" else measure(order["who"], Case(*order["case"]), order["n_iter"])

    monkeypatch.setattr(command, "installed", lambda name: name in ("ours", "scikit-learn"))
    monkeypatch.setattr(command, "run", in_this_process)
    monkeypatch.setattr(em.fused, "COMPILING", em.fused.COMPILING)  # put back what a measurement sets
    app = Typer()
    app.command()(command.main)
    result = CliRunner().invoke(app, ["--quick", "--repeats", "1", "--iterations", "2"], catch_exceptions=False)
    assert result.exit_code == 0
    (gaussian,) = [line for line in result.output.splitlines() if "scikit-learn" in line and "│" in line]
    assert "(" in gaussian.split("scikit-learn")[1]  # a ratio with its range
    (bernoulli,) = [line for line in result.output.splitlines() if "StepMix" in line and "│" in line]
    assert "not installed" in bernoulli
    (sparse,) = [line for line in result.output.splitlines() if "sparse (" in line and "│" in line]
    assert "no rival" in sparse


def test_a_measurement_in_a_process_of_its_own_reports_time_memory_and_likelihood():
    found = command.run({"who": "ours", "case": [*vars(QUICK[0]).values()], "n_iter": 2}, threads=1)
    assert found["seconds"] > 0
    assert found["megabytes"] < 50  # 2,000 rows
    assert found["log_likelihood"] < 0
