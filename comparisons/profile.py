"""Draw the features of a comparison, with EM's estimates and the posterior.

A single feature is drawn as density, or as shares of its values, along a line (:func:`draw_line`). Several independent
features are drawn as profiles of each component's parameter.
"""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from comparisons.comparison.estimates import single
from comparisons.output.figures import DATA_COLOUR, EM_COLOUR, POSTERIOR_COLOUR
from em.plots.colours import component_colours
from em.plots.profiles import blocks_of, label_positions
from models.labels import label
from models.validation import Array

MOST_VALUES = 4096  # up to which each value has a bar


def draw_line(ax: Axes, comparison: Any, at: Array, marker: str = "") -> None:
    """Draw p(x | θ) of a single feature: for 40 draws, and for the reference with its parts π_k p(x | θ_k).

    Parameters
    ----------
    ax : Axes
        The axes to draw on.
    comparison : Comparison
        A comparison of data with one feature.
    at : ndarray, shape (m,)
        The values x.
    marker : str
        Matplotlib's marker at each value.
    """
    density, draws = comparison.family.log_joint(at[:, None]), comparison.stacked
    every = max(1, len(draws["weights"]) // 40)
    some = {name: array[::every] for name, array in draws.items()}
    reference = single(comparison.reference)
    of_draws, (best,) = (np.exp(density(theta)(slice(0, len(at)))) for theta in (some, reference))
    ax.plot(at, of_draws.sum(axis=1).T, color=POSTERIOR_COLOUR, alpha=0.12)
    ax.plot(at, best.sum(axis=0), marker=marker, color=EM_COLOUR, linewidth=2, label=comparison.reference_name)
    ax.plot(at, best.T, "--", color=EM_COLOUR, linewidth=0.8)
    ax.plot([], [], color=POSTERIOR_COLOUR, label="40 posterior draws")
    ax.set_xlabel(label(comparison.feature_names[0]))


def draw_profile(ax: Axes, comparison: Any) -> None:
    """Draw a single feature as observed and fitted shares of its values; several as profiles of the parameters."""
    if comparison.X.shape[1] == 1 and (values := _values(comparison)) is not None:
        observed = comparison.X[~np.isnan(comparison.X)].astype(int)
        values = np.arange(max(values.max(), observed.max()) + 1.0)
        shares = np.bincount(observed, minlength=len(values)) / len(observed)
        ax.bar(values, shares, color=DATA_COLOUR, alpha=0.5, label="observed share")
        draw_line(ax, comparison, values, marker="o")
        ax.set_ylabel("share of samples")
        return
    family, quantity = comparison.family, comparison.family.quantities[1]
    draws, best = comparison.stacked[quantity.name], getattr(comparison.reference, quantity.name)
    at, blocks = np.arange(best.shape[1]), blocks_of(comparison.reference.quantities[1], best.shape[1])
    low, mid, high = np.quantile(draws, [0.025, 0.5, 0.975], axis=0)
    for k, colour in enumerate(component_colours(comparison.n_components)):
        for number, block in enumerate(blocks):
            name = None if number else f"component {k}"
            ax.plot(block, best[k, block], "x-", color=colour, linewidth=0.8, label=name)
        errors, style = [mid[k] - low[k], high[k] - mid[k]], {"fmt": ".", "color": colour, "capsize": 2}
        ax.errorbar(at + 0.06 * (k + 1), mid[k], errors, **style)
    ax.set(xlabel="feature", ylabel=family.quantity_label)
    if quantity.support.bounded:
        ax.set_ylim(-0.02, 1.02)
    label_positions(ax, list(map(str, family.labels(comparison.feature_names)[quantity.dims[-1]])), blocks)
    ax.plot([], [], "kx-", linewidth=0.8, label=comparison.reference_name)
    ax.errorbar([], [], [], fmt="k.", capsize=2, label="posterior median, 95 %")


def _values(comparison: Any) -> Array | None:
    """Return the values of a single feature if they are countable and all cells have one size; else None."""
    family = comparison.family
    if any(np.ndim(value) == 2 for value in family.of_data.values()):
        return None
    values = family.steps.values(comparison.reference.arrays(), family.mean_size(1))
    return None if values is None or len(values[0]) > MOST_VALUES else np.asarray(values[0], dtype=np.float64)
