"""A figure of information criteria against the number of components, a line for each structure and criterion."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from em.plots.axes import axes_or_new, legend
from em.plots.colours import component_colours
from em.selection.result import CRITERIA, Candidate, Selection, best_by, n_components_of, structure_of
from models.labels import label
from models.shown import shown

FORMS = (".-", ".--", ".:")


def draw_criteria(selection: Selection, ax: Any, criteria: Sequence[str]) -> Any:
    """Draw the figure of :meth:`em.selection.Selection.plot`: structures differ in colour, criteria in line style."""
    if not criteria or (unknown := [name for name in criteria if name not in CRITERIA]):
        given = shown(unknown[0]) if criteria else "none"
        raise ValueError(f"criteria must be some of {', '.join(CRITERIA)}, got {given}")
    ax = axes_or_new(ax)
    lines: dict[str, list[Candidate]] = {}
    for candidate in selection.candidates:
        lines.setdefault(structure_of(candidate), []).append(candidate)
    several, colours = len(criteria) > 1, component_colours(len(lines))
    for number, (structure, candidates) in enumerate(lines.items()):
        for criterion, form in zip(criteria, FORMS, strict=False):
            name = ", ".join(filter(None, [structure, criterion.upper() if several else ""]))
            points = sorted((n_components_of(c), getattr(c, criterion)) for c in candidates if c.has_maximum)
            ax.plot(*np.reshape(points, (-1, 2)).T, form, color=colours[number], label=label(name))
        missing = [n_components_of(c) for c in candidates if not c.has_maximum]
        bottom = [0.02 * (number + 1)] * len(missing)
        ax.plot(missing, bottom, "x", color=colours[number], transform=ax.get_xaxis_transform())
    for criterion in criteria:
        if (best := best_by(selection.candidates, criterion)) is not None:
            size = 12 if criterion == selection.criterion else 8
            at = n_components_of(best), getattr(best, criterion)
            ax.plot(*at, "o", markersize=size, fillstyle="none", color="black")
    ax.set(xlabel="number of components", ylabel=f"{', '.join(map(str.upper, criteria))} (smaller is better)")
    ax.xaxis.get_major_locator().set_params(integer=True)
    if several and selection.best is not None:
        K = n_components_of(selection.best)
        ax.axvline(K, color="0.6", linewidth=1, zorder=0)
        ax.set_title(f"{selection.criterion.upper()} chooses K = {K}", fontsize=10)
    if len(lines) > 1 or several:
        legend(ax)
    return ax
