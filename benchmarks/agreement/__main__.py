"""Check the posterior: ``python -m benchmarks.agreement``; the exit code is 1 if a line disagrees.

Data sets: `compare` draws four chains, each from EM's best of restarts of its own, with labels in random order. The
reference is a long run of Gibbs sampling, which shares no code with PyMC. One call aligns the draws of both to EM's MAP
by rule "pivot", so that both have the same reference. In both runs R-hat must be at most 1.01, of label-free quantities
and of aligned parameters, and every mean must be within 4 combined Monte Carlo standard errors of the reference's. In
the data "switching", every chain switches labels. With many simulated samples the posterior is near normal.

Ten samples: NUTS, Gibbs sampling, and PyMC's own steps with z in the model are compared with enumeration, whose means
have no Monte Carlo error.

The numbers of draws were fixed before the first run. There are about 800 means, which are not independent. Of 800
independent means, one would be more than 4 standard errors off with a probability of 5 %.
"""

from dataclasses import dataclass
from functools import partial
from math import inf
from time import perf_counter
from typing import Annotated, Any

import arviz as az
import numpy as np
import typer
import xarray as xr
from rich.table import Table

from benchmarks.agreement.exact import NAMES, SAMPLERS, exact_means, label_free_draws, largest_gap, problem
from benchmarks.posterior.__main__ import label_free_draws as label_free_draws_of
from benchmarks.posterior.cases import Posterior
from benchmarks.posterior.contestants import prior_of
from benchmarks.tables import new_console
from comparisons import align, compare
from comparisons.alignment.component_draws import SAMPLE
from comparisons.alignment.mixing import MAX_RHAT, extremes, label_free
from comparisons.data import load
from comparisons.posterior import sample
from comparisons.posterior.densities import without_c_compiler
from comparisons.posterior.gibbs import as_datatree
from em import BernoulliMixtureEM, GaussianMixtureEM
from em.gibbs import gibbs
from models import bmm, gmm
from models.bmm import BMMParameters
from models.validation import Array

MOST_ERRORS = 4.0
DRAWS, TUNE, CHAINS = 4000, 1000, 4
SWEEPS, BURN_IN, LONG_CHAINS = 20_000, 1000, 8
HEADS = [
    "posterior",
    "R-hat: label-free",
    "aligned",
    "reference",
    "min ESS",
    "reference",
    "switches",
    "gap",
    "of",
    "agree",
]


@dataclass(frozen=True)
class Case:
    """A data set with a number of components, and the least number of label switches of each chain."""

    data: str
    family: str
    n_components: int
    switches: int = 0


CASES = [
    Case("faithful", "gmm", 2),
    Case("galaxies", "gmm", 3),
    Case("lsat7", "bmm", 2),
    Case("switching", "bmm", 2, switches=10),
]
MANY = [Posterior(1_000, 3, "conjugate"), Posterior(2_000, 3, "beta"), Posterior(10_000, 3, "conjugate")]
LENGTHS = {"NUTS": (DRAWS, TUNE), "Gibbs": (DRAWS, TUNE), "explicit z": (2000, 500)}  # PyMC's own steps: 5 ms a draw
SMALL = [(name, who) for name in NAMES for who in SAMPLERS if who != "explicit z" or name in ("full", "bernoulli")]


def weak_classes() -> Array:
    """Return answers of 60 persons in two classes that are too similar for the posterior to separate."""
    truth = BMMParameters(np.array([0.5, 0.5]), np.array([[0.35] * 4, [0.65] * 4]))
    return np.asarray(bmm.simulate(truth, 60, random_state=0)[0], dtype=np.float64)


def against_long_run(case: Case) -> tuple[list[str], bool]:
    """Sample by NUTS and by Gibbs; return the numbers of a line and whether they agree."""
    X, K = weak_classes() if case.data == "switching" else load(case.data).X, case.n_components
    comparison = compare(X, case.family, K, draws=DRAWS, tune=TUNE, chains=CHAINS, random_state=0, minutes=inf)
    sweeps = gibbs(X, K, comparison.prior, draws=SWEEPS, tune=BURN_IN, chains=LONG_CHAINS, random_state=1)
    names = [*comparison.unaligned.data_vars, "log_likelihood"]
    long = as_datatree({str(name): sweeps[str(name)] for name in names}, comparison.prior)
    (ours, orders), (theirs, _) = aligned_by_one_map(
        [comparison.unaligned, long["posterior"].to_dataset()], comparison.map
    )
    free = label_free(ours, comparison.posterior["log_likelihood"]["x"].sum("obs").to_numpy())
    their_free = label_free(theirs, long["sample_stats"]["log_likelihood"].to_numpy())
    return judged(free, ours, their_free, theirs, orders, case.switches)


