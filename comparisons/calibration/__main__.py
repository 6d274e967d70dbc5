"""``python -m comparisons.calibration``."""

import typer

from comparisons.calibration import main

if __name__ == "__main__":
    typer.run(main)
