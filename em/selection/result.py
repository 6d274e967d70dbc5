"""What `select` returns: every combination that was fitted, ranked, as a table and as a picture."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from em.estimator import MixtureEM
from em.plots import axes_or_new
from models.labels import label, plain
from models.tables import Tabular, table_lines

CRITERIA = ("aic", "bic", "icl")
LONGEST_NAME = 20


@dataclass(frozen=True, eq=False, repr=False)
class Candidate:
    """One combination, fitted.

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
        Time of the fit; of fits that were made as one batch, their mean.
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
        """The estimator's sentence about how its fit ended."""
        return self.estimator.status_

    @property
    def has_maximum(self) -> bool:
        """Whether EM converged; a fit that collapsed or reached ``max_iter`` is shown and never chosen."""
        return bool(self.estimator.converged_)

    def as_dict(self) -> dict[str, Any]:
        """Return the row of the table: settings, log-likelihood, p, criteria, status, seconds."""
        names = ("log_likelihood", "n_free_parameters", *CRITERIA, "status", "seconds")
        return self.settings | {name: getattr(self, name) for name in names}


@dataclass(frozen=True, eq=False, repr=False)
class Selection(Tabular):
    """Every combination that `select` fitted; printing it shows the table, with a star at the best.

    Attributes
    ----------
    candidates : tuple of Candidate
        In the order in which they were asked for, ``n_components`` slowest.
    criterion : {"aic", "bic", "icl"}
        What they are ranked by.
    """

    candidates: tuple[Candidate, ...]
    criterion: str

    @property
    def best(self) -> Candidate | None:
        """The candidate of smallest criterion among those with a maximum, the first of equals; None if none has one."""
        ranked = [c for c in self.candidates if c.has_maximum and np.isfinite(getattr(c, self.criterion))]
        return min(ranked, key=lambda candidate: getattr(candidate, self.criterion), default=None)

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

    def plot(self, ax: Any = None) -> Any:
        """Draw the criterion against K, one line for each structure, and return the axes.

        The best is ringed; fits without a maximum are crosses at the bottom and have no place on a line.

        Parameters
        ----------
        ax : matplotlib.axes.Axes or None, default None
            Where to draw; None makes a figure.
        """
        ax = axes_or_new(ax)
        lines: dict[str, list[Candidate]] = {}
        for candidate in self.candidates:
            lines.setdefault(_structure(candidate), []).append(candidate)
        for height, (structure, candidates) in enumerate(lines.items(), start=1):
            points = sorted((n_components_of(c), getattr(c, self.criterion)) for c in candidates if c.has_maximum)
            (line,) = ax.plot(*np.reshape(points, (-1, 2)).T, ".-", label=label(structure))
            missing = [n_components_of(c) for c in candidates if not c.has_maximum]
            bottom = [0.02 * height] * len(missing)
            ax.plot(missing, bottom, "x", color=line.get_color(), transform=ax.get_xaxis_transform())
        if self.best is not None:
            at = n_components_of(self.best), getattr(self.best, self.criterion)
            ax.plot(*at, "o", markersize=12, fillstyle="none", color="black")
        ax.set(xlabel="number of components", ylabel=f"{self.criterion.upper()} (smaller is better)")
        ax.xaxis.get_major_locator().set_params(integer=True)
        if len(lines) > 1:
            ax.legend()
        return ax

    def __repr__(self) -> str:
        """The table as plain text."""
        heads = [
            "",
            *self.candidates[0].settings,
            "log_likelihood",
            "p",
            *map(str.upper, CRITERIA),
            "seconds",
            "status",
        ]
        lines = table_lines([heads, *map(self._cells, self.candidates)], "r" * (len(heads) - 1) + "l")
        chosen = f"* smallest {self.criterion.upper()}" if self.best else nothing_to_choose(self.candidates)
        return "\n".join([*lines, chosen])

    def _cells(self, candidate: Candidate) -> list[str]:
        settings = map(_name, candidate.settings.values())
        criteria = (f"{getattr(candidate, name):.3f}" for name in CRITERIA)
        ending = re.split(r"[,:;]", candidate.status)[0]
        status = f"{ending}, not identified" if "not identified" in candidate.status else ending
        cells = [*settings, f"{candidate.log_likelihood:.3f}", str(candidate.n_free_parameters), *criteria]
        return ["*" * (candidate is self.best), *cells, f"{candidate.seconds:.2f}", plain(status)]


def n_components_of(candidate: Candidate) -> int:
    """Return its number of components."""
    return int(candidate.settings["n_components"])


def _structure(candidate: Candidate) -> str:
    return ", ".join(_name(value) for name, value in candidate.settings.items() if name != "n_components")


def _name(value: Any) -> str:
    text = plain(value)
    return text if len(text) <= LONGEST_NAME else type(value).__name__


def nothing_to_choose(candidates: tuple[Candidate, ...]) -> str:
    """Return in words that no fit has a maximum."""
    return f"none of {len(candidates)} fits has a maximum to choose: the column status says why"
