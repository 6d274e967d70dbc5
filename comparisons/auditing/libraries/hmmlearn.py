"""Read hmmlearn's hidden Markov models that are mixtures: the next state must not depend on the last one.

This holds for a model with a single state, whose emissions may be a mixture themselves (GMMHMM). It also holds if all
rows of ``transmat_`` equal ``startprob_``. Other models are refused, because their rows depend on each other.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from comparisons.auditing.libraries import check_is_fitted, class_from
from comparisons.auditing.library_fit import LibraryFit
from models.validation import Array

CLASSES = "GaussianHMM", "GMMHMM", "PoissonHMM", "CategoricalHMM"
ALIKE = 1e-8


def recognise(fit: Any, family: str | None, options: Mapping[str, Any]) -> LibraryFit | None:
    """Return a hidden Markov model of independent rows as a mixture."""
    if not (name := class_from(fit, "hmmlearn", *CLASSES)):
        return None
    check_is_fitted(fit, "startprob_", "transmat_")
    weights = np.asarray(fit.startprob_, dtype=float)
    if np.abs(np.asarray(fit.transmat_) - weights).max() > ALIKE:
        raise ValueError(
            f"fit must be a mixture of independent rows, got a {name} whose states depend on the last one: a hidden "
            "Markov model is one only if all rows of transmat_ equal startprob_. Fit a mixture to audit one"
        )
    read = {"GaussianHMM": _gaussian, "GMMHMM": _gaussian_mixtures, "PoissonHMM": _poisson}.get(name, _categorical)
    arrays, of_family = read(fit, weights)
    frozen = {"weights": weights} if "t" not in fit.params and len(weights) > 1 else {}
    history = getattr(fit, "monitor_", None)
    stopped = f"tol={fit.tol:g} nats, n_iter={fit.n_iter}, {getattr(history, 'iter', '?')} iterations made"
    parts: dict[str, Any] = {"arrays": arrays, "frozen": frozen, "stopped": stopped, "total": fit.score} | of_family
    if len(weights) > 1 or name != "GMMHMM":  # a single state with a mixture has probabilities of states only
        parts |= {"probabilities": fit.predict_proba}
    parts |= {"criteria": {"bic": fit.bic, "aic": fit.aic}} if hasattr(fit, "bic") else {}
    return LibraryFit(source=f"hmmlearn's {name}", **parts)


def _gaussian(fit: Any, weights: Array) -> tuple[dict[str, Any], dict[str, Any]]:
    kind, matrices = fit.covariance_type, np.asarray(fit.covars_, dtype=float)  # (K, D, D), whatever the structure
    prior = float(np.max(fit.covars_prior))
    settings = f"{fit.n_components}, covariance_type={kind!r}, covars_prior=0, tol=1e-9, ..."
    of_family: dict[str, Any] = {"family": "gmm", "options": {"covariance_type": kind}}
    of_family |= {"added_to_scatter": prior, "added_by": f"covars_prior={prior:g}"}
    of_family["next_call"] = f"GaussianHMM({settings})"
    return {"weights": weights, "means": fit.means_, "covariances": _by_structure(kind, matrices)}, of_family


def _by_structure(kind: str, matrices: Array) -> Array:
    """Return matrices (K, D, D) as the structure declares them."""
    if kind in ("full", "tied"):
        return matrices if kind == "full" else matrices[0]
    variances = np.diagonal(matrices, axis1=1, axis2=2)
    return variances if kind == "diag" else variances[:, 0]


def _gaussian_mixtures(fit: Any, weights: Array) -> tuple[dict[str, Any], dict[str, Any]]:
    """Join the mixtures of all states to one, with weights π_k w_km."""
    kind, inner, covariances = fit.covariance_type, np.asarray(fit.weights_), np.asarray(fit.covars_, dtype=float)
    K, M, D = np.asarray(fit.means_).shape
    if kind == "tied" and K > 1:
        kind, covariances = "full", np.repeat(covariances[:, None], M, axis=1)
    joint = covariances[0] if kind == "tied" else covariances.reshape(K * M, *covariances.shape[2:])
    arrays = {"weights": (weights[:, None] * inner).ravel(), "means": np.reshape(fit.means_, (K * M, D))}
    return arrays | {"covariances": joint}, {"family": "gmm", "options": {"covariance_type": kind}}


def _poisson(fit: Any, weights: Array) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"weights": weights, "rates": fit.lambdas_}, {"family": "pmm"}


def _categorical(fit: Any, weights: Array) -> tuple[dict[str, Any], dict[str, Any]]:
    probs = np.asarray(fit.emissionprob_, dtype=float)
    return {"weights": weights, "probs": probs}, {"family": "cmm", "options": {"levels": (probs.shape[1],)}}
