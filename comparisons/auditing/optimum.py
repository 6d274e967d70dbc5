"""How far below the best optimum of our restarts a fit is, and what differs; which of its components are suspect."""

from itertools import combinations
from typing import Any

import numpy as np

from comparisons.auditing.given import Bound
from comparisons.auditing.lines import NOT_APPLICABLE, RIGHT, WARNING, WRONG, Line, nats
from comparisons.auditing.standing import Standing
from comparisons.auditing.stationary import away_from_collapse, continued, fewer, how_it_collapsed
from models.tables import rows_of

LOWER = 1e-3  # nats, below which two optima are the same
OF_BOUND = 1e-2  # nats of a variational bound, whose restarts are not run to the end
TWIN = 1e-2  # share of two components' samples that tells them apart
MOST_NAMED = 3


def optimum_line(here: Standing) -> Line:
    """Return how many nats the optimum that EM reaches from the fit is below the best of our restarts."""
    if here.no_maximum:
        return Line("best optimum", NOT_APPLICABLE, "there is no maximum")
    best, limit = here.best, here.limit
    if best.collapsed_:
        finding = f"all our restarts collapsed (one {how_it_collapsed(best)}), so there is none to compare with"
        return Line("best optimum", WARNING, finding)
    if limit.collapsed_:
        finding = "the fit leads to a collapse, and our restarts to a maximum"
        return Line("best optimum", WRONG, finding, None, away_from_collapse(here))
    below = float(best.objective_ - limit.objective_)
    n_starts = len(best.starts_)
    optima = f"{n_starts} optim{'a' if n_starts > 1 else 'um'} found by our restarts"
    if below <= LOWER:
        tell = "none is better" if below >= -LOWER else f"the best is {nats(-below)} lower than where the fit leads"
        return Line("best optimum", RIGHT, f"{tell}; {optima}", max(below, 0.0))
    if here.is_spurious(best.parameters_):
        finding = f"the only better one, by {nats(below)}, has a component of a handful of samples: not counted"
        return Line("best optimum", RIGHT, f"{finding}; {optima}", 0.0)
    finding = f"{nats(below)} below the best of our restarts; {_what_differs(here)}; {optima}"
    remedy = f"more restarts (n_init), or start at the best: {continued(here)}"
    return Line("best optimum", WRONG, finding, below, remedy)


def bound_optimum_line(here: Standing, bound: Bound) -> Line:
    """Return whether restarts of the library's own end higher in its own objective."""
    gap = bound.gained_by_restarts
    if gap <= OF_BOUND:
        return Line("best optimum", RIGHT, "restarts of its own end no higher in its own objective", max(gap, 0.0))
    finding = f"restarts of its own end {nats(gap)} higher in its own objective"
    return Line("best optimum", WRONG, finding, gap, "raise n_init")


def components_line(here: Standing) -> Line:
    """Return which components have collapsed or nearly so, are empty, or are the same as another."""
    suspects = here.hooks.suspects(here.parameters, here.counts, here.rows, here.responsibilities)
    findings = [f"component {k} {why}" for k, (_, why) in enumerate(suspects) if why]
    collapsed = [k for k, (has_collapsed, _) in enumerate(suspects) if has_collapsed]
    pairs = twins(here)
    findings += [f"components {j} and {k} are the same" for j, k in pairs]
    if here.no_maximum:
        return Line("components", WRONG, here.no_maximum, None, "drop constant columns, or use a prior")
    if not findings:
        finding = f"none is empty, collapsed or the same as another; the smallest keeps {here.counts.min():.5g}"
        return Line("components", RIGHT, finding)
    prior, more = here.estimator.prior, len(findings) - MOST_NAMED
    finding = "; ".join(findings[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    if not pairs and (here.given.objective or (prior is not None and getattr(prior, "avoids_collapse", True))):
        return Line("components", RIGHT, f"{finding}: its prior may empty components and holds their covariances")
    remedy = away_from_collapse(here) if here.limit.collapsed_ else fewer(here)
    return Line("components", WRONG if collapsed or pairs else WARNING, finding, None, remedy)


def twins(here: Standing) -> list[tuple[int, int]]:
    """Return pairs of components that have the same density wherever there are samples."""
    shares = (here.responsibilities / np.maximum(here.parameters.weights, 1e-300)).T  # f_k(x_i) / p(x_i)

    def are_the_same(j: int, k: int) -> bool:
        gap, total = np.abs(shares[j] - shares[k]), shares[j] + shares[k]
        return bool(here.counted @ gap <= TWIN * (here.counted @ total))

    kept = np.flatnonzero(here.counts >= 1).tolist()
    return [pair for pair in combinations(kept, 2) if are_the_same(*pair)]


def _what_differs(here: Standing) -> str:
    """Return in words which parameters differ most between the fit and the best optimum."""
    rows = [row for row in differences(here) if row["best"] is not None]
    scale = {row["parameter"]: abs(row["best"] - row["fit"]) / (row["standard_error"] or np.inf) for row in rows}
    first = sorted(rows, key=lambda row: -scale[row["parameter"]])[:MOST_NAMED]
    said = [f"{row['parameter']} is {row['best']:.4g} in place of {row['fit']:.4g}" for row in first]
    return f"there {', '.join(said)}"


def differences(here: Standing) -> list[dict[str, Any]]:
    """Return one row per parameter: the fit, where EM goes from there, the best optimum, and a standard error."""
    names = [row["parameter"] for row in here.here.summary(here.X).parameters]
    fit, unknown = here.values(here.parameters), np.full(len(names), np.nan)
    limit = None if here.no_maximum or here.limit.collapsed_ else here.limit
    there, best = (unknown if end is None else here.values(end.parameters_) for end in (limit, here.top))
    errors = unknown if here.errors is None else here.errors.standard_errors
    columns = {"parameter": names, "fit": fit, "EM from there": there, "best": best, "standard_error": errors}
    return rows_of(columns, unknown=None)
