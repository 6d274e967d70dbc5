"""PyMC's answers: its mode by `find_MAP`, and draws by NUTS.

Every density, gradient and draw is computed from the PyMC models; of EM only its answers are used, as starting points.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr

from comparisons.alignment.component_draws import tree_of
from comparisons.posterior.densities import Point, UnconstrainedDensity
from comparisons.posterior.nuts import Chain
from comparisons.posterior.tuning import tuning_of
from em.process.process_wide import without_expected_warnings
from models.validation import Array, count_at_least, count_at_least_one, number_between

FIND_MAP_FTOL = 1e-15


def find_map(model: Any, start: Point) -> Point:
    """Return the mode of the density over the declared quantities, found by PyMC from ``start``.

    PyTensor interprets the density: its few hundred values take less time than JAX takes to compile it.
    """
    with without_expected_warnings:  # whether it converged is judged by the checks
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
    target_accept: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    density: UnconstrainedDensity | None = None,
) -> xr.DataTree:
    """Draw from the posterior of a marginal model by NUTS (nutpie, JAX).

    Each chain runs on its own v, where u = û + R v is the unconstrained vector, û the chain's start and R R' the
    inverse of the information there (:mod:`comparisons.posterior.nuts`): near a mode û the posterior of v is close to a
    standard normal, in whatever order the start has its components. The target is PyMC's density; û and R decide where
    chains start and how fast they move. Chains run at once, each in a thread of its own, and draws do not depend on it.
    A second mode is visited as often as a chain happens to cross over to it, in stays of a hundred draws (the
    galaxies): R-hat and ESS then ask for more draws.

    Parameters
    ----------
    model : pymc.Model
        A marginal model with a proper prior.
    starts : dict or sequence of dict
        Declared quantities at or near a posterior mode: one for each chain, or one for all. R-hat means most when
        chains start from different modes, with their labels in different orders.
    draws, chains : int
        Draws kept of each chain, and number of chains.
    seed : int
        The same seed gives the same draws.
    tune : int or None, default None
        Warm-up draws of each chain. ``None``: 300 of a posterior near normal, else 1,000
        (:mod:`comparisons.posterior.tuning`).
    target_accept : float or None, default None
        Mean acceptance probability that NUTS adapts step sizes to, between 0 and 1. ``None``: 0.65 of a posterior near
        normal, else 0.8. Where transitions diverge, try 0.9.
    progress : callable or None
        Called with the number of draws done so far, and with that of all draws, warm-up included, in all chains
        together. What it raises ends the chains, and is raised.
    density : UnconstrainedDensity or None
        That of the model with its Jacobian, where it was compiled before.

    Raises
    ------
    ValueError
        If a number is out of range, there are neither one start nor as many as chains, or one lies on the edge, such as
        probs of 0 or 1.
    NotFiniteError
        A RuntimeError, if the density is not finite where chains start.
    Interrupted
        On an interrupt (Ctrl-C); it is a KeyboardInterrupt that holds the draws so far.
    """
    for name, value in {"draws": draws, "chains": chains, "tune": tune}.items():
        if value is not None:
            count_at_least_one(name, value)
    count_at_least("seed", seed, 0)
    if target_accept is not None:
        number_between("target_accept", target_accept, 0, 1)
    points = [starts] if isinstance(starts, dict) else list(starts)
    if len(points) not in (1, chains):
        raise ValueError(f"starts must be one point or {chains}, one for each chain, got {len(points)}")
    density = UnconstrainedDensity(model, jacobian=True) if density is None else density
    of_points = [_scale(density, point) for point in points]
    settings = _settings(density, of_points, draws, tune, target_accept, seed)
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
    tree["sample_stats"].attrs |= {"tuning_steps": settings["tune"], "target_accept": settings["target_accept"]}
    if interrupted:
        raise Interrupted(tree)
    return tree


def sample_chain(
    density: UnconstrainedDensity, start: Point, *, draws: int, tune: int, seed: int
) -> tuple[Point, dict[str, np.ndarray]]:
    """Draw one chain from a compiled density, as :func:`sample` does: for many posteriors, one after another.

    Parameters
    ----------
    density : UnconstrainedDensity
        With ``jacobian=True``; of one made for ``any_data``, what ``given`` returned.
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
        On an interrupt; what was drawn is lost.
    """
    scale = _scale(density, start)
    settings = _settings(density, [scale], draws, tune, None, seed)
    ((u, stats),), interrupted = _run(density, [scale], [seed], settings, None)
    if interrupted:
        raise KeyboardInterrupt
    return density.constrain(u), stats


def _scale(density: UnconstrainedDensity, start: Point) -> tuple[Array, Array]:
    """Return the start û of a chain, shape (p,), and the scale R of its v, shape (p, p)."""
    with np.errstate(divide="ignore"):
        origin = density.unconstrain(start)
    if not np.isfinite(origin).all():
        parts = zip(density.names, density.split(origin), strict=True)
        edges = " and ".join(name for name, part in parts if not np.isfinite(part).all())
        raise ValueError(f"starts must lie inside the parameter space, got {edges} on its edge: move them in")
    return origin, _inverse_root(density.information(origin))


def _settings(
    density: UnconstrainedDensity,
    scales: list[tuple[Array, Array]],
    draws: int,
    tune: int | None,
    target_accept: float | None,
    seed: int,
) -> dict[str, Any]:
    """Return a chain's numbers of draws and the acceptance that it adapts to; what is None follows from the density."""
    if tune is None or target_accept is None:
        suited = tuning_of(density, scales, seed)
        tune = suited.tune if tune is None else tune
        target_accept = suited.target_accept if target_accept is None else target_accept
    return {"draws": draws, "tune": tune, "target_accept": target_accept}


def _run(
    density: UnconstrainedDensity,
    scales: list[tuple[Array, Array]],
    seeds: list[int],
    settings: dict[str, Any],
    progress: Callable[[int, int], None] | None,
) -> tuple[list[tuple[Array, dict[str, np.ndarray]]], bool]:
    """Run a chain on each scale; return their draws with statistics, and whether they were interrupted."""
    done, raised = np.zeros(len(scales), dtype=int), list[Exception]()
    total = len(scales) * (settings["tune"] + settings["draws"])

    def count(chain: int, n_done: int) -> None:  # in nutpie's thread, from which nothing is raised
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
            chains.append(Chain(density, *scale, seed, own, **settings))
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
        What was drawn until then, in chains of one length; None if nothing was after warm-up.
    """

    def __init__(self, draws: xr.DataTree | None) -> None:
        super().__init__("sampling was interrupted")
        self.draws = draws


def _longest(done: np.ndarray) -> tuple[np.ndarray, int]:
    """Return which chains to keep and how many draws of each: the most draws in chains of one length."""
    length = max(done.tolist(), key=lambda m: m * (done >= m).sum(), default=0)
    return np.flatnonzero(done >= max(length, 1)), length


def _inverse_root(information: Array) -> Array:
    """Return R with R R' = information⁻¹, taking the absolute value of directions that curve the wrong way."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))  # units of X must not matter
    values, vectors = np.linalg.eigh(information * np.outer(scale, scale))
    values = np.maximum(np.abs(values), 1e-6 * np.abs(values).max())
    return scale[:, None] * vectors / np.sqrt(values)
