"""Compare posterior standard deviations of five methods, parameter by parameter, and name those that understate them.

====================  ================================================================================
MLE                   standard error from the observed information (:mod:`em.uncertainty.louis`)
Laplace               the same at the MAP, with the information of the prior added
mean field            q(z) q(θ) by coordinate ascent (:mod:`em.variational`), from MAP's responsibilities
ADVI                  independent normals on PyMC's unconstrained scale (`pymc.fit`), from the MAP
NUTS                  the posterior itself, up to Monte Carlo error
====================  ================================================================================

A method understates the spread of a parameter if its standard deviation is below 0.9 times NUTS's, after NUTS's was
lowered by four of its Monte Carlo standard errors. Mean field ignores the dependence between labels and parameters,
ADVI the dependence between parameters. MLE and Laplace assume a normal posterior around a mode.
"""

from collections.abc import Callable
from typing import Any

import arviz as az
import numpy as np

from comparisons.alignment import order_of
from comparisons.comparison.density_checks import Densities
from comparisons.comparison.draws import Draws
from comparisons.comparison.estimates import distinct_entries
from comparisons.comparison.fits import Fits
from comparisons.family import PRECISE, Point
from em import NoMaximumWarning, NotIdentifiableWarning
from em.status import NotConvergedWarning, left_to_the_status
from em.variational import variational
from models.tables import rows_of
from models.validation import Array

METHODS = {"mle": "MLE", "laplace": "Laplace", "mean_field": "mean field", "advi": "ADVI"}
BOUND, MOST_ERRORS = 0.9, 4.0
ADVI_STEPS, ADVI_DRAWS = 2000, 4000
Moments = tuple[Array, Array]  # mean and standard deviation of each distinct parameter


def by_advi(fits: Fits, draws: Draws, densities: Densities, advance_to: Callable[[int, int], None]) -> Point:
    """Return draws from the normals of ADVI, started at the MAP."""
    from comparisons.posterior.advi import advi

    sizes: dict[str, Any] = {"steps": ADVI_STEPS, "draws": ADVI_DRAWS, "density": densities.unconstrained}
    mode = draws.in_order(fits.map.parameters_).inside()
    return advi(densities.marginal, mode, **sizes, seed=fits.settings.random_state, progress=advance_to)


def spreads_of(
    fits: Fits, draws: Draws, estimates: list[dict[str, Any]], advi: Point | None = None
) -> list[dict[str, Any]]:
    """Return mean and standard deviation of each parameter by each method, and the methods that understate NUTS's.

    Parameters
    ----------
    fits, draws
        EM's estimates, and the posterior.
    estimates : list of dict
        From :func:`comparisons.comparison.estimates.estimates_of`.
    advi : dict of ndarray, shapes (S, ...), or None
        Draws from ADVI's normals.
    """
    names, mean, sd = (np.array([row[name] for row in estimates]) for name in ("parameter", "mean", "sd"))
    with np.errstate(invalid="ignore", divide="ignore"):  # the weight of a single component does not vary
        error = distinct_entries(az.mcse(draws.aligned, method="sd"), fits.family)
    mode = draws.in_order(fits.map.parameters_)
    by_method: dict[str, Moments] = dict.fromkeys(METHODS, (np.nan * mean, np.nan * mean))
    by_method["laplace"] = _laplace(fits, mode)
    if fits.has_maximum and fits.identified:
        by_method["mle"] = fits.errors_of_mle.estimates, fits.errors_of_mle.standard_errors
    if fits.conjugate:
        by_method["mean_field"] = _mean_field(fits, draws, mode)
    if advi is not None:
        centre, spread = ({name: moment(a, axis=0) for name, a in advi.items()} for moment in (np.mean, np.std))
        by_method["advi"] = _aligned(fits, draws, centre, centre, spread)
    columns = {"parameter": names, "nuts": mean, "nuts_sd": sd, "nuts_sd_error": error}
    for method, (of_mean, of_sd) in by_method.items():
        columns |= {method: of_mean, f"{method}_sd": of_sd}
    small = {method: of_sd < BOUND * (sd - MOST_ERRORS * error) for method, (_, of_sd) in by_method.items()}
    return [
        row | {"understate": [method for method in METHODS if small[method][j]]}
        for j, row in enumerate(rows_of(columns, unknown=None))
    ]


def summary(rows: list[dict[str, Any]]) -> str:
    """Return a sentence on the methods that understate the spread."""
    sentences = []
    for method, name in METHODS.items():
        if low := [row for row in rows if method in row["understate"]]:
            ratio, worst = min((row[f"{method}_sd"] / row["nuts_sd"], row["parameter"]) for row in low)
            sentences.append(f"{name} in {len(low)} of {len(rows)} parameters (least: {ratio:.2f}, {worst})")
        elif any(row[f"{method}_sd"] is not None for row in rows):
            sentences.append(f"{name} nowhere")
    return f"sd below {BOUND} of the draws' beyond Monte Carlo error: {'; '.join(sentences)}"


def _laplace(fits: Fits, mode: Any) -> Moments:
    """Return the MAP and its standard errors, with the prior's information; components in the order of ``mode``."""
    with left_to_the_status(NoMaximumWarning, NotIdentifiableWarning):  # they are verdicts of the comparison
        fit = fits.fit_by_em(prior=fits.prior, init=mode, **PRECISE)
    table = fit.uncertainty(fits.named_samples)
    return table.estimates, table.standard_errors


def _mean_field(fits: Fits, draws: Draws, mode: Any) -> Moments:
    start = fits.family.e_step(fits.X, mode)[0]
    with left_to_the_status(NotConvergedWarning):  # the ELBO may still rise a little
        q = variational(fits.X, fits.n_components, fits.prior, init=start, **fits.family.of_conjugate)
    medians = {name: np.median(drawn, axis=0) for name, drawn in q.draw(500, random_state=0).items()}
    return _aligned(fits, draws, medians, q.mean, q.standard_deviation)  # aligned by medians, as a mean may not exist


def _aligned(fits: Fits, draws: Draws, centre: Point, mean: Point, sd: Point) -> Moments:
    """Return the distinct entries of moments, with components in the order that matches ``centre`` with the draws."""
    order, quantities = order_of(centre, draws.posterior), fits.family.quantities
    mean, sd = ({q.name: m[q.name] if q.shared else m[q.name][order] for q in quantities} for m in (mean, sd))
    return distinct_entries(mean, fits.family), distinct_entries(sd, fits.family)
