"""The result of a comparison: everything that was computed, and methods that print, draw and write it."""

from dataclasses import dataclass
from os import PathLike
from typing import Any

import xarray as xr
from matplotlib.figure import Figure

from comparisons.comparison import report
from comparisons.comparison.checks import Check
from comparisons.comparison.estimates import stack
from comparisons.comparison.fits import Fits
from comparisons.comparison.report.page import write_report
from comparisons.comparison.report.plots import drawings_of
from em.process.process_wide import without_expected_warnings
from models.shown import shown
from models.tables import Tabular, rows_of
from models.validation import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison(Fits, Tabular):
    """The result of a comparison. Data, family, prior, settings and EM's fits are attributes too.

    Attributes
    ----------
    checks : tuple of Check
        The checks, in the order in which they were made.
    verdict, explanation : str
        "agree", "disagree", "inconclusive", "not identified" or "no maximum", and why.
    posterior : DataTree
        Draws aligned to the MAP, with components in the order of ``reference``; log_likelihood, sample_stats and
        observed_data.
    unaligned : Dataset
        The draws before alignment.
    estimates : list of dict
        One row per parameter: truth, MLE, MAP, posterior mean, sd, gaps in sd, R-hat, ESS.
    spreads : list of dict
        One row per parameter: mean and sd by MLE, Laplace, mean field, ADVI and NUTS, and the methods that understate
        NUTS's sd.
    responsibilities : dict of ndarray
        "em" (plug-in), "posterior mean", "posterior sd", each (n, K).
    seconds : dict
        Time of each step, in order; on the command line also of the steps before and after the comparison.
    """

    checks: tuple[Check, ...]
    verdict: str
    explanation: str
    posterior: xr.DataTree
    unaligned: xr.Dataset
    estimates: list[dict[str, Any]]
    spreads: list[dict[str, Any]]
    responsibilities: dict[str, Array]
    seconds: dict[str, float]

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Tables for `to_frame`: "estimates", "checks", "spreads", "samples"; for a random sample also "all rows"."""
        tables = {"estimates": self.estimates, "checks": [vars(c) for c in self.checks], "spreads": self.spreads}
        tables["samples"] = self.samples
        return tables | ({"all rows": self.all_rows_estimates} if self.all_rows is not None else {})

    @property
    def samples(self) -> list[dict[str, Any]]:
        """One row per sample: its label in the data, and its component.

        ``component`` is the most probable one by EM, at the reference; ``em_0``, ... are EM's responsibilities, and
        ``posterior_mean_0``, ..., ``posterior_sd_0``, ... their posterior means and standard deviations.
        """
        columns = {"row": self.row_labels, "component": self.responsibilities["em"].argmax(axis=1)}
        for kind, of_kind in self.responsibilities.items():
            columns |= {f"{kind.replace(' ', '_')}_{k}": of_kind[:, k] for k in range(self.n_components)}
        return rows_of(columns)

    @property
    def reference_name(self) -> str:
        """Name of the reference in figures."""
        return "MLE (EM)" if self.reference is self.mle.parameters_ else "MAP (EM)"

    @property
    def stacked(self) -> dict[str, Array]:
        """The aligned draws by name, shapes (chain * draw, ...)."""
        return stack(self.posterior["posterior"].to_dataset())

    def save(self, folder: Any) -> None:
        """Write ``comparison.json``, the posterior and figures into ``folder``, each replaced atomically.

        Raises
        ------
        ValueError
            If the folder cannot be written to.
        """
        report.save(self, folder)

    def print(self, console: Any = None, *, verbose: bool = False) -> None:
        """Print the verdict and the tables; ``verbose`` adds the reason for each tolerance, and explains words."""
        report.print_report(self, console, verbose)

    def plot(self, name: str = "data") -> Figure:
        """Return one of the figures that `save` writes.

        Parameters
        ----------
        name : str, default "data"
            "data", "objective", "posterior", "responsibilities"; or "ridge", if the parameters are not identified.

        Raises
        ------
        ValueError
            If there is no figure of this name.
        """
        drawings = drawings_of(self)
        if name not in drawings:
            raise ValueError(f"name must be one of {', '.join(drawings)}, got {shown(name)}")
        import matplotlib.pyplot as plt

        plt.install_repl_displayhook()  # makes notebooks show figures that pyplot did not make
        with without_expected_warnings:
            return drawings[name]()

    def report(self, path: str | PathLike[str]) -> None:
        """Write one self-contained HTML file to send: verdict, tables, figures, settings, versions and seeds.

        Raises
        ------
        ValueError, OSError
            If the file cannot be written.
        """
        write_report(self, path)

    def __repr__(self) -> str:
        """A summary in five lines: data, verdict, estimates, draws, and how to see more."""
        return report.in_short(self)
