"""Run the steps of a comparison in order, and reach its verdict."""

from dataclasses import fields
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from comparisons.alignment.mixing import MIN_ESS
from comparisons.comparison.all_rows import sample_note, with_all_rows
from comparisons.comparison.checks import Check
from comparisons.comparison.density_checks import STATIONARY, Densities, density_checks
from comparisons.comparison.draws import Draws, draw, settings_used
from comparisons.comparison.estimates import estimates_of
from comparisons.comparison.find_map import find_map_checks
from comparisons.comparison.fits import Fits, fit, fit_from
from comparisons.comparison.posterior_checks import BEATEN, averaged_responsibilities, posterior_checks
from comparisons.comparison.problem import Problem, prepare
from comparisons.comparison.report.tables import MORE_ROWS, of_em
from comparisons.comparison.result import Comparison
from comparisons.comparison.size import Pace, check_size, is_large, size_of, time_left
from comparisons.comparison.spread import by_advi, spreads_of
from comparisons.family import Family
from comparisons.output.console import table_of
from comparisons.output.progress import Progress, progress_for
from em.process.blas import one_blas_thread
from models.shown import counted

OF_CHAINS = "R-hat, ", "ESS, "  # begin of the names of checks that concern only the chains
APART = 1.1  # R-hat above which chains stay in different modes

__all__ = ["Comparison", "compare", "prepare", "run"]


def compare(
    X: ArrayLike,
    family: str | Family | Any,
    n_components: int | None = None,
    prior: Any = None,
    *,
    progress: Progress | bool = True,
    **settings: Any,
) -> Comparison:
    """Fit a mixture by EM and by PyMC and check that the two agree.

    Parameters
    ----------
    X : array_like, or a Dask array or DataFrame, shape (n, D)
        Samples. NaN is a missing cell: EM and PyMC use the likelihood of the observed cells. Rows without an observed
        cell are left out. If there are more than ``rows`` rows, a random sample is compared, and EM fits all rows too.
    family : str, Family, fitted mixture or Selection
        Name of a family, such as "gmm" (Gaussian) or "bmm" (Bernoulli/binomial); a family with its options, such as
        ``BMM(n_trials=12)``; or a fitted estimator or a selection, from which family, options, K and prior are taken.
        They are fitted again, so that the same data give the same comparison.
    n_components : int or None
        Number of components K; ``None`` takes that of a fit.
    prior : prior of the family or None
        Prior of MAP-EM and the PyMC models; ``None`` takes the family's weakly informative one. A GMMIndependentPrior
        with correlations is not supported: its MAP has no closed M-step.
    progress : bool or Progress, default True
        Whether to show progress on a terminal and in a notebook; or the `Progress` to report to.
    **settings
        Settings by name:

        - ``truth``, the parameters that synthetic data were drawn from;
        - ``title``, ``feature_names`` and ``row_labels``, for tables and figures; by default the names of a frame X;
        - ``draws``, ``tune``, ``max_depth``, ``chains``, ``target_accept``, ``n_init``, ``starts``, ``random_state``,
          ``minutes``, ``advi`` and ``rows``, see :class:`comparisons.comparison.problem.Settings`;
        - if the family is given by its name, its options: ``covariance_type`` of "gmm", ``n_trials`` of "bmm".

    Returns
    -------
    Comparison
        Verdict, checks, estimates, posterior; ``save(folder)`` writes the files that the command line writes.

    Raises
    ------
    ValueError
        If an argument is illegal; this is checked before anything is computed or written.
    TypeError
        If an argument is neither a setting nor an option of a family.
    NoModeError
        A ValueError: every restart of MAP-EM collapsed, as may happen under half-normal scales on repeated rows.
    NoDrawsError
        A ValueError: the posterior density is not finite where chains start, as under a prior with numbers like 1e300.
    TooLongError
        A TimeoutError: there are more than 1,500 parameters, or the pace of the first draws predicts more than
        ``minutes``. The message lists smaller structures.

    Examples
    --------
    >>> from comparisons import compare
    >>> from comparisons.data import load
    >>> compare(load("coins-ten-flips").X, family="bmm", n_components=2, n_trials=10, draws=500, tune=500).verdict
    'agree'
    """
    problem = prepare(X, family, n_components, prior, sampled=True, **settings)
    return run(problem, progress_for(progress, problem.title))


