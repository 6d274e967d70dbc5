"""Densities of the PyMC models as compiled functions: on the declared scale, over draws, and with gradients."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pymc.model.transform.conditioning import remove_value_transforms
from pytensor.compile.mode import get_mode
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import vectorize_graph

from em.process.process_wide import ProcessWide
from models.distributions.mixture_likelihood import log_likelihood, register_in_jax
from models.validation import Array

BACKEND = "jax"  # PyTensor's default backend compiles for minutes when nothing is cached
STEP = 1e-3  # step of differences of gradients, in standard deviations
FIRST_STEP, SHORTEST_STEP = 1e-9, 1e-40  # first step, relative to the coordinate, and that of a coordinate that is 0
LENGTHEN, MOST_TRIALS = 1e3, 25  # largest factor from one trial of a step to the next, and most trials
FLAT = 1e-5  # eigenvalue, of information scaled to diagonal 1, below which differences of gradients are rounding
Point = dict[str, Array]
Scale = tuple[Array, Array]  # û (p,) and R (p, p) of a whitened scale v, where u = û + R v is the unconstrained vector


# Without a C compiler, PyTensor interprets what JAX does not compile; compiling C takes 17 s if nothing is cached.
# PyTensor writes Python source for each function. It goes to a folder that PyTensor clears, instead of the system's
# temporary folder, where it would stay.
without_c_compiler = ProcessWide(
    lambda: pytensor.config.change_flags(cxx="", generated_src_dir=f"{pytensor.config.base_compiledir}/generated")
)


class JointDensity:
    """An explicit-z PyMC model as a function of declared quantities and z: log p(z_i) and log p(x_i | z_i)."""

    def __init__(self, model: Any) -> None:
        declared = remove_value_transforms(model)
        terms = declared.logp(vars=[declared["z"], declared["x"]], sum=False)
        self._terms = declared.compile_fn(terms, inputs=declared.value_vars, point_fn=False, mode="FAST_COMPILE")

    def at(self, point: Point, n_samples: int, n_components: int) -> Array:
        """Return log p(z_i = k, x_i), shape (n, K), in nats."""
        terms = (self._terms(**point, z=np.full(n_samples, k)) for k in range(n_components))
        return np.stack([log_z + log_x.reshape(n_samples, -1).sum(axis=1) for log_z, log_x in terms], axis=1)


class MarginalDensity:
    """A marginal PyMC model as two functions of declared quantities: log p(x_i | θ), shape (n,), and log p(θ)."""

    def __init__(self, model: Any) -> None:
        declared = remove_value_transforms(model)
        self.names = [variable.name for variable in declared.value_vars]
        (pointwise,) = declared.logp(vars=declared.observed_RVs, sum=False)
        log_prior = declared.logp(vars=declared.free_RVs)
        settings = {"inputs": declared.value_vars, "point_fn": False, "mode": BACKEND.upper()}
        self._function = declared.compile_fn([pointwise, log_prior], **settings)

    def at(self, point: Point) -> tuple[Array, float]:
        """Return the log-likelihood of each sample (n,) and the log prior, in nats."""
        pointwise, log_prior = self._function(**{name: point[name] for name in self.names})
        return np.asarray(pointwise), float(log_prior)

    def log_likelihood(self, point: Point) -> float:
        """Return the log-likelihood: the sum over samples, in nats."""
        return float(self.at(point)[0].sum())

    def of_draws(self, posterior: xr.Dataset) -> tuple[Array, Array]:
        """Return log p(x_i | θ) of each draw, shape (chain, draw, n), and log p(θ), shape (chain, draw)."""
        stacked = {name: posterior[name].to_numpy() for name in self.names}
        sizes = posterior.sizes["chain"], posterior.sizes["draw"]
        rows = [self.at({name: array[index] for name, array in stacked.items()}) for index in np.ndindex(sizes)]
        pointwise, log_prior = (np.array(column) for column in zip(*rows, strict=True))
        return pointwise.reshape(*sizes, -1), log_prior.reshape(sizes)


class UnconstrainedSpace:
    """The map of a PyMC model between its declared quantities and its unconstrained vector.

    Parameters
    ----------
    model : pymc.Model
        A marginal model.
    """

    def __init__(self, model: Any) -> None:
        self.names = [rv.name for rv in model.free_RVs]
        self.shapes = [value.type.shape for value in model.value_vars]
        if any(None in shape for shape in self.shapes):  # an initial point has the shapes, but takes a compilation
            self.shapes = [value.shape for value in model.initial_point().values()]
        self.size = sum(int(np.prod(shape)) for shape in self.shapes)
        of = model.rvs_to_transforms
        forward = [rv if of[rv] is None else of[rv].forward(rv, *rv.owner.inputs) for rv in model.free_RVs]
        self._unconstrain = pm.compile(model.free_RVs, forward, mode="FAST_COMPILE", on_unused_input="ignore")
        declared = model.replace_rvs_by_values(model.free_RVs)
        many = [pt.tensor(shape=(None, *shape), dtype="float64") for shape in self.shapes]
        constrained = vectorize_graph(declared, dict(zip(model.value_vars, many, strict=True)))
        self._constrain = pm.compile(many, constrained, mode="FAST_COMPILE")

    def unconstrain(self, point: Point) -> Array:
        """Return the unconstrained vector (p,) of a declared point."""
        return np.concatenate([part.ravel() for part in self._unconstrain(*(point[name] for name in self.names))])

    def constrain(self, flat: Array) -> Point:
        """Return the declared quantities, each (S, ...), of unconstrained vectors (S, p)."""
        return dict(zip(self.names, self._constrain(*self.split(flat)), strict=True))

    def split(self, flat: Any) -> list[Any]:
        """Return the parts of unconstrained vectors (..., p), one for each free variable, in its shape."""
        return _split(flat, self.shapes)


class UnconstrainedDensity(UnconstrainedSpace):
    """A PyMC model's log density and gradient as a function of its unconstrained vector, compiled by JAX.

    XLA compiles in a background thread; the first evaluation waits for it.

    Parameters
    ----------
    model : pymc.Model
        A marginal model.
    jacobian : bool
        True: the density of the unconstrained vector, which NUTS samples. False: the density of the declared
        quantities, which maximum likelihood and MAP maximise.
    any_data : bool, default False
        Whether one compilation serves all data of the model's shape; :meth:`given` sets the data. Statistics of the
        data are then recomputed in every call.
    """

    def __init__(self, model: Any, *, jacobian: bool, any_data: bool = False) -> None:
        super().__init__(model)
        log_prob = model.logp(vars=model.observed_RVs, sum=False)
        self._data: Any = None
        if any_data:
            (x,) = model.observed_RVs
            self._data = pt.tensor(shape=model.rvs_to_values[x].data.shape, dtype=x.dtype)
            log_prob = model.replace_rvs_by_values([pm.logp(x, self._data)])
        log_density = model.logp(vars=model.free_RVs, jacobian=jacobian) + sum(map(log_likelihood, log_prob))
        lowered = _value_and_gradient(model.value_vars, log_density, self.shapes, self._data)
        thread = ThreadPoolExecutor(1)
        self._compiling = thread.submit(lowered.compile, {"xla_cpu_multi_thread_eigen": False})
        thread.shutdown(wait=False)

    @cached_property
    def _evaluate(self) -> Callable[..., Any]:
        """The compiled function, which returns gradient and value at a vector."""
        return self._compiling.result()

    def given(self, X: Array) -> Self:
        """Return the density for other data, without compiling; this density must be made for ``any_data``."""
        other = copy(self)
        other._evaluate = partial(self._evaluate, data=np.asarray(X, dtype=self._data.dtype))
        return other

    def value_and_gradient(self, flat: Array) -> tuple[float, Array]:
        """Return the log density and its gradient (p,) at an unconstrained vector (p,)."""
        both = np.asarray(self._evaluate(flat))
        return float(both[-1]), both[:-1]

    def gradient(self, flat: Array) -> Array:
        """Return the gradient (p,) of the log density at an unconstrained vector (p,)."""
        return self.value_and_gradient(flat)[1]

    def information(self, flat: Array) -> Array:
        """Return minus the Hessian (p, p) of the log density, by differences of the gradient."""
        return self._information(flat, np.arange(self.size))[0]

    def gradient_in_errors(self, flat: Array, kept: np.ndarray) -> Array:
        """Return the gradient along the axes of the information, times standard errors, for the kept coordinates.

        With information I = S V diag(λ) Vᵀ S, where S scales its diagonal to 1, it is Vᵀ S⁻¹ ∇ / √λ. Half of its
        squared length is the gain of a Newton step in nats. Along an axis without information, λ is rounding, and is
        replaced by ``FLAT``. If λ is below -``FLAT``, the point is no maximum, and the entry is NaN.
        """
        index = np.flatnonzero(kept)
        information, steps = self._information(flat, index)
        scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(information)), (STEP / steps) ** 2))
        eigenvalues, axes = np.linalg.eigh(information * np.outer(scale, scale))
        errors = np.where(eigenvalues >= -FLAT, 1 / np.sqrt(np.maximum(eigenvalues, FLAT)), np.nan)
        return np.asarray(axes.T @ (scale * self.gradient(flat)[index]) * errors)

    def _information(self, flat: Array, index: np.ndarray) -> tuple[Array, Array]:
        """Return the information for some coordinates (q,), shape (q, q), and the steps (q,) of its differences.

        A step is about ``STEP`` times the coordinate's standard deviation given the others; the relative error is then
        about a millionth. It is at most the coordinate itself or 1, in case there is no curvature. The search begins
        with short steps, because a step beyond the other clusters shows no curvature either. Second derivatives by JAX
        would take a second compilation, as long as the first.
        """
        columns, steps = np.zeros((len(index), len(index))), np.ones(len(index))
        for i, j in enumerate(index.tolist()):
            longest = max(1.0, abs(float(flat[j])))
            step = max(FIRST_STEP * abs(float(flat[j])), SHORTEST_STEP)
            for _ in range(MOST_TRIALS):  # until the step is of the right size
                along = np.where(np.arange(self.size) == j, step, 0.0)
                curvature = (self.gradient(flat + along) - self.gradient(flat - along))[index] / (2 * step)
                wanted = step / LENGTHEN
                if np.isfinite(curvature).all():
                    columns[i], steps[i] = curvature, step
                    wanted = STEP / np.sqrt(max(abs(curvature[i]), (STEP / longest) ** 2))
                    wanted = min(wanted, LENGTHEN * step, longest)
                if 0.3 < step / wanted < 3:
                    break
                step = wanted
        return -(columns + columns.T) / 2, steps

    def mask(self, free: dict[str, np.ndarray]) -> np.ndarray:
        """Return which unconstrained coordinates (p,) are free, given masks of declared quantities.

        A quantity with a mask must map entry by entry to the unconstrained scale.
        """
        masks = {name: np.ones(shape, dtype=bool) for name, shape in zip(self.names, self.shapes, strict=True)} | free
        return np.concatenate([masks[name].ravel() for name in self.names])


def jax_function(inputs: list[Any], outputs: list[Any]) -> Callable[..., list[Any]]:
    """Return a PyTensor graph as a JAX function, which can be differentiated or compiled.

    `pymc.sampling.jax.get_jaxified_graph` does the same, but importing it sets JAX up for 100 devices.
    """
    from pytensor.link.jax.dispatch import jax_funcify

    register_in_jax()
    graph = FunctionGraph(inputs, outputs, clone=True)
    get_mode("JAX").including("local_remove_check_parameter").excluding("inline_ofg").optimizer.rewrite(graph)
    return jax_funcify(graph)


def _value_and_gradient(inputs: list[Any], log_density: Any, shapes: list[tuple[int, ...]], data: Any = None) -> Any:
    """Lower a function by JAX for compilation: it maps a vector (p,) to gradient and value in one array (p + 1,).

    With ``data``, a tensor in the graph, the function takes the data as a second argument.
    """
    import jax

    function = jax_function(inputs if data is None else [*inputs, data], [log_density])

    def both(flat: Any, **given: Any) -> Any:
        value, gradient = jax.value_and_grad(lambda at: function(*_split(at, shapes), *given.values())[0])(flat)
        return jax.numpy.append(gradient, value)

    size = sum(int(np.prod(shape)) for shape in shapes)
    of_data = {} if data is None else {"data": np.zeros(data.type.shape, dtype=data.dtype)}
    return jax.jit(both).lower(np.zeros(size), **of_data)


def _split(flat: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    """Return the parts of unconstrained vectors (..., p) that belong to the variables, each (..., *shape)."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    parts = zip(np.cumsum(sizes), sizes, shapes, strict=True)
    return [flat[..., end - size : end].reshape(*flat.shape[:-1], *shape) for end, size, shape in parts]
