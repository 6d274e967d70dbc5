"""The table that contract tests run over: a new family is one more row, or one for each prior it is tested with."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import logsumexp
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
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior
from models.gmm import simulate as simulate_gmm
from models.gmm.structures import COVARIANCE_TYPES


@dataclass(frozen=True, repr=False)
class Family:
    """One row: a family with one kind of estimate.

    ``prior`` takes (K, D) and gives a prior that treats components alike, or None. ``parameters`` draws parameters from
    (rng, K, D), ``simulate`` draws X from (parameters, n, rng). ``known`` is the closed-form fit from (X by component,
    prior), as a dict without weights, and ``log_prob`` the log density of one sample in one component; both are written
    with none of the code under test. ``to_vector`` and ``from_vector`` map parameters without their weights to an
    unconstrained vector and back. ``options`` go to every step and the estimator, ``structure`` to the M-step and the
    estimator.
    """

    name: str
    steps: Any
    estimator: type
    prior: Callable[[int, int], Any]
    parameters: Callable[[np.random.RandomState, int, int], Any]
    simulate: Callable[[Any, int, np.random.RandomState], np.ndarray]
    known: Callable[[list[np.ndarray], Any], dict[str, np.ndarray]]
    log_prob: Callable[[np.ndarray, Any, int], float]
    to_vector: Callable[[Any], np.ndarray]
    from_vector: Callable[[np.ndarray, np.ndarray, int, int], Any]
    options: dict[str, Any] = field(default_factory=dict)
    structure: dict[str, Any] = field(default_factory=dict)

    def __repr__(self):
        return self.name

    def fit(self, X, K, *, quiet=(), sample_weight=None, **settings):
        """Fit with this row's prior; the warnings in ``quiet`` are expected and dropped."""
        prior = self.prior(K, X.shape[1])
        with warnings.catch_warnings():
            for category in quiet:
                warnings.simplefilter("ignore", category)
            return self.estimator(K, prior=prior, **self.options, **self.structure, **settings).fit(
                X, sample_weight=sample_weight
            )

    def objective(self, X, K, **held):
        """Return the observed-data objective as a function of log weights and `to_vector`; ``held`` arrays stay."""
        prior, D = self.prior(K, X.shape[1]), X.shape[1]

        def function(vector):
            weights = np.exp(vector[:K] - logsumexp(vector[:K]))
            parameters = self.from_vector(weights, vector[K:], K, D)
            parameters = type(parameters)(**(parameters.arrays() | held), **self.structure)
            _, log_likelihood = self.steps.e_step(X, parameters, **self.options)
            return log_likelihood + (0.0 if prior is None else prior.log_prob(parameters))

        return function

    def m_step(self, X, responsibilities, prior):
        return self.steps.m_step(X, responsibilities, prior, **self.options, **self.structure)

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
        arrays = self.known([X[z == k] for k in range(K)], prior)
        return {"weights": (counts + a - 1) / (counts + a - 1).sum(), **arrays}


FAILINGS = (CollapseWarning, NoMaximumWarning, NotConvergedWarning, NotIdentifiableWarning)
TRIALS = 7


# Gaussian -------------------------------------------------------------------------------------------------------------


MATRICES = ("full", "tied")


def gaussian_prior(kind):
    def prior(K, D):
        scale = {"diag": np.linspace(0.7, 1.3, D), "spherical": 0.9}.get(kind, 0.8 * np.eye(D) + 0.2)
        return GMMPrior(1.7, np.linspace(-1, 1, D), 0.3, D + 2.5, scale, kind)

    return prior


def gaussian_parameters(kind):
    def parameters(rng, K, D):
        roots = 0.4 * rng.normal(size=(K, D, D)) + np.eye(D)
        matrices = roots @ roots.transpose(0, 2, 1) + 0.2 * np.eye(D)  # condition number under 100 or so
        variances = np.diagonal(matrices, axis1=1, axis2=2)
        covariances = {"full": matrices, "tied": matrices[0], "diag": variances, "spherical": variances[:, 0]}[kind]
        return GMMParameters(rng.dirichlet(np.full(K, 5.0)), 2 * rng.normal(size=(K, D)), covariances, kind)

    return parameters


def gaussian_known(kind):
    """Return the closed form: means by component, and scatter matrices reduced to what the structure keeps."""

    def known(groups, prior):
        D = groups[0].shape[1]
        counts = np.array([len(X) for X in groups], dtype=float)
        averages = np.array([X.mean(axis=0) for X in groups])
        scatters = np.array([sum(np.outer(x - m, x - m) for x in X) for X, m in zip(groups, averages, strict=True)])
        if prior is None:
            means, scale, extra = averages, np.zeros(()), {"full": 0, "tied": 0, "diag": 0, "spherical": 0}[kind]
        else:
            kappa, gap = prior.mean_precision, averages - prior.mean
            means = (kappa * prior.mean + counts[:, None] * averages) / (kappa + counts)[:, None]
            pull = kappa * counts / (kappa + counts)
            scatters = scatters + pull[:, None, None] * gap[:, :, None] * gap[:, None, :]
            K, scale = len(groups), prior.scale
            extra = prior.degrees_of_freedom + {"full": D + 2, "tied": D + 1 + K, "diag": 3, "spherical": D + 2}[kind]
        if kind == "full":
            covariances = (scale + scatters) / (counts + extra)[:, None, None]
        elif kind == "tied":
            covariances = (scale + scatters.sum(axis=0)) / (counts.sum() + extra)
        elif kind == "diag":
            covariances = (scale + np.diagonal(scatters, axis1=1, axis2=2)) / (counts + extra)[:, None]
        else:
            covariances = (scale + np.trace(scatters, axis1=1, axis2=2)) / (D * counts + extra)
        return {"means": means, "covariances": covariances}

    return known


