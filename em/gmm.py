"""EM's steps for the Gaussian mixture, as pure functions that can be called and checked by hand.

The mathematics is in :mod:`models.gmm`; formulas there, code here, in the same order. The estimator that iterates them
is in :mod:`em.gmm_estimator`.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg.lapack import dtrtri

from em.bound import check_responsibilities, normalise
from em.engine import Collapse
from models.gmm import GMMParameters, GMMPrior
from models.validation import Array, data_matrix


def component_log_prob(X: ArrayLike, parameters: GMMParameters) -> Array:
    """Return log p(x_i | z_i = k), shape (n, K), in nats: -D/2 log 2π - 1/2 log|Σ_k| - 1/2 ‖L_k⁻¹ (x_i - μ_k)‖²."""
    X = _samples(X, parameters)
    log_prob = np.empty((len(X), parameters.n_components))
    for k, (mean, chol) in enumerate(zip(parameters.means, parameters.cholesky, strict=True)):
        inverse, _ = dtrtri(chol, lower=1)  # once per component; a triangular solve per sample takes ten times as long
        whitened = inverse @ (X - mean).T
        log_prob[:, k] = -0.5 * np.einsum("dn,dn->n", whitened, whitened) - np.log(np.diagonal(chol)).sum()
    return log_prob - 0.5 * parameters.n_features * np.log(2 * np.pi)


def log_joint(X: ArrayLike, parameters: GMMParameters) -> Array:
    """Return log p(x_i, z_i = k) = log π_k + log p(x_i | z_i = k), shape (n, K), in nats."""
    with np.errstate(divide="ignore"):
        return np.log(parameters.weights) + component_log_prob(X, parameters)


def e_step(X: ArrayLike, parameters: GMMParameters) -> tuple[Array, float]:
    """Return the responsibilities p(z_i = k | x_i), shape (n, K), and the log-likelihood (sum over samples, nats).

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    parameters : GMMParameters
        Current parameters.

    Examples
    --------
    >>> from em import gmm
    >>> from models.gmm import GMMParameters
    >>> r, log_likelihood = gmm.e_step([[1.0]], GMMParameters([0.5, 0.5], [[0.0], [2.0]], [[[1.0]], [[1.0]]]))
    >>> r
    array([[0.5, 0.5]])
    """
    responsibilities, log_prob = normalise(log_joint(X, parameters))
    return responsibilities, float(log_prob.sum())


def m_step(X: ArrayLike, responsibilities: ArrayLike, prior: GMMPrior | None = None) -> GMMParameters:
    """Return the parameters that maximise Q (plus the log prior) under the given responsibilities.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    responsibilities : array_like, shape (n, K)
        Rows sum to one; one-hot rows give the closed-form fit with known labels.
    prior : GMMPrior or None
        ``None`` for maximum likelihood.

    Raises
    ------
    Collapse
        If a component's covariance would be singular (a ValueError).

    Examples
    --------
    >>> from em import gmm
    >>> gmm.m_step([[0.0], [2.0], [5.0], [9.0]], [[1, 0], [1, 0], [0, 1], [0, 1]]).means
    array([[1.],
           [7.]])
    """
    X = data_matrix(X)
    r = check_responsibilities(responsibilities, len(X))
    counts = r.sum(axis=0)
    centers = r.T @ X / np.where(counts > 0, counts, 1.0)[:, None]
    return mode(sufficient_statistics(X, r, centers), prior)


@dataclass(frozen=True)
class GaussianStatistics:
    """Responsibility-weighted moments about fixed ``centers`` c_k; they add up over rows.

    counts Σ_i r_ik (K,); first Σ_i r_ik (x_i - c_k) (K, D); second Σ_i r_ik (x_i - c_k)(x_i - c_k)' (K, D, D).
    Centres near the means keep the digits that raw second moments lose.
    """

    centers: Array
    counts: Array
    first: Array
    second: Array

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.centers, self.counts + other.counts, self.first + other.first, self.second + other.second
        )


def sufficient_statistics(X: Array, responsibilities: Array, centers: Array) -> GaussianStatistics:
    """Return the weighted moments of X (n, D) about ``centers`` (K, D)."""
    K, D = centers.shape
    first, second = np.empty((K, D)), np.empty((K, D, D))
    for k in range(K):
        gap = X - centers[k]
        weighted = responsibilities[:, k, None] * gap
        first[k], second[k] = weighted.sum(axis=0), weighted.T @ gap
    return GaussianStatistics(centers, responsibilities.sum(axis=0), first, second)


def mode(statistics: GaussianStatistics, prior: GMMPrior | None) -> GMMParameters:
    """Return the mode of prior plus sufficient statistics: the M-step's formulas of :mod:`models.gmm`."""
    N = statistics.counts
    K, D = statistics.centers.shape
    shift = statistics.first / np.where(N > 0, N, 1.0)[:, None]
    xbar = statistics.centers + shift
    S = statistics.second - N[:, None, None] * _outer(shift)
    if prior is None:
        if (N <= 0).any():
            raise Collapse(f"component {int(np.argmin(N))} was emptied: no sample has a share in it")
        weights, means, covariances = N / N.sum(), xbar, S / N[:, None, None]
    else:
        prior.check_fits(K, D)
        a, m0, kappa0 = np.broadcast_to(prior.concentration, K), prior.mean, prior.mean_precision
        weights = (N + a - 1) / (N.sum() + a.sum() - K)
        means = (kappa0 * m0 + N[:, None] * xbar) / (kappa0 + N)[:, None]
        pull = (kappa0 * N / (kappa0 + N))[:, None, None] * _outer(xbar - m0)
        covariances = (prior.scale + S + pull) / (prior.degrees_of_freedom + N + D + 2)[:, None, None]
    covariances = (covariances + np.swapaxes(covariances, 1, 2)) / 2
    try:
        return GMMParameters(weights, means, covariances)
    except ValueError:
        with np.errstate(all="ignore"):
            flattest = int(np.argmin(np.linalg.slogdet(covariances)[1]))
        raise Collapse(f"component {flattest} fell onto a point or a plane: its covariance is singular") from None


def _outer(rows: Array) -> Array:
    return rows[:, :, None] * rows[:, None, :]


def _samples(X: ArrayLike, parameters: GMMParameters) -> Array:
    X = data_matrix(X)
    if X.shape[1] != parameters.n_features:
        raise ValueError(f"X must have {parameters.n_features} columns like the means, got {X.shape[1]}")
    return X
