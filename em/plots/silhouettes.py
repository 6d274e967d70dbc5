"""Silhouettes: how much nearer each sample is to its own cluster than to the next one."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from em.plots.axes import axes_or_new, note
from em.plots.colours import component_colours
from em.plots.points import MOST_POINTS, SEED
from em.process.process_wide import without_expected_warnings
from em.samples.reading import samples_to_use
from models.shown import shown
from models.validation import Array, data_matrix

GAP = 0.02  # between clusters, as a share of the samples


def plot_silhouettes(labels: Any, X: ArrayLike, ax: Any = None) -> Any:
    """Draw the silhouette of each sample, sorted within its cluster, and a line at their mean.

    With a the mean distance to the other samples of the own cluster, and b the smallest mean distance to the samples of
    another cluster, the silhouette is (b - a) / max(a, b), from -1 to 1 (Rousseeuw 1987). In a good clustering the
    shapes of all clusters are of similar thickness and reach beyond the mean. Samples below 0 lie nearer to another
    cluster.

    Parameters
    ----------
    labels : estimator or array_like of int, shape (n,)
        A fitted mixture or K-means, or labels.
    X : array_like, shape (n, D)
        Samples; distances are Euclidean, in the units of X.
    ax : matplotlib.axes.Axes or None, default None
        Axes to draw on; None makes a figure.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is only one label, or one for each sample.

    Notes
    -----
    Rows with a missing cell have no distance and are left out. Of more than 3,000 samples, a random part of 3,000 is
    drawn, with a fixed seed, because the work grows with the square of their number.

    References
    ----------
    Rousseeuw (1987), Silhouettes: a graphical aid to the interpretation and validation of cluster analysis, Journal of
    Computational and Applied Mathematics 20, 53-65.

    Examples
    --------
    >>> from em import KMeans
    >>> from em.plots import plot_silhouettes
    >>> X = [[0.0, 0.0], [0.0, 1.0], [4.0, 0.0], [4.0, 1.0]]
    >>> ax = plot_silhouettes(KMeans(2, random_state=0).fit(X), X)
    >>> ax.get_xlabel()
    'silhouette, mean 0.75'
    """
    from sklearn.metrics import silhouette_samples

    z, matrix = _labelled(labels, X)
    complete = np.arange(len(z)) if issparse(matrix) else np.flatnonzero(~np.isnan(matrix).any(axis=1))
    n, n_missing = len(complete), len(z) - len(complete)
    if n > MOST_POINTS:
        complete = np.random.RandomState(SEED).choice(complete, MOST_POINTS, replace=False)
    z, matrix = z[complete], matrix[complete]
    if not 2 <= (n_labels := len(np.unique(z))) < len(z):
        raise ValueError(f"labels must be at least 2, and fewer than the {len(z)} samples, got {n_labels}")
    values = np.asarray(silhouette_samples(matrix, z))
    ax = axes_or_new(ax)
    _draw_clusters(ax, values, z)
    drawn = f"{len(z):,} of {n:,} samples drawn, at random" if len(z) < n else ""
    note(ax, [drawn, f"left out: samples with missing cells, {n_missing:,}" if n_missing else ""])
    return ax


def _labelled(labels: Any, X: ArrayLike) -> tuple[np.ndarray, Any]:
    """Return labels (n,) and the samples as numbers (n, D), sparse if an estimator takes sparse X."""
    if hasattr(labels, "predict"):
        with without_expected_warnings:
            return labels.predict(X), samples_to_use(labels, X, missing=True)
    z, matrix = np.asarray(labels), data_matrix(X, missing=True)
    if z.shape != (len(matrix),) or z.dtype.kind not in "iu" or z.min() < 0:
        raise ValueError(
            f"labels must be a fitted estimator or {len(matrix)} whole numbers from 0, one for each row of X, got "
            f"{shown(labels)}"
        )
    return z, matrix


def _draw_clusters(ax: Any, values: Array, z: np.ndarray) -> None:
    colours, start, gap = component_colours(int(z.max()) + 1), 0.0, GAP * len(z)
    for k in np.unique(z).tolist():
        silhouettes = np.sort(values[z == k])
        at, middle = start + np.arange(len(silhouettes) + 1.0), start + len(silhouettes) / 2
        ax.stairs(silhouettes, at, orientation="horizontal", fill=True, color=colours[k], label=f"cluster {k}")
        ax.text(-0.01, middle, str(k), ha="right", va="center", transform=ax.get_yaxis_transform())
        start = at[-1] + gap
    mean = float(values.mean())
    ax.axvline(mean, color="black", linestyle="dashed", linewidth=1)
    ax.set(xlabel=f"silhouette, mean {mean:.2f}", ylabel="cluster, its samples sorted", yticks=[])
    ax.yaxis.labelpad = 14
    ax.set_xlim(min(0.0, float(values.min())) - 0.02, 1.0)
