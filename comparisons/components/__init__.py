"""How many components? EM's criteria, cross-validation of the posterior and the evidence side by side, for each K.

===========  =========================================================================================
BIC, ICL     of maximum likelihood (:func:`em.select`); smaller is better
elpd         leave-one-out cross-validation by Pareto-smoothed importance sampling (`arviz.loo`), of the
             likelihood with labels summed out, one value per row; larger is better
evidence     log p(X) by sequential Monte Carlo (:mod:`comparisons.evidence.smc`) and, where the prior is conjugate,
             by Chib's identity from Gibbs draws (:mod:`comparisons.evidence`); larger is better
===========  =========================================================================================

They ask different things: BIC is an approximation of -2 log p(X) under a prior worth one row; elpd is about the density
of a new row, and hardly falls when K grows, for components that are not needed do little harm.

From the command line: ``python -m comparisons.components --data faithful --max-components 4``.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import arviz as az
import numpy as np
import typer
import xarray as xr
from numpy.typing import ArrayLike

from comparisons.alignment.component_draws import Arrays
from comparisons.alignment.mixing import extremes, label_free
from comparisons.alignment.responsibilities import LogJoint, log_joint
from comparisons.comparison import prepare
from comparisons.comparison.command import bad_input_exits
from comparisons.comparison.extremes import check_counts, check_mean, check_mode, refused_by_name
from comparisons.comparison.report import show
from comparisons.comparison.starts import chain_starts, refuse_collapsed
from comparisons.components.result import ByComponents
from comparisons.data import find
from comparisons.evidence import Evidence, chib_evidence
from comparisons.family import FamilyName
from comparisons.output.files import check_writable, file_name
from comparisons.output.progress import Bars, Progress, Silent
from comparisons.posterior.gibbs import as_datatree
from em import select
from em.gibbs import gibbs
from em.process.blas import one_blas_thread
from em.process.process_wide import without_expected_warnings
from em.selection import Candidate
from em.status import left_to_the_status
from models.bmm import BMMPrior
from models.gmm import GMMPrior
from models.gmm.structures import CovarianceType
from models.shown import shown
from models.validation import Array, count_at_least_one

Sampler = Literal["nuts", "gibbs"]
SAMPLERS: tuple[str, ...] = get_args(Sampler)
GOOD_K = 0.7


def compare_components(
    X: ArrayLike,
    family: str,
    n_components: Iterable[int] = range(1, 5),
    prior: Any = None,
    *,
    n_trials: ArrayLike = 1,
    covariance_type: str = "full",
    sampler: str = "nuts",
    evidence: bool = True,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    particles: int = 2000,
    n_init: int = 10,
    random_state: int = 0,
    progress: Progress | None = None,
) -> ByComponents:
    """Compare numbers of components by BIC, ICL, leave-one-out cross-validation and evidence.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples; NaN where a cell is missing.
    family : {"gmm", "bmm"}
        Gaussian, or Bernoulli/binomial mixture.
    n_components : iterable of int, default range(1, 5)
        Numbers of components to compare.
    prior : GMMPrior, BMMPrior or None
        One prior for every K; ``None`` takes the family's weakly informative one for each. A concentration below 1,
        under which there is no MAP to start NUTS from, wants the sampler "gibbs".
    n_trials : int or array_like, shape (D,) or (n, D)
        Trials per cell, for "bmm".
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances, for "gmm".
    sampler : {"nuts", "gibbs"}
        Where the draws for cross-validation come from. "gibbs" compiles nothing, and wants a conjugate prior.
    evidence : bool
        Whether to run SMC, on the PyMC model.
    draws, tune, chains : int
        Draws and warm-up draws of each chain, and number of chains.
    particles : int
        SMC's particles; it runs ``chains`` times.
    n_init : int
        Restarts of maximum likelihood.
    random_state : int
        Seed; the same seed gives the same table.
    progress : Progress or None
        Where to report progress; ``None`` is silent.

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.components import compare_components
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> found = compare_components(X, "gmm", [1, 2], sampler="gibbs", evidence=False)
    >>> found.best("bic"), found.best("elpd"), found.best("chib")
    (2, 2, 2)
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"sampler must be one of {', '.join(SAMPLERS)}, got {shown(sampler)}")
    if not (numbers := list(n_components)):
        raise ValueError("n_components must name at least one number of components, got none")
    count_at_least_one("particles", particles)
    settings: dict[str, Any] = {"n_trials": n_trials, "covariance_type": covariance_type, "draws": draws, "tune": tune}
    settings |= {"chains": chains, "n_init": n_init, "random_state": random_state}
    settings["needs_map"] = sampler == "nuts"  # its chains start there
    prepared = [prepare(X, family, K, prior, **settings) for K in numbers]
    if sampler == "gibbs" and not _conjugate(prepared[0]):
        raise ValueError(
            "sampler must be 'nuts' where the prior is not conjugate or a Gaussian cell missing, got 'gibbs'"
        )
    progress, rows, pointwise = progress or Silent(), [], []
    half, samples = prepared[0].family, prepared[0].X
    trials = getattr(half, "n_trials", 1)  # of the rows that were kept
    density = log_joint(samples, family, n_trials=trials, covariance_type=covariance_type)
    with one_blas_thread():
        with progress.step("EM", None):
            fits = select(samples, half.estimator(n_init=n_init, random_state=random_state), numbers)
        for found, fit in zip(prepared, fits.candidates, strict=True):
            row, of_rows = _row(found, fit, density, sampler, particles if evidence else 0, progress)
            rows.append(row)
            pointwise.append(of_rows)
    values = np.array(pointwise)
    differences = values - values[values.sum(axis=1).argmax()]
    for row, difference in zip(rows, differences, strict=True):
        row["elpd_difference"] = float(difference.sum())
        row["elpd_difference_se"] = float(np.sqrt(len(samples) * difference.var()))
    cautions = (half.caution(samples, found.prior, found.n_components, found.feature_names) for found in prepared)
    return ByComponents(rows, values, next(filter(None, cautions), ""))


