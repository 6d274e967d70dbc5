"""Figures into files: one that fails for any reason is named and left out, and nothing else is lost."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from comparisons.output.files import written_whole
from em.process.process_wide import without_expected_warnings
from em.status import FigureWarning
from models.labels import plain

Drawings = Mapping[str, Callable[[], Any]]
EM_COLOUR, MAP_COLOUR, POSTERIOR_COLOUR, DATA_COLOUR = "#c1272d", "#e08214", "#2166ac", "0.55"


def write_figures(folder: Path, drawings: Drawings, *, dpi: int) -> dict[str, str]:
    """Draw each figure and write it, whole or not at all; return a sentence on each that was left out, by file name.

    Parameters
    ----------
    folder : Path
        Where they go.
    drawings : dict of callable
        What returns a Matplotlib figure, by file name.
    dpi : int
        Dots per inch.
    """
    import matplotlib.pyplot as plt

    from em.plots.letters import lend_letters

    left_out = {}
    for name, draw in drawings.items():
        try:
            (folder / name).unlink(missing_ok=True)  # an earlier run's
            with written_whole(folder) as partial:
                figure = draw()
                try:
                    lend_letters(figure)
                    with without_expected_warnings:
                        figure.savefig(partial / name, dpi=dpi)
                finally:
                    plt.close(figure)
        except Exception as error:  # whatever it is, the numbers must not be lost to it
            why = " ".join(str(error).split())
            left_out[name] = plain(f"{name} was left out: {type(error).__name__}: {why}")
    return left_out


def warn_of(left_out: Mapping[str, str], stacklevel: int = 3) -> None:
    """Give a FigureWarning for each figure that was left out."""
    for sentence in left_out.values():
        warnings.warn(f"{sentence}; numbers were written first", FigureWarning, stacklevel=stacklevel)
