"""The samplers of a calibration, on many data sets: NUTS with one compilation, and the Gibbs sampler, all at once."""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from comparisons.calibration.simulations import Setting, World, place_of_first, quantities, simulate_world, with_truth
from comparisons.family import Point
from em.families import conjugate_mixture
from em.gibbs import sweeps
from em.process.blas import one_blas_thread

TUNE, DRAWS, THIN = 150, 300, 3
GIBBS_TUNE, GIBBS_DRAWS, GIBBS_THIN = 300, 2000, 20
_simulator: "_Simulator"  # of a worker process


def has_gibbs(setting: Setting) -> bool:
    """Whether the Gibbs sampler draws from the setting's posterior."""
    return setting.family.is_conjugate(setting.prior, missing=setting.share_missing > 0)


@dataclass(frozen=True, eq=False)
class Chain:
    """Where the truth lies among the draws of one simulation, and what the sampler says of itself."""

    places: dict[str, float]
    ess: float
    n_divergent: int = 0


def _look(setting: Setting, world: World, draws: Point, thin: int, rng: Any, n_divergent: int = 0) -> Chain:
    """Compare the truth with every ``thin``-th draw."""
    import arviz as az  # slow to import, and a process without NUTS does not need it

    kept = {name: values[thin - 1 :: thin] for name, values in draws.items()}
    found = quantities(setting, world, with_truth(world, kept))
    places = {name: place_of_first(values, rng) for name, values in found.items()}
    varying = np.array([values[1:] for values in found.values() if np.ptp(values[1:]) > 0])
    ess = az.ess(varying[:, None], method="bulk", chain_axis=1, draw_axis=2)
    return Chain(places, float(np.min(ess)), n_divergent)


class _Simulator:
    """Simulations of one setting, in one process: the density is compiled once."""

    def __init__(self, setting: Setting, nuts: bool, jacobian: bool) -> None:
        self.setting, self.density = setting, None
        if nuts:
            from comparisons.posterior.densities import UnconstrainedDensity, without_c_compiler

            rng = np.random.RandomState(0)
            X = setting.simulate(setting.draw(rng), rng)
            with without_c_compiler():
                model = setting.family.build_marginal_model(X, setting.n_components, setting.prior)
                self.density = UnconstrainedDensity(model, jacobian=jacobian, any_data=True)

    def run(self, seed: int) -> tuple[World, Chain | None]:
        """Simulate, fit by EM and, where NUTS is asked for, draw."""
        rng = np.random.RandomState(seed)
        with one_blas_thread():
            world = simulate_world(self.setting, rng)
            if self.density is None:
                return world, None
            from comparisons.posterior import sample_chain

            given, start = self.density.given(np.nan_to_num(world.X)), self.setting.family.inside(world.reference)
            draws, stats = sample_chain(given, start, draws=DRAWS, tune=TUNE, seed=int(rng.randint(2**31)))
            return world, _look(self.setting, world, draws, THIN, rng, n_divergent=int(stats["diverging"].sum()))


@contextmanager
def runner(setting: Setting, nuts: bool, jacobian: bool, workers: int) -> Iterator[Callable[[int], Callable[[], Any]]]:
    """Yield what takes a seed and returns what waits for that simulation: in this process, or in several."""
    if workers == 1:
        simulator = _Simulator(setting, nuts, jacobian)
        yield lambda seed: partial(simulator.run, seed)
        return
    context = multiprocessing.get_context("spawn")  # a fork would share JAX's threads
    with ProcessPoolExecutor(workers, context, _start_worker, (setting, nuts, jacobian)) as pool:
        try:
            yield lambda seed: pool.submit(_run_in_worker, seed).result
        finally:  # on an interrupt simulations that have not begun never do
            pool.shutdown(cancel_futures=True)


def _start_worker(*settings: Any) -> None:
    global _simulator
    _simulator = _Simulator(*settings)


def _run_in_worker(seed: int) -> tuple[World, Chain | None]:
    return _simulator.run(seed)


def gibbs_chains(setting: Setting, worlds: list[World], random_state: int) -> list[Chain]:
    """Run one chain of the Gibbs sampler on the data of each world, all at once, from EM's most probable labels."""
    rng, size = np.random.RandomState(random_state), setting.family.of_data
    mixtures = [conjugate_mixture(world.X, setting.prior, **size) for world in worlds]
    mixture = type(mixtures[0]).stacked(mixtures)
    z = np.stack([setting.family.e_step(world.X, world.reference)[0].argmax(axis=1) for world in worlds])
    with one_blas_thread():
        kept = islice(sweeps(mixture, z, setting.n_components, rng), GIBBS_TUNE, GIBBS_TUNE + GIBBS_DRAWS, GIBBS_THIN)
        draws = [[sweep[name] for name in setting.family.parameter_names] for sweep in kept]
        stacked = [np.stack(values, axis=1) for values in zip(*draws, strict=True)]
        points = [
            dict(zip(setting.family.parameter_names, of_chain, strict=True)) for of_chain in zip(*stacked, strict=True)
        ]
        return [_look(setting, world, point, 1, rng) for world, point in zip(worlds, points, strict=True)]
