"""Profiles of components with independent features: their parameters by feature, beside those of all samples."""

from typing import Any

import numpy as np

from em.plots.axes import legend, share
from em.plots.colours import DATA, component_colours
from models.labels import label, plain
from models.parameters import Quantity
from models.validation import Array

MOST_POSITIONS = 40  # along the axis; with more, a map is easier to read than lines
MOST_LINES = 8
MOST_NAMES = 40
SHORT = 24  # characters of a name
INCHES_OF_LETTER = 0.085
WIDE_RANGE = 50.0  # ratio of the largest to the smallest value above which the scale is logarithmic
LEAST_SHOWN = 100.0  # a logarithmic scale ends so many times below the smallest value of all samples
EMPTY = 1e-8


def profile_picture(estimator: Any, ax: Any, names: list[str], pooled: Any) -> None:
    """Draw the components' quantity, such as rates: lines over the features, or a map if there are many.

    Parameters
    ----------
    estimator : MixtureEM or VariationalMixture
        Fitted.
    ax : Axes
        Axes to draw on.
    names : list of str
        Names along the axis: features, or levels of items.
    pooled : Parameters or None
        The parameters of a single component fitted to all samples.
    """
    theta = estimator.parameters_
    quantity = theta.quantities[1]
    values, blocks = getattr(theta, quantity.name), blocks_of(quantity, len(names))
    of_all: Any = None if pooled is None else getattr(pooled, quantity.name)[0]
    logarithmic = of_all is not None and _is_wide(of_all, quantity)
    if logarithmic:
        values = np.maximum(values, of_all.min() / LEAST_SHOWN)
    if len(names) > MOST_POSITIONS or len(values) > MOST_LINES:
        _draw_map(ax, values, of_all, quantity, theta.weights, "log" if logarithmic else "linear")
    else:
        _draw_lines(ax, values, of_all, blocks, theta.weights)
        ax.set_ylabel(_title(theta, quantity))
        if quantity.support.bounded:
            ax.set_ylim(-0.02, 1.02)
        elif logarithmic:
            ax.set_yscale("log")
        legend(ax, **{} if len(names) <= 3 else {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)})
    label_positions(ax, names, blocks)


def _title(theta: Any, quantity: Quantity) -> str:
    size = theta.cells.size_name
    return quantity.name if quantity.support.bounded or not size else f"{quantity.name} per unit of {size}"


def blocks_of(quantity: Quantity, n_positions: int) -> list[np.ndarray]:
    """Return the positions on the axis in blocks: the levels of each item, or one block of all features."""
    sizes = getattr(quantity.support, "sizes", None) or (n_positions,)
    return np.split(np.arange(n_positions), np.cumsum(sizes)[:-1])


def _draw_lines(ax: Any, values: Array, of_all: Array | None, blocks: list[np.ndarray], weights: Array) -> None:
    K = len(values)
    colours, aside = component_colours(K), np.linspace(-0.12, 0.12, K) if K > 1 else np.zeros(1)
    if of_all is not None:
        ax.bar(np.arange(len(of_all)), of_all, width=0.8, color=DATA, alpha=0.6, label="all samples", zorder=1)
    for k in np.flatnonzero(weights > EMPTY).tolist():
        for number, block in enumerate(blocks):
            name = f"component {k}: {share(weights[k])}" if number == 0 else None
            style: dict[str, Any] = {"color": colours[k], "linewidth": 1.2, "markersize": 5, "zorder": 3}
            ax.plot(block + aside[k], values[k, block], "o-", label=name, **style)


def _is_wide(of_all: Array, quantity: Quantity) -> bool:
    """Whether values are positive and so different that a linear scale would hide the small ones."""
    if quantity.support.least < 0 or quantity.support.bounded or not of_all.min() > 0:
        return False
    return bool(of_all.max() > WIDE_RANGE * of_all.min())


def _draw_map(ax: Any, values: Array, of_all: Array | None, quantity: Quantity, weights: Array, scale: str) -> None:
    """Draw the values as colours, with a row for each component and one for all samples."""
    rows = values if of_all is None else np.vstack([values, of_all])
    bounds: dict[str, Any] = {"vmin": 0.0, "vmax": 1.0} if quantity.support.bounded else {}
    image = ax.imshow(rows, norm=scale, aspect="auto", cmap="viridis", interpolation="nearest", **bounds)
    ax.figure.colorbar(image, ax=ax, label=quantity.name, pad=0.02)
    heads = [f"component {k}: {share(weight)}" for k, weight in enumerate(weights.tolist())]
    ax.set_yticks(range(len(rows)), heads if of_all is None else [*heads, "all samples"], fontsize=8)


def _shortened(name: str) -> str:
    """Shorten a long name in the middle, because its end may be the level of an item."""
    return name if len(name) <= SHORT else f"{name[: SHORT // 2]}...{name[3 - SHORT // 2 :]}"


def label_positions(ax: Any, names: list[str], blocks: list[np.ndarray]) -> None:
    """Write names below the axis, only some if they are many, and draw a line between blocks."""
    every = max(1, -(-len(names) // MOST_NAMES))
    shown = [label(_shortened(plain(name))) for name in names[::every]]
    crowded = max(map(len, shown)) * len(shown) * INCHES_OF_LETTER > 0.8 * ax.figure.get_figwidth()
    style: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    ax.set_xticks(range(0, len(names), every), shown, fontsize=8 if crowded else 9, **style)
    for block in blocks[1:]:
        ax.axvline(block[0] - 0.5, color="0.6", linewidth=0.8, linestyle=":")
    ax.set_xlim(-0.6, len(names) - 0.4)
