"""``python -m comparisons``: one line and one verdict per case."""

import json

import pytest
import typer
from typer.testing import CliRunner

from comparisons.__main__ import main


@pytest.fixture
def app():
    app = typer.Typer()
    app.command()(main)
    return app


def test_a_case_gets_its_line_its_verdict_and_its_files(app, tmp_path):
    arguments = ["--only", "coins-ten-flips", "--draws", "500", "--tune", "250", "--out", str(tmp_path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.output.splitlines() if line.strip()]
    assert "coins-ten-flips" in line
    assert "agree" in line
    assert "as declared" in line
    written = json.loads((tmp_path / "coins-ten-flips-2" / "comparison.json").read_text())
    assert "truth within the posterior" in [check["name"] for check in written["checks"]]


def test_an_unknown_case_is_bad_input(app, tmp_path):
    result = CliRunner().invoke(app, ["--only", "faithful,geyser", "--out", str(tmp_path / "new")])
    assert result.exit_code == 2
    assert "geyser" in result.output
    assert not (tmp_path / "new").exists()
