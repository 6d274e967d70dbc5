"""Reference log-likelihoods, without code of :mod:`em`, with bounds on their rounding errors.

Gaussian rows are centred at a row of X and divided by powers of two, so that neither offsets nor scales cost digits.
Binomials of many trials are computed with 40 digits, because log C(m, x) and x log p + (m - x) log(1 - p) cancel.

The bound is EPS times the number of roundings times the sum of absolute terms. The terms of a Gaussian are log π,
log 2π, the logarithms of L's diagonal (Σ = L L') and the squared distance q. The Cholesky factor and the solves enlarge
the errors of the last two by the condition number κ of the correlation matrix (Demmel 1989), and make at most (D + 2)²
roundings. The terms of a binomial of many trials are log π, log p(x), and the effect of the last digit of p,
|x - m p| / (1 - p).
"""

from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import gammaln, logsumexp, xlog1py, xlogy
from scipy.stats import binom

from models.bmm import BMMPrior
from models.gmm import GMMIndependentPrior, GMMParameters
from models.validation import Array

EPS = float(np.finfo(np.float64).eps)
MANY_TRIALS = 1000


@dataclass(frozen=True)
class Reference:
    """Log densities of rows, with bounds on their rounding errors.

    Attributes
    ----------
    log_joint : ndarray, shape (n, K)
        log p(x_i, z_i = k) in nats, of the observed cells.
    rounding : ndarray, shape (n,)
        Bound on the error of log p(x_i) in a numerically stable computation.
    storing : ndarray, shape (n,)
        Bound on the change of log p(x_i) if x and the parameters are rounded to the nearest floats.
    """

    log_joint: Array
    rounding: Array
    storing: Array

    @property
    def log_prob(self) -> Array:
        """Log p(x_i), shape (n,)."""
        return np.asarray(logsumexp(self.log_joint, axis=1))


def combined(log_joint: Array, sizes: Array, moves: Array, n_roundings: int) -> Reference:
    """Return the reference from sums of absolute terms and derivatives (n, K), weighed by the responsibilities."""
    with np.errstate(all="ignore"):
        r = np.exp(log_joint - logsumexp(log_joint, axis=1, keepdims=True))
        r = np.where(np.isnan(r), 1.0 / r.shape[1], r)
        mixed = [np.where(r > 0, r * terms, 0.0).sum(axis=1) for terms in (sizes, moves)]
    return Reference(log_joint, n_roundings * EPS * (mixed[0] + 1), EPS * mixed[1])


def gaussian_reference(X: Array, parameters: GMMParameters) -> Reference:
    """Return log π_k + log Normal(x_i | μ_k, Σ_k) over the observed cells of x_i."""
    n, D = X.shape
    origin, unit = origin_and_unit(X)
    with np.errstate(divide="ignore"):
        log_pi = np.log(parameters.weights)
    Z, M, covariances = (X - origin) / unit, (parameters.means - origin) / unit, parameters.covariance_matrices
    far = np.fmax(np.fmax.reduce(np.abs(X)), np.abs(parameters.means).max(axis=0)) / unit
    log_joint, sizes, moves = np.empty((3, n, parameters.n_components))
    seen = ~np.isnan(X)
    for pattern in np.unique(seen, axis=0):
        rows, log_unit = (seen == pattern).all(axis=1), np.log(unit[pattern])
        for k in range(parameters.n_components):
            S = (covariances[k] / unit / unit[:, None])[pattern][:, pattern]
            sd = np.sqrt(np.diagonal(S))
            R = S / sd / sd[:, None]
            condition = float(np.linalg.cond(R)) if pattern.any() else 1.0
            L = sd[:, None] * np.linalg.cholesky(R)
            y = solve_triangular(L, (Z[rows] - M[k])[:, pattern].T, lower=True)
            q, log_diagonal = (y**2).sum(axis=0), np.log(np.diagonal(L))
            constant = 0.5 * pattern.sum() * np.log(2 * np.pi)
            log_joint[rows, k] = log_pi[k] - constant - log_diagonal.sum() - log_unit.sum() - q / 2
            logs = abs(log_pi[k]) + constant + np.abs(log_diagonal).sum() + 2 * np.abs(log_unit).sum()
            sizes[rows, k] = logs + condition * (q + pattern.sum())
            shift = np.abs(solve_triangular(L, np.eye(len(sd)), lower=True)) @ far[pattern]
            moves[rows, k] = np.linalg.norm(shift) * (np.sqrt(q) + EPS * np.linalg.norm(shift)) + condition * q
    return combined(log_joint, sizes, moves, (D + 2) ** 2)


def origin_and_unit(X: Array) -> tuple[Array, Array]:
    """Return a value of each column, and the power of two next to its range (1 if it is constant), each (D,)."""
    low, high = np.fmin.reduce(X), np.fmax.reduce(X)
    spread = high - low
    return low, np.exp2(np.round(np.log2(np.where(spread > 0, spread, 1.0))))


