"""Where benchmarks print their tables."""

import sys

from rich.console import Console

WIDE = 140  # columns of a table in a file, where no terminal says


def new_console() -> Console:
    """Return a console that is as wide as the terminal, or wide where what it prints goes to a file."""
    return Console() if sys.stdout.isatty() else Console(width=WIDE)
