"""Draw from the posterior by NUTS, and align the labels of the draws to EM's estimate."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from comparisons.alignment import align, order_of
from comparisons.alignment.component_draws import with_labels
from comparisons.comparison.density_checks import Densities
from comparisons.comparison.estimates import stack
from comparisons.comparison.fits import Fits, fit_map
from comparisons.comparison.problem import Problem, Settings
from comparisons.family import Point
from em import NoMaximumWarning, NotIdentifiableWarning
from em.status import left_to_the_status
from models.validation import Array


class NoDrawsError(ValueError):
    """The posterior density overflows float64 near the MAP, which shows only when a chain starts."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Posterior draws.

    Attributes
    ----------
    posterior : DataTree
        Draws aligned to EM's estimate, with log_likelihood, sample_stats and observed_data.
    unaligned : Dataset
        The draws before alignment.
    pointwise : ndarray, shape (chain, draw, n)
        log p(x_i | θ) of each draw.
    log_prior : ndarray, shape (chain, draw)
        log p(θ) of each draw.
    """

    posterior: xr.DataTree
    unaligned: xr.Dataset
    pointwise: Array
    log_prior: Array

    @property
    def aligned(self) -> xr.Dataset:
        """The aligned parameters."""
        return self.posterior["posterior"].to_dataset()

    @property
    def stacked(self) -> dict[str, Array]:
        """The aligned parameters by name, shapes (chain * draw, ...)."""
        return stack(self.aligned)

    def best(self, log_density: Array, like: Any) -> Any:
        """Return the draw of the greatest density, an array (chain, draw), as parameters of the type of ``like``."""
        densest = log_density.argmax()
        return replace(like, **{name: array[densest] for name, array in self.stacked.items()})

    def aligned_to(self, parameters: Any) -> "Draws":
        """Return the same draws aligned to other parameters."""
        return replace(self, posterior=align(self.posterior, "pivot", reference=parameters))

    def in_order(self, parameters: Any) -> Any:
        """Return parameters with their components in the order of the aligned draws."""
        return parameters.permute(order_of(parameters, self.posterior))


def draw(fits: Fits, densities: Densities, advance_to: Callable[[int, int], None]) -> Draws:
    """Draw from the posterior by NUTS and align the labels.

    Raises
    ------
    NoDrawsError
        If the density is not finite where chains start.
    Interrupted
        On Ctrl-C; it holds the aligned draws made so far.
    """
    from comparisons.posterior import Interrupted
    from comparisons.posterior.nuts import NotFiniteError

    try:
        tree = sampled(fits, densities.marginal, fits.map.parameters_, advance_to, densities.unconstrained)
    except Interrupted as interrupt:
        if interrupt.draws is not None:
            interrupt.draws = aligned(fits, densities, interrupt.draws).posterior
            interrupt.draws.attrs["note"] = "sampling was interrupted"
        raise
    except NotFiniteError as error:
        raise NoDrawsError(
            "prior must have numbers not too far from those of weakly_informative(), or its defaults, for float64 to "
            f"hold the posterior: {error}"
        ) from error
    try:
        return aligned(fits, densities, tree)
    except KeyboardInterrupt:  # it takes seconds
        raise Interrupted(aligned(fits, densities, tree).posterior) from None


def sampled_from_map(problem: Problem, advance_to: Callable[[int, int], None]) -> xr.DataTree:
    """Fit the MAP by EM, and return NUTS's draws from chains that start there, not aligned."""
    with left_to_the_status():
        mode = fit_map(problem, random_state=problem.settings.random_state).parameters_
    model = problem.family.build_marginal_model(problem.X, problem.n_components, problem.prior)
    return sampled(problem, model, mode, advance_to)


def sampled(
    problem: Problem, model: Any, mode: Any, advance_to: Callable[[int, int], None], density: Any = None
) -> xr.DataTree:
    """Return NUTS's draws from a problem's marginal model, with the problem's settings, not aligned.

    ``mode`` is EM's MAP. ``density`` is the model's compiled density, if there is one.
    """
    from comparisons.posterior import sample

    settings, starts = problem.settings, chain_starts(problem, mode)
    sizes = {name: getattr(settings, name) for name in ("draws", "tune", "max_depth", "chains", "target_accept")}
    known = {"seed": settings.random_state, "progress": advance_to, "density": density}
    return sample(model, starts, **sizes, **known)


def settings_used(settings: Settings, draws: Draws) -> Settings:
    """Return settings with the warm-up and the depth of trees that were chosen where they left them open."""
    chosen = draws.posterior["sample_stats"].attrs
    return replace(settings, tune=chosen["tuning_steps"], max_depth=chosen["max_depth"])


def chain_starts(problem: Problem, mode: Any) -> list[Point]:
    """Return the start of each chain, inside the parameter space.

    With ``starts="restarts"``, each chain has ``n_init`` restarts of MAP-EM of its own, and starts at the best of them,
    with labels in random order; so R-hat can detect other modes. If all of them collapse, the chain starts at the MAP.
    With ``starts="single"`` all chains start at the MAP.

    Parameters
    ----------
    problem : Problem
        Data, prior and settings.
    mode : parameters
        EM's MAP.
    """
    settings = problem.settings
    if settings.starts == "single":
        return [mode.inside()] * settings.chains
    rng, starts = np.random.default_rng(settings.random_state), []
    of_em = {"prior": problem.prior, "n_init": settings.n_init, "max_iter": 100_000}
    for seed in rng.integers(2**32, size=settings.chains):
        with left_to_the_status(NotIdentifiableWarning, NoMaximumWarning):
            fit = problem.fit_by_em(random_state=int(seed), **of_em)
        restart = mode if fit.collapsed_ else fit.parameters_
        starts.append(restart.permute(rng.permutation(problem.n_components)).inside())
    return starts


def aligned(fits: Fits, densities: Densities, tree: xr.DataTree) -> Draws:
    """Align draws, and compute their log-likelihood and log prior."""
    unaligned = tree["posterior"].to_dataset()[list(fits.map.parameters_.arrays())]
    pointwise, log_prior = densities.marginal_density.of_draws(unaligned)
    observed = xr.Dataset({"x": (("obs", "feature"), fits.X)})
    unaligned, observed = (with_labels(group, fits.labels) for group in (unaligned, observed))
    groups = {
        "posterior": unaligned,
        "log_likelihood": xr.Dataset({"x": (("chain", "draw", "obs"), pointwise)}, {"obs": np.arange(len(fits.X))}),
        "sample_stats": tree["sample_stats"].to_dataset(),
        "observed_data": observed,
    }
    posterior = align(xr.DataTree.from_dict(groups), "pivot", reference=fits.mode)
    return Draws(posterior, unaligned, pointwise, log_prior)
