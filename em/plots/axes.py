"""Axes, names, notes and legends for all pictures."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.labels import label

MOST_IN_LEGEND = 7  # components


def axes_or_new(ax: Any, figsize: tuple[float, float] | None = None) -> Any:
    """Return the given axes, or the axes of a new figure for None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained", figsize=figsize)[1]


def feature_names(estimator: Any) -> list[str]:
    """Return the names of the features: those of the fit, or "feature 0" and so on if there are none."""
    named = getattr(estimator, "feature_names_in_", None)
    return [f"feature {d}" for d in range(estimator.n_features_in_)] if named is None else list(map(str, named))


def note(ax: Any, sentences: Sequence[str]) -> None:
    """Write sentences about the picture in small letters above its right end."""
    if text := "; ".join(filter(None, sentences)):
        style: dict[str, Any] = {"ha": "right", "va": "bottom", "fontsize": 8, "color": "0.35"}
        ax.annotate(text, (1, 1.005), xycoords="axes fraction", **style)


def limits(values: Any, margin: float = 0.06) -> tuple[float, float]:
    """Return the limits of an axis that shows all values except NaN."""
    seen = values[np.isfinite(values)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    step = margin * (high - low) or 0.5
    return low - step, high + step


def legend(ax: Any, **style: Any) -> None:
    """Draw the legend below the axes, where it covers nothing."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "frameon": False}
        ax.legend(ncols=min(len(labels), 3), fontsize=8, **{**place, **style})


def finish(ax: Any, names: Sequence[str], sentences: Sequence[str], n_components: int = 0) -> None:
    """Name the axes, write the notes, and draw the legend unless there are too many components."""
    ax.set(xlabel=label(names[0]), ylabel=label(names[1]))
    note(ax, sentences)
    if n_components <= MOST_IN_LEGEND:
        legend(ax)


def share(weight: float) -> str:
    """Return a weight in percent."""
    return f"{100 * weight:.3g} %"
