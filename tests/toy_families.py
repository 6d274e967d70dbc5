"""Families whose files stand on a page of the documentation, added from a folder of their own."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import comparisons
import em
import models

ROOMS = {"models": models, "em": em, "comparisons": comparisons}


def files_of(page):
    """Return the files of a family by their paths, as a page of the repository has them."""
    text = (Path(__file__).parents[1] / page).read_text(encoding="utf-8")
    files = dict(re.findall(r"```py(?:thon)?\n# (\S+\.py)\n(.*?)```", text, flags=re.DOTALL))
    return {path: content for path, content in files.items() if path.split("/")[0] in ROOMS}


def added(name, files, folder):
    """Write a family's files, and return its modules by room."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    for room, package in ROOMS.items():
        package.__path__.append(str(folder / room))
    importlib.invalidate_caches()
    return {room: importlib.import_module(f"{room}.{name}") for room in ROOMS}


def removed(name, folder):
    for room, package in ROOMS.items():
        package.__path__.remove(str(folder / room))
        delattr(package, name)
    for module in [m for m in sys.modules if m.split(".")[1:2] == [name]]:
        del sys.modules[module]


def toy(name, files):
    @pytest.fixture(scope="module", name=name)
    def fixture(tmp_path_factory):
        folder = tmp_path_factory.mktemp(name)
        yield added(name, files, folder)
        removed(name, folder)

    return fixture
