"""How wide is the posterior, by every method at hand: one row per parameter, and a word on who understates it.

====================  ================================================================================
MLE                   standard error from the observed information (:mod:`em.uncertainty.louis`)
MAP                   Laplace's approximation: the same with the prior in it
mean field            q(z) q(θ) by coordinate ascent (:mod:`em.variational`), from MAP's responsibilities
ADVI                  independent normals on PyMC's unconstrained scale (`pymc.fit`), from MAP
NUTS                  the posterior itself, but for Monte Carlo error
====================  ================================================================================

A method understates the spread of a parameter where its standard deviation is below 0.9 times NUTS's, that one taken
four of its Monte Carlo standard errors too low. Mean field leaves out that labels and parameters depend on each other,
ADVI that parameters do; the other two are normal about a mode.
"""

from collections.abc import Callable
from typing import Any

import arviz as az
import numpy as np

from comparisons.alignment import order_of
from comparisons.comparison.density_checks import Densities
from comparisons.comparison.draws import Draws
from comparisons.comparison.estimates import stack
from comparisons.comparison.fits import Fits
from comparisons.family import PRECISE
from em import NoMaximumWarning, NotIdentifiableWarning
from em.status import NotConvergedWarning, left_to_the_status
from em.variational import variational
from models.validation import Array

METHODS = {"mle": "MLE", "laplace": "Laplace", "mean_field": "mean field", "advi": "ADVI"}
BOUND, MOST_ERRORS = 0.9, 4.0
ADVI_STEPS, ADVI_DRAWS = 2000, 4000
Table = dict[str, tuple[float, float]]


def by_advi(fits: Fits, draws: Draws, densities: Densities, advance_to: Callable[[int], None]) -> dict[str, Array]:
    """Return draws from ADVI's normals, begun at MAP."""
    from comparisons.posterior.advi import advi

    return advi(
        densities.marginal,
        fits.family.inside(draws.in_order(fits.map.parameters_)),
        steps=ADVI_STEPS,
        draws=ADVI_DRAWS,
        seed=fits.settings.random_state,
        progress=advance_to,
    )


def spreads_of(
    fits: Fits, draws: Draws, estimates: list[dict[str, Any]], advi: dict[str, Array] | None = None
) -> list[dict[str, Any]]:
    """Return mean and standard deviation of each parameter by each method, and who understates NUTS's.

    Parameters
    ----------
    fits, draws
        EM's answers, and the posterior.
    estimates : list of dict
        From :func:`comparisons.comparison.estimates.estimates_of`.
    advi : dict of ndarray, shapes (S, ...), or None
        Draws from ADVI's normals.
    """
    map_parameters = draws.in_order(fits.map.parameters_)
    tables: dict[str, Table] = {"laplace": _information(fits, fits.prior, map_parameters)}
    if fits.has_maximum and fits.identified:
        tables["mle"] = _information(fits, None, fits.mle.parameters_)
    if fits.conjugate:
        tables["mean_field"] = _mean_field(fits, draws, map_parameters)
    if advi is not None:
        order = order_of({name: array.mean(axis=0) for name, array in advi.items()}, draws.posterior)
        moments = [{n: moment(a, axis=0) for n, a in advi.items()} for moment in (np.mean, np.std)]
        tables["advi"] = _entries(fits, *(_permuted(moment, order, draws) for moment in moments))
    with np.errstate(invalid="ignore", divide="ignore"):  # the weight of a single component does not vary
        errors = stack(az.mcse(draws.aligned, method="sd").expand_dims(("chain", "draw")))
    of_errors = _entries(fits, {name: array[0] for name, array in errors.items()})
    rows = []
    for row in estimates:
        name, sd = row["parameter"], row["sd"]
        error = of_errors[name][0]
        least = BOUND * (sd - MOST_ERRORS * error)
        told = {"parameter": name, "nuts": row["mean"], "nuts_sd": sd, "nuts_sd_error": error}
        for method in METHODS:
            of_method = tables.get(method, {}).get(name, (np.nan, np.nan))
            told[method], told[f"{method}_sd"] = (None if np.isnan(moment) else moment for moment in of_method)
        told["understate"] = [m for m in METHODS if told[f"{m}_sd"] is not None and told[f"{m}_sd"] < least]
        rows.append(told)
    return rows


def summary(rows: list[dict[str, Any]]) -> str:
    """Return who understates the spread, in words."""
    sentences = []
    for method, name in METHODS.items():
        if all(row[f"{method}_sd"] is None for row in rows):
            continue
        low = [row for row in rows if method in row["understate"]]
        if not low:
            sentences.append(f"{name} nowhere")
            continue
        worst = min(low, key=lambda row: row[f"{method}_sd"] / row["nuts_sd"])
        ratio = worst[f"{method}_sd"] / worst["nuts_sd"]
        sentences.append(f"{name} in {len(low)} of {len(rows)} parameters (least: {ratio:.2f}, {worst['parameter']})")
    return f"sd below {BOUND} of the draws' beyond Monte Carlo error: {'; '.join(sentences)}"


def _information(fits: Fits, prior: Any, parameters: Any) -> Table:
    """Return estimates and standard errors from the observed information at EM's answer next to these parameters."""
    with left_to_the_status(NoMaximumWarning, NotIdentifiableWarning):  # verdicts of the comparison
        fit = fits.estimator(prior=prior, init=parameters, **PRECISE).fit(fits.X)
    table = fit.uncertainty(fits.X).table
    return {row["parameter"]: (row["estimate"], row["standard_error"]) for row in table}


def _mean_field(fits: Fits, draws: Draws, map_parameters: Any) -> Table:
    start = fits.family.e_step(fits.X, map_parameters)[0]
    with left_to_the_status(NotConvergedWarning):  # its ELBO still rises a little
        q = variational(fits.X, fits.n_components, fits.prior, init=start, **fits.family.of_data)
    medians = {name: np.median(drawn, axis=0) for name, drawn in q.draw(500, random_state=0).items()}
    order = order_of(medians, draws.posterior)  # a mean need not exist
    return _entries(fits, _permuted(q.mean, order, draws), _permuted(q.standard_deviation, order, draws))


def _entries(fits: Fits, *moments: dict[str, Array]) -> Table:
    """Return the distinct entries of means and standard deviations by name."""
    first = moments[0]
    return {
        f"{name}[{', '.join(map(str, index))}]": tuple(float(moment[name][index]) for moment in moments)  # type: ignore
        for name, values in first.items()
        for index in fits.family.entries(name, values)
    }


def _permuted(arrays: dict[str, Array], order: np.ndarray, draws: Draws) -> dict[str, Array]:
    """Return arrays with their components in another order; what all components share stays."""
    dims = draws.aligned
    return {name: array[order] if "component" in dims[name].dims else array for name, array in arrays.items()}