def _conjugate(found: Any) -> bool:
    return isinstance(found.prior, GMMPrior | BMMPrior) and (found.family.name == "bmm" or not found.n_missing)


def _row(
    found: Any, fit: Candidate, density: LogJoint, sampler: str, particles: int, progress: Progress
) -> tuple[dict[str, Any], Array]:
    """Return one row of the table and elpd of each sample."""
    K, settings = found.n_components, found.settings
    row = {"n_components": K, "log_likelihood": fit.log_likelihood, "bic": fit.bic, "icl": fit.icl}
    row |= {"has_maximum": fit.has_maximum, "status": fit.status}
    row |= dict.fromkeys(("log_evidence", "log_evidence_se", "chib", "chib_se"))
    if _conjugate(found):
        sizes = {name: settings[name] for name in ("draws", "tune", "chains", "random_state")}
        n_trials = getattr(found.family, "n_trials", 1)
        with progress.step(f"Gibbs sampling, K = {K}", None):
            by_gibbs = gibbs(found.X, K, found.prior, n_trials=n_trials, **sizes)
            chib = chib_evidence(found.X, by_gibbs, found.prior, n_trials)
        row |= {"chib": chib.log_evidence, "chib_se": chib.standard_error}
    draws = as_datatree(by_gibbs, found.prior) if sampler == "gibbs" else _by_nuts(found, progress)
    values = pointwise_log_likelihood(draws, density)
    cross_validated, of_rows = _leave_one_out(draws, values)
    row["rhat"], _ = extremes(label_free(draws["posterior"].to_dataset(), values.sum("obs").to_numpy()))
    if particles:
        smc = _by_smc(found, particles, progress)
        row |= {"log_evidence": smc.log_evidence, "log_evidence_se": smc.standard_error}
    return row | cross_validated, of_rows


def _by_nuts(found: Any, progress: Progress) -> xr.DataTree:
    from comparisons.posterior import sample
    from comparisons.posterior.densities import without_c_compiler

    settings, K = found.settings, found.n_components
    seed, n_init, chains = (settings[name] for name in ("random_state", "n_init", "chains"))
    of_starts = {"starts": settings["starts"], "chains": chains, "n_init": n_init, "seed": seed}
    sizes = {"draws": settings["draws"], "tune": settings["tune"], "chains": chains}
    with without_c_compiler(), progress.step(f"NUTS, K = {K}", chains * (settings["draws"] + settings["tune"])):
        estimator = found.family.estimator(n_components=K, prior=found.prior, n_init=n_init, random_state=seed)
        with refused_by_name(found) as noted, left_to_the_status():
            check_counts(found)
            check_mean(found)
            found.map = estimator.fit(found.X)
            check_mode(found, noted)
        refuse_collapsed(found.map)
        with refused_by_name(found):
            model = found.family.build_marginal_model(found.X, K, found.prior)
            starts = chain_starts(found.family, found.X, found.map.parameters_, found.prior, **of_starts)
            return sample(model, starts, **sizes, seed=seed, progress=progress.advance_to, resolved=True)


