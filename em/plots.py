"""Pictures of a mixture of two continuous features: density contours, decision boundaries and anomalies.

Each function draws on the given axes and returns them, so plots can be combined, and laid over the samples:

    ax.scatter(*X.T)
    plot_density_contours(fit, X, ax)
    plot_decision_boundaries(fit, X, ax)
    plot_anomalies(fit, X, ax)
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.anomalies import density_threshold, is_anomaly
from em.process.process_wide import without_expected_warnings
from models.labels import label
from models.validation import Array, column_names, data_matrix

RESOLUTION = 200
MARGIN = 0.1


def axes_or_new(ax: Any) -> Any:
    """Return the given axes, or those of a new figure for None."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def plot_decision_boundaries(estimator: Any, X: ArrayLike, ax: Any = None) -> Any:
    """Draw where the most probable label changes, as dashed lines.

    Parameters
    ----------
    estimator : MixtureEM or KMeans
        Fitted to two continuous features; only its ``predict`` is used.
    X : array_like, shape (n, 2)
        Samples that the picture has to cover.
    ax : matplotlib.axes.Axes or None, default None
        Where to draw; None makes a figure.

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
    x, y, labels = on_grid(estimator.predict, X)
    ax = _named_axes(ax, estimator, X)
    for k in np.unique(labels)[1:]:  # the first label's regions are bounded by the others'
        ax.contour(x, y, labels == k, levels=[0.5], colors="black", linestyles="dashed", linewidths=1)
    return ax


def plot_density_contours(estimator: Any, X: ArrayLike, ax: Any = None, n_levels: int = 10) -> Any:
    """Draw contours of the negative log density.

    The levels are min(-log p) + s² / 2 with s in equal steps, up to the largest value in the picture: for a single
    Gaussian the ellipses at s standard deviations.

    Parameters
    ----------
    estimator : MixtureEM
        Fitted to two continuous features.
    X : array_like, shape (n, 2)
        Samples that the picture has to cover.
    ax : matplotlib.axes.Axes or None, default None
        Where to draw; None makes a figure.
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
    x, y, log_density = on_grid(estimator.score_samples, X)
    s = np.linspace(0, np.sqrt(2 * np.ptp(log_density)), n_levels + 2)[1:-1]
    levels = -log_density.max() + s**2 / 2
    ax = _named_axes(ax, estimator, X)
    ax.contour(x, y, -log_density, levels=levels, cmap="viridis_r", linestyles="solid", linewidths=1)
    return ax


def plot_anomalies(
    estimator: Any, X: ArrayLike, ax: Any = None, threshold: float | None = None, quantile: float = 0.04
) -> Any:
    """Mark the anomalies among the samples X with crosses, and draw the line that sets them apart.

    Parameters
    ----------
    estimator : MixtureEM
        Fitted to two continuous features.
    X : array_like, shape (n, 2)
        Samples.
    ax : matplotlib.axes.Axes or None, default None
        Where to draw; None makes a figure.
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
    x, y, log_density = on_grid(estimator.score_samples, X)
    if threshold is None:
        threshold = density_threshold(estimator, X, quantile)
    found = data_matrix(X)[is_anomaly(estimator, X, threshold)]
    ax = _named_axes(ax, estimator, X)
    ax.plot(*found.T, "x", color="#c1272d", label="anomalies")
    if log_density.min() < threshold < log_density.max():
        ax.contour(x, y, log_density, levels=[threshold], colors="#c1272d", linestyles="solid", linewidths=1)
    return ax


def _named_axes(ax: Any, estimator: Any, X: Any) -> Any:
    """Return the axes, named after the two features where these have names and the axes have none yet."""
    ax = axes_or_new(ax)
    names = column_names(X) if (seen := getattr(estimator, "feature_names_in_", None)) is None else tuple(seen)
    if names is not None:
        ax.set(xlabel=ax.get_xlabel() or label(names[0]), ylabel=ax.get_ylabel() or label(names[1]))
    return ax


def on_grid(function: Callable[[Array], Array], X: ArrayLike) -> tuple[Array, Array, Array]:
    """Return x and y, each (200,), that cover the samples with a margin, and the function's values (200, 200), y first.

    The function is given all pairs of x and y, (40000, 2), without the column names that X may have.
    """
    X = data_matrix(X)
    if X.shape[1] != 2:
        raise ValueError(f"X must have two columns to be drawn, got {X.shape[1]}: fit to two features, or project")
    low, high = X.min(axis=0), X.max(axis=0)
    margin = MARGIN * np.where(high > low, high - low, 1.0)
    x, y = np.linspace(low - margin, high + margin, RESOLUTION).T
    pairs = np.stack(np.meshgrid(x, y), axis=-1)
    with without_expected_warnings:
        return x, y, function(pairs.reshape(-1, 2)).reshape(pairs.shape[:2])
