"""The invariants of every fit, a function each.

An invariant returns "" if it holds, a sentence if it does not, and None if it does not apply to the case.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import em
from benchmarks.fuzz.fit import Fit
from benchmarks.fuzz.reference import EPS
from benchmarks.fuzz.same import other_units, permuted_rows, repeated_rows

COARSE = 1e-6  # nats
STILL = 50


def finite_parameters(fit: Fit) -> str | None:
    """Parameters, objective and history are finite unless the fit collapsed; only the start may be impossible."""
    if fit.collapsed:
        return None
    checks = {name: bool(np.isfinite(array).all()) for name, array in fit.arrays.items()}
    checks |= {
        "objective_": bool(np.isfinite(fit.estimator.objective_)),
        "history_": finite_path(fit.estimator.history_),
    }
    return ", ".join(f"{name} is not finite" for name, finite in checks.items() if not finite)


def finite_path(history: np.ndarray) -> bool:
    """Whether a history is finite, except for an impossible start."""
    return bool(np.isfinite(history[1:]).all() and not np.isnan(history[0]) and history[0] < np.inf)


def objective_never_falls(fit: Fit) -> str | None:
    """The history rises, within the rounding of the objective."""
    history = fit.estimator.history_
    if fit.collapsed or len(history) < 2 or not finite_path(history):
        return None
    scale = fit.case.unit[0] if not fit.is_mixture else 1.0
    history = history / scale / scale
    largest = np.abs(history[np.isfinite(history)]).max()
    allowed, falls = 2 * fit.rounding + len(fit.w) * EPS * largest, -np.diff(history)
    worst = int(np.argmax(falls))
    return "" if falls[worst] <= allowed else f"falls by {falls[worst]:.2g} at {worst + 1}; rounding is {allowed:.1g}"


def best_of_history(fit: Fit) -> str | None:
    """The objective returned is the best of the history, within rounding."""
    if fit.collapsed or not fit.is_mixture:
        return None
    lost = np.max(fit.estimator.history_) - fit.estimator.objective_
    return "" if abs(lost) <= 2 * fit.rounding else f"the best of history_ is {lost:.3g} above objective_"


def weights_sum_to_one(fit: Fit) -> str | None:
    """Mixture weights are not negative and sum to 1; rounding is EPS for each."""
    if fit.collapsed or not fit.is_mixture:
        return None
    w = fit.arrays["weights"]
    return "" if abs(w.sum() - 1) <= 4 * len(w) * EPS and (w >= 0).all() else f"weights {w} sum to {w.sum()!r}"


def predictions_fit(fit: Fit) -> str | None:
    """Rows of responsibilities sum to 1, within EPS |log p| (they are exponentials); `predict` is their largest."""
    if fit.collapsed:
        return None
    labels = fit.ask("predict", fit.case.X)
    K = len(next(iter(fit.arrays.values())))
    if labels.shape != (fit.case.plain.shape[0],) or not ((labels >= 0) & (labels < K)).all():
        return f"predict gives {labels}"
    if not fit.is_mixture:
        return "" if (labels == fit.estimator.labels_).all() else "predict differs from labels_"
    r, log_prob = fit.ask("predict_proba", fit.case.X), fit.ask("score_samples", fit.case.X)
    if np.isnan(log_prob).any() or (log_prob == np.inf).any() or not np.isfinite(log_prob[fit.kept]).all():
        return f"score_samples gives {log_prob[~np.isfinite(log_prob)]}"
    allowed = 8 * EPS * (K + np.where(np.isfinite(log_prob), np.abs(log_prob), 0.0))
    gaps = np.abs(r.sum(axis=1) - 1)
    if not (gaps <= np.minimum(allowed, 1e-6)).all() or not (r >= 0).all():
        return f"rows of responsibilities sum to 1 + {gaps.max():.2g}"
    return "" if (labels == r.argmax(axis=1)).all() else "predict is not the largest responsibility"


def independent_log_likelihood(fit: Fit) -> str | None:
    """The log-likelihood, or the inertia, is the reference's."""
    if fit.collapsed or not finite_path(fit.estimator.history_):
        return None
    says = fit.estimator.log_likelihood_ if fit.is_mixture else -fit.estimator.inertia_
    if not fit.is_mixture:
        if not 1e-290 < fit.case.unit[0] ** 2 < 1e290:
            return None  # the inertia overflows
        says = says / fit.case.unit[0] ** 2
    gap, allowed = says - fit.log_likelihood, fit.rounding + fit.storing
    return (
        ""
        if abs(gap) <= allowed
        else f"log-likelihood is {gap:.3g} above {fit.log_likelihood!r}; rounding {allowed:.1g}"
    )


