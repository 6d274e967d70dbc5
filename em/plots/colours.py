"""Colours of components, which colour-blind people can distinguish, for all figures.

Up to seven components have the colours of Okabe & Ito (2008), Color Universal Design, without black, the colour of the
mixture. More components are steps of viridis, whose lightness rises evenly.
"""

import numpy as np

from models.validation import Array

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
DATA, MIXTURE, ANOMALY = "0.75", "black", "#c1272d"
LIGHTEST = 0.95  # position on viridis, whose end is too light on white


def component_colours(n_components: int) -> Array:
    """Return the red, green and blue of each component, from 0 to 1, shape (K, 3).

    Examples
    --------
    >>> from em.plots.colours import component_colours
    >>> component_colours(2).round(2).tolist()
    [[0.0, 0.45, 0.7], [0.84, 0.37, 0.0]]
    """
    import matplotlib as mpl

    if n_components <= len(OKABE_ITO):
        return np.array([mpl.colors.to_rgb(colour) for colour in OKABE_ITO[:n_components]])
    return np.asarray(mpl.colormaps["viridis"](np.linspace(0, LIGHTEST, n_components))[:, :3])


def blended(responsibilities: Array) -> Array:
    """Return the colour of each sample, Σ_k r_ik colour_k, shape (n, 3)."""
    return np.clip(responsibilities @ component_colours(responsibilities.shape[1]), 0, 1)
