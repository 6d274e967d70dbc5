"""Notebooks find this project, are kept without output, and define nothing; the site runs each from top to bottom."""

import ast
import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LINES_OF_A_PAGE = 30  # 810 pixels at 23 for each line, and some for what is printed
TIMEOUT = 300  # seconds per cell: a hang is caught, a busy machine is forgiven

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_a_notebook_runs_in_jupyter(tmp_path):
    """The kernel that notebooks name is there, and finds this project."""
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id in ("imports", "load-data")]
    client = NotebookClient(notebook, timeout=TIMEOUT, resources={"metadata": {"path": str(ROOT)}})
    client.execute(env={**os.environ, "IPYTHONDIR": str(tmp_path)})
    printed = [output.text for cell in notebook.cells for output in cell.get("outputs", [])]
    assert "of the total variance" in printed[-1]


@each_notebook
def test_notebook_is_kept_without_output(path):
    for cell in code_cells(path):
        assert cell.outputs == [], f"cell {cell.id} has output: strip it"
        assert cell.execution_count is None, f"cell {cell.id} has an execution count: strip it"
        assert "execution" not in cell.metadata, f"cell {cell.id} has timings: strip it"


@each_notebook
def test_notebook_defines_no_function_and_no_class(path):
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for cell in code_cells(path):
        found = [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, definitions)]
        assert found == [], f"cell {cell.id} defines something: it belongs in a module"


@each_notebook
def test_notebook_says_where_each_page_of_its_slides_begins_and_its_code_fits_there(path):
    cells, lines = nbformat.read(path, as_version=4).cells, 0
    kinds = [cell.metadata["slideshow"]["slide_type"] for cell in cells]
    assert kinds[0] == "slide"
    assert {"skip"} == {kind for cell, kind in zip(cells, kinds, strict=True) if cell.id == "imports"}
    for cell, kind in zip(cells, kinds, strict=True):
        shown = kind != "skip" and cell.cell_type == "code" and "figure" not in cell.metadata.get("tags", ())
        lines = (lines if kind == "-" else 0) + shown * len(cell.source.splitlines())
        assert lines <= LINES_OF_A_PAGE, f"cell {cell.id}: begin a page with it, or tag it as a figure"
    drawn = [cell for cell in code_cells(path) if "plt.show()" in cell.source]
    assert [cell.id for cell in drawn if cell.metadata.get("tags") != ["figure"]] == []


@each_notebook
def test_notebook_has_stable_cells_and_the_standard_kernel(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
