"""The checks: each a number, a tolerance, where that tolerance comes from, and whether it passed.

Checks are pure functions of arrays that EM and PyMC computed apart from each other. `passed` is None where a number is
reported but not judged.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import chi2

from comparisons.alignment.mixing import MAX_RHAT, MIN_ESS, extremes
from models.validation import Array

ROUNDING = 1e-11


@dataclass(frozen=True)
class Check:
    """One line of the verdict.

    Attributes
    ----------
    name : str
        What is claimed.
    value, tolerance : float
        What was found and what it is held to.
    reason : str
        Unit of the value and origin of the tolerance.
    passed : bool or None
        None when the number is reported but not judged.
    """

    name: str
    value: float
    tolerance: float
    reason: str
    passed: bool | None

    def as_dict(self) -> dict[str, Any]:
        """Return the check as plain values for JSON; a number that is not finite becomes null."""
        return {key: None if isinstance(v, float) and not np.isfinite(v) else v for key, v in asdict(self).items()}


def at_most(name: str, value: float, tolerance: float, reason: str, judged: bool = True) -> Check:
    """Return a check that ``value`` is at most ``tolerance``; NaN fails."""
    return Check(name, float(value), float(tolerance), reason, bool(value <= tolerance) if judged else None)


def at_least(name: str, value: float, tolerance: float, reason: str, judged: bool = True) -> Check:
    """Return a check that ``value`` is at least ``tolerance``; NaN fails."""
    return Check(name, float(value), float(tolerance), reason, bool(value >= tolerance) if judged else None)


def _in_sd(difference: Array, sd: Array) -> Array:
    """Return distances in posterior sd of the quantities that vary; the weight of a single component does not."""
    return np.abs(difference[sd > 0]) / sd[sd > 0]


# EM against the density of the PyMC models ---------------------------------------------------------------------------


def responsibilities_match_joint(em: Array, joint: Array, at: str) -> Check:
    """Compare EM's responsibilities with p(z | x) taken from the explicit-z model's joint density."""
    return at_most(
        f"responsibilities = p(z|x) at {at}",
        np.abs(em - joint).max(),
        1e-9,
        "largest difference; rounding of log densities of up to 1e4 nats is 1e-12, times a condition number of 1e3",
    )


def log_likelihood_matches(em: float, pointwise: Array, at: str) -> Check:
    """Compare EM's log-likelihood with the marginal PyMC model's."""
    return at_most(
        f"log-likelihood matches at {at}",
        abs(em - pointwise.sum()),
        ROUNDING * max(1.0, np.abs(pointwise).sum()),
        "difference in nats; rounding, 1e-11 of the sum of absolute terms",
    )


def log_prior_matches(em: float, pymc: float, at: str, rounding: float = 0.0) -> Check:
    """Compare the prior object's log density with the PyMC model's prior part, which has so much ``rounding``."""
    return at_most(
        f"log prior matches at {at}",
        abs(em - pymc),
        max(ROUNDING * max(1.0, abs(pymc)) * 10, rounding),
        "difference in nats; rounding, 1e-10 of its size, or that of its log gamma functions",
    )


def mle_is_stationary(gradient: Array, standard_errors: Array) -> Check:
    """The gradient of PyMC's marginal log-likelihood under flat priors vanishes at EM's MLE."""
    usable = np.isfinite(standard_errors) & (standard_errors > 0)
    return at_most(
        "MLE is stationary",
        np.abs(gradient * standard_errors).max(initial=0.0) if usable.all() else np.nan,
        1e-5,
        "largest |gradient| x standard error in nats (unconstrained scale); EM stopped 1e-12 nats from its limit, "
        "which leaves sqrt(2e-12) = 1.4e-6 of a standard error",
    )


def boundary_points_outwards(slopes: Array, log_likelihood: float, step: float) -> Check:
    """Karush-Kuhn-Tucker at probs of exactly 0 or 1: moving inwards does not raise the log-likelihood."""
    return at_most(
        "boundary estimates cannot move inwards",
        max(slopes.max(), 0.0),
        ROUNDING * abs(log_likelihood) / step,
        f"largest one-sided slope in nats over {len(slopes)} boundary probs; rounding of the log-likelihood over a "
        f"step of {step:g}",
    )


LESSER, ELSEWHERE = 1e-6, 0.1  # nats and posterior sd between two maxima that are not one


def is_lesser(em: Array, reached: Array, sd: Array, gain: float) -> bool:
    """Whether `find_MAP` ended elsewhere than MAP-EM, and lower: in a lesser maximum, if it is one."""
    return gain < -LESSER and bool(_in_sd(em - reached, sd).max() > ELSEWHERE)


def find_map_matches(
    em: Array,
    reached: Array,
    sd: Array,
    objective: float,
    gain: float,
    ftol: float,
    lesser: bool = False,
    rounding: float = 0.0,
) -> Check:
    """`find_MAP` and MAP-EM give the same answer.

    L-BFGS stops when a step changes the objective by less than ``ftol`` of it, or than its ``rounding`` in nats; a gain
    of g nats is sqrt(2 g) sd.
    ``gain`` is how far the objective at PyMC's answer lies above MAP-EM's. Where `find_MAP` ended ``lesser`` and
    elsewhere from every start, ``em`` is where MAP-EM ends that starts there.
    """
    stop = np.sqrt(2 * max(ftol * abs(objective), rounding))
    note = f"; PyMC's maximum is {gain:.3g} nats better than EM's: more restarts are needed" if gain > LESSER else ""
    if lesser:
        note = (
            f"; PyMC ends lower from every start, the last time by {-gain:.3g} nats: MAP-EM started there is compared"
        )
    return at_most(
        "find_MAP = MAP-EM",
        _in_sd(em - reached, sd).max(),
        max(1e-5, 4 * stop),
        "largest difference in posterior sd over every declared quantity; 1e-5, or four times the "
        f"sqrt(2 x {ftol:g} x |objective|) = {stop:.1g} sd at which the optimiser stops{note}",
    )


def distance_in_sd(one: Array, other: Array, sd: Array) -> float:
    """Return the root mean square distance in posterior sd over the quantities that vary."""
    return float(np.sqrt((_in_sd(one - other, sd) ** 2).mean()))


def find_map_moved(start: Array, reached: Array, sd: Array, judged: bool) -> Check:
    """`find_MAP` did not just return its start."""
    return at_least(
        "find_MAP moved",
        distance_in_sd(start, reached, sd),
        1.0,
        "root mean square distance from its start in posterior sd; the start was chosen at least 1 away",
        judged,
    )


# The posterior around the estimates -----------------------------------------------------------------------------------


def no_draw_exceeds(name: str, of_draws: Array, of_estimate: float, judged: bool = True) -> Check:
    """No posterior draw does better than the estimate that claims to be the maximum."""
    return at_most(
        name,
        of_draws.max() - of_estimate,
        ROUNDING * max(1.0, abs(of_estimate)),
        "best draw minus the estimate in nats; 0 but for rounding, because the estimate is the maximum",
        judged,
    )


def near_posterior_mean(
    estimate_name: str,
    gaps: Array,
    conjugate: Array,
    entries: list[str],
    *,
    smallest_count: float,
    ess: float,
    judged: bool,
) -> Check:
    """An estimate lies within the distance of the posterior mean that arithmetic explains, parameter by parameter.

    Known labels explain ``conjugate``. Labels that are not known add terms of the order 1 / sqrt(N_k) (mode and mean of
    a posterior differ by its skewness), of which two are allowed for, and the draws add Monte Carlo error.
    """
    beyond = np.abs(gaps) - conjugate
    worst = int(np.argmax(beyond))
    return at_most(
        f"{estimate_name} near posterior mean",
        beyond[worst],
        2 / np.sqrt(smallest_count) + 4 / np.sqrt(ess),
        f"largest gap in posterior sd beyond that of the conjugate K=1 case: {entries[worst]}, {abs(gaps[worst]):.2f} "
        f"against {conjugate[worst]:.2f}; allowed 2/sqrt(N_k) at N_k = {smallest_count:.0f}, plus 4 Monte Carlo errors",
        judged,
    )


def few_divergences(diverging: Array) -> Check:
    """Report the share of divergent transitions: many mean that NUTS could not follow the posterior's shape."""
    note = "share of all draws; where there are more, try target_accept = 0.9"
    return at_most("divergent transitions", diverging.mean(), 0.01, note, False)


