"""The summary of fitted clusters, in the form of a mixture's."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from em.kmeans.lloyd import nearest
from em.predictions import weighted_sum
from em.reports.summary import Summary, described, means_of, sums_and_cells
from em.samples.reading import samples_to_use
from em.uncertainty.louis import frequencies
from models.parameters import Quantity, labels_of_features
from models.shown import counted
from models.supports import REAL
from models.tables import rows_of
from models.validation import Array

CENTERS = Quantity("cluster_centers", ("component", "feature"), REAL)


def cluster_summary(estimator: Any, X: ArrayLike, sample_weight: ArrayLike | None) -> Summary:
    """Return the summary of :meth:`em.reports.ReportsOfKMeans.summary`."""
    check_is_fitted(estimator)
    centers, K = estimator.cluster_centers_, len(estimator.cluster_centers_)
    sums, cells = sums_and_cells(_sums, estimator, X, sample_weight)
    inertia, n = sums[:2].tolist()
    sizes, squares = sums[2:].reshape(2, K)
    names = labels_of_features(getattr(estimator, "feature_names_in_", None))
    fit = {"inertia": inertia, "n_clusters": K}
    clusters = {"cluster": range(K), "samples": sizes, "mean squared distance": means_of(squares, sizes)}
    places = CENTERS.support.distinct_entries(centers.shape)
    parameters = [{"parameter": CENTERS.entry(at, names), "estimate": float(centers[at])} for at in places]
    title, said = f"K-means with {counted(K, 'cluster')}", described(estimator, n, cells, fit)
    return Summary(title, None, *said, rows_of(clusters), parameters, None, estimator.status_, [])


def _sums(estimator: Any, X: ArrayLike, sample_weight: ArrayLike | None) -> Array:
    """Return the inertia, the number of samples, and the sizes and the inertias of the clusters."""
    labels, squares = nearest(samples_to_use(estimator, X), estimator.cluster_centers_)
    w, K = frequencies(sample_weight, len(labels)), len(estimator.cluster_centers_)
    of_clusters = (np.bincount(labels, weights, minlength=K) for weights in (w, w * squares))
    return np.concatenate([[weighted_sum(squares, w), w.sum()], *of_clusters])
