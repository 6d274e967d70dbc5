"""Run samplers on many simulated data sets: NUTS, compiled once, and the Gibbs sampler, on all data sets at once."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from comparisons.calibration.simulations import Setting, Simulation, quantities, rank_of_first, simulate
from comparisons.family import Point
from em.families import conjugate_mixture
from em.gibbs import sweeps
from em.process.blas import one_blas_thread

TUNE, DRAWS, THIN = 150, 300, 3
GIBBS_TUNE, GIBBS_DRAWS, GIBBS_THIN = 300, 2000, 20
_simulator: "_Simulator"  # set in each worker process


@dataclass(frozen=True, eq=False)
class Ranks:
    """Ranks of the truth among the draws of one simulation, in (0, 1), with ESS and divergences of the sampler."""

    ranks: dict[str, float]
    ess: float
    n_divergent: int = 0


def _ranked(setting: Setting, simulation: Simulation, draws: Point, rng: Any, n_divergent: int = 0) -> Ranks:
    """Rank the truth among draws (L, ...)."""
    import arviz as az  # slow to import; a process without NUTS does not need it

    truth = simulation.truth.arrays()
    points = {name: np.concatenate([truth[name][None], values]) for name, values in draws.items()}
    values_of = quantities(setting, simulation, points)
    ranks = {name: rank_of_first(values, rng) for name, values in values_of.items()}
    varying = np.array([values[1:] for values in values_of.values() if np.ptp(values[1:]) > 0])
    ess = az.ess(varying[:, None], method="bulk", chain_axis=1, draw_axis=2)
    return Ranks(ranks, float(np.min(ess)), n_divergent)


class _Simulator:
    """Simulate data sets of one setting in one process; the density is compiled once."""

    def __init__(self, setting: Setting, nuts: bool, jacobian: bool) -> None:
        self.setting, self.density = setting, None
        if nuts:
            from comparisons.posterior.densities import UnconstrainedDensity, without_c_compiler

            rng = np.random.RandomState(0)
            X = setting.simulate(setting.draw(rng), rng)
            with without_c_compiler:
                model = setting.family.build_marginal_model(X, setting.n_components, setting.prior)
                self.density = UnconstrainedDensity(model, jacobian=jacobian, any_data=True)

    def run(self, seed: int) -> tuple[Simulation, Ranks | None]:
        """Simulate data, fit them by EM, and draw by NUTS if it is asked for."""
        rng = np.random.RandomState(seed)
        with one_blas_thread():
            simulation = simulate(self.setting, rng)
            if self.density is None:
                return simulation, None
            from comparisons.posterior import sample_chain

            given = self.density.given(np.nan_to_num(simulation.X))
            start, sampler_seed = simulation.reference.inside(), int(rng.randint(2**31))
            draws, stats = sample_chain(given, start, draws=DRAWS, tune=TUNE, seed=sampler_seed)
            thinned = {name: values[THIN - 1 :: THIN] for name, values in draws.items()}
            return simulation, _ranked(self.setting, simulation, thinned, rng, int(stats["diverging"].sum()))


def simulations(
    setting: Setting, seeds: Sequence[int], nuts: bool, jacobian: bool, workers: int
) -> Iterator[tuple[Simulation, Ranks | None]]:
    """Yield the simulation of each seed, with the ranks among draws of NUTS, from this process or several ones."""
    if workers == 1:
        yield from map(_Simulator(setting, nuts, jacobian).run, seeds)
        return
    context = multiprocessing.get_context("spawn")  # a fork would share JAX's threads
    with ProcessPoolExecutor(workers, context, _start_worker, (setting, nuts, jacobian)) as pool:
        yield from pool.map(_run_in_worker, seeds)  # an interrupt cancels simulations that have not begun


def _start_worker(*settings: Any) -> None:
    global _simulator
    _simulator = _Simulator(*settings)


def _run_in_worker(seed: int) -> tuple[Simulation, Ranks | None]:
    return _simulator.run(seed)


def gibbs_ranks(setting: Setting, simulated: Sequence[Simulation], random_state: int) -> list[Ranks]:
    """Run one Gibbs chain for each simulation, all at once, from EM's most probable labels; rank the truths."""
    rng, family = np.random.RandomState(random_state), setting.family
    mixtures = [conjugate_mixture(one.X, setting.prior, **family.of_conjugate) for one in simulated]
    mixture = type(mixtures[0]).stacked(mixtures)
    z = np.stack([family.e_step(one.X, one.reference)[0].argmax(axis=1) for one in simulated])
    with one_blas_thread():
        walk = sweeps(mixture, z, setting.n_components, rng)
        kept = list(islice(walk, GIBBS_TUNE, GIBBS_TUNE + GIBBS_DRAWS, GIBBS_THIN))
        draws = {name: np.stack([sweep[name] for sweep in kept], axis=1) for name in family.parameter_names}
        return [
            _ranked(setting, one, {name: values[chain] for name, values in draws.items()}, rng)
            for chain, one in enumerate(simulated)
        ]
