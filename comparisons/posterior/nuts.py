"""One chain on a whitened posterior, in nutpie, by NUTS or by turns: :mod:`comparisons.posterior` runs several.

Turns are steps of split Hamiltonian Monte Carlo. The energy is that of a standard normal, |v|²/2 + |p|²/2, whose flow
turns (v, p) into (v cos t + p sin t, p cos t - v sin t), and the rest, whose flow adds t r(v) to p, where
r = ∇ log density + v. From a momentum p ~ N(0, I) a step of size t adds (t/2) r(v) to p, turns by t, and adds
(t/2) r(v) at the new v. Of a normal posterior r = 0, and steps of any size keep the energy.

Quarter turns: t = π/2, and each draw is one step,

    p ← p + (π/4) r(v),   (v, p) ← (p, -v),   p ← p + (π/4) r(v),

accepted or not as ever. Of a normal posterior draws are independent, for one gradient each.

Eighth turns: t = π/4, and each draw takes three steps, as NUTS does whose tree stops when it has doubled twice: one,
ahead or back in time, then two more, ahead or back. Of the four points nutpie prefers the later two, and of a normal
posterior takes one of them: 2 or 3 steps from v if both doublings go the same way, 1 or 2 if not. The cosines of these
angles have mean 0, which is the correlation of v, and their squares mean 1/4, which is that of |v|².

NUTS takes leapfrog steps, three or seven for most draws, and keeps so much of the energy from draw to draw that the
log-likelihood has an ESS of about 0.37 for each. How near to normal the posterior is decides
(:func:`trajectories_for`): NUTS with turns for its steps lost part of a tail of the galaxies, whose posterior is far
from normal, so that a mean was six Monte Carlo errors off, and R-hat did not see it.

All work in nutpie's scales of v, which warm-up moves from 1 only as far as the posterior is not normal.

References
----------
Hoffman & Gelman (2014), The No-U-turn sampler, JMLR 15, 1593-1623.
Shahbaba, Lan, Johnson & Neal (2014), Split Hamiltonian Monte Carlo, Statistics and Computing 24, 339-349.
"""

import ctypes
import importlib.util
import math
import sys
import threading
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from comparisons.posterior.densities import UnconstrainedDensity
from models.validation import Array

NUTS, EIGHTH_TURNS, QUARTER_TURNS = "NUTS", "eighth turns", "quarter turns"
TURNS = {QUARTER_TURNS: (1, math.pi / 2), EIGHTH_TURNS: (2, math.pi / 4)}  # depth of trees, size of steps
FAR = 3.0  # standard deviations
NEAR = {QUARTER_TURNS: 0.5, EIGHTH_TURNS: 1.2}  # most nats of departure, the nearest first


