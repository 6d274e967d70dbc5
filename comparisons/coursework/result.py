"""The result of a check: right or wrong for each quantity, a hint, and the mistake on request."""

from dataclasses import dataclass, field
from textwrap import fill
from typing import Any

from comparisons.coursework.formulas.slots import Mistake
from models.tables import Tabular, table_lines

NOTEBOOKS, PAGE, WIDTH = "notebooks", "docs/formulas.md", 72  # characters of a line, as wide as a page of the site
UNKNOWN_HINT = "Compute the smallest input below by hand, term by term, and print each term of your function beside it."
UNKNOWN_FIT_HINT = "Print the parameters after one and after two iterations, and compute one from the other by hand."
FAILURE_HINTS = {  # hints by a phrase of the sentences on failures; a missing return needs no more
    "no answer within": "Does every loop end? If it is only slow, or its first call compiles something, "
    "pass a larger time_limit.",
    "returned None": "",
    "NameError: ": "Is this name an argument of the function, or given a value in a line above? Is it spelt the same?",
    "Error: ": "Print the shapes of all arrays in the line that fails, and write beside them those that the formula "
    "needs.",
}


@dataclass(frozen=True)
class Verdict:
    """The verdict on one quantity that a function returns.

    Attributes
    ----------
    quantity : str
        Name of the quantity, such as "responsibilities".
    right : bool
        Whether it is the textbook's on every ordinary input.
    mistakes : tuple of Mistake
        The mistakes in the textbook's formula that give exactly the function's numbers; none if none is known.
    located : str
        A sentence on where the function differs, if no known mistake gives its numbers.
    formula : str
        The right formula.
    alternatives : tuple of str
        Other mistakes that give the same numbers.
    """

    quantity: str
    right: bool
    mistakes: tuple[Mistake, ...] = ()
    located: str = ""
    formula: str = ""
    alternatives: tuple[str, ...] = ()

    @property
    def follows(self) -> bool:
        """Whether it is wrong only because another quantity is."""
        return bool(self.mistakes) and all(mistake.follows for mistake in self.mistakes)

    @property
    def found(self) -> str:
        """The mistakes by name, or where the function differs."""
        return " and ".join(mistake.name for mistake in self.mistakes) or self.located


@dataclass(frozen=True, repr=False)
class Check(Tabular):
    """The result of a check. Printing it gives a hint; `explain` gives the mistake away.

    Attributes
    ----------
    what : str
        The step and the mixture, such as "E-step of the Gaussian mixture".
    verdicts : tuple of Verdict
        One for each quantity that the function returns.
    notes : tuple of str
        Sentences on what is not wrong, but worth knowing: conventions, changed inputs, underflow far from the means.
    example : str
        The smallest input found on which the function is wrong, with its answer and the right one.
    section : str
        File and heading of the notebook that derives the step.
    seconds : float
        How long the check took.
    """

    what: str
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    example: str = field(default="", repr=False)
    section: str = ""
    seconds: float = 0.0

    @property
    def right(self) -> bool:
        """Whether every quantity is right."""
        return all(verdict.right for verdict in self.verdicts)

    @property
    def mistakes(self) -> tuple[str, ...]:
        """Names of the mistakes that were recognised, those that follow from others left out."""
        return tuple(dict.fromkeys(mistake.name for verdict in self._causes for mistake in verdict.mistakes))

    @property
    def _causes(self) -> list[Verdict]:
        """Wrong quantities without those that are wrong only because another one is."""
        wrong = [verdict for verdict in self.verdicts if not verdict.right]
        return [verdict for verdict in wrong if not verdict.follows] or wrong

    @property
    def located(self) -> tuple[str, ...]:
        """Sentences on where quantities differ whose mistake is not known."""
        unknown = [verdict for verdict in self.verdicts if not verdict.right and not verdict.mistakes]
        return tuple(
            f"{', '.join(v.quantity for v in unknown if v.located == sentence)}: {sentence}"
            for sentence in dict.fromkeys(verdict.located for verdict in unknown)
        )

    @property
    def hint(self) -> str:
        """A nudge that does not give the mistake away; empty if all is right."""
        hints = [mistake.hint for verdict in self._causes for mistake in verdict.mistakes]
        if any(not verdict.mistakes for verdict in self._causes):
            unknown = UNKNOWN_HINT if self.example else UNKNOWN_FIT_HINT
            of_failures = (hint for phrase, hint in FAILURE_HINTS.items() if all(phrase in one for one in self.located))
            hints += [f"{sentence}." for sentence in self.located]
            if not any("this step" in sentence for sentence in self.located):  # else its arguments are not understood
                hints.append(next(of_failures, unknown))
        return " ".join(dict.fromkeys(filter(None, hints)))

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each quantity: right, the mistakes by name or where it differs, and the formula."""
        return [
            {"quantity": v.quantity, "right": v.right, "mistake": v.found, "formula": v.formula} for v in self.verdicts
        ]

    def explain(self) -> str:
        """Return for each wrong quantity the mistake by name, what it does, and the right formula."""
        if self.right:
            return f"{self.what}: nothing to explain, all is right."
        lines = [self.what]
        for verdict in self.verdicts:
            if verdict.right:
                continue
            lines += ["", f"{verdict.quantity}: {verdict.found}"]
            lines += [_paragraph(mistake.why, "  ") for mistake in verdict.mistakes]
            if verdict.alternatives:
                lines.append(_paragraph(f"The same numbers come from: {'; '.join(verdict.alternatives)}.", "  "))
            lines += [f"  Right: {verdict.formula}"] if verdict.formula else []
        return "\n".join(lines)

    def __repr__(self) -> str:
        lines = [f"{self.what}: {'right' if self.right else 'wrong'}"]
        rows = [(f"  {v.quantity}", "right" if v.right else "wrong") for v in self.verdicts]
        lines += table_lines(rows, "ll")
        if not self.right:
            lines += ["", _paragraph(f"Hint: {self.hint}")]
            lines += ["", self.example] if self.example else []
            lines += ["", f"Read again: {self.section}. The formulas: {PAGE}."] if self.section else []
            lines += ["To see which term it is, print what explain() of this result returns."] if self.mistakes else []
        return "\n".join(lines + [_paragraph(f"Note: {note}") for note in self.notes])

    __str__ = __repr__


def _paragraph(text: str, indent: str = "") -> str:
    """Return text in lines that fit a page."""
    return fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False)