def objective_is_their_sum(fit: Fit) -> str | None:
    """The objective is the log-likelihood plus the log prior, without that of frozen probs that it makes impossible."""
    if fit.collapsed or not fit.is_mixture:
        return None
    prior = fit.estimator.prior
    log_prior = 0.0 if prior is None else fit.watch.call(prior.log_prob, fit.estimator.parameters_)
    if log_prior == -np.inf and "probs" in (fit.estimator.frozen or {}):
        log_prior = fit.watch.call(prior.log_prob, fit.estimator.parameters_, given=["probs"])
    gap, allowed = fit.estimator.objective_ - fit.estimator.log_likelihood_ - log_prior, fit.rounding
    return (
        "" if abs(gap) <= allowed else f"objective_ - log_likelihood_ - log prior is {gap:.3g}; rounding {allowed:.1g}"
    )


def scores_agree(fit: Fit) -> str | None:
    """`score`, AIC, BIC and ICL are those of ``log_likelihood_``; rows of weight 0 take no part."""
    if fit.collapsed:
        return None
    given: dict[str, Any] = {"sample_weight": fit.case.weight}
    if not fit.is_mixture:
        gap = (fit.ask("score", fit.case.X, **given) + fit.estimator.inertia_) / fit.case.unit[0] / fit.case.unit[0]
        return "" if abs(gap) <= fit.rounding + fit.storing else f"score differs from minus inertia_ by {gap:.3g}"
    total, L, p = fit.w.sum(), fit.estimator.log_likelihood_, fit.estimator.n_free_parameters_
    certain = np.log(fit.ask("predict_proba", fit.case.X)[fit.kept].max(axis=1))
    bic = -2 * L + p * np.log(total)
    wanted = {"score": L / total, "aic": -2 * L + 2 * p, "bic": bic, "icl": bic - 2 * (fit.w @ certain)}
    allowed = {"score": 1 / total, "aic": 2, "bic": 2, "icl": 4}
    for name, value in wanted.items():
        score = fit.ask(name, fit.case.X, **given)
        bound = allowed[name] * (fit.rounding + fit.storing) + 16 * EPS * (abs(value) + p * abs(np.log(total)))
        if not abs(score - value) <= bound:
            return f"{name} is {score!r}, not {value!r}"
    return ""


def same_seed_same_bits(fit: Fit) -> str | None:
    """A second fit has the same bits."""
    other = fit.again()
    for name in ("history_", "objective_", "n_iter_", "status_"):
        if not np.array_equal(
            getattr(fit.estimator, name), getattr(other.estimator, name), equal_nan=name != "status_"
        ):
            return f"{name} differs"
    return "" if all(np.array_equal(a, other.arrays[name]) for name, a in fit.arrays.items()) else "parameters differ"


