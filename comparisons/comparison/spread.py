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

from typing import Any

import arviz as az
import numpy as np

from comparisons.alignment import order_of
from comparisons.comparison.estimates import stack
from comparisons.comparison.result import Comparison
from comparisons.family import PRECISE
from em import NoMaximumWarning, NotIdentifiableWarning
from em.status import NotConvergedWarning, left_to_the_status
from em.variational import variational
from models.bmm import BMMPrior
from models.gmm import GMMPrior
from models.validation import Array

METHODS = {"mle": "MLE", "laplace": "Laplace", "mean_field": "mean field", "advi": "ADVI"}
BOUND, MOST_ERRORS = 0.9, 4.0
Table = dict[str, tuple[float, float]]


def spreads_of(found: Comparison, map_parameters: Any, advi: dict[str, Array] | None = None) -> list[dict[str, Any]]:
    """Return mean and standard deviation of each parameter by each method, and who understates NUTS's.

    Parameters
    ----------
    found : Comparison
        With its fits, its aligned posterior and its estimates.
    map_parameters : parameters
        MAP with the labels of the aligned draws.
    advi : dict of ndarray, shapes (S, ...), or None
        Draws from ADVI's normals.
    """
    tables: dict[str, Table] = {"laplace": _information(found, found.prior, map_parameters)}
    if found.has_maximum and found.identified:
        tables["mle"] = _information(found, None, found.mle.parameters_)
    conjugate = isinstance(found.prior, GMMPrior | BMMPrior)
    if conjugate and (found.family.name != "gmm" or not found.n_missing):
        tables["mean_field"] = _mean_field(found, map_parameters)
    if advi is not None:
        order = order_of({name: array.mean(axis=0) for name, array in advi.items()}, found.posterior)
        moments = [_permuted({n: moment(a) for n, a in advi.items()}, order, found) for moment in (_mean, _sd)]
        tables["advi"] = _entries(found, *moments)
    aligned = found.posterior["posterior"].to_dataset()
    with np.errstate(invalid="ignore", divide="ignore"):  # the weight of a single component does not vary
        errors = stack(az.mcse(aligned, method="sd").expand_dims(("chain", "draw")))
    of_errors = _entries(found, {name: array[0] for name, array in errors.items()})
    rows = []
    for row in found.estimates:
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


def _information(found: Comparison, prior: Any, parameters: Any) -> Table:
    """Return estimates and standard errors from the observed information at EM's answer next to these parameters."""
    settings = {"n_components": found.n_components, "init": parameters, **PRECISE}
    with left_to_the_status(NoMaximumWarning, NotIdentifiableWarning):  # verdicts of the comparison
        fit = found.family.estimator(prior=prior, **settings).fit(found.X)
    table = fit.uncertainty(found.X).table
    return {row["parameter"]: (row["estimate"], row["standard_error"]) for row in table}


def _mean_field(found: Comparison, map_parameters: Any) -> Table:
    n_trials = getattr(found.family, "n_trials", 1)
    start = found.family.e_step(found.X, map_parameters)[0]
    with left_to_the_status(NotConvergedWarning):  # its ELBO still rises a little
        q = variational(found.X, found.n_components, found.prior, n_trials=n_trials, init=start)
    medians = {name: np.median(drawn, axis=0) for name, drawn in q.draw(500, random_state=0).items()}
    order = order_of(medians, found.posterior)  # a mean need not exist
    return _entries(found, _permuted(q.mean, order, found), _permuted(q.standard_deviation, order, found))


def _entries(found: Comparison, *moments: dict[str, Array]) -> Table:
    """Return the distinct entries of means and standard deviations by name."""
    first = moments[0]
    return {
        f"{name}[{', '.join(map(str, index))}]": tuple(float(moment[name][index]) for moment in moments)  # type: ignore
        for name, values in first.items()
        for index in found.family.entries(name, values)
    }


def _permuted(arrays: dict[str, Array], order: np.ndarray, found: Comparison) -> dict[str, Array]:
    """Return arrays with their components in another order; what all components share stays."""
    dims = found.posterior["posterior"].to_dataset()
    return {name: array[order] if "component" in dims[name].dims else array for name, array in arrays.items()}


def _mean(draws: Array) -> Array:
    return np.asarray(draws.mean(axis=0))


def _sd(draws: Array) -> Array:
    return np.asarray(draws.std(axis=0))
