"""Check whether a fit is a stationary point, and how far hidden regularisation moved it.

EM continues from the fit until it converges. What it gains measures the distance: near a maximum, a point that is z
standard errors off has z² / 2 nats to gain. A fit within 0.01 standard errors is right. The gradient is shown beside
it; it takes one E-step, by Fisher's identity.

A library that adds a constant c to every variance in each M-step stops where Σ_k = S_k / N_k + c I. One M-step with c
added does not move such a fit; this tells regularisation from early stopping.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.auditing.audited import AuditedFit
from comparisons.auditing.library_fit import BoundGain
from comparisons.auditing.lines import NOT_APPLICABLE, RIGHT, WARNING, WRONG, Line, in_nats
from models.shown import counted, listed
from models.validation import Array

NOTHING, LITTLE = 0.01, 0.1  # standard errors: largest distance that is right, and largest that is only a warning
EXPLAINED = 5.0  # a constant may move parameters by so many times its own effect, as the others follow
SLOWEST = 1e-3  # least share of the information by which a step is divided
FREE = 1e-6  # relative gain of a component of weight 0 below which it is rounding


def stationary_line(audited: AuditedFit) -> Line:
    """Return whether the fit is where EM ends, or how far it is from there."""
    if audited.no_maximum:
        return Line("stationary", WRONG, f"there is no maximum to be at: {audited.no_maximum}")
    limit, gain = audited.em_limit, audited.gain
    if limit.collapsed_:
        finding = f"no maximum of the likelihood: EM that goes on from here {how_it_collapsed(limit)}"
        return Line("stationary", WRONG, finding, None, collapse_advice(audited))
    move, sentence = largest_move(audited), "" if audited.errors_at_fit is None else audited.errors_at_fit.status
    distance = max(distance_in_errors(gain), move or 0.0)
    findings = [f"{in_nats(gain)} still to gain by EM from here{_in_errors(move)}", *_slope(audited)]
    if not limit.converged_:
        findings.append(f"and more: EM itself has not converged ({limit.status_})")
    verdict, remedy = verdict_by_distance(distance), ""
    if verdict != RIGHT and is_fixed_point_of_library(audited):
        findings.append(f"its own M-step, with {audited.library_fit.added_by}, does not move it: see regularisation")
        return Line("stationary", RIGHT, "; ".join(findings), gain)
    if verdict != RIGHT:
        findings += [f"it stopped by {audited.library_fit.stopped}"] if audited.library_fit.stopped else []
        remedy = f"go on: {continuation_advice(audited)}"
    elif limit.identifiability_.identified and sentence.startswith("the estimate is no maximum"):
        verdict, remedy = WRONG, f"start elsewhere: {continuation_advice(audited)}"
        findings.append(f"but this is a saddle, which EM cannot leave: {sentence}")
    if why := _weights_that_should_rise(audited):
        verdict, remedy = WRONG, "start it again with no weight of 0"
        findings.append(why)
    return Line("stationary", verdict, "; ".join([*findings, *_boundary(audited)]), gain, remedy)


def bound_line(audited: AuditedFit, bound: BoundGain) -> Line:
    """Return whether a fit that maximises another objective is where its own iterations converge."""
    verdict = verdict_by_distance(distance_in_errors(bound.gained))
    finding = (
        f"{in_nats(bound.gained)} of its own objective still to gain in {bound.iterations} more of its own iterations; "
        f"it stopped by {audited.library_fit.stopped}"
    )
    remedy = "" if verdict == RIGHT else "fit it again with a smaller tol and a larger max_iter"
    return Line("stationary", verdict, finding, bound.gained, remedy)


def regularisation_line(audited: AuditedFit) -> Line:
    """Return how far a constant added to variances moved the fit; or that a prior or another objective did."""
    library_fit, prior = audited.library_fit, audited.estimator.prior
    if library_fit.objective:
        finding = f"it maximises {library_fit.objective}, and not the likelihood"
        if not (audited.no_maximum or audited.em_limit.collapsed_):
            finding += f": maximum likelihood has {in_nats(audited.gain)} more here"
        return Line("regularisation", NOT_APPLICABLE, finding)
    if prior is not None:
        return Line("regularisation", NOT_APPLICABLE, f"it is MAP, and was audited as such, under {prior!r}")
    added = added_to_variances(audited)
    smallest = audited.family_audit.smallest_variances(audited.parameters)
    if smallest is None or not added.any():
        return Line("regularisation", RIGHT, "nothing is added to what the data say", 0.0)
    share = added / smallest
    errors = added_in_errors(audited, share)
    k, move = int(np.argmax(errors)), largest_move(audited) if is_fixed_point_of_library(audited) else None
    finding = f"{library_fit.added_by} makes up {100 * share[k]:.3g} % of the smallest variance of component {k}"
    distance = float(errors[k])
    if move is not None:
        distance = max(move, distance_in_errors(audited.gain))
        finding += f"; without it EM gains {in_nats(audited.gain)}{_in_errors(move)}"
    if (sustained := np.flatnonzero(share > 0.5)).size:
        finding += f"; it alone keeps {listed(sustained, noun='component')} from collapsing"
    verdict = WRONG if sustained.size else verdict_by_distance(distance)
    collapses = audited.highest is None or audited.em_limit.collapsed_
    remedy = collapse_advice(audited) if collapses else f"leave it out: {continuation_advice(audited)}"
    return Line("regularisation", verdict, finding, float(share[k]), "" if verdict == RIGHT else remedy)


def verdict_by_distance(standard_errors: float) -> str:
    """Return the verdict on a fit that lies so many standard errors from where it should be.

    Examples
    --------
    >>> from comparisons.auditing.stationary import verdict_by_distance
    >>> verdict_by_distance(1e-4), verdict_by_distance(0.05), verdict_by_distance(2.0)
    ('right', 'warning', 'wrong')
    """
    return RIGHT if standard_errors <= NOTHING else WARNING if standard_errors <= LITTLE else WRONG


def distance_in_errors(gain: float) -> float:
    """Return the distance sqrt(2 g), in standard errors, from a maximum that is g nats higher.

    Near a maximum the log-likelihood is a quadratic, and z standard errors from it is z² / 2 nats lower.
    """
    return float(np.sqrt(2 * max(gain, 0.0)))


def added_to_variances(audited: AuditedFit) -> Array:
    """Return the constant that each M-step of the library adds to the variances of each component, shape (K,)."""
    counts = np.maximum(audited.counts, 1e-300)
    return audited.library_fit.added + audited.library_fit.added_to_scatter / counts


def is_fixed_point_of_library(audited: AuditedFit) -> bool:
    """Whether the library's own M-step, with the constant that it adds to variances, does not move the fit.

    On a plateau, such as near a saddle, no M-step moves it much. There EM moves it in the end by far more than the
    constant explains, and the answer is False.
    """
    added, smallest = added_to_variances(audited), audited.family_audit.smallest_variances(audited.parameters)
    if not added.any() or smallest is None or audited.errors is None or audited.after_one_step.collapsed_:
        return False
    after = audited.family_audit.with_added_variances(audited.after_one_step.parameters_, added)
    share = max(audited.errors.share_observed or 0.0, SLOWEST)
    if (largest_move(audited) or 0.0) > EXPLAINED * added_in_errors(audited, added / smallest).max() / share:
        return False
    return bool(np.nanmax(audited.moves_to(after), initial=0.0) / share <= 0.1)


def added_in_errors(audited: AuditedFit, share: Array) -> Array:
    """Return shares of variances in standard errors, as if labels were known: that of log v is sqrt(2 / N)."""
    return share * np.sqrt(audited.counts / 2)


def largest_move(audited: AuditedFit) -> float | None:
    """Return the largest move of a parameter by EM from the fit, in standard errors; None if there are none."""
    if audited.errors is None or np.isnan(audited.errors.standard_errors).all():
        return None
    return float(np.nanmax(audited.moves_to(audited.em_limit.parameters_)))


def continuation_advice(audited: AuditedFit) -> str:
    """Return how to continue: a call of the library, or where the best parameters are; without a maximum, advice."""
    if audited.highest is None:
        return simpler_model_advice(audited)
    return audited.library_fit.next_call or "audit.best has the parameters that maximise the likelihood"


def how_it_collapsed(fit: Any) -> str:
    """Return the part of a collapsed fit's status that describes the collapse."""
    return str(fit.status_).split("this one ")[-1]


