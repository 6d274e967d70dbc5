"""Show and store a comparison: tables on the terminal, `comparison.json`, figures, and the posterior as netCDF."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from comparisons.comparison.spread import METHODS, summary
from comparisons.output.console import tell
from comparisons.output.figures import sentences, write_figures
from comparisons.output.files import check_writable, is_in_place, written_whole
from em.process.labels import label

STYLES = {"agree": "bold green", "disagree": "bold red", "not identified": "bold yellow", "no maximum": "bold yellow"}
MOST_ROWS = 40
JSON, POSTERIOR = "comparison.json", "posterior.nc"
FIGURE_NAMES, RIDGE = ("data", "objective", "posterior", "responsibilities"), "ridge"
WRITTEN = (JSON, POSTERIOR, *(f"{name}.png" for name in (*FIGURE_NAMES, RIDGE)))


def save(comparison: Any, folder: str | Path) -> dict[str, str]:
    """Write ``posterior.nc`` and ``comparison.json``, then the figures; each file is complete or not there.

    Numbers come first, so that no figure can lose them. A figure that fails is left out. Files are written to a hidden
    folder inside the target and moved when complete, so that a killed run leaves no half-written file; what it leaves
    in its hidden folder is removed by the next run. Of two runs that write to one folder at once, the last to finish
    its numbers wins: ``comparison.json`` and ``posterior.nc`` are both its own, and no figure of the other run appears
    after them.

    Returns
    -------
    dict of str
        Why each figure that was left out was, by file name.

    Raises
    ------
    ValueError
        If the folder cannot be written to.
    """
    folder = check_writable(folder)
    with ExitStack() as opened:
        with _named(folder), written_whole(folder, last=JSON, stale=WRITTEN) as hidden:
            _write_posterior(comparison.posterior, hidden / POSTERIOR)
            text = json.dumps(as_json(comparison), indent=1, allow_nan=False)
            (hidden / JSON).write_text(text + "\n", encoding="utf-8")
            written = opened.enter_context((hidden / JSON).open("rb"))
        return write_figures(folder, _drawings(comparison), dpi=130, wanted=lambda: is_in_place(written, folder / JSON))


def _drawings(comparison: Any) -> dict[str, Callable[[], Any]]:
    """Return what draws each figure, by file name."""

    def drawing(name: str) -> Any:
        from comparisons.comparison.plots import FIGURES

        return FIGURES[name](comparison)

    names = FIGURE_NAMES if comparison.identified else (*FIGURE_NAMES, RIDGE)
    return {f"{name}.png": partial(drawing, name) for name in names}


@contextmanager
def _named(folder: Path) -> Iterator[None]:
    """Turn an OSError while writing into a ValueError that names the folder."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"out folder {folder} cannot be written to: {error}") from None


def save_posterior(posterior: xr.DataTree, folder: str | Path) -> Path:
    """Write ``posterior.nc`` alone, whole or not at all: what an interrupted run leaves."""
    folder = check_writable(folder)
    with _named(folder), written_whole(folder, stale=WRITTEN) as hidden:  # an earlier run's, of other draws
        _write_posterior(posterior, hidden / POSTERIOR)
    return folder / POSTERIOR


def show(table: Any, path: Path, title: str) -> None:
    """Print what prints itself as a table, and write its figure to a file, or say why there is none."""

    def drawing() -> Any:
        figure = table.plot()
        figure.suptitle(label(title))
        return figure

    console = Console()
    console.print(repr(table), highlight=False, markup=False, emoji=False, soft_wrap=True)
    left_out = write_figures(path.parent, {path.name: drawing}, dpi=130)
    tell_left_out(console, left_out)
    if not left_out:
        tell(console, f"Written to {path}")


def tell_left_out(console: Console, left_out: Mapping[str, str]) -> None:
    """Print which figures were left out, and why."""
    for sentence in sentences(left_out):
        tell(console, ("Figure:", "bold yellow"), f" {sentence}")


def _write_posterior(posterior: xr.DataTree, path: Path) -> None:
    packed = {"/log_likelihood": {"x": {"zlib": True, "complevel": 1, "shuffle": True}}}
    posterior.to_netcdf(path, engine="h5netcdf", encoding=packed)


def as_json(comparison: Any) -> dict[str, Any]:
    """Return the comparison as plain values; a number that is not finite becomes null."""
    values = {
        "title": comparison.title,
        "family": comparison.family.name,
        "n_samples": len(comparison.X),
        "n_features": comparison.X.shape[1],
        "n_missing": comparison.n_missing,
        "n_components": comparison.n_components,
        "verdict": comparison.verdict,
        "explanation": comparison.explanation,
        "caution": _caution(comparison),
        "regular": comparison.regular,
        "checks": [check.as_dict() for check in comparison.checks],
        "estimates": comparison.estimates,
        "spreads": comparison.spreads,
        "em": {
            name: {
                "status": fit.status_,
                "log_likelihood": fit.log_likelihood_,
                "objective": fit.objective_,
                "n_iter": fit.n_iter_,
                "n_collapsed": fit.n_collapsed_,
                "parameters": fit.parameters_.arrays(),
            }
            for name, fit in [("mle", comparison.mle), ("map", comparison.map)]
        },
        "prior": vars(comparison.prior),
        "settings": vars(comparison.settings) | comparison.family.of_data | comparison.family.of_mixture,
        "seconds": {key: round(value, 3) for key, value in comparison.seconds.items()},
        "versions": {name: version(name) for name in ("pymc", "pytensor", "nutpie", "jax", "arviz", "numpy", "scipy")},
    }
    return {key: _as_plain(value) for key, value in values.items()}


