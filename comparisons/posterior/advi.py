"""Black-box variational inference (ADVI): independent normals on PyMC's unconstrained scale, fitted by `pymc.fit`."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pymc as pm

from comparisons.posterior.densities import BACKEND, Point, UnconstrainedDensity
from em.process.process_wide import ProcessWide, without_expected_warnings
from models.validation import Array


def advi(
    model: Any,
    mode: Point,
    *,
    steps: int,
    draws: int,
    seed: int,
    density: UnconstrainedDensity | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Point:
    """Fit independent normals to the posterior on the unconstrained scale by `pymc.fit`, and draw from them.

    The fit starts at the mode, with the deviations that are optimal for a normal posterior: one over the square root of
    the information's diagonal. Adam's steps do not converge to a point, so the result is their average over the second
    half.

    Parameters
    ----------
    model : pymc.Model
        A marginal model with a proper prior.
    mode : dict
        Declared quantities at or near the posterior mode.
    steps, draws : int
        Numbers of steps of the optimiser, and of draws from the fitted normals.
    seed : int
        The same seed gives the same draws.
    progress : callable or None
        Called with the number of steps done so far, and with that of all steps.
    density : UnconstrainedDensity or None
        The model's compiled density, with its Jacobian; None compiles it.
    """
    density = UnconstrainedDensity(model, jacobian=True) if density is None else density
    origin = density.unconstrain(mode)
    curvature = np.diag(density.information(origin))
    deviations = [part.ravel() for part in density.split(1 / np.sqrt(np.maximum(np.abs(curvature), 1e-300)))]
    values = [value.name for value in model.value_vars]
    averaged: list[list[Array]] = []

    def note(approximation: Any, _: Any, step: int) -> None:
        if step > steps // 2:
            averaged.append([np.array(parameter.get_value()) for parameter in approximation.params])
        if progress is not None:
            progress(step, steps)

    with model, quiet, without_expected_warnings:  # PyTensor warns that it copies the random generators
        method = pm.ADVI(start=mode, start_sigma=dict(zip(values, deviations, strict=True)), random_seed=seed)
        adam = pm.adam(learning_rate=0.01)
        method.fit(steps, backend=BACKEND, progressbar=False, obj_optimizer=adam, callbacks=[note])
    names = [parameter.name for parameter in method.approx.params]
    fitted = {name: np.mean(values, axis=0) for name, values in zip(names, zip(*averaged, strict=True), strict=True)}
    deviation = np.logaddexp(0, fitted["rho"])
    noise = np.random.default_rng(seed).normal(size=(draws, density.size))
    return density.constrain(fitted["mu"] + deviation * noise)


@contextmanager
def _warnings_only() -> Iterator[None]:
    log = logging.getLogger("pymc.variational.inference")
    level = log.level
    log.setLevel(logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)


quiet = ProcessWide(_warnings_only)  # progress is reported by `progress`, not by PyMC's log
