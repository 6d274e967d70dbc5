"""Print text and tables on the terminal; names given by users are never read as markup or control sequences."""

import re
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from models.labels import plain
from models.validation import Array

STYLES = {"agree": "bold green", "disagree": "bold red", "pass": "green", "FAIL": "bold red", "shown": "dim"}
STYLES |= {"right": "green", "warning": "yellow", "wrong": "bold red", "not applicable": "dim"}
LAYOUT: dict[str, Any] = {"title_justify": "left", "title_style": "bold", "caption_justify": "left"}
LAYOUT |= {"box": SIMPLE_HEAD, "padding": (0, 0), "pad_edge": False, "show_edge": False}
MOST_ROWS = 40


def unmixed_note(names: Sequence[Any], rhat: Sequence[float] | Array, at: str, what: str) -> list[str]:
    """Return a list with one note on the rows of a table whose chains have not mixed; empty if all have."""
    from comparisons.alignment.mixing import MAX_RHAT

    unmixed = [str(name) for name, value in zip(names, rhat, strict=True) if not value <= MAX_RHAT]
    where = f"{at}{', '.join(unmixed)}"
    return [f"R-hat above {MAX_RHAT} or unknown at {where}: {what} rough there, more draws are needed"][: len(unmixed)]


def tell(console: Console, *parts: Any) -> None:
    """Print parts side by side: text, or text and its style."""
    pairs = [part if isinstance(part, tuple) else (part, "") for part in parts]
    console.print(Text.assemble(*((plain(text), style) for text, style in pairs)), soft_wrap=True)


def tell_error(head: str, error: Any) -> None:
    """Print a bold head and an error on one line of standard error."""
    tell(Console(stderr=True), (f"{head}:", "bold red"), f" {re.sub(r'[\n\r]\s*', ' ', str(error))}")


def tell_read(console: Console, notes: Sequence[str]) -> None:
    """Print the notes on a file that was read: the first one in bold, the others indented below it."""
    for i, note in enumerate(notes):
        tell(console, ("  " * (i > 0) + note, "" if i else "bold"))


def table_of(section: Any, more: str) -> Table:
    """Return the table of a :class:`em.page.Section` for a terminal.

    If it has more than 40 rows, the rest is left out, and the caption says ``more`` about where to find it.
    """
    from em.page import shown_table

    cells, left_out = shown_table(section), len(section.table) - MOST_ROWS
    caption = [section.caption.rstrip("." * (left_out > 0)), f"{left_out} {more}" if left_out > 0 else ""]
    table = Table(title=Text(section.title), caption=Text("; ".join(filter(None, caption))), **LAYOUT)
    for head, side in zip(cells["heads"], cells["sides"], strict=True):
        table.add_column(Text(head), justify="right" if side else "left", no_wrap=bool(side), overflow="fold")
    for row in cells["rows"][:MOST_ROWS]:
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    return table