class Chain:
    """A chain that begins to draw when it is made, in a thread of its own, and must be waited for or stopped.

    Parameters
    ----------
    density : UnconstrainedDensity
        Target.
    origin : ndarray, shape (p,)
        û, where the chain starts.
    root : ndarray, shape (p, p)
        R: the chain runs on v, where u = û + R v.
    seed : int
        The same seed gives the same draws.
    draws, tune : int
        Draws kept and warm-up draws.
    target_accept : float
        Mean acceptance probability that the step size of NUTS is adapted to.
    trajectories : {"NUTS", "eighth turns", "quarter turns"}
        How a draw is made from the one before.
    progress : callable or None
        Called with the number of draws done so far, warm-up included.
    """

    def __init__(
        self,
        density: UnconstrainedDensity,
        origin: Array,
        root: Array,
        seed: int,
        *,
        draws: int,
        tune: int,
        target_accept: float,
        trajectories: str = NUTS,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._origin, self._root, self._trajectories = origin, root, trajectories
        self._trace: Any = None
        settings = {"num_draws": draws, "num_tune": tune, "target_accept": target_accept, "num_chains": 1}
        self._sampler = _nutpie()._BackgroundSampler(  # sample() has no argument for turns
            _whitened(density, origin, root, _signs if trajectories in TURNS else _normal),
            _settings(seed, settings, trajectories),
            init_mean=np.zeros(density.size),
            cores=1,
            progress_bar=False,
            progress_callback=None if progress is None else lambda chains: progress(chains[0].finished_draws),
            return_raw_trace=True,
        )

    def wait(self) -> None:
        """Wait until all is drawn, if it is not yet; raise a RuntimeError if that cannot be."""
        if self._trace is not None:
            return
        try:
            self._trace = self._sampler.wait()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # nutpie's panics are no Exception
            told = " ".join(str(error).partition("Stack backtrace")[0].split())
            raise RuntimeError(
                f"the density must be finite near starts to be drawn from; nutpie says: {told}"
            ) from error

    def stop(self) -> None:
        """Stop, unless all is drawn, and keep what is; a further interrupt waits for the draw that is under way."""
        while self._trace is None:
            try:
                self._trace = self._sampler.abort()
            except KeyboardInterrupt:
                continue
            except BaseException:  # it failed, as wait() said
                return

    def drawn(self) -> tuple[Array, dict[str, np.ndarray]]:
        """Return u (draws, p) and, by name, what nutpie says of each draw, (draws,)."""
        import pyarrow

        (draws,), (about,) = self._trace.get_arrow_trace()
        columns = {name: pyarrow.array(about.column(name)) for name in about.column_names}
        plain = {
            name: np.asarray(column)
            for name, column in columns.items()
            if pyarrow.types.is_primitive(column.type) and name not in ("chain", "draw")
        }
        kept = ~plain.pop("tuning").astype(bool)
        if self._trajectories in TURNS:
            del plain["maxdepth_reached"]  # trees of turns reach it each time, which is no warning
        v = np.asarray(pyarrow.array(draws.column("v")).flatten()).reshape(-1, len(self._origin))
        return self._origin + v[kept] @ self._root.T, {name: values[kept] for name, values in plain.items()}


def departure(density: UnconstrainedDensity, origin: Array, root: Array) -> float:
    """Return how far the log density, 3 standard deviations off along each axis of v, is from a normal's at most."""
    top, _ = density.value_and_gradient(origin)
    steps = (side * FAR * axis for axis in root.T for side in (1, -1))
    falls = np.array([top - density.value_and_gradient(origin + step)[0] for step in steps])
    return float(np.abs(falls - FAR**2 / 2).max())


def trajectories_for(departures: Sequence[float]) -> str:
    """Return the trajectories for a posterior that departs from a normal by so many nats about each start."""
    most = np.max(departures)  # NaN where one is, which no bound allows
    return next((name for name, bound in NEAR.items() if most <= bound), NUTS)


def _settings(seed: int, settings: dict[str, Any], trajectories: str) -> Any:
    """Return nutpie's settings: those of turns are of a fixed size, by the normal's flow, in trees of a fixed depth."""
    from nutpie._lib import PyNutsSettings

    found = PyNutsSettings.Diag(seed)
    found.update(settings)
    if trajectories == NUTS:
        return found
    depth, size = TURNS[trajectories]
    every = found.as_dict()["settings"]
    every |= {"maxdepth": depth, "check_turning": False, "trajectory_kind": "ExactNormal"}
    steps = every["adapt_options"]["step_size_settings"]
    steps["jitter"], steps["adapt_options"]["method"] = None, {"Fixed": size}
    found.update_settings(every)
    return found


def _nutpie() -> Any:
    """Return nutpie's samplers, imported without ArviZ, which takes longer to import than many a posterior to draw.

    nutpie needs it to convert a trace, which is not asked for here; what stands for it loads it when it is used.
    """
    if "nutpie" in sys.modules or "arviz" in sys.modules:
        return importlib.import_module("nutpie.sample")
    stand_in: Any = ModuleType("arviz")
    stand_in.__spec__ = importlib.util.find_spec("arviz")

    def when_used(name: str) -> Any:
        if sys.modules.get("arviz") is stand_in:
            raise AttributeError(f"arviz.{name} is not there while nutpie is imported")
        return getattr(importlib.import_module("arviz"), name)

    stand_in.__getattr__ = when_used
    sys.modules["arviz"] = stand_in
    try:
        return importlib.import_module("nutpie.sample")
    finally:
        del sys.modules["arviz"]


def _normal(seed: int, size: int) -> Array:
    """Return a draw of v ~ N(0, I)."""
    return np.random.default_rng(seed).normal(size=size)


def _signs(seed: int, size: int) -> Array:
    """Return 1 or -1 in each place, where a standard normal's gradient has size 1.

    nutpie's first scales are one over the gradient, and steps of a fixed size need them right from the start.
    """
    return np.random.default_rng(seed).choice(np.array([-1.0, 1.0]), size)


def _whitened(density: UnconstrainedDensity, origin: Array, root: Array, first: Callable[[int, int], Array]) -> Any:
    """Return the density of v, where u = origin + root v, as nutpie takes it, with the v that a seed starts from."""
    from nutpie.compiled_pyfunc import from_pyfunc

    def log_density(v: Array) -> tuple[float, Array]:
        value, gradient = density.value_and_gradient(origin + root @ v)
        return value, gradient @ root

    return from_pyfunc(
        ndim=density.size,
        make_logp_fn=lambda: _keeping_thread_state(log_density),
        make_expand_fn=lambda *seeds: lambda v: {"v": np.asarray(v)},
        expanded_dtypes=[np.dtype(np.float64)],
        expanded_shapes=[(density.size,)],
        expanded_names=["v"],
        make_initial_point_fn=lambda chain_seed: first(chain_seed, density.size),
    )


def _keeping_thread_state(function: Callable[[Array], Any]) -> Callable[[Array], Any]:
    """Return the function, which keeps the state that Python and JAX have for a thread of nutpie's from call to call.

    Threads that Python did not start get a new state at every call and lose it after, which takes longer than a small
    gradient. One more `PyGILState_Ensure` makes it stay; some kilobytes are left behind for each chain.
    """
    thread = threading.local()

    def kept(v: Array) -> Any:
        if not hasattr(thread, "attached"):
            thread.attached = ctypes.pythonapi.PyGILState_Ensure()
        return function(v)

    return kept
