"""The PyMC side of a comparison: densities on the declared scale, gradients, `find_MAP`, NUTS, ADVI.

Every density, gradient and draw is computed from the PyMC models; of EM only its answer is used, as a starting point.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pymc.model.transform.conditioning import remove_value_transforms
from pytensor.compile.mode import get_mode
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import vectorize_graph
from scipy.special import softmax

from models.validation import Array

BACKEND = "jax"  # PyTensor's default backend compiles for minutes when nothing is cached
FIND_MAP_FTOL = 1e-15
Point = dict[str, Array]


def without_c_compiler() -> Any:
    """Return a context in which PyTensor interprets what JAX does not compile: C costs 17 s when nothing is cached."""
    return pytensor.config.change_flags(cxx="")


class JointDensity:
    """An explicit-z PyMC model as a function of the declared quantities and z: log p(z_i) and log p(x_i | z_i)."""

    def __init__(self, model: Any) -> None:
        declared = remove_value_transforms(model)
        terms = declared.logp(vars=[declared["z"], declared["x"]], sum=False)
        self._terms = declared.compile_fn(terms, inputs=declared.value_vars, point_fn=False, mode="FAST_COMPILE")

    def responsibilities(self, point: Point, n_samples: int, n_components: int) -> Array:
        """Return p(z_i = k | x_i), shape (n, K), from nothing but the model's own joint density."""
        joint = np.empty((n_samples, n_components))
        for k in range(n_components):
            log_z, log_x = self._terms(**point, z=np.full(n_samples, k))
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


class UnconstrainedDensity:
    """A PyMC model's log density and gradient as a function of its unconstrained vector, compiled by JAX.

    Parameters
    ----------
    model : pymc.Model
        A marginal model.
    jacobian : bool
        Whether the density is that of the unconstrained vector (True: what NUTS samples) or that of the declared
        quantities (False: what maximum likelihood and MAP are about).
    """

    def __init__(self, model: Any, *, jacobian: bool) -> None:
        self.names = [rv.name for rv in model.free_RVs]
        forward = [_forward(model, rv) for rv in model.free_RVs]
        self._unconstrain = pm.compile(model.free_RVs, forward, mode="FAST_COMPILE", on_unused_input="ignore")
        self.shapes = [value.shape for value in model.initial_point().values()]
        self.size = int(sum(np.prod(shape) for shape in self.shapes))
        declared = model.replace_rvs_by_values(model.free_RVs)
        many = [pt.tensor(shape=(None, *shape), dtype="float64") for shape in self.shapes]
        constrained = vectorize_graph(declared, dict(zip(model.value_vars, many, strict=True)))
        self._constrain = pm.compile(many, constrained, mode="FAST_COMPILE")
        self._evaluate = _value_and_gradient(model.value_vars, model.logp(jacobian=jacobian), self.shapes)

    def unconstrain(self, point: Point) -> Array:
        """Return the unconstrained vector (p,) of a declared point."""
        return np.concatenate([part.ravel() for part in self._unconstrain(*(point[name] for name in self.names))])

    def constrain(self, flat: Array) -> Point:
        """Return the declared quantities, each (S, ...), of unconstrained vectors (S, p)."""
        n = len(flat)
        parts = [part.reshape(n, *shape) for part, shape in zip(_split(flat, self.shapes), self.shapes, strict=True)]
        return dict(zip(self.names, self._constrain(*parts), strict=True))

    def value_and_gradient(self, flat: Array) -> tuple[float, Array]:
        """Return the log density and its gradient (p,) at an unconstrained vector (p,)."""
        both = np.asarray(self._evaluate(flat))
        return float(both[-1]), both[:-1]

    def gradient(self, flat: Array) -> Array:
        """Return the gradient (p,) of the log density at an unconstrained vector (p,)."""
        return self.value_and_gradient(flat)[1]

    def information(self, flat: Array, kept: np.ndarray | None = None) -> Array:
        """Return minus the Hessian of the log density over the kept coordinates, by differences of the gradient.

        A step is a thousandth of the coordinate's standard deviation given the others, so that the error is about a
        millionth; JAX's own second derivatives would take a second compilation, as long as the first.
        """
        index = np.arange(self.size) if kept is None else np.flatnonzero(kept)
        columns = np.array([self._curvature(flat, int(j))[index] for j in index]).reshape(len(index), len(index))
        return -(columns + columns.T) / 2

    def _curvature(self, flat: Array, j: int) -> Array:
        """Return the derivative (p,) of the gradient along coordinate j."""
        step = 1e-6 * max(1.0, abs(flat[j]))
        for _ in range(6):  # until the step is of the right size
            along = np.where(np.arange(self.size) == j, step, 0.0)
            curvature = (self.gradient(flat + along) - self.gradient(flat - along)) / (2 * step)
            wanted = 1e-3 / np.sqrt(abs(curvature[j])) if np.isfinite(curvature[j]) and curvature[j] else step / 1000
            if 0.3 < step / wanted < 3:
                break
            step = wanted
        return curvature

    def standard_errors(self, flat: Array, kept: np.ndarray) -> Array:
        """Return standard errors of the kept coordinates: square roots of the diagonal of the inverse information."""
        information = self.information(flat, kept)
        scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))
        inverse = np.linalg.pinv(information * np.outer(scale, scale), rcond=1e-10, hermitian=True)
        return scale * np.sqrt(np.maximum(np.diag(inverse), 0))

    def mask(self, free: dict[str, np.ndarray]) -> np.ndarray:
        """Return which unconstrained coordinates (p,) are free, given masks of quantities that map one to one."""
        parts = [
            free[name].ravel() if name in free else np.ones(int(np.prod(shape)), dtype=bool)
            for name, shape in zip(self.names, self.shapes, strict=True)
        ]
        return np.concatenate(parts)

    def split(self, flat: Any) -> list[Any]:
        """Return the parts of an unconstrained vector (p,), one for each free variable, in its shape."""
        return [part.reshape(shape) for part, shape in zip(_split(flat, self.shapes), self.shapes, strict=True)]


