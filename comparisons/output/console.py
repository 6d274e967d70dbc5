"""Sentences on the terminal, in which nothing that a user named is markup or a control sequence."""

import re
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from em.process.labels import plain


def lines_of(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a plain table, its heads first, as lines of columns that are flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def tell(console: Console, *parts: Any) -> None:
    """Print parts side by side: text, or text and its style."""
    pairs = [part if isinstance(part, tuple) else (part, "") for part in parts]
    console.print(Text.assemble(*((plain(text), style) for text, style in pairs)), soft_wrap=True)


def tell_error(head: str, error: Any) -> None:
    """Print a bold head and what went wrong, on one line of standard error."""
    tell(Console(stderr=True), (f"{head}:", "bold red"), f" {re.sub(r'[\n\r]\s*', ' ', str(error))}")
