"""What came of a calibration: places of the truth, their test, coverage of intervals; as table, figure and files."""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import arviz_stats  # noqa: F401  # gives datasets their `azstats`
import numpy as np
import xarray as xr

from comparisons.calibration.simulations import LEVEL, World, intervals_hit
from comparisons.calibration.simulators import Chain
from comparisons.output.figures import write_figures
from comparisons.output.files import is_in_place, written_whole
from models.validation import Array

ALPHA = 0.01


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """What came of many simulations with one sampler; printing it shows the table.

    Attributes
    ----------
    sampler : str
        "NUTS" or "Gibbs".
    places : Dataset
        Place of the truth among the draws, between 0 and 1, one variable (simulation,) for each quantity.
    p_values : dict
        That a correct sampler has places no more even than these, by quantity: truncated Cauchy combinations of the
        order statistics' p-values (`arviz_stats`). They are right near 0, and never above 1/2.
    coverage : list of dict
        One row per parameter: share of the simulations whose 95 % interval holds the truth, by posterior, MLE and
        Laplace, and n_MLE and n_Laplace, how many have an interval; one that has none, such as an MLE on the edge, does
        not hold the truth. None where no simulation has one.
    ess : ndarray, shape (S,)
        Smallest bulk effective sample size of the quantities, of each simulation; of L draws that were kept.
    n_divergent : int
        Number of divergent transitions in all simulations.
    seconds : float
        What it took.
    """

    sampler: str
    places: xr.Dataset
    p_values: dict[str, float]
    coverage: list[dict[str, Any]]
    ess: Array
    n_divergent: int
    seconds: float

    @property
    def n_simulations(self) -> int:
        """Number of simulations S."""
        return self.places.sizes["simulation"]

    def passed(self, alpha: float = ALPHA, n_tests: int | None = None) -> bool:
        """Whether no quantity is uneven, with a chance of at most alpha that any of ``n_tests`` is by chance.

        Parameters
        ----------
        alpha : float, default 0.01
            Family-wise probability of a false alarm (Bonferroni).
        n_tests : int or None
            Number of tests that the alarm is for; ``None`` is the number of these.
        """
        return min(self.p_values.values()) * (n_tests or len(self.p_values)) > alpha

    def ranges(self) -> list[str]:
        """Return the least and the largest coverage over the parameters, by posterior, MLE and Laplace, as text."""
        told = []
        for kind in ("posterior", "MLE", "Laplace"):
            rates = [row[kind] for row in self.coverage if row[kind] is not None]
            told.append(f"{min(rates):.3f}-{max(rates):.3f}" if rates else "")
        return told

    def __repr__(self) -> str:
        """The table as plain text."""
        rates = {row["parameter"]: row for row in self.coverage}
        lines = [f"{'quantity':22s} {'p':>9s}   coverage: posterior    MLE  Laplace"]
        for name, p in self.p_values.items():
            rate = rates.get(name, {})
            cells = ("" if rate.get(kind) is None else f"{rate[kind]:.3f}" for kind in ("posterior", "MLE", "Laplace"))
            lines.append("{:22s} {:9.2g} {:>20s} {:>8s} {:>7s}".format(name, p, *cells).rstrip())
        least, middle = np.min(self.ess), np.median(self.ess)
        told = f"{self.sampler}, {self.n_simulations} simulations, {self.seconds:.0f} s; "
        told += f"effective sample size {middle:.0f} (median), {least:.0f} (least); {self.n_divergent} divergences"
        for kind in ("MLE", "Laplace"):
            fewest = min((row[f"n_{kind}"] for row in self.coverage if row[f"n_{kind}"]), default=self.n_simulations)
            if missing := self.n_simulations - fewest:
                share = missing / self.n_simulations
                told += (
                    f"\na missing interval counts as a miss: by {kind} up to {share:.1%} of a parameter's are missing"
                )
        return "\n".join([*lines, told])

    def plot(self) -> Any:
        """Draw how far the places' distribution functions are from uniform; return the figure.

        All curves of the figure together stay in its bands with a probability of about 0.99, if the sampler is correct.
        """
        import matplotlib.pyplot as plt

        n, names = self.n_simulations, list(self.p_values)
        x, low, high = _bands(n, ALPHA / len(names))
        rows = -(-len(names) // 4)
        fig, axes = plt.subplots(
            rows, 4, figsize=(12, 2.2 * rows), layout="constrained", sharex=True, sharey=True, squeeze=False
        )
        for ax, name in zip(axes.flat, names, strict=False):
            ax.fill_between(x, low, high, color="0.88", step="post")
            places = np.repeat(np.sort(self.places[name].to_numpy()), 2)  # just before a jump, and after
            ax.plot([0, *places, 1], [0, *(np.arange(1, 2 * n + 1) // 2 / n - places), 0], linewidth=1)
            ax.set_title(f"{name}, p = {self.p_values[name]:.2g}", fontsize=9)
        for ax in axes.flat[len(names) :]:
            ax.set_visible(False)
        fig.supxlabel("place of the truth among the draws")
        fig.supylabel("share of simulations below, minus uniform")
        return fig

    def save(self, folder: Path, stem: str) -> dict[str, str]:
        """Write table (.txt) and places (.nc, for ArviZ), then the figure (.png); each is whole or not there.

        Returns
        -------
        dict of str
            Why the figure was left out, by file name, if it was.
        """
        with ExitStack() as opened:
            with written_whole(folder, last=f"{stem}.txt", stale=(f"{stem}.txt", f"{stem}.png")) as hidden:
                xr.DataTree.from_dict({"prior_sbc": self.places}).to_netcdf(hidden / f"{stem}.nc", engine="h5netcdf")
                (hidden / f"{stem}.txt").write_text(f"{self!r}\n", encoding="utf-8")
                table = opened.enter_context((hidden / f"{stem}.txt").open("rb"))
            still_ours = partial(is_in_place, table, folder / f"{stem}.txt")
            return write_figures(folder, {f"{stem}.png": self.plot}, dpi=100, wanted=still_ours)


def summary(sampler: str, worlds: list[World], chains: list[Chain], seconds: float) -> Calibration:
    """Test the places for uniformity and count the intervals that hold the truth."""
    names = list(chains[0].places)
    places = xr.Dataset({name: ("simulation", [chain.places[name] for chain in chains]) for name in names})
    p_values = {str(name): float(p) for name, p in places.azstats.uniformity_test(dim="simulation")[0].items()}
    hits = [intervals_hit(world) for world in worlds]
    coverage = []
    for name in (name for name in names if "[" in name and not name.startswith("sorted")):
        tail = np.abs(places[name].to_numpy() - 0.5) <= LEVEL / 2
        row: dict[str, Any] = {"parameter": name, "posterior": float(tail.mean())}
        for kind in ("MLE", "Laplace"):
            there = [hit[kind][name] for hit in hits if name in hit.get(kind, {})]
            row |= {kind: sum(there) / len(hits) if there else None, f"n_{kind}": len(there)}
        coverage.append(row)
    ess = np.array([chain.ess for chain in chains])
    n_divergent = sum(chain.n_divergent for chain in chains)
    return Calibration(sampler, places, p_values, coverage, ess, n_divergent, seconds)


@lru_cache
def _bands(n: int, alpha: float) -> tuple[Array, Array, Array]:
    """Return x and simultaneous bands of the distribution function of n uniform places, minus x."""
    from arviz_stats.ecdf_utils import ecdf_pit  # `plot_ecdf_pit(method="envelope")` of arviz-plots 1.3 raises

    x, _, low, high = ecdf_pit(np.linspace(0, 1, n), 1 - alpha, n_simulations=int(10 / alpha))
    return x, low - x, high - x
