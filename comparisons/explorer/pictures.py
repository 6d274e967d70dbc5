"""Draw a state by the library's own plots: samples and components, and the bound step by step."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from comparisons.explorer.steps import ByHand
from em.page import address
from em.plots import plot
from em.plots.axes import legend
from em.plots.clouds import clouds_of
from em.plots.colours import blended
from em.plots.plane import draw_plane
from em.plots.points import points_of
from models.labels import label
from models.validation import Array

DPI = 110
FEW = 4  # with more records, the start is left out, because it lies far below
LETTERS = 80  # letters that fit under the figure of the bound
FLOOR = 1e-6  # nats: a smaller gap has no bar
INCHES = 6.4, 5.4
INITIALS = {
    "E-step": "E",
    "M-step": "M",
    "hard E-step": "hard E",
    "M-step with prior": "M+prior",
    "Gibbs sweep": "Gibbs",
}
BOUND, OF_Q, GAP = "#0072B2", "#E69F00", "#D55E00"


def as_address(figure: Figure) -> str:
    """Return a figure as a PNG in a ``data:`` address, compressed fast rather than well."""
    image = io.BytesIO()
    figure.savefig(image, format="png", pil_kwargs={"compress_level": 1})
    return address(image.getvalue(), "png")


def has_pairs(hand: ByHand) -> bool:
    """Whether the figure of the samples shows two of more features, which the user chooses."""
    return hand.X.shape[1] > 2 and clouds_of(hand.mixture) is not None


def data_figure(hand: ByHand, pair: tuple[int, int] = (0, 1), sample: int | None = None) -> Figure:
    """Draw samples in the colours of q, with the components at θ.

    Parameters
    ----------
    hand : ByHand
        The state.
    pair : tuple of int
        The two features to draw, if components are drawn among the samples.
    sample : int or None
        A sample to mark.
    """
    figure, mixture = Figure(figsize=INCHES, dpi=DPI), hand.mixture
    clouds, colours = clouds_of(mixture), blended(hand.responsibilities)
    if clouds is not None and hand.X.shape[1] > 1:
        ax, names = figure.subplots(), hand.dataset.feature_names
        rows = -(-len(clouds.weights) // 3)  # of the legend
        figure.subplots_adjust(left=0.12, right=0.97, top=0.98, bottom=0.15 + 0.04 * rows)
        draw_plane(ax, replace(points_of(mixture, hand.X), colours=colours), clouds, pair)
        ax.set(xlabel=label(names[pair[0]]), ylabel=label(names[pair[1]]))
        ax.locator_params(nbins=5)
        if sample is not None:
            _ring(ax, *hand.X[sample, list(pair)])
        legend(ax)
        return figure
    ax, strip = figure.subplots(2, height_ratios=[6, 1])
    plot(mixture, hand.X, ax, **({} if clouds is not None else hand.family.of_data))
    _make_room(figure, ax)
    legend(ax, bbox_to_anchor=(0.5, 1.0), loc="lower center")
    on_axis = hand.X.shape[1] == 1 and ax.get_xlabel() != ""
    places = _jittered(hand.X[:, 0]) if on_axis else _sorted_places(hand.responsibilities)
    height = np.random.RandomState(0).uniform(-1, 1, len(places)) if on_axis else np.zeros(len(places))
    strip.scatter(places, height, c=colours, s=10 if on_axis else 60, marker="o" if on_axis else "|", linewidths=0.8)
    if sample is not None:
        _ring(strip, places[sample], height[sample])
    strip.set(ylim=(-1.6, 1.6), yticks=[], xlim=ax.get_xlim() if on_axis else None)
    strip.set_xlabel("samples, in the colours of q" if on_axis else "samples in order, in the colours of q")
    if not on_axis:
        strip.set_xticks([])
    return figure


def _make_room(figure: Figure, ax: Any) -> None:
    """Leave room for the labels around the upper axes; a heat map has long labels, and many."""
    left, between = 0.12, 0.45
    if ax.images:
        left, between = 0.26, 0.85
        names = [text.get_text() for text in ax.get_xticklabels()]
        ax.set_xticks(ax.get_xticks()[::3], names[::3], rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    figure.subplots_adjust(left=left, right=0.96, top=0.86, bottom=0.1, hspace=between)


def _ring(ax: Any, x: float, y: float) -> None:
    ax.plot(x, y, "o", markersize=14, markerfacecolor="none", markeredgecolor="black", markeredgewidth=1.8, zorder=7)


def _jittered(x: Array) -> Array:
    """Return values; whole numbers are jittered, because many samples share them."""
    whole = bool((x == np.rint(x)).all())
    return x + np.random.RandomState(1).uniform(-0.3, 0.3, len(x)) if whole else x


def _sorted_places(responsibilities: Array) -> Array:
    """Return the rank of each sample, ordered by most probable component, then by its responsibility."""
    order = np.lexsort((-responsibilities.max(axis=1), responsibilities.argmax(axis=1)))
    return np.argsort(order).astype(np.float64)


def bound_figure(hand: ByHand, last: int = 12, with_prior: bool = False) -> Figure:
    """Draw log-likelihood, bound and Q over the last steps, and below them the gap KL between the first two.

    The bars of the gap have a logarithmic scale, so that a gap of any size is visible.

    Parameters
    ----------
    hand : ByHand
        The state.
    last : int, default 12
        Number of records to draw.
    with_prior : bool, default False
        Whether to add the log prior to all three lines.
    """
    first = max(len(hand.records) - last, 1) if len(hand.records) > FEW else 0
    records, at = hand.records[first:], np.arange(first, len(hand.records), dtype=np.float64)
    priors = [record.log_prior if with_prior else 0.0 for record in records]
    top, bound, q = (
        _finite([getattr(record, name) for record in records], priors) for name in ("log_likelihood", "elbo", "q")
    )
    figure = Figure(figsize=INCHES, dpi=DPI)
    ax, below = figure.subplots(2, height_ratios=[3, 1.2])
    figure.subplots_adjust(left=0.17, right=0.97, top=0.86, bottom=0.12, hspace=0.08)
    plus = " + log prior" if with_prior else ""
    ax.fill_between(at, bound, top, color=GAP, alpha=0.25, linewidth=0, label="gap KL")
    ax.fill_between(at, q, bound, color=OF_Q, alpha=0.15, linewidth=0, label="entropy H")
    ax.plot(at, q, "s--", color=OF_Q, markersize=3, linewidth=1, label=f"Q{plus}")
    ax.plot(at, bound, "o-", color=BOUND, markersize=5, label=f"bound Q + H{plus}")
    ax.plot(at, top, "o-", color="black", markersize=4, linewidth=1.4, label=f"log-likelihood{plus}")
    ax.set_ylabel("nats")
    ax.locator_params("y", nbins=5)
    legend(ax, bbox_to_anchor=(0.45, 1.0), loc="lower center")
    names, place = [INITIALS.get(one.step, one.step.split()[-1]) for one in records], below.get_xaxis_transform()
    for x, name in zip(at, names, strict=True):  # text is drawn several times as fast as ticks
        below.text(x, -0.04, name, transform=place, ha="center", va="top", **_fitting(names))
    _draw_gaps(below, at, np.array([record.gap for record in records]))
    for part in (ax, below):
        part.set(xticks=[], xlim=(at[0] - 0.6, at[-1] + 0.6))
    return figure


def _finite(values: list[float], priors: list[float]) -> Array:
    """Return sums, with NaN for infinite ones: on the boundary a sample, or the parameters, may be impossible."""
    sums = np.add(values, priors)
    return np.where(np.isfinite(sums), sums, np.nan)


def _draw_gaps(ax: Any, at: Array, gaps: Array) -> None:
    """Draw bars as high as the logarithm of the gaps, with their values; a gap of the size of rounding has no bar."""
    largest = gaps.max(where=np.isfinite(gaps), initial=1.0)
    heights = np.log10(np.clip(gaps, FLOOR, 10 * largest) / FLOOR)
    ax.bar(at, heights, color=GAP, alpha=0.7, width=0.6)
    texts = ["0" if gap <= FLOOR else "∞" if np.isinf(gap) else f"{gap:.{3 if gap >= 100 else 2}g}" for gap in gaps]
    style = _fitting(texts)
    for x, height, text in zip(at, heights, texts, strict=True):
        ax.text(x, height, text, ha="center", va="bottom", **style)
    above = 1.8 if style["rotation"] else 1.25
    ax.set(ylim=(0, above * heights.max() + 1), yticks=[], ylabel="gap KL\n(log scale)")


def _fitting(texts: list[str]) -> dict[str, Any]:
    """Return the style of texts in a row: vertical if the row is too short for them."""
    crowded = len(texts) * max(map(len, texts)) > LETTERS
    return {"rotation": 90 if crowded else 0, "fontsize": 7 if crowded else 8}
