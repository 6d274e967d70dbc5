"""EM's steps for the Bernoulli and binomial mixtures, as pure functions that can be called and checked by hand.

The mathematics is in :mod:`models.bmm`; formulas there, code here, in the same order. The estimators that iterate them
are in :mod:`em.bmm.estimator`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array, issparse
from scipy.special import gammaln

from em.bmm.deviance import MANY_TRIALS, deviance, log_saturated
from em.bound import check_responsibilities, normalise
from em.samples import weighted
from em.samples.distinct import repeat_rarely
from models.bmm import BMMParameters, BMMPrior
from models.bmm.counts import count_matrix, sparse_count_matrix
from models.validation import Array, check_sample_weight, row_slices


def component_log_prob(X: ArrayLike, parameters: BMMParameters, n_trials: ArrayLike = 1) -> Array:
    """Return log p(x_i | z_i = k) = Σ_d log C(m, x) + x log p_kd + (m - x) log(1 - p_kd), shape (n, K), in nats."""
    X, trials = count_matrix(X, n_trials)
    if X.shape[1] != parameters.n_features:
        raise ValueError(f"X must have {parameters.n_features} columns like the probs, got {X.shape[1]}")
    return log_choose(X, trials)[:, None] + log_kernel(X, trials, parameters.probs)


def log_joint(X: ArrayLike, parameters: BMMParameters, n_trials: ArrayLike = 1) -> Array:
    """Return log p(x_i, z_i = k) = log π_k + log p(x_i | z_i = k), shape (n, K), in nats."""
    return log_weights(parameters) + component_log_prob(X, parameters, n_trials)


def e_step(X: ArrayLike, parameters: BMMParameters, n_trials: ArrayLike = 1) -> tuple[Array, float]:
    """Return the responsibilities p(z_i = k | x_i), shape (n, K), and the log-likelihood (sum over samples, nats).

    Parameters
    ----------
    X : array_like, shape (n, D)
        Counts of successes.
    parameters : BMMParameters
        Current parameters.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials of each cell.

    Examples
    --------
    >>> from em import bmm
    >>> from models.bmm import BMMParameters
    >>> r, log_likelihood = bmm.e_step([[1, 1], [0, 0]], BMMParameters([0.5, 0.5], [[0.9, 0.9], [0.1, 0.1]]))
    >>> r.round(3)
    array([[0.988, 0.012],
           [0.012, 0.988]])
    """
    responsibilities, log_prob = normalise(log_joint(X, parameters, n_trials))
    return responsibilities, float(log_prob.sum())


def m_step(
    X: ArrayLike,
    responsibilities: ArrayLike,
    prior: BMMPrior | None = None,
    n_trials: ArrayLike = 1,
    sample_weight: ArrayLike | None = None,
) -> BMMParameters:
    """Return the parameters that maximise Q (plus the log prior) under the given responsibilities.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Counts of successes.
    responsibilities : array_like, shape (n, K)
        Rows sum to one; one-hot rows give the closed-form fit with known labels.
    prior : BMMPrior or None
        ``None`` for maximum likelihood.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials of each cell.
    sample_weight : array_like, shape (n,), or None
        How often each row occurs.

    Examples
    --------
    >>> from em import bmm
    >>> bmm.m_step([[1, 0], [1, 1], [0, 1]], [[1, 0], [1, 0], [0, 1]]).probs
    array([[1. , 0.5],
           [0. , 1. ]])
    """
    X, trials = count_matrix(X, n_trials)
    r = weighted(check_responsibilities(responsibilities, len(X)), check_sample_weight(sample_weight, len(X)))
    return mode(sufficient_statistics(X, trials, r), prior)


TINY, BELOW_ONE = float(np.finfo(np.float64).tiny), float(np.nextafter(1.0, 0.0))


@dataclass(frozen=True)
class CountStatistics:
    """counts Σ_i r_ik (K,); successes Σ_i r_ik x_id and trials Σ_i r_ik m_id (K, D); they add up over rows."""

    counts: Array
    successes: Array
    trials: Array

    def __add__(self, other: Self) -> Self:
        return type(self)(self.counts + other.counts, self.successes + other.successes, self.trials + other.trials)


def sufficient_statistics(X: Array, trials: Array, responsibilities: Array) -> CountStatistics:
    """Return expected counts, successes and trials of each component."""
    counts = responsibilities.sum(axis=0)
    same_trials = trials.strides[0] == 0
    expected_trials = counts[:, None] * trials[0] if same_trials else responsibilities.T @ trials
    return CountStatistics(counts, responsibilities.T @ X, expected_trials)


def mode(
    statistics: CountStatistics, prior: BMMPrior | None, frozen: Mapping[str, Array] = MappingProxyType({})
) -> BMMParameters:
    """Return the mode of prior plus sufficient statistics: the M-step's formulas of :mod:`models.bmm`.

    Parameters named in ``frozen`` keep the values given there. A component that saw no trial of a feature (because it
    was emptied) has no share in that part of Q, so any prob maximises it: it is given that of all samples pooled.
    """
    N, K = statistics.counts, len(statistics.counts)
    successes, trials = statistics.successes, statistics.trials
    if prior is None:
        unseen = trials <= 0
        successes = np.where(unseen, successes.sum(axis=0), successes)
        trials = np.where(unseen, trials.sum(axis=0), trials)
        weights, probs = N / N.sum(), successes / trials
    else:
        prior.check_fits(*successes.shape)
        prior.check_mode()
        a, b, c = np.broadcast_to(prior.concentration, K), np.asarray(prior.successes), np.asarray(prior.failures)
        weights = N + (a - 1)
        weights = weights / weights.sum()
        denominator = trials + (b - 1) + (c - 1)
        probs = np.where(denominator > 0, (successes + (b - 1)) / np.where(denominator > 0, denominator, 1), 0.5)
        # what the prior keeps off 0 and 1, rounding must not put there
        probs = np.clip(probs, np.where(b > 1, TINY, 0.0), np.where(c > 1, BELOW_ONE, 1.0))
    return BMMParameters(frozen.get("weights", weights), frozen.get("probs", np.clip(probs, 0, 1)))


def checked_counts(X: Any, n_trials: ArrayLike, names: Sequence[str] | None = None) -> tuple[Any, Array]:
    """Return X (n, D), dense or CSR, and the trials of each cell, checked."""
    return sparse_count_matrix(X, n_trials) if issparse(X) else count_matrix(X, n_trials, names)


def patterns(X: Any, trials: Array, weights: Array | None = None) -> tuple[Any, Array, Array]:
    """Return the distinct rows of (X, trials) and how often each occurs: the same sums over fewer rows.

    Many rows that hardly ever repeat are returned as they are: finding that out costs more than some passes. So are
    sparse ones.
    """
    same_trials = trials.strides[0] == 0
    if issparse(X) or repeat_rarely(X):
        return X, trials, np.ones(len(trials)) if weights is None else weights
    n, D = X.shape
    weights = np.ones(n) if weights is None else weights
    distinct, frequencies, stop = np.empty((0, D if same_trials else 2 * D)), np.empty(0), 0
    while stop < n:  # taken in parts, so that memory is needed for distinct rows only
        rows = slice(stop, stop := min(stop + max(len(distinct), 65536), n))
        more = X[rows] if same_trials else np.hstack([X[rows], trials[rows]])
        distinct, which = np.unique(np.vstack([distinct, more]), axis=0, return_inverse=True)
        frequencies = np.bincount(which.ravel(), weights=np.concatenate([frequencies, weights[rows]]))
    if same_trials:
        return distinct, np.broadcast_to(trials[0], distinct.shape), frequencies
    return distinct[:, :D].copy(), distinct[:, D:].copy(), frequencies


def log_choose(X: Any, trials: Array) -> Array:
    """Return Σ_d log C(m_id, x_id), shape (n,): the part of the density that no parameter touches.

    A cell of many trials adds log Bin(x | m, x / m) instead, as `log_kernel` expects (:mod:`em.bmm.deviance`).
    """
    if trials.max() <= 1:
        return np.zeros(len(trials))
    if issparse(X):
        of_row = np.repeat(np.arange(len(trials)), np.diff(X.indptr))
        terms = _log_choose_cell(X.data, trials[0][X.indices])  # 0 where x is 0
        return np.bincount(of_row, terms, minlength=len(trials)).astype(np.float64)
    total = np.empty(len(X))
    for rows in row_slices(X):
        total[rows] = _log_choose_cell(X[rows], trials[rows]).sum(axis=1)
    return total


def _log_choose_cell(x: Array, m: Array) -> Array:
    plain = gammaln(m + 1) - gammaln(x + 1) - gammaln(m - x + 1)
    many = m > MANY_TRIALS
    return np.where(many, log_saturated(x, m), plain) if many.any() else plain


def log_weights(parameters: BMMParameters) -> Array:
    """Return log π_k, shape (K,); -inf for an emptied component."""
    with np.errstate(divide="ignore"):
        return np.log(parameters.weights)


def log_kernel(X: Array, trials: Array, probs: Array) -> Array:
    """Return Σ_d x log p + (m - x) log(1 - p), shape (n, K), with 0 log 0 = 0.

    A cell of many trials adds minus its deviance instead, which keeps its digits (:mod:`em.bmm.deviance`).
    """
    if (many := trials > MANY_TRIALS).any():
        few = np.where(many, 0.0, X), np.where(many, 0.0, trials)
        return log_kernel(*few, probs) - _deviances(np.where(many, X, 0.0), np.where(many, trials, 0.0), probs)
    log_success, log_failure, never, always = log_probs(probs)
    kernel = X @ log_success.T + (trials - X) @ log_failure.T
    if never.any() or always.any():
        impossible = X @ never.T + (trials - X) @ always.T
        kernel[impossible > 0] = -np.inf
    return kernel


def _deviances(X: Array, trials: Array, probs: Array) -> Array:
    """Return Σ_d D(x, m, p), shape (n, K); trials may be those of every row, (D,)."""
    return np.stack([deviance(X, trials, p).sum(axis=1) for p in probs], axis=1)


def log_probs(probs: Array) -> tuple[Array, Array, Array, Array]:
    """Return log p and log(1 - p) with 0 in the place of -inf, and 1 or 0 for where p is 0 and where it is 1.

    With successes where p = 0, or failures where p = 1, a sample is impossible: that has to be counted besides.
    """
    never, always = probs == 0, probs == 1
    log_success = np.log(np.where(never, 1.0, probs))
    log_failure = np.log1p(-np.where(always, 0.0, probs))
    return log_success, log_failure, never.astype(np.float64), always.astype(np.float64)


def sparse_log_joint(parameters: BMMParameters, trials: Array) -> Callable[[csr_array], Array]:
    """Return the function of sparse rows that gives log p(x_i, z_i = k), shape (n, K), up to binomial coefficients.

    That is log π_k + m · log(1 - p_k), the same for all rows, plus x · log odds_k. The log odds are -inf where p = 0,
    which a stored cell makes impossible. Where p = 1 the successes must be as many as the trials.

    Parameters
    ----------
    parameters : BMMParameters
        Current parameters.
    trials : ndarray, shape (D,)
        Number of trials of each cell of a row.
    """
    many = trials > MANY_TRIALS
    log_success, log_failure, never, always = log_probs(parameters.probs[:, ~many])
    log_odds = np.ascontiguousarray(np.where(never, -np.inf, log_success - log_failure).T)
    base, always = log_weights(parameters) + log_failure @ trials[~many], np.ascontiguousarray(always.T)
    wanted = trials[~many] @ always

    def log_joint_of(x: csr_array) -> Array:
        few = x[:, ~many] if many.any() else x
        joint = np.asarray(base + few @ log_odds)
        if wanted.any():
            joint[few @ always < wanted] = -np.inf
        return joint - deviances_of(x[:, many]) if many.any() else joint

    def deviances_of(x: csr_array) -> Array:
        probs, of_rows = parameters.probs[:, many], row_slices(x)
        return np.concatenate([_deviances(x[rows].toarray(), trials[many], probs) for rows in of_rows])

    return log_joint_of
