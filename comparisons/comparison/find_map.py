"""PyMC looks for the mode from posterior draws, and what it finds is held to MAP-EM."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from comparisons.comparison import checks
from comparisons.comparison.checks import Check
from comparisons.comparison.density_checks import Densities
from comparisons.comparison.draws import Draws
from comparisons.comparison.estimates import distinct_entries
from comparisons.comparison.extremes import rounding_of_prior
from comparisons.comparison.fits import Fits
from comparisons.family import PRECISE, Family, Point
from em.status import left_to_the_status
from models.validation import Array


def find_map_checks(fits: Fits, draws: Draws, densities: Densities) -> list[Check]:
    """Return whether `find_MAP` arrives at MAP-EM, and whether it moved.

    An optimiser that starts from a draw may end in a lesser maximum, and says nothing. So each chain offers a start in
    turn, first an early draw and then its best one, until one leads to MAP-EM's answer or to a better one. Where all
    end lower and elsewhere, MAP-EM goes on from the last of these places, and must stay: it is a lesser maximum then.

    Parameters
    ----------
    fits, draws, densities
        EM's answers, the posterior, and the compiled models.
    """
    from comparisons.posterior import FIND_MAP_FTOL, find_map

    family, best = fits.family, draws.in_order(fits.map.parameters_)
    target, objective = distinct_entries(dict(best.arrays()), family), fits.map.objective_
    values = {str(name): array.to_numpy() for name, array in draws.aligned.data_vars.items()}
    sd = distinct_entries({name: array.std(axis=(0, 1)) for name, array in values.items()}, family)
    lesser, rounding = True, rounding_of_prior(fits)
    model, into, back = family.for_search(densities.precise, fits.X, fits.n_components, fits.prior)
    for start in _starts(values, draws.pointwise.sum(axis=-1) + draws.log_prior, target, sd, family):
        answer = back(find_map(model, into(start)))
        pointwise, log_prior = densities.marginal_density.at(answer)
        reached = distinct_entries(answer, family)
        gain = float(pointwise.sum()) + log_prior - objective
        check = checks.find_map_matches(target, reached, sd, objective, gain, FIND_MAP_FTOL, rounding=rounding)
        lesser &= checks.is_lesser(target, reached, sd, gain)
        if check.passed or gain > checks.LESSER:
            break
    if lesser:
        with left_to_the_status():
            there = fits.estimator(prior=fits.prior, init=replace(best, **answer), **PRECISE).fit(fits.X).parameters_
        stays = distinct_entries(dict(there.arrays()), family)
        check = checks.find_map_matches(stays, reached, sd, objective, gain, FIND_MAP_FTOL, lesser, rounding)
    return [check, checks.find_map_moved(distinct_entries(start, family), reached, sd, not lesser)]


def _starts(draws: dict[str, Array], log_posterior: Array, target: Array, sd: Array, family: Family) -> Iterator[Point]:
    """Yield a draw of each chain at least one posterior sd from the target, the first ones, then the best ones."""
    for ranked in (np.zeros_like(log_posterior), -log_posterior):
        for chain, order in enumerate(ranked.argsort(axis=1, kind="stable")):
            for s in order:
                start = {name: array[chain, s] for name, array in draws.items()}
                if checks.distance_in_sd(distinct_entries(start, family), target, sd) >= 1:
                    break
            yield start
