"""EM's steps for the Poisson mixture, as pure functions that can be called and checked by hand.

The mathematics is in :mod:`models.pmm`; the estimator that iterates them is in :mod:`em.pmm.estimator`. As an
exponential family (:mod:`em.steps`)::

    T = (x, e),    η = (log λ, -λ),    log h = Σ_d x_d log e_d - log x_d!
    λ_kd ~ Gamma(a, b):  χ = (a - 1, b),    A = log Γ(a) - a log b,    mode (a - 1) / b
"""

from collections.abc import Sequence
from typing import Any, override

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from scipy.special import digamma, gammaln, xlogy
from scipy.stats import poisson

from em.conjugate import ConjugateMixture
from em.steps import Parts, Shifted, Steps, Theta
from models.pmm import PMMParameters, PMMPrior, simulate
from models.pmm.counts import count_matrix, exposure_matrix, sparse_count_matrix
from models.pmm.parameters import QUANTITIES
from models.validation import Array, row_slices

TINY = float(np.finfo(np.float64).tiny)
IMPROBABLE = 1e-13


class PoissonSteps(Steps[PMMParameters]):
    """x_d ~ Poisson(e_d λ_kd), with gamma priors."""

    name, quantities, parameters_type, prior_type = "pmm", QUANTITIES, PMMParameters, PMMPrior
    hyper_names, hyper_offsets, size_name = ("shape", "rate"), (1.0, 0.0), "exposure"

    @override
    def check(self, X: Any, size: Any, names: Sequence[str] | None = None) -> tuple[Any, Array]:
        return sparse_count_matrix(X, size) if issparse(X) else count_matrix(X, size, names)

    @override
    def sizes(self, size: ArrayLike, shape: tuple[int, ...]) -> Array:
        return exposure_matrix(size, shape)

    @override
    def statistics(self, X: Any, size: Array) -> tuple[Any, ...]:
        return (X, Shifted(size[0], 0.0, X)) if issparse(X) else (X, size)

    @override
    def log_base(self, X: Any, size: Array) -> Array:
        if issparse(X):
            of_row = np.repeat(np.arange(len(size)), np.diff(X.indptr))
            return np.bincount(of_row, _log_base(X.data, size[0][X.indices]), len(size)).astype(np.float64)
        return np.concatenate([_log_base(X[rows], size[rows]).sum(axis=1) for rows in row_slices(X)])

    @override
    def natural(self, theta: Theta) -> Parts:
        with np.errstate(divide="ignore"):
            return np.log(theta["rates"]), -theta["rates"]

    @override
    def slopes(self, theta: Theta) -> tuple[tuple[Array, Array], ...]:
        rates = theta["rates"]
        return (1 / rates, -1 / rates**2), (-np.ones_like(rates), np.zeros_like(rates))

    @override
    def expected(self, theta: Theta, size: Array) -> tuple[Array, Parts]:
        events = size * theta["rates"]
        return events, (events, np.broadcast_to(size, events.shape))

    @override
    def mode(self, chi: Parts, of_prior: Parts) -> dict[str, Array]:
        events, exposure = chi
        return {"rates": np.maximum(events / exposure, np.where(of_prior[0] > 0, TINY, 0.0))}

    @override
    def mean(self, hyper: Parts) -> dict[str, Array]:
        a, b = hyper
        return {"rates": a / b}

    @override
    def variance(self, hyper: Parts) -> dict[str, Array]:
        a, b = hyper
        return {"rates": a / b**2}

    @override
    def draw(self, hyper: Parts, rng: np.random.RandomState) -> dict[str, Array]:
        a, b = hyper
        return {"rates": np.maximum(rng.standard_gamma(a) / b, TINY)}

    @override
    def log_normaliser(self, hyper: Parts) -> Array:
        a, b = hyper
        return np.asarray((gammaln(a) - a * np.log(b)).sum(axis=-1))

    @override
    def mean_natural(self, hyper: Parts) -> Parts:
        a, b = hyper
        return digamma(a) - np.log(b), -a / b

    @override
    def simulate(
        self, parameters: PMMParameters, n_samples: int, size: Any, random_state: Any
    ) -> tuple[Array, np.ndarray]:
        return simulate(parameters, n_samples, size, random_state)

    @override
    def values(self, theta: Theta, size: Array) -> list[Array]:
        return [np.arange(most + 1.0) for most in poisson.isf(IMPROBABLE, size * theta["rates"].max(axis=0))]

    @override
    def random(self, like: PMMParameters, rng: np.random.RandomState) -> PMMParameters:
        weights, typical = rng.dirichlet(np.full(like.n_components, 5.0)), np.maximum(like.rates.mean(axis=0), TINY)
        return PMMParameters(weights / weights.sum(), typical * rng.uniform(0.1, 2.0, size=like.rates.shape))


def _log_base(x: Array, e: Array) -> Array:
    return np.asarray(xlogy(x, e) - gammaln(x + 1))


POISSON = PoissonSteps()


def conjugate_mixture(X: ArrayLike, prior: PMMPrior, exposure: ArrayLike = 1) -> ConjugateMixture:
    """Return data and conjugate prior, for Gibbs sampling, mean field and exact enumeration."""
    return ConjugateMixture(POISSON, POISSON.rows(X, exposure), prior)


def component_log_prob(X: ArrayLike, parameters: PMMParameters, exposure: ArrayLike = 1) -> Array:
    """Return log p(x_i | z_i = k) = Σ_d x log(e λ_kd) - e λ_kd - log x!, shape (n, K), in nats."""
    return POISSON.component_log_prob(X, parameters, exposure)


def log_joint(X: ArrayLike, parameters: PMMParameters, exposure: ArrayLike = 1) -> Array:
    """Return log p(x_i, z_i = k) = log π_k + log p(x_i | z_i = k), shape (n, K), in nats."""
    return POISSON.log_joint(X, parameters, exposure)


def e_step(X: ArrayLike, parameters: PMMParameters, exposure: ArrayLike = 1) -> tuple[Array, float]:
    """Return the responsibilities p(z_i = k | x_i), shape (n, K), and the log-likelihood (sum over samples, nats).

    Examples
    --------
    >>> from em import pmm
    >>> from models.pmm import PMMParameters
    >>> pmm.e_step([[0], [9]], PMMParameters([0.5, 0.5], [[1.0], [8.0]]))[0].round(3)
    array([[0.999, 0.001],
           [0.   , 1.   ]])
    """
    return POISSON.e_step(X, parameters, exposure)


def m_step(
    X: ArrayLike,
    responsibilities: ArrayLike,
    prior: PMMPrior | None = None,
    exposure: ArrayLike = 1,
    sample_weight: ArrayLike | None = None,
) -> PMMParameters:
    """Return the parameters that maximise Q (plus the log prior) under responsibilities (n, K).

    Examples
    --------
    >>> from em import pmm
    >>> pmm.m_step([[1], [3], [8]], [[1, 0], [1, 0], [0, 1]], exposure=[[1], [1], [2]]).rates
    array([[2.],
           [4.]])
    """
    return POISSON.m_step(X, responsibilities, prior, exposure, sample_weight)
