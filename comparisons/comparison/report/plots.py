"""Draw the figures of a comparison; each function returns a figure."""

from collections.abc import Callable
from functools import partial
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from comparisons.alignment import order_of
from comparisons.comparison.estimates import single
from comparisons.output.figures import EM_COLOUR, MAP_COLOUR, POSTERIOR_COLOUR
from em.plots.colours import component_colours
from em.status import left_to_the_status
from em.uncertainty.entries import entries_of
from models.labels import label

MOST_MARGINALS = 24
MARKS = [("mle", "MLE (EM)", EM_COLOUR, "-"), ("map", "MAP (EM)", MAP_COLOUR, "--"), ("truth", "truth", "black", ":")]
DENSITY: dict[str, Any] = {"density": True, "color": POSTERIOR_COLOUR, "alpha": 0.45, "histtype": "stepfilled"}
ALIKE = 1e-3  # nats within which two maxima count as equally likely


def data_figure(comparison: Any) -> Figure:
    """Draw the data with EM's estimates and the posterior."""
    fig = Figure(figsize=(7.5, 5.5), layout="constrained")
    ax = fig.subplots()
    comparison.family.draw_data(ax, comparison)
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), fontsize=9)
    ax.set_title(f"{label(comparison.title)}: EM and posterior, K = {comparison.n_components}")
    return fig


def objective_figure(comparison: Any) -> Figure:
    """Draw the distance of the objective from its limit at each iteration of EM, on a log scale.

    A distance of 0, which a log scale lacks, is drawn as one digit of the objective.
    """
    fig = Figure(figsize=(7, 4.5), layout="constrained")
    ax = fig.subplots()
    fits = [("MLE: log-likelihood", comparison.mle, EM_COLOUR)] if comparison.has_maximum else []
    for name, fit, colour in [*fits, ("MAP: log-likelihood + log prior", comparison.map, MAP_COLOUR)]:
        to_come = np.maximum(fit.objective_ - fit.history_, np.spacing(abs(fit.objective_)))
        ax.semilogy(to_come, ".-", color=colour, label=f"{name}, limit {fit.objective_:.6f}")
    ax.locator_params(axis="x", integer=True)
    ax.set(xlabel="iteration", ylabel="objective still to be gained (nats)", title="EM never loses")
    ax.legend(loc="upper right")
    return fig


