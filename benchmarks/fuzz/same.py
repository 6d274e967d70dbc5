"""Fits that must be the same: of rows in another order, of rows repeated instead of weighted, of data in other units.

Two such fits are compared by label-free quantities. Their objectives may differ by ``tol`` each, because of the
stopping rule, and by rounding (`Fit.slack`). The log densities of their rows differ too: near a maximum, parameters
that lower the objective by g nats change them by Σ w (Δ log p)² of about 2 g, because under the model the outer product
of the scores is the information. `MISSPECIFIED` is a factor for data that the model does not describe.
"""

from dataclasses import replace

import numpy as np

from benchmarks.fuzz.cases import Case
from benchmarks.fuzz.data import DISCRETE
from benchmarks.fuzz.draws import FARTHEST
from benchmarks.fuzz.fit import Fit, Refused
from models.validation import Array

MISSPECIFIED = 100.0
CONFIRMATION = 10  # iterations that a leap rejected by rounding costs: itself, and twice three to confirm the limit
FURTHER = 10_000  # iterations from the lower of two maxima, to distinguish it from a run that stopped early
RIDGE = (
    1e-3  # nats that may still be gained along the ridge of a model that is not identified, so slowly as to seem none
)
READABLE = 1e3  # a gain of at least so many roundings can be distinguished from rounding


def permuted_rows(fit: Fit) -> str | None:
    """Rows in another order give the same fit."""
    order = np.random.default_rng([fit.case.seed, fit.case.number, 1]).permutation(fit.case.plain.shape[0])
    return differences(fit, fit.case.rows(order))


def repeated_rows(fit: Fit) -> str | None:
    """Rows repeated as often as their whole weights say, or twice with half their weights each, give the same fit."""
    everyone, weights = np.arange(fit.case.plain.shape[0]), fit.case.sample_weight
    if weights is not None and (weights % 1 == 0).all() and weights.max() < 10:
        return differences(fit, replace(fit.case.rows(np.repeat(everyone, weights.astype(int))), sample_weight=None))
    return differences(fit, fit.case.rows(np.tile(everyone, 2), share=0.5))


def other_units(fit: Fit) -> str | None:
    """Data a X + b give the same fit after as many iterations; the log-likelihood gains -log a for each cell."""
    case = fit.case
    if not (case.gaussian or case.family == "kmeans"):
        return None
    if case.unit == (1.0, 0.0):
        rng = np.random.default_rng([case.seed, case.number, 2])
        unit = (
            2.0 ** int(rng.integers(-20, 21)),
            float(rng.choice([0.0, np.round(10 ** rng.uniform(0, np.log10(FARTHEST)))])),
        )
        if rng.random() < 0.2 and not set(case.traits) & set(DISCRETE):
            unit = 1.8, 17.0  # not exact, so rounding breaks ties of discrete data
    else:
        unit = 1.0, 0.0
    return differences(fit, replace(case, unit=unit))


def differences(fit: Fit, case: Case) -> str | None:
    """Return how a fit differs from one that must be the same, or ""."""
    try:
        other = fit.again(case)
    except Refused as refused:
        return None if case.may_refuse else str(refused)
    if left_a_saddle(fit) or left_a_saddle(other):
        return None
    if fit.collapsed != other.collapsed:
        return f"{fit.estimator.status_!r} became {other.estimator.status_!r}"
    if fit.collapsed:
        return ""
    slower = max((fit, other), key=lambda one: (not one.estimator.converged_, one.estimator.n_iter_)).estimator
    faster = fit if slower is other.estimator else other
    late = faster.estimator.n_iter_ + CONFIRMATION >= slower.max_iter  # rounding may decide
    if fit.estimator.converged_ != other.estimator.converged_:
        said = f"{fit.estimator.status_!r} became {other.estimator.status_!r}"
        return "" if late or not tol_is_readable(fit, other) else said
    return objectives_differ(fit, other) or densities_differ(fit, other) or iterations_differ(fit, other)


