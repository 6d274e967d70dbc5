"""Make the pages not written by hand: copies of ``notebooks/``, the formula sheet, and no page of a name that is gone.

Pages that run code stand beside each other in the alphabet, and Sphinx hands neighbours to one process: two processes
get seven parts of them in turn. They are dealt out instead, the slowest first, so that the parts take equally long.
"""

import re
from pathlib import Path
from typing import Any

import formula_sheet
from jupyter_cache import get_cache
from mathml import FONT

PARTS = 6  # of the seven that Sphinx makes for two processes; the last is short
SLOWEST = [
    "notebooks/05",
    "notebooks/06",
    "tutorial",
    "notebooks/07",
    "notebooks/08",
    "notebooks/02",
    "notebooks/04",
    "notebooks/03",
]
SLOWEST += ["howto/fit", "notebooks/01", "howto/large_data", "howto/posterior", "howto/other_samplers"]  # as measured
LISTED = re.compile(r"^   ((?:em|models|comparisons)\.[\w.]+)$", re.MULTILINE)


def collect(app: Any) -> None:
    """Copy each notebook into ``docs/notebooks/``, where an equal copy stays; remove copies of those that are gone."""
    folder = Path(app.srcdir) / "notebooks"
    folder.mkdir(exist_ok=True)
    sources = {path.name: path for path in (Path(app.srcdir).parent / "notebooks").glob("*.ipynb")}
    for copy in folder.glob("*.ipynb"):
        if copy.name not in sources:
            copy.unlink()
    for name, source in sources.items():
        copy = folder / name
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            copy.write_bytes(source.read_bytes())


def forget(app: Any) -> None:
    """Remove what autosummary made for names that no page of the reference lists any more."""
    folder = Path(app.srcdir) / "reference"
    listed = {name for page in folder.glob("*.md") for name in LISTED.findall(page.read_text(encoding="utf-8"))}
    for stub in (folder / "generated").glob("*.rst"):
        if stub.stem not in listed:
            stub.unlink()


def open_cache(app: Any) -> None:
    """Make the database of what has run, before two processes try to at once."""
    get_cache(app.config.nb_execution_cache_path).list_cache_records()


def deal(app: Any, env: Any, docnames: list[str]) -> None:
    """Reorder the pages to be read: deal them to six parts from left to right, then back from right to left."""

    def rank(name: str) -> tuple[int, str]:
        return next((place for place, page in enumerate(SLOWEST) if name.startswith(page)), len(SLOWEST)), name

    parts: list[list[str]] = [[] for _ in range(PARTS)]
    for number, name in enumerate(sorted(docnames, key=rank)):
        turn, place = divmod(number, PARTS)
        parts[place if turn % 2 == 0 else -1 - place].append(name)
    docnames[:] = [name for part in parts for name in part]


def print_sheet(app: Any, exception: Exception | None) -> None:
    """Write the formula sheet beside the pages; its font is that of the site."""
    if exception is None and app.builder.format == "html":
        sheet = formula_sheet.page(f"_static/{FONT}")
        (Path(app.outdir) / "formula_sheet.html").write_text(sheet, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Register the extension."""
    app.connect("builder-inited", collect)
    app.connect("builder-inited", forget)
    app.connect("builder-inited", open_cache)
    app.connect("env-before-read-docs", deal)
    app.connect("build-finished", print_sheet)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
