"""Check estimates against the posterior: MLE, MAP, responsibilities and truth; and chains against each other."""

import operator
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.stats import chi2

from comparisons.alignment.mixing import MAX_RHAT, MIN_ESS, extremes, label_free
from comparisons.alignment.responsibilities import log_joint, row_blocks
from comparisons.comparison.checks import ROUNDING, Check, check, in_sd
from comparisons.comparison.draws import Draws
from comparisons.comparison.estimates import single
from comparisons.comparison.fits import Fits
from em.bound import normalise
from models.shown import counted
from models.validation import Array

THINNED = 200
BEATEN = "no draw beats the"  # MLE or MAP
FAR_MOVED = 2  # posterior sd from MLE to MAP; see `why_moved`
ENOUGH_SAMPLES = 20  # labelled samples in the smallest component; see `why_shown`


def posterior_checks(
    fits: Fits, draws: Draws, estimates: list[dict[str, Any]], responsibilities: dict[str, Array]
) -> list[Check]:
    """Compare MLE, MAP, responsibilities and truth with the posterior, and the chains with each other.

    Parameters
    ----------
    fits, draws
        EM's estimates, and the posterior.
    estimates : list of dict
        From :func:`comparisons.comparison.estimates.estimates_of`.
    responsibilities : dict of ndarray
        From :func:`averaged_responsibilities`.
    """
    log_likelihood = draws.pointwise.sum(axis=-1)
    log_posterior, whole = log_likelihood + draws.log_prior, fits.identified and fits.has_maximum
    shown, diverging = why_shown(fits), draws.posterior["sample_stats"]["diverging"].to_numpy()
    reason = "share of all draws; if it is larger, try target_accept = 0.9"
    made = [check("divergent transitions", diverging.mean(), 0.01, reason, "a few need not bias the estimates")]
    maxima = [("MLE", log_likelihood, fits.mle.log_likelihood_), ("MAP", log_posterior, fits.map.objective_)]
    reason = "log density of the best draw minus that of the estimate, in nats; rounding, because that is the maximum"
    for name, of_draws, best in maxima[not fits.has_maximum :]:
        gain, rounding = of_draws.max() - best, ROUNDING * max(1.0, abs(best))
        made.append(check(f"{BEATEN} {name}", gain, rounding, reason))
    made += _mixed(label_free(draws.unaligned, log_likelihood), "label-free", "")
    of_parameters = _mixed(draws.aligned, "aligned parameters", shown)
    made += of_parameters
    if any(check.passed is False for check in of_parameters):
        shown = "the chains have not mixed"
    made += near_posterior_mean(fits, estimates, extremes(draws.aligned)[1], ["mle", "map"][not whole :], shown)
    made.append(near_average(fits, estimates, responsibilities, shown))
    if fits.truth is not None and whole:
        made.append(_truth(fits, draws))
    return made if fits.identified else [*made, _identified_quantity(fits, draws)]


def why_shown(fits: Fits) -> str:
    """Return why distances between estimates and posterior are shown but not judged; "" if they are judged.

    They are judged if the posterior is nearly normal: the parameters are identified, the likelihood has a maximum, and
    the data are worth enough labelled samples in the smallest component (`Fits.labelled`). The MLE's distance is judged
    only if no estimate is on the boundary. ``python -m benchmarks.judged`` counts false alarms.
    """
    if not fits.identified:
        return "the parameters are not identified"
    if not fits.has_maximum:
        return "the likelihood has no maximum"
    if (count := _labelled_in_smallest(fits)) < ENOUGH_SAMPLES:
        worth = counted(int(count), "labelled sample")
        return f"the smallest component is worth {worth}; {ENOUGH_SAMPLES} are needed"
    return ""


def _mixed(quantities: Mapping[Any, Any], what: str, shown: str) -> list[Check]:
    """Return checks that the chains mixed: R-hat and bulk ESS of a set of quantities (Vehtari et al. 2021)."""
    rhat, ess = extremes(quantities)
    of_rhat = "largest rank-normalised split R-hat (Vehtari et al. 2021)"
    of_ess = "smallest bulk effective sample size (Vehtari et al. 2021)"
    return [
        check(f"R-hat, {what}", rhat, MAX_RHAT, of_rhat, shown),
        check(f"ESS, {what}", ess, MIN_ESS, of_ess, shown, operator.ge),
    ]


