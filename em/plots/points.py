"""The samples that a picture shows: a few thousand at most, coloured by responsibility."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from em.chunked import is_chunked
from em.chunked.samples import chunked_samples
from em.chunked.sampling import in_memory
from em.plots.axes import feature_names
from em.plots.colours import blended
from em.predictions import has_observed
from em.process.process_wide import without_expected_warnings
from em.samples.reading import samples_to_use
from em.uncertainty.louis import frequencies
from models.validation import Array

MOST_POINTS = 3000
SEED = 0  # of the random part that is drawn


@dataclass(frozen=True)
class Points:
    """Samples of a picture.

    Attributes
    ----------
    X : ndarray, shape (m, D)
        The samples that are drawn; NaN is a missing cell.
    colours : ndarray, shape (m, 3)
        Blends of the components' colours by responsibility.
    weights : ndarray, shape (m,)
        How often each counts.
    names : list of str
        Names of the features.
    n_samples : int
        Number of all samples.
    """

    X: Array
    colours: Array
    weights: Array
    names: list[str]
    n_samples: int

    @property
    def note(self) -> str:
        """How many samples are drawn, if not all are."""
        return note_of_part(len(self.X), self.n_samples)

    @property
    def areas(self) -> Array:
        """Size of each marker: smaller if there are many, larger if the sample counts often."""
        size = 24.0 if len(self.X) <= 300 else 12.0 if len(self.X) <= 1500 else 6.0
        return size * np.clip(self.weights / np.median(self.weights), 0.2, 12.0)


def points_of(estimator: Any, X: ArrayLike, sample_weight: ArrayLike | None = None) -> Points:
    """Return the samples that a picture shows; they have an observed cell and a positive weight.

    Parameters
    ----------
    estimator : MixtureEM, VariationalMixture or KMeans
        Fitted.
    X : array_like, or a Dask array or DataFrame, shape (n, D)
        Samples.
    sample_weight : array_like, shape (n,), or None
        How often each row counts.
    """
    matrix, weights, n_samples = rows_to_draw(estimator, X, sample_weight, MOST_POINTS)
    rows = np.flatnonzero((weights > 0) & has_observed(matrix))
    n_samples = n_samples or len(rows)
    if len(rows) > MOST_POINTS:
        rows = np.sort(np.random.RandomState(SEED).choice(rows, MOST_POINTS, replace=False))
    drawn = matrix[rows]
    with without_expected_warnings:
        colours = blended(responsibilities_of(estimator, drawn))
    dense = drawn.toarray() if issparse(drawn) else drawn
    return Points(dense, colours, weights[rows], feature_names(estimator), n_samples)


def rows_to_draw(estimator: Any, X: Any, sample_weight: Any, most: int) -> tuple[Any, Array, int]:
    """Return rows as numbers, their frequencies, and the number of samples if the rows are a random part, else 0.

    An X in memory gives all rows. Chunks give their distinct rows if these are few, else a random part of about
    ``most`` samples.
    """
    if is_chunked(X):
        samples = chunked_samples(estimator._for_chunks(X), X, sample_weight)
        rows = in_memory(samples, most)
        return rows.X, rows.frequencies, round(samples.total) if round(rows.total) < round(samples.total) else 0
    with without_expected_warnings:
        matrix: Any = samples_to_use(estimator, X, missing=True)
    return matrix, frequencies(sample_weight, matrix.shape[0]), 0


def note_of_part(n_drawn: float, n_samples: float) -> str:
    """Return how many samples are drawn, if not all are."""
    return f"{n_drawn:,.0f} of {n_samples:,.0f} samples drawn, at random" if n_drawn < n_samples else ""


def responsibilities_of(estimator: Any, X: Any) -> Array:
    """Return p(z_i = k | x_i), shape (n, K); for clusters it is 1 for the nearest centre, else 0."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(X))
    return np.eye(estimator.n_clusters)[estimator.predict(X)]