def posterior_figure(comparison: Any) -> Figure:
    """Draw marginals of the aligned posterior, with MLE, MAP and truth marked."""
    rows = comparison.estimates[:MOST_MARGINALS]
    draws = entries_of(comparison.reference, np.inf).of(comparison.stacked)
    columns = min(4, len(rows))
    height = -(-len(rows) // columns)
    fig = Figure(figsize=(3 * columns, 2.3 * height), layout="constrained")
    axes = fig.subplots(height, columns, squeeze=False)
    for ax in axes.flat[len(rows) :]:
        ax.set_axis_off()
    for ax, row, of_row in zip(axes.flat, rows, draws, strict=False):
        ax.hist(of_row, bins=n_bins(of_row), **DENSITY, label="posterior draws, aligned")
        for key, name, colour, line in MARKS:
            if row[key] is not None:
                ax.axvline(row[key], color=colour, linestyle=line, linewidth=1.5, label=name)
        ax.set_title(fill(label(row["parameter"]), 36, break_long_words=False, break_on_hyphens=False), fontsize=9)
        ax.set_yticks([])
        ax.locator_params(axis="x", nbins=4)
    fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    left_out = len(comparison.estimates) - len(rows)
    note = f" (first {len(rows)}; {left_out} more in comparison.json)" if left_out else ""
    fig.suptitle(f"{label(comparison.title)}: posterior marginals{note}")
    return fig


def n_bins(values: Any) -> int:
    """Return the number of bins of a histogram: 40, or fewer if the values are neighbours in float64."""
    distinct = len(np.unique(values))
    return 40 if distinct == 1 else min(40, distinct - 1)


def responsibilities_figure(comparison: Any) -> Figure:
    """Draw EM's plug-in responsibilities against those averaged over the posterior."""
    fig = Figure(figsize=(5.5, 5.5), layout="constrained")
    ax = fig.subplots()
    few = comparison.n_components <= 10
    em, mean, sd = (comparison.responsibilities[name].T for name in ("em", "posterior mean", "posterior sd"))
    style: dict[str, Any] = {"fmt": ".", "markersize": 4, "elinewidth": 0.5, "alpha": 0.5}
    for k, colour in enumerate(component_colours(comparison.n_components)):
        name = f"component {k}" if few else None
        ax.errorbar(em[k], mean[k], yerr=sd[k], color=colour, label=name, **style)
    ax.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    ax.set(xlabel="EM, plug-in", ylabel="posterior mean ± sd", title="Responsibilities p(z = k | x)", aspect="equal")
    if few:
        ax.legend(loc="upper left")
    return fig


def ridge_figure(comparison: Any) -> Figure:
    """Draw posterior draws along the ridge of a mixture that is not identified, and a quantity that is identified."""
    fig = Figure(figsize=(11, 5), layout="constrained")
    left, right = fig.subplots(1, 2)
    family, located = comparison.family, comparison.family.parameter_names[1]
    _draw_ridge(left, comparison, _answers_from_anywhere(comparison))
    right.hist(family.mean_response(comparison.stacked)[:, 0], bins=50, **DENSITY)
    known = float(family.mean_response(single(comparison.mle.parameters_))[0, 0])
    right.axvline(known, color=EM_COLOUR, label=f"MLE {known:.4f}")
    right.set(xlabel=f"sum_k weights_k {located}_k", yticks=[], title="what the data do identify")
    right.legend(loc="upper left")
    return fig


def _draw_ridge(ax: Axes, comparison: Any, answers: list[Any]) -> None:
    """Draw the one or two entries that move most along the free direction: posterior draws, and EM's estimates."""
    fit = comparison.map if comparison.mle.identifiability_.identified else comparison.mle
    free = fit.identifiability_.free_direction
    names = sorted(free, key=lambda name: -abs(free[name]))[:2]
    entries = entries_of(fit.parameters_, np.inf, labels=comparison.labels)
    places = [entries.names.index(name) for name in names]
    draws = entries.of(comparison.stacked)[places]
    of_em = [*np.transpose([entries.of(answer.arrays())[places] for answer in answers])]
    if len(names) == 2:
        ax.plot(*draws, ".", color=POSTERIOR_COLOUR, markersize=2, alpha=0.3, label="posterior draws")
    else:
        ax.hist(draws[0], bins=50, **DENSITY, label="posterior draws")
        of_em.append([0.0] * len(answers))
    ax.plot(*of_em, "x", color=EM_COLOUR, label=f"EM's answers from {len(answers)} random starts", clip_on=False)
    ax.set(xlabel=label(names[0]), ylabel=label(names[1]) if len(names) == 2 else "density")
    ax.set_title("the ridge: every cross has the same likelihood")
    ax.legend(loc="lower left")


def _answers_from_anywhere(comparison: Any) -> list[Any]:
    """Return the estimates from 40 random starts that are as likely as the MLE, with labels aligned to the draws."""
    answers, family = [], comparison.family
    for seed in range(40):
        start = family.anywhere(comparison.mle, np.random.RandomState(seed))
        with left_to_the_status():
            fit = comparison.fit_by_em(init=start)
        if not fit.collapsed_ and abs(fit.log_likelihood_ - comparison.mle.log_likelihood_) < ALIKE:
            answers.append(fit.parameters_.permute(order_of(fit.parameters_, comparison.posterior)))
    return answers


FIGURES: dict[str, Callable[[Any], Figure]] = {
    "data": data_figure,
    "objective": objective_figure,
    "posterior": posterior_figure,
    "responsibilities": responsibilities_figure,
    "ridge": ridge_figure,
}


def drawings_of(comparison: Any) -> dict[str, Callable[[], Figure]]:
    """Return functions that draw the figures of a comparison, by name."""
    wanted = {name: draw for name, draw in FIGURES.items() if name != "ridge" or not comparison.identified}
    return {name: partial(draw, comparison) for name, draw in wanted.items()}
