"""The table that contract tests run over: a new family is one more row, or one for each prior it is tested with."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.stats import bernoulli, binom, multivariate_normal

from em import (
    BernoulliMixtureEM,
    BinomialMixtureEM,
    CollapseWarning,
    GaussianMixtureEM,
    NoMaximumWarning,
    NotConvergedWarning,
    NotIdentifiableWarning,
    bmm,
    gmm,
)
from models.bmm import BMMParameters, BMMPrior
from models.bmm import simulate as simulate_bmm
from models.gmm import GMMParameters, GMMPrior
from models.gmm import simulate as simulate_gmm


@dataclass(frozen=True, repr=False)
class Family:
    """One row: a family with one kind of estimate.

    ``prior`` takes (K, D) and gives a prior that treats components alike, or None. ``parameters`` draws parameters from
    (rng, K, D), ``simulate`` draws X from (parameters, n, rng). ``component`` is the closed-form fit, as a dict without
    weights, of the samples of one component, and ``log_prob`` the log density of one sample in one component; both are
    written with none of the code under test. ``to_vector`` and ``from_vector`` map parameters without their weights to
    an unconstrained vector and back.
    """

    name: str
    steps: Any
    estimator: type
    prior: Callable[[int, int], Any]
    parameters: Callable[[np.random.RandomState, int, int], Any]
    simulate: Callable[[Any, int, np.random.RandomState], np.ndarray]
    component: Callable[[np.ndarray, Any], dict[str, np.ndarray]]
    log_prob: Callable[[np.ndarray, Any, int], float]
    to_vector: Callable[[Any], np.ndarray]
    from_vector: Callable[[np.ndarray, np.ndarray, int, int], Any]
    options: dict[str, Any] = field(default_factory=dict)

    def __repr__(self):
        return self.name

    def fit(self, X, K, *, quiet=(), **settings):
        """Fit with this row's prior; the warnings in ``quiet`` are expected and dropped."""
        prior = self.prior(K, X.shape[1])
        with warnings.catch_warnings():
            for category in quiet:
                warnings.simplefilter("ignore", category)
            return self.estimator(K, prior=prior, **self.options, **settings).fit(X)

    def problem(self, seed, K, D, n):
        """Draw samples from random parameters, and other random parameters to start from."""
        rng = np.random.RandomState(seed)
        X = self.simulate(self.parameters(rng, K, D), n, rng)
        return X, self.parameters(rng, K, D), rng

    def closed_form(self, X, z, K):
        """Return the fit with known labels z (n,), component by component, as arrays by name."""
        prior = self.prior(K, X.shape[1])
        counts = np.array([np.sum(z == k) for k in range(K)], dtype=float)
        a = np.broadcast_to(1.0 if prior is None else prior.concentration, K)
        fits = [self.component(X[z == k], prior) for k in range(K)]
        arrays = {name: np.array([fit[name] for fit in fits]) for name in fits[0]}
        return {"weights": (counts + a - 1) / (counts + a - 1).sum(), **arrays}


FAILINGS = (CollapseWarning, NoMaximumWarning, NotConvergedWarning, NotIdentifiableWarning)
TRIALS = 7


# Gaussian -------------------------------------------------------------------------------------------------------------


def gaussian_prior(K, D):
    return GMMPrior(1.7, np.linspace(-1, 1, D), 0.3, D + 2.5, 0.8 * np.eye(D) + 0.2)


def gaussian_parameters(rng, K, D):
    roots = 0.4 * rng.normal(size=(K, D, D)) + np.eye(D)
    covariances = roots @ roots.transpose(0, 2, 1) + 0.2 * np.eye(D)  # condition number under 100 or so
    return GMMParameters(rng.dirichlet(np.full(K, 5.0)), 2 * rng.normal(size=(K, D)), covariances)


def gaussian_component(X, prior):
    n, D = X.shape
    if prior is None:
        return {"means": X.mean(axis=0), "covariances": np.cov(X, rowvar=False, bias=True).reshape(D, D)}
    kappa, mean = prior.mean_precision, X.mean(axis=0)
    scatter = sum(np.outer(x - mean, x - mean) for x in X)
    pull = kappa * n / (kappa + n) * np.outer(mean - prior.mean, mean - prior.mean)
    return {
        "means": (kappa * prior.mean + X.sum(axis=0)) / (kappa + n),
        "covariances": (prior.scale + scatter + pull) / (prior.degrees_of_freedom + n + D + 2),
    }