def left_a_saddle(fit: Fit) -> bool:
    """Whether a run gained nothing beyond rounding and then gained again, in a direction that rounding chose."""
    if not fit.is_mixture or fit.collapsed or not np.isfinite(fit.rounding):
        return False
    gains = np.diff(fit.estimator.history_)
    still = np.flatnonzero(gains <= 2 * fit.rounding)
    return len(still) > 0 and bool((gains[still[0] :] > READABLE * fit.rounding).any())


def shifts(fit: Fit, other: Fit) -> tuple[Array, float]:
    """Return the changes of the rows' log densities and of the objective with the units of the other fit."""
    if fit.case.unit == other.case.unit or not fit.case.gaussian:
        return np.zeros(len(fit.kept)), 0.0
    rows, prior = fit.case.log_shift(other.case.unit)
    return rows[fit.kept], float(fit.w @ rows[fit.kept] + prior)


def noise(fit: Fit, other: Fit) -> float:
    """Return the rounding error of the difference of two objectives."""
    return fit.rounding + fit.storing + other.rounding + other.storing


def tol_is_readable(fit: Fit, other: Fit) -> bool:
    """Whether gains of ``tol`` can be distinguished from rounding; if not, rounding decides when a run stops."""
    return not fit.is_mixture or fit.case.settings["tol"] >= READABLE * noise(fit, other)


def objectives_differ(fit: Fit, other: Fit) -> str:
    """Return by how much the objectives differ, or ""."""
    gap, allowed = other.objective - fit.objective - shifts(fit, other)[1], fit.slack + other.slack
    allowed += RIDGE if fit.on_a_ridge else 0.0
    if abs(gap) <= allowed:
        return ""
    said = f"objective {fit.objective:.10g} changes by {gap:.3g}; allowed {allowed:.1g}"
    lower = other if gap < 0 else fit
    if not lower.is_mixture or not lower.estimator.converged_:
        return said
    on = lower.again(init=lower.estimator.parameters_, n_starts=None, tol=0.0, max_iter=FURTHER)
    gain = on.objective - lower.objective
    return (
        said
        if gain < abs(gap) / 2
        else f"{said}; the lower is not within tol of its limit, it goes on to gain {gain:.2g}"
    )


def densities_differ(fit: Fit, other: Fit) -> str:
    """Return by how much the log densities of the rows differ, or ""."""
    case = replace(fit.case, unit=other.case.unit)
    gaps = other.reference(case).log_prob - fit.own.log_prob - shifts(fit, other)[0]
    if not fit.is_mixture:
        allowed = MISSPECIFIED * (fit.own.rounding + fit.own.storing + other.own.storing.max())
        worst = int(np.argmax(np.abs(gaps) - allowed))
        wrong = fit.case.settings["tol"] == 0 and fit.estimator.converged_ and abs(gaps[worst]) > allowed[worst]
        return f"a squared distance to the nearest centre changes by {gaps[worst]:.3g}" if wrong else ""
    distance = float(fit.w @ gaps**2)
    most = MISSPECIFIED * (fit.slack + other.slack + (RIDGE if fit.on_a_ridge else 0.0))
    return "" if distance <= most else f"objective the same, but Σ w (Δ log p)² is {distance:.3g}; allowed {most:.1g}"


def iterations_differ(fit: Fit, other: Fit) -> str:
    """Return how the numbers of iterations differ after a change of units, or "".

    They are equal if only a power of two changed and gains can be distinguished from rounding. An offset changes the
    rounding, which may reject a leap, or in K-means add a last step without effect. They are not compared if ``tol`` is
    below rounding.
    """
    if fit.case.unit == other.case.unit or not fit.estimator.converged_:
        return ""
    fewer, more = sorted((fit.estimator.n_iter_, other.estimator.n_iter_))
    exact = fit.case.unit[1] == other.case.unit[1]
    if not fit.is_mixture:
        allowed = 0 if exact else 1
    elif not tol_is_readable(fit, other):
        return ""
    else:
        clear = exact and (np.diff(fit.estimator.history_) > READABLE * noise(fit, other)).all()
        allowed = 0 if clear else CONFIRMATION
    return "" if more - fewer <= allowed else f"{fewer} iterations here are {more} there"
