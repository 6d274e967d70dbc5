"""HTML pages about a fit and about a selection among fits (:mod:`em.page`)."""

import platform
from collections.abc import Collection
from importlib.metadata import version
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.page import Section, capital, write_page
from em.plots import plot, plot_silhouettes
from em.process.progress import track, waiting
from em.reports.summary import CRITERIA, Summary
from em.saving.whole_files import write_whole
from models.shown import shown

WRITING = "Writing the page"
LIBRARIES = "numpy", "scipy", "scikit-learn"
MOST_ROWS = 300
MOST_WITH_ERRORS = 1000  # free parameters; the cost of the information grows with their cube
HEADS = {"standard_error": "standard error", "times_found": "times found", "nats_below_best": "nats below the best"}
OF_SE = "Standard errors and intervals: {kind}, level {level:.4g}. A dash: there is none, and the note says why."
NO_ERRORS = "Standard errors take long for {p} parameters and are left out: uncertainty='louis' computes them."
OF_STARTS = (
    "Optima in which restarts on all rows ended, the best first. Restarts that could no longer win were stopped before."
)


def write_fit_report(estimator: Any, X: ArrayLike, path: str | PathLike[str], weight: Any, **uncertainty: Any) -> None:
    """Write the page of :meth:`em.reports.ReportsOfMixture.report`; ``uncertainty`` is that argument, for mixtures."""
    write_whole(path, None)
    takes_a_while = uncertainty.get("uncertainty") is True  # a bootstrap has a bar of its own
    with waiting("Summary and standard errors", progress=takes_a_while):
        summary = estimator.summary(X, sample_weight=weight, **uncertainty)
    sections = track(_sections(estimator, X, summary, {"sample_weight": weight}), WRITING, progress=True)
    write_page(path, summary.model, f"{summary.status}.", sections, tone_of(estimator))


def write_selection_report(selection: Any, X: ArrayLike, path: str | PathLike[str], sample_weight: Any) -> None:
    """Write the page of :meth:`em.selection.Selection.report`."""
    write_whole(path, None)
    best, weight = selection.best, {"sample_weight": sample_weight}
    criteria = ["bic", "aic", *(["icl"] if selection.criterion == "icl" else [])]
    table = [_candidate(candidate, candidate is best) for candidate in selection.candidates]
    caption = f"Smaller is better of AIC, BIC and ICL; {selection.criterion.upper()} chooses."
    drawn = {"Criteria against the number of components.": lambda: selection.plot(criteria=criteria).figure}
    sections = [Section("Fits", table=table, caption=caption), Section("How many components?", figures=drawn)]
    name = type(selection.candidates[0].estimator).__name__
    title = f"Selection among {len(selection.candidates)} fits of {name}"
    if best is None:
        write_page(path, title, "No fit has a maximum to choose: the column status says why.", sections, "bad")
        return
    chosen = ", ".join(f"{key} = {value}" for key, value in _texts(best.settings).items())
    summary = best.estimator.summary(X, uncertainty=has_errors(best.estimator), **weight)
    sections += [Section(f"The best: {summary.model}", [f"{capital(summary.status)}."])]
    sections += _sections(best.estimator, X, summary, weight)
    lead = f"{selection.criterion.upper()} chooses {chosen}."
    write_page(path, title, lead, track(sections, WRITING, progress=True), tone_of(best.estimator))


def _candidate(candidate: Any, is_best: bool) -> dict[str, Any]:
    numbers = {head: getattr(candidate, name) for name, head in CRITERIA.items() if hasattr(candidate, name)}
    return {"": "best" * is_best, **_texts(candidate.settings), **numbers, "status": candidate.ending}


def has_errors(estimator: Any) -> bool:
    """Whether a report has standard errors by default: the fit did not collapse, and has not too many parameters."""
    return not getattr(estimator, "collapsed_", False) and not _is_large(estimator)


def _is_large(estimator: Any) -> bool:
    return bool(getattr(estimator, "n_free_parameters_", 0) > MOST_WITH_ERRORS)


def tone_of(estimator: Any) -> str:
    """Return the page's tone: "good" if the fit converged to an identified estimate, "bad" if it collapsed."""
    if getattr(estimator, "collapsed_", False):
        return "bad"
    identifiability = getattr(estimator, "identifiability_", None)
    converged = getattr(estimator, "converged_", True)  # a stream has no such attribute
    return "good" if converged and (identifiability is None or identifiability.identified) else "doubtful"


def _sections(estimator: Any, X: ArrayLike, summary: Summary, weight: dict[str, Any]) -> list[Section]:
    """Return the sections about a fit."""
    prior = [] if summary.prior is None else [f"Prior: {summary.prior!r}."]
    numbers = {name: summary.fit[key] for key, name in CRITERIA.items() if key in summary.fit}
    named = "Components" if hasattr(estimator, "n_components") else "Clusters"
    parts = [
        Section("Data and fit", [f"{summary.samples}.", *prior], [numbers]),
        Section(named, [f"{capital(text)}." for text in summary.certainty], summary.components),
        Section("Picture", figures=_figures(estimator, X, weight)),
        _parameters(estimator, summary),
        Section("Where restarts ended", [OF_STARTS] if summary.starts else [], _named(summary.starts)),
        Section("Settings and versions", table=_settings(estimator)),
    ]
    return [part for part in parts if part.sentences or part.table or part.figures]


def _figures(estimator: Any, X: ArrayLike, weight: dict[str, Any]) -> dict[str, Any]:
    figures = {"The samples and the fit.": lambda: np.ravel(plot(estimator, X, **weight))[0].figure}
    if hasattr(estimator, "cluster_centers_") and estimator.n_clusters > 1:
        figures["Silhouettes: how well each sample fits its cluster."] = lambda: plot_silhouettes(estimator, X).figure
    return figures


def _parameters(estimator: Any, summary: Summary) -> Section:
    rows, table = summary.parameters[:MOST_ROWS], summary.uncertainty
    more = len(summary.parameters) - len(rows)
    left_out = [f"The first {MOST_ROWS}; {more} more are in summary(X).to_frame()."] if more else []
    if table is None:
        left_out += [NO_ERRORS.format(p=estimator.n_free_parameters_)] if _is_large(estimator) else []
        return Section("Parameters", left_out, rows)
    caption = OF_SE.format(kind=table.kind, level=table.level)
    without = {"kind"} if any(row["note"] for row in rows) else {"kind", "note"}
    return Section("Parameters", [*left_out, f"{capital(table.status)}."], _named(rows, without), caption)


def _named(rows: list[dict[str, Any]], without: Collection[str] = ()) -> list[dict[str, Any]]:
    """Return rows with heads in words, without the columns named in ``without``."""
    return [{HEADS.get(key, key): value for key, value in row.items() if key not in without} for row in rows]


def _settings(estimator: Any) -> list[dict[str, Any]]:
    texts = _texts(estimator.get_params(deep=False))
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    texts["versions"] = f"Python {platform.python_version()}, {libraries}"
    return [{"setting": name, "value": text} for name, text in texts.items()]


def _texts(values: dict[str, Any]) -> dict[str, Any]:
    """Return values for a table: numbers and text unchanged, others as a short text."""
    plain = (int, float, str, type(None), np.number)
    return {name: value if isinstance(value, plain) else shown(value) for name, value in values.items()}
