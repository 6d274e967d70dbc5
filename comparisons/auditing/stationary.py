"""Whether a fit is a stationary point, and what hidden regularisation moved.

By Fisher's identity one E-step gives the gradient of the log-likelihood. Near a maximum a gradient g leaves
g' I⁻¹ g / 2 nats to gain; how many they are is found by EM, which goes on from the fit to where it converges. A point
that is z standard errors off leaves z² / 2 nats, so a fit within 0.01 standard errors is right.

A library that adds a constant c to every variance in each M-step stops where Σ_k = S_k / N_k + c I. That is told from
early stopping by one M-step with c added: it leaves such a fit where it is.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.auditing.given import Bound
from comparisons.auditing.lines import NOT_APPLICABLE, RIGHT, WRONG, Line, by_distance, distance_of, nats
from comparisons.auditing.standing import Standing
from models.validation import Array

EXPLAINED = 5.0  # times what a constant explains by itself, as the other parameters follow
SLOWEST = 1e-3  # least share of the information that a step is divided by
FREE = 1e-6  # share of a sample by which a component without weight would have to gain


def stationary_line(here: Standing) -> Line:
    """Return whether the fit is where EM would end, and how far that is."""
    if here.no_maximum:
        return Line("stationary", WRONG, f"there is no maximum to be at: {here.no_maximum}")
    limit, gain = here.limit, here.gain
    if limit.collapsed_:
        finding = f"no maximum of the likelihood: EM that goes on from here {how_it_collapsed(limit)}"
        return Line("stationary", WRONG, finding, None, away_from_collapse(here))
    moved, sentence = moved_by(here), here.errors_here.status if here.errors_here is not None else ""
    distance = max(distance_of(gain), moved or 0.0)
    findings = [f"{nats(gain)} still to gain by EM from here{_in_errors(moved)}", *_slope(here)]
    if not limit.converged_:
        findings.append(f"and more: EM itself has not converged ({limit.status_})")
    verdict, remedy = by_distance(distance), ""
    if verdict != RIGHT and is_settled(here):
        findings.append(f"its own M-step, which has {here.given.added_by}, leaves it where it is: see regularisation")
        return Line("stationary", RIGHT, "; ".join(findings), gain)
    if verdict != RIGHT:
        findings += [f"it stopped by {here.given.stopped}"] if here.given.stopped else []
        remedy = f"go on: {continued(here)}"
    elif here.limit.identifiability_.identified and sentence.startswith("the estimate is no maximum"):
        verdict, remedy = WRONG, f"start elsewhere: {continued(here)}"
        findings.append(f"but a saddle, which EM cannot leave: {sentence}")
    if why := _weights_that_should_rise(here):
        verdict, remedy = WRONG, "start it again with no weight of 0"
        findings.append(why)
    return Line("stationary", verdict, "; ".join([*findings, *_boundary(here)]), gain, remedy)


def bound_line(here: Standing, bound: Bound) -> Line:
    """Return whether a fit that maximises another objective is where its own iterations end."""
    verdict = by_distance(distance_of(bound.gained))
    finding = (
        f"{nats(bound.gained)} of its own objective still to gain in {bound.iterations} more of its own iterations; it "
        f"stopped by {here.given.stopped}"
    )
    remedy = "" if verdict == RIGHT else "fit it again with a smaller tol and a larger max_iter"
    return Line("stationary", verdict, finding, bound.gained, remedy)


def regularisation_line(here: Standing) -> Line:
    """Return what a constant that is added to variances, or a prior, moved."""
    given, prior = here.given, here.estimator.prior
    if given.objective:
        finding = f"it maximises {given.objective}, and not the likelihood"
        if not (here.no_maximum or here.limit.collapsed_):
            finding += f": maximum likelihood has {nats(here.gain)} more here"
        return Line("regularisation", NOT_APPLICABLE, finding)
    if prior is not None:
        return Line("regularisation", NOT_APPLICABLE, f"it is MAP, and was audited as such, under {prior!r}")
    added = added_to_variances(here)
    smallest = here.hooks.smallest_variances(here.parameters)
    if smallest is None or not added.any():
        return Line("regularisation", RIGHT, "nothing is added to what the data say", 0.0)
    share = added / smallest
    errors = of_added(here, share)
    k, moved = int(np.argmax(errors)), moved_by(here) if is_settled(here) else None
    finding = f"{given.added_by} makes up {100 * share[k]:.3g} % of the smallest variance of component {k}"
    distance = float(errors[k])
    if moved is not None:
        distance = max(moved, distance_of(here.gain))
        finding += f"; without it EM gains {nats(here.gain)}{_in_errors(moved)}"
    if (held := np.flatnonzero(share > 0.5)).size:
        finding += f"; it alone keeps component(s) {held.tolist()} from collapsing"
    verdict = WRONG if held.size else by_distance(distance)
    collapses = here.top is None or here.limit.collapsed_
    remedy = away_from_collapse(here) if collapses else f"leave it out: {continued(here)}"
    return Line("regularisation", verdict, finding, float(share[k]), "" if verdict == RIGHT else remedy)


def added_to_variances(here: Standing) -> Array:
    """Return what each M-step of the library adds to the variances of each component, shape (K,)."""
    counts = np.maximum(here.counts, 1e-300)
    return here.given.added + here.given.added_to_scatter / counts


def is_settled(here: Standing) -> bool:
    """Whether the library's own M-step, with what it adds to variances, leaves the fit where it is.

    On a plateau, such as near a saddle, any M-step does; there EM moves far more than what is added can explain.
    """
    added, smallest = added_to_variances(here), here.hooks.smallest_variances(here.parameters)
    if not added.any() or smallest is None or here.errors is None or here.step.collapsed_:
        return False
    after = here.hooks.raised(here.step.parameters_, added)
    steps = np.abs(here.values(after) - here.values(here.parameters)) / here.errors.standard_errors
    share = max(here.errors.share_observed or 0.0, SLOWEST)
    if (moved_by(here) or 0.0) > EXPLAINED * of_added(here, added / smallest).max() / share:
        return False
    return bool(np.nanmax(steps, initial=0.0) / share <= 0.1)


def of_added(here: Standing, share: Array) -> Array:
    """Return how many standard errors shares of variances are if labels are known: that of log v is sqrt(2 / N)."""
    return share * np.sqrt(here.counts / 2)


def moved_by(here: Standing) -> float | None:
    """Return the most standard errors that any parameter moves while EM goes on; None where there are no errors."""
    if here.errors is None or np.isnan(here.errors.standard_errors).all():
        return None
    moves = np.abs(here.values(here.limit.parameters_) - here.values(here.parameters)) / here.errors.standard_errors
    return float(np.nanmax(moves))


def continued(here: Standing) -> str:
    """Return the call that goes on rightly, where there is a maximum to go on to."""
    if here.top is None:
        return fewer(here)
    return here.given.continued or "audit.best has the parameters that maximise the likelihood"


def how_it_collapsed(fit: Any) -> str:
    """Return the part of a collapsed fit's status that says how it came to that."""
    return str(fit.status_).split("this one ")[-1]


