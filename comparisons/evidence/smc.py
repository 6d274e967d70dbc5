"""Estimate the evidence p(X) of a marginal PyMC model by sequential Monte Carlo, with all particles evaluated at once.

S particles move from the prior p(θ) to the posterior through the densities p(θ) p(X | θ)^β, with the inverse
temperature β from 0 to 1 (Del Moral, Doucet & Jasra 2006). Each stage, from β to β', has three steps::

    reweight    w_s = p(X | θ_s)^(β' - β),    β' such that the effective sample size is S / 2;    p(X) = Π (1/S Σ_s w_s)
    resample    particles in proportion to w
    move        Metropolis steps that leave p(θ) p(X | θ)^β' invariant

`pymc.sample_smc` does the same, but calls the model once per particle and step: it takes 160 s for nine samples, two
components and two runs of 1000 particles, and this module 8 s. This module also folds the space.

**Folding.** Under a prior that treats components alike, the posterior has K! copies of every mode. The evidence is the
integral over all of them. A sampler that stays in one copy loses up to log K! nats; so does a model that orders its
components under the same unordered prior. Since p(X | θ) does not depend on the labels,

    p(X) = E_prior[p(X | θ)] = E_folded prior[p(X | θ)],    folded: components put in order, density K! times as high,

and SMC on the folded space, which has each mode once, gives the evidence of the exchangeable model, as does
:mod:`comparisons.evidence.exact`. Prior draws are put in order, and proposals out of order are rejected. The order is
that of the model's first parameter with dims for components and features, summed over features on the real line: means,
or log odds of probs.

With vague priors and more than about ten parameters, 1000 particles are too few: on faithful, K = 3, four runs scatter
by nats (-1170.4 with a standard error of 1.0; by Chib's identity -1168.1 with 0.1). Always read the standard error.

References
----------
Del Moral, Doucet & Jasra (2006), Sequential Monte Carlo samplers, JRSS B 68, 411-436.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pymc as pm
from scipy.special import logsumexp, softmax
from scipy.stats import pearsonr, rankdata

from comparisons.evidence import Evidence, combined
from comparisons.posterior.densities import Point, UnconstrainedSpace, jax_function, without_c_compiler
from em.process.blas import one_blas_thread
from models.validation import Array, count_at_least_one

CELLS = 2**22  # cells (particle, row, component) computed at a time
MOST_STEPS, LEFT = 25, 0.1  # most pairs of moves in a stage, and the rank correlation with its start that ends it


def smc_evidence(
    model: Any, *, draws: int = 1000, chains: int = 4, seed: int = 0, progress: Callable[[float], None] | None = None
) -> Evidence:
    """Return the evidence of a marginal model; all K! copies of a mode count.

    Parameters
    ----------
    model : pymc.Model
        A marginal model with a proper prior that treats components alike.
    draws, chains : int
        Numbers of particles, and of independent runs.
    seed : int
        The same seed gives the same result.
    progress : callable or None
        Called with the share of the work that is done, from 0 to 1, measured by the inverse temperature.

    Raises
    ------
    ValueError
        If a number is not positive, or the prior does not treat components alike.
    """
    for name, value in {"draws": draws, "chains": chains}.items():
        count_at_least_one(name, value)
    rngs = [np.random.default_rng(own) for own in np.random.default_rng(seed).integers(2**30, size=chains)]
    rngs[0].integers(2**30)  # `pymc.sample_smc` draws this number too; the results of a seed stay the same
    rng = np.random.default_rng(seed)
    runs: list[float] = []
    with one_blas_thread():
        targets = _Targets(model)
        starts = [targets.draw(draws, rng) for _ in range(chains)]
        targets.check_exchangeable(starts[0][0])
        for start, of_run in zip(starts, rngs, strict=True):
            log_evidence = 0.0
            for beta, log_average in _stages(targets, start, of_run):
                log_evidence += log_average
                if progress is not None:
                    progress((len(runs) + beta) / chains)
            runs.append(log_evidence)
    return combined(runs)


class _Targets:
    """Log prior (with the Jacobian) and log-likelihood of a model, and ordered draws from its prior."""

    def __init__(self, model: Any) -> None:
        import jax

        self.model, self.dims = model, model.named_vars_to_dims
        self.space = UnconstrainedSpace(model)
        both = jax_function(model.value_vars, [model.varlogp, model.datalogp])
        n, K = (len(model.coords[name]) for name in ("obs", "component"))
        batch = max(1, CELLS // (n * K))
        self._both = jax.jit(
            lambda many: jax.lax.map(lambda flat: tuple(both(*self.space.split(flat))), many, batch_size=batch)
        )
        dims = [self.dims[rv.name] for rv in model.free_RVs]
        located = next(i for i, (first, *rest) in enumerate(dims) if first == "component" and len(rest) == 1)
        self.location = self.space.split(np.arange(self.space.size))[located].reshape(K, -1)

    def log_densities(self, u: Array) -> tuple[Array, Array]:
        """Return log prior and log-likelihood of vectors (S, p), each (S,); NaN becomes -inf."""
        log_prior, log_likelihood = (np.where(np.asarray(part) < np.inf, part, -np.inf) for part in self._both(u))
        return log_prior, log_likelihood

    def in_order(self, u: Array) -> np.ndarray:
        """Whether the components of vectors (S, p) are in order, shape (S,)."""
        return (np.diff(u[:, self.location].sum(axis=2), axis=1) >= 0).all(axis=1)

    def permuted(self, point: Point, order: np.ndarray) -> Array:
        """Return the vector (p,) of a point, with its components permuted."""
        moved = {n: values[order] if "component" in self.dims[n] else values for n, values in point.items()}
        return self.space.unconstrain(moved)

    def draw(self, draws: int, rng: np.random.Generator) -> Array:
        """Draw vectors (S, p) from the prior and put the components of each in order."""
        variables, seed = self.model.free_RVs, int(rng.integers(2**31))
        with without_c_compiler:
            drawn = pm.draw(variables, draws, random_seed=seed, mode="FAST_COMPILE")
        points = [dict(zip(self.space.names, values, strict=True)) for values in zip(*drawn, strict=True)]
        sums = [self.space.unconstrain(point)[self.location].sum(axis=1) for point in points]
        return np.array([self.permuted(point, np.argsort(of)) for point, of in zip(points, sums, strict=True)])

    def check_exchangeable(self, u: Array) -> None:
        """Raise a ValueError if exchanging two components, or a cyclic shift of all, changes the prior of a draw."""
        K = len(self.location)
        point = {name: values[0] for name, values in self.space.constrain(u[None]).items()}
        orders = np.arange(K), np.r_[1:K, 0], np.r_[np.arange(K)[:2][::-1], 2:K]
        log_prior = self.log_densities(np.array([self.permuted(point, order) for order in orders]))[0]
        if np.ptp(log_prior) > 1e-6 * max(1.0, np.abs(log_prior).max()):
            raise ValueError("model must have a prior that treats components alike: SMC puts them in order")


def _stages(targets: _Targets, u: Array, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """Yield the inverse temperature and the logarithm of the average weight of each stage."""
    beta, S, scale = 0.0, len(u), 2.38 / np.sqrt(u.shape[1])
    log_prior, log_likelihood = targets.log_densities(u)
    while beta < 1:
        before, beta = beta, _next_beta(beta, log_likelihood)
        log_weights = (beta - before) * log_likelihood
        shares = np.cumsum(softmax(log_weights))
        kept = np.minimum(np.searchsorted(shares, (rng.random(1) + np.arange(S)) / S), S - 1)  # systematic resampling
        u, log_prior, log_likelihood = u[kept], log_prior[kept], log_likelihood[kept]
        scale = _move(targets, beta, (u, log_prior, log_likelihood), scale, rng)
        yield beta, float(logsumexp(log_weights) - np.log(S))


def _next_beta(beta: float, log_likelihood: Array) -> float:
    """Return the inverse temperature at which the effective sample size is half the particles, found by bisection."""
    low, high, wanted = beta, 2.0, len(log_likelihood) // 2
    while high - low > 1e-6:
        middle = (low + high) / 2
        log_weights = (middle - beta) * log_likelihood
        effective = int(np.exp(-logsumexp(2 * (log_weights - logsumexp(log_weights)))))
        if effective == wanted:
            break
        low, high = (low, middle) if effective < wanted else (middle, high)
    return min(middle, 1.0)


def _move(
    targets: _Targets, beta: float, state: tuple[Array, Array, Array], scale: float, rng: np.random.Generator
) -> float:
    """Move particles by Metropolis steps, in place; return the tuned scale of the random walk.

    Random walks and independent proposals alternate, for all particles at once; both reject vectors that are out of
    order. The walk has the covariance of the particles, and a scale tuned to an acceptance rate of 1/4. The independent
    proposal is the normal with the particles' mean and covariance. A stage ends when no coordinate has a rank
    correlation above 0.1 with its start, at the latest after 25 of each.
    """
    u, log_prior, log_likelihood = state

    def share_accepted(proposal: Array, log_ratio: Any) -> float:
        """Accept or reject proposals; return the share accepted. ``log_ratio`` is log q(here) - log q(proposal)."""
        proposed = targets.log_densities(proposal)
        with np.errstate(invalid="ignore"):
            gain = proposed[0] + beta * proposed[1] - log_prior - beta * log_likelihood
        chosen = (np.log(rng.random(len(u))) < gain + log_ratio) & targets.in_order(proposal)
        for here, there in zip(state, (proposal, *proposed), strict=True):
            here[chosen] = there[chosen]
        return float(chosen.mean())

    began, mean = rankdata(u, axis=0), u.mean(axis=0)
    covariance = np.atleast_2d(np.cov(u, rowvar=False))
    root = np.linalg.cholesky(covariance + 1e-9 * np.diag(np.diag(covariance)) + 1e-300 * np.eye(u.shape[1]))
    for _ in range(MOST_STEPS):
        scale *= np.exp(share_accepted(u + scale * rng.standard_normal(u.shape) @ root.T, 0.0) - 0.25)
        whitened: Array = np.linalg.solve(root, (u - mean).T).T
        noise = np.asarray(rng.standard_normal(u.shape))
        log_ratio = ((noise**2).sum(axis=1) - (whitened**2).sum(axis=1)) / 2  # log q(here) is - whitened² / 2
        share_accepted(mean + noise @ root.T, log_ratio)
        if np.abs(pearsonr(began, rankdata(u, axis=0), axis=0).statistic).max() < LEFT:
            break
    return scale
