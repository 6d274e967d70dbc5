"""Sentences on the terminal, in which nothing that a user named is markup or a control sequence."""

import re
from typing import Any

from rich.console import Console
from rich.text import Text

from em.process.labels import plain


def tell(console: Console, *parts: Any) -> None:
    """Print parts side by side: text, or text and its style."""
    pairs = [part if isinstance(part, tuple) else (part, "") for part in parts]
    console.print(Text.assemble(*((plain(text), style) for text, style in pairs)), soft_wrap=True)


def tell_error(head: str, error: Any) -> None:
    """Print a bold head and what went wrong, on one line of standard error."""
    tell(Console(stderr=True), (f"{head}:", "bold red"), f" {re.sub(r'[\n\r]\s*', ' ', str(error))}")
