"""PyMC looks for the mode from posterior draws, and what it finds is held to MAP-EM."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from comparisons.comparison import checks as metrics
from comparisons.comparison.checks import Check
from comparisons.comparison.estimates import distinct_entries
from comparisons.comparison.extremes import rounding_of_prior
from comparisons.comparison.result import Comparison
from comparisons.family import PRECISE, Point
from em.status import left_to_the_status
from models.validation import Array


def find_map_checks(
    found: Comparison, map_parameters: Any, model: Any, density: Any, log_posterior: Array
) -> list[Check]:
    """Return whether `find_MAP` arrives at MAP-EM, and whether it moved.

    An optimiser that starts from a draw may end in a lesser maximum, and says nothing. So each chain offers a start in
    turn, first an early draw and then its best one, until one leads to MAP-EM's answer or to a better one. Where all
    end lower and elsewhere, MAP-EM goes on from the last of these places, and must stay: it is a lesser maximum then.

    Parameters
    ----------
    found : Comparison
        With its aligned draws.
    map_parameters : parameters
        MAP-EM's answer, its components in the order of the draws.
    model : pymc.Model
        The marginal model.
    density : MarginalDensity
        Of that model.
    log_posterior : ndarray, shape (chain, draw)
        Of the draws, with no Jacobian.
    """
    from comparisons.posterior import FIND_MAP_FTOL, find_map

    family, target = found.family, distinct_entries(dict(map_parameters.arrays()), found.family)
    draws = {str(name): array.to_numpy() for name, array in found.posterior["posterior"].data_vars.items()}
    sd = distinct_entries({name: array.std(axis=(0, 1)) for name, array in draws.items()}, family)
    lesser, rounding = True, rounding_of_prior(found)
    model, into, back = family.for_search(model, found.X, found.n_components, found.prior)
    for start in _starts(draws, log_posterior, target, sd, found):
        answer = back(find_map(model, into(start)))
        pointwise, log_prior = density.at(answer)
        reached = distinct_entries(answer, family)
        gain = float(pointwise.sum()) + log_prior - found.map.objective_
        check = metrics.find_map_matches(
            target, reached, sd, found.map.objective_, gain, FIND_MAP_FTOL, rounding=rounding
        )
        lesser &= metrics.is_lesser(target, reached, sd, gain)
        if check.passed or gain > metrics.LESSER:
            break
    if lesser:
        settings = {"n_components": found.n_components, "prior": found.prior, **PRECISE}
        with left_to_the_status():
            there = family.estimator(init=replace(map_parameters, **answer), **settings).fit(found.X).parameters_
        stays = distinct_entries(dict(there.arrays()), family)
        check = metrics.find_map_matches(
            stays, reached, sd, found.map.objective_, gain, FIND_MAP_FTOL, lesser, rounding
        )
    return [check, metrics.find_map_moved(distinct_entries(start, family), reached, sd, not lesser)]


def _starts(
    draws: dict[str, Array], log_posterior: Array, target: Array, sd: Array, found: Comparison
) -> Iterator[Point]:
    """Yield a draw of each chain at least one posterior sd from the target, the first ones, then the best ones."""
    for ranked in (np.zeros_like(log_posterior), -log_posterior):
        for chain, order in enumerate(ranked.argsort(axis=1, kind="stable")):
            for s in order:
                start = {name: array[chain, s] for name, array in draws.items()}
                if metrics.distance_in_sd(distinct_entries(start, found.family), target, sd) >= 1:
                    break
            yield start
