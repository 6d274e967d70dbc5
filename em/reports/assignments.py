"""A table with a row for each sample: its label, its responsibilities, and whether it is an anomaly."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.anomalies import anomalies_among, threshold_of_chunks
from em.chunked import is_chunked
from em.chunked.predictions import frame_of_chunks
from em.kmeans.lloyd import nearest
from em.samples.reading import samples_to_use
from models.validation import Array


def assignments_of(
    estimator: Any, X: ArrayLike, threshold: float | None, quantile: float, sample_weight: ArrayLike | None
) -> Any:
    """Return the frame of :meth:`em.reports.ReportsOfMixture.assignments`, from one E-step."""
    if not is_chunked(X):
        return _frame(X, _columns_of_mixture(estimator, threshold, quantile, sample_weight, X))
    fit = estimator._for_chunks(X)
    t = threshold_of_chunks(estimator, X, threshold, quantile, sample_weight)
    probabilities = dict.fromkeys(estimator.component_names, np.float64)
    kinds = {"label": np.intp, **probabilities, "log_density": np.float64, "anomaly": np.bool_}
    columns = partial(_columns_of_mixture, fit, t, quantile, None)
    return frame_of_chunks(columns, X, kinds)


def nearest_centers(estimator: Any, X: ArrayLike) -> Any:
    """Return the frame of :meth:`em.reports.ReportsOfKMeans.assignments`."""
    if is_chunked(X):
        columns = partial(_columns_of_clusters, estimator._for_chunks(X))
        return frame_of_chunks(columns, X, {"label": np.intp, "distance": np.float64})
    return _frame(X, _columns_of_clusters(estimator, X))


def _columns_of_mixture(
    estimator: Any, threshold: float | None, quantile: float, sample_weight: ArrayLike | None, X: ArrayLike
) -> dict[str, np.ndarray]:
    responsibilities, log_density = estimator._normalised(X)
    anomaly = anomalies_among(estimator, X, sample_weight, log_density, threshold, quantile)
    probabilities = dict(zip(estimator.component_names, responsibilities.T, strict=True))
    return {"label": responsibilities.argmax(axis=1), **probabilities, "log_density": log_density, "anomaly": anomaly}


def _columns_of_clusters(estimator: Any, X: ArrayLike) -> dict[str, np.ndarray]:
    labels, squares = nearest(samples_to_use(estimator, X), estimator.cluster_centers_)
    return {"label": labels, "distance": np.sqrt(squares)}


def _frame(X: Any, columns: dict[str, Array | np.ndarray]) -> Any:
    """Return a pandas frame of columns, with the index of X if X is a pandas frame."""
    import pandas as pd

    return pd.DataFrame(columns, index=X.index if isinstance(X, pd.DataFrame) else None)