def responsibilities_near_average(plug_in: Array, mean: Array, sd: Array, judged: bool) -> Check:
    """EM's plug-in responsibilities agree with posterior-averaged ones within their own posterior spread."""
    return at_most(
        "plug-in responsibilities near posterior average",
        np.sqrt(((plug_in - mean) ** 2).mean()),
        np.sqrt((sd**2).mean()),
        "root mean square difference; tolerance is the root mean square posterior sd of the responsibilities",
        judged,
    )


def truth_within_posterior(truth: Array, draws: Array) -> Check:
    """The truth lies where a posterior of this shape puts it: squared Mahalanobis distance against chi-square."""
    covariance = np.atleast_2d(np.cov(draws, rowvar=False))
    gap = truth - draws.mean(axis=0)
    return at_most(
        "truth within the posterior",
        float(gap @ np.linalg.solve(covariance, gap)),
        float(chi2.ppf(0.999, len(truth))),
        f"squared Mahalanobis distance on the unconstrained scale; chi-square 0.999 quantile, {len(truth)} degrees",
    )


def identified_quantity_agrees(
    located: str, estimate: Array, draws: Array, n: int, pseudo: float, prior_mean: Array, ess: float
) -> Check:
    """What a non-identified mixture does identify, the mean Σ_k π_k p_k or Σ_k π_k μ_k of a sample, agrees.

    Judged for ``located`` "probs" alone: means of Gaussian components also move with weights and missing cells.

    ``pseudo`` pseudo-samples at ``prior_mean`` among n samples move the mean by pseudo / n of the distance to it.
    """
    sd = draws.std(axis=0)
    shift = pseudo / n * np.abs(prior_mean - estimate) / sd
    worst = int(np.argmax(_in_sd(estimate - draws.mean(axis=0), sd) - shift))
    return at_most(
        f"identified quantity sum_k weights_k {located}_k agrees",
        _in_sd(estimate - draws.mean(axis=0), sd)[worst],
        shift[worst] + 4 / np.sqrt(ess),
        f"gap between MLE and posterior mean in posterior sd; the prior's {pseudo:g} pseudo-samples against "
        f"n = {n} explain {shift[worst]:.2g}, plus 4 Monte Carlo errors",
        judged=located == "probs",
    )


# Did the chains mix? --------------------------------------------------------------------------------------------------


def is_about_chains(name: str) -> bool:
    """Whether a check of this name is about the chains alone."""
    return name.startswith(("R-hat, ", "ESS, "))


def chains_mixed(quantities: xr.Dataset, what: str, judged: bool) -> list[Check]:
    """R-hat and bulk ESS of a set of quantities."""
    rhat, ess = extremes(quantities)
    return [
        at_most(f"R-hat, {what}", rhat, MAX_RHAT, "largest rank-normalised split R-hat (Vehtari et al. 2021)", judged),
        at_least(f"ESS, {what}", ess, MIN_ESS, "smallest bulk effective sample size (Vehtari et al. 2021)", judged),
    ]
