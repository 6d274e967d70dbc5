"""Components of independent features: the parameter of each component by feature, beside that of all samples."""

from typing import Any

import numpy as np

from em.plots.axes import legend, share
from em.plots.colours import DATA, component_colours
from models.labels import label, plain
from models.parameters import Quantity
from models.validation import Array

MOST_PLACES = 40  # along the axis, beyond which a map is read better than lines
MOST_LINES = 8
MOST_NAMES = 40
SHORT = 24  # characters of a name
INCHES_OF_LETTER = 0.085
WIDE_RANGE = 50.0  # ratio of the largest to the smallest value from which on a scale is logarithmic
LEAST_SHOWN = 100.0  # times smaller than the smallest of all samples: less is drawn there on a logarithmic scale
EMPTY = 1e-8


def profile_picture(estimator: Any, ax: Any, names: list[str], pooled: Any) -> None:
    """Draw the components' own quantity: lines over features, or a map where there are many.

    Parameters
    ----------
    estimator : MixtureEM or VariationalMixture
        Fitted.
    ax : Axes
        Where to draw.
    names : list of str
        What the places along the axis are called: features, or levels of items.
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
    if len(names) > MOST_PLACES or len(values) > MOST_LINES:
        _draw_map(ax, values, of_all, quantity, theta.weights, "log" if logarithmic else "linear")
    else:
        _draw_lines(ax, values, of_all, blocks, theta.weights)
        ax.set_ylabel(_title(theta, quantity))
        if quantity.support.bounded:
            ax.set_ylim(-0.02, 1.02)
        elif logarithmic:
            ax.set_yscale("log")
        legend(ax, **{} if len(names) <= 3 else {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)})
    name_places(ax, names, blocks)


def _title(theta: Any, quantity: Quantity) -> str:
    size = theta.cells.size_name
    return quantity.name if quantity.support.bounded or not size else f"{quantity.name} per unit of {size}"


def blocks_of(quantity: Quantity, n_places: int) -> list[np.ndarray]:
    """Return the places that belong together: the levels of an item, or all features."""
    sizes = getattr(quantity.support, "sizes", None) or (n_places,)
    return np.split(np.arange(n_places), np.cumsum(sizes)[:-1])


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
    """Whether positive numbers are so different that only their logarithms are seen beside each other."""
    if quantity.support.least < 0 or quantity.support.bounded or not of_all.min() > 0:
        return False
    return bool(of_all.max() > WIDE_RANGE * of_all.min())


def _draw_map(ax: Any, values: Array, of_all: Array | None, quantity: Quantity, weights: Array, scale: str) -> None:
    """Draw the values as colours, a row for each component, and one for all samples."""
    rows = values if of_all is None else np.vstack([values, of_all])
    bounds: dict[str, Any] = {"vmin": 0.0, "vmax": 1.0} if quantity.support.bounded else {}
    image = ax.imshow(rows, norm=scale, aspect="auto", cmap="viridis", interpolation="nearest", **bounds)
    ax.figure.colorbar(image, ax=ax, label=quantity.name, pad=0.02)
    heads = [f"component {k}: {share(weight)}" for k, weight in enumerate(weights.tolist())]
    ax.set_yticks(range(len(rows)), heads if of_all is None else [*heads, "all samples"], fontsize=8)


def _shortened(name: str) -> str:
    """Return a name without its middle where it is long: its end may be the level of an item."""
    return name if len(name) <= SHORT else f"{name[: SHORT // 2]}...{name[3 - SHORT // 2 :]}"


def name_places(ax: Any, names: list[str], blocks: list[np.ndarray]) -> None:
    """Write names below the axis, of many every second or third, with a line between blocks."""
    every = max(1, -(-len(names) // MOST_NAMES))
    shown = [label(_shortened(plain(name))) for name in names[::every]]
    crowded = max(map(len, shown)) * len(shown) * INCHES_OF_LETTER > 0.8 * ax.figure.get_figwidth()
    style: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if crowded else {}
    ax.set_xticks(range(0, len(names), every), shown, fontsize=8 if crowded else 9, **style)
    for block in blocks[1:]:
        ax.axvline(block[0] - 0.5, color="0.6", linewidth=0.8, linestyle=":")
    ax.set_xlim(-0.6, len(names) - 0.4)
