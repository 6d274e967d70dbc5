"""The figures of a comparison, each drawn on axes it is given or in a figure it returns."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from comparisons.alignment import order_of
from comparisons.comparison.estimates import single
from comparisons.output.figures import EM_COLOUR, MAP_COLOUR, POSTERIOR_COLOUR
from em.process.labels import label
from em.status import left_to_the_status

MOST_MARGINALS = 24
ALIKE = 1e-3  # nats between maxima that EM reached from different starts


def data_figure(comparison: Any) -> Figure:
    """Data with what EM and the posterior say about it."""
    fig = Figure(figsize=(7.5, 5.5), layout="constrained")
    ax = fig.subplots()
    comparison.family.draw_data(ax, comparison)
    handles, labels = ax.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), fontsize=9)
    ax.set_title(f"{label(comparison.title)}: EM and posterior, K = {comparison.n_components}")
    return fig


def objective_figure(comparison: Any) -> Figure:
    """What is still to be gained at each iteration of EM, on a log scale."""
    fig = Figure(figsize=(7, 4.5), layout="constrained")
    ax = fig.subplots()
    fits = [("MLE: log-likelihood", comparison.mle, EM_COLOUR)] if comparison.has_maximum else []
    for name, fit, colour in [*fits, ("MAP: log-likelihood + log prior", comparison.map, MAP_COLOUR)]:
        to_come = fit.objective_ - fit.history_
        shown = to_come > 0
        iterations = np.arange(len(to_come))
        ax.semilogy(iterations[shown], to_come[shown], ".-", color=colour, label=f"{name}, limit {fit.objective_:.6f}")
    ax.set(xlabel="iteration", ylabel="objective still to be gained (nats)", title="EM never loses")
    ax.legend(loc="upper right")
    return fig


def posterior_figure(comparison: Any) -> Figure:
    """Marginals of the aligned posterior with MLE, MAP and truth marked."""
    rows = comparison.estimates[:MOST_MARGINALS]
    columns = min(4, len(rows))
    height = -(-len(rows) // columns)
    fig = Figure(figsize=(3 * columns, 2.3 * height), layout="constrained")
    axes = fig.subplots(height, columns, squeeze=False)
    for ax in axes.flat[len(rows) :]:
        ax.set_axis_off()
    for ax, row in zip(axes.flat, rows, strict=False):
        ax.hist(_draws_of(comparison, row["parameter"]), bins=40, density=True, color=POSTERIOR_COLOUR, alpha=0.45)
        for value, colour, style in [
            (row["mle"], EM_COLOUR, "-"),
            (row["map"], MAP_COLOUR, "--"),
            (row["truth"], "black", ":"),
        ]:
            if value is not None:
                ax.axvline(value, color=colour, linestyle=style, linewidth=1.5)
        ax.set_title(row["parameter"], fontsize=9)
        ax.set_yticks([])
    left_out = len(comparison.estimates) - len(rows)
    note = f" (first {len(rows)}; {left_out} more in comparison.json)" if left_out else ""
    handles = [
        Line2D([], [], color=EM_COLOUR, label="MLE (EM)"),
        Line2D([], [], color=MAP_COLOUR, linestyle="--", label="MAP (EM)"),
        Line2D([], [], color=POSTERIOR_COLOUR, linewidth=6, alpha=0.45, label="posterior draws, aligned"),
    ]
    if comparison.truth is not None:
        handles.append(Line2D([], [], color="black", linestyle=":", label="truth"))
    fig.legend(handles=handles, loc="outside lower center", ncols=4)
    fig.suptitle(f"{label(comparison.title)}: posterior marginals{note}")
    return fig


def responsibilities_figure(comparison: Any) -> Figure:
    """EM's plug-in responsibilities against posterior-averaged ones."""
    fig = Figure(figsize=(5.5, 5.5), layout="constrained")
    ax = fig.subplots()
    values = comparison.responsibilities
    for k in range(comparison.n_components):
        ax.errorbar(
            values["em"][:, k],
            values["posterior mean"][:, k],
            yerr=values["posterior sd"][:, k],
            fmt=".",
            markersize=4,
            elinewidth=0.5,
            alpha=0.5,
            label=f"component {k}" if comparison.n_components <= 10 else None,
        )
    ax.plot([0, 1], [0, 1], color="black", linewidth=0.8)
    ax.set(xlabel="EM, plug-in", ylabel="posterior mean ± sd", title="Responsibilities p(z = k | x)", aspect="equal")
    if comparison.n_components <= 10:
        ax.legend(loc="upper left")
    return fig


