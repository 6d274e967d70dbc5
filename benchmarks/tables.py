"""The console that benchmarks print their tables on."""

import sys

from rich.console import Console

WIDE = 140  # columns of a table in a file, where there is no terminal


def new_console() -> Console:
    """Return a console as wide as the terminal, or 140 columns wide if the output goes to a file."""
    return Console() if sys.stdout.isatty() else Console(width=WIDE)
