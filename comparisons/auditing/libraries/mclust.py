"""Read the ``parameters`` of R's mclust, as a mapping: ``pro``, ``mean`` (D, K) and ``variance``.

``variance`` is the array ``sigma`` (D, D, K), or mclust's list that contains it; without ``sigma`` it is ``sigmasq``.
If ``loglik`` is there too, it is compared with the recomputed log-likelihood.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.auditing.library_fit import LibraryFit, ReportedLikelihood

STOPS = "mclust's default tol=1e-5 of the relative change"


def recognise(fit: Any, family: str | None, options: Mapping[str, Any]) -> LibraryFit | None:
    """Return mclust's parameters with the components first."""
    if not isinstance(fit, Mapping) or not {"pro", "mean", "variance"} <= fit.keys():
        return None
    weights = np.atleast_1d(np.asarray(fit["pro"], dtype=float))
    means = np.asarray(fit["mean"], dtype=float)
    means = means.reshape(-1, 1) if means.ndim < 2 else means.T
    variance = fit["variance"]
    if isinstance(variance, Mapping):
        variance = variance["sigma"] if "sigma" in variance else variance["sigmasq"]
    sigma = np.asarray(variance, dtype=float)
    if sigma.ndim == 3:
        structure, covariances = "full", np.moveaxis(sigma, -1, 0)
    else:
        structure, covariances = "spherical", np.broadcast_to(sigma, weights.shape)
    reports = (ReportedLikelihood("loglik", float(fit["loglik"])),) if "loglik" in fit else ()
    arrays = {"weights": weights, "means": means, "covariances": covariances}
    settings = {"covariance_type": structure, **options}
    return LibraryFit(source="mclust", family="gmm", arrays=arrays, options=settings, reports=reports, stopped=STOPS)