def away_from_collapse(here: Standing) -> str:
    """Return what to do where EM leads from the fit to a collapse: start at a maximum, if our restarts found one."""
    return fewer(here) if here.top is None else f"start at the best: {continued(here)}"


def fewer(here: Standing) -> str:
    """Return which models are worth a try where components collapse, are empty or are the same."""
    return f"fewer than {here.parameters.n_components} components, a simpler structure or a prior"


def _in_errors(moved: float | None) -> str:
    return "" if moved is None else f", which moves parameters by up to {moved:.2g} standard errors"


def _slope(here: Standing) -> list[str]:
    """Return the largest slope in units in which it can be judged: times the standard error."""
    if here.errors_here is None or here.errors is None or here.errors_here.gradient is None:
        return []
    scaled = np.abs(here.errors_here.gradient) * here.errors.standard_errors
    if np.isnan(scaled).all():
        return []
    largest = int(np.nanargmax(scaled))
    return [f"the largest gradient times standard error is {scaled[largest]:.2g}, of {here.errors.names[largest]}"]


def _boundary(here: Standing) -> list[str]:
    """Return what is known of parameters on the boundary, where a maximum is one-sided."""
    arrays, quantities = here.parameters.arrays(), here.parameters.quantities[1:]
    if not (held := sum(int(quantity.support.at_edge(arrays[quantity.name]).sum()) for quantity in quantities)):
        return []
    now, there = here.values(here.parameters), here.values(here.limit.parameters_)
    left = int((((now < 1e-8) & (there > 1e-6)) | ((now > 1 - 1e-8) & (there < 1 - 1e-6))).sum())
    slope = "where the slope points outwards (Karush-Kuhn-Tucker holds)"
    wanted = f"of which {left} want to leave it (Karush-Kuhn-Tucker fails)"
    return [f"{held} parameters on the boundary, {wanted if left else slope}"]


def _weights_that_should_rise(here: Standing) -> str:
    """Return which components of weight 0 the data want: Σ_i f_k(x_i) / p(x_i) > n. EM cannot give them any weight."""
    empty = np.flatnonzero(here.parameters.weights == 0)
    if not len(empty) or "weights" in here.given.frozen:
        return ""
    K, used = here.parameters.n_components, here.counted > 0
    rising = []
    for k in empty.tolist():
        alone = here.at(replace(here.parameters, weights=np.eye(K)[k]))
        ratio = np.exp(np.asarray(alone.score_samples(here.X))[used] - here.log_prob[used])
        if here.counted[used] @ ratio > here.n_samples * (1 + FREE):
            rising.append(k)
    return f"component(s) {rising} have weight 0, but the likelihood rises with it" if rising else ""
