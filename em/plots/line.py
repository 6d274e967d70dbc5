"""Samples and components along one feature: a histogram, or shares of counts, with densities of the components."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from em.plots.axes import MOST_IN_LEGEND, finish, limits
from em.plots.colours import DATA, MIXTURE, component_colours
from em.process.process_wide import without_expected_warnings
from models.validation import Array

FEWEST_BINS, MOST_BINS = 20, 80
SAMPLES_PER_BIN = 6
MOST_BARS = 60
GRID = 600
FINE = 2000  # most values of samples that are added to the grid, so that no narrow component is missed

Densities = Callable[[Array], Array | None]
Ends = tuple[float, float]


def draw_line(
    ax: Any, x: Array, weights: Array, densities: Densities, *, counts: bool = False, ends: Ends | None = None
) -> None:
    """Draw a histogram of one feature, with the densities of the components.

    Parameters
    ----------
    ax : Axes
        Axes to draw on.
    x, weights : ndarray, shape (n,)
        Values, NaN if missing, and how often each counts; values of weight 0 are not drawn.
    densities : callable
        Function of values (m,) that returns π_k p(x | z = k), shape (m, K), or None if there is no density.
    counts : bool
        Whether the values are counts, which have probabilities and not densities.
    ends : tuple of float, or None
        Limits of the axis; None shows all values.
    """
    seen = ~np.isnan(x) & (weights > 0)
    x, weights = x[seen], weights[seen]
    edges = _edges_of_counts(x) if counts else _edges(x)
    ax.hist(x, bins=edges, weights=weights, density=True, color=DATA, edgecolor="white", linewidth=0.4, label="samples")
    each_count = counts and edges[1] - edges[0] == 1  # has a bar of its own
    ends = ends or ((edges[0], edges[-1]) if counts else limits(x))
    at = np.arange(np.ceil(edges[0]), edges[-1]) if counts else _grid(x, ends)
    with without_expected_warnings:
        parts = densities(at)
    if parts is not None:
        _draw_parts(ax, at, parts, ".-" if each_count else "-")
    ax.set_xlim(ends)


def _draw_parts(ax: Any, at: Array, parts: Array, form: str) -> None:
    """Draw each component's part of the density and their sum."""
    K = parts.shape[1]
    colours, named = component_colours(K), K <= MOST_IN_LEGEND
    if K > 1:
        style: dict[str, Any] = {"color": MIXTURE, "linewidth": 1.1, "linestyle": "dashed", "zorder": 5}
        ax.plot(at, parts.sum(axis=1), label="mixture", **style)
    for k in range(K):
        name = f"component {k}" if named else None
        ax.plot(at, parts[:, k], form, color=colours[k], linewidth=1.8, markersize=5, label=name, zorder=4)


def _edges(x: Array) -> Array:
    """Return the edges of the bins: NumPy's choice, kept between too coarse for two components and too fine to see."""
    least = min(FEWEST_BINS, max(1, len(x) // SAMPLES_PER_BIN))
    n_bins = int(np.clip(len(np.histogram_bin_edges(x, "auto")) - 1, least, MOST_BINS))
    return np.histogram_bin_edges(x, n_bins)


def _edges_of_counts(x: Array) -> Array:
    """Return edges between whole numbers, so that all bars hold equally many of them."""
    low, high = x.min(), x.max()
    width = np.ceil((high - low + 1) / MOST_BARS)
    return np.arange(low, high + width + 0.5, width) - 0.5


def _grid(x: Array, ends: Ends) -> Array:
    own = np.unique(x)
    return np.union1d(np.linspace(*ends, GRID), own if len(own) <= FINE else own[:: len(own) // FINE])


def line_picture(estimator: Any, ax: Any, x: Array, weights: Array, name: str, part: str, *, counts: bool) -> None:
    """Draw one feature of a mixture, with names, legend and notes, of which ``part`` is one."""
    K, cells = estimator.n_components, getattr(estimator.parameters_, "cells", None)

    def densities(values: Array) -> Array:
        x, parts = values[:, None], np.zeros((len(values), K))
        legal = np.ones(len(x), dtype=bool) if cells is None else ~cells.misfits(x, np.full(x.shape, np.inf))[:, 0]
        responsibilities, log_prob = estimator._normalised(x[legal])
        parts[legal] = responsibilities * np.exp(log_prob)[:, None]
        return parts

    draw_line(ax, x, weights, densities, counts=counts)
    n_missing = int(np.isnan(x[weights > 0]).sum())
    missing = f"not drawn: samples without a value, {n_missing:,}" if n_missing else ""
    finish(ax, [name, "share of samples" if counts else "density"], [part, missing], K)


def marks_picture(ax: Any, x: Array, weights: Array, places: Array, names: Sequence[str], name: str, part: str) -> None:
    """Draw a histogram of one feature, with a vertical line at the position of each component."""
    draw_line(ax, x, weights, lambda values: None)
    for place, colour, of_one in zip(places.tolist(), component_colours(len(places)), names, strict=True):
        ax.axvline(place, color=colour, linewidth=2.2, label=of_one)
    finish(ax, [name, "density"], [part], len(places))
