"""EM against the densities of the PyMC models: responsibilities, log-likelihood, log prior and stationarity."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from comparisons.comparison import checks
from comparisons.comparison.checks import Check
from comparisons.comparison.extremes import rounding_of_prior
from comparisons.comparison.fits import Fits
from models.supports import Support

KKT_STEP = 1e-6


class Densities:
    """The PyMC models (explicit z, marginal, marginal with flat priors), compiled.

    Parameters
    ----------
    fits : Fits
        The problem; without a maximum of the likelihood no flat model is built.
    """

    def __init__(self, fits: Fits) -> None:
        from comparisons.posterior.densities import JointDensity, MarginalDensity, UnconstrainedDensity

        family, given = fits.family, (fits.X, fits.n_components)
        self.marginal = family.build_marginal_model(*given, fits.prior)
        self.joint = JointDensity(family.build_model(*given, fits.prior))
        self.precise = family.build_marginal_model(*given, fits.prior, precise=True)
        self.marginal_density = MarginalDensity(self.precise)
        if fits.has_maximum:
            flat = family.build_marginal_model(*given, None, precise=True)
            self.flat = UnconstrainedDensity(flat, jacobian=False)


def density_checks(fits: Fits, densities: Densities) -> list[Check]:
    """Hold EM's responsibilities, log-likelihood, log prior and stationarity to PyMC's densities."""
    made = []
    for at, fit in [("MLE", fits.mle), ("MAP", fits.map)][not fits.has_maximum :]:
        point = fit.parameters_.arrays()
        em_responsibilities, em_log_likelihood = fits.family.e_step(fits.X, fit.parameters_)
        joint = densities.joint.responsibilities(point, len(fits.X), fits.n_components)
        made.append(checks.responsibilities_match_joint(em_responsibilities, joint, at))
        pointwise, log_prior = densities.marginal_density.at(point)
        made.append(checks.log_likelihood_matches(em_log_likelihood, pointwise, at))
        if at == "MAP":
            log_prob, rounding = fits.prior.log_prob(fit.parameters_), rounding_of_prior(fits)
            made.append(checks.log_prior_matches(log_prob, log_prior, at, rounding))
    return [*made, *_stationary(fits, densities)] if fits.has_maximum else made


def _stationary(fits: Fits, densities: Densities) -> Iterator[Check]:
    """Yield checks of interior quantities by the gradient, and of those on the boundary by one-sided slopes."""
    parameters = fits.mle.parameters_
    free = fits.family.free_coordinates(parameters)
    at = densities.flat.unconstrain(fits.family.inside(parameters))
    supports = {quantity.name: quantity.support for quantity in parameters.quantities}
    kept = densities.flat.mask({name: supports[name].coordinates(inside) for name, inside in free.items()})
    yield checks.mle_is_stationary(densities.flat.gradient(at)[kept], densities.flat.standard_errors(at, kept))
    slopes = [
        slope
        for name, inside in free.items()
        for slope in _inward_slopes(densities, parameters, name, supports[name], np.argwhere(~inside))
    ]
    if slopes:
        yield checks.boundary_points_outwards(np.array(slopes), fits.mle.log_likelihood_, KKT_STEP)


def _inward_slopes(
    densities: Densities, parameters: Any, name: str, support: Support, boundary: np.ndarray
) -> Iterator[float]:
    at, log_likelihood = dict(parameters.arrays()), densities.marginal_density.log_likelihood
    here = log_likelihood(at)
    for index in map(tuple, boundary):
        if (moved := support.stepped_inside(at[name], index, KKT_STEP)) is not None:
            yield (log_likelihood({**at, name: moved}) - here) / KKT_STEP
