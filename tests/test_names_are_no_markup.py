"""Names that a user chose are shown letter by letter."""

import io
import json
import re
from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
import typer
from matplotlib.figure import Figure
from rich.console import Console
from shared_comparison import compared
from stand_ins import draws_around
from typer.testing import CliRunner

import comparisons.calibration.result
import comparisons.comparison.report
import comparisons.comparison.report.plots
import comparisons.comparison.steps
import comparisons.posterior
from comparisons import concentration
from comparisons.comparison.command import application
from comparisons.components import __main__ as components_command
from comparisons.concentration import sweep
from comparisons.output.console import tell, tell_error
from comparisons.output.files import file_name
from comparisons.output.progress import Bars
from em import GaussianMixtureEM, select
from models.labels import LONGEST_LABEL, label, plain

HOSTILE = [
    "$x_{$",
    "$\\frac{1}{0$",
    "[bold]b[/]",
    ":smile:",
    "<b>&amp;",
    "a\nb",
    "\x1b[31mred",
    "c\\",
    "\u202egnp",
    "x" * 3000,
]
NUMBERS = {"comparison.json", "posterior.nc", "report.html", "samples.csv"}
FIGURES = {"data.png", "objective.png", "posterior.png", "responsibilities.png"}
ESCAPES = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\x9b\u202e]")


def samples():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(30, 2)), rng.normal(size=(30, 2)) + 6])


@pytest.fixture(autouse=True)
def few_pixels(monkeypatch):
    """Save small pictures: their texts are laid out all the same."""
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *args, **settings: save(self, *args, **settings | {"dpi": 30}))


