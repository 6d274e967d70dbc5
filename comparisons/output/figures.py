"""Write figures to files, and the colours that figures of comparisons share."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from comparisons.output.files import written_whole
from em.process.process_wide import without_expected_warnings

Drawings = Mapping[str, Callable[[], Any]]
EM_COLOUR, MAP_COLOUR, POSTERIOR_COLOUR, DATA_COLOUR = "#c1272d", "#e08214", "#2166ac", "0.55"


def write_figures(folder: Path, drawings: Drawings, *, dpi: int) -> None:
    """Draw figures and write them, without partial files.

    Parameters
    ----------
    folder : Path
        The folder of the files.
    drawings : dict of callable
        Functions that return a Matplotlib figure, by file name.
    dpi : int
        Dots per inch.
    """
    import matplotlib.pyplot as plt

    from em.plots.letters import lend_letters

    for name, draw in drawings.items():
        with written_whole(folder) as partial:
            figure = draw()
            lend_letters(figure)
            with without_expected_warnings:
                figure.savefig(partial / name, dpi=dpi)
            plt.close(figure)