def run(problem: Problem, progress: Progress | None = None) -> Comparison:
    """Run the steps of a comparison: EM, PyMC's densities, NUTS, `find_MAP`, and the estimates against the posterior.

    Raises
    ------
    Interrupted
        On Ctrl-C while chains run; it holds the aligned draws made so far.
    TooLongError
        If there are too many parameters, or the pace of the first draws predicts more than ``minutes``.
    """
    progress, began = progress or Progress(), perf_counter()
    with one_blas_thread():
        if note := sample_note(problem):
            progress.tell(f"{note} are compared")
        with progress.step("EM"):
            fits = fit(problem)
        if fits.all_rows is not None:
            with progress.step("EM of all rows"):
                fits = with_all_rows(fits)
        progress.tell(size_of(fits))
        if is_large(fits):
            progress.tell(table_of(of_em(fits), MORE_ROWS))
        check_size(fits)
        time_left(fits, perf_counter() - began)
        with progress.step("loading PyMC"):
            from comparisons.posterior import Interrupted
            from comparisons.posterior.densities import without_c_compiler
        with without_c_compiler:
            with progress.step("PyMC's densities"):
                densities = Densities(fits)
                checks = density_checks(fits, densities)
            with progress.step("NUTS"):
                pace = Pace(fits, progress, time_left(fits, perf_counter() - began))
                draws = draw(fits, densities, pace.advance_to)
            try:
                return _concluded(fits, densities, draws, checks, progress)
            except KeyboardInterrupt:
                raise Interrupted(draws.posterior) from None


def _concluded(fits: Fits, densities: Densities, draws: Draws, checks: list[Check], progress: Progress) -> Comparison:
    """Run the steps after the draws and return the comparison."""
    advi = fits.settings.advi
    with progress.step("find_MAP"):
        of_mode, above = find_map_checks(fits, draws, densities)
        checks = checks + of_mode
    with progress.step("posterior against estimates"):
        estimates, responsibilities = estimates_of(fits, draws), averaged_responsibilities(fits, draws)
        checks += posterior_checks(fits, draws, estimates, responsibilities)
    with progress.step("ADVI" if advi else "spread"):
        drawn = by_advi(fits, draws, densities, progress.advance_to) if advi else None
        spreads = spreads_of(fits, draws, estimates, drawn)
    verdict, explanation = verdict_of(fits, checks)
    if above is not None or any(check.passed is False and check.name.startswith(BEATEN) for check in checks):
        with progress.step("EM from a better point"):
            verdict, explanation = _by_restarts(fits, densities, draws, above) or (verdict, explanation)
    return Comparison(
        **{f.name: getattr(fits, f.name) for f in fields(fits)}
        | {
            "settings": settings_used(fits.settings, draws),
            "truth": None if fits.truth is None else draws.in_order(fits.truth),
        },
        checks=tuple(checks),
        verdict=verdict,
        explanation=explanation,
        posterior=draws.posterior,
        unaligned=draws.unaligned,
        estimates=estimates,
        spreads=spreads,
        responsibilities=responsibilities,
        seconds=progress.seconds,
    )


