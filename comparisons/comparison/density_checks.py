"""Check EM against the densities of the PyMC models: responsibilities, log-likelihood, log prior, stationarity."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from scipy.special import gammaln, softmax

from comparisons.comparison.checks import ROUNDING, Check, check
from comparisons.comparison.fits import Fits
from comparisons.comparison.problem import Problem
from models.shown import numbers
from models.validation import Array

KKT_STEP = 1e-6
STATIONARY = "MLE is stationary"
SINGULAR = "of covariances that are nearly singular"


def rounding_of_prior(problem: Problem) -> float:
    """Return the rounding error of the log prior in nats: its log gamma functions cancel, and each is off by 2**-52."""
    named = (getattr(problem.prior, name, None) for name in problem.family.prior_counts)  # numbers of pseudo-samples
    largest = [np.max(count) for count in named if count is not None]
    terms = np.abs(gammaln(problem.n_components * np.array(largest)))
    return float(4 * np.finfo(np.float64).eps * terms.sum())


def rounding_of_counts(problem: Problem) -> float:
    """Return the rounding error of log densities of counts in nats: their log gamma functions cancel.

    PyMC's densities have log gamma functions of the counts, and of the sizes that bound the counts, such as numbers of
    trials. Each is off by a relative 2**-52.
    """
    X, cells = np.nan_to_num(problem.X), problem.family.parameters_type.cells
    if not cells.whole:
        return 0.0
    for size in map(np.asarray, problem.family.of_data.values()):
        bounds = cells.misfits(np.ceil(size) + 1, size)  # whether a count above the size is illegal
        X = np.maximum(X, np.where(bounds, size, 0))
    return float(4 * np.finfo(np.float64).eps * gammaln(1 + X).sum())


class Densities:
    """The compiled PyMC models: with explicit z, marginal, and marginal with flat priors.

    Parameters
    ----------
    fits : Fits
        The problem. The flat model is built only if the likelihood has a maximum.
    """

    def __init__(self, fits: Fits) -> None:
        from comparisons.posterior.densities import JointDensity, MarginalDensity, UnconstrainedDensity

        family, given = fits.family, (fits.X, fits.n_components)
        self.marginal = family.build_marginal_model(*given, fits.prior)
        self.unconstrained = UnconstrainedDensity(self.marginal, jacobian=True)
        self.joint = JointDensity(family.build_model(*given, fits.prior))
        self.precise = family.build_marginal_model(*given, fits.prior, precise=True)
        self.marginal_density = MarginalDensity(self.precise)
        if fits.has_maximum:
            flat = family.build_marginal_model(*given, None, precise=True)
            self.flat = UnconstrainedDensity(flat, jacobian=False)


def density_checks(fits: Fits, densities: Densities) -> list[Check]:
    """Compare EM's responsibilities, log-likelihood, log prior and stationarity with PyMC's densities."""
    estimates = [("MLE", fits.mle), ("MAP", fits.map)][not fits.has_maximum :]
    made = [check for at, fit in estimates for check in _matching(fits, densities, at, fit)]
    point, of_em = fits.map.parameters_, fits.prior.log_prob(fits.map.parameters_)
    log_prior = densities.marginal_density.at(point.arrays())[1]
    rounding = max(ROUNDING * max(1.0, abs(log_prior)) * 10, rounding_of_prior(fits))
    rounding = max(rounding, 2 * abs(of_em - fits.prior.log_prob(fits.family.rounded(point))))
    reason = f"difference in nats; rounding: 1e-10 of its size, or that of its log gamma functions or {SINGULAR}"
    made.append(check("log prior matches at MAP", abs(of_em - log_prior), rounding, reason))
    return [*made, *_stationary(fits, densities)] if fits.has_maximum else made


def _matching(fits: Fits, densities: Densities, at: str, fit: Any) -> Iterator[Check]:
    """Yield checks of responsibilities and log-likelihood at EM's estimate.

    Three values of the log-likelihood are checked: that of the E-step, that of the fit, and the fit's objective minus
    the log prior.
    """
    parameters, e_step = fit.parameters_, partial(fits.family.e_step, fits.X)
    (responsibilities, log_likelihood), (nearby, nearly) = e_step(parameters), e_step(fits.family.rounded(parameters))
    joint = densities.joint.at(parameters.arrays(), len(fits.X), fits.n_components)
    pointwise, _ = densities.marginal_density.at(parameters.arrays())
    yield from _finite(at, joint, pointwise, responsibilities)
    with np.errstate(invalid="ignore"):  # of a row that is impossible under every label
        gap = np.abs(responsibilities - softmax(joint, axis=1)).max()
    rounding = 2 * np.abs(responsibilities - nearby).max()
    reason = f"largest difference; rounding: 1e3 times the 1e-12 of log densities of 1e4 nats, or that {SINGULAR}"
    yield check(f"responsibilities = p(z|x) at {at}", gap, max(1e-9, rounding), reason)
    log_prior = fits.prior.log_prob(parameters) if fit.prior else 0.0
    of_em = np.array([log_likelihood, fit.log_likelihood_, fit.objective_ - log_prior])
    gap, rounding = np.abs(of_em - pointwise.sum()).max(), ROUNDING * max(1.0, np.abs(pointwise).sum() + abs(log_prior))
    rounding = max(rounding, rounding_of_counts(fits), 2 * abs(log_likelihood - nearly))
    reason = f"difference in nats; rounding: 1e-11 of the sum of terms, or that of log gamma functions or {SINGULAR}"
    yield check(f"log-likelihood matches at {at}", gap, rounding, reason)


def _finite(at: str, joint: Array, pointwise: Array, responsibilities: Array) -> Iterator[Check]:
    """Yield a failed check if PyMC's log densities, of x and z or of x, or EM's alone are not finite."""
    right = np.isfinite(joint) | (np.isneginf(joint) & (responsibilities == 0))
    of_pymc = np.isfinite(pointwise) & right.all(axis=1)
    of_em = np.isfinite(responsibilities).all(axis=1)
    for side, alone in ("PyMC's", of_em & ~of_pymc), ("EM's", of_pymc & ~of_em):
        if alone.any():
            row = int(alone.argmax())
            given = f"log p(x, z) of row {row} is {numbers(joint[row])} and log p(x) {numbers(float(pointwise[row]))}"
            reason = f"number of rows where the other's is finite; in PyMC, {given}"
            yield check(f"{side} log density is finite at {at}", float(alone.sum()), 0, reason)


def _stationary(fits: Fits, densities: Densities) -> Iterator[Check]:
    """Yield checks that the likelihood is stationary at the MLE.

    The gradient of a quantity inside its range is 0, under flat priors. For a quantity on the boundary of its range, a
    step inwards does not raise the log-likelihood (Karush-Kuhn-Tucker).
    """
    parameters, flat, log_likelihood = fits.mle.parameters_, densities.flat, densities.marginal_density.log_likelihood
    point, at = parameters.arrays(), flat.unconstrain(parameters.inside())
    supports = {q.name: q.support for q in parameters.quantities[1:] if q.support.edges}
    free = {name: ~support.at_edge(point[name]) for name, support in supports.items()}
    kept = flat.mask({name: supports[name].coordinates(inside) for name, inside in free.items()})
    largest, rounding = np.abs(flat.gradient_in_errors(at, kept)).max(initial=0.0), rounding_of_counts(fits)
    reason = (
        "largest |gradient| x standard error in nats along the axes of the information (unconstrained scale); EM "
        "stopped 1e-12 nats from its limit, which leaves sqrt(2e-12) = 1.4e-6 of a standard error"
    )
    if rounding > 0:
        reason += f"; or {rounding:.1g} nats, the rounding of log densities of these counts"
    yield check(STATIONARY, largest, max(1e-5, np.sqrt(2 * rounding)), reason)
    here = log_likelihood(point)
    slopes = [
        (log_likelihood({**point, name: moved}) - here) / KKT_STEP
        for name, inside in free.items()
        for place in map(tuple, np.argwhere(~inside))
        if (moved := supports[name].stepped_inside(point[name], place, KKT_STEP)) is not None
    ]
    if slopes:
        rounding = ROUNDING * abs(fits.mle.log_likelihood_) / KKT_STEP
        what = f"largest one-sided slope in nats over {len(slopes)} boundary values"
        reason = f"{what}; the rounding of the log-likelihood over a step of {KKT_STEP:g}"
        yield check("boundary estimates cannot move inwards", max(0.0, *slopes), rounding, reason)