def _by_smc(found: Any, particles: int, progress: Progress) -> Evidence:
    from comparisons.evidence.smc import smc_evidence
    from comparisons.posterior.densities import without_c_compiler

    settings, K = found.settings, found.n_components
    with without_c_compiler(), progress.step(f"SMC, K = {K}", 100):
        return smc_evidence(
            found.family.build_marginal_model(found.X, K, found.prior),
            draws=particles,
            chains=settings["chains"],
            seed=settings["random_state"],
            progress=lambda share: progress.advance_to(int(100 * share)),
        )


def pointwise_log_likelihood(draws: xr.DataTree, density: LogJoint) -> xr.DataArray:
    """Return log p(x_i | θ_s) with labels summed out, dims (chain, draw, obs), for any draws.

    Parameters
    ----------
    draws : DataTree
        Posterior draws, aligned or not.
    density : LogJoint
        Of the samples; see :func:`comparisons.log_joint`.
    """
    posterior = draws["posterior"].to_dataset()
    arrays, sizes = Arrays(posterior, "component"), (posterior.sizes["chain"], posterior.sizes["draw"])
    blocks = density.normalised(arrays, arrays.n_draws, posterior.sizes["component"])
    values = np.concatenate([log_prob for _, log_prob in blocks], axis=1)
    return xr.DataArray(values.reshape(*sizes, -1), dims=("chain", "draw", "obs"))


def _leave_one_out(draws: xr.DataTree, values: xr.DataArray) -> tuple[dict[str, Any], Array]:
    """Return elpd, its se, p and the number of bad Pareto k, from log p(x_i | θ_s); and elpd of each row.

    The relative efficiency is that of p(x_i | θ) itself, averaged over rows: labels cannot touch it.
    """
    n_draws = values.sizes["chain"] * values.sizes["draw"]
    ess = az.ess(xr.Dataset({"x": np.exp(values - values.max(("chain", "draw")))}), method="mean")["x"]
    groups = {"posterior": draws["posterior"].to_dataset(), "log_likelihood": xr.Dataset({"x": values})}
    with without_expected_warnings:  # large shape parameters are counted instead
        loo = az.loo(xr.DataTree.from_dict(groups), pointwise=True, reff=min(1.0, float(ess.mean()) / n_draws))
    bad = int((loo.pareto_k > GOOD_K).sum())
    found = {"elpd": float(loo.elpd), "elpd_se": float(loo.se), "p_loo": float(loo.p), "n_bad_k": bad}
    return found, np.asarray(loo.elpd_i)


def main(
    data: Annotated[str, typer.Option(help="A built-in name, or a CSV file with a header.")] = "faithful",
    family: Annotated[FamilyName | None, typer.Option(help="Of a file of your own: which mixture.")] = None,
    trials: Annotated[int, typer.Option(help="Trials per cell of your own count data (bmm).")] = 1,
    max_components: Annotated[int, typer.Option(help="The largest number of components.")] = 4,
    covariance: Annotated[CovarianceType, typer.Option(help="Structure of the covariances (gmm).")] = "full",
    sampler: Annotated[Sampler, typer.Option(help="Where the draws for cross-validation come from.")] = "nuts",
    evidence: Annotated[bool, typer.Option(help="Whether to run sequential Monte Carlo.")] = True,
    draws: Annotated[int, typer.Option(help="Posterior draws of each chain.")] = 1000,
    tune: Annotated[int, typer.Option(help="Warm-up draws of each chain.")] = 1000,
    particles: Annotated[int, typer.Option(help="Particles of SMC.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of everything random.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the figure.")] = Path("results"),
) -> None:
    """Compare numbers of components: BIC, ICL, leave-one-out, evidence; a table, and a figure in the out folder.

    Exit code 0, or 2 for bad input.
    """
    with bad_input_exits():
        dataset = find(data, family, trials)
        folder = check_writable(out)
        count_at_least_one("max_components", max_components)
        found = compare_components(
            dataset.X,
            dataset.family,
            range(1, max_components + 1),
            n_trials=dataset.n_trials,
            covariance_type=covariance,
            sampler=sampler,
            evidence=evidence,
            draws=draws,
            tune=tune,
            particles=particles,
            random_state=seed,
            progress=Bars(dataset.name),
        )
    show(found, folder / file_name(f"components-{dataset.name}", ".png"), dataset.name)
