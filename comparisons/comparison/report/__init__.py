"""Print a comparison, and write its files: `comparison.json`, figures, report, and the posterior as netCDF."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console

from comparisons.comparison.all_rows import sample_note
from comparisons.comparison.report.page import WORDS, write_report
from comparisons.comparison.report.plots import FIGURES, drawings_of
from comparisons.comparison.report.tables import MORE_ROWS, tables_of
from comparisons.output.console import STYLES, table_of, tell
from comparisons.output.figures import write_figures
from comparisons.output.files import check_writable, versions, written_whole
from models.shown import counted

OTHER_STYLE = "bold yellow"  # of verdicts other than agree and disagree
STARTS = {
    "single": "all start around EM's MAP",
    "restarts": "each starts at the best of its own restarts of EM, labels in random order",
}
OF_COMPARISON = ("title", "n_components", "n_missing", "verdict", "explanation", "caution")
OF_FIT = ("status", "log_likelihood", "objective", "n_iter", "n_collapsed")
JSON, POSTERIOR, REPORT, SAMPLES = "comparison.json", "posterior.nc", "report.html", "samples.csv"
WRITTEN = (JSON, POSTERIOR, REPORT, SAMPLES, *(f"{name}.png" for name in FIGURES))


def save(comparison: Any, folder: str | Path) -> None:
    """Write ``posterior.nc``, ``samples.csv`` and ``comparison.json``, then figures and ``report.html``.

    Files are written to a hidden folder inside the target and moved when complete, so that a killed run leaves no
    partial file. The numbers are written first, so that an error in a figure cannot lose them.

    Raises
    ------
    ValueError
        If the folder cannot be written to.
    """
    folder = check_writable(folder)
    with written_whole(folder, stale=WRITTEN) as hidden:
        _write_posterior(comparison.posterior, hidden / POSTERIOR)
        comparison.to_frame("samples").to_csv(hidden / SAMPLES, index=False)
        text = json.dumps(as_json(comparison), indent=1, allow_nan=False)
        (hidden / JSON).write_text(text + "\n", encoding="utf-8")
    drawings = {f"{name}.png": draw for name, draw in drawings_of(comparison).items()}
    write_figures(folder, drawings, dpi=130)
    write_report(comparison, folder / REPORT, pictures=folder)


def in_short(comparison: Any) -> str:
    """Return a summary in five lines: data, verdict, EM's estimates, NUTS's draws, and how to see more."""
    X, settings, family = comparison.X, comparison.settings, comparison.family
    rhat = max(row["rhat"] for row in comparison.estimates if row["rhat"] is not None)
    ess = min(row["ess"] for row in comparison.estimates if row["ess"] is not None)
    sizes = f"{counted(len(X), 'sample')}, {counted(X.shape[1], 'feature')}, K = {comparison.n_components}"
    sizes += f"; {note}" if (note := sample_note(comparison)) else ""
    lines = [
        f"Comparison of {comparison.title}: {family!r}, {sizes}",
        f"Verdict: {comparison.verdict} ({comparison.explanation})",
        f"EM: log-likelihood {comparison.mle.log_likelihood_:.4f}, MAP's objective {comparison.map.objective_:.4f}",
        f"NUTS: {settings.chains} chains x {settings.draws} draws, R-hat up to {rhat:.3f}, ESS from {ess:.0f}",
        "More: print(), plot(), estimates, checks, posterior, save(folder), report(path)",
    ]
    return "\n".join(lines)


def save_posterior(posterior: xr.DataTree, folder: str | Path) -> Path:
    """Write ``posterior.nc`` of an interrupted run; remove the files of an earlier run."""
    folder = check_writable(folder)
    with written_whole(folder, stale=WRITTEN) as hidden:
        _write_posterior(posterior, hidden / POSTERIOR)
    return folder / POSTERIOR


def _write_posterior(posterior: xr.DataTree, path: Path) -> None:
    packed = {"/log_likelihood": {"x": {"zlib": True, "complevel": 1, "shuffle": True}}}
    posterior.to_netcdf(path, engine="h5netcdf", encoding=packed)


def as_json(comparison: Any) -> dict[str, Any]:
    """Return the comparison as plain values; a number that is not finite becomes null."""
    values = {name: getattr(comparison, name) for name in (*OF_COMPARISON, "estimates", "spreads")}
    values |= {
        "family": comparison.family.name,
        "n_samples": len(comparison.X),
        "n_features": comparison.X.shape[1],
        "feature_names": comparison.feature_names,
        "notes": list(comparison.notes),
        "checks": [vars(check) for check in comparison.checks],
        "em": {
            name: {key: getattr(fit, f"{key}_") for key in OF_FIT} | {"parameters": fit.parameters_.arrays()}
            for name, fit in [("mle", comparison.mle), ("map", comparison.map)]
        },
        "all_rows": _all_rows(comparison),
        "prior": vars(comparison.prior),
        "settings": vars(comparison.settings) | comparison.family.of_data | comparison.family.of_mixture,
        "seconds": {key: round(value, 3) for key, value in comparison.seconds.items()},
        "versions": versions(),
    }
    return {key: _as_plain(value) for key, value in values.items()}


def _all_rows(comparison: Any) -> dict[str, Any] | None:
    """Return a description of all rows if the data are a random sample of them, else None."""
    if comparison.all_rows is None:
        return None
    fit, known = comparison.of_all_rows, {"n_rows": comparison.all_rows.n_rows, "left_out": comparison.all_rows.why}
    of_fit = {} if fit is None else {"status": fit.status_, "log_likelihood": fit.log_likelihood_}
    return known | of_fit | {"estimates": comparison.all_rows_estimates}


def _as_plain(value: Any) -> Any:
    """Return a value in JSON's types: arrays become lists, and numbers that are not finite become None."""
    match value:
        case dict():
            return {key: _as_plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_as_plain(item) for item in value]
        case np.ndarray() | np.generic():
            return _as_plain(value.tolist())
        case float() if not np.isfinite(value):
            return None
    return value


