"""The posterior of a few samples by enumeration and by three samplers, for `benchmarks.agreement`.

Since labels switch, means are compared of quantities that relabelling does not change:

    log-likelihood, entropy of the weights, sorted weights
    centre    Σ_k π_k μ_k, or Σ_k π_k p_k                     (D,)
    together  1(z_i = z_j) of all pairs i < j, or p(z_i = z_j | x_i, x_j, θ) if z is summed out
    density   p(x | θ) at the first two samples
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import arviz as az
import numpy as np
import pymc as pm
import pytensor
import xarray as xr
from scipy.special import betainc, digamma, softmax

from comparisons import log_joint
from comparisons.alignment.component_draws import SAMPLE, Arrays
from comparisons.alignment.mixing import label_free
from comparisons.evidence.exact import exact_posterior, log_joint_of_labels
from comparisons.families import family_of_prior
from comparisons.family import Family
from comparisons.posterior import sample
from comparisons.posterior.densities import BACKEND, without_c_compiler
from comparisons.posterior.gibbs import as_datatree
from em.gibbs import gibbs
from models.bmm import BMMPrior
from models.gmm import GMMPrior
from models.gmm.structures import COVARIANCE_TYPES
from models.validation import Array

K = 2
NAMES = (*COVARIANCE_TYPES, "bernoulli")


@dataclass(frozen=True)
class Problem:
    """At most twelve samples X (n, D), and a conjugate prior of a mixture of two."""

    X: Array
    prior: GMMPrior | BMMPrior

    @property
    def family(self) -> Family:
        """The family and structure of the prior."""
        return family_of_prior(self.prior)


def problem(name: str) -> Problem:
    """Return ten samples, Gaussian with one of the covariance structures or "bernoulli".

    Components overlap so much that every pair of samples is together with a probability of 0.01 to 0.99. The means of
    rarer events over the draws would not be normal, and their standard errors unknown.
    """
    rng, first = np.random.default_rng(0), np.arange(10)[:, None] < 4
    if name == "bernoulli":
        X = rng.binomial(1, np.where(first, 0.25, 0.7), size=(10, 3)).astype(np.float64)
        return Problem(X, BMMPrior(2.0, 1.5, 1.25))
    matrix = np.array([[8.0, 1.0], [1.0, 6.0]])
    scale = {"diag": np.diag(matrix), "spherical": np.array(7.0)}.get(name, matrix)
    prior = GMMPrior(np.array(2.0), np.array([0.5, 1.0]), 0.3, 7.0, scale, name)
    return Problem(rng.normal(size=(10, 2)) + 1.5 * first, prior)


# Samplers -------------------------------------------------------------------------------------------------------------


def by_nuts(at: Problem, **settings: Any) -> xr.Dataset:
    """Draw by NUTS, z summed out, from EM's MAP."""
    start = at.family.estimator(n_components=K, prior=at.prior, random_state=0).fit(at.X).parameters_.arrays()
    with without_c_compiler:
        model = at.family.build_marginal_model(at.X, K, at.prior)
        return sample(model, start, **settings)["posterior"].to_dataset()


def by_gibbs(at: Problem, seed: int, **settings: Any) -> xr.Dataset:
    """Draw by Gibbs sampling."""
    draws = gibbs(at.X, K, at.prior, random_state=seed, **settings)
    return as_datatree(draws, at.prior)["posterior"].to_dataset()


def by_explicit_z(at: Problem, seed: int, **settings: Any) -> xr.Dataset:
    """Draw from the model with z as `pm.sample` does: NUTS for the parameters, Metropolis within Gibbs for z."""
    options = {"cores": 1, "progressbar": False, "quiet": True, "compute_convergence_checks": False}
    with without_c_compiler, pytensor.config.change_flags(mode="FAST_COMPILE"):  # Numba would take 4 s
        model = at.family.build_model(at.X, K, at.prior)
        trace = pm.sample(model=model, random_seed=seed, backend=BACKEND, **settings, **options)
    return trace["posterior"].to_dataset()


SAMPLERS: dict[str, Callable[..., xr.Dataset]] = {"NUTS": by_nuts, "Gibbs": by_gibbs, "explicit z": by_explicit_z}


# What is compared -----------------------------------------------------------------------------------------------------


