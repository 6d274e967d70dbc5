"""Pictures of a K-means sweep, drawn on the axes that they are given."""

from typing import Any

import numpy as np

from em.kmeans_sweep import KMeansSweep


def plot_elbow(sweep: KMeansSweep, ax: Any) -> None:
    """Draw inertia against K: past the number of clusters that the data have, it falls only slowly.

    Parameters
    ----------
    sweep : KMeansSweep
        What `kmeans_sweep` returned.
    ax : matplotlib Axes
        Where to draw.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from em import kmeans_sweep
    >>> from em.plots_kmeans import plot_elbow
    >>> ax = Figure().subplots()
    >>> plot_elbow(kmeans_sweep([[0.0], [1.0], [9.0], [11.0]], range(1, 4), random_state=0), ax)
    >>> ax.get_ylabel()
    'inertia'
    """
    _plot(sweep.n_clusters, sweep.inertia, "inertia", ax)
    ax.set_ylim(bottom=0)


def plot_silhouette(sweep: KMeansSweep, ax: Any) -> None:
    """Draw the silhouette score against K: its peak is one choice of K. Parameters as in :func:`plot_elbow`."""
    _plot(sweep.n_clusters, sweep.silhouette, "silhouette score", ax)


def _plot(n_clusters: np.ndarray, values: np.ndarray, name: str, ax: Any) -> None:
    order = np.argsort(n_clusters)
    ax.plot(n_clusters[order], values[order], marker="o")
    ax.set_xticks(n_clusters[order])
    ax.set_xlabel("number of clusters K")
    ax.set_ylabel(name)
