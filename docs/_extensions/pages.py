"""Make the pages not written by hand: copies of ``notebooks/``, the formula sheet, and no page of a name that is gone.

Pages that run code stand beside each other in the alphabet, and Sphinx hands neighbours to one process. They are dealt
out instead, so that with ``-j`` all processes have some.
"""

import re
from pathlib import Path
from typing import Any

import formula_sheet
from jupyter_cache import get_cache
from mathml import FONT

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
    """Reorder the pages to be read: every sixth of the alphabet, then the next ones."""
    docnames[:] = [name for first in range(6) for name in sorted(docnames)[first::6]]


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