def binomial_reference(X: Array, trials: Array, weights: Array, probs: Array) -> Reference:
    """Return log π_k + Σ_d log Binomial(x_id | m_id, p_kd) over the observed cells of x_i."""
    seen = ~np.isnan(X)
    x, m = np.where(seen, X, 0.0)[:, None, :], np.where(seen, trials, 0.0)[:, None, :]
    with np.errstate(all="ignore"):
        log_pi = np.log(weights)
        gaps = np.where(x == m * probs, 0.0, np.abs(x - m * probs) / np.where(probs < 1, 1 - probs, 1.0))
        if trials.max() > MANY_TRIALS:
            log_prob = exact_log_binomial(x, m, probs)
            sizes = np.where(np.isfinite(log_prob), np.abs(log_prob), 0.0) + gaps + 1
        else:
            log_prob = np.where(m > 0, binom.logpmf(x, m, probs), 0.0)
            sizes = np.abs(gammaln(m + 1)) + np.abs(gammaln(x + 1)) + np.abs(gammaln(m - x + 1))
            sizes = sizes - xlogy(x, probs) - xlog1py(m - x, -probs)
        sizes = np.where(np.isfinite(sizes), sizes, 0.0).sum(axis=2) + np.abs(np.where(weights > 0, log_pi, 0.0))
    return combined(log_pi + log_prob.sum(axis=2), sizes, gaps.sum(axis=2), 16)


def exact_log_binomial(x: Array, m: Array, p: Array) -> Array:
    """Return log Binomial(x | m, p) of broadcast arrays, rounded from 40 digits."""
    x, m, p = np.broadcast_arrays(x, m, p)
    coefficients: dict[tuple[float, float], Any] = {}
    values = np.empty(x.size)
    with mpmath.workdps(40):
        both = {value: (mpmath.mpf(value), 1 - mpmath.mpf(value)) for value in np.unique(p).tolist()}
        logs = {value: [mpmath.log(q) if q > 0 else -mpmath.inf for q in pair] for value, pair in both.items()}
        for i, (a, b, q) in enumerate(zip(x.ravel().tolist(), m.ravel().tolist(), p.ravel().tolist(), strict=True)):
            if (a, b) not in coefficients:
                gammas = [mpmath.loggamma(mpmath.mpf(c) + 1) for c in (b, a, b - a)]
                coefficients[a, b] = gammas[0] - gammas[1] - gammas[2]
            parts = [times * log for times, log in zip((a, b - a), logs[q], strict=True) if times]
            values[i] = float(coefficients[a, b] + sum(parts))
    return values.reshape(x.shape)


def prior_size(prior: Any, parameters: Any) -> float:
    """Return approximately the sum of absolute terms of log p(θ), with the effect of the last digits of θ."""
    if prior is None:
        return 0.0
    K, D, a = (
        parameters.n_components,
        parameters.n_features,
        np.broadcast_to(prior.concentration, len(parameters.weights)),
    )
    with np.errstate(all="ignore"):
        size = (
            abs(gammaln(a.sum())) + np.abs(gammaln(a)).sum() + np.abs(xlogy(a - 1, parameters.weights)).sum() + a.sum()
        )
        if isinstance(prior, BMMPrior):
            b, c = (np.broadcast_to(part, D) for part in (prior.successes, prior.failures))
            p = parameters.probs
            beta = np.abs(gammaln(b)) + np.abs(gammaln(c)) + np.abs(gammaln(b + c)) + b + c
            return float(
                size + K * beta.sum() - xlogy(b - 1, p).sum() - xlog1py(c - 1, -p).sum() + ((c - 1) / (1 - p)).sum()
            )
        logs = 1 + np.abs(np.log(np.abs(parameters.cholesky[parameters.cholesky != 0]))).sum()
        matrices = parameters.covariance_matrices
        sds = np.sqrt(np.diagonal(matrices, axis1=1, axis2=2))
        condition = max(float(np.linalg.cond(S / sd / sd[:, None])) for S, sd in zip(matrices, sds, strict=True))
        gap, far = np.abs(parameters.means - prior.mean), np.abs(parameters.means) + np.abs(prior.mean)
        if isinstance(prior, GMMIndependentPrior):
            ratio = sds / prior.scale if prior.variance_shape is None else np.sqrt(prior.scale) / sds
            sharpness, shape = 1 / prior.mean_sd, 1 + (prior.variance_shape or 0.0)
        else:
            own = prior.scale if prior.scale.ndim < 2 else np.diagonal(prior.scale)
            ratio, sharpness = np.sqrt(own) / sds, np.sqrt(prior.mean_precision) / sds
            shape = prior.degrees_of_freedom + 1
            logs = logs + np.abs(np.log(own)).sum()
        normal = ((gap * sharpness) ** 2 + gap * sharpness * (far * sharpness)).sum()
        return float(
            size + shape * D * K * (logs + np.log(shape + 1) + condition) + condition * (normal + D * (ratio**2).sum())
        )