def near_posterior_mean(
    fits: Fits, estimates: list[dict[str, Any]], ess: float, which: list[str], shown: str
) -> Iterator[Check]:
    """Yield checks that estimates lie as near to the posterior mean as theory predicts.

    The allowed distance has three parts. With known labels it is the conjugate K = 1 gap of each parameter, for as many
    labelled samples as the data are worth. Unknown labels add terms of the order 1 / sqrt(N_k), since the skewness of a
    posterior moves its mean from its mode; two of them are allowed. The draws add Monte Carlo error.

    Near an end of its range a posterior is skewed like a Gamma of shape (distance / sd)², whatever N_k is; the skewness
    is 2 / sqrt(shape). So N_k is replaced by this shape where that is smaller.
    """
    rows = [row for row in estimates if row["sd"] > 0]  # the weight of a single component does not vary
    N = np.maximum(1.0, np.minimum(_labelled_in_smallest(fits), _events(fits, estimates)))
    allowed = 2 / np.sqrt(N) + 4 / np.sqrt(ess)
    on_edge = why_on_edge(fits, fits.mle.parameters_)
    for key in which:
        why = shown or (on_edge or why_moved(estimates) if key == "mle" else "")
        gaps, conjugate = (np.array([row[f"{key}_gap_{of}"] for row in rows]) for of in ("sd", "conjugate"))
        excess = np.abs(gaps) - conjugate
        worst = int(np.argmax((excess - allowed).round(9)))  # two weights have equal gaps: rounded, the first is taken
        gap, explained = abs(gaps[worst]), conjugate[worst]
        reason = (
            f"largest gap in posterior sd beyond that with known labels: {rows[worst]['parameter']}, {gap:.2f} "
            f"against {explained:.2f}; allowed 2/sqrt(N_k) at N_k = {N[worst]:.0f}, the labelled samples that the data "
            "are worth in the smallest component, or (distance / sd)^2 from the end of a range if that is less, plus 4 "
            "Monte Carlo errors"
        )
        yield check(f"{key.upper()} near posterior mean", excess[worst], allowed[worst], reason, why)


def _events(fits: Fits, estimates: list[dict[str, Any]]) -> Array:
    """Return (distance / sd)² of each posterior mean from the nearest end of its range; infinity without an end.

    Parameters that do not vary are left out.
    """
    arrays = fits.reference.arrays()
    supports = [q.support for q in fits.family.quantities for _ in q.support.distinct_entries(arrays[q.name].shape)]
    low, high = (np.array([getattr(support, end) for support in supports]) for end in ("least", "most"))
    mean, sd = (np.array([row[name] for row in estimates]) for name in ("mean", "sd"))
    return ((np.minimum(mean - low, high - mean)[sd > 0] / sd[sd > 0]) ** 2).astype(np.float64)


def near_average(fits: Fits, estimates: list[dict[str, Any]], responsibilities: dict[str, Array], shown: str) -> Check:
    """Return a check that EM's responsibilities lie as near to the posterior's as theory predicts.

    The allowed distance is one posterior sd, or the largest conjugate K = 1 gap of a parameter if that is more (as for
    rates near 0), plus two terms of the order 1 / sqrt(N_k), as for the estimates.
    """
    plug_in, mean, sd = responsibilities.values()
    gap, width = np.sqrt(((plug_in - mean) ** 2).mean()), np.sqrt((sd**2).mean())
    N, of = max(1.0, _labelled_in_smallest(fits)), "mle" if fits.has_maximum else "map"
    explained = max(1.0, *(row[f"{of}_gap_conjugate"] for row in estimates if row["sd"] > 0))
    reason = (
        f"root mean square difference; the root mean square posterior sd of the responsibilities is {width:.2g}, "
        f"allowed {explained:.2g} and 2/sqrt(N_k) of it at N_k = {N:.0f}"
    )
    why = shown or why_on_edge(fits, fits.reference) or why_moved(estimates)
    name = "plug-in responsibilities near posterior average"
    return check(name, gap, width * (explained + 2 / np.sqrt(N)), reason, why)


def _labelled_in_smallest(fits: Fits) -> float:
    """Return N_k, the number of labelled samples that the data are worth in the smallest component of MLE and MAP.

    The MAP is included because a prior far from the data may empty a component.
    """
    return float(min(fits.reference.weights.min(), fits.map.parameters_.weights.min()) * fits.labelled)