def print_report(comparison: Any, console: Console | None = None, verbose: bool = False) -> None:
    """Print verdict, tables, and a line for each check; ``verbose`` adds reasons of tolerances, and explains words."""
    console = console or Console()
    console.print()
    style = STYLES.get(comparison.verdict, OTHER_STYLE)
    tell(console, "Verdict: ", (comparison.verdict, style), f" ({comparison.explanation})")
    X = comparison.X
    missing = f"{comparison.n_missing} of {X.size} cells missing, " if comparison.n_missing else ""
    sizes = f"{counted(len(X), 'sample')}, {counted(X.shape[1], 'feature')}, {missing}K = {comparison.n_components}"
    tell(console, (comparison.title, "bold"), f": {sizes}")
    if note := sample_note(comparison):
        ended, fit = f"left out: {comparison.all_rows.why}", comparison.of_all_rows
        if fit is not None:
            ended = f"log-likelihood {fit.log_likelihood_:.6f}; {fit.status_}"
        tell(console, ("Sample:", "bold yellow"), f" {note} are compared. EM of all rows: {ended}")
    for name, fit in [("MLE", comparison.mle), ("MAP", comparison.map)]:
        numbers = f"log-likelihood {fit.log_likelihood_:.6f}, objective {fit.objective_:.6f}"
        tell(console, f"EM {name}: {numbers}; {fit.status_}")
    tell(console, f"Posterior: {comparison.settings.chains} chains by NUTS; {STARTS[comparison.settings.starts]}")
    if comparison.caution:
        tell(console, ("Caution:", "bold yellow"), f" {comparison.caution}.")
    for section in tables_of(comparison, verbose):
        console.print(table_of(section, MORE_ROWS))
    for word, meaning in WORDS.items() if verbose else ():
        tell(console, (word, "bold"), f": {meaning}")
    seconds = ", ".join(f"{step} {value:.1f} s" for step, value in comparison.seconds.items())
    tell(console, f"Time: {sum(comparison.seconds.values()):.1f} s: {seconds}")
