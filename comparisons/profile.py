"""How independent features are drawn in a comparison: the data with what EM and the posterior say about them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from comparisons.output.figures import DATA_COLOUR, EM_COLOUR, POSTERIOR_COLOUR
from em.process.labels import label
from models.validation import Array

MOST_VALUES = 4096  # that are worth a bar each


def draw_profile(ax: Axes, comparison: Any) -> None:
    """Draw one feature as observed and fitted shares of its values, more as profiles of each component's parameter."""
    family = comparison.family
    if comparison.X.shape[1] == 1 and (values := _values(comparison)) is not None:
        _draw_shares(ax, comparison, values)
        return
    quantity = family.quantities[1]
    (draws,), best = comparison.draws_of(quantity.name), getattr(comparison.reference, quantity.name)
    at = np.arange(best.shape[1])
    low, mid, high = np.quantile(draws, [0.025, 0.5, 0.975], axis=0)
    for k in range(comparison.n_components):
        (line,) = ax.plot(at, best[k], "x-", linewidth=0.8, label=f"component {k}")
        ax.errorbar(
            at + 0.06 * (k + 1), mid[k], [mid[k] - low[k], high[k] - mid[k]], fmt=".", color=line.get_color(), capsize=2
        )
    names = family.cell_names(comparison.feature_names)
    ax.set(xlabel="feature", ylabel=family.quantity_label)
    if quantity.support.bounded:
        ax.set_ylim(-0.02, 1.02)
    if len(at) <= 12:
        ax.set_xticks(at, [label(name) for name in names], rotation=20)
    ax.plot([], [], "kx-", linewidth=0.8, label=comparison.reference_name)
    ax.errorbar([], [], [], fmt="k.", capsize=2, label="posterior median, 95 %")


def _values(comparison: Any) -> Array | None:
    """Return the values that the single feature takes, where its cells have one size."""
    family = comparison.family
    size = family.mean_size(1)
    if any(np.ndim(value) == 2 for value in family.of_data.values()):
        return None
    values = family.steps.values(comparison.reference.arrays(), size)
    return None if values is None or len(values[0]) > MOST_VALUES else np.asarray(values[0], dtype=np.float64)


def _draw_shares(ax: Axes, comparison: Any, values: Array) -> None:
    family, observed = comparison.family, comparison.X[~np.isnan(comparison.X[:, 0]), 0]
    values = np.arange(max(values.max(), observed.max()) + 1)
    density = family.steps.rows(values[:, None], *family.of_data.values())

    def shares(theta: dict[str, Array]) -> Array:
        return np.exp(density.log_base[:, None] + family.steps.log_kernel(density, theta)) * theta["weights"]

    counted = np.bincount(observed.astype(int), minlength=len(values)) / len(observed)
    ax.bar(values, counted, color=DATA_COLOUR, alpha=0.5, label="observed share")
    names = family.parameter_names
    draws = dict(zip(names, comparison.draws_of(*names), strict=True))
    n_draws = len(draws["weights"])
    for s in range(0, n_draws, max(1, n_draws // 40)):
        of_draw = shares({name: array[s] for name, array in draws.items()})
        ax.plot(values, of_draw.sum(axis=1), color=POSTERIOR_COLOUR, alpha=0.12)
    best = shares(comparison.reference.arrays())
    ax.plot(values, best.sum(axis=1), "o-", color=EM_COLOUR, label=comparison.reference_name)
    ax.plot(values, best, "--", color=EM_COLOUR, linewidth=0.8)
    ax.plot([], [], color=POSTERIOR_COLOUR, label="40 posterior draws")
    ax.set(xlabel=label(comparison.feature_names[0]), ylabel="share of samples")
