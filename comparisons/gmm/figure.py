"""Draw the data of a comparison of Gaussian mixtures, with EM's estimates and the posterior."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from comparisons.output.figures import DATA_COLOUR, EM_COLOUR, POSTERIOR_COLOUR
from comparisons.profile import draw_line
from em.plots.axes import limits
from em.plots.plane import MARGIN, draw_ellipses, show_ellipses
from models.labels import label
from models.validation import Array


def draw_data(ax: Axes, comparison: Any) -> None:
    """Draw histogram and densities of one feature, or two of more features with 1-2-3 sigma ellipses."""
    if comparison.X.shape[1] == 1:
        x = comparison.X[:, 0]
        ax.hist(x, bins=max(20, len(x) // 10), density=True, color=DATA_COLOUR, alpha=0.5)
        draw_line(ax, comparison, np.linspace(x.min() - 0.1 * np.ptp(x), x.max() + 0.1 * np.ptp(x), 400))
        ax.set_ylabel("density")
        return
    reference = comparison.reference
    spread = np.ptp(reference.means, axis=0) / np.nanstd(comparison.X, axis=0)
    shown = np.sort(np.argsort(-spread, kind="stable")[:2])  # the two features that separate the components most
    draws = comparison.stacked
    means = draws["means"][..., shown]
    matrices = comparison.family.covariance_matrices(draws)[..., shown[:, None], shown]
    best, of_best = reference.means[:, shown], reference.covariance_matrices[:, shown[:, None], shown]
    ax.plot(*comparison.X[:, shown].T, ".", color=DATA_COLOUR, markersize=4, zorder=1)
    for k in range(reference.n_components):
        draw_ellipses(ax, best[k], of_best[k], edgecolor=EM_COLOUR, linewidth=1.6)
        mean, average = means[:, k].mean(axis=0), matrices[:, k].mean(axis=0)
        draw_ellipses(ax, mean, average, edgecolor=POSTERIOR_COLOUR, linestyle="--", linewidth=1.2)
        ax.plot(*mean, "+", color=POSTERIOR_COLOUR, markersize=12)
        ax.plot(*best[k], "x", color=EM_COLOUR, markersize=9)
    columns = zip(comparison.X[:, shown].T, best.T, strict=True)
    xlim, ylim = (limits(np.append(x, centers), MARGIN) for x, centers in columns)
    ax.set(xlim=xlim, ylim=ylim)
    show_ellipses(ax)
    for s in range(0, len(means), max(1, len(means) // 40)):  # drawn last, so that a stray draw widens no axis
        for k in range(reference.n_components):
            draw_ellipses(ax, means[s, k], matrices[s, k], (2,), edgecolor=POSTERIOR_COLOUR, alpha=0.12, zorder=0.5)
    ax.plot([], [], color=EM_COLOUR, label=f"{comparison.reference_name}: 1, 2, 3 sigma")
    ax.plot([], [], "--", color=POSTERIOR_COLOUR, label="posterior mean: 1, 2, 3 sigma")
    ax.plot([], [], color=POSTERIOR_COLOUR, alpha=0.4, label="40 posterior draws: 2 sigma")
    xlabel, ylabel = (label(comparison.feature_names[d]) for d in shown)
    ax.set(xlabel="\n".join([xlabel, *_not_shown(comparison.X, shown)]), ylabel=ylabel)


def _not_shown(X: Array, shown: np.ndarray) -> list[str]:
    """Return lines about the features and the samples that two axes do not show."""
    D, n_left_out = X.shape[1], int(np.isnan(X[:, shown]).any(axis=1).sum())
    features = [f"(of {D} features, the two that separate the components most)"] * (D > 2)
    samples = [f"({n_left_out:,} of {len(X):,} samples lack one of the two and are not drawn)"] * (n_left_out > 0)
    return features + samples
