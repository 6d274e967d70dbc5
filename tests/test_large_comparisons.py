"""A comparison says how large it is before it draws, and ends in a verdict or in a refusal by name."""

import re
from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from typer.testing import CliRunner

from comparisons import compare, posterior
from comparisons.comparison.command import application, prepare_case
from comparisons.comparison.fits import fit
from comparisons.comparison.problem import prepare
from comparisons.comparison.size import MOST_PARAMETERS, Pace, TooLongError, n_parameters, size_of, smaller_mixtures
from comparisons.data import load
from comparisons.declarations import Case
from comparisons.gmm import GMM
from comparisons.output.progress import Progress

SETTINGS = {"chains": 2, "draws": 500, "tune": 500}


class Heard(Progress):
    """Keeps what it is told."""

    def __init__(self):
        super().__init__()
        self.sentences, self.done = [], []

    def tell(self, what):
        self.sentences.append(what)

    def advance_to(self, done, total):
        self.done.append(done)


@pytest.fixture(scope="module")
def fits():
    return fit(prepare(load("faithful").X, "gmm", 2, n_init=2, **SETTINGS))


@pytest.mark.parametrize("name", ["faithful", "lsat7", "earthquakes", "answers"])
def test_parameters_are_counted_as_the_estimator_counts_them(name):
    dataset = load(name)
    found = fit(prepare(dataset.X, dataset.family, 2, n_init=1, **dataset.options))
    assert n_parameters(found.family, found.map.parameters_.sizes) == found.mle.parameters_.n_free_parameters


def test_what_is_smaller_is_named_with_its_parameters(fits):
    """π, μ (2 x 2) and Σ: 2 x 3 full, 3 tied, 4 diag, 2 spherical; K = 1 has μ and one Σ."""
    assert smaller_mixtures(fits) == {"covariance tied": 8, "covariance diag": 9, "covariance spherical": 7, "K = 1": 5}
    assert size_of(fits).startswith("11 free parameters for 272 rows, 25 rows for each; fewer: 8 with covariance tied")
    assert size_of(replace(fits, X=np.tile(fits.X, (10, 1)))).startswith("11 free parameters for 2720 rows, 247 rows")


def paced(fits, draws_per_second, most_seconds):
    """Return what is told until all draws are done at this pace, or the refusal."""
    now, heard = [0.0], Heard()
    pace = Pace(fits, heard, most_seconds, clock=lambda: now[0])
    for done in range(0, 2001, 10):
        now[0] = 3.0 + done / draws_per_second  # three seconds before the first draw
        pace.advance_to(done, 2000)
    return heard


def test_the_time_is_told_by_the_first_hundred_draws(fits):
    heard = paced(fits, draws_per_second=20, most_seconds=120)
    assert heard.sentences == ["2000 draws will take about 2 minutes at the pace of the first 100"]
    assert heard.done[-1] == 2000


def test_draws_that_take_too_long_are_refused_with_what_would_take_less(fits):
    with pytest.raises(TooLongError, match=r"minutes must be more than 5 for 2 chains x \(500 \+ 500\) draws, which"):
        paced(fits, draws_per_second=2, most_seconds=240)
    with pytest.raises(
        TooLongError,
        match=r"about 17 minutes where 4 minutes are left for them: ask for fewer draws.* 8 with covariance tied",
    ):
        paced(fits, draws_per_second=2, most_seconds=240)
    with pytest.raises(TooLongError):  # a single draw that takes all the time is no reason to wait for a hundred
        paced(fits, draws_per_second=0.01, most_seconds=240)


def test_what_progress_raises_ends_the_chains(monkeypatch):
    class Late(Pace):
        def advance_to(self, done, total):
            raise TooLongError("too long")

    monkeypatch.setattr("comparisons.comparison.steps.Pace", Late)
    with pytest.raises(TooLongError, match="too long"):
        compare(load("coins-ten-flips").X, "bmm", 2, n_trials=10, draws=100_000, chains=2, n_init=2)


def test_too_many_parameters_are_refused_before_any_draw_and_after_ems_table(tmp_path, monkeypatch):
    monkeypatch.setattr(posterior, "sample", None)
    X = np.random.default_rng(0).normal(size=(120, 54))
    np.savetxt(tmp_path / "wide.csv", X, delimiter=",", header=",".join(f"c{d}" for d in range(54)), comments="")
    options = ["--data", str(tmp_path / "wide.csv"), "--components", "1", "--restarts", "1"]
    result = CliRunner().invoke(application("gmm"), [*options, "--out", str(tmp_path / "out")])
    text = " ".join(result.output.split())
    assert result.exit_code == 2, text
    assert MOST_PARAMETERS < 54 + 54 * 55 // 2
    assert "1539 free parameters for 120 rows, 0.078 rows for each; fewer: 108 with covariance diag" in text
    assert re.search(r"Estimates by EM, before any draw.* weights\[0\] 1 1 means\[0, c0\]", text)
    assert f"Error: parameters must be at most {MOST_PARAMETERS} to be drawn by NUTS, got 1539" in text
    assert not (tmp_path / "out").exists()


def test_every_second_of_a_command_is_in_its_line_of_times(tmp_path):
    options = ["--data", "coins-ten-flips", "--draws", "250", "--restarts", "2", "--out", str(tmp_path)]
    began = perf_counter()
    text = CliRunner().invoke(application("bmm", start=2.0), options).output
    seconds = perf_counter() - began
    ((whole, parts),) = re.findall(r"Time: ([\d.]+) s: (.*)", text)
    steps = {name: float(value) for name, value in re.findall(r"(?:^|, )([^,]*?) ([\d.]+) s", parts)}
    assert list(steps)[:3] == ["start", "imports", "EM"]
    assert list(steps)[-1] == "files and figures"
    assert float(whole) == pytest.approx(sum(steps.values()), abs=0.05 * len(steps))
    assert 0.9 * seconds < float(whole) - 2.0 < seconds + 0.1


def test_a_standard_case_may_take_any_time_and_other_data_five_minutes():
    dataset, (case, *_) = load("faithful"), GMM.cases
    given = [
        prepare_case(dataset, one, **own)
        for one, own in [(case, {}), (Case("faithful", 3), {}), (case, {"minutes": 2})]
    ]
    assert [problem.settings.minutes for problem in given] == [float("inf"), 5, 2]


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_minutes_are_positive(minutes):
    with pytest.raises(ValueError, match="minutes must be finite and greater than 0, got"):
        prepare(np.eye(3), "gmm", 1, minutes=minutes)
