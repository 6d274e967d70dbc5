"""Bars are drawn where a person sees them move, and nowhere else."""

import io

import dask.array as da
import numpy as np
import pytest
from rich.console import Console

import models.watched
from comparisons.output.progress import Bars
from em import GaussianMixtureEM, select
from em.plots import animate
from em.process.progress import track
from models.watched import is_watched


@pytest.fixture(params=["terminal", "notebook with ipywidgets", "notebook without", "file"])
def place(request, monkeypatch):
    """Return a console of each kind, and whether bars are to be seen there."""
    monkeypatch.setattr(models.watched, "find_spec", lambda name: "with " in request.param or None)
    console = Console(file=io.StringIO(), force_terminal=request.param == "terminal")
    console.is_jupyter = request.param.startswith("notebook")
    return console, request.param in ("terminal", "notebook with ipywidgets")


def test_bars_are_drawn_where_a_person_sees_them_move(place):
    console, watched = place
    assert is_watched(console) == watched
    assert Bars("faithful", console).bars.disable == (not watched)


def test_a_notebook_without_ipywidgets_is_told_nothing_and_not_warned(monkeypatch, capsys):
    monkeypatch.setattr(models.watched, "find_spec", lambda name: None)
    monkeypatch.setattr(Console, "is_jupyter", True, raising=False)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert list(track([1, 2], "fits", progress=True)) == [1, 2]
    assert capsys.readouterr() == ("", "")


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TTY_COMPATIBLE", "1")


def test_a_report_an_animation_and_a_selection_show_that_they_go_on(terminal, tmp_path, capsys):
    X = np.random.RandomState(0).normal(size=(40, 1)) + np.repeat([[0.0], [9.0]], 20, axis=0)
    fit = GaussianMixtureEM(2, n_init=1, random_state=0).fit(X, keep_path=True)
    fit.report(X, tmp_path / "fit.html")
    shown = capsys.readouterr().err
    assert "Summary and standard errors" in shown
    assert "Writing the page" in shown
    animate(fit.path_, X, tmp_path / "em.html", most_frames=2)
    assert "Drawing 2 frames" in capsys.readouterr().err
    animate(fit.path_, X, tmp_path / "em.html", most_frames=2, progress=False)
    assert not capsys.readouterr().err
    select(da.from_array(X, chunks=20), GaussianMixtureEM(n_init=1, random_state=0), [1, 2])
    shown = capsys.readouterr().err
    assert "Fitting 2 mixtures" in shown
    assert "0%" not in shown  # the number of passes is not known before