def of_many_samples(case: Posterior) -> tuple[list[str], bool]:
    """Compare draws by NUTS with Gibbs; return the numbers of a line and whether they agree."""
    X, K = case.data(), case.K
    prior = prior_of({"prior": case.prior, "X": X, "K": K})
    estimator, family = (GaussianMixtureEM, gmm) if case.family == "gmm" else (BernoulliMixtureEM, bmm)
    fit = estimator(K, prior=prior, random_state=0).fit(X)
    with without_c_compiler:
        model = family.build_marginal_model(X, K, prior)
        posterior = sample(model, fit.parameters_.arrays(), draws=1000, tune=1000, chains=CHAINS, seed=0)
    sweeps = gibbs(X, K, prior, draws=3000, tune=200, chains=CHAINS, random_state=1)
    names = list(fit.parameters_.arrays())
    long = as_datatree({name: sweeps[name] for name in [*names, "log_likelihood"]}, prior)
    runs = [posterior["posterior"].to_dataset()[names], long["posterior"].to_dataset()]
    (ours, orders), (theirs, _) = aligned_by_one_map(runs, fit)
    their_free = label_free(theirs, long["sample_stats"]["log_likelihood"].to_numpy())
    return judged(label_free_draws_of(case, X, ours), ours, their_free, theirs, orders, 0)


def judged(
    free: xr.Dataset, ours: xr.Dataset, their_free: xr.Dataset, theirs: xr.Dataset, orders: np.ndarray, switches: int
) -> tuple[list[str], bool]:
    """Compare label-free quantities and aligned parameters with the reference; return a line and whether they agree."""
    both, reference = free.assign(ours.data_vars), their_free.assign(theirs.data_vars)
    gap, where = largest_gap(both, reference.mean(SAMPLE), az.mcse(reference, method="mean"))
    rhats = [extremes(draws)[0] for draws in (free, ours, reference)]
    switched = (np.diff(orders, axis=1) != 0).any(axis=2).sum(axis=1)
    agrees = max(rhats) <= MAX_RHAT and gap <= MOST_ERRORS and bool(switched.min() >= switches)
    numbers = [*(f"{rhat:.4f}" for rhat in rhats), *(f"{extremes(draws)[1]:.0f}" for draws in (both, reference))]
    return [*numbers, " ".join(map(str, switched)), f"{gap:.1f}", where], agrees


def aligned_by_one_map(runs: list[xr.Dataset], reference: Any) -> list[tuple[xr.Dataset, np.ndarray]]:
    """Return each run's draws aligned, and the orders (chain, draw, K): all in one call, so that units are the same."""
    aligned = align(xr.concat([with_chains(run, 1) for run in runs], dim="draw"), "pivot", reference=reference)
    every = aligned["posterior"].to_dataset().assign(order=aligned["alignment"]["order"])
    parts, done = [], 0
    for run in runs:
        chains, n_draws = run.sizes["chain"], run.sizes["chain"] * run.sizes["draw"]
        part = with_chains(every.isel(draw=slice(done, done + n_draws)), chains)
        parts.append((part.drop_vars("order"), part["order"].to_numpy()))
        done += n_draws
    return parts


def with_chains(draws: xr.Dataset, chains: int) -> xr.Dataset:
    """Return the draws, in their order, as so many chains of equal length."""
    arrays = {name: (array.dims, array.to_numpy()) for name, array in draws.data_vars.items()}
    return xr.Dataset({name: (dims, a.reshape(chains, -1, *a.shape[2:])) for name, (dims, a) in arrays.items()})


def against_enumeration(name: str, who: str) -> tuple[list[str], bool]:
    """Sample the posterior of ten samples; return the numbers of a line and whether they agree."""
    at, (n_draws, tune) = problem(name), LENGTHS[who]
    draws = label_free_draws(SAMPLERS[who](at, draws=n_draws, tune=tune, chains=CHAINS, seed=0), at)
    (rhat, ess), (gap, where) = extremes(draws), largest_gap(draws, exact_means(at))
    agrees = rhat <= MAX_RHAT and gap <= MOST_ERRORS
    return [f"{rhat:.4f}", "", "exact", f"{ess:.0f}", "", "", f"{gap:.1f}", where], agrees


def main(
    only: Annotated[str, typer.Option(help="Part of a line's name, such as lsat7 or Gibbs; default: all.")] = "",
) -> None:
    """Compare posteriors with long Gibbs runs and with enumeration: R-hat, and gaps in Monte Carlo standard errors.

    Each line is printed at once, then the table. The exit code is 0 if all agree, else 1; it is 2 for bad input.
    """
    runs = {f"{case.data}, K = {case.n_components}": partial(against_long_run, case) for case in CASES}
    runs |= {f"{case}, NUTS": partial(of_many_samples, case) for case in MANY}
    runs |= {f"{name}, n = 10, {who}": partial(against_enumeration, name, who) for name, who in SMALL}
    names = list(runs)
    if not (runs := {name: run for name, run in runs.items() if only in name}):
        raise typer.BadParameter(f"only must be part of one of {'; '.join(names)}, got {only!r}")
    begun, console, passed = perf_counter(), new_console(), []
    console.width = max(console.width, 150)
    table = Table(title="Posteriors against long Gibbs runs and enumeration; gaps in Monte Carlo standard errors")
    for head in HEADS:
        table.add_column(head)
    for name, run in runs.items():
        numbers, agrees = run()
        passed.append(agrees)
        line = [name, *numbers, "yes" if agrees else "NO"]
        console.print("  ".join(filter(None, line)), f"{perf_counter() - begun:.0f} s", style="dim", highlight=False)
        table.add_row(*line)
    console.print(table)
    raise typer.Exit(0 if all(passed) else 1)


if __name__ == "__main__":
    typer.run(main)
