"""The result of `select`: all fitted combinations, ranked, as a table and as a figure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.estimator import MixtureEM
from models.labels import plain
from models.tables import Tabular, table_lines

CRITERIA = ("aic", "bic", "icl")
LONGEST_NAME = 20


@dataclass(frozen=True, eq=False, repr=False)
class Candidate:
    """One fitted combination of settings.

    Attributes
    ----------
    settings : dict
        The constructor parameters that were varied, by name; ``n_components`` first.
    estimator : MixtureEM
        The fitted estimator.
    log_likelihood : float
        Sum over samples in nats.
    n_free_parameters : int
        Number of free parameters p.
    aic, bic, icl : float
        The criteria; smaller is better.
    seconds : float
        Time of the fit; for a batch of fits, the mean.
    """

    settings: dict[str, Any]
    estimator: MixtureEM[Any]
    log_likelihood: float
    n_free_parameters: int
    aic: float
    bic: float
    icl: float
    seconds: float

    @property
    def status(self) -> str:
        """The estimator's sentence about the end of its fit."""
        return self.estimator.status_

    @property
    def ending(self) -> str:
        """The status in a few words."""
        ending = re.split(r"[,:;]", self.status)[0]
        return plain(f"{ending}, not identified" if "not identified" in self.status else ending)

    @property
    def has_maximum(self) -> bool:
        """Whether EM converged; a fit that collapsed or reached ``max_iter`` is shown and never chosen."""
        return bool(self.estimator.converged_)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name} = {value}" for name, value in self.settings.items())
        numbers = f"log-likelihood {self.log_likelihood:.3f}, BIC {self.bic:.3f}"
        return f"Candidate of {type(self.estimator).__name__}, {plain(settings)}: {numbers}; {self.ending}"

    def as_dict(self) -> dict[str, Any]:
        """Return the row of the table: settings, log-likelihood, p, criteria, status, seconds."""
        names = ("log_likelihood", "n_free_parameters", *CRITERIA, "status", "seconds")
        return self.settings | {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False, repr=False)
class Selection(Tabular):
    """All combinations that `select` fitted; printing it shows the table, with a star at the best.

    Attributes
    ----------
    candidates : tuple of Candidate
        The fits in the order of the arguments; ``n_components`` varies slowest.
    criterion : {"aic", "bic", "icl"}
        The criterion that ranks them.
    """

    candidates: tuple[Candidate, ...]
    criterion: str

    @property
    def best(self) -> Candidate | None:
        """The candidate with a maximum and the smallest criterion; None if no fit has a maximum."""
        return best_by(self.candidates, self.criterion)

    @property
    def estimator(self) -> MixtureEM[Any]:
        """The fitted estimator of the best candidate.

        Raises
        ------
        ValueError
            If no fit has a maximum.
        """
        if self.best is None:
            raise ValueError(nothing_to_choose(self.candidates))
        return self.best.estimator

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict per candidate; ``to_frame()`` gives them as a pandas frame."""
        return [candidate.as_dict() for candidate in self.candidates]

    def plot(self, ax: Any = None, criteria: Sequence[str] | None = None) -> Any:
        """Draw criteria against K, a line for each structure, and return the axes.

        A ring marks the best fit; smaller rings mark the smallest values of other criteria. Fits without a maximum are
        crosses at the bottom and not on a line.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default None
            Axes to draw on; None makes a figure.
        criteria : sequence of {"aic", "bic", "icl"}, or None, default None
            Criteria to draw, such as ``["bic", "aic"]``; None is the criterion that ranks the fits.

        Raises
        ------
        ValueError
            If ``criteria`` is empty or holds another name.
        """
        from em.selection.figure import draw_criteria

        return draw_criteria(self, ax, [self.criterion] if criteria is None else list(criteria))

    def report(self, X: ArrayLike, path: str | PathLike[str], *, sample_weight: ArrayLike | None = None) -> None:
        """Write a page about the selection: one HTML file with the table, the criteria's figure and the best fit.

        Parameters
        ----------
        X : array_like, shape (n, D)
            The samples.
        path : str or path
            The HTML file; one that exists is replaced.
        sample_weight : array_like, shape (n,), or None
            How often each row counted.

        Raises
        ------
        ValueError
            If an argument is not legal, or if ``path`` is something else than a file.
        OSError
            If the file cannot be written.
        """
        from em.reports.page import write_selection_report

        write_selection_report(self, X, path, sample_weight)

    def __repr__(self) -> str:
        """Return the table as plain text."""
        names = *self.candidates[0].settings, "log_likelihood", "p", *map(str.upper, CRITERIA)
        heads = ["", *names, "seconds", "status"]
        lines = table_lines([heads, *map(self._cells, self.candidates)], "r" * (len(heads) - 1) + "l")
        chosen = f"* smallest {self.criterion.upper()}" if self.best else nothing_to_choose(self.candidates)
        return "\n".join([*lines, chosen])

    def _cells(self, candidate: Candidate) -> list[str]:
        settings = map(_name, candidate.settings.values())
        criteria = (f"{getattr(candidate, name):.3f}" for name in CRITERIA)
        cells = [*settings, f"{candidate.log_likelihood:.3f}", str(candidate.n_free_parameters), *criteria]
        return ["*" * (candidate is self.best), *cells, f"{candidate.seconds:.2f}", candidate.ending]


def best_by(candidates: Sequence[Candidate], criterion: str) -> Candidate | None:
    """Return the candidate with a maximum and the smallest criterion, or None if no candidate has a maximum."""
    ranked = [c for c in candidates if c.has_maximum and np.isfinite(getattr(c, criterion))]
    return min(ranked, key=lambda candidate: getattr(candidate, criterion), default=None)


def n_components_of(candidate: Candidate) -> int:
    """Return a candidate's number of components."""
    return int(candidate.settings["n_components"])


def structure_of(candidate: Candidate) -> str:
    """Return the varied settings except the number of components, in words."""
    return ", ".join(_name(value) for name, value in candidate.settings.items() if name != "n_components")


def _name(value: Any) -> str:
    text = plain(value)
    return text if len(text) <= LONGEST_NAME else type(value).__name__


def nothing_to_choose(candidates: tuple[Candidate, ...]) -> str:
    """Return a sentence that says that no fit has a maximum."""
    return f"none of {len(candidates)} fits has a maximum to choose: the column status says why"
