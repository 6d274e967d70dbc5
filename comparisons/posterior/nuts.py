"""Run one chain of the No-U-turn sampler (NUTS) on a whitened posterior, by nutpie.

The chain runs on v, where u = û + R v is the unconstrained vector, û a posterior mode and R R' the inverse of the
information there:

    log density of v = log density of u,    ∂/∂v = R' ∂/∂u

If the posterior is nearly normal, v is nearly N(0, I), and warm-up has little to learn. nutpie adapts the scales of v
and the step size as for any model.

Reference: Hoffman & Gelman (2014), The No-U-turn sampler, JMLR 15, 1593-1623.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np

from comparisons.alignment.component_draws import SAMPLE
from comparisons.posterior.densities import Scale, UnconstrainedDensity
from models.validation import Array

OfDraws = Callable[[int], None]  # takes the number of draws done so far
BETWEEN_LOOKS = 0.5  # seconds between two looks at whether a chain is done


class NotFiniteError(RuntimeError):
    """The density is not finite where a chain starts."""


class Chain:
    """A chain that starts to draw when it is made, in its own thread; call `wait` or `stop` afterwards.

    Parameters
    ----------
    density : UnconstrainedDensity
        Target.
    scale : tuple of ndarray, shapes (p,) and (p, p)
        û, around which the chain starts, and R, the scale of v.
    seed : int
        The same seed gives the same draws.
    progress : callable or None
        Called with the number of draws done so far, warm-up included.
    **settings
        ``draws``, the number of draws kept; ``tune``, that of warm-up draws; ``max_depth``, the largest depth of a
        tree; ``target_accept``, the mean acceptance probability to adapt to.
    """

    def __init__(
        self, density: UnconstrainedDensity, scale: Scale, seed: int, progress: OfDraws | None = None, **settings: Any
    ) -> None:
        import nutpie  # imports ArviZ and Numba, which takes seconds

        self._origin, self._root = scale
        self._trace: Any = None
        settings |= {"chains": 1, "cores": 1, "seed": seed, "maxdepth": settings.pop("max_depth")}
        settings |= {"blocking": False, "return_raw_trace": True, "progress_bar": False}
        callback = None if progress is None else lambda chains: progress(chains[0].finished_draws)
        whitened = _whitened(density, *scale)
        self._sampler = nutpie.sample(whitened, progress_callback=callback, **settings)

    def wait(self, unless: Callable[[], bool] | None = None) -> None:
        """Wait until all draws are done, or until ``unless`` returns True.

        Raises
        ------
        NotFiniteError
            If the density is not finite where the chain starts.
        """
        try:
            while self._trace is None and not (unless is not None and unless()):
                with suppress(TimeoutError):
                    self._trace = self._sampler.wait(timeout=None if unless is None else BETWEEN_LOOKS)
        except RuntimeError as error:
            reason = " ".join(str(error).partition("Stack backtrace")[0].split())
            wanted = "the density must be finite near starts to be drawn from"
            raise NotFiniteError(f"{wanted}; nutpie says: {reason}") from error

    def stop(self) -> None:
        """Stop, and keep the draws made so far; a further interrupt is ignored until the current draw is done."""
        while self._trace is None:
            try:
                self._trace = self._sampler.abort()
            except KeyboardInterrupt:
                continue

    def drawn(self) -> tuple[Array, dict[str, np.ndarray]]:
        """Return u, shape (draws, p), and nutpie's statistics of each draw by name, shape (draws,)."""
        import pyarrow

        (draws,), (about,) = self._trace.get_arrow_trace()
        columns = {name: pyarrow.array(about.column(name)) for name in about.column_names if name not in SAMPLE}
        stats = {n: np.asarray(column) for n, column in columns.items() if pyarrow.types.is_primitive(column.type)}
        kept = ~stats.pop("tuning").astype(bool)
        v = np.asarray(pyarrow.array(draws.column("v")).flatten()).reshape(-1, len(self._origin))
        return self._origin + v[kept] @ self._root.T, {name: values[kept] for name, values in stats.items()}


def _whitened(density: UnconstrainedDensity, origin: Array, root: Array) -> Any:
    """Return the density of v, where u = origin + root v, as nutpie takes it; a chain starts at v ~ N(0, I)."""
    from nutpie.compiled_pyfunc import from_pyfunc

    def log_density(v: Array) -> tuple[float, Array]:
        value, gradient = density.value_and_gradient(origin + root @ v)
        return value, gradient @ root

    return from_pyfunc(
        ndim=density.size,
        make_logp_fn=lambda: log_density,
        make_expand_fn=lambda *seeds: lambda v: {"v": np.asarray(v)},
        expanded_dtypes=[np.dtype(np.float64)],
        expanded_shapes=[(density.size,)],
        expanded_names=["v"],
        make_initial_point_fn=lambda seed: np.random.default_rng(seed).normal(size=density.size),
    )
