"""Samples and components of two features: points, ellipses, centres, and ticks for missing cells."""

from typing import Any

import numpy as np

from em.plots.axes import finish, limits
from em.plots.colours import component_colours
from em.plots.points import Points

SIGMAS = 1.0, 2.0, 3.0
EMPTY = 1e-8  # a weight below which a component is not drawn
MARGIN = 0.1  # of the samples' range, for the ellipses
MOST_VECTORS = 500  # points in an SVG; more are drawn as an image, since browsers are slow
REACH = 0.5  # share of an axis by which ellipses widen it at most, at each end
CENTER = 11.0  # size of the marker of a centre, in points


def draw_ellipses(ax: Any, mean: Any, covariance: Any, sigmas: tuple[float, ...] = SIGMAS, **kwargs: Any) -> list[Any]:
    """Draw the ellipses (x - μ)' Σ⁻¹ (x - μ) = s² of a bivariate normal, one for each s in ``sigmas``.

    Parameters
    ----------
    ax : Axes
        Axes to draw on.
    mean : array_like, shape (2,)
        Centre μ.
    covariance : array_like, shape (2, 2)
        Covariance Σ.
    sigmas : tuple of float
        Radii in standard deviations.
    **kwargs
        Passed to `matplotlib.patches.Ellipse`; the default is an unfilled outline.
    """
    from matplotlib.patches import Ellipse

    variances, axes = np.linalg.eigh(np.asarray(covariance))
    angle = np.degrees(np.arctan2(axes[1, 1], axes[0, 1]))
    ellipses = []
    for s in sigmas:
        width, height = 2 * s * np.sqrt(variances[::-1])
        ellipses.append(Ellipse(tuple(np.asarray(mean)), width, height, angle=angle, **{"fill": False, **kwargs}))
        ax.add_patch(ellipses[-1])
    return ellipses


def draw_plane(ax: Any, points: Points, clouds: Any, pair: tuple[int, int] = (0, 1), size: float = CENTER) -> str:
    """Draw a pair of features, with centres of this size, and return a note about missing cells, or "".

    A sample that lacks one of the two features is a tick at the edge, at the value of the other.
    """
    x, y = points.X[:, pair].T
    both, only = ~np.isnan(x) & ~np.isnan(y), {"x": np.isnan(y) & ~np.isnan(x), "y": np.isnan(x) & ~np.isnan(y)}
    areas = points.areas[both] * (size / CENTER)
    style: dict[str, Any] = {"s": areas, "c": points.colours[both], "alpha": 0.7, "linewidths": 0, "zorder": 1}
    ax.scatter(x[both], y[both], rasterized=len(areas) > MOST_VECTORS, **style)
    style = {"s": 60, "alpha": 0.8, "linewidths": 1.2, "clip_on": False, "zorder": 4}
    for some, marker, at in ((only["x"], "|", ax.get_xaxis_transform()), (only["y"], "_", ax.get_yaxis_transform())):
        if some.any():  # the missing coordinate is 0, the edge of the axes
            ticks = (np.where(np.isnan(z[some]), 0.0, z[some]) for z in (x, y))
            ax.scatter(*ticks, c=points.colours[some], marker=marker, transform=at, **style)
    draw_clouds(ax, clouds, pair, size)
    centers = clouds.means[clouds.weights > EMPTY][:, pair]
    xlim, ylim = (limits(np.append(z, own), MARGIN) for z, own in zip((x, y), centers.T, strict=True))
    ax.set(xlim=xlim, ylim=ylim)
    return "ticks at the edge: the other feature is missing" if only["x"].any() or only["y"].any() else ""


def draw_clouds(ax: Any, clouds: Any, pair: tuple[int, int], size: float = CENTER) -> None:
    """Draw ellipses and numbered centres of the components that are not empty."""
    colours = component_colours(len(clouds.weights))
    for k in np.flatnonzero(clouds.weights > EMPTY).tolist():
        center = clouds.means[k, pair]
        if clouds.covariances is not None:
            matrix = clouds.covariances[k][np.ix_(pair, pair)]
            draw_ellipses(ax, center, matrix, edgecolor=colours[k], linewidth=1.3, zorder=2)
        style: dict[str, Any] = {"markersize": size, "markerfacecolor": "white", "markeredgewidth": 1.8, "zorder": 5}
        ax.plot(*center, "o", markeredgecolor=colours[k], label=clouds.name_of(k), **style)
        ax.text(*center, str(k), ha="center", va="center", fontsize=0.65 * size, zorder=6, clip_on=True)


def show_ellipses(ax: Any) -> None:
    """Widen axes to show whole ellipses, but only a part of ellipses that are much larger than the samples."""
    from matplotlib.patches import Ellipse

    boxes = [one.get_path().get_extents(one.get_patch_transform()) for one in ax.patches if isinstance(one, Ellipse)]
    if not boxes:
        return
    for (low, high), ends, widen in (
        (ax.get_xlim(), [box.intervalx for box in boxes], ax.set_xlim),
        (ax.get_ylim(), [box.intervaly for box in boxes], ax.set_ylim),
    ):
        reach, edge = REACH * (high - low), limits(np.ravel(ends), 0.02)
        widen(min(low, max(edge[0], low - reach)), max(high, min(edge[1], high + reach)))


def plane_picture(ax: Any, points: Points, clouds: Any) -> None:
    """Draw two features with names, legend and notes."""
    missing = draw_plane(ax, points, clouds)
    finish(ax, points.names, [points.note, missing], len(clouds.weights))