def why_moved(estimates: list[dict[str, Any]]) -> str:
    """Return why the MLE's distance from the posterior mean is not judged: the prior moves an estimate too far; or "".

    The MAP shows how far the prior moves it; the conjugate K = 1 gap shows it to first order. A shift by s posterior sd
    changes curvatures by a relative s / sqrt(N_k), and adds about s² / (2 sqrt(N_k)) to the first order. For s <= 2
    this is at most the allowed 2 / sqrt(N_k).
    """
    rows = [row for row in estimates if row["mle_gap_sd"] is not None]
    moved = [max(abs(row["mle_gap_sd"] - row["map_gap_sd"]), row["mle_gap_conjugate"]) for row in rows]
    if (furthest := max(moved, default=0.0)) <= FAR_MOVED:
        return ""
    return f"the prior moves an estimate by {furthest:.3g} posterior sd; the check is for at most {FAR_MOVED}"


def why_on_edge(fits: Fits, parameters: Any) -> str:
    """Return why parameters are not compared with the posterior mean: one, not a weight, is on its boundary; or ""."""
    bounded, values = [q for q in fits.family.quantities[1:] if q.support.edges], parameters.arrays()
    on_edge = any(q.support.at_edge(values[q.name]).any() for q in bounded)
    return "an estimate is on the boundary, and a posterior mean never is" if on_edge else ""


def _truth(fits: Fits, draws: Draws) -> Check:
    """Return a check that the truth is plausible under the posterior, by the squared Mahalanobis distance."""
    truth = fits.family.unconstrained(single(draws.in_order(fits.truth)))[0]
    values = fits.family.unconstrained(draws.stacked)
    gap, quantile = truth - values.mean(axis=0), chi2.ppf(0.999, len(truth))
    distance = gap @ np.linalg.solve(np.atleast_2d(np.cov(values, rowvar=False)), gap)
    what = "squared Mahalanobis distance on the unconstrained scale"
    reason = f"{what}; chi-square 0.999 quantile, {len(truth)} degrees"
    return check("truth within the posterior", distance, quantile, reason)


def _identified_quantity(fits: Fits, draws: Draws) -> Check:
    """Return a check of the mean of a sample, Σ_k π_k p_k, which is identified even if the parameters are not.

    The prior moves this mean: by pseudo / n of its distance to the mean of the prior's pseudo-samples, where n is the
    number of samples of the feature observed least often. It may also shift weight between components, by pseudo / n of
    their distance from the mean.

    The check is judged only for families whose probs are the mean of a component. Means of Gaussian components also
    move with weights and missing cells; in other families the sum is not identified.
    """
    family, n, located = fits.family, int((~np.isnan(fits.X)).sum(axis=0).min()), fits.family.parameter_names[1]
    of_draws, estimate = family.mean_response(draws.stacked), family.mean_response(single(fits.mle.parameters_))[0]
    pseudo, prior_mean = family.prior_on_response(fits.prior, fits.X)
    pseudo, mean, sd = fits.n_components * pseudo, of_draws.mean(axis=0), of_draws.std(axis=0)
    _, ess = extremes({"mean_response": of_draws.reshape(*draws.log_prior.shape, -1)})
    apart = np.abs(draws.stacked[located] - of_draws[:, None]).max(axis=1).mean(axis=0)
    shift = pseudo / n * np.maximum(np.abs(prior_mean - estimate), apart) / sd
    gaps = in_sd(estimate, mean, sd)
    worst = int(np.argmax(gaps - shift))
    reason = (
        f"gap between MLE and posterior mean in posterior sd; the prior's {pseudo:g} pseudo-samples against n = {n} "
        f"explain {shift[worst]:.2g}, plus 4 Monte Carlo errors"
    )
    name, allowed = f"identified quantity sum_k weights_k {located}_k agrees", shift[worst] + 4 / np.sqrt(ess)
    judged = family.response_is_mean(fits.mle.parameters_)
    shown = "" if judged else f"{located} of components move with the weights"
    return check(name, gaps[worst], allowed, reason, shown)


def averaged_responsibilities(fits: Fits, draws: Draws) -> dict[str, Array]:
    """Return EM's responsibilities, and mean and sd of the posterior's over 200 draws, each (n, K)."""
    stacked = draws.stacked
    chosen = np.linspace(0, len(stacked["weights"]) - 1, THINNED).astype(int)
    some = {name: array[chosen] for name, array in stacked.items()}
    given = log_joint(fits.X, fits.family).given(some)
    shares = (normalise(given(rows).mT)[0] for rows in row_blocks(len(fits.X), THINNED * fits.n_components))
    mean, sd = map(np.concatenate, zip(*((p.mean(axis=0), p.std(axis=0)) for p in shares), strict=True))
    return {"em": fits.family.e_step(fits.X, fits.reference)[0], "posterior mean": mean, "posterior sd": sd}
