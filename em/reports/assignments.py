"""One line for each row of X: where it belongs, how surely, and whether it belongs at all."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.anomalies import anomalies_among
from em.kmeans.lloyd import nearest
from em.samples import samples_to_use
from models.validation import Array


def assignments_of(
    estimator: Any, X: ArrayLike, threshold: float | None, quantile: float, sample_weight: ArrayLike | None
) -> Any:
    """Return the frame of :meth:`em.reports.ReportsOfMixture.assignments`, from one E-step."""
    responsibilities, log_density = estimator._normalised(X)
    names, counted = estimator.component_names, estimator._counted(X, sample_weight)
    seen = estimator._counted(X, None) > 0
    columns = {"label": responsibilities.argmax(axis=1)} | dict(zip(names, responsibilities.T, strict=True))
    columns |= {"log_density": log_density}
    columns |= {"anomaly": anomalies_among(log_density, seen, counted, threshold, quantile)}
    return _frame(X, columns)


def nearest_centers(estimator: Any, X: ArrayLike) -> Any:
    """Return the frame of :meth:`em.reports.ReportsOfKMeans.assignments`."""
    labels, squares = nearest(samples_to_use(estimator, X), estimator.cluster_centers_)
    return _frame(X, {"label": labels, "distance": np.sqrt(squares)})


def _frame(X: Any, columns: dict[str, Array | np.ndarray]) -> Any:
    """Return a pandas frame of columns, with the index that X has if it is one."""
    import pandas as pd

    return pd.DataFrame(columns, index=X.index if isinstance(X, pd.DataFrame) else None)
