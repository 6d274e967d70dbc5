"""The result of an audit: lines with verdicts, tables, and how they are printed, drawn and written."""

from dataclasses import dataclass, field
from io import StringIO
from os import PathLike
from textwrap import shorten
from typing import Any

from rich.console import Console

from comparisons.auditing.lines import RIGHT, WARNING, WRONG, Line
from comparisons.output.console import STYLES, table_of, tell
from em.page import Section, write_page
from models.labels import plain
from models.shown import shown
from models.tables import Tabular

TONES = {RIGHT: "good", WARNING: "doubtful", WRONG: "bad"}
WIDTH, MOST_ON_PAGE = 116, 300
COLUMNS = "parameter", "fit", "EM from there", "best", "standard error"
OF_PARAMETERS = "The fit, where EM ends that starts there, the best optimum of our restarts, and standard errors."


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Tabular):
    """The audit of a fit; printing it shows one page.

    Attributes
    ----------
    title : str
        Library, mixture and data of the fit.
    lines : tuple of Line
        The answer to each question, in order: name, verdict, finding, value, remedy.
    verdict : str
        "wrong" if a line is wrong, else "warning" if one is a warning, else "right".
    parameters : list of dict
        One row per parameter: the fit, where EM ends that starts there, the best optimum, standard error.
    components : list of dict
        One row per component: weight, samples, probability.
    optima : list of dict
        One row per optimum that our restarts reached.
    fitted : estimator or None
        Our estimator at the parameters of the fit, with correct scores, probabilities and criteria.
    best : Parameters or None
        The parameters of the best optimum, with components in the fit's order.
    X, sample_weight
        The data of the audit.
    seconds : float
        Duration of the audit.
    """

    title: str
    lines: tuple[Line, ...]
    X: Any
    sample_weight: Any
    seconds: float
    parameters: list[dict[str, Any]] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    optima: list[dict[str, Any]] = field(default_factory=list)
    fitted: Any = None
    best: Any = None

    @property
    def verdict(self) -> str:
        """The worst verdict of all lines."""
        verdicts = {line.verdict for line in self.lines}
        return next(word for word in (WRONG, WARNING, RIGHT) if word in verdicts or word == RIGHT)

    @property
    def faults(self) -> tuple[Line, ...]:
        """The lines that are wrong, then those that warn."""
        return tuple(line for word in (WRONG, WARNING) for line in self.lines if line.verdict == word)

    def __getitem__(self, name: str) -> Line:
        """Return a line by its name, such as ``audit["stationary"]``."""
        by_name = {line.name: line for line in self.lines}
        if name not in by_name:
            raise KeyError(f"name must be one of {', '.join(by_name)}, got {shown(name)}")
        return by_name[name]

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Tables for :meth:`to_frame`: "checks", "parameters", "components" and "optima"."""
        checks = [vars(line) for line in self.lines]
        return {"checks": checks, "parameters": self.parameters, "components": self.components, "optima": self.optima}

    def __str__(self) -> str:
        """The whole page as plain text."""
        text = StringIO()
        self.print(Console(file=text, width=WIDTH))
        return text.getvalue()

    def print(self, console: Any = None) -> None:
        """Print the page."""
        console = console or Console()
        tell(console, (f"Audit of {self.title}", "bold"))
        tell(console, (f"Verdict: {self.verdict} ({self._in_short()})", STYLES[self.verdict]))
        checks = [{"": line.verdict, "question": line.name, "finding": line.finding} for line in self.lines]
        console.print(table_of(Section("", table=checks), ""))
        for remedy in dict.fromkeys(f"To do: {line.remedy}" for line in self.faults if line.remedy):
            tell(console, remedy)
        if self.parameters:
            console.print(table_of(self._of_parameters(), 'more: see to_frame("parameters")'))

    def plot(self) -> Any:
        """Return a figure of the fit with its data, by :func:`em.plots.plot`."""
        import numpy as np

        from em.plots import plot

        if self.fitted is None:
            raise ValueError("fit must be a mixture to be drawn, got arrays that are none")
        return np.ravel(plot(self.fitted, self.X, sample_weight=self.sample_weight))[0].figure

    def report(self, path: str | PathLike[str]) -> None:
        """Write the audit as one self-contained HTML file, as `em`'s reports are.

        Raises
        ------
        ValueError, OSError
            If the file cannot be written.
        """
        checks = [
            {"": line.verdict, "question": line.name, "finding": line.finding, "what to do": line.remedy}
            for line in self.lines
        ]
        figures = {} if self.fitted is None else {"The samples with the fit.": self.plot}
        caption = "Nats are the unit of log-likelihoods. A point z standard errors off has z² / 2 nats to gain."
        parts = [
            Section("Findings", table=checks, caption=caption),
            self._of_parameters(MOST_ON_PAGE),
            Section("Components", table=self.components),
            Section("Where our restarts ended", table=self.optima),
            Section("Picture", figures=figures),
        ]
        lead = f"{self.title}: {self.verdict}. {self._in_short()}"
        sections = [part for part in parts if part.table or part.figures]
        write_page(path, f"Audit of {self.title}", lead, sections, TONES[self.verdict])

    def __repr__(self) -> str:
        """Title, verdict, and how to see more, in five lines."""
        remedy = next((line.remedy for line in self.faults if line.remedy), "nothing")
        words = [line.name for line in self.lines if line.verdict == RIGHT]
        lines = [
            f"Audit of {self.title}",
            f"verdict: {self.verdict}; {self._in_short()}",
            f"right: {', '.join(words) or 'nothing'}",
            f"what to do first: {remedy}",
            "audit.print() shows the page, audit.to_frame() the findings, audit.report(path) writes a file",
        ]
        return "\n".join(map(plain, lines))

    def _in_short(self) -> str:
        if not self.faults:
            return f"all {sum(line.verdict == RIGHT for line in self.lines)} lines that apply are right"
        return "; ".join(f"{line.name}: {shorten(line.finding.split('; ')[0], 110)}" for line in self.faults[:3])

    def _of_parameters(self, most: int | None = None) -> Section:
        rows = [dict(zip(COLUMNS, row.values(), strict=True)) for row in self.parameters[:most]]
        return Section("Parameters", table=rows, caption=OF_PARAMETERS)