def ridge_figure(comparison: Any) -> Figure:
    """Posterior draws along the ridge of a mixture that is not identified, beside the quantity that is."""
    fig = Figure(figsize=(11, 5), layout="constrained")
    left, right = fig.subplots(1, 2)
    family, located = comparison.family, comparison.family.parameter_names[1]
    fit = comparison.map if family.identified(comparison.mle) else comparison.mle
    _draw_ridge(left, comparison, family.ridge(fit), _answers_from_anywhere(comparison))
    draws = dict(zip(names := ("weights", located), comparison.draws_of(*names), strict=True))
    right.hist(family.mean_response(draws)[:, 0], bins=50, density=True, color=POSTERIOR_COLOUR, alpha=0.45)
    known = float(family.mean_response(single(comparison.mle.parameters_))[0, 0])
    right.axvline(known, color=EM_COLOUR, label=f"MLE {known:.4f}")
    right.set(xlabel=f"sum_k weights_k {located}_k", yticks=[], title="what the data do identify")
    right.legend(loc="upper left")
    return fig


def _draw_ridge(ax: Axes, comparison: Any, names: tuple[str, ...], answers: list[Any]) -> None:
    """Draw one entry of the posterior's draws and of EM's answers, or one against another."""
    draws = [_draws_of(comparison, name) for name in names]
    of_em = [[_entry(answer, name) for answer in answers] for name in names]
    if len(names) == 2:
        ax.plot(*draws, ".", color=POSTERIOR_COLOUR, markersize=2, alpha=0.3, label="posterior draws")
    else:
        ax.hist(draws[0], bins=50, density=True, color=POSTERIOR_COLOUR, alpha=0.45, label="posterior draws")
        of_em.append([0.0] * len(answers))
    ax.plot(*of_em, "x", color=EM_COLOUR, label=f"EM's answers from {len(answers)} random starts", clip_on=False)
    ax.set(xlabel=names[0], ylabel=names[1] if len(names) == 2 else "density")
    ax.set_title("the ridge: every cross has the same likelihood")
    ax.legend(loc="lower left")


def _answers_from_anywhere(comparison: Any) -> list[Any]:
    """Return estimates as likely as the MLE from 40 random starts, with the labels of the aligned draws."""
    answers, family = [], comparison.family
    for seed in range(40):
        start = family.anywhere(comparison.mle, np.random.RandomState(seed))
        with left_to_the_status():
            fit = family.estimator(n_components=comparison.n_components, init=start).fit(comparison.X)
        if not fit.collapsed_ and abs(fit.log_likelihood_ - comparison.mle.log_likelihood_) < ALIKE:
            answers.append(fit.parameters_.permute(order_of(fit.parameters_, comparison.posterior)))
    return answers


def _place(name: str) -> tuple[str, tuple[int, ...]]:
    """Return array and index of a name such as ``means[0, 1]``."""
    array, _, index = name.rstrip("]").partition("[")
    return array, tuple(map(int, index.split(",")))


def _entry(parameters: Any, name: str) -> float:
    array, index = _place(name)
    return float(parameters.arrays()[array][index])


def _draws_of(comparison: Any, name: str) -> Any:
    """Return the aligned draws (S,) of an entry."""
    array, index = _place(name)
    return comparison.posterior["posterior"][array].to_numpy()[:, :, *index].ravel()


FIGURES: dict[str, Callable[[Any], Figure]] = {
    "data": data_figure,
    "objective": objective_figure,
    "posterior": posterior_figure,
    "responsibilities": responsibilities_figure,
    "ridge": ridge_figure,
}