def gaussian_log_prob(x, parameters, k):
    return multivariate_normal(parameters.means[k], parameters.covariances[k]).logpdf(x)


def gaussian_to_vector(parameters):
    rows, columns = np.tril_indices(parameters.n_features)
    roots = np.linalg.cholesky(parameters.covariances)[:, rows, columns]
    roots[:, rows == columns] = np.log(roots[:, rows == columns])
    return np.concatenate([parameters.means.ravel(), roots.ravel()])


def gaussian_from_vector(weights, vector, K, D):
    rows, columns = np.tril_indices(D)
    means, entries = vector[: K * D].reshape(K, D), vector[K * D :].reshape(K, -1).copy()
    entries[:, rows == columns] = np.exp(entries[:, rows == columns])
    roots = np.zeros((K, D, D))
    roots[:, rows, columns] = entries
    return GMMParameters(weights, means, roots @ roots.transpose(0, 2, 1))


# Bernoulli and binomial -----------------------------------------------------------------------------------------------


def beta_prior(K, D):
    return BMMPrior(1.7, np.linspace(1.2, 3, D), 1.5)


def count_parameters(rng, K, D):
    return BMMParameters(rng.dirichlet(np.full(K, 5.0)), rng.uniform(0.1, 0.9, size=(K, D)))


def count_component(m):
    def component(X, prior):
        b, c = (1.0, 1.0) if prior is None else (prior.successes, prior.failures)
        return {"probs": (X.sum(axis=0) + b - 1) / (m * len(X) + b + c - 2)}

    return component


def draw_counts(m):
    def simulate(parameters, n, rng):
        X, _ = simulate_bmm(parameters, n, m, rng)
        X[0], X[1] = 0, m  # so that no column is constant, and every estimate under soft responsibilities is interior
        return X

    return simulate


def bernoulli_log_prob(x, parameters, k):
    return bernoulli(parameters.probs[k]).logpmf(x).sum()


def binomial_log_prob(x, parameters, k):
    return binom(TRIALS, parameters.probs[k]).logpmf(x).sum()


def count_to_vector(parameters):
    return np.log(parameters.probs / (1 - parameters.probs)).ravel()


def count_from_vector(weights, vector, K, D):
    return BMMParameters(weights, 1 / (1 + np.exp(-vector.reshape(K, D))))


# The table ------------------------------------------------------------------------------------------------------------

GAUSSIAN = {
    "steps": gmm,
    "estimator": GaussianMixtureEM,
    "parameters": gaussian_parameters,
    "simulate": lambda parameters, n, rng: simulate_gmm(parameters, n, rng)[0],
    "component": gaussian_component,
    "log_prob": gaussian_log_prob,
    "to_vector": gaussian_to_vector,
    "from_vector": gaussian_from_vector,
}
COUNTS = {
    "steps": bmm,
    "parameters": count_parameters,
    "to_vector": count_to_vector,
    "from_vector": count_from_vector,
}
BERNOULLI = COUNTS | {
    "estimator": BernoulliMixtureEM,
    "simulate": draw_counts(1),
    "component": count_component(1),
    "log_prob": bernoulli_log_prob,
}
BINOMIAL = COUNTS | {
    "estimator": BinomialMixtureEM,
    "simulate": draw_counts(TRIALS),
    "component": count_component(TRIALS),
    "log_prob": binomial_log_prob,
    "options": {"n_trials": TRIALS},
}


def no_prior(K, D):
    """Maximum likelihood."""


FAMILIES = [
    Family(name="gaussian-ML", prior=no_prior, **GAUSSIAN),
    Family(name="gaussian-MAP", prior=gaussian_prior, **GAUSSIAN),
    Family(name="bernoulli-ML", prior=no_prior, **BERNOULLI),
    Family(name="bernoulli-MAP", prior=beta_prior, **BERNOULLI),
    Family(name="binomial-ML", prior=no_prior, **BINOMIAL),
    Family(name="binomial-MAP", prior=beta_prior, **BINOMIAL),
]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)

seeds = st.integers(0, 2**32 - 1)
component_counts = st.integers(1, 4)
feature_counts = st.integers(1, 3)
sample_counts = st.integers(20, 60)


def largest_relative_gap(actual, expected):
    """Return max |actual - expected| over all arrays, each relative to the largest entry of its kind."""
    gaps = [np.abs(actual[name] - expected[name]).max() / np.abs(expected[name]).max() for name in expected]
    return max(gaps)
