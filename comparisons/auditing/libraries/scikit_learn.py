"""Read scikit-learn's GaussianMixture and BayesianGaussianMixture.

The audit takes into account that ``lower_bound_`` is a mean, measured before the last M-step; that every M-step adds
``reg_covar`` to every variance; and that `fit` converts X to floats while the other methods do not, so that they round
log densities of integers to integers.
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import numpy as np

from comparisons.auditing.libraries import check_is_fitted, class_from
from comparisons.auditing.library_fit import BoundGain, LibraryFit, ReportedLikelihood
from comparisons.auditing.lines import WRONG, Line
from em.process.process_wide import without_warnings
from models.validation import Array

CLASSES = "GaussianMixture", "BayesianGaussianMixture"
MATRICES = "full", "tied"
MOST_ITERATIONS, RESTARTS = 500, 2
INVERSE = 1e-6
EPS = np.finfo(np.float64).eps
WHOLE = "scikit-learn cuts log densities of X of whole numbers to integers: pass X.astype(float) to its methods"


def recognise(fit: Any, family: str | None, options: Mapping[str, Any]) -> LibraryFit | None:
    """Return a mixture of scikit-learn."""
    if not (name := class_from(fit, "sklearn", *CLASSES)):
        return None
    check_is_fitted(fit, "weights_", "means_", "covariances_")
    kind, bayesian = fit.covariance_type, name == CLASSES[1]
    arrays = {"weights": fit.weights_, "means": fit.means_, "covariances": fit.covariances_}
    parts, alternatives = _parts(fit, arrays)
    ending = f"tol={fit.tol:g}, max_iter={fit.max_iter}, {getattr(fit, 'n_iter_', '?')} iterations made"
    details: dict[str, Any] = {"stopped": ending, "whole_numbers": WHOLE}
    details |= {"log_density": fit.score_samples, "probabilities": fit.predict_proba, "labels": fit.predict}
    if bayesian:
        details |= {"objective": _objective(fit), "bound": lambda X: _bound(fit, X)}
    else:
        details |= {"criteria": {"bic": fit.bic, "aic": fit.aic}, "next_call": _next_call(fit)}
        details |= {"added": float(fit.reg_covar), "added_by": f"reg_covar={fit.reg_covar:g}"}
    if not bayesian and hasattr(fit, "lower_bound_"):
        details["reports"] = (ReportedLikelihood("lower_bound_", float(fit.lower_bound_), is_bound=True),)
    source, structure = f"scikit-learn's {name}", {"covariance_type": kind}
    return LibraryFit(
        source=source, family="gmm", arrays=arrays, options=structure, parts=parts, alternatives=alternatives, **details
    )


def _next_call(fit: Any) -> str:
    start = "weights_init=audit.best.weights, means_init=audit.best.means, precisions_init=audit.best.precisions"
    settings = f"{fit.n_components}, covariance_type={fit.covariance_type!r}, tol=1e-12, max_iter=10_000, reg_covar=0"
    return f"GaussianMixture({settings}, {start}).fit(X)"


def _parts(fit: Any, arrays: Mapping[str, Any]) -> tuple[tuple[Line, ...], dict[str, dict[str, Array]]]:
    """Compare ``precisions_cholesky_``, with which the methods compute, with ``covariances_``, which users read.

    If they differ, return a line, and the covariances that follow from the precisions.
    """
    if not hasattr(fit, "precisions_cholesky_"):
        return (), {}
    roots, covariances = np.asarray(fit.precisions_cholesky_, float), np.asarray(fit.covariances_, float)
    if roots.shape != covariances.shape:
        finding = f"precisions_cholesky_ has the shape {roots.shape}, and covariances_ has {covariances.shape}"
        return (Line("parts", WRONG, finding, None, "fit it again"),), {}
    if fit.covariance_type in MATRICES:
        precisions = roots @ np.swapaxes(roots, -1, -2)
        product, wanted = covariances @ precisions, np.eye(roots.shape[-1])
        rounding = EPS * len(wanted) * np.linalg.cond(roots).max() ** 2
    else:
        precisions = roots**2
        product, wanted, rounding = covariances * precisions, np.ones(()), EPS
    gap = float(np.abs(product - wanted).max())
    if gap <= INVERSE + rounding or not np.isfinite(gap):
        return _precisions_that_users_read(fit, precisions), {}
    finding = (
        f"covariances_ and precisions_cholesky_ are no inverses of each other (their product is {gap:.2g} from 1): "
        "its methods compute with the latter"
    )
    with np.errstate(all="ignore"):
        other = np.linalg.inv(precisions) if fit.covariance_type in MATRICES else 1 / precisions
    remedy = "set both, or fit again: after covariances_ was changed, precisions_cholesky_ still is that of the fit"
    line = Line("parts", WRONG, finding, gap, remedy)
    return (line,), {"covariances_ is not what precisions_cholesky_ says": {**arrays, "covariances": other}}


def _precisions_that_users_read(fit: Any, precisions: Array) -> tuple[Line, ...]:
    """Compare ``precisions_`` with ``precisions_cholesky_``."""
    shown = np.asarray(getattr(fit, "precisions_", precisions), float)
    if shown.shape == precisions.shape and np.allclose(shown, precisions, rtol=INVERSE, atol=0):
        return ()
    finding = "precisions_ is not what precisions_cholesky_ and covariances_ say"
    return (Line("parts", WRONG, finding, None, "take the inverses of covariances_"),)


def _objective(fit: Any) -> str:
    names = "weight_concentration_prior_", "mean_precision_prior_", "degrees_of_freedom_prior_"
    priors = ", ".join(f"{name.rstrip('_')} = {getattr(fit, name):.3g}" for name in names if hasattr(fit, name))
    kind = fit.weight_concentration_prior_type.replace("_", " ")
    return f"a variational bound under a {kind} and a normal-Wishart prior ({priors})"


def _bound(fit: Any, X: Any) -> BoundGain:
    """Continue the fit's own iterations, and restart them; return the gains of the bound, in nats."""
    X = np.asarray(X, dtype=float)
    longer = deepcopy(fit).set_params(warm_start=True, tol=1e-9, max_iter=MOST_ITERATIONS)
    other = deepcopy(fit).set_params(warm_start=False, tol=1e-4, max_iter=MOST_ITERATIONS, n_init=RESTARTS)
    with without_warnings:
        longer.fit(X)
        other.set_params(random_state=0).fit(X)
    above = float(other.lower_bound_ - longer.lower_bound_)
    return BoundGain(float(longer.lower_bound_ - fit.lower_bound_), above, int(longer.n_iter_))
