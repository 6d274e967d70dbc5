"""The ``parameters`` of R's mclust, as a mapping: ``pro``, ``mean`` (D, K) and ``variance`` with ``sigma`` (D, D, K).

The array, or the list that mclust has around it, may be given as ``variance``; ``sigmasq`` is read where there is no
``sigma``. ``loglik``, where it is there too, is held to what is recomputed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.auditing.given import Given, Report

STOPS = "mclust's default tol=1e-5 of the relative change"


def recognise(fit: Any, family: str | None, options: Mapping[str, Any]) -> Given | None:
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
    reports = (Report("loglik", float(fit["loglik"])),) if "loglik" in fit else ()
    arrays = {"weights": weights, "means": means, "covariances": covariances}
    known = {"covariance_type": structure, **options}
    return Given(source="mclust", family="gmm", arrays=arrays, options=known, reports=reports, stopped=STOPS)
