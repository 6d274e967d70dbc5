"""Make the tables of a comparison for terminal and page; numbers are text with their significant digits."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.comparison.all_rows import expected_distance
from comparisons.comparison.spread import METHODS, summary
from em.page import Section
from em.uncertainty.entries import entries_of

MORE_ROWS = "more rows in comparison.json"
MARKS = {True: "pass", False: "FAIL", None: "shown"}
HEADS = {"truth": "truth", "mle": "MLE", "map": "MAP", "mean": "mean", "sd": "sd"}
HEADS |= {"mle_gap_sd": "gap", "map_gap_sd": "gap'", "rhat": "R-hat", "ess": "ESS"}
OF_ALL_ROWS = {"sample": "MLE", "standard_error": "error", "all_rows": "MLE of all rows", "distance": "distance"}
FORMS = {"gap": "+z.2f", "gap'": "+z.2f", "R-hat": ".3f", "ESS": ".0f", "distance": "+z.2f"}  # z writes -0 as 0
OF_ESTIMATES = (
    "MLE and MAP by EM, mean and sd of the posterior by NUTS; gap, gap': distance of MLE and of MAP from the mean, in "
    "posterior sd. R-hat near 1 and an ESS (effective sample size) of hundreds say that the chains mixed."
)
OF_CHECKS = (
    "A value passes if it is at most its tolerance (at least, for an ESS and for 'find_MAP moved'). A check that is "
    "only shown gives the reason."
)
MORE = "explanations of values, tolerances and words: --verbose, print(verbose=True)"


def tables_of(comparison: Any, verbose: bool = False) -> list[Section]:
    """Return the tables of estimates, of all rows beside a sample, of spreads, and of checks.

    ``verbose`` adds the reason for each tolerance.
    """
    heads = {key: head for key, head in HEADS.items() if key != "truth" or comparison.truth is not None}
    beside = []
    if rows := comparison.all_rows_estimates:
        caption = "distance: of the MLE of all rows from the sample's, in standard errors of the sample; "
        table = _with_digits(rows, OF_ALL_ROWS, "standard_error")
        beside = [Section("Sample and all rows: MLE by EM", (), table, caption + expected_distance(comparison))]
    estimates = Section("Estimates", (), _with_digits(comparison.estimates, heads, "sd"), OF_ESTIMATES)
    of_spreads, title = f"< {summary(comparison.spreads)}", "Spread: estimate and sd (of MLE the standard error)"
    spreads = Section(title, (), _spreads(comparison.spreads), of_spreads)
    return [estimates, *beside, spreads, Section("Checks", (), *_checks(comparison, verbose))]


def of_em(fits: Any) -> Section:
    """Return the table of EM's estimates, which is shown before drawing."""
    mle, mode = (entries_of(fit.parameters_, np.inf, labels=fits.labels) for fit in (fits.mle, fits.map))
    columns = zip(mle.names, mle.values.tolist(), mode.values.tolist(), strict=True)
    table = [{"parameter": name, "MLE": best, "MAP": most_probable} for name, best, most_probable in columns]
    return Section("Estimates by EM, before any draw", table=table)


def _with_digits(rows: list[dict[str, Any]], heads: Mapping[str, str], sd: str) -> list[dict[str, str]]:
    """Return rows of text: numbers in the format of their column, or with two digits of the standard deviation."""
    return [
        {"parameter": row["parameter"]}
        | {head: _cell(row[key], FORMS.get(head) or _two_digits(row[sd] or np.nan)) for key, head in heads.items()}
        for row in rows
    ]


def _spreads(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return mean and standard deviation by each method that was used; a < marks standard deviations too small."""
    known = {method: name for method, name in METHODS.items() if any(row[f"{method}_sd"] is not None for row in rows)}
    table = []
    for row in rows:
        form, cells = _two_digits(row["nuts_sd"]), {"parameter": row["parameter"]}
        for method, name in (known | {"nuts": "NUTS"}).items():
            mark = "<" if method in row["understate"] else " "
            cells[name] = f"{_cell(row[method], form)} {_cell(row[f'{method}_sd'], form)}{mark}"
        table.append(cells)
    return table


def _checks(comparison: Any, verbose: bool) -> tuple[list[dict[str, str]], str]:
    """Return a row for each check, and the caption."""
    rows = []
    for check in comparison.checks:
        claim = check.name + (f" ({check.why_shown})" if check.why_shown else "")
        numbers = {"value": f"{check.value:.5g}", "tolerance": f"{check.tolerance:.4g}"}
        reason = {"meaning of the value; reason for the tolerance": check.reason} if verbose else {}
        rows.append({"": MARKS[check.passed], "check": claim, **numbers, **reason})
    return rows, OF_CHECKS if verbose else MORE


def _two_digits(sd: float) -> str:
    """Return the format that shows two digits of a standard deviation."""
    return f"z.{int(np.clip(1 - np.floor(np.log10(sd)), 0, 12))}f" if sd > 0 else ".6f"


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None or not np.isfinite(value) else format(value, form)
