"""The result of a calibration: ranks of the truth, their test and coverage of intervals, as table, figure and files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import arviz_stats  # noqa: F401  # gives datasets their `azstats`
import numpy as np
import xarray as xr

from comparisons.calibration.simulations import LEVEL, Simulation
from comparisons.calibration.simulators import Ranks
from comparisons.output.figures import write_figures
from comparisons.output.files import written_whole
from models.tables import table_lines
from models.validation import Array

ALPHA = 0.01
KINDS = ("posterior", "MLE", "Laplace")


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """The result of many simulations with one sampler; printing it shows the table.

    Attributes
    ----------
    sampler : str
        "NUTS" or "Gibbs".
    ranks : Dataset
        Rank of the truth among the draws, scaled to 0 to 1: one variable (simulation,) for each quantity.
    p_values : dict
        By quantity, the p-value of the test of uniformity: truncated Cauchy combinations of the order statistics'
        p-values (`arviz_stats`). They are exact near 0, and never above 1/2.
    coverage : list of dict
        One row per parameter: the share of simulations whose 95 % interval covers the truth, by posterior, MLE and
        Laplace, and the numbers of simulations with an interval, n_MLE and n_Laplace. A simulation without an interval,
        such as an MLE on the boundary, counts as not covered. None if no simulation has an interval.
    ess : ndarray, shape (S,)
        Smallest bulk effective sample size over the quantities, of the L draws of each simulation.
    n_divergent : int
        Number of divergent transitions in all simulations.
    seconds : float
        Time that the simulations took.
    """

    sampler: str
    ranks: xr.Dataset
    p_values: dict[str, float]
    coverage: list[dict[str, Any]]
    ess: Array
    n_divergent: int
    seconds: float

    @property
    def n_simulations(self) -> int:
        """Number of simulations S."""
        return self.ranks.sizes["simulation"]

    def passed(self, n_tests: int | None = None) -> bool:
        """Whether the ranks of all quantities pass the test of uniformity, with a family-wise alpha of 0.01.

        Parameters
        ----------
        n_tests : int or None
            Number of tests in the family; ``None`` takes the number of quantities.
        """
        return min(self.p_values.values()) * (n_tests or len(self.p_values)) > ALPHA

    def ranges(self) -> list[str]:
        """Return the smallest and largest coverage over the parameters as text, by posterior, MLE and Laplace."""
        rates = [[row[kind] for row in self.coverage if row[kind] is not None] for kind in KINDS]
        return [f"{min(of_kind):.3f}-{max(of_kind):.3f}" if of_kind else "" for of_kind in rates]

    def __repr__(self) -> str:
        """The table as plain text."""
        rates = {row["parameter"]: row for row in self.coverage}
        rows = [["quantity", "p", "coverage: posterior", "MLE", "Laplace", ""]]
        for name, p in self.p_values.items():
            of_name = [rates.get(name, {}).get(kind) for kind in KINDS]
            rows.append([name, f"{p:.2g}", *("" if rate is None else f"{rate:.3f}" for rate in of_name), ""])
        least, middle = np.min(self.ess), np.median(self.ess)
        sentence = f"{self.sampler}, {self.n_simulations} simulations, {self.seconds:.0f} s; "
        sentence += f"effective sample size {middle:.0f} (median), {least:.0f} (least); {self.n_divergent} divergences"
        for kind in KINDS[1:]:
            fewest = min((row[f"n_{kind}"] for row in self.coverage if row[f"n_{kind}"]), default=self.n_simulations)
            if share := 1 - fewest / self.n_simulations:
                missing = f"{kind} has none in up to {share:.1%} of the simulations of a parameter"
                sentence += f"\na parameter without an interval counts as not covered: {missing}"
        return "\n".join([*table_lines(rows), sentence])

    def plot(self) -> Any:
        """Draw the empirical distribution functions of the ranks minus that of a uniform; return the figure.

        If the sampler is correct, all curves stay inside the bands with a probability of about 0.99.
        """
        import matplotlib.pyplot as plt

        n, names = self.n_simulations, list(self.p_values)
        x, low, high = _bands(n, ALPHA / len(names))
        rows = -(-len(names) // 4)
        shape = {"figsize": (12, 2.2 * rows), "squeeze": False}
        fig, axes = plt.subplots(rows, 4, layout="constrained", sharex=True, sharey=True, **shape)
        for ax, name in zip(axes.flat, names, strict=False):
            ax.fill_between(x, low, high, color="0.88", step="post")
            ranks = np.repeat(np.sort(self.ranks[name].to_numpy()), 2)  # twice: before and after each jump
            ax.plot([0, *ranks, 1], [0, *(np.arange(1, 2 * n + 1) // 2 / n - ranks), 0], linewidth=1)
            ax.set_title(f"{name}, p = {self.p_values[name]:.2g}", fontsize=9)
        for ax in axes.flat[len(names) :]:
            ax.set_visible(False)
        fig.supxlabel("rank of the truth among the draws, from 0 to 1")
        fig.supylabel("share of simulations below, minus uniform")
        return fig

    def save(self, folder: Path, stem: str) -> None:
        """Write table (.txt) and ranks (.nc, for ArviZ), then the figure (.png), without partial files."""
        with written_whole(folder) as hidden:
            xr.DataTree.from_dict({"prior_sbc": self.ranks}).to_netcdf(hidden / f"{stem}.nc", engine="h5netcdf")
            (hidden / f"{stem}.txt").write_text(f"{self!r}\n", encoding="utf-8")
        write_figures(folder, {f"{stem}.png": self.plot}, dpi=100)


def summary(sampler: str, simulated: Sequence[Simulation], ranked: Sequence[Ranks], seconds: float) -> Calibration:
    """Test the ranks for uniformity, and count the intervals that cover the truth."""
    names = list(ranked[0].ranks)
    ranks = xr.Dataset({name: ("simulation", [of.ranks[name] for of in ranked]) for name in names})
    p_values = {str(name): float(p) for name, p in ranks.azstats.uniformity_test(dim="simulation")[0].items()}
    coverage = []
    for name in (name for name in names if "[" in name and not name.startswith("sorted")):
        inside = np.abs(ranks[name].to_numpy() - 0.5) <= LEVEL / 2
        row: dict[str, Any] = {"parameter": name, "posterior": float(inside.mean())}
        for kind in KINDS[1:]:
            there = [one.covered[kind][name] for one in simulated if name in one.covered.get(kind, {})]
            row |= {kind: sum(there) / len(simulated) if there else None, f"n_{kind}": len(there)}
        coverage.append(row)
    ess, n_divergent = np.array([of.ess for of in ranked]), sum(of.n_divergent for of in ranked)
    return Calibration(sampler, ranks, p_values, coverage, ess, n_divergent, seconds)


@lru_cache
def _bands(n: int, alpha: float) -> tuple[Array, Array, Array]:
    """Return x, and simultaneous bands of the empirical distribution function of n uniform ranks, minus x."""
    from arviz_stats.ecdf_utils import ecdf_pit  # `plot_ecdf_pit(method="envelope")` of arviz-plots 1.3 raises

    x, _, low, high = ecdf_pit(np.linspace(0, 1, n), 1 - alpha, n_simulations=int(10 / alpha))
    return x, low - x, high - x
