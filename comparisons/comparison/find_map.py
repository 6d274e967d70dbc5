"""Search the mode with PyMC's `find_MAP`, starting at posterior draws, and compare it with MAP-EM."""

import operator
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.comparison.checks import Check, check, in_sd
from comparisons.comparison.density_checks import Densities, rounding_of_prior
from comparisons.comparison.draws import Draws
from comparisons.comparison.estimates import distinct_entries
from comparisons.comparison.fits import Fits
from comparisons.family import PRECISE, Family, Point
from em.status import left_to_the_status
from models.validation import Array

LESSER, ELSEWHERE = 1e-6, 0.1  # two maxima differ if they are so many nats and posterior sd apart


def find_map_checks(fits: Fits, draws: Draws, densities: Densities) -> tuple[list[Check], Any]:
    """Check that `find_MAP` ends at MAP-EM's estimate, and that it moved at all.

    Return the checks, and the parameters at which `find_MAP` ended if they are better than MAP-EM's, else None.

    An optimiser that starts at a draw may end in a lesser maximum, without notice. So it starts at an early draw of
    each chain, then at the best draw of each chain, until it ends at MAP-EM's estimate or at a better point. If it ends
    lower and elsewhere from every start, MAP-EM is started at the last end point, and must stay there: this shows that
    the point is a lesser maximum.

    L-BFGS stops when a step changes the objective by less than ``ftol`` of it, or by less than its rounding. It stops
    early if the axes of the posterior have very different lengths. A stop that is g nats too low is sqrt(2 g) sd off.

    Parameters
    ----------
    fits, draws, densities
        EM's estimates, the posterior, and the compiled models.
    """
    from comparisons.posterior import FIND_MAP_FTOL, find_map

    family, best, objective = fits.family, draws.in_order(fits.map.parameters_), fits.map.objective_
    values = {str(name): array.to_numpy() for name, array in draws.aligned.data_vars.items()}
    target = distinct_entries(best.arrays(), family)
    sd = distinct_entries({name: array.std(axis=(0, 1)) for name, array in values.items()}, family)
    rounding, lesser, note = max(FIND_MAP_FTOL * abs(objective), rounding_of_prior(fits)), True, ""
    model, into, back = family.for_search(densities.precise, fits.X, fits.n_components, fits.prior)
    for start in _starts(values, draws.pointwise.sum(axis=-1) + draws.log_prior, target, sd, family):
        answer = _in_order(back(find_map(model, into(start))), draws, best)
        pointwise, log_prior = densities.marginal_density.at(answer)
        reached, gain = distinct_entries(answer, family), float(pointwise.sum()) + log_prior - objective
        apart, stop = in_sd(target, reached, sd).max(), np.sqrt(2 * max(rounding, -gain if gain > -LESSER else 0.0))
        tolerance = max(1e-5, 4 * stop)
        lesser = lesser and is_lesser(apart, gain)
        if apart <= tolerance or gain > LESSER:
            break
    if lesser:
        with left_to_the_status():
            there = fits.fit_by_em(prior=fits.prior, init=replace(best, **answer), **PRECISE).parameters_
        apart, tolerance = in_sd(distinct_entries(there.arrays(), family), reached, sd).max(), 10 * tolerance
        note = (
            f"; PyMC ends lower from every start, the last time by {-gain:.3g} nats: compared is MAP-EM started there, "
            "with ten times the tolerance, because the posterior may be flatter there"
        )
    elif gain > LESSER:
        note = f"; PyMC's maximum is {gain:.3g} nats better than EM's: more restarts are needed"
    reason = (
        "largest difference in posterior sd over every declared quantity; 1e-5, or four times the "
        f"sqrt(2 x {stop**2 / 2:.1g} nats) = {stop:.1g} sd at which the optimiser stopped{note}"
    )
    of_start = "root mean square distance from its start in posterior sd; the start was chosen at least 1 away"
    why = "PyMC's optimiser stops in a lesser maximum near each start" if lesser else ""
    if gain > LESSER:
        why = "PyMC ends in a better maximum than EM's, which may be near its start"
    begun = distinct_entries(start, family)
    if _distance(begun, target, sd) < 1:  # a chain that stays in one mode, while other modes make the sd large
        why = why or "no draw of its chain is that far away"
    moved = _distance(begun, reached, sd)
    checks = [
        check("find_MAP = MAP-EM", apart, tolerance, reason),
        check("find_MAP moved", moved, 1.0, of_start, why, operator.ge),
    ]
    return checks, replace(best, **answer) if gain > LESSER else None


def is_lesser(apart: float, gain: float) -> bool:
    """Whether `find_MAP` ended in a lesser maximum: far from MAP-EM in posterior sd, and lower by nats."""
    return gain < -LESSER and bool(apart > ELSEWHERE)


def _in_order(answer: Point, draws: Draws, best: Any) -> Point:
    """Return PyMC's answer with its components in the order of ``best``; the posterior is the same in any order."""
    if not all(np.isfinite(array).all() for array in answer.values()):
        return answer
    ordered: Point = draws.in_order(replace(best, **answer)).arrays()
    return ordered


def _distance(one: Array, other: Array, sd: Array) -> float:
    """Return the root mean square distance in posterior sd."""
    return float(np.sqrt((in_sd(one, other, sd) ** 2).mean()))


def _starts(draws: dict[str, Array], log_posterior: Array, target: Array, sd: Array, family: Family) -> Iterator[Point]:
    """Yield starts: of each chain the first draw, then the best draw, at least one posterior sd from the target."""
    for ranked in (np.zeros_like(log_posterior), -log_posterior):
        for chain, order in enumerate(ranked.argsort(axis=1, kind="stable")):
            for s in order:
                start = {name: array[chain, s] for name, array in draws.items()}
                if _distance(distinct_entries(start, family), target, sd) >= 1:
                    break
            yield start
