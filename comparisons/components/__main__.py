"""``python -m comparisons.components``."""

import typer

from comparisons.components import main

if __name__ == "__main__":
    typer.run(main)
