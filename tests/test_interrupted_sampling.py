"""Ctrl-C while sampling keeps what was drawn."""

import gc
import os
import signal
import sys
import threading
import time

import arviz as az
import numpy as np
import pytest
import typer
import xarray as xr
from stand_ins import draws_around
from typer.testing import CliRunner

import comparisons.comparison.command
from comparisons import compare, posterior
from comparisons.comparison.command import application, interrupt_keeps_draws
from comparisons.output.flags import takes
from comparisons.output.progress import Progress
from comparisons.posterior import Interrupted, _longest, sample, sample_chain
from comparisons.posterior.densities import UnconstrainedDensity, without_c_compiler
from comparisons.posterior.nuts import Chain
from models.bmm import BMMPrior, build_marginal_model

ANSWERS = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
INSIDE = {"weights": np.ones(1), "probs": np.full((1, 2), 0.5)}


def answers_model():
    with without_c_compiler:
        return build_marginal_model(ANSWERS, 1, BMMPrior(1.0, 2.0, 2.0))


class Impatient(Progress):
    """Interrupts once so many draws are done, warm-up included."""

    def __init__(self, title):
        super().__init__()
        self.asked = False

    def advance_to(self, done, total):
        if done > 700 and not self.asked:
            self.asked = True
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def interruptible():
    """Let SIGINT interrupt, which the jobs that a shell runs in the background ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_leaves_a_file_that_arviz_reads(tmp_path, monkeypatch, interruptible):
    monkeypatch.setattr(comparisons.comparison.command, "Bars", Impatient)
    arguments = ["--data", "coins-ten-flips", "--tune", "200", "--draws", "40000", "--chains", "2"]
    result = CliRunner().invoke(application("bmm"), [*arguments, "--restarts", "2", "--out", str(tmp_path)])
    assert result.exit_code == 130, result.output
    assert "Interrupted" in result.output
    assert [file.name for file in tmp_path.iterdir()] == ["posterior.nc"]
    read = az.from_netcdf(tmp_path / "posterior.nc")
    draws = read["posterior"]["probs"].to_numpy()
    assert 0 < draws.shape[1] < 40_000
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


def test_further_interrupts_while_stopping_lose_nothing(monkeypatch):
    """Every chain is interrupted once while it is waited for or stopped."""
    begun, abort, interrupted = Chain.__init__, {}, []

    def begin(chain, *args, **settings):
        begun(chain, *args, **settings)
        abort[chain] = chain._sampler.abort

        def abort_at_second_try():
            if chain in interrupted:
                return abort[chain]()
            interrupted.append(chain)
            raise KeyboardInterrupt

        chain._sampler.abort = abort_at_second_try

    def wait(chain, unless=None):
        time.sleep(0.5)
        raise KeyboardInterrupt

    monkeypatch.setattr(Chain, "__init__", begin)
    monkeypatch.setattr(Chain, "wait", wait)
    with pytest.raises(Interrupted) as caught:
        sample(answers_model(), INSIDE, draws=10_000_000, tune=100, chains=2, seed=0)
    assert len(interrupted) == 2
    probs = caught.value.draws["posterior"]["probs"]
    assert probs.sizes["draw"] > 0
    assert np.isfinite(probs).all()


def test_chains_at_once_and_one_after_another_draw_the_same():
    """And so a chain of a calibration is one of a comparison."""
    at_once = sample(answers_model(), INSIDE, draws=20, tune=20, chains=3, seed=0)
    with without_c_compiler:
        density = UnconstrainedDensity(answers_model(), jacobian=True)
    for chain, seed in enumerate(np.random.SeedSequence(0).generate_state(3).tolist()):
        alone, stats = sample_chain(density, INSIDE, draws=20, tune=20, seed=seed)
        np.testing.assert_array_equal(alone["probs"], at_once["posterior"]["probs"][chain])
        np.testing.assert_array_equal(stats["diverging"], at_once["sample_stats"]["diverging"][chain])


def test_the_same_seed_gives_the_same_draws_and_another_gives_others():
    settings = {"draws": 20, "tune": 20, "chains": 2}
    first, again, other = (sample(answers_model(), INSIDE, seed=seed, **settings) for seed in (3, 3, 4))
    xr.testing.assert_identical(first["posterior"].to_dataset(), again["posterior"].to_dataset())
    assert (first["posterior"]["probs"] != other["posterior"]["probs"]).all()


def test_a_density_that_is_nowhere_finite_is_told_and_leaves_no_chain_behind(monkeypatch):
    calls = []

    def nowhere(self, flat):
        calls.append(threading.get_ident())
        return np.nan, np.full(self.size, np.nan)

    density = UnconstrainedDensity(answers_model(), jacobian=True)
    information = density.information(density.unconstrain(INSIDE))
    monkeypatch.setattr(UnconstrainedDensity, "information", lambda self, flat: information)
    monkeypatch.setattr(UnconstrainedDensity, "value_and_gradient", nowhere)
    with pytest.raises(RuntimeError, match=r"the density must be finite near starts .* nutpie says: .*NaN"):
        sample(answers_model(), INSIDE, draws=10, tune=10, chains=2, seed=0)
    with pytest.raises(RuntimeError, match="the density must be finite near starts"):
        sample_chain(density, INSIDE, draws=10, tune=10, seed=0)
    n_calls = len(calls)
    time.sleep(0.2)
    assert len(calls) == n_calls


@pytest.mark.parametrize(
    "bad",
    [{"draws": 0}, {"tune": 0}, {"chains": 0}, {"draws": 2.5}, {"seed": -1}, {"max_depth": 0}, {"max_depth": True}],
    ids=str,
)
def test_numbers_that_are_too_small_are_named(bad):
    ((name, value),) = bad.items()
    numbers = {"draws": 5, "tune": 5, "chains": 1, "seed": 0} | bad
    with pytest.raises(ValueError, match=f"{name} must be a whole number of at least [01], got {value}"):
        sample(answers_model(), INSIDE, **numbers)


@pytest.mark.parametrize("bad", [0, 1, -0.5, np.nan, "high", None])
def test_a_target_accept_that_is_no_probability_is_named(bad):
    with pytest.raises(ValueError, match=f"target_accept must .*{bad}"):
        sample(answers_model(), INSIDE, draws=5, tune=5, chains=1, seed=0, target_accept=bad)


def test_an_interrupt_while_garbage_is_collected_is_not_lost(interruptible):
    """JAX has such a callback, out of which no exception comes."""

    def collect(phase, info):
        if phase == "start":
            gc.callbacks.remove(collect)
            os.kill(os.getpid(), signal.SIGINT)

    @takes()
    def command():
        gc.callbacks.append(collect)
        gc.collect()
        for _ in range(100):
            time.sleep(0.05)

    before = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt):
        command()
    assert sys.unraisablehook is before


@pytest.mark.parametrize(("text", "kind"), [("in callback: KeyboardInterrupt: ", typer.Exit), ("other", RuntimeError)])
def test_an_interrupt_within_jax_ends_as_any_other(text, kind, tmp_path):
    with pytest.raises(kind) as ended, interrupt_keeps_draws(tmp_path):
        raise RuntimeError(text)
    assert getattr(ended.value, "exit_code", 130) == 130


@pytest.mark.parametrize(
    "place", [(posterior, "find_map"), (comparisons.comparison.draws, "align")], ids=["find_map", "align"]
)
def test_an_interrupt_after_sampling_keeps_the_draws(place, monkeypatch):
    call = getattr(*place)

    def stop(*args, **settings):
        monkeypatch.setattr(*place, call)
        raise KeyboardInterrupt

    monkeypatch.setattr(posterior, "sample", draws_around)
    monkeypatch.setattr(*place, stop)
    with pytest.raises(Interrupted) as caught:
        compare(ANSWERS, "bmm", 1, draws=500, tune=100, n_init=1)
    assert caught.value.draws["posterior"].sizes["draw"] == 500
