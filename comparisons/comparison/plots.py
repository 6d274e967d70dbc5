"""The figures of a comparison, each drawn on axes it is given or in a figure it returns."""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Ellipse
from scipy.stats import binom, norm

from comparisons.alignment import order_of
from comparisons.comparison.estimates import single
from em.process.labels import label
from em.status import left_to_the_status

EM_COLOUR, MAP_COLOUR, POSTERIOR_COLOUR, DATA_COLOUR = "#c1272d", "#e08214", "#2166ac", "0.55"
MOST_MARGINALS = 24
ALIKE = 1e-3  # nats between maxima that EM reached from different starts


def draw_ellipses(
    ax: Axes, mean: Any, covariance: Any, sigmas: tuple[float, ...] = (1, 2, 3), **kwargs: Any
) -> list[Ellipse]:
    """Draw the ellipses (x - μ)' Σ⁻¹ (x - μ) = s² of a bivariate normal, one for each s in ``sigmas``.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    mean : array_like, shape (2,)
        Centre μ.
    covariance : array_like, shape (2, 2)
        Covariance Σ.
    sigmas : tuple of float
        Radii in standard deviations.
    **kwargs
        Passed to `matplotlib.patches.Ellipse`; the default is an unfilled outline.
    """
    variances, axes = np.linalg.eigh(np.asarray(covariance))
    angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
    style = {"fill": False, **kwargs}
    ellipses = []
    for s in sigmas:
        width, height = 2 * s * np.sqrt(variances[::-1])
        ellipses.append(Ellipse(tuple(np.asarray(mean)), width, height, angle=angle, **style))
        ax.add_patch(ellipses[-1])
    return ellipses


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
    found = comparison.responsibilities
    for k in range(comparison.n_components):
        ax.errorbar(
            found["em"][:, k],
            found["posterior mean"][:, k],
            yerr=found["posterior sd"][:, k],
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
    draws = _component_draws(comparison, ("weights", located))
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
    found, family = [], comparison.family
    for seed in range(40):
        start = family.anywhere(comparison.mle, np.random.RandomState(seed))
        with left_to_the_status():
            fit = family.estimator(n_components=comparison.n_components, init=start).fit(comparison.X)
        if not fit.collapsed_ and abs(fit.log_likelihood_ - comparison.mle.log_likelihood_) < ALIKE:
            found.append(fit.parameters_.permute(order_of(fit.parameters_, comparison.posterior)))
    return found


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


def draw_gaussian_data(ax: Axes, comparison: Any) -> None:
    """Histogram and densities in one dimension, otherwise two features with 1-2-3 sigma ellipses."""
    if comparison.X.shape[1] == 1:
        _draw_gaussian_line(ax, comparison)
        return
    reference = comparison.reference
    draws = _component_draws(comparison, ("means", "covariances"))
    matrices = comparison.family.covariance_matrices(draws)
    spread = np.ptp(reference.means, axis=0) / np.nanstd(comparison.X, axis=0)
    i, j = np.sort(np.argsort(-spread, kind="stable")[:2])  # the two features that part the components most
    ax.plot(comparison.X[:, i], comparison.X[:, j], ".", color=DATA_COLOUR, markersize=4, zorder=1)
    pair = np.ix_([i, j], [i, j])
    for k in range(reference.n_components):
        for s in range(0, len(draws["means"]), max(1, len(draws["means"]) // 40)):
            draw_ellipses(
                ax, draws["means"][s, k][[i, j]], matrices[s, k][pair], (2,), edgecolor=POSTERIOR_COLOUR, alpha=0.12
            )
        best = reference.covariance_matrices[k][pair]
        draw_ellipses(ax, reference.means[k][[i, j]], best, edgecolor=EM_COLOUR, linewidth=1.6)
        mean = draws["means"][:, k][:, [i, j]].mean(axis=0)
        average = matrices[:, k].mean(axis=0)[pair]
        draw_ellipses(ax, mean, average, edgecolor=POSTERIOR_COLOUR, linestyle="--", linewidth=1.2)
        ax.plot(*mean, "+", color=POSTERIOR_COLOUR, markersize=12)
        ax.plot(*reference.means[k][[i, j]], "x", color=EM_COLOUR, markersize=9)
    ax.plot([], [], color=EM_COLOUR, label=f"{_reference_name(comparison)}: 1, 2, 3 sigma")
    ax.plot([], [], "--", color=POSTERIOR_COLOUR, label="posterior mean: 1, 2, 3 sigma")
    ax.plot([], [], color=POSTERIOR_COLOUR, alpha=0.4, label="40 posterior draws: 2 sigma")
    ax.set(xlabel=label(comparison.feature_names[i]), ylabel=label(comparison.feature_names[j]))


def _draw_gaussian_line(ax: Axes, comparison: Any) -> None:
    x = comparison.X[:, 0]
    grid = np.linspace(x.min() - 0.1 * np.ptp(x), x.max() + 0.1 * np.ptp(x), 400)
    ax.hist(x, bins=max(20, len(x) // 10), density=True, color=DATA_COLOUR, alpha=0.5)
    draws = _component_draws(comparison, ("weights", "means", "covariances"))
    variances = comparison.family.covariance_matrices(draws)[:, :, 0, 0]
    for s in range(0, len(draws["means"]), max(1, len(draws["means"]) // 40)):
        density = norm.pdf(grid[:, None], draws["means"][s, :, 0], np.sqrt(variances[s]))
        ax.plot(grid, density @ draws["weights"][s], color=POSTERIOR_COLOUR, alpha=0.12)
    best = comparison.reference
    density = norm.pdf(grid[:, None], best.means[:, 0], np.sqrt(best.covariance_matrices[:, 0, 0])) * best.weights
    ax.plot(grid, density.sum(axis=1), color=EM_COLOUR, linewidth=2, label=_reference_name(comparison))
    ax.plot(grid, density, color=EM_COLOUR, linewidth=0.8, linestyle="--")
    ax.plot([], [], color=POSTERIOR_COLOUR, label="40 posterior draws")
    ax.set(xlabel=label(comparison.feature_names[0]), ylabel="density")


def draw_count_data(ax: Axes, comparison: Any) -> None:
    """One feature: frequencies of counts and fitted ones. More: profiles of success probabilities."""
    if comparison.X.shape[1] == 1:
        _draw_counts(ax, comparison)
        return
    probs = _component_draws(comparison, ("probs",))["probs"]
    at = np.arange(comparison.X.shape[1])
    low, mid, high = np.quantile(probs, [0.025, 0.5, 0.975], axis=0)
    for k in range(comparison.n_components):
        (line,) = ax.plot(at, comparison.reference.probs[k], "x-", linewidth=0.8, label=f"component {k}")
        ax.errorbar(
            at + 0.06 * (k + 1), mid[k], [mid[k] - low[k], high[k] - mid[k]], fmt=".", color=line.get_color(), capsize=2
        )
    ax.set(xlabel="feature", ylabel="success probability", ylim=(-0.02, 1.02))
    if len(at) <= 12:
        ax.set_xticks(at, [label(name) for name in comparison.feature_names], rotation=20)
    ax.plot([], [], "kx-", linewidth=0.8, label=_reference_name(comparison))
    ax.errorbar([], [], [], fmt="k.", capsize=2, label="posterior median, 95 %")


def _draw_counts(ax: Axes, comparison: Any) -> None:
    trials = int(np.max(comparison.family.n_trials))
    counts = np.arange(trials + 1)
    observed = np.bincount(comparison.X[:, 0].astype(int), minlength=trials + 1) / len(comparison.X)
    ax.bar(counts, observed, color=DATA_COLOUR, alpha=0.5, label="observed share")
    draws = _component_draws(comparison, ("weights", "probs"))
    for s in range(0, len(draws["probs"]), max(1, len(draws["probs"]) // 40)):
        share = binom.pmf(counts[:, None], trials, draws["probs"][s, :, 0]) @ draws["weights"][s]
        ax.plot(counts, share, color=POSTERIOR_COLOUR, alpha=0.12)
    best = comparison.reference
    share = binom.pmf(counts[:, None], trials, best.probs[:, 0]) * best.weights
    ax.plot(counts, share.sum(axis=1), "o-", color=EM_COLOUR, label=_reference_name(comparison))
    ax.plot(counts, share, "--", color=EM_COLOUR, linewidth=0.8)
    ax.plot([], [], color=POSTERIOR_COLOUR, label="40 posterior draws")
    ax.set(xlabel=label(comparison.feature_names[0]), ylabel="share of samples")


def _component_draws(comparison: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return aligned draws (chain * draw, ...) by name."""
    posterior = comparison.posterior["posterior"]
    return {name: (array := posterior[name].to_numpy()).reshape(-1, *array.shape[2:]) for name in names}


def _reference_name(comparison: Any) -> str:
    return "MLE (EM)" if comparison.reference is comparison.mle.parameters_ else "MAP (EM)"


FIGURES: dict[str, Callable[[Any], Figure]] = {
    "data": data_figure,
    "objective": objective_figure,
    "posterior": posterior_figure,
    "responsibilities": responsibilities_figure,
    "ridge": ridge_figure,
}
