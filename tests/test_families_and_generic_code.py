"""A family imports no other family, and generic code imports none, in any file of any room."""

import ast
from pathlib import Path

import pytest

import comparisons
import em
import models
from em.families import family_names

ROOMS = {room.__name__: Path(room.__file__).parent for room in (models, em, comparisons)}
PUBLIC_NAMES = "em/__init__.py"  # which gives the estimators their short names
OF_GAUSSIANS = {"models/distributions/lkj_covariance.py"}
FAMILIES = set(family_names())


def families_imported(file):
    """Return the families whose packages a file imports, in its code."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] in ROOMS and len(part) > 1 and part[1] in FAMILIES}


@pytest.mark.parametrize("room", ROOMS)
def test_only_a_familys_own_folder_imports_it(room):
    found = {}
    for file in ROOMS[room].rglob("*.py"):
        path = file.relative_to(ROOMS[room].parent)
        if foreign := families_imported(file) - set(path.parts):
            found[path.as_posix()] = foreign
    expected = {path for path in {PUBLIC_NAMES, *OF_GAUSSIANS} if path.startswith(f"{room}/")}
    assert set(found) == expected, found
    assert all(found[path] == {"gmm"} for path in expected & OF_GAUSSIANS)
