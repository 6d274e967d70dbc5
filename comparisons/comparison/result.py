"""What a comparison found, in one value that tables, figures and files are made from; and its verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from comparisons.comparison import report
from comparisons.comparison.checks import Check
from comparisons.comparison.estimates import stack
from comparisons.comparison.fits import Fits
from comparisons.output.figures import warn_of
from models.validation import Array

AGREE, DISAGREE = "agree", "disagree"
NOT_IDENTIFIED, NO_MAXIMUM = "not identified", "no maximum"


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison(Fits):
    """Everything a comparison found; its data, family, prior, settings and EM's fits are attributes too.

    Attributes
    ----------
    checks : tuple of Check
        In the order in which they were made.
    verdict, explanation : str
        "agree", "disagree", "not identified" or "no maximum", and why.
    posterior : DataTree
        Draws aligned to ``reference``, with log_likelihood, sample_stats and observed_data.
    unaligned : Dataset
        The draws as they came.
    estimates : list of dict
        One row per parameter: truth, MLE, MAP, posterior mean, sd, gaps in sd, R-hat, ESS.
    spreads : list of dict
        One row per parameter: mean and sd by MLE, Laplace, mean field, ADVI and NUTS, and which understate NUTS's sd.
    responsibilities : dict of ndarray
        "em" (plug-in), "posterior mean", "posterior sd", each (n, K).
    seconds : dict
        Time of each step.
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
    def reference_name(self) -> str:
        """What figures call the reference."""
        return "MLE (EM)" if self.reference is self.mle.parameters_ else "MAP (EM)"

    def draws_of(self, *names: str) -> tuple[Array, ...]:
        """Return the aligned draws (chain * draw, ...) of declared quantities."""
        stacked = stack(self.posterior["posterior"].to_dataset())
        return tuple(stacked[name] for name in names)

    def save(self, folder: Any) -> None:
        """Write ``comparison.json``, the posterior and figures into ``folder``, each replaced atomically.

        A figure that fails is left out with a ``FigureWarning`` (:mod:`em.status`). See
        :func:`comparisons.comparison.report.save` for runs that write to one folder at once.

        Raises
        ------
        ValueError
            If the folder cannot be written to.
        """
        warn_of(report.save(self, folder))

    def print(self, console: Any = None) -> None:
        """Print the tables and the verdict."""
        report.print_report(self, console)


def verdict_of(fits: Fits, checks: Sequence[Check]) -> tuple[str, str]:
    """Return the verdict, and why."""
    failed = [check.name for check in checks if check.passed is False]
    if failed:
        chains_alone = all(name.startswith(("R-hat, ", "ESS, ")) for name in failed)
        advice = "; the chains, not EM, are in doubt: ask for more draws" if chains_alone else ""
        return DISAGREE, f"failed: {'; '.join(failed)}{advice}"
    if not fits.has_maximum:
        return NO_MAXIMUM, f"{fits.mle.status_}. Only MAP quantities were judged"
    if not fits.identified:
        tests = (fit.identifiability_ for fit in (fits.mle, fits.map))
        sentence = next(test.sentence for test in tests if not test.identified)
        return NOT_IDENTIFIED, f"{sentence}. Only identified and MAP quantities were judged"
    return AGREE, f"all {sum(check.passed is not None for check in checks)} judged checks passed"
