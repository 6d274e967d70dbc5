"""Compute the criteria of each number of components: BIC, ICL, leave-one-out cross-validation and evidence."""

from collections.abc import Iterable
from typing import Any, get_args

import arviz as az
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from comparisons.alignment.component_draws import Arrays
from comparisons.alignment.mixing import extremes, label_free
from comparisons.alignment.responsibilities import LogJoint, log_joint
from comparisons.comparison.draws import sampled_from_map
from comparisons.comparison.problem import Problem, prepare
from comparisons.components import Sampler
from comparisons.components.result import ByComponents
from comparisons.evidence import Evidence, chib_evidence
from comparisons.family import Family
from comparisons.output.progress import Progress, progress_for
from comparisons.posterior.gibbs import as_datatree
from em import select
from em.gibbs import gibbs
from em.process.blas import one_blas_thread
from em.process.process_wide import without_expected_warnings
from em.selection import Candidate
from models.shown import shown
from models.validation import Array, count_at_least_one

SAMPLERS: tuple[str, ...] = get_args(Sampler)
GOOD_K = 0.7
GIBBS_TUNE = 1000  # sweeps that are not kept, unless settings say how many


def compare_components(
    X: ArrayLike,
    family: str | Family,
    n_components: Iterable[int] = range(1, 5),
    prior: Any = None,
    *,
    sampler: str = "nuts",
    evidence: bool = True,
    particles: int = 2000,
    progress: Progress | bool = True,
    **settings: Any,
) -> ByComponents:
    """Compare numbers of components by BIC, ICL, leave-one-out cross-validation and evidence.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples; NaN where a cell is missing.
    family : str or Family
        Name of the family, such as "gmm" or "bmm", or a family with its options.
    n_components : iterable of int, default range(1, 5)
        Numbers of components to compare.
    prior : prior of the family or None
        One prior for every K; ``None`` takes the family's weakly informative one for each K. A concentration below 1
        needs the sampler "gibbs", because NUTS starts at the MAP, which does not exist then.
    sampler : {"nuts", "gibbs"}
        Sampler of the draws for cross-validation. "gibbs" compiles nothing, and needs a conjugate prior.
    evidence : bool
        Whether to run SMC on the PyMC model, if Chib's identity does not apply.
    particles : int
        SMC's particles; it runs ``chains`` times.
    progress : bool or Progress, default True
        Whether to show progress on a terminal and in a notebook; or the `Progress` to report to.
    **settings
        ``draws``, ``tune``, ``chains``, ``n_init`` and ``random_state``, as for :func:`comparisons.compare`; without
        ``tune`` the Gibbs sampler drops 1,000 sweeps. If the family is given by its name, its options too:
        ``covariance_type`` of "gmm", ``n_trials`` of "bmm".

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.components import compare_components
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> table = compare_components(X, "gmm", [1, 2], sampler="gibbs", evidence=False)
    >>> table.best("bic"), table.best("elpd"), table.best("chib")
    (2, 2, 2)
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {shown(sampler)}")
    if not (numbers := list(n_components)):
        raise ValueError("n_components must name at least one number of components, got none")
    count_at_least_one("particles", particles)
    needs_map = sampler == "nuts"  # NUTS starts at the MAP
    problems = [prepare(X, family, K, prior, needs_map=needs_map, **settings) for K in numbers]
    first, progress = problems[0], progress_for(progress, problems[0].title)
    if sampler == "gibbs" and not first.conjugate:
        where = "where the prior is not conjugate or a Gaussian cell is missing"
        raise ValueError(f"sampler must be 'nuts' {where}, got 'gibbs'")
    rows, pointwise, density = [], [], log_joint(first.X, first.family)
    with one_blas_thread():
        with progress.step("EM"):
            of_em = {"n_init": first.settings.n_init, "random_state": first.settings.random_state}
            fits = select(first.X, first.family.estimator(**of_em), numbers, progress=False)
        for problem, fit in zip(problems, fits.candidates, strict=True):
            row, of_rows = _row(problem, fit, density, sampler, particles if evidence else 0, progress)
            rows.append(row)
            pointwise.append(of_rows)
    values = np.array(pointwise)
    differences = values - values[values.sum(axis=1).argmax()]
    for row, difference in zip(rows, differences, strict=True):
        row["elpd_difference"] = float(difference.sum())
        row["elpd_difference_se"] = float(np.sqrt(len(first.X) * difference.var()))
    caution = next((problem.caution for problem in problems if problem.caution), "")
    return ByComponents(rows, values, caution)


def _row(
    problem: Problem, fit: Candidate, density: LogJoint, sampler: str, particles: int, progress: Progress
) -> tuple[dict[str, Any], Array]:
    """Return one row of the table, and the elpd of each sample."""
    K, prior, options = problem.n_components, problem.prior, problem.family.of_conjugate
    of_em = {name: getattr(fit, name) for name in ("log_likelihood", "bic", "icl", "has_maximum", "status")}
    row = {"n_components": K, **of_em, **dict.fromkeys(("log_evidence", "log_evidence_se", "chib", "chib_se"))}
    if problem.conjugate:
        sizes = {name: getattr(problem.settings, name) for name in ("draws", "chains", "random_state")}
        sizes["tune"] = problem.settings.tune or GIBBS_TUNE
        with progress.step(f"Gibbs sampling, K = {K}"):
            by_gibbs = gibbs(problem.X, K, prior, **options, **sizes)
            chib = chib_evidence(problem.X, by_gibbs, prior, **options)
        row |= {"chib": chib.log_evidence, "chib_se": chib.standard_error}
    elif particles:
        smc = _by_smc(problem, particles, progress)
        row |= {"log_evidence": smc.log_evidence, "log_evidence_se": smc.standard_error}
    draws = as_datatree(by_gibbs, prior) if sampler == "gibbs" else _by_nuts(problem, progress)
    values = pointwise_log_likelihood(draws, density)
    of_all, of_rows = _leave_one_out(draws, values)
    rhat, _ = extremes(label_free(draws["posterior"].to_dataset(), values.sum("obs").to_numpy()))
    return row | of_all | {"rhat": rhat}, of_rows


def _by_nuts(problem: Problem, progress: Progress) -> xr.DataTree:
    from comparisons.posterior.densities import without_c_compiler

    with without_c_compiler, progress.step(f"NUTS, K = {problem.n_components}"):
        return sampled_from_map(problem, progress.advance_to)


def _by_smc(problem: Problem, particles: int, progress: Progress) -> Evidence:
    from comparisons.evidence.smc import smc_evidence
    from comparisons.posterior.densities import without_c_compiler

    K, settings = problem.n_components, problem.settings
    sizes = {"draws": particles, "chains": settings.chains, "seed": settings.random_state}
    with without_c_compiler, progress.step(f"SMC, K = {K}"):
        model = problem.family.build_marginal_model(problem.X, K, problem.prior)
        return smc_evidence(model, **sizes, progress=lambda share: progress.advance_to(int(100 * share), 100))


def pointwise_log_likelihood(draws: xr.DataTree, density: LogJoint) -> xr.DataArray:
    """Return log p(x_i | θ_s) with labels summed out, dims (chain, draw, obs), for any draws.

    Parameters
    ----------
    draws : DataTree
        Posterior draws, aligned or not.
    density : LogJoint
        Of the samples; see :func:`comparisons.log_joint`.
    """
    arrays = Arrays(draws["posterior"].to_dataset())
    values = np.concatenate([log_prob for _, log_prob in density.normalised(arrays)], axis=1)
    return xr.DataArray(values.reshape(*arrays.sizes, -1), dims=("chain", "draw", "obs"))


def _leave_one_out(draws: xr.DataTree, values: xr.DataArray) -> tuple[dict[str, Any], Array]:
    """Return elpd, its standard error, p and the number of bad Pareto k, from log p(x_i | θ_s); and elpd of each row.

    The relative efficiency is that of p(x_i | θ), averaged over rows; it is label-free.
    """
    n_draws = values.sizes["chain"] * values.sizes["draw"]
    ess = az.ess(xr.Dataset({"x": np.exp(values - values.max(("chain", "draw")))}), method="mean")["x"]
    groups = {"posterior": draws["posterior"].to_dataset(), "log_likelihood": xr.Dataset({"x": values})}
    with without_expected_warnings:  # large Pareto k are counted instead of warned about
        loo = az.loo(xr.DataTree.from_dict(groups), pointwise=True, reff=min(1.0, float(ess.mean()) / n_draws))
    bad = int((loo.pareto_k > GOOD_K).sum())
    values_of = {"elpd": float(loo.elpd), "elpd_se": float(loo.se), "p_loo": float(loo.p), "n_bad_k": bad}
    return values_of, np.asarray(loo.elpd_i)
