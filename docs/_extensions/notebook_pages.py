"""Copy ``notebooks/`` into ``docs/notebooks/``, so that Sphinx runs and shows them; a copy that is equal stays.

Pages that run code stand beside each other in the alphabet, and Sphinx hands neighbours to one process. They are dealt
out instead, so that with ``-j`` all processes have some.
"""

from pathlib import Path
from typing import Any


def collect(app: Any) -> None:
    """Copy each notebook and remove copies of those that are gone."""
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


def deal(app: Any, env: Any, docnames: list[str]) -> None:
    """Reorder the pages to be read: every sixth of the alphabet, then the next ones."""
    docnames[:] = [name for first in range(6) for name in sorted(docnames)[first::6]]


def setup(app: Any) -> dict[str, bool]:
    """Register the extension."""
    app.connect("builder-inited", collect)
    app.connect("env-before-read-docs", deal)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
