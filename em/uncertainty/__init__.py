"""Standard errors and intervals of every parameter, in one table that says which kind they are.

With the observed information (:mod:`em.uncertainty.louis`) the estimate θ̂ is approximately normal about θ. The
approximation is better on another scale g: log for variances, logit for weights and probs. Means and covariances off
the diagonal stay as they are. If θ̂ has the standard error s, g(θ̂) has g'(θ̂) s by the delta method, and the interval

    g⁻¹(g(θ̂) ± z g'(θ̂) s),    z the normal quantile at (1 + level) / 2

on the natural scale stays in the parameter's range. For MAP this is Laplace's approximation of the posterior. A
bootstrap (:mod:`em.uncertainty.bootstrap`) reports standard deviations and quantiles of its replicates instead.

References
----------
McLachlan & Peel (2000), Finite Mixture Models, sections 2.15 and 2.16.
Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapters 6 and 13.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm

from em.uncertainty.entries import Entries
from em.uncertainty.louis import Information
from models.scales import SCALES
from models.shown import shown
from models.tables import Tabular, rows_of, table_lines
from models.validation import Array

KINDS = ("louis", "bootstrap", "parametric bootstrap")


@dataclass(frozen=True, eq=False, repr=False)
class Uncertainty(Tabular):
    """Standard errors and intervals of p parameters; printing it shows the table.

    Attributes
    ----------
    kind : str
        How standard errors and intervals were computed.
    level : float
        Nominal coverage of the intervals.
    names : tuple of str
        Names such as ``means[0, 1]``; a covariance matrix has its upper triangle.
    estimates, standard_errors, low, high : ndarray, shape (p,)
        On each parameter's natural scale; NaN if there is none, and then a note says why.
    notes : tuple of str
        "on the boundary", "not identified", "frozen", ..., or "".
    covariance : ndarray, shape (p, p)
        Covariance matrix of the estimates.
    replicates : ndarray, shape (B, p), or None
        Estimates of the bootstrap samples.
    status : str
        Remarks on the result, in words.
    share_observed : float or None
        The least share, over directions, of the information that known labels would give; n times it is roughly the
        number of labelled samples that carry as much information. None for a bootstrap.
    gradient : ndarray, shape (p,), or None
        Slope of the objective by each free parameter, 0 at a maximum; NaN for the others. None for a bootstrap.
    """

    kind: str
    level: float
    names: tuple[str, ...]
    estimates: Array
    standard_errors: Array
    low: Array
    high: Array
    notes: tuple[str, ...]
    covariance: Array
    replicates: Array | None
    status: str
    share_observed: float | None = None
    gradient: Array | None = None

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict per parameter; ``to_frame()`` gives them as a pandas frame."""
        columns = {"parameter": self.names, "estimate": self.estimates, "standard_error": self.standard_errors}
        columns |= {"low": self.low, "high": self.high, "note": self.notes}
        return [row | {"kind": self.kind} for row in rows_of(columns)]

    def __getitem__(self, parameter: str) -> dict[str, Any]:
        """Return the row of one parameter, such as ``uncertainty["weights[0]"]``."""
        if parameter not in self.names:
            raise KeyError(f"parameter must be one of {', '.join(self.names)}, got {shown(parameter)}")
        return self.table[self.names.index(parameter)]

    def __repr__(self) -> str:
        """Return the table as plain text."""
        rows = [["parameter", "estimate", "standard error", "low", "high", ""]]
        for name, *numbers, note, _ in (row.values() for row in self.table):
            rows.append([name, *("-" if np.isnan(number) else f"{number:.5g}" for number in numbers), note])
        return "\n".join([f"{self.kind}, {self.level:.4g} intervals", *table_lines(rows), self.status])


def from_information(information: Information, kind: str, level: float) -> Uncertainty:
    """Return normal intervals from the observed information.

    Parameters
    ----------
    information : Information
        See :mod:`em.uncertainty.louis`.
    kind : str
        Name of the kind of uncertainty.
    level : float
        Nominal coverage.
    """
    entries, errors = information.entries, information.standard_errors
    low, high = normal_intervals(entries, entries.values, errors, level)
    rows = entries.names, entries.values, errors, low, high, information.notes
    covariance, status = information.covariance, information.sentence
    return Uncertainty(kind, level, *rows, covariance, None, status, information.share_observed, information.gradient)


def normal_intervals(entries: Entries, values: Array, errors: Array, level: float) -> Array:
    """Return the ends (2, p) of intervals that are normal on each parameter's scale; NaN without a standard error."""
    ends, around = np.full((2, len(errors)), np.nan), norm.ppf((1 + level) / 2) * np.array([-1, 1])
    for j in np.flatnonzero(errors > 0):
        scale = SCALES[entries.entries[j].scale]
        with np.errstate(over="ignore"):  # an end beyond the largest float is infinite
            ends[:, j] = scale.back(scale.line(values[j]) + around * errors[j] / scale.slope(values[j]))
    return ends


def from_replicates(entries: Entries, replicates: Array, status: str, kind: str, level: float) -> Uncertainty:
    """Return standard deviations and percentile intervals of bootstrap replicates.

    Parameters
    ----------
    entries : Entries
        The p parameters; those with a note get no interval.
    replicates : ndarray, shape (B, p)
        Estimates of the bootstrap samples, with aligned labels.
    status : str
        A sentence about the fits.
    kind : str
        Name of the kind of uncertainty.
    level : float
        Nominal coverage.
    """
    covariance = np.atleast_2d(np.cov(replicates, rowvar=False))
    low, high = np.quantile(replicates, [(1 - level) / 2, (1 + level) / 2], axis=0)
    held = np.array([note != "" for note in entries.notes])
    covariance[held], covariance[:, held], low[held], high[held] = (np.nan,) * 4
    rows = entries.names, entries.values, np.sqrt(np.diagonal(covariance)), low, high, entries.notes
    return Uncertainty(kind, level, *rows, covariance, replicates, status)
