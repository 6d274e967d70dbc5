"""The exact posterior of a mixture of a few samples: every label vector z is looked at, nothing is sampled.

Under a conjugate prior the parameters integrate out, so that with n samples and K components

    p(X, z) = p(z) p(X | z),        p(X) = Σ_z p(X, z)           K^n label vectors
    p(z)    = Γ(Σa) / Γ(n + Σa) Π_k Γ(N_k + a_k) / Γ(a_k)        Dirichlet-multinomial, N_k samples with label k

and p(X | z) is a product over components of closed forms. With κ_k, m_k and A_k as in :mod:`models.gmm`,
G_p(ν, Ψ) = log Γ_p(ν/2) - ν/2 log|Ψ| and p the side length of Ψ (1 for a variance), log p(X | z) is

    full       Σ_k  { G_D(ν0 + N_k, Ψ0 + A_k) - G_D(ν0, Ψ0) }                          + c
    tied              G_D(ν0 + n, Ψ0 + Σ_k A_k) - G_D(ν0, Ψ0)                          + c
    diag       Σ_kd { G_1(ν0 + N_k, ψ0_d + A_k,dd) - G_1(ν0, ψ0_d) }                   + c
    spherical  Σ_k  { G_1(ν0 + D N_k, ψ0 + tr A_k) - G_1(ν0, ψ0) }                     + c
               where c = - nD/2 log π + D/2 Σ_k log(κ0 / κ_k)
    BMM        Σ_id log C(m_id, x_id) + Σ_kd { log B(b_d + s_kd, c_d + f_kd) - log B(b_d, c_d) }

with s and f the successes and failures of component k. All that depends on the samples of one component is computed
once for each of the 2^n sets of samples and looked up; a set is written as a whole number, bit i for sample i.

Nothing here is shared with :mod:`em`: it is the reference for Gibbs sampling, variational inference, NUTS and SMC.

References
----------
Murphy (2007), Conjugate Bayesian analysis of the Gaussian distribution, technical report, section 9.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import log, pi
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaln, gammaln, logsumexp, multigammaln

from models.bmm import BMMPrior
from models.bmm.counts import common_trials, count_matrix
from models.gmm import GMMPrior
from models.one_line import one_line
from models.validation import Array, count_at_least_one, data_matrix, real_numbers

MOST_SAMPLES = 12
MOST_LABELLINGS = 2e7  # K = 4 with 12 samples; some seconds
BATCH = 2**19


@dataclass(frozen=True, eq=False)
class ExactPosterior:
    """The posterior of a mixture, by enumeration.

    Labels have no meaning of their own: under a prior that treats components alike, what belongs to one component has
    the same mean for all of them.

    Attributes
    ----------
    log_evidence : float
        log p(X) in nats.
    co_clustering : ndarray, shape (n, n)
        p(z_i = z_j | X).
    n_occupied : ndarray, shape (K + 1,)
        p(j components have samples | X) for j = 0, ..., K.
    responsibilities : ndarray, shape (n, K)
        p(z_i = k | X).
    means : dict of ndarray
        Posterior mean of each parameter by name; NaN where it does not exist (degrees of freedom too low).
    """

    log_evidence: float
    co_clustering: Array
    n_occupied: Array
    responsibilities: Array
    means: dict[str, Array]
    _sets: "_Sets" = field(repr=False)
    _concentration: Array = field(repr=False)

    __repr__ = one_line

    def log_predictive(self, points: ArrayLike, n_trials: ArrayLike | None = None) -> Array:
        """Return log p(x | X) of new points, shape (m,): the ratio of the evidence with and without the point.

        Parameters
        ----------
        points : array_like, shape (m, D)
            Where to evaluate.
        n_trials : int or array_like, shape (D,) or (m, D), or None
            Number of trials of each cell, for counts; ``None``: as in X, where all its rows had the same.
        """
        with_each = self._sets.with_each_of(points, n_trials)
        return np.array([_log_evidence(sets, self._concentration) - self.log_evidence for sets in with_each])


def exact_posterior(
    X: ArrayLike, n_components: int, prior: GMMPrior | BMMPrior, n_trials: ArrayLike = 1
) -> ExactPosterior:
    """Return evidence and posterior means over all K^n label vectors, with no Monte Carlo error.

    Parameters
    ----------
    X : array_like, shape (n, D)
        At most 12 samples. A missing count (NaN) is legal.
    n_components : int
        Number of components K.
    prior : GMMPrior or BMMPrior
        A conjugate prior; it says which family, and of which covariance structure.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials of each cell, for counts.

    Examples
    --------
    >>> from comparisons.exact import exact_posterior
    >>> from models.bmm import BMMPrior
    >>> exact = exact_posterior([[1], [0]], 2, BMMPrior(concentration=1, successes=1, failures=1))
    >>> exact.co_clustering[0, 1].round(6)  # 2/3 a priori, and then 1/6 against 1/4 for different answers
    np.float64(0.571429)
    """
    K, n = count_at_least_one("n_components", n_components), len(data_matrix(X, missing=True))
    if n > MOST_SAMPLES or K**n > MOST_LABELLINGS:
        raise ValueError(
            f"X must have at most {MOST_SAMPLES} rows and n_components ** rows be at most {MOST_LABELLINGS:g}, got "
            f"{n} rows and {K} components: use em.gibbs"
        )
    sets = _sets_of(X, prior, n_trials)
    sets.check_fits(K)
    a = np.broadcast_to(prior.concentration, K)
    log_evidence = _log_evidence(sets, a)
    of_sets, n_occupied = np.zeros((K, 2**n)), np.zeros(K + 1)
    for labels in _labellings(n, K):
        probability = np.exp(_log_joint(sets, a, labels) - log_evidence)
        n_occupied += np.bincount((labels > 0).sum(axis=1), probability, K + 1)
        of_sets += [np.bincount(labels[:, k], probability, 2**n) for k in range(K)]
    members = _members(n)
    weights = (a + of_sets @ members.sum(axis=1)) / (a.sum() + n)
    return ExactPosterior(
        log_evidence,
        members.T @ (of_sets.sum(axis=0)[:, None] * members),
        n_occupied,
        (of_sets @ members).T,
        {"weights": weights} | sets.means(of_sets),
        sets,
        a,
    )


def log_joint_of_labels(
    X: ArrayLike, z: ArrayLike, n_components: int, prior: GMMPrior | BMMPrior, n_trials: ArrayLike = 1
) -> Array:
    """Return log p(X, z) in nats, shape (S,), parameters integrated out, for any number of samples.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    z : array_like of int, shape (S, n)
        Label vectors; labels from 0 to K - 1.
    n_components : int
        Number of components K.
    prior : GMMPrior or BMMPrior
        A conjugate prior.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials of each cell, for counts.
    """
    K, (n, D) = count_at_least_one("n_components", n_components), data_matrix(X, missing=True).shape
    z = _check_labels(z, n, K)
    a, found = np.broadcast_to(prior.concentration, K), np.empty(S := len(z))
    size = max(1, BATCH // (n * K * D))
    for first in range(0, S, size):
        part = z[first : first + size]
        members = (part[:, None, :] == np.arange(K)[:, None]).reshape(-1, n).astype(np.float64)
        labels = np.arange(len(members)).reshape(-1, K)
        found[first : first + size] = _log_joint(_sets_of(X, prior, n_trials, members), a, labels)
    return found


def _check_labels(z: ArrayLike, n: int, K: int) -> np.ndarray:
    labels, wanted = real_numbers("z", z), f"z must be integer labels from 0 to {K - 1}"
    if labels.ndim != 2 or labels.shape[1] != n or labels.dtype.kind not in "iu":
        raise ValueError(f"{wanted} of shape (label vectors, {n}), got shape {labels.shape} of {labels.dtype}")
    if labels.size and (labels.min() < 0 or labels.max() >= K):
        raise ValueError(f"{wanted}, got labels from {labels.min()} to {labels.max()}")
    return labels


def _members(n: int) -> Array:
    """Return which samples belong to each set, shape (2^n, n), as 0 and 1."""
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(np.float64)


def _labellings(n: int, K: int) -> Iterator[np.ndarray]:
    """Yield all K^n label vectors in batches, each as the K sets of samples that its labels make, shape (batch, K)."""

    def sets_of(samples: range) -> np.ndarray:
        sets = np.zeros((1, K), dtype=np.int64)
        for i in samples:
            sets = (sets[:, None] + (1 << i) * np.eye(K, dtype=np.int64)).reshape(-1, K)
        return sets

    n_together = min(n, int(log(BATCH) / log(K)) if K > 1 else n)
    first = sets_of(range(n_together))
    for rest in sets_of(range(n_together, n)):
        yield first + rest


def _log_joint(sets: "_Sets", a: Array, labels: np.ndarray) -> Array:
    """Return log p(X, z) of label vectors, shape (batch,)."""
    log_share = gammaln(sets.counts[:, None] + a) - gammaln(a)  # of each set (2^n, K)
    log_prob_z = gammaln(a.sum()) - gammaln(a.sum() + sets.n_samples) + _sum_over_components(log_share, labels)
    return log_prob_z + sets.log_prob(labels)


def _sum_over_components(of_sets: Array, labels: np.ndarray) -> Array:
    """Return Σ_k of_sets[S_k, k], the last axis being there or not, where the sets S_k (batch, K) are component k's."""
    columns = of_sets.T if of_sets.ndim == 2 else [of_sets] * labels.shape[1]
    return sum(column[own] for column, own in zip(columns, labels.T, strict=True))