def _as_plain(value: Any) -> Any:
    """Return a value as JSON has it: arrays and NumPy's numbers as lists and numbers, what is not finite as null."""
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


def print_report(comparison: Any, console: Console | None = None) -> None:
    """Print estimates, checks and the verdict."""
    console = console or Console()
    console.print()
    X = comparison.X
    missing = f"{comparison.n_missing} of {X.size} cells missing, " if comparison.n_missing else ""
    size = f": {len(X)} samples, {X.shape[1]} feature(s), {missing}K = {comparison.n_components}"
    tell(console, (comparison.title, "bold"), size)
    for name, fit in [("MLE", comparison.mle), ("MAP", comparison.map)]:
        numbers = f"log-likelihood {fit.log_likelihood_:.6f}, objective {fit.objective_:.6f}"
        tell(console, f"EM {name}: {numbers}; {fit.status_}")
    single = comparison.settings.starts == "single"
    apart = "each starts at EM's best of restarts of its own, labels in random order"
    where = "all start about MAP-EM" if single else apart
    tell(console, f"Posterior: {comparison.settings.chains} chains by NUTS; {where}")
    if caution := _caution(comparison):
        tell(console, ("Caution:", "bold yellow"), f" {caution}.")
    console.print(estimates_table(comparison))
    if comparison.spreads:
        console.print(spreads_table(comparison))
    console.print(checks_table(comparison))
    seconds = ", ".join(f"{step} {value:.1f} s" for step, value in comparison.seconds.items())
    tell(console, f"Time: {seconds}")
    tell(console, "Verdict: ", (comparison.verdict, STYLES[comparison.verdict]), f" ({comparison.explanation})")


def estimates_table(comparison: Any) -> Table:
    """Return EM's estimates beside the posterior's, one row per parameter."""
    values = {"truth": "truth", "MLE": "mle", "MAP": "map", "mean": "mean", "sd": "sd"}
    if comparison.truth is None:
        del values["truth"]
    others = {"gap": ("mle_gap_sd", "{:+.2f}"), "gap'": ("map_gap_sd", "{:+.2f}")}
    others |= {"R-hat": ("rhat", "{:.3f}"), "ESS": ("ess", "{:.0f}")}
    table = _plain_table("Estimates: MLE and MAP by EM, mean and sd by NUTS")
    table.add_column("parameter", no_wrap=True)
    for column in [*values, *others]:
        table.add_column(column, justify="right", no_wrap=True)
    for row in comparison.estimates[:MOST_ROWS]:
        decimals = int(np.clip(1 - np.floor(np.log10(row["sd"])), 0, 12)) if row["sd"] > 0 else 6  # sd to two digits
        cells = [_cell(row[key], f"{{:.{decimals}f}}") for key in values.values()]
        cells += [_cell(row[key], form) for key, form in others.values()]
        table.add_row(row["parameter"].replace(", ", ",").replace("[", "\\["), *cells)
    left_out = len(comparison.estimates) - MOST_ROWS
    more = f"; {left_out} more rows in comparison.json" if left_out > 0 else ""
    table.caption = f"gap, gap': distance of MLE and of MAP from the mean, in posterior sd{more}"
    return table


def spreads_table(comparison: Any) -> Table:
    """Return mean and standard deviation by each method, one row per parameter; a < marks what is too small."""
    rows = comparison.spreads
    methods = {key: name for key, name in METHODS.items() if any(row[f"{key}_sd"] is not None for row in rows)}
    table = _plain_table("Spread: estimate and sd (of MLE the standard error)")
    table.add_column("parameter", no_wrap=True)
    for name in [*methods.values(), "NUTS"]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows[:MOST_ROWS]:
        sd = row["nuts_sd"]
        form = f"{{:.{int(np.clip(1 - np.floor(np.log10(sd)), 0, 12)) if sd > 0 else 6}f}}"  # sd to two digits
        cells = []
        for key in [*methods, "nuts"]:
            mark = "<" if key in row["understate"] else " "
            cells.append(f"{_cell(row[key], form)} {_cell(row[f'{key}_sd'], form)}{mark}")
        table.add_row(row["parameter"].replace(", ", ",").replace("[", "\\["), *cells)
    table.caption = f"< {summary(rows)}"
    return table


def checks_table(comparison: Any) -> Table:
    """Return the checks with value, tolerance and where the tolerance comes from."""
    table = _plain_table("Checks")
    table.add_column("", no_wrap=True)
    table.add_column("check, what its value is, and where its tolerance comes from")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("tolerance", justify="right", no_wrap=True)
    marks = {True: "[green]pass[/]", False: "[bold red]FAIL[/]", None: "[dim]shown[/]"}
    for check in comparison.checks:
        told = Text(check.name).append(f"\n{check.reason}", style="dim")
        table.add_row(marks[check.passed], told, f"{check.value:.4g}", f"{check.tolerance:.4g}")
    return table


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None or not np.isfinite(value) else form.format(value)


def _plain_table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 0),
        pad_edge=False,
        show_edge=False,
    )


def _caution(comparison: Any) -> str:
    return comparison.family.caution(comparison.X, comparison.prior, comparison.n_components, comparison.feature_names)