def saved_and_loaded(fit: Fit) -> str | None:
    """A saved and loaded fit predicts and scores with the same bits."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        fit.watch.call(em.save, fit.estimator, path)
        loaded = fit.watch.call(em.load, path)
    asked = ("predict_proba", "score_samples") if fit.is_mixture else ("predict", "transform")
    for name in asked:
        if not np.array_equal(
            fit.ask(name, fit.case.X), fit.watch.call(getattr(loaded, name), fit.case.X), equal_nan=True
        ):
            return f"{name} differs"
    same = np.array_equal(fit.estimator.history_, loaded.history_, equal_nan=True)
    return "" if same and loaded.status_ == fit.estimator.status_ else "history_ or status_ differs"


def warm_start_converges(fit: Fit) -> str | None:
    """A fit from the parameters of a converged fit converges after one iteration, without loss.

    It does not apply if ``tol`` is so large that a fit may end on a plateau, or smaller than rounding; if storing the
    parameters as floats costs more than rounding (far from the origin); or on the ridge of a model that is not
    identified. A run that stops because a covariance is singular up to rounding has another status.
    """
    if fit.collapsed or not fit.estimator.converged_ or fit.on_a_ridge:
        return None
    told = fit.rounding <= fit.case.settings["tol"] <= COARSE
    if fit.storing > fit.rounding or (fit.is_mixture and not told):
        return None
    init = fit.estimator.parameters_ if fit.is_mixture else fit.estimator.cluster_centers_
    changes: dict[str, Any] = {"init": init, "max_iter": 1} | ({"n_starts": None} if fit.is_mixture else {})
    other = fit.again(**changes)
    if not other.estimator.converged_ and "a covariance is nearly singular" not in other.estimator.status_:
        return f"refitted, it says: {other.estimator.status_}"
    lost, allowed = fit.objective - other.objective, fit.rounding + fit.storing
    return "" if lost <= allowed else f"refitted, it loses {lost:.3g}; rounding is {allowed:.1g}"


def stops_in_time(fit: Fit) -> str | None:
    """A run that gains less than its last digits in `STILL` iterations has stopped, if ``tol`` is well above these.

    Gains that shrink by a factor ρ leave 1 / (1 - ρ) of the last: more than ``tol`` only if ρ > 1 - 1 / (1000 STILL).
    """
    best = np.maximum.accumulate(fit.estimator.history_)
    digits = 4 * EPS * abs(best[-1])
    if fit.collapsed or not fit.case.settings["tol"] > 1000 * digits:
        return None
    gain = best[-1] - best[-1 - STILL] if len(best) > STILL else np.inf
    return "" if gain > digits else f"{STILL} iterations gained {gain:.2g}; {fit.estimator.status_}"


def failures_are_said(fit: Fit) -> str | None:
    """No fit fails silently: each flag comes with a warning."""
    categories = [warning.category for warning in fit.watch.warned]
    for flag, category in [
        (fit.collapsed, em.NoMaximumWarning),
        (not fit.estimator.converged_ and not fit.collapsed, em.NotConvergedWarning),
    ]:
        if flag and category not in categories:
            return f"no {category.__name__}; status: {fit.estimator.status_}"
    return ""


def free_correlations_are_said(fit: Fit) -> str | None:
    """The status says that a correlation of two columns that are never observed together is not identified."""
    if fit.case.family not in ("full", "tied") or fit.collapsed or fit.estimator.prior is not None:
        return None
    seen = ~np.isnan(fit.case.plain[fit.kept])
    if (seen.T.astype(int) @ seen).all() or "covariances" in (fit.estimator.frozen or {}):
        return None
    warned = any(issubclass(warning.category, em.NotIdentifiableWarning) for warning in fit.watch.warned)
    return "" if warned and "not identified" in fit.estimator.status_ else f"status: {fit.estimator.status_}"


INVARIANTS: dict[str, Callable[[Fit], str | None]] = {
    "parameters are finite": finite_parameters,
    "objective never falls": objective_never_falls,
    "objective_ is the best of history_": best_of_history,
    "a run that gains no more stops": stops_in_time,
    "weights sum to 1": weights_sum_to_one,
    "rows of responsibilities sum to 1": predictions_fit,
    "log-likelihood is the independent one": independent_log_likelihood,
    "objective = log-likelihood + log prior": objective_is_their_sum,
    "score, AIC, BIC, ICL agree with the fit": scores_agree,
    "failures are said": failures_are_said,
    "free correlations are said": free_correlations_are_said,
    "same seed, same bits": same_seed_same_bits,
    "saved and loaded, same bits": saved_and_loaded,
    "a warm start says converged": warm_start_converges,
    "permuted rows, same fit": permuted_rows,
    "repeated or weighted rows, same fit": repeated_rows,
    "a X + b, same path": other_units,
}
