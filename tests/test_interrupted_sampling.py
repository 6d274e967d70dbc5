"""Ctrl-C while sampling keeps what was drawn."""

import os
import signal

import arviz as az
import numpy as np
import pytest
from typer.testing import CliRunner

import comparisons.command
from comparisons.command import application
from comparisons.posterior import _longest
from comparisons.progress import Silent


class Impatient(Silent):
    """Interrupts once so many draws are done, warm-up included."""

    def __init__(self, title):
        self.asked = False

    def advance_to(self, done):
        if done > 700 and not self.asked:
            self.asked = True
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_leaves_a_file_that_arviz_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(comparisons.command, "Bars", Impatient)
    arguments = ["--data", "coins-ten-flips", "--tune", "200", "--draws", "100000", "--chains", "2"]
    result = CliRunner().invoke(application("bmm"), [*arguments, "--restarts", "2", "--out", str(tmp_path)])
    assert result.exit_code == 130, result.output
    assert "Interrupted" in result.output
    assert [file.name for file in tmp_path.iterdir()] == ["posterior.nc"]
    read = az.from_netcdf(tmp_path / "posterior.nc")
    draws = read["posterior"]["probs"].to_numpy()
    assert 0 < draws.shape[1] < 100_000
    assert np.isfinite(draws).all()
    assert read["log_likelihood"]["x"].shape[:2] == draws.shape[:2]
    assert "interrupted" in read.attrs["note"]
    assert read["alignment"]["order"].shape[:2] == draws.shape[:2]


@pytest.mark.parametrize(
    ("done", "kept", "length"),
    [([5, 5], [0, 1], 5), ([5, 1], [0], 5), ([4, 3, 0], [0, 1], 3), ([0, 0], [], 0), ([], [], 0)],
    ids=str,
)
def test_the_largest_block_of_whole_draws_is_kept(done, kept, length):
    found, n = _longest(np.array(done, dtype=int))
    assert (found.tolist(), n) == (kept, length)
