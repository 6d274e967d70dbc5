"""Compare a fit with the best optimum of our restarts, and check its components."""

from itertools import combinations
from typing import Any

import numpy as np

from comparisons.auditing.audited import AuditedFit
from comparisons.auditing.library_fit import BoundGain
from comparisons.auditing.lines import NOT_APPLICABLE, RIGHT, WARNING, WRONG, Line, in_nats
from comparisons.auditing.stationary import collapse_advice, continuation_advice, how_it_collapsed, simpler_model_advice
from models.tables import rows_of

LOWER = 1e-3  # nats: two optima that are nearer are the same
OF_BOUND = 1e-2  # the same for a variational bound, whose restarts are not run to convergence
TWIN = 1e-2  # two components are the same if their densities differ by at most this share, averaged over samples
MOST_NAMED = 3


def optimum_line(audited: AuditedFit) -> Line:
    """Return how many nats the optimum that EM reaches from the fit is below the best of our restarts."""
    if audited.no_maximum:
        return Line("best optimum", NOT_APPLICABLE, "there is no maximum")
    best, limit = audited.best, audited.em_limit
    if best.collapsed_:
        finding = f"all our restarts collapsed (one {how_it_collapsed(best)}), so there is none to compare with"
        return Line("best optimum", WARNING, finding)
    if limit.collapsed_:
        finding = "the fit leads to a collapse, and our restarts to a maximum"
        return Line("best optimum", WRONG, finding, None, collapse_advice(audited))
    below = float(best.objective_ - limit.objective_)
    n_starts = len(best.starts_)
    optima = f"{n_starts} optim{'a' if n_starts > 1 else 'um'} found by our restarts"
    if below <= LOWER:
        finding = "none is better" if below >= -LOWER else f"the best is {in_nats(-below)} lower than where EM ends"
        return Line("best optimum", RIGHT, f"{finding}; {optima}", max(below, 0.0))
    if audited.is_spurious(best.parameters_):
        finding = f"the only better one, by {in_nats(below)}, is spurious: it has a component of a handful of samples"
        return Line("best optimum", RIGHT, f"{finding}; {optima}", 0.0)
    finding = f"{in_nats(below)} below the best of our restarts; {_what_differs(audited)}; {optima}"
    remedy = f"more restarts (n_init), or start at the best: {continuation_advice(audited)}"
    return Line("best optimum", WRONG, finding, below, remedy)


def bound_optimum_line(audited: AuditedFit, bound: BoundGain) -> Line:
    """Return whether the library's own restarts reach a higher value of its own objective."""
    gap = bound.gained_by_restarts
    if gap <= OF_BOUND:
        return Line("best optimum", RIGHT, "its own restarts do not raise its own objective", max(gap, 0.0))
    finding = f"its own restarts raise its own objective by {in_nats(gap)}"
    return Line("best optimum", WRONG, finding, gap, "raise n_init")


def components_line(audited: AuditedFit) -> Line:
    """Return which components have collapsed, have nearly collapsed, are empty, or are the same as another one."""
    suspects = audited.family_audit.suspects(audited.parameters, audited.counts, audited.rows, audited.responsibilities)
    findings = [f"component {k} {why}" for k, (_, why) in enumerate(suspects) if why]
    collapsed = [k for k, (has_collapsed, _) in enumerate(suspects) if has_collapsed]
    pairs = identical_pairs(audited)
    findings += [f"components {j} and {k} are the same" for j, k in pairs]
    if audited.no_maximum:
        return Line("components", WRONG, audited.no_maximum, None, "drop constant columns, or use a prior")
    if not findings:
        finding = f"none is empty, collapsed or the same as another; the smallest keeps {audited.counts.min():.5g}"
        return Line("components", RIGHT, finding)
    prior, more = audited.estimator.prior, len(findings) - MOST_NAMED
    finding = "; ".join(findings[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    if not pairs and (audited.library_fit.objective or (prior is not None and getattr(prior, "avoids_collapse", True))):
        return Line("components", RIGHT, f"{finding}: its prior may empty components and holds their covariances")
    remedy = collapse_advice(audited) if audited.em_limit.collapsed_ else simpler_model_advice(audited)
    return Line("components", WRONG if collapsed or pairs else WARNING, finding, None, remedy)


def identical_pairs(audited: AuditedFit) -> list[tuple[int, int]]:
    """Return pairs of components that have the same density at the samples."""
    shares = (audited.responsibilities / np.maximum(audited.parameters.weights, 1e-300)).T  # f_k(x_i) / p(x_i)

    def are_the_same(j: int, k: int) -> bool:
        gap, total = np.abs(shares[j] - shares[k]), shares[j] + shares[k]
        return bool(audited.row_weights @ gap <= TWIN * (audited.row_weights @ total))

    nonempty = np.flatnonzero(audited.counts >= 1).tolist()
    return [pair for pair in combinations(nonempty, 2) if are_the_same(*pair)]


def _what_differs(audited: AuditedFit) -> str:
    """Return the parameters that differ most between the fit and the best optimum, as text."""
    rows = [row for row in differences(audited) if row["best"] is not None]
    scale = {row["parameter"]: abs(row["best"] - row["fit"]) / (row["standard_error"] or np.inf) for row in rows}
    first = sorted(rows, key=lambda row: -scale[row["parameter"]])[:MOST_NAMED]
    sentences = [f"{row['parameter']} is {row['best']:.4g} in place of {row['fit']:.4g}" for row in first]
    return f"there {', '.join(sentences)}"


def differences(audited: AuditedFit) -> list[dict[str, Any]]:
    """Return one row per parameter: the fit, where EM ends that starts there, the best optimum, a standard error."""
    names = [row["parameter"] for row in audited.at_fit.summary(audited.X).parameters]
    fit, unknown = audited.entries(audited.parameters), np.full(len(names), np.nan)
    limit = None if audited.no_maximum or audited.em_limit.collapsed_ else audited.em_limit
    there, best = (unknown if end is None else audited.entries(end.parameters_) for end in (limit, audited.highest))
    errors = unknown if audited.errors is None else audited.errors.standard_errors
    columns = {"parameter": names, "fit": fit, "EM from there": there, "best": best, "standard_error": errors}
    return rows_of(columns, unknown=None)