def _log_evidence(sets: "_Sets", a: Array) -> float:
    return float(logsumexp([logsumexp(_log_joint(sets, a, labels)) for labels in _labellings(sets.n_samples, len(a))]))


class _Sets(Protocol):
    """What a family knows of each set of samples."""

    n_samples: int
    counts: Array  # (2^n,)

    def check_fits(self, K: int) -> None:
        """Raise a ValueError unless the prior is one for K components and this many features."""

    def log_prob(self, labels: np.ndarray) -> Array:
        """Return log p(X | z), shape (batch,), of the sets (batch, K) that z makes."""

    def means(self, of_sets: Array) -> dict[str, Array]:
        """Return posterior means by name, from the probability (K, 2^n) that a set is component k's."""

    def with_each_of(self, points: ArrayLike, n_trials: ArrayLike | None) -> Iterator["_Sets"]:
        """Yield the same for the samples and one new point more, for each point."""


def _sets_of(X: ArrayLike, prior: GMMPrior | BMMPrior, n_trials: ArrayLike, members: Array | None = None) -> _Sets:
    """Return what is known of sets of samples, whose members (sets, n) are ones; ``None`` stands for all 2^n sets."""
    if isinstance(prior, GMMPrior):
        return _GaussianSets(data_matrix(X), prior, members)
    if not isinstance(prior, BMMPrior):
        raise ValueError(f"prior must be a GMMPrior or a BMMPrior, got {type(prior).__name__}: it must be conjugate")
    return _CountSets(*count_matrix(data_matrix(X, missing=True), n_trials), prior, members)


