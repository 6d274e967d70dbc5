"""Bars are drawn where a person sees them move, and nowhere else."""

import io

import pytest
from rich.console import Console

import models.watched
from comparisons.output.progress import Bars
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
