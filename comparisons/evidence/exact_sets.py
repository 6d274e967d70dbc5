"""What an exact posterior needs to know of each set of samples, for the samples of one component are a set.

The formulas are in :mod:`comparisons.evidence.exact`; a set is written as a whole number, bit i for sample i.
"""

from collections.abc import Iterator
from math import log, pi
from typing import Protocol, override

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, gammaln, multigammaln

from models.bmm import BMMPrior
from models.bmm.counts import common_trials, count_matrix
from models.gmm import GMMPrior
from models.validation import Array, data_matrix


class Sets(Protocol):
    """What a family knows of each set of samples."""

    n_samples: int
    counts: Array  # (2^n,)

    def check_fits(self, K: int) -> None:
        """Raise a ValueError unless the prior is one for K components and this many features."""

    def log_prob(self, labels: np.ndarray) -> Array:
        """Return log p(X | z), shape (batch,), of the sets (batch, K) that z makes."""

    def means(self, of_sets: Array) -> dict[str, Array]:
        """Return posterior means by name, from the probability (K, 2^n) that a set is component k's."""

    def with_each_of(self, points: ArrayLike, n_trials: ArrayLike | None) -> Iterator["Sets"]:
        """Yield the same for the samples and one new point more, for each point."""


def sets_of_samples(
    X: ArrayLike, prior: GMMPrior | BMMPrior, n_trials: ArrayLike, members: Array | None = None
) -> Sets:
    """Return what is known of sets of samples, whose members (sets, n) are ones; ``None`` stands for all 2^n sets."""
    if isinstance(prior, GMMPrior):
        return GaussianSets(data_matrix(X), prior, members)
    if not isinstance(prior, BMMPrior):
        raise ValueError(f"prior must be a GMMPrior or a BMMPrior, got {type(prior).__name__}: it must be conjugate")
    return CountSets(*count_matrix(X, n_trials), prior, members)


class GaussianSets(Sets):
    """Gaussian samples: N, posterior means m and A of each set."""

    def __init__(self, X: Array, prior: GMMPrior, members: Array | None = None) -> None:
        self.X, self.prior, self.n_samples = X, prior, len(X)
        D, kind, kappa = X.shape[1], prior.covariance_type, prior.mean_precision
        if prior.mean.shape != (D,):
            raise ValueError(f"prior.mean must have shape ({D},) like a row of X, got {prior.mean.shape}")
        members = members_of_sets(len(X)) if members is None else members
        N = self.counts = members.sum(axis=1)
        xbar = members @ X / np.maximum(N, 1)[:, None]
        gaps, pull = members[:, :, None] * (X - xbar[:, None]), xbar - prior.mean
        A = np.einsum("sid,sie->sde", gaps, gaps)
        A += (kappa * N / (kappa + N))[:, None, None] * pull[:, :, None] * pull[:, None, :]
        if kind == "diag":
            A = np.diagonal(A, axis1=1, axis2=2)
        elif kind == "spherical":
            A = np.trace(A, axis1=1, axis2=2)
        self.A, self.set_means = A, (kappa * prior.mean + N[:, None] * xbar) / (kappa + N)[:, None]
        self.of_sets = D / 2 * (np.log(kappa / (kappa + N)) - N * log(pi))
        if kind != "tied":
            self.of_sets += self._gain(A)

    @override
    def check_fits(self, K: int) -> None:
        self.prior.check_fits(K, self.X.shape[1], self.prior.covariance_type)

    @override
    def log_prob(self, labels: np.ndarray) -> Array:
        log_prob = sum_over_components(self.of_sets, labels)
        if self.prior.covariance_type != "tied":
            return log_prob
        return log_prob + self._gain(sum_over_components(self.A, labels))

    @override
    def means(self, of_sets: Array) -> dict[str, Array]:
        D, kind, scale = self.X.shape[1], self.prior.covariance_type, self.prior.scale
        excess = self._degrees_of_freedom() - (D + 1 if scale.ndim == 2 else 2)
        if kind == "tied":
            total = scale + np.tensordot(of_sets.sum(axis=0), self.A, 1)
            covariances = total / excess if excess > 0 else np.full_like(total, np.nan)
        else:
            exists, divisors = excess.ravel() > 0, excess.reshape(-1, *(1,) * (self.A.ndim - 1))
            covariances = np.tensordot(of_sets[:, exists], (scale + self.A)[exists] / divisors[exists], 1)
            covariances[(of_sets[:, ~exists] > 0).any(axis=1)] = np.nan
        means, without = of_sets @ self.set_means, np.broadcast_to(np.ravel(excess + 1 <= 0), len(self.counts))
        means[(of_sets[:, without] > 0).any(axis=1)] = np.nan  # t of excess + 2 degrees of freedom has no mean
        return {"means": means, "covariances": covariances}

    @override
    def with_each_of(self, points: ArrayLike, n_trials: ArrayLike | None) -> Iterator[Sets]:
        points = data_matrix(points, "points")
        _check_columns(points, self.X)
        return (GaussianSets(np.vstack([self.X, point]), self.prior) for point in points)

    def _degrees_of_freedom(self) -> Array:
        """Return those of each set's posterior, (2^n,) or a column for "diag"; of "tied" that of all samples ()."""
        D, N = self.X.shape[1], self.counts
        added = {"full": N, "tied": np.float64(self.n_samples), "diag": N[:, None], "spherical": D * N}
        return self.prior.degrees_of_freedom + added[self.prior.covariance_type]

    def _gain(self, A: Array) -> Array:
        """Return G(ν, Ψ0 + A) - G(ν0, Ψ0), summed over the features of "diag"."""
        prior = self.prior
        gain = self._log_normaliser(self._degrees_of_freedom(), prior.scale + A)
        gain = gain - self._log_normaliser(prior.degrees_of_freedom, prior.scale)
        return gain.sum(axis=1) if prior.covariance_type == "diag" else gain

    def _log_normaliser(self, nu: Array | float, scale: Array) -> Array:
        """Return G(ν, Ψ)."""
        if self.prior.scale.ndim == 2:
            return multigammaln(nu / 2, self.X.shape[1]) - nu / 2 * np.linalg.slogdet(scale)[1]
        return gammaln(nu / 2) - nu / 2 * np.log(scale)


