"""The posterior against the estimates: MLE, MAP, responsibilities and truth, and the chains against each other."""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from comparisons.alignment.mixing import extremes, label_free
from comparisons.comparison import checks
from comparisons.comparison.checks import Check
from comparisons.comparison.draws import Draws
from comparisons.comparison.estimates import single
from comparisons.comparison.fits import Fits
from models.validation import Array

THINNED = 200


def posterior_checks(
    fits: Fits, draws: Draws, estimates: list[dict[str, Any]], responsibilities: dict[str, Array]
) -> list[Check]:
    """Hold MLE, MAP, responsibilities and truth to the posterior, and the chains to each other.

    Parameters
    ----------
    fits, draws
        EM's answers, and the posterior.
    estimates : list of dict
        From :func:`comparisons.comparison.estimates.estimates_of`.
    responsibilities : dict of ndarray
        From :func:`averaged_responsibilities`.
    """
    log_likelihood, stacked = draws.pointwise.sum(axis=-1), draws.stacked
    log_posterior = log_likelihood + draws.log_prior
    whole = fits.identified and fits.has_maximum
    regular = fits.regular and whole
    plug_in, mean, sd = (responsibilities[name] for name in ("em", "posterior mean", "posterior sd"))
    made = [checks.few_divergences(draws.posterior["sample_stats"]["diverging"].to_numpy())]
    if fits.has_maximum:
        made.append(checks.no_draw_exceeds("no draw beats the MLE", log_likelihood, fits.mle.log_likelihood_))
    made.append(checks.no_draw_exceeds("no draw beats the MAP", log_posterior, fits.map.objective_))
    made += checks.chains_mixed(label_free(draws.unaligned, log_likelihood), "label-free", True)
    made += checks.chains_mixed(draws.aligned, "aligned parameters", regular)
    _, ess = extremes(draws.aligned)
    rows = [row for row in estimates if row["sd"] > 0]  # the weight of a single component does not vary
    for key, name in [("mle", "MLE"), ("map", "MAP")][not whole :]:
        check = checks.near_posterior_mean(
            name,
            np.array([row[f"{key}_gap_sd"] for row in rows]),
            np.array([row[f"{key}_gap_conjugate"] for row in rows]),
            [row["parameter"] for row in rows],
            smallest_count=max(1.0, fits.reference.weights.min() * len(fits.X)),
            ess=ess,
            judged=regular,
        )
        made.append(check)
    made.append(checks.responsibilities_near_average(plug_in, mean, sd, judged=regular))
    if fits.truth is not None and whole:
        truth = fits.family.unconstrained(single(draws.in_order(fits.truth)))[0]
        made.append(checks.truth_within_posterior(truth, fits.family.unconstrained(stacked)))
    return made if fits.identified else [*made, _identified_quantity(fits, stacked, log_posterior.shape)]


def _identified_quantity(fits: Fits, stacked: dict[str, Array], sizes: tuple[int, ...]) -> Check:
    """Hold the estimate of what a mixture that is not identified does identify to the posterior's."""
    family, n = fits.family, len(fits.X)
    of_draws = family.mean_response(stacked)
    estimate = family.mean_response(single(fits.mle.parameters_))[0]
    pseudo, prior_mean = family.prior_on_response(fits.prior, fits.X)
    identified = xr.Dataset({"mean_response": (("chain", "draw", "feature"), of_draws.reshape(*sizes, -1))})
    _, ess = extremes(identified)
    located, pseudo = family.parameter_names[1], fits.n_components * pseudo
    return checks.identified_quantity_agrees(located, estimate, of_draws, n, pseudo, prior_mean, ess)


def averaged_responsibilities(fits: Fits, draws: Draws) -> dict[str, Array]:
    """Return EM's responsibilities, and mean and sd of the posterior's over 200 draws, each (n, K)."""
    plug_in, stacked = fits.family.e_step(fits.X, fits.reference)[0], draws.stacked
    total, squares = np.zeros_like(plug_in), np.zeros_like(plug_in)
    for s in np.linspace(0, len(stacked["weights"]) - 1, THINNED).astype(int):
        parameters = replace(fits.reference, **{name: array[s] for name, array in stacked.items()})
        responsibilities = fits.family.e_step(fits.X, parameters)[0]
        total += responsibilities
        squares += responsibilities**2
    mean = total / THINNED
    sd = np.sqrt(np.maximum(squares / THINNED - mean**2, 0))
    return {"em": plug_in, "posterior mean": mean, "posterior sd": sd}
