"""The PyMC side of a comparison: densities on the declared scale, gradients, `find_MAP`, NUTS.

Everything here is computed from the PyMC models alone; nothing of EM's arithmetic is used.
"""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pymc as pm
import xarray as xr
from pymc.model.transform.conditioning import remove_value_transforms
from scipy.special import softmax

from models.validation import Array

BACKEND = "jax"  # PyTensor's default backend compiles for minutes when nothing is cached
Point = dict[str, Array]


def responsibilities_of_joint(model: Any, point: Point, n_samples: int, n_components: int) -> Array:
    """Return p(z_i = k | x_i), shape (n, K), from the explicit-z model's own joint density at a declared point."""
    declared = remove_value_transforms(model)
    terms = declared.logp(vars=[declared["z"], declared["x"]], sum=False)
    density = declared.compile_fn(terms, inputs=declared.value_vars, point_fn=False, mode="FAST_COMPILE")
    joint = np.empty((n_samples, n_components))
    for k in range(n_components):
        log_z, log_x = density(**point, z=np.full(n_samples, k))
        joint[:, k] = log_z + log_x.reshape(n_samples, -1).sum(axis=1)
    return softmax(joint, axis=1)


class MarginalDensity:
    """A marginal PyMC model as two functions of the declared quantities: log p(x_i | θ), shape (n,), and log p(θ)."""

    def __init__(self, model: Any) -> None:
        declared = remove_value_transforms(model)
        self.names = [variable.name for variable in declared.value_vars]
        (pointwise,) = declared.logp(vars=declared.observed_RVs, sum=False)
        log_prior = declared.logp(vars=declared.free_RVs)
        self._function = declared.compile_fn(
            [pointwise, log_prior], inputs=declared.value_vars, point_fn=False, mode=BACKEND.upper()
        )

    def at(self, point: Point) -> tuple[Array, float]:
        """Return the log-likelihood of each sample (n,) and the log prior, in nats."""
        pointwise, log_prior = self._function(**{name: point[name] for name in self.names})
        return np.asarray(pointwise), float(log_prior)

    def log_likelihood(self, point: Point) -> float:
        """Return the log-likelihood: the sum over samples, in nats."""
        return float(self.at(point)[0].sum())

    def of_draws(self, posterior: xr.Dataset) -> tuple[Array, Array]:
        """Return log p(x_i | θ) of each draw, shape (chain, draw, n), and log p(θ), shape (chain, draw)."""
        stacked = [posterior[name].to_numpy() for name in self.names]
        chains, draws = stacked[0].shape[:2]
        rows = [
            self._function(**{name: array[c, d] for name, array in zip(self.names, stacked, strict=True)})
            for c in range(chains)
            for d in range(draws)
        ]
        pointwise = np.array([np.asarray(row[0]) for row in rows]).reshape(chains, draws, -1)
        return pointwise, np.array([float(row[1]) for row in rows]).reshape(chains, draws)


class Gradient:
    """The gradient of a model's log density without Jacobian, on its unconstrained scale."""

    def __init__(self, model: Any) -> None:
        self.variables = model.continuous_value_vars
        self._gradient = model.compile_fn(
            model.dlogp(jacobian=False),
            inputs=self.variables,
            point_fn=False,
            mode=BACKEND.upper(),
        )
        self.unconstrain = Unconstrain(model)

    def __call__(self, flat: Array) -> Array:
        """Return the gradient (p,) at an unconstrained vector (p,)."""
        return np.asarray(self._gradient(*self._split(flat)))

    def _split(self, flat: Array) -> list[Array]:
        sizes = np.cumsum([int(np.prod(shape)) for shape in self.unconstrain.shapes])[:-1]
        return [part.reshape(shape) for part, shape in zip(np.split(flat, sizes), self.unconstrain.shapes, strict=True)]

    def standard_errors(self, flat: Array) -> Array:
        """Return standard errors (p,) from the observed information, by central differences of the gradient."""
        steps = 1e-5 * np.maximum(1.0, np.abs(flat))
        columns = [
            (self(flat + step * unit) - self(flat - step * unit)) / (2 * step)
            for step, unit in zip(steps, np.eye(len(flat)), strict=True)
        ]
        information = -(np.array(columns) + np.array(columns).T) / 2
        scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))
        inverse = np.linalg.pinv(information * np.outer(scale, scale), rcond=1e-10, hermitian=True)
        return scale * np.sqrt(np.maximum(np.diag(inverse), 0))


class Unconstrain:
    """Map declared quantities to a model's unconstrained vector, by its own transforms."""

    def __init__(self, model: Any) -> None:
        outputs = []
        for rv in model.free_RVs:
            if model.rvs_to_values[rv] not in model.continuous_value_vars:
                continue
            transform = model.rvs_to_transforms[rv]
            outputs.append(rv if transform is None else transform.forward(rv, *rv.owner.inputs))
        self.names = [rv.name for rv in model.free_RVs if model.rvs_to_values[rv] in model.continuous_value_vars]
        inputs = [model[name] for name in self.names]
        self._function = pm.compile(inputs, outputs, mode="FAST_COMPILE", on_unused_input="ignore")
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, point: Point) -> Array:
        """Return the unconstrained vector (p,) of a declared point."""
        parts = self._function(*(np.asarray(point[name]) for name in self.names))
        self.shapes = [part.shape for part in parts]
        return np.concatenate([part.ravel() for part in parts])


def find_map(model: Any, start: Point) -> Point:
    """Return the mode of the density over the declared quantities, found by PyMC from ``start``."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The optimizer did not converge")  # judged by the checks
        found = pm.find_MAP(
            initvals=start,
            model=model,
            backend=BACKEND,
            jitter=False,
            return_inferencedata=True,
            progressbar=False,
            gtol=1e-10,
            ftol=1e-15,
            maxiter=100_000,
            maxfun=1_000_000,
        )
    return {name: found.posterior[name].to_numpy()[0, 0] for name in start}


def sample(
    model: Any,
    starts: Sequence[Point],
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> xr.DataTree:
    """Draw from the posterior of a marginal model with NUTS (nutpie, JAX).

    Parameters
    ----------
    model : pymc.Model
        A marginal model with a proper prior.
    starts : sequence of dict
        Dispersed starting points; each chain takes one, chosen by its own seed.
    draws, tune, chains : int
        Draws kept and warm-up draws of each chain, and number of chains.
    seed : int
        The same seed gives the same draws.
    progress : callable or None
        Called with the number of draws done so far, warm-up included, in all chains together.
    """
    import nutpie

    compiled = nutpie.compile_pymc_model(model, backend=BACKEND, jitter_rvs=set())
    unconstrain = Unconstrain(model)
    points = [unconstrain(start) for start in starts]
    compiled = dataclasses.replace(compiled, _make_initial_points=lambda chain_seed: points[chain_seed % len(points)])
    callback = None
    if progress is not None:

        def callback(chains_progress: Any) -> None:
            progress(sum(chain.finished_draws for chain in chains_progress))

    return nutpie.sample(
        compiled,
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
        save_warmup=False,
        progress_bar=False,
        progress_callback=callback,
    )
