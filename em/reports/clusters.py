"""A page about fitted clusters, in the form of a mixture's."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.kmeans.lloyd import nearest
from em.predictions import weighted_sum
from em.reports.summary import Summary, described
from em.samples import samples_to_use
from em.uncertainty.louis import frequencies
from models.parameters import Quantity, labels_of_features
from models.supports import REAL

CENTERS = Quantity("cluster_centers", ("component", "feature"), REAL)


def cluster_summary(estimator: Any, X: ArrayLike, sample_weight: ArrayLike | None) -> Summary:
    """Return the page of :meth:`em.reports.ReportsOfKMeans.summary`."""
    centers, K = estimator.cluster_centers_, estimator.n_clusters
    labels, squares = nearest(samples_to_use(estimator, X), centers)
    w = frequencies(sample_weight, len(labels))
    sizes, sums = (np.bincount(labels, weights, minlength=K) for weights in (w, w * squares))
    means = np.divide(sums, sizes, out=np.full(K, np.nan), where=sizes > 0)
    names = labels_of_features(getattr(estimator, "feature_names_in_", None))
    fit = {"inertia": weighted_sum(squares, w), "n_clusters": K}
    return Summary(
        f"K-means with {K} cluster{'s' * (K > 1)}",
        None,
        *described(estimator, X, float(w.sum()), fit),
        [
            {"cluster": k, "samples": size, "mean squared distance": mean}
            for k, (size, mean) in enumerate(zip(sizes.tolist(), means.tolist(), strict=True))
        ],
        [
            {"parameter": CENTERS.entry(at, names), "estimate": float(centers[at])}
            for at in CENTERS.support.places(centers.shape)
        ],
        None,
        estimator.status_,
        [],
    )
