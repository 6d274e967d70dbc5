"""The PyMC side of a comparison: densities on the declared scale, gradients, `find_MAP`, NUTS, ADVI.

Every density, gradient and draw is computed from the PyMC models; of EM only its answer is used, as a starting point.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import xarray as xr
from pymc.model.transform.conditioning import remove_value_transforms
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
        import jax
        from pymc.sampling.jax import get_jaxified_graph

        self.names = [rv.name for rv in model.free_RVs]
        forward = [_forward(model, rv) for rv in model.free_RVs]
        self._unconstrain = pm.compile(model.free_RVs, forward, mode="FAST_COMPILE", on_unused_input="ignore")
        log_density = get_jaxified_graph(model.value_vars, [model.logp(jacobian=jacobian)])
        declared = get_jaxified_graph(model.value_vars, model.replace_rvs_by_values(model.free_RVs))
        self.shapes = [value.shape for value in model.initial_point().values()]
        self.size = int(sum(np.prod(shape) for shape in self.shapes))
        self.value_and_gradient = jax.jit(jax.value_and_grad(lambda flat: log_density(*self.split(flat))[0]))
        gradient = jax.grad(lambda flat: log_density(*self.split(flat))[0])
        self._curvature = jax.jit(lambda flat, along: jax.jvp(gradient, (flat,), (along,))[1])
        self._constrain = jax.jit(jax.vmap(lambda flat: declared(*self.split(flat))))

    def unconstrain(self, point: Point) -> Array:
        """Return the unconstrained vector (p,) of a declared point."""
        return np.concatenate([part.ravel() for part in self._unconstrain(*(point[name] for name in self.names))])

    def constrain(self, flat: Array) -> Point:
        """Return the declared quantities, each (S, ...), of unconstrained vectors (S, p)."""
        return {name: np.asarray(value) for name, value in zip(self.names, self._constrain(flat), strict=True)}

    def gradient(self, flat: Array) -> Array:
        """Return the gradient (p,) of the log density at an unconstrained vector (p,)."""
        return np.asarray(self.value_and_gradient(flat)[1])

    def information(self, flat: Array, kept: np.ndarray | None = None) -> Array:
        """Return minus the Hessian of the log density over the kept coordinates, by JAX, column by column."""
        index = np.arange(self.size) if kept is None else np.flatnonzero(kept)
        columns = [np.asarray(self._curvature(flat, unit))[index] for unit in np.eye(self.size)[index]]
        return -(np.array(columns) + np.array(columns).T) / 2

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
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes])
        return [
            flat[end - int(np.prod(shape)) : end].reshape(shape) for end, shape in zip(ends, self.shapes, strict=True)
        ]


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
    mode: Point,
    *,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    progress: Callable[[int], None] | None = None,
) -> xr.DataTree:
    """Draw from the posterior of a marginal model with NUTS (nutpie, JAX).

    NUTS runs on v, where u = û + R v is the unconstrained vector, û the mode and R R' the inverse of the information
    there: near û the posterior of v is close to a standard normal, so that warm-up has little to learn. Each chain
    starts from its own draw of v ~ N(0, I). The target is PyMC's density; û and R decide where chains start and how
    fast they move. A second mode is visited as often as NUTS happens to cross over to it, in stays of a hundred draws
    (the galaxies): R-hat and ESS then ask for more draws.

    Parameters
    ----------
    model : pymc.Model
        A marginal model with a proper prior.
    mode : dict
        Declared quantities at or near the posterior mode.
    draws, tune, chains : int
        Draws kept and warm-up draws of each chain, and number of chains.
    seed : int
        The same seed gives the same draws.
    progress : callable or None
        Called with the number of draws done so far, warm-up included, in all chains together.

    Raises
    ------
    Interrupted
        On an interrupt (Ctrl-C); it is a KeyboardInterrupt that holds the draws so far.
    """
    import jax
    import nutpie
    from nutpie.compiled_pyfunc import from_pyfunc

    density = UnconstrainedDensity(model, jacobian=True)
    origin = density.unconstrain(mode)
    root = _inverse_root(density.information(origin))
    evaluate = jax.jit(jax.value_and_grad(lambda v: density.value_and_gradient(origin + root @ v)[0]))

    def log_density(v: Array) -> tuple[float, Array]:
        value, gradient = evaluate(v)
        return float(value), np.asarray(gradient)

    compiled = from_pyfunc(
        ndim=density.size,
        make_logp_fn=lambda: log_density,
        make_expand_fn=lambda *seeds: lambda v: {"v": np.asarray(v)},
        expanded_dtypes=[np.dtype(np.float64)],
        expanded_shapes=[(density.size,)],
        expanded_names=["v"],
        make_initial_point_fn=lambda chain_seed: np.random.default_rng(chain_seed).normal(size=density.size),
    )
    callback = None
    if progress is not None:

        def callback(chains_progress: Any) -> None:
            progress(sum(chain.finished_draws for chain in chains_progress))

    settings = {"draws": draws, "tune": tune, "chains": chains, "seed": seed, "progress_callback": callback}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found chain dimension to be longer")  # of what was interrupted
        tree = nutpie.sample(compiled, save_warmup=False, progress_bar=False, **settings)  # an interrupt ends it early
    v = tree["posterior"]["v"].to_numpy() if "v" in tree["posterior"] else np.empty((0, 0, density.size))
    kept, length = _without_gaps(v)
    interrupted = (len(kept), length) != (chains, draws)
    if not length:
        raise Interrupted(None)
    v, stats = v[kept, :length], tree["sample_stats"].to_dataset().isel(chain=kept, draw=slice(length))
    values = density.constrain(origin + v.reshape(-1, density.size) @ root.T)
    posterior = {
        name: (("chain", "draw", *model.named_vars_to_dims[name]), value.reshape(*v.shape[:2], *value.shape[1:]))
        for name, value in values.items()
    }
    dims = {dim for name in values for dim in model.named_vars_to_dims[name]}
    coords = {"chain": np.arange(v.shape[0]), "draw": np.arange(v.shape[1])}
    coords |= {dim: np.array(model.coords[dim]) for dim in sorted(dims)}
    found = xr.DataTree.from_dict(
        {"posterior": xr.Dataset(posterior, coords=coords), "sample_stats": stats.assign_coords(chain=coords["chain"])}
    )
    if interrupted:
        raise Interrupted(found)
    return found


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


def _without_gaps(v: Array) -> tuple[np.ndarray, int]:
    """Return which chains to keep and how many draws of each: the most without NaN, which stands for no draw."""
    done = np.isfinite(v).all(axis=2).sum(axis=1)
    length = max(done, key=lambda m: m * (done >= m).sum(), default=0)
    return np.flatnonzero(done >= max(length, 1)), int(length)


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