@pytest.fixture(scope="module")
def quick():
    """Replace sampling and `find_MAP`, which take long, by stand-ins."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparisons.posterior, "sample", draws_around)
        patch.setattr(comparisons.posterior, "find_map", lambda model, start: start)
        yield


@pytest.fixture(scope="module")
def made(quick):
    return compared(samples(), "gmm", 2, draws=250, n_init=2)


@pytest.fixture(scope="module")
def comparison(made):
    return made.result


@pytest.mark.parametrize("name", HOSTILE)
def test_a_label_is_drawn_letter_by_letter(name):
    figure = Figure()
    shown = figure.suptitle(label(name))
    figure.savefig(io.BytesIO())
    drawn, is_math = shown._preprocess_math(shown.get_text())
    assert not is_math
    assert drawn == plain(name) or drawn == f"{plain(name)[: LONGEST_LABEL - 3]}..."
    assert not ESCAPES.search(drawn)


def test_every_figure_is_written_whatever_the_names(comparison, tmp_path):
    title, names = "$x_{$", ["[bold]b[/]\n\x1b[31m$", "x" * 3000]
    replace(comparison, title=title, feature_names=tuple(names)).save(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == NUMBERS | FIGURES
    written = json.loads((tmp_path / "comparison.json").read_text())
    assert (written["title"], written["feature_names"]) == (title, names)


@pytest.mark.parametrize("name", HOSTILE)
def test_the_report_shows_names_as_they_are(comparison, name):
    told = io.StringIO()
    replace(comparison, title=name, explanation=f"because of {name}").print(Console(file=told, width=10_000))
    assert f"{plain(name)}: 60 samples" in told.getvalue()
    assert f"because of {plain(name)}" in told.getvalue()
    assert not ESCAPES.search(told.getvalue())


@pytest.mark.parametrize("name", HOSTILE)
def test_sentences_errors_and_bars_show_names_as_they_are(name, capsys):
    told = io.StringIO()
    tell(Console(file=told, width=10_000), "Written to ", (name, "bold"))
    assert told.getvalue() == f"Written to {plain(name)}\n"
    tell_error("Error", f"file {name}")
    error = capsys.readouterr().err
    assert plain(name.replace("\n", " ")) in error
    assert not ESCAPES.search(error)
    shown = io.StringIO()
    bars = Bars(name, Console(file=shown, width=200, force_terminal=True, color_system=None))
    with bars.step("EM"):
        pass
    assert plain(name)[:40] in shown.getvalue() or name == "x" * 3000
    assert "\x1b[31m" not in shown.getvalue()


def test_a_command_with_hostile_columns_and_file_ends_with_its_verdict(made, tmp_path, monkeypatch):
    monkeypatch.setattr(comparisons.comparison.steps, "Densities", lambda fits: made.densities)  # compiled, same data
    file = tmp_path / "[red]$x_{$.csv"
    rows = "\n".join(",".join(map(str, row)) for row in samples().tolist())
    file.write_text(f'"$x_{{$","\x1b[31m[/]"\n{rows}\n')
    options = ["--data", str(file), "--draws", "250", "--restarts", "2", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(application("gmm"), options)
    assert "Verdict: " in result.output
    assert "[red]$x_{$: 60 samples" in result.output
    assert {file.name for file in (tmp_path / "out").iterdir()} >= NUMBERS | FIGURES
    written = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert written["notes"][0].startswith("Read [red]$x_{$.csv: 60 rows, 2 features")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "What was read" in page
    assert "Read [red]$x_{$.csv: 60 rows" in page


def test_numbers_under_the_marginals_do_not_run_together(comparison):
    figure = comparisons.comparison.report.plots.posterior_figure(comparison)
    figure.draw_without_rendering()
    for ax in figure.axes:
        low, high = ax.get_xlim()
        assert sum(low <= tick <= high for tick in ax.get_xticks()) <= 5


def test_bins_are_no_narrower_than_the_numbers_of_float64():
    narrow = 1e6 + np.spacing(1e6) * np.random.RandomState(0).randint(8, size=100)
    counts, edges = np.histogram(narrow, bins=comparisons.comparison.report.plots.n_bins(narrow))
    assert counts.sum() == 100
    assert (np.diff(edges) > 0).all()


@pytest.mark.parametrize(
    ("module", "options"),
    [
        (concentration, ["--components", "2", "--draws", "4"]),
        (components_command, ["--max-components", "1", "--sampler", "gibbs", "--no-evidence", "--draws", "250"]),
    ],
)
def test_a_command_prints_a_table_and_writes_its_figure(module, options, tmp_path, monkeypatch):
    file = tmp_path / ("$x_{$" + 50 * "long" + ".csv")
    file.write_text("a\n" + "\n".join(map(str, samples()[:, 0])) + "\n")
    if module is concentration:
        monkeypatch.setattr(concentration, "sweep", lambda X, *args, **kwargs: sweep(X, "gmm", 2, [1.0], n_init=1))
    app = typer.Typer()
    app.command()(module.main)
    result = CliRunner().invoke(app, ["--data", str(file), "--family", "gmm", *options, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert "best by this column" in result.output or "occupied components" in result.output
    assert "Written to" in result.output
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_selection_shows_settings_as_they_are():
    selection = select(samples(), GaussianMixtureEM(n_init=1, random_state=0), [1], covariance_type=["full", "diag"])
    hostile = iter(("$x_{$", "a\n\x1b[1m"))
    for candidate in selection.candidates:
        candidate.settings["covariance_type"] = next(hostile)
    selection.plot().figure.savefig(io.BytesIO())
    mpl.pyplot.close("all")
    assert not ESCAPES.search(repr(selection))
    assert len(repr(selection).splitlines()) == 4


def test_numbers_of_numpy_and_none_that_is_finite_are_written(comparison, tmp_path, monkeypatch):
    monkeypatch.setattr(comparisons.comparison.report.plots, "FIGURES", {})
    settings = replace(comparison.settings, random_state=np.int64(7), advi=np.bool_(False))
    seconds = comparison.seconds | {"EM": np.float64("nan")}
    replace(comparison, settings=settings, seconds=seconds).save(tmp_path)
    written = json.loads((tmp_path / "comparison.json").read_text())
    of_settings = written["settings"]
    assert (of_settings["random_state"], of_settings["advi"], written["seconds"]["EM"]) == (7, False, None)


@pytest.mark.parametrize("stem", ["a", "é" * 300, "../up", "a\\b", "\udcff" * 10])
def test_a_file_name_fits_a_folder(stem, tmp_path):
    name = file_name(stem, ".png")
    (tmp_path / name).write_text("")
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert name.endswith(".png")


def test_names_of_covariances_stand_whole_above_their_panels():
    name = "covariances[0, eruptions (min), eruptions (min)]"  # two such names differ at their ends only
    assert label(name) == plain(name)
