"""Pictures of a mixture of two continuous features: density contours, decision boundaries and anomalies."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.anomalies import density_threshold, is_anomaly
from em.plots.axes import axes_or_new, finish
from em.plots.clouds import clouds_of
from em.plots.colours import ANOMALY
from em.plots.letters import lend_letters
from em.plots.plane import draw_clouds
from em.plots.points import points_of
from em.predictions import check_fitted
from em.process.process_wide import without_expected_warnings
from models.cells import Cells
from models.labels import label
from models.validation import Array, column_names, data_matrix

RESOLUTION = 200
SHADES = 14
MARGIN = 0.1
ANY = Cells()


def plot_decision_boundaries(estimator: Any, X: ArrayLike, ax: Any = None) -> Any:
    """Draw where the most probable label changes, as dashed lines.

    Parameters
    ----------
    estimator : MixtureEM or KMeans
        Fitted to two continuous features; only its ``predict`` is used.
    X : array_like, shape (n, 2)
        Samples that the picture must cover.
    ax : matplotlib.axes.Axes or None, default None
        Axes to draw on; None makes a figure.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If X does not have two columns.

    Examples
    --------
    >>> from em import KMeans
    >>> from em.plots import plot_decision_boundaries
    >>> X = [[0.0, 0.0], [0.0, 1.0], [4.0, 0.0], [4.0, 1.0]]
    >>> ax = plot_decision_boundaries(KMeans(2, random_state=0).fit(X), X)
    """
    x, y, labels = _of_fit(estimator, "predict", X)
    ax = _named_axes(ax, estimator, X)
    for k in np.unique(labels)[1:]:
        before = np.ma.masked_where(labels > k, labels == k)  # each line is drawn once, between k and lower labels
        ax.contour(x, y, before, levels=[0.5], colors="black", linestyles="dashed", linewidths=1)
    return ax


def plot_density_contours(estimator: Any, X: ArrayLike, ax: Any = None, n_levels: int = 10) -> Any:
    """Draw contours of the negative log density.

    The levels are min(-log p) + s² / 2 with s in equal steps, up to the largest value in the picture. For a single
    Gaussian these are the ellipses at s standard deviations.

    Parameters
    ----------
    estimator : MixtureEM
        Fitted to two continuous features.
    X : array_like, shape (n, 2)
        Samples that the picture must cover.
    ax : matplotlib.axes.Axes or None, default None
        Axes to draw on; None makes a figure.
    n_levels : int, default 10
        Number of contours.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If X does not have two columns.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM
    >>> from em.plots import plot_density_contours
    >>> X = np.random.RandomState(0).normal(size=(50, 2))
    >>> ax = plot_density_contours(GaussianMixtureEM(1).fit(X), X)
    """
    x, y, log_density = _of_fit(estimator, "score_samples", X)
    s = np.linspace(0, np.sqrt(2 * np.ptp(log_density)), n_levels + 2)[1:-1]
    levels = -log_density.max() + s**2 / 2
    ax = _named_axes(ax, estimator, X)
    ax.contour(x, y, -log_density, levels=levels, cmap="viridis_r", linestyles="solid", linewidths=1)
    return ax


def plot_anomalies(
    estimator: Any, X: ArrayLike, ax: Any = None, threshold: float | None = None, quantile: float = 0.04
) -> Any:
    """Mark the anomalies among the samples X with crosses, and draw the contour of the threshold density.

    Parameters
    ----------
    estimator : MixtureEM
        Fitted to two continuous features.
    X : array_like, shape (n, 2)
        Samples.
    ax : matplotlib.axes.Axes or None, default None
        Axes to draw on; None makes a figure.
    threshold, quantile : float
        As in :func:`em.anomalies.is_anomaly`.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If X does not have two columns, or the threshold or the quantile is not legal.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM
    >>> from em.plots import plot_anomalies
    >>> X = np.random.RandomState(0).normal(size=(50, 2))
    >>> ax = plot_anomalies(GaussianMixtureEM(1).fit(X), X)
    """
    x, y, log_density = _of_fit(estimator, "score_samples", X)
    if threshold is None:
        threshold = density_threshold(estimator, X, quantile)
    anomalies = data_matrix(X)[is_anomaly(estimator, X, threshold)]
    ax = _named_axes(ax, estimator, X)
    ax.plot(*anomalies.T, "x", color=ANOMALY, label="anomalies")
    if log_density.min() < threshold < log_density.max():
        ax.contour(x, y, log_density, levels=[threshold], colors=ANOMALY, linestyles="solid", linewidths=1)
    return ax


def _named_axes(ax: Any, estimator: Any, X: Any) -> Any:
    """Return the axes, with the names of the two features as labels unless the axes have labels."""
    ax = axes_or_new(ax)
    names = column_names(X) if (seen := getattr(estimator, "feature_names_in_", None)) is None else tuple(seen)
    if names is not None and not (ax.get_xlabel() and ax.get_ylabel()):
        ax.set(xlabel=ax.get_xlabel() or label(names[0]), ylabel=ax.get_ylabel() or label(names[1]))
        lend_letters(ax.figure)
    return ax


def plot_anomaly_detection(
    estimator: Any, X: ArrayLike, ax: Any = None, threshold: float | None = None, quantile: float = 0.04
) -> Any:
    """Draw samples, density contours, decision boundaries, centres and anomalies in one picture.

    This is figure 9-17 of Géron (2019), Hands-On Machine Learning, 2nd edition: anomaly detection with a mixture.

    Parameters
    ----------
    estimator : MixtureEM
        Fitted to two continuous features.
    X : array_like, shape (n, 2)
        Samples.
    ax : matplotlib.axes.Axes or None, default None
        Axes to draw on; None makes a figure.
    threshold, quantile : float
        As in :func:`em.anomalies.is_anomaly`.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If X does not have two columns, or the threshold or the quantile is not legal.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM
    >>> from em.plots import plot_anomaly_detection
    >>> X = np.random.RandomState(0).normal(size=(50, 2))
    >>> ax = plot_anomaly_detection(GaussianMixtureEM(1).fit(X), X)
    """
    x, y, log_density = _of_fit(estimator, "score_samples", X)
    points, clouds = points_of(estimator, X), clouds_of(estimator)
    ax = axes_or_new(ax)
    levels = -log_density.max() + np.linspace(0, np.sqrt(2 * np.ptp(log_density)), SHADES) ** 2 / 2
    ax.contourf(x, y, -log_density, levels=levels, cmap="Blues_r", alpha=0.35, zorder=0)
    ax.scatter(*points.X.T, s=points.areas / 2, color="0.25", linewidths=0, zorder=1)
    plot_density_contours(estimator, X, ax)
    plot_decision_boundaries(estimator, X, ax)
    plot_anomalies(estimator, X, ax, threshold, quantile)
    if clouds is not None:
        draw_clouds(ax, replace(clouds, covariances=None), (0, 1))
    finish(ax, points.names, [points.note])
    return ax


def on_grid(function: Callable[[Array], Array], X: ArrayLike, cells: Cells = ANY) -> tuple[Array, Array, Array]:
    """Return a function's values on a grid: x and y, each (200,), and the values (200, 200), y first.

    The grid covers the samples with a margin, except below if ``cells`` must be positive. The function takes all pairs
    of x and y as an array (40000, 2).
    """
    X = data_matrix(X)
    if X.shape[1] != 2:
        raise ValueError(f"X must have two columns to be drawn, got {X.shape[1]}: fit to two features, or project")
    low, high = X.min(axis=0), X.max(axis=0)
    margin = MARGIN * np.where(high > low, high - low, 1.0)
    x, y = np.linspace(low - margin * cells.negative, high + margin, RESOLUTION).T
    pairs = np.stack(np.meshgrid(x, y), axis=-1)
    with without_expected_warnings:
        return x, y, function(pairs.reshape(-1, 2)).reshape(pairs.shape[:2])


def _of_fit(estimator: Any, method: str, X: ArrayLike) -> tuple[Array, Array, Array]:
    """Return a method's values as `on_grid` does; raise a ValueError for counts and labels, with no density between."""
    check_fitted(estimator, method)
    theta = getattr(estimator, "parameters_", None)
    cells: Cells = getattr(theta, "cells", ANY)
    of_features = theta is None or theta.quantities[1].dims[-1] == "feature"
    if kind := "whole numbers" * cells.whole if of_features else "labels":
        raise ValueError(
            f"estimator must be fitted to two continuous features, got a {type(estimator).__name__}, whose cells are "
            f"{kind}: em.plots.plot draws it"
        )
    return on_grid(getattr(estimator, method), X, cells)