def collapse_advice(audited: AuditedFit) -> str:
    """Return what to do if EM collapses from the fit: start at the maximum of our restarts, if there is one."""
    if audited.highest is None:
        return simpler_model_advice(audited)
    return f"start at the best: {continuation_advice(audited)}"


def simpler_model_advice(audited: AuditedFit) -> str:
    """Return which models to try if components collapse, are empty or are the same."""
    return f"fewer than {audited.parameters.n_components} components, a simpler structure or a prior"


def _in_errors(move: float | None) -> str:
    return "" if move is None else f", which moves parameters by up to {move:.2g} standard errors"


def _slope(audited: AuditedFit) -> list[str]:
    """Return a finding on the largest gradient, each multiplied by the parameter's standard error."""
    if audited.errors is None or audited.errors_at_fit is None or audited.errors_at_fit.gradient is None:
        return []
    scaled = np.abs(audited.errors_at_fit.gradient) * audited.errors.standard_errors
    if np.isnan(scaled).all():
        return []
    largest = int(np.nanargmax(scaled))
    return [f"the largest gradient times standard error is {scaled[largest]:.2g}, of {audited.errors.names[largest]}"]


def _boundary(audited: AuditedFit) -> list[str]:
    """Return a finding on parameters on the boundary, where the maximum is one-sided (Karush-Kuhn-Tucker)."""
    arrays, quantities = audited.parameters.arrays(), audited.parameters.quantities[1:]
    if not (n_edge := sum(int(quantity.support.at_edge(arrays[quantity.name]).sum()) for quantity in quantities)):
        return []
    now, there = audited.entries(audited.parameters), audited.entries(audited.em_limit.parameters_)
    n_leaving = int((((now < 1e-8) & (there > 1e-6)) | ((now > 1 - 1e-8) & (there < 1 - 1e-6))).sum())
    slope = "where the slope points outwards (Karush-Kuhn-Tucker holds)"
    leaving = f"of which EM moves {n_leaving} inside (Karush-Kuhn-Tucker fails)"
    return [f"{counted(n_edge, 'parameter')} on the boundary, {leaving if n_leaving else slope}"]


def _weights_that_should_rise(audited: AuditedFit) -> str:
    """Return a finding on components of weight 0 that would raise the likelihood: Σ_i f_k(x_i) / p(x_i) > n.

    EM cannot raise a weight of 0.
    """
    empty = np.flatnonzero(audited.parameters.weights == 0)
    if not len(empty) or "weights" in audited.library_fit.frozen:
        return ""
    K, observed = audited.parameters.n_components, audited.row_weights > 0
    rising = []
    for k in empty.tolist():
        alone = audited.at(replace(audited.parameters, weights=np.eye(K)[k]))
        ratio = np.exp(np.asarray(alone.score_samples(audited.X))[observed] - audited.log_prob[observed])
        if audited.row_weights[observed] @ ratio > audited.n_samples * (1 + FREE):
            rising.append(k)
    return f"weight 0 of {listed(rising, noun='component')}, although the likelihood rises with it" if rising else ""