class _GaussianSets:
    """Gaussian samples: N, posterior means m and A of each set."""

    def __init__(self, X: Array, prior: GMMPrior, members: Array | None = None) -> None:
        self.X, self.prior, self.n_samples = X, prior, len(X)
        D, kind, kappa = X.shape[1], prior.covariance_type, prior.mean_precision
        if prior.mean.shape != (D,):
            raise ValueError(f"prior.mean must have shape ({D},) like a row of X, got {prior.mean.shape}")
        members = _members(len(X)) if members is None else members
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

    def check_fits(self, K: int) -> None:
        self.prior.check_fits(K, self.X.shape[1], self.prior.covariance_type)

    def log_prob(self, labels: np.ndarray) -> Array:
        log_prob = _sum_over_components(self.of_sets, labels)
        if self.prior.covariance_type != "tied":
            return log_prob
        return log_prob + self._gain(_sum_over_components(self.A, labels))

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

    def with_each_of(self, points: ArrayLike, n_trials: ArrayLike | None) -> Iterator[_Sets]:
        points = data_matrix(points, "points")
        _check_columns(points, self.X)
        return (_GaussianSets(np.vstack([self.X, point]), self.prior) for point in points)

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


class _CountSets:
    """Counts: successes and failures of each set."""

    def __init__(self, X: Array, trials: Array, prior: BMMPrior, members: Array | None = None) -> None:
        self.X, self.trials, self.prior, self.n_samples = X, trials, prior, len(X)
        members = _members(len(X)) if members is None else members
        self.counts = members.sum(axis=1)
        self.b, self.c = prior.successes + members @ X, prior.failures + members @ (trials - X)
        log_choose = (gammaln(trials + 1) - gammaln(X + 1) - gammaln(trials - X + 1)).sum(axis=1)
        log_beta = betaln(self.b, self.c) - betaln(prior.successes, prior.failures)
        self.of_sets = members @ log_choose + log_beta.sum(axis=1)

    def check_fits(self, K: int) -> None:
        self.prior.check_fits(K, self.X.shape[1])

    def log_prob(self, labels: np.ndarray) -> Array:
        return _sum_over_components(self.of_sets, labels)

    def means(self, of_sets: Array) -> dict[str, Array]:
        return {"probs": of_sets @ (self.b / (self.b + self.c))}

    def with_each_of(self, points: ArrayLike, n_trials: ArrayLike | None) -> Iterator[_Sets]:
        points = data_matrix(points, "points", missing=True)
        _check_columns(points, self.X)
        points, trials = count_matrix(points, common_trials(self.trials) if n_trials is None else n_trials)
        return (
            _CountSets(np.vstack([self.X, point]), np.vstack([self.trials, own]), self.prior)
            for point, own in zip(points, trials, strict=True)
        )


def _check_columns(points: Array, X: Array) -> None:
    if points.shape[1] != X.shape[1]:
        raise ValueError(f"points must have {X.shape[1]} columns like X, got {points.shape[1]}")
