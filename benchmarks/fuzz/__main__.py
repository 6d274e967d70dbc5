"""``python -m benchmarks.fuzz``."""

import typer

from benchmarks.fuzz.command import main

if __name__ == "__main__":
    typer.run(main)