def independent_prior(kind, variance_shape):
    def prior(K, D):
        scale = 0.9 if kind == "spherical" else np.linspace(0.7, 1.3, D)
        return GMMIndependentPrior(
            1.7, np.linspace(-1, 1, D), np.linspace(1.5, 2.5, D), scale, variance_shape, 2.0, kind
        )

    return prior


def independent_known(groups, prior):
    """Return the joint mode: the root of the derivative in each variance v, with the means at their mode given v."""
    K, D = len(groups), groups[0].shape[1]
    owners = [range(D)] if prior.covariance_type == "spherical" else [[d] for d in range(D)]  # features of each v
    means, variances = np.empty((K, D)), np.empty((K, len(owners)))

    def means_given(v, X, of):
        precision = len(X) / v + 1 / prior.mean_sd[of] ** 2
        return (X[:, of].sum(axis=0) / v + prior.mean[of] / prior.mean_sd[of] ** 2) / precision

    def slope(v, X, of, scale):
        """The derivative of log likelihood plus log prior in v, times 2 v²."""
        squares = ((X[:, of] - means_given(v, X, of)) ** 2).sum() - X[:, of].size * v
        if prior.variance_shape is None:
            return squares - v - v**2 / scale**2
        return squares - 2 * (prior.variance_shape + 1) * v + 2 * scale

    for k, X in enumerate(groups):
        for j, features in enumerate(owners):
            of = np.array(features)
            arguments = X, of, np.broadcast_to(prior.scale, len(owners))[j]
            variances[k, j] = brentq(slope, 1e-6, 1e4, args=arguments, xtol=1e-15, rtol=1e-15)
            means[k, of] = means_given(variances[k, j], X, of)
    return {"means": means, "covariances": variances[:, 0] if prior.covariance_type == "spherical" else variances}


def gaussian_log_prob(x, parameters, k):
    D, kind = len(x), parameters.covariance_type
    own = parameters.covariances if kind == "tied" else parameters.covariances[k]
    matrix = own if kind in MATRICES else np.diag(np.full(D, own) if kind == "spherical" else own)
    return multivariate_normal(parameters.means[k], matrix).logpdf(x)


def gaussian_to_vector(parameters):
    if parameters.covariance_type not in MATRICES:
        return np.concatenate([parameters.means.ravel(), np.log(parameters.covariances).ravel()])
    rows, columns = np.tril_indices(parameters.n_features)
    roots = np.linalg.cholesky(parameters.covariances)[..., rows, columns]
    roots[..., rows == columns] = np.log(roots[..., rows == columns])
    return np.concatenate([parameters.means.ravel(), roots.ravel()])


def gaussian_from_vector(kind):
    def from_vector(weights, vector, K, D):
        means, rest = vector[: K * D].reshape(K, D), vector[K * D :]
        if kind not in MATRICES:
            return GMMParameters(weights, means, np.exp(rest.reshape((K, D) if kind == "diag" else K)), kind)
        rows, columns = np.tril_indices(D)
        entries = rest.reshape(-1, len(rows)).copy()
        entries[:, rows == columns] = np.exp(entries[:, rows == columns])
        roots = np.zeros((len(entries), D, D))
        roots[:, rows, columns] = entries
        matrices = roots @ roots.transpose(0, 2, 1)
        return GMMParameters(weights, means, matrices if kind == "full" else matrices[0], kind)

    return from_vector


# Bernoulli and binomial -----------------------------------------------------------------------------------------------


def beta_prior(K, D):
    return BMMPrior(1.7, np.linspace(1.2, 3, D), 1.5)


def count_parameters(rng, K, D):
    return BMMParameters(rng.dirichlet(np.full(K, 5.0)), rng.uniform(0.1, 0.9, size=(K, D)))


def count_known(m):
    def known(groups, prior):
        b, c = (1.0, 1.0) if prior is None else (prior.successes, prior.failures)
        return {"probs": np.array([(X.sum(axis=0) + b - 1) / (m * len(X) + b + c - 2) for X in groups])}

    return known


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


def gaussian(kind):
    return {
        "steps": gmm,
        "estimator": GaussianMixtureEM,
        "parameters": gaussian_parameters(kind),
        "simulate": lambda parameters, n, rng: simulate_gmm(parameters, n, rng)[0],
        "known": gaussian_known(kind),
        "log_prob": gaussian_log_prob,
        "to_vector": gaussian_to_vector,
        "from_vector": gaussian_from_vector(kind),
        "structure": {"covariance_type": kind},
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
    "known": count_known(1),
    "log_prob": bernoulli_log_prob,
}
BINOMIAL = COUNTS | {
    "estimator": BinomialMixtureEM,
    "simulate": draw_counts(TRIALS),
    "known": count_known(TRIALS),
    "log_prob": binomial_log_prob,
    "options": {"n_trials": TRIALS},
}


def no_prior(K, D):
    """Maximum likelihood."""


FAMILIES = [
    *(Family(name=f"{kind}-ML", prior=no_prior, **gaussian(kind)) for kind in COVARIANCE_TYPES),
    *(Family(name=f"{kind}-MAP", prior=gaussian_prior(kind), **gaussian(kind)) for kind in COVARIANCE_TYPES),
    *(
        Family(name=name, prior=independent_prior(kind, shape), **gaussian(kind) | {"known": independent_known})
        for name, kind, shape in [("diag-half-normal", "diag", None), ("spherical-inverse-gamma", "spherical", 1.5)]
    ),
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
