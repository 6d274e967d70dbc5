"""Read StepMix's measurement models: Bernoulli, categorical and Gaussian mixtures, without a structural part.

Its Gaussian models add ``reg_covar`` to every variance: 1e-6, or what ``measurement_params`` sets.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.auditing.libraries import check_is_fitted, class_from
from comparisons.auditing.library_fit import LibraryFit, ReportedLikelihood

BINARY, LEVELS = ("bernoulli", "binary"), ("categorical", "multinoulli")
STRUCTURES = {"gaussian_full": "full", "gaussian_tied": "tied", "gaussian_diag": "diag", "continuous": "diag"}
STRUCTURES |= {"gaussian_spherical": "spherical", "gaussian_unit": "spherical", "gaussian": "spherical"}
PADDING = 1e-10
UNIT, REG_COVAR = ("gaussian_unit", "gaussian"), 1e-6


def recognise(fit: Any, family: str | None, options: Mapping[str, Any]) -> LibraryFit | None:
    """Return a measurement model of StepMix."""
    if not class_from(fit, "stepmix", "StepMix"):
        return None
    check_is_fitted(fit, "weights_")
    values = fit.get_parameters()
    if "structural" in values:
        raise ValueError("fit must have no structural model, got one: fit StepMix to X alone, and audit that")
    if not isinstance(fit.measurement, str):
        raise ValueError("fit must have one kind of feature, got a nested measurement: no family here mixes kinds")
    name, weights, theta = fit.measurement.removesuffix("_nan"), np.asarray(values["weights"]), values["measurement"]
    stopped = f"abs_tol={fit.abs_tol:g}, rel_tol={fit.rel_tol:g}, max_iter={fit.max_iter}"
    stopped += f", {fit.n_iter_} iterations made"
    settings = f"{fit.n_components}, measurement={fit.measurement!r}, abs_tol=1e-12, max_iter=100_000, n_init=50"
    bound = ReportedLikelihood("lower_bound_", float(fit.lower_bound_), is_bound=True)
    shared: dict[str, Any] = {"total": lambda X: fit.score(X) * len(X), "probabilities": fit.predict_proba}
    shared |= {"labels": fit.predict, "criteria": {"bic": fit.bic, "aic": fit.aic}, "reports": (bound,)}
    shared |= {"stopped": stopped, "next_call": f"StepMix({settings}).fit(X)"}
    if name in BINARY:
        of_family: dict[str, Any] = {"family": "bmm", "arrays": {"weights": weights, "probs": theta["pis"]}}
    elif name in LEVELS:
        of_family = _categorical(weights, theta)
    elif name in STRUCTURES:
        of_family = _gaussian(fit, name, weights, theta)
    else:
        raise ValueError(f"fit must be of a family of this project, got measurement={fit.measurement!r}")
    return LibraryFit(source="StepMix", **shared, **of_family)


def _categorical(weights: Any, theta: Mapping[str, Any]) -> dict[str, Any]:
    """Drop the padding of items that have fewer levels than others."""
    padded = np.asarray(theta["pis"]).reshape(len(weights), -1, int(theta["max_n_outcomes"]))
    has_level = padded.max(axis=0) > PADDING
    levels = tuple(int(np.flatnonzero(row).max()) + 1 for row in has_level)
    probs = np.hstack([padded[:, d, :L] for d, L in enumerate(levels)])
    return {"family": "cmm", "arrays": {"weights": weights, "probs": probs}, "options": {"levels": levels}}


def _gaussian(fit: Any, name: str, weights: Any, theta: Mapping[str, Any]) -> dict[str, Any]:
    kind, is_unit = STRUCTURES[name], name in UNIT
    covariances = np.ones(len(weights)) if is_unit else np.asarray(theta["covariances"])
    if kind == "spherical" and covariances.ndim == 2:
        covariances = covariances[:, 0]
    arrays = {"weights": weights, "means": np.asarray(theta["means"]), "covariances": covariances}
    of_family = {"family": "gmm", "arrays": arrays, "options": {"covariance_type": kind}}
    if is_unit:
        return of_family | {"frozen": {"covariances": covariances}}
    asked = (fit.measurement_params or {}).get("reg_covar", REG_COVAR)
    added = 0.0 if fit.measurement.endswith("_nan") else float(asked)
    return of_family | {"added": added, "added_by": f"reg_covar={added:g}"}
