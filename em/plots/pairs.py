"""Pairs plot of more than two features: each pair in a panel of its own, each feature along the diagonal."""

from functools import partial
from itertools import permutations
from typing import Any

import numpy as np

from em.plots.axes import MOST_IN_LEGEND
from em.plots.clouds import Clouds
from em.plots.line import draw_line
from em.plots.plane import REACH, draw_plane
from em.plots.points import Points
from models.labels import label

MOST_FEATURES = 6
INCHES = 1.9  # of each panel
MOST_TICKS = 5  # fixed: a number that depends on the size of the panels would change while Matplotlib fits the layout
LONGEST, LONGEST_INSIDE = 25, 18  # characters of a name


def pairs_picture(ax: Any, points: Points, clouds: Clouds) -> Any:
    """Draw pairs of the first features, in a new figure or inside the given axes, and return all axes, shape (D, D)."""
    D = min(points.X.shape[1], MOST_FEATURES)
    axes = _new_panels(D) if ax is None else _panels_inside(ax, D)
    missing = ""
    for i, j in permutations(range(D), 2):
        missing = draw_plane(axes[i, j], points, clouds, (j, i), size=8) or missing
    for i in range(D):
        low, high = axes[i - 1, i].get_xlim()
        reach = REACH * (high - low)
        ends = low - reach, high + reach  # `show_ellipses` widens the panels no farther
        draw_line(axes[i, i], points.X[:, i], points.weights, partial(clouds.densities, d=i), ends=ends)
        axes[i, i].set_yticks([])
    names = [label(name, LONGEST if ax is None else LONGEST_INSIDE) for name in points.names]
    for i, j in np.ndindex(D, D):
        _label(axes[i, j], i, j, D, names)
    more = points.X.shape[1] - D
    left_out = f"the first {D} of {points.X.shape[1]} features" if more else ""
    notes = "; ".join(filter(None, [left_out, points.note, missing]))
    _finish(axes, ax, notes)
    align_diagonal(axes)
    return axes


def align_diagonal(axes: Any) -> None:
    """Give each panel on the diagonal the limits of its column, whose names and ticks are shown at the bottom."""
    for i in range(len(axes)):
        axes[i, i].set_xlim(axes[i - 1, i].get_xlim())


def _new_panels(D: int) -> Any:
    import matplotlib.pyplot as plt

    side = max(5.0, INCHES * D)
    return plt.subplots(D, D, figsize=(side, side), layout="constrained", squeeze=False)[1]


def _panels_inside(ax: Any, D: int) -> Any:
    """Return axes in rows and columns inside the given axes, which show nothing else."""
    ax.set_axis_off()
    side, axes = 1 / D, np.empty((D, D), dtype=object)
    for i, j in np.ndindex(D, D):
        axes[i, j] = ax.inset_axes((j * side, 1 - (i + 1) * side, 0.92 * side, 0.92 * side))
    return axes


def _label(panel: Any, i: int, j: int, D: int, names: list[str]) -> None:
    panel.tick_params(labelsize=8)
    panel.locator_params(nbins=MOST_TICKS)
    panel.tick_params(labelbottom=i == D - 1, labelleft=j == 0 and i > 0)
    panel.set_xlabel(names[j] if i == D - 1 else "", fontsize=8)
    panel.set_ylabel(names[i] if j == 0 else "", fontsize=8)


def _finish(axes: Any, ax: Any, notes: str) -> None:
    """Write the notes, and the legend unless there are too many components."""
    figure = axes[0, 0].figure
    if ax is not None:
        ax.set_title(notes, fontsize=8, color="0.35")
        return
    if notes:
        figure.suptitle(notes, fontsize=8, color="0.35")
    handles, labels = axes[0, 1].get_legend_handles_labels()
    if len(labels) <= MOST_IN_LEGEND:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 3), fontsize=8, frameon=False)
