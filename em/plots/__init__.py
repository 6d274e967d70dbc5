"""Pictures of fitted mixtures and clusters, with their data.

::

    plot(fit, X)                    # any mixture, or clusters: points and ellipses, pairs, densities or profiles
    plot_anomaly_detection(fit, X)  # two features: density, boundaries, centres, anomalies
    plot_silhouettes(fit, X)        # how well each sample fits its cluster
    animate(fit.path_, X, "em.html")  # EM step by step, after fit(X, keep_path=True)

Each of these functions draws on the given axes and returns them, so pictures can be combined::

    ax.scatter(*X.T)
    plot_density_contours(fit, X, ax)
    plot_decision_boundaries(fit, X, ax)
    plot_anomalies(fit, X, ax)
"""

from em.plots.animation import animate
from em.plots.axes import axes_or_new
from em.plots.colours import OKABE_ITO, component_colours
from em.plots.densities import (
    on_grid,
    plot_anomalies,
    plot_anomaly_detection,
    plot_decision_boundaries,
    plot_density_contours,
)
from em.plots.picture import plot
from em.plots.silhouettes import plot_silhouettes

__all__ = ["OKABE_ITO", "animate", "axes_or_new", "component_colours", "on_grid", "plot"]
__all__ += ["plot_anomalies", "plot_anomaly_detection", "plot_decision_boundaries", "plot_density_contours"]
__all__ += ["plot_silhouettes"]