class CountSets(Sets):
    """Counts: successes and failures of each set."""

    def __init__(self, X: Array, trials: Array, prior: BMMPrior, members: Array | None = None) -> None:
        self.X, self.trials, self.prior, self.n_samples = X, trials, prior, len(X)
        members = members_of_sets(len(X)) if members is None else members
        self.counts = members.sum(axis=1)
        self.b, self.c = prior.successes + members @ X, prior.failures + members @ (trials - X)
        log_choose = (gammaln(trials + 1) - gammaln(X + 1) - gammaln(trials - X + 1)).sum(axis=1)
        log_beta = betaln(self.b, self.c) - betaln(prior.successes, prior.failures)
        self.of_sets = members @ log_choose + log_beta.sum(axis=1)

    @override
    def check_fits(self, K: int) -> None:
        self.prior.check_fits(K, self.X.shape[1])

    @override
    def log_prob(self, labels: np.ndarray) -> Array:
        return sum_over_components(self.of_sets, labels)

    @override
    def means(self, of_sets: Array) -> dict[str, Array]:
        return {"probs": of_sets @ (self.b / (self.b + self.c))}

    @override
    def with_each_of(self, points: ArrayLike, n_trials: ArrayLike | None) -> Iterator[Sets]:
        points = data_matrix(points, "points", missing=True)
        _check_columns(points, self.X)
        points, trials = count_matrix(points, common_trials(self.trials) if n_trials is None else n_trials)
        return (
            CountSets(np.vstack([self.X, point]), np.vstack([self.trials, own]), self.prior)
            for point, own in zip(points, trials, strict=True)
        )


def _check_columns(points: Array, X: Array) -> None:
    if points.shape[1] != X.shape[1]:
        raise ValueError(f"points must have {X.shape[1]} columns like X, got {points.shape[1]}")


def members_of_sets(n: int) -> Array:
    """Return which samples belong to each set, shape (2^n, n), as 0 and 1."""
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(np.float64)


def sum_over_components(of_sets: Array, labels: np.ndarray) -> Array:
    """Return Σ_k of_sets[S_k, k], the last axis being there or not, where the sets S_k (batch, K) are component k's."""
    columns = of_sets.T if of_sets.ndim == 2 else [of_sets] * labels.shape[1]
    return sum(column[own] for column, own in zip(columns, labels.T, strict=True))