def _value_and_gradient(inputs: list[Any], log_density: Any, shapes: list[tuple[int, ...]]) -> Callable[[Array], Any]:
    """Compile by JAX: unconstrained vector (p,) -> gradient and, last, value, (p + 1,), in one array, in this thread.

    XLA's thread pool costs a fifth of a millisecond whenever it is asked to help; chains are parallel already. So the
    dispatch is synchronous, unless somebody used JAX before, and `pymc.sampling.jax` stays out: it makes 100 devices.
    """
    import jax
    from pytensor.link.jax.dispatch import jax_funcify

    jax.config.update("jax_cpu_enable_async_dispatch", False)
    graph = FunctionGraph(inputs, [log_density], clone=True)
    get_mode("JAX").including("local_remove_check_parameter").optimizer.rewrite(graph)
    function = jax_funcify(graph)

    def both(flat: Any) -> Any:
        parts = [part.reshape(shape) for part, shape in zip(_split(flat, shapes), shapes, strict=True)]
        value, gradients = jax.value_and_grad(lambda *parts: function(*parts)[0], argnums=range(len(parts)))(*parts)
        return jax.numpy.concatenate([*(gradient.ravel() for gradient in gradients), value[None]])

    size = int(sum(np.prod(shape) for shape in shapes))
    return jax.jit(both).lower(np.zeros(size)).compile({"xla_cpu_multi_thread_eigen": False})