def _by_restarts(fits: Fits, densities: Densities, draws: Draws, above: Any) -> tuple[str, str] | None:
    """Repeat the checks at the estimates that EM reaches from PyMC's better points: the best draws, and ``above``.

    ``above`` is the maximum of `find_MAP`, if it is better than MAP-EM's, else None. If no check fails there, return
    the verdict: EM's steps are right, and its restarts missed the maximum. Otherwise return None.
    """
    log_likelihood, like = draws.pointwise.sum(axis=-1), fits.map.parameters_
    log_posterior = log_likelihood + draws.log_prior
    beats_mle = fits.has_maximum and log_likelihood.max() > fits.mle.log_likelihood_
    likeliest = draws.best(log_likelihood, like) if beats_mle else None
    from_mode = above is not None and log_posterior.max() <= fits.map.objective_  # no draw tells of a better one
    better = fit_from(fits, above if from_mode else draws.best(log_posterior, like), likeliest)
    draws = draws.aligned_to(better.mode)
    checks = density_checks(better, densities) + find_map_checks(better, draws, densities)[0]
    checks += posterior_checks(better, draws, estimates_of(better, draws), averaged_responsibilities(better, draws))
    verdict, explanation = verdict_of(better, checks)
    if verdict == "disagree":
        return None
    if beats_mle and not better.has_maximum:
        return verdict, f"from the likeliest draw, {explanation}" if verdict == "no maximum" else explanation
    gains = better.mle.objective_ - fits.mle.objective_, better.map.objective_ - fits.map.objective_
    source, tried = "PyMC's maximum" if from_mode else "a draw", counted(fits.settings.n_init, "restart")
    missed = f"from {source} EM finds a maximum {max(gains):.3g} nats above the best of {tried}"
    why = f"the restarts are too few to tell: {missed}, and no check of EM fails there; {_more_restarts(fits)}"
    return "inconclusive", why


def _more_restarts(fits: Fits) -> str:
    n_init = 4 * fits.settings.n_init
    return f"ask for n_init={n_init} (--restarts {n_init})"


def _too_few(fits: Fits, failed: list[Check]) -> str:
    """Return which checks of the chains failed, and how many draws to ask for."""
    draws, ess = fits.settings.draws, min([check.value for check in failed if check.name.startswith("ESS")], default=0)
    wanted = draws * max(2.0, 1.5 * MIN_ESS / ess if ess > 0 else 0.0)
    of_each = int(np.ceil(wanted / 500) * 500)
    numbers = ", ".join(f"{check.name} {check.value:.5g}" for check in failed)
    apart = max((check.value for check in failed if check.name.startswith("R-hat")), default=1.0)
    advice = f"ask for draws={of_each} (--draws {of_each}) in each of {fits.settings.chains} chains"
    if not apart <= APART:
        advice += "; chains that stay in different modes need other starts (starts='single', --single-start) or K"
    return f"the draws are too few to tell: {numbers}; {advice}. No check of EM failed"


def _missed(fits: Fits, failed: list[Check]) -> str:
    """Return the advice to use more restarts, if a draw is above the best of them and EM did not just stop early."""
    gain = max([check.value for check in failed if check.name.startswith(BEATEN)], default=0.0)
    stopped = any(check.name == STATIONARY and check.value > 0 for check in failed)  # NaN, at a saddle, is not > 0
    if stopped or not gain > 0:
        return ""
    above = f"A draw is {gain:.3g} nats above EM's best"
    return f". {above}, so that EM's restarts may have missed the maximum: {_more_restarts(fits)}"


def verdict_of(fits: Fits, checks: list[Check]) -> tuple[str, str]:
    """Return the verdict and its explanation."""
    failed = [check for check in checks if check.passed is False]
    if failed and all(check.name.startswith(OF_CHAINS) for check in failed):
        return "inconclusive", _too_few(fits, failed)
    if failed:
        return "disagree", f"failed: {'; '.join(check.name for check in failed)}{_missed(fits, failed)}"
    if not fits.has_maximum:
        return "no maximum", f"{fits.mle.status_.removeprefix('no maximum: ')}. Only MAP quantities were judged"
    if not fits.identified:
        tests = (fit.identifiability_ for fit in (fits.mle, fits.map))
        sentence = next(test.sentence for test in tests if not test.identified)
        return "not identified", f"{sentence}. Only identified and MAP quantities were judged"
    return "agree", f"all {sum(check.passed is not None for check in checks)} judged checks passed"
