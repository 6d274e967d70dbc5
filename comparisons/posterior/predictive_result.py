"""The result of a posterior predictive check: a table, and its figure."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from em.plots import axes_or_new
from models.labels import label
from models.tables import Tabular, rows_of, table_lines
from models.validation import Array

MOST_SHOWN = 40
SUSPECT = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class PredictiveCheck(Tabular):
    """Statistics of the data and of replicates; printing it shows the table, the most surprising statistics first.

    Attributes
    ----------
    names : tuple of str
        Names of the statistics, such as ``variance[0]`` or ``correlation[0, 1]``.
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
        slack = 1e-9 * np.abs(self.observed)  # rounding of sums in another order
        above, below = self.replicated > self.observed + slack, self.replicated < self.observed - slack
        return above.mean(axis=0) + 0.5 * (~above & ~below).mean(axis=0)

    @property
    def adjusted(self) -> Array:
        """P-values adjusted for the number of statistics, shape (T,).

        If the model is true, the smallest of them is at most a with a probability of at most a. The distance of a
        statistic from the mean of data and replicates, in their sd, is compared with the largest distance of any
        statistic in each replicate. No p-value is below 1 / (R + 1).
        """
        distances = self._distances()
        exceeding = distances[1:].max(axis=1)[:, None] >= distances[0]
        return (1 + exceeding.sum(axis=0)) / len(distances)

    def _distances(self) -> Array:
        """Return distances in sd from the mean of data and replicates, shape (1 + R, T), the data first."""
        every = np.vstack([self.observed, self.replicated])
        mean, sd = every.mean(axis=0), every.std(axis=0)
        varies = sd > 1e-9 * np.abs(mean)  # the minimum of many counts may be 0 in data and replicates
        return np.abs(every - mean) / np.where(varies, sd, np.inf)

    def _order(self) -> np.ndarray:
        """Return the indices of the statistics, the most surprising first."""
        return np.argsort(-self._distances()[0], kind="stable")

    @property
    def suspects(self) -> tuple[str, ...]:
        """Statistics with an adjusted p-value of at most 0.01.

        If the model is true, at most one check in a hundred has any. With fewer than 99 replicates there are none.
        """
        return tuple(np.array(self.names)[self.adjusted <= SUSPECT].tolist())

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict per statistic; ``to_frame()`` gives them as a pandas frame."""
        columns = {"statistic": self.names, "observed": self.observed, "mean": self.replicated.mean(axis=0)}
        columns |= {"sd": self.replicated.std(axis=0), "p": self.p_values, "adjusted": self.adjusted}
        return rows_of(columns)

    @property
    def status(self) -> str:
        """The conclusion, in a sentence."""
        if not self.suspects:
            return f"none of {len(self.names)} statistics is surprising"
        named = ", ".join(self.suspects[:5]) + (", ..." if len(self.suspects) > 5 else "")
        return f"{len(self.suspects)} of {len(self.names)} statistics are surprising: {named}"

    def __repr__(self) -> str:
        """The table as plain text."""
        lines, table = [["", "data", "replicates", "sd", "p", "adjusted", ""]], self.table
        for t in self._order()[:MOST_SHOWN]:
            name, *moments, sd, p, adjusted = table[t].values()
            lines.append(
                [name, *(f"{moment:.5g}" for moment in moments), f"{sd:.3g}", f"{p:.3f}", f"{adjusted:.3f}", ""]
            )
        return "\n".join([*table_lines(lines), self.status])

    def plot(self, ax: Any = None) -> Any:
        """Draw each statistic with 50 and 95 % of its replicates, in their sd around their mean; return the axes.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default None
            Where to draw; None makes a figure.
        """
        ax = axes_or_new(ax)
        shown = np.sort(self._order()[:MOST_SHOWN])
        replicated = self.replicated[:, shown]
        mean, sd = replicated.mean(axis=0), replicated.std(axis=0)
        sd = np.where(sd > 0, sd, 1.0)
        at = -np.arange(len(shown))
        for mass, width in [(0.95, 2), (0.5, 6)]:
            low, high = (np.quantile(replicated, [(1 - mass) / 2, (1 + mass) / 2], axis=0) - mean) / sd
            ax.hlines(at, low, high, color="#2166ac", alpha=0.5, linewidth=width, label=f"{mass:.0%} of replicates")
        ax.plot((self.observed[shown] - mean) / sd, at, "o", color="#c1272d", markersize=4, label="data")
        ax.set_yticks(at, [label(self.names[t]) for t in shown], fontsize=8)
        ax.set(xlabel="sd of the replicates, from their mean", title="Posterior predictive check")
        ax.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return ax