def _split(flat: Any, shapes: list[tuple[int, ...]]) -> list[Any]:
    """Return the parts of unconstrained vectors (..., p) that belong to the variables."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    return [flat[..., end - size : end] for end, size in zip(np.cumsum(sizes), sizes, strict=True)]


def _forward(model: Any, rv: Any) -> Any:
    transform = model.rvs_to_transforms[rv]
    return rv if transform is None else transform.forward(rv, *rv.owner.inputs)


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
            ftol=FIND_MAP_FTOL,
            maxiter=100_000,
            maxfun=1_000_000,
        )
    return {name: found.posterior[name].to_numpy()[0, 0] for name in start}


def sample(
    model: Any,
    starts: Point | Sequence[Point],
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> xr.DataTree:
    """Draw from the posterior of a marginal model with NUTS (nutpie, JAX).

    Each chain runs on its own v, where u = û + R v is the unconstrained vector, û the chain's start and R R' the
    inverse of the information there: near a mode û the posterior of v is close to a standard normal, so that warm-up
    has little to learn, in whatever order the start has its components. The chain starts from a draw of v ~ N(0, I).
    The target is PyMC's density; û and R decide where chains start and how fast they move. A second mode is visited as
    often as NUTS happens to cross over to it, in stays of a hundred draws (the galaxies): R-hat and ESS then ask for
    more draws.

    Parameters
    ----------
    model : pymc.Model
        A marginal model with a proper prior.
    starts : dict or sequence of dict
        Declared quantities at or near a posterior mode: one for each chain, or one for all. R-hat means most when
        chains start from different modes, with their labels in different orders.
    draws, tune, chains : int
        Draws kept and warm-up draws of each chain, and number of chains.
    seed : int
        The same seed gives the same draws.
    progress : callable or None
        Called with the number of draws done so far, warm-up included, in all chains together.

    Raises
    ------
    ValueError
        If there are neither one start nor as many as chains.
    Interrupted
        On an interrupt (Ctrl-C); it is a KeyboardInterrupt that holds the draws so far.
    """
    points = [starts] * chains if isinstance(starts, dict) else list(starts)
    if len(points) != chains:
        raise ValueError(f"starts must be one point or {chains}, one for each chain, got {len(points)}")
    import nutpie

    density = UnconstrainedDensity(model, jacobian=True)
    origins = [density.unconstrain(point) for point in points]
    roots = [_inverse_root(density.information(origin)) for origin in origins]
    seeds = np.random.SeedSequence(seed).generate_state(chains)
    done = np.zeros(chains, dtype=int)

    def counter(chain: int) -> Callable[[Any], None]:
        def count(progress_of_chain: Any) -> None:
            done[chain] = progress_of_chain[0].finished_draws
            if progress is not None:
                progress(int(done.sum()))

        return count

    running = [
        nutpie.sample(
            _whitened(density, origins[chain], roots[chain]),
            draws=draws,
            tune=tune,
            chains=1,
            cores=1,
            seed=int(seeds[chain]),
            save_warmup=False,
            progress_bar=False,
            progress_callback=counter(chain) if progress else None,
            blocking=False,
        )
        for chain in range(chains)
    ]
    trees, interrupted = [], False
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found chain dimension to be longer")  # of what was interrupted
        for sampler in running:
            try:
                trees.append(sampler.abort() if interrupted else sampler.wait())
            except KeyboardInterrupt:
                interrupted = True
                trees.append(sampler.abort())
    v = [
        tree["posterior"]["v"].to_numpy()[0] if "v" in tree["posterior"] else np.empty((0, density.size))
        for tree in trees
    ]
    kept, length = _longest(np.array([np.isfinite(part).all(axis=1).sum() for part in v]))
    if not length:
        raise Interrupted(None)
    u = np.stack([origins[chain] + v[chain][:length] @ roots[chain].T for chain in kept])
    values = density.constrain(u.reshape(-1, density.size))
    posterior = {
        name: (("chain", "draw", *model.named_vars_to_dims[name]), value.reshape(*u.shape[:2], *value.shape[1:]))
        for name, value in values.items()
    }
    dims = {dim for name in values for dim in model.named_vars_to_dims[name]}
    coords = {"chain": np.arange(u.shape[0]), "draw": np.arange(u.shape[1])}
    coords |= {dim: np.array(model.coords[dim]) for dim in sorted(dims)}
    stats = [trees[chain]["sample_stats"].to_dataset().isel(draw=slice(length)) for chain in kept]
    found = xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(posterior, coords=coords),
            "sample_stats": xr.concat(stats, dim="chain").assign_coords(chain=coords["chain"]),
        }
    )
    if interrupted:
        raise Interrupted(found)
    return found


def _whitened(density: UnconstrainedDensity, origin: Array, root: Array) -> Any:
    """Return the density of v, where u = origin + root v, as nutpie takes it."""
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
        make_initial_point_fn=lambda chain_seed: np.random.default_rng(chain_seed).normal(size=density.size),
    )


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


def advi(
    model: Any, mode: Point, *, steps: int, draws: int, seed: int, progress: Callable[[int], None] | None = None
) -> Point:
    """Draw from the independent normals, on the unconstrained scale, that `pymc.fit` finds nearest to the posterior.

    It starts at the mode with the deviations that are best for a normal posterior, one over the root of the
    information's diagonal. The answer is the average over the second half of Adam's steps, which never come to rest.

    Parameters
    ----------
    model : pymc.Model
        A marginal model with a proper prior.
    mode : dict
        Declared quantities at or near the posterior mode.
    steps, draws : int
        Steps of the optimiser, and draws from what it found.
    seed : int
        The same seed gives the same draws.
    progress : callable or None
        Called with the number of steps done so far.
    """
    density = UnconstrainedDensity(model, jacobian=True)
    origin = density.unconstrain(mode)
    curvature = np.diag(density.information(origin))
    deviations = [part.ravel() for part in density.split(1 / np.sqrt(np.maximum(np.abs(curvature), 1e-300)))]
    values = [value.name for value in model.value_vars]
    half: list[list[Array]] = []

    def note(approximation: Any, _: Any, step: int) -> None:
        if step > steps // 2:
            half.append([np.array(parameter.get_value()) for parameter in approximation.params])
        if progress is not None:
            progress(step)

    with model, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The RandomType SharedVariables")  # a copy of them is used
        method = pm.ADVI(start=mode, start_sigma=dict(zip(values, deviations, strict=True)), random_seed=seed)
        method.fit(
            steps, backend=BACKEND, progressbar=False, obj_optimizer=pm.adam(learning_rate=0.01), callbacks=[note]
        )
    names = [parameter.name for parameter in method.approx.params]
    found = {name: np.mean(values, axis=0) for name, values in zip(names, zip(*half, strict=True), strict=True)}
    deviation = np.logaddexp(0, found["rho"])
    noise = np.random.default_rng(seed).normal(size=(draws, density.size))
    return density.constrain(found["mu"] + deviation * noise)
