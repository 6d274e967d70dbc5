"""One chain of NUTS on a whitened posterior, in nutpie: what :mod:`comparisons.posterior` runs several of."""

import ctypes
import importlib.util
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from comparisons.densities import UnconstrainedDensity
from models.validation import Array


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
    draws, tune : int
        Draws kept and warm-up draws.
    seed : int
        The same seed gives the same draws.
    target_accept : float
        Mean acceptance probability that the step size is adapted to.
    progress : callable or None
        Called with the number of draws done so far, warm-up included.
    """

    def __init__(
        self,
        density: UnconstrainedDensity,
        origin: Array,
        root: Array,
        *,
        draws: int,
        tune: int,
        seed: int,
        target_accept: float,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._origin, self._root = origin, root
        self._trace: Any = None
        self._sampler = _nutpie().sample(
            _whitened(density, origin, root),
            draws=draws,
            tune=tune,
            seed=seed,
            target_accept=target_accept,
            chains=1,
            cores=1,
            progress_bar=False,
            progress_callback=None if progress is None else lambda chains: progress(chains[0].finished_draws),
            return_raw_trace=True,
            blocking=False,
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
        v = np.asarray(pyarrow.array(draws.column("v")).flatten()).reshape(-1, len(self._origin))
        return self._origin + v[kept] @ self._root.T, {name: values[kept] for name, values in plain.items()}


def _nutpie() -> Any:
    """Return nutpie, imported without ArviZ, which takes longer to import than many a posterior to draw.

    nutpie needs it to convert a trace, which is not asked for here; what stands for it loads it when it is used.
    """
    if "nutpie" in sys.modules or "arviz" in sys.modules:
        return importlib.import_module("nutpie")
    stand_in: Any = ModuleType("arviz")
    stand_in.__spec__ = importlib.util.find_spec("arviz")

    def when_used(name: str) -> Any:
        if sys.modules.get("arviz") is stand_in:
            raise AttributeError(f"arviz.{name} is not there while nutpie is imported")
        return getattr(importlib.import_module("arviz"), name)

    stand_in.__getattr__ = when_used
    sys.modules["arviz"] = stand_in
    try:
        return importlib.import_module("nutpie")
    finally:
        del sys.modules["arviz"]


def _whitened(density: UnconstrainedDensity, origin: Array, root: Array) -> Any:
    """Return the density of v, where u = origin + root v, as nutpie takes it."""
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
        make_initial_point_fn=lambda chain_seed: np.random.default_rng(chain_seed).normal(size=density.size),
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
