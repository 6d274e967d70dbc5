"""Show and store a comparison: tables on the terminal, `comparison.json`, figures, and the posterior as netCDF."""

import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from comparisons.files import check_writable, written_whole

STYLES = {"agree": "bold green", "disagree": "bold red", "not identified": "bold yellow", "no maximum": "bold yellow"}
MOST_ROWS = 40


def save(comparison: Any, folder: str | Path) -> None:
    """Write figures, ``posterior.nc`` and, last, ``comparison.json``; each file is complete or not there.

    Everything is written to a hidden folder inside the target first and then moved file by file, so that a killed run
    leaves no half-written file; what an earlier killed run left in a hidden folder is removed.

    Raises
    ------
    ValueError
        If the folder cannot be written to.
    """
    import matplotlib.pyplot as plt

    from comparisons.plots import figures

    folder = check_writable(folder)
    for left_over in folder.glob(".partial-*"):
        shutil.rmtree(left_over, ignore_errors=True)
    with written_whole(folder, last="comparison.json", stale=("comparison.json", "ridge.png")) as partial:
        for name, figure in figures(comparison).items():
            figure.savefig(partial / f"{name}.png", dpi=130)
            plt.close(figure)
        _write_posterior(comparison, partial / "posterior.nc")
        text = json.dumps(as_json(comparison), indent=1, allow_nan=False)
        (partial / "comparison.json").write_text(text + "\n", encoding="utf-8")


def save_posterior(comparison: Any, folder: str | Path) -> Path:
    """Write ``posterior.nc`` alone, whole or not at all: what an interrupted run leaves."""
    folder = check_writable(folder)
    with written_whole(folder, stale=("comparison.json",)) as partial:  # an earlier run's, of other draws
        _write_posterior(comparison, partial / "posterior.nc")
    return folder / "posterior.nc"


def show(found: Any, path: Path, title: str) -> None:
    """Print what prints itself as a table, and write its figure to a file, whole or not at all."""
    import matplotlib.pyplot as plt

    console, figure = Console(), found.plot()
    console.print(repr(found), highlight=False, markup=False, soft_wrap=True)
    figure.suptitle(title)
    with written_whole(path.parent) as partial:
        figure.savefig(partial / path.name, dpi=130)
        plt.close(figure)
    console.print(f"Written to {path}", highlight=False, markup=False, soft_wrap=True)


def _write_posterior(comparison: Any, path: Path) -> None:
    packed = {"/log_likelihood": {"x": {"zlib": True, "complevel": 1, "shuffle": True}}}
    comparison.posterior.to_netcdf(path, engine="h5netcdf", encoding=packed)


def as_json(comparison: Any) -> dict[str, Any]:
    """Return the comparison as plain values."""
    return {
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
        "estimates": [{key: _finite(value) for key, value in row.items()} for row in comparison.estimates],
        "spreads": [{key: _finite(value) for key, value in row.items()} for row in comparison.spreads],
        "em": {
            name: {
                "status": fit.status_,
                "log_likelihood": fit.log_likelihood_,
                "objective": fit.objective_,
                "n_iter": fit.n_iter_,
                "n_collapsed": fit.n_collapsed_,
                "parameters": {key: array.tolist() for key, array in fit.parameters_.arrays().items()},
            }
            for name, fit in [("mle", comparison.mle), ("map", comparison.map)]
        },
        "prior": {key: np.asarray(value).tolist() for key, value in vars(comparison.prior).items()},
        "settings": comparison.settings,
        "seconds": {key: round(value, 3) for key, value in comparison.seconds.items()},
        "versions": {name: version(name) for name in ("pymc", "pytensor", "nutpie", "jax", "arviz", "numpy", "scipy")},
    }


def print_report(comparison: Any, console: Console | None = None) -> None:
    """Print estimates, checks and the verdict."""
    console = console or Console()
    console.print()
    X = comparison.X
    missing = f"{comparison.n_missing} of {X.size} cells missing, " if comparison.n_missing else ""
    console.print(
        f"[bold]{escape(comparison.title)}[/bold]: {len(X)} samples, {X.shape[1]} feature(s), {missing}"
        f"K = {comparison.n_components}"
    )
    fits = [("MLE", comparison.mle), ("MAP", comparison.map)]
    for name, fit in fits:
        console.print(
            f"EM {name}: log-likelihood {fit.log_likelihood_:.6f}, objective {fit.objective_:.6f}; "
            f"{escape(fit.status_)}"
        )
    single = comparison.settings["starts"] == "single"
    apart = "each starts at EM's best of restarts of its own, labels in random order"
    where = "all start about MAP-EM" if single else apart
    by = _trajectories(comparison)
    how = by if by == "NUTS" else f"{by} (steps of split Hamiltonian Monte Carlo; the posterior is near normal)"
    console.print(f"Posterior: {comparison.settings['chains']} chains by {how}; {where}")
    if caution := _caution(comparison):
        console.print(f"[bold yellow]Caution:[/] {escape(caution)}.")
    console.print(estimates_table(comparison))
    if comparison.spreads:
        console.print(spreads_table(comparison))
    console.print(checks_table(comparison))
    seconds = ", ".join(f"{step} {value:.1f} s" for step, value in comparison.seconds.items())
    console.print(f"Time: {seconds}")
    console.print(f"Verdict: [{STYLES[comparison.verdict]}]{comparison.verdict}[/] ({escape(comparison.explanation)})")


def _trajectories(comparison: Any) -> str:
    """Return how the posterior was drawn: by NUTS or by turns."""
    return str(comparison.posterior["sample_stats"].attrs["trajectories"])


def estimates_table(comparison: Any) -> Table:
    """Return EM's estimates beside the posterior's, one row per parameter."""
    values = {"truth": "truth", "MLE": "mle", "MAP": "map", "mean": "mean", "sd": "sd"}
    if comparison.truth is None:
        del values["truth"]
    others = {"gap": ("mle_gap_sd", "{:+.2f}"), "gap'": ("map_gap_sd", "{:+.2f}")}
    others |= {"R-hat": ("rhat", "{:.3f}"), "ESS": ("ess", "{:.0f}")}
    table = _plain_table(f"Estimates: MLE and MAP by EM, mean and sd by {_trajectories(comparison)}")
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
    from comparisons.spread import METHODS, summary

    rows = comparison.spreads
    methods = {key: name for key, name in METHODS.items() if any(row[f"{key}_sd"] is not None for row in rows)}
    table = _plain_table("Spread: estimate and sd (of MLE the standard error)")
    table.add_column("parameter", no_wrap=True)
    for name in [*methods.values(), _trajectories(comparison)]:
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


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _caution(comparison: Any) -> str:
    return comparison.family.caution(comparison.X, comparison.prior, comparison.n_components, comparison.feature_names)
