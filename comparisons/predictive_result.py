"""What a posterior predictive check found: a table that prints itself, and its picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from em.plots import axes_or_new
from models.validation import Array

MOST_SHOWN = 40
SUSPECT = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class PredictiveCheck:
    """Statistics of the data among those of replicates; printing it shows the table, the most surprising first.

    Attributes
    ----------
    names : tuple of str
        Such as ``variance[0]`` or ``correlation[0, 1]``.
    observed : ndarray, shape (T,)
        Statistics of the data.
    replicated : ndarray, shape (R, T)
        Statistics of the replicates.
    """

    names: tuple[str, ...]
    observed: Array
    replicated: Array

    @property
    def p_values(self) -> Array:
        """P(T(X_rep) > T(X)) + 1/2 P(T(X_rep) = T(X)), shape (T,)."""
        slack = 1e-9 * np.abs(self.observed)  # sums in another order are no difference
        above, below = self.replicated > self.observed + slack, self.replicated < self.observed - slack
        return above.mean(axis=0) + 0.5 * (~above & ~below).mean(axis=0)

    @property
    def two_sided(self) -> Array:
        """2 min(p, 1 - p), shape (T,)."""
        return 2 * np.minimum(self.p_values, 1 - self.p_values)

    @property
    def suspects(self) -> tuple[str, ...]:
        """Statistics further out than any of 99 % of the replicates, in sd from the replicates' mean.

        A replicate's furthest statistic is the measure, so that of a true model one check in a hundred has suspects,
        however many statistics there are and whatever their dependence. It takes a hundred replicates or more.
        """
        mean, sd = self.replicated.mean(axis=0), self.replicated.std(axis=0)
        sd = np.maximum(sd, 1e-9 * np.maximum(np.abs(mean), 1e-300))  # the least of many counts is 0 in every replicate
        furthest = np.quantile(np.abs((self.replicated - mean) / sd).max(axis=1), 1 - SUSPECT)
        return tuple(np.array(self.names)[np.abs((self.observed - mean) / sd) > furthest].tolist())

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict per statistic, as ``pandas.DataFrame(check.table)`` takes them."""
        mean, sd = self.replicated.mean(axis=0), self.replicated.std(axis=0)
        columns = (self.names, self.observed.tolist(), mean.tolist(), sd.tolist(), self.p_values.tolist())
        heads = ("statistic", "observed", "mean", "sd", "p")
        return [dict(zip(heads, row, strict=True)) for row in zip(*columns, strict=True)]

    @property
    def status(self) -> str:
        """What follows, in words."""
        if not self.suspects:
            return f"none of {len(self.names)} statistics is surprising"
        told = ", ".join(self.suspects[:5]) + (", ..." if len(self.suspects) > 5 else "")
        return f"{len(self.suspects)} of {len(self.names)} statistics are surprising: {told}"

    def __repr__(self) -> str:
        """The table as plain text."""
        rows = [self.table[t] for t in np.argsort(self.two_sided, kind="stable")[:MOST_SHOWN]]
        width = max(len(row["statistic"]) for row in rows)
        lines = [
            f"{row['statistic']:{width}s} {row['observed']:11.5g} {row['mean']:11.5g} {row['sd']:11.3g} {row['p']:8.3f}"
            for row in rows
        ]
        head = f"{'':{width}s} {'data':>11s} {'replicates':>11s} {'sd':>11s} {'p':>8s}"
        return "\n".join([head, *lines, self.status])

    def plot(self, ax: Any = None) -> Any:
        """Draw each statistic, in sd of its replicates about their mean, with 50 and 95 % of them, and return the axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default None
            Where to draw; None makes a figure.
        """
        ax = axes_or_new(ax)
        shown = np.sort(np.argsort(self.two_sided, kind="stable")[:MOST_SHOWN])
        replicated = self.replicated[:, shown]
        mean, sd = replicated.mean(axis=0), replicated.std(axis=0)
        sd = np.where(sd > 0, sd, 1.0)
        at = -np.arange(len(shown))
        for mass, width in [(0.95, 2), (0.5, 6)]:
            low, high = (np.quantile(replicated, [(1 - mass) / 2, (1 + mass) / 2], axis=0) - mean) / sd
            ax.hlines(at, low, high, color="#2166ac", alpha=0.5, linewidth=width, label=f"{mass:.0%} of replicates")
        ax.plot((self.observed[shown] - mean) / sd, at, "o", color="#c1272d", markersize=4, label="data")
        ax.set_yticks(at, [self.names[t] for t in shown], fontsize=8)
        ax.set(xlabel="sd of the replicates, from their mean", title="Posterior predictive check")
        ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return ax
