"""A picture of any fitted mixture, or of clusters, with the data. Its kind depends on the parameters.

- Components with means among the samples (:mod:`em.plots.clouds`): two features as points with ellipses, more as pairs.
- One feature: a histogram with densities, or shares of counts with probabilities.
- Other features: profiles of the components' parameters by feature.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from em.families import family_module, steps_of
from em.plots.axes import axes_or_new, feature_names, share
from em.plots.clouds import Clouds, clouds_of
from em.plots.densities import plot_decision_boundaries
from em.plots.letters import lend_letters
from em.plots.line import line_picture, marks_picture
from em.plots.pairs import align_diagonal, pairs_picture
from em.plots.plane import plane_picture, show_ellipses
from em.plots.points import Points, note_of_part, points_of, rows_to_draw
from em.plots.profiles import profile_picture
from em.predictions import check_fitted
from em.process.process_wide import without_expected_warnings
from models.validation import Array

INCHES_OF_POSITION, WIDEST = 0.35, 14.0
MOST_ON_A_LINE = 50_000  # samples of chunks


def plot(estimator: Any, X: ArrayLike, ax: Any = None, *, sample_weight: ArrayLike | None = None, **size: Any) -> Any:
    """Draw a fitted mixture, or clusters, with the data.

    Parameters
    ----------
    estimator : MixtureEM, VariationalMixture or KMeans
        Fitted.
    X : array_like, or a Dask array or DataFrame, shape (n, D)
        Samples, such as those of the fit. Chunks are read twice, once for profiles.
    ax : matplotlib.axes.Axes or None, default None
        Axes to draw on; None makes a figure.
    sample_weight : array_like, shape (n,), or None
        How often each sample counts.
    **size
        Sizes of the cells, such as ``n_trials``, if the rows are not those of the fit.

    Returns
    -------
    ax : matplotlib.axes.Axes, or ndarray of these, shape (D, D)
        A pairs plot has an array of axes.

    Notes
    -----
    Gaussian mixtures: the samples are points, coloured by responsibility, with ellipses at 1, 2 and 3 standard
    deviations about numbered centres. A sample that lacks one of the two features is a tick at the edge, at the value
    of the other. Of more than six features, the first six are drawn in pairs.

    Counts, successes and categories: profiles show the rates or probabilities of each component by feature, beside
    those of all samples. A single feature has a histogram, with the components' densities or probabilities.

    Of more than 3,000 samples, a random part of 3,000 is drawn, with a fixed seed. If chunks have more than 65,535
    distinct rows, a random part is drawn and the picture says how large it is; profiles use all rows.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM
    >>> from em.plots import plot
    >>> X = np.random.RandomState(0).normal(size=(50, 2)) + np.repeat([[0.0], [6.0]], 25, axis=0)
    >>> ax = plot(GaussianMixtureEM(2, random_state=0).fit(X), X)
    >>> len(ax.patches)  # three ellipses for each component
    6
    """
    check_fitted(estimator)
    drawn = draw(_with_sizes(estimator, size) if size else estimator, X, ax, sample_weight)
    for panel in np.ravel(drawn):
        show_ellipses(panel)
    if np.ndim(drawn) == 2:
        align_diagonal(drawn)
    return drawn


def draw(estimator: Any, X: ArrayLike, ax: Any = None, sample_weight: ArrayLike | None = None) -> Any:
    """Draw as :func:`plot` does, on axes that reach to samples and centres only, which an animation needs."""
    clouds, n_features = clouds_of(estimator), estimator.n_features_in_
    with without_expected_warnings:
        if clouds is not None and n_features > 1:
            drawn = _of_clouds(estimator, points_of(estimator, X, sample_weight), clouds, ax)
        elif n_features == 1 and _lies_on_a_line(estimator, clouds):
            rows = rows_to_draw(estimator, X, sample_weight, MOST_ON_A_LINE)
            drawn = _of_one_feature(estimator, *rows, clouds, ax)
        else:
            drawn = _of_profiles(estimator, X, sample_weight, ax)
    lend_letters(np.ravel(drawn)[0].figure)
    return drawn


def _with_sizes(estimator: Any, size: dict[str, Any]) -> Any:
    if not hasattr(estimator, "_with"):
        raise TypeError(f"{', '.join(size)} must be left out: cells of a {type(estimator).__name__} have no sizes")
    return estimator._with(size)


def _of_clouds(estimator: Any, points: Points, clouds: Clouds, ax: Any) -> Any:
    if points.X.shape[1] > 2:
        return pairs_picture(ax, points, clouds)
    ax = axes_or_new(ax)
    if clouds.covariances is None:
        plot_decision_boundaries(estimator, points.X, ax)
    plane_picture(ax, points, clouds)
    return ax


def _of_one_feature(estimator: Any, matrix: Any, weights: Array, n_samples: int, clouds: Clouds | None, ax: Any) -> Any:
    ax, name, part = axes_or_new(ax), feature_names(estimator)[0], note_of_part(weights.sum(), n_samples)
    x = (matrix.toarray() if issparse(matrix) else matrix)[:, 0]
    if clouds is not None and clouds.parameters is None:
        centers = clouds.means[:, 0]
        marks_picture(ax, x, weights, centers, list(map(clouds.name_of, range(len(centers)))), name, part)
        middles = np.sort(centers)[:-1] + np.diff(np.sort(centers)) / 2
        for middle in middles.tolist():
            ax.axvline(middle, color="black", linestyle="dashed", linewidth=1)
        return ax
    theta, size = estimator.parameters_, estimator._size_for(matrix.shape)
    if np.ndim(size) == 2:  # rows of different sizes have different distributions
        rates = steps_of(family_module(theta)).expected(theta.arrays(), np.ones(1))[0][:, 0]
        names = [f"component {k}: {share(weight)}" for k, weight in enumerate(theta.weights.tolist())]
        name = f"{name} per unit of {theta.cells.size_name}"
        marks_picture(ax, x / np.asarray(size)[:, 0], weights, rates, names, name, part)
        return ax
    line_picture(estimator, ax, x, weights, name, part, counts=clouds is None and theta.cells.whole)
    return ax


def _lies_on_a_line(estimator: Any, clouds: Clouds | None) -> bool:
    """Whether the values of a single feature are numbers, not levels of an item."""
    return clouds is not None or estimator.parameters_.quantities[1].dims[-1] == "feature"


def _of_profiles(estimator: Any, X: ArrayLike, sample_weight: ArrayLike | None, ax: Any) -> Any:
    dim = estimator.parameters_.quantities[1].dims[-1]
    names = list(map(str, estimator._labels_for(feature_names(estimator))[dim]))
    ax = axes_or_new(ax, (float(np.clip(INCHES_OF_POSITION * len(names), 6.4, WIDEST)), 4.8))
    profile_picture(estimator, ax, names, estimator._pooled(X, sample_weight))
    return ax
