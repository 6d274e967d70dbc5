"""How counts are drawn in a comparison: the data with what EM and the posterior say about them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from scipy.stats import binom

from comparisons.output.figures import DATA_COLOUR, EM_COLOUR, POSTERIOR_COLOUR
from em.process.labels import label


def draw_data(ax: Axes, comparison: Any) -> None:
    """One feature: frequencies of counts and fitted ones. More: profiles of success probabilities."""
    if comparison.X.shape[1] == 1:
        _draw_counts(ax, comparison)
        return
    probs = comparison.draws_of("probs")[0]
    at = np.arange(comparison.X.shape[1])
    low, mid, high = np.quantile(probs, [0.025, 0.5, 0.975], axis=0)
    for k in range(comparison.n_components):
        (line,) = ax.plot(at, comparison.reference.probs[k], "x-", linewidth=0.8, label=f"component {k}")
        ax.errorbar(
            at + 0.06 * (k + 1), mid[k], [mid[k] - low[k], high[k] - mid[k]], fmt=".", color=line.get_color(), capsize=2
        )
    ax.set(xlabel="feature", ylabel="success probability", ylim=(-0.02, 1.02))
    if len(at) <= 12:
        ax.set_xticks(at, [label(name) for name in comparison.feature_names], rotation=20)
    ax.plot([], [], "kx-", linewidth=0.8, label=comparison.reference_name)
    ax.errorbar([], [], [], fmt="k.", capsize=2, label="posterior median, 95 %")


def _draw_counts(ax: Axes, comparison: Any) -> None:
    trials = int(np.max(comparison.family.n_trials))
    counts = np.arange(trials + 1)
    observed = np.bincount(comparison.X[:, 0].astype(int), minlength=trials + 1) / len(comparison.X)
    ax.bar(counts, observed, color=DATA_COLOUR, alpha=0.5, label="observed share")
    weights, probs = comparison.draws_of("weights", "probs")
    for s in range(0, len(probs), max(1, len(probs) // 40)):
        share = binom.pmf(counts[:, None], trials, probs[s, :, 0]) @ weights[s]
        ax.plot(counts, share, color=POSTERIOR_COLOUR, alpha=0.12)
    best = comparison.reference
    share = binom.pmf(counts[:, None], trials, best.probs[:, 0]) * best.weights
    ax.plot(counts, share.sum(axis=1), "o-", color=EM_COLOUR, label=comparison.reference_name)
    ax.plot(counts, share, "--", color=EM_COLOUR, linewidth=0.8)
    ax.plot([], [], color=POSTERIOR_COLOUR, label="40 posterior draws")
    ax.set(xlabel=label(comparison.feature_names[0]), ylabel="share of samples")