def label_free_draws(posterior: xr.Dataset, at: Problem) -> xr.Dataset:
    """Return the quantities of each draw, dims (chain, draw, ...)."""
    X, n, (i, j) = at.X, len(at.X), np.triu_indices(len(at.X), 1)
    density = log_joint(np.concatenate([X, X[:2]]), at.family)
    arrays = Arrays(posterior)
    p, log_prob = (np.concatenate(parts, axis=-1) for parts in zip(*density.normalised(arrays), strict=True))
    if "z" in posterior:
        together = (arrays["z"][:, i] == arrays["z"][:, j]).astype(np.float64)
    else:
        together = (p[:, :, i] * p[:, :, j]).sum(axis=1)
    centre = np.einsum("sk,skd->sd", arrays["weights"], arrays["means" if "means" in posterior else "probs"])
    values = {"centre": centre, "together": together, "density": np.exp(log_prob[:, n:])}
    free = label_free(posterior, log_prob[:, :n].sum(axis=1).reshape(arrays.sizes))
    return free.assign({name: ((*SAMPLE, f"{name}_entry"), v.reshape(*arrays.sizes, -1)) for name, v in values.items()})


def exact_means(at: Problem) -> dict[str, Array]:
    """Return the posterior means of these quantities, except the log-likelihood, by enumeration.

    Given z the weights are Beta(α_1, α_2) with α_k = a_k + N_k, and with A = α_1 + α_2 and digamma's ψ

        E[entropy | z]     = Σ_k α_k / A (ψ(A + 1) - ψ(α_k + 1))
        E[max_k π_k | z]   = Σ_k α_k / A P(Beta(α_k + 1, A - α_k) > 1/2)
        E[Σ π_k μ_k | z]   = Σ_k α_k / A (κ m + Σ_{i: z_i = k} x_i) / (κ + N_k)

    where κ = κ0 and m = m0 of a Gaussian mixture, κ = b + c and m = b / (b + c) of a Bernoulli mixture.
    """
    X, prior, (i, j) = at.X, at.prior, np.triu_indices(len(at.X), 1)
    z = np.array(list(product(range(K), repeat=len(X))))
    probability = softmax(log_joint_of_labels(X, z, K, prior))
    members = (z[:, None, :] == np.arange(K)[:, None]).astype(np.float64)  # (2^n, K, n)
    counts = members.sum(axis=2)
    alpha = prior.concentration + counts
    A = alpha.sum(axis=1, keepdims=True)
    if isinstance(prior, GMMPrior):
        kappa, m = np.asarray(prior.mean_precision), prior.mean
    else:
        kappa = np.asarray(prior.successes + prior.failures)
        m = prior.successes / kappa
    centres = (kappa * m + members @ X) / (kappa + counts[:, :, None])
    larger = probability @ (alpha / A * betainc(alpha[:, ::-1], alpha + 1, 0.5)).sum(axis=1)
    exact = exact_posterior(X, K, prior)
    return {
        "entropy_of_weights": probability @ (alpha / A * (digamma(A + 1) - digamma(alpha + 1))).sum(axis=1),
        "sorted_weights": np.array([1 - larger, larger]),
        "centre": probability @ np.einsum("zk,zkd->zd", alpha / A, centres),
        "together": exact.co_clustering[i, j],
        "density": np.exp(exact.log_predictive(X[:2])),
    }


def largest_gap(draws: xr.Dataset, expected: Any, errors: Any = None) -> tuple[float, str]:
    """Return the largest distance of a mean over draws from the expected one, in standard errors, and its name.

    Parameters
    ----------
    draws : Dataset
        Variables with dims (chain, draw, ...).
    expected, errors : mapping of arrays by name
        The expected means and their Monte Carlo standard errors; ``None`` if they have none.
    """
    own = az.mcse(draws, method="mean")
    gaps: dict[str, float] = {}
    for name, value in expected.items():
        error = np.hypot(own[name].to_numpy(), 0 if errors is None else np.asarray(errors[name]))
        gap = np.abs(draws[name].mean(SAMPLE).to_numpy() - np.asarray(value)) / error
        gaps |= {f"{name}{list(index)}": float(gap[index]) for index in np.ndindex(gap.shape)}
    where = max(gaps, key=lambda name: np.nan_to_num(gaps[name], nan=np.inf))
    return gaps[where], where
