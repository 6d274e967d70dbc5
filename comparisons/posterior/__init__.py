"""Compute PyMC's results: the mode by `find_MAP`, and posterior draws by NUTS.

Every density, gradient and draw comes from the PyMC models. EM's estimates are used as starting points only.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from comparisons.alignment.component_draws import tree_of
from comparisons.posterior.densities import Point, Scale, UnconstrainedDensity
from comparisons.posterior.nuts import Chain
from comparisons.posterior.tuning import TARGET_ACCEPT, tuning_of
from em.process.process_wide import without_expected_warnings
from models.validation import Array, count_at_least, count_at_least_one, number_between

FIND_MAP_FTOL = 1e-15
Progress = Callable[[int, int], None] | None  # takes the number of draws done and that of all draws


def find_map(model: Any, start: Point) -> Point:
    """Return the mode of the density over the declared quantities, found by PyMC from ``start``.

    PyTensor interprets the density: a few hundred evaluations take less time than a compilation by JAX.
    """
    with without_expected_warnings:  # the checks judge convergence
        tree = pm.find_MAP(
            initvals=start,
            model=model,
            compile_kwargs={"mode": "FAST_COMPILE"},
            jitter=False,
            return_inferencedata=True,
            progressbar=False,
            gtol=1e-10,
            ftol=FIND_MAP_FTOL,
            maxiter=100_000,
            maxfun=1_000_000,
        )
    return {name: tree.posterior[name].to_numpy()[0, 0] for name in start}


def sample(
    model: Any,
    starts: Point | Sequence[Point],
    *,
    draws: int,
    chains: int,
    seed: int,
    tune: int | None = None,
    max_depth: int | None = None,
    target_accept: float = TARGET_ACCEPT,
    progress: Progress = None,
    density: UnconstrainedDensity | None = None,
) -> xr.DataTree:
    """Draw from the posterior of a marginal model by NUTS (nutpie, JAX).

    Each chain runs on its own whitened scale v, where u = û + R v is the unconstrained vector, û the chain's start and
    R R' the inverse of the information there (:mod:`comparisons.posterior.nuts`). Near a mode û the posterior of v is
    close to a standard normal, in whatever order the start has its components. û and R affect where chains start and
    how fast they move, and not the target, which is PyMC's density. Each chain has a thread of its own; the draws do
    not depend on that.

    A chain moves to a second mode only by chance, and may stay there for a hundred draws (as on the galaxies). R-hat
    and ESS then ask for more draws.

    Parameters
    ----------
    model : pymc.Model
        A marginal model with a proper prior.
    starts : dict or sequence of dict
        Declared quantities at or near a posterior mode: one for each chain, or one for all. R-hat is most informative
        if chains start at different modes, with labels in different orders.
    draws, chains : int
        Draws kept of each chain, and number of chains.
    seed : int
        The same seed gives the same draws.
    tune : int or None, default None
        Warm-up draws of each chain. ``None`` takes 150 if the posterior is nearly normal, else 1,000
        (:mod:`comparisons.posterior.tuning`).
    max_depth : int or None, default None
        Largest depth of NUTS's trees, of at most 2^depth - 1 steps. ``None`` takes 10, but if the posterior is nearly
        normal 2, or 3 with more than 60 parameters or a ``target_accept`` above 0.8.
    target_accept : float, default 0.8
        Mean acceptance probability that NUTS adapts step sizes to, between 0 and 1. Try 0.9 if transitions diverge.
    progress : callable or None
        Called with the number of draws done and the number of all draws, of all chains together, warm-up included. If
        it raises an error, the chains stop, and the error is raised.
    density : UnconstrainedDensity or None
        The model's compiled density, with its Jacobian; None compiles it.

    Raises
    ------
    ValueError
        If a number is out of range, the number of starts is neither 1 nor that of the chains, or a start lies on the
        boundary, such as probs of 0 or 1.
    NotFiniteError
        A RuntimeError: the density is not finite where chains start.
    Interrupted
        On Ctrl-C: a KeyboardInterrupt that holds the draws made so far.

    Examples
    --------
    >>> from comparisons.posterior import sample
    >>> from models.bmm import BMMPrior, build_marginal_model
    >>> model = build_marginal_model([[1], [0], [1]], 1, BMMPrior(successes=1, failures=1))
    >>> tree = sample(model, {"weights": [1.0], "probs": [[0.6]]}, draws=300, chains=1, seed=0)
    >>> abs(tree["posterior"]["probs"].mean().item() - 3 / 5) < 0.1
    True
    """
    for name, value in {"draws": draws, "chains": chains, "tune": tune, "max_depth": max_depth}.items():
        if value is not None:
            count_at_least_one(name, value)
    count_at_least("seed", seed, 0)
    number_between("target_accept", target_accept, 0, 1)
    points = [starts] if isinstance(starts, dict) else list(starts)
    if len(points) not in (1, chains):
        raise ValueError(f"starts must be one point or {chains}, one for each chain, got {len(points)}")
    density = UnconstrainedDensity(model, jacobian=True) if density is None else density
    of_points = [_scale(density, point) for point in points]
    tuning = tuning_of(density, of_points, seed, target_accept, tune, max_depth)
    settings = {"draws": draws, "target_accept": target_accept} | tuning._asdict()
    seeds = np.random.SeedSequence(seed).generate_state(chains).tolist()
    drawn, interrupted = _run(density, of_points * (chains // len(points)), seeds, settings, progress)
    kept, length = _longest(np.array([len(u) for u, _ in drawn], dtype=int))
    if not length:
        raise Interrupted(None)
    u = np.stack([drawn[chain][0][:length] for chain in kept])
    values = density.constrain(u.reshape(-1, density.size))
    posterior = {name: value.reshape(*u.shape[:2], *value.shape[1:]) for name, value in values.items()}
    stats = {name: np.stack([drawn[chain][1][name][:length] for chain in kept]) for name in drawn[0][1]}
    coords = {dim: np.array(values) for dim, values in model.coords.items()}
    tree = tree_of(posterior, stats, model.named_vars_to_dims, coords)
    tree["sample_stats"].attrs |= {"tuning_steps": tuning.tune, "max_depth": tuning.max_depth}
    if interrupted:
        raise Interrupted(tree)
    return tree


def sample_chain(
    density: UnconstrainedDensity, start: Point, *, draws: int, tune: int, seed: int
) -> tuple[Point, dict[str, np.ndarray]]:
    """Draw one chain from a compiled density, as :func:`sample` does; for many posteriors of one compilation.

    Parameters
    ----------
    density : UnconstrainedDensity
        Made with ``jacobian=True``; if made for ``any_data``, what its ``given`` returned.
    start : dict
        Declared quantities at or near a posterior mode.
    draws, tune : int
        Draws kept and warm-up draws.
    seed : int
        The same seed gives the same draws.

    Returns
    -------
    draws : dict of ndarray, shapes (draws, ...)
        Declared quantities by name.
    sample_stats : dict of ndarray, shape (draws,)
        nutpie's statistics of each draw by name.

    Raises
    ------
    KeyboardInterrupt
        On an interrupt; the draws are lost.
    """
    scale = _scale(density, start)
    tuning = tuning_of(density, [scale], seed, tune=tune)
    settings = {"draws": draws, "target_accept": TARGET_ACCEPT} | tuning._asdict()
    ((u, stats),), interrupted = _run(density, [scale], [seed], settings, None)
    if interrupted:
        raise KeyboardInterrupt
    return density.constrain(u), stats


def _scale(density: UnconstrainedDensity, start: Point) -> Scale:
    """Return the start û of a chain, shape (p,), and the scale R of its v, shape (p, p)."""
    with np.errstate(divide="ignore"):
        origin = density.unconstrain(start)
    if not np.isfinite(origin).all():
        parts = zip(density.names, density.split(origin), strict=True)
        edges = " and ".join(name for name, part in parts if not np.isfinite(part).all())
        raise ValueError(f"starts must lie inside the parameter space, got {edges} on its edge: move them in")
    return origin, _inverse_root(density.information(origin))


def _run(
    density: UnconstrainedDensity, scales: list[Scale], seeds: list[int], settings: dict[str, Any], progress: Progress
) -> tuple[list[tuple[Array, dict[str, np.ndarray]]], bool]:
    """Run a chain on each scale; return their draws with statistics, and whether they were interrupted."""
    done, raised = np.zeros(len(scales), dtype=int), list[Exception]()
    total = len(scales) * (settings["tune"] + settings["draws"])

    def count(chain: int, n_done: int) -> None:  # runs in nutpie's thread, so an error is stored and raised later
        done[chain] = n_done
        if progress is not None and not raised:
            try:
                progress(int(done.sum()), total)
            except Exception as error:
                raised.append(error)

    chains: list[Chain] = []
    interrupted = False
    try:
        for index, (scale, seed) in enumerate(zip(scales, seeds, strict=True)):
            own = partial(count, index) if progress else None
            chains.append(Chain(density, scale, seed, own, **settings))
        for chain in chains:
            chain.wait(unless=(lambda: bool(raised)) if progress else None)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        for chain in chains:
            chain.stop()
    if raised:
        raise raised[0]
    return [chain.drawn() for chain in chains], interrupted


class Interrupted(KeyboardInterrupt):
    """Sampling was interrupted.

    Attributes
    ----------
    draws : DataTree or None
        The draws made so far, in chains of one length; None if no chain had ended its warm-up.
    """

    def __init__(self, draws: xr.DataTree | None) -> None:
        super().__init__("sampling was interrupted")
        self.draws = draws


def _longest(done: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the chains to keep, and their common length, such that the number of kept draws is largest."""
    length = max(done.tolist(), key=lambda m: m * (done >= m).sum(), default=0)
    return np.flatnonzero(done >= max(length, 1)), length


def _inverse_root(information: Array) -> Array:
    """Return R with R R' = information⁻¹; negative eigenvalues are replaced by their absolute values."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))  # makes the result independent of units of X
    values, vectors = np.linalg.eigh(information * np.outer(scale, scale))
    values = np.maximum(np.abs(values), 1e-6 * np.abs(values).max())
    return scale[:, None] * vectors / np.sqrt(values)
