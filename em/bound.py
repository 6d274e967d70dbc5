"""The quantities in the proof of EM, for any mixture.

``log_joint`` (n, K) is log p(x_i, z_i = k | θ) = log π_k + log p(x_i | z_i = k), and ``responsibilities`` (n, K) is any
distribution q(z_i = k). Then

    Q(θ, q) = Σ_ik q_ik log p(x_i, z_i = k | θ)        expected complete-data log-likelihood
    H(q)    = - Σ_ik q_ik log q_ik                     entropy
    ELBO    = Q + H  <=  Σ_i log p(x_i | θ)            with equality exactly at q_ik = p(z_i = k | x_i, θ)

because the gap is Σ_i KL(q_i || p(z_i | x_i, θ)) >= 0 (Neal & Hinton 1998; Bishop 2006, section 9.4).
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import entr

from models.shown import shown
from models.validation import Array, real_numbers

LEAST_SUM = 1e-100  # of a row's densities, so that shares down to 1e-200 are floats


def log_of(numbers: Array) -> Array:
    """Return the logarithms of numbers; -inf for 0."""
    with np.errstate(divide="ignore"):
        return np.log(numbers)


def normalise(log_joint: Array, *, overwrite: bool = False, weights: Array | float = 1.0) -> tuple[Array, Array]:
    """Return responsibilities and log p(x_i) from log p(x_i, z_i = k), by Bayes' rule without underflow.

    Parameters
    ----------
    log_joint : ndarray, shape (..., n, K)
        Joint log probabilities; -inf is legal.
    overwrite : bool, default False
        Whether the responsibilities may overwrite ``log_joint``.
    weights : ndarray, shape (..., n), or float, default 1
        Frequencies of the rows.

    Returns
    -------
    responsibilities : ndarray, shape (..., n, K)
        r_ik = p(z_i = k | x_i) times the row's weight; 1 / K times it if x_i is impossible under every component.
    log_prob : ndarray, shape (..., n)
        log p(x_i) in nats times the row's weight; -inf for an impossible row.
    """
    largest = log_joint.max(axis=-1, keepdims=True)
    possible = np.isfinite(largest)
    if possible.all():
        shares = np.subtract(log_joint, largest, out=log_joint if overwrite else None)
    else:
        shares = np.where(possible, log_joint - np.where(possible, largest, 0.0), 0.0)
        largest = np.where(possible, largest, -np.inf)
    np.exp(shares, out=shares)
    total = shares.sum(axis=-1)
    shares *= (weights / total)[..., None]
    return shares, weights * (largest[..., 0] + np.log(total))


def normalise_in_range(log_joint: Array, weights: Array | float = 1.0) -> tuple[Array, Array] | None:
    """Do what :func:`normalise` does, in place and a third faster: exp(log_joint) / Σ_k exp(log_joint) as it stands.

    The largest term of a row is not taken out first. Return None if a row's sum therefore leaves the range of floats;
    ``log_joint`` is then overwritten.

    Examples
    --------
    >>> import numpy as np
    >>> from em.bound import normalise_in_range
    >>> normalise_in_range(np.log([[0.1, 0.3]]))[0].round(9).tolist()
    [[0.25, 0.75]]
    >>> normalise_in_range(np.array([[-800.0, -900.0]])) is None
    True
    """
    with np.errstate(over="ignore"):
        shares = np.exp(log_joint, out=log_joint)
        total = shares.sum(axis=-1)
    if not (total.min(initial=1.0) > LEAST_SUM and total.max(initial=1.0) < 1 / LEAST_SUM):
        return None
    shares *= (weights / total)[..., None]
    return shares, weights * np.log(total)


def check_parameters(parameters: Any, kind: type) -> None:
    """Raise a TypeError unless parameters are of this class."""
    if not isinstance(parameters, kind):
        given = type(parameters).__name__
        advice = f": pass the {given}'s parameters_" if hasattr(parameters, "fit") else ""
        raise TypeError(f"parameters must be a {kind.__name__}, got a {given}{advice}")


def q_function(log_joint: ArrayLike, responsibilities: ArrayLike) -> float:
    """Return Q = Σ_ik q_ik log p(x_i, z_i = k | θ) in nats, with 0 · (-inf) = 0.

    Parameters
    ----------
    log_joint, responsibilities : array_like, shape (n, K)
        As in the module's docstring.

    Examples
    --------
    >>> from em import gmm, q_function, entropy
    >>> from models.gmm import GMMParameters
    >>> parameters = GMMParameters([0.5, 0.5], [[0.0], [2.0]], [[[1.0]], [[1.0]]])
    >>> X = [[0.3], [1.9]]
    >>> r, log_likelihood = gmm.e_step(X, parameters)
    >>> abs(q_function(gmm.log_joint(X, parameters), r) + entropy(r) - log_likelihood) < 1e-12
    True
    """
    log_joint, q = _matrix("log_joint", log_joint), _distribution(responsibilities)
    if log_joint.shape != q.shape:
        raise ValueError(f"responsibilities must have the shape of log_joint {log_joint.shape}, got {q.shape}")
    return float(np.sum(q * np.where(q > 0, log_joint, 0.0)))


def entropy(responsibilities: ArrayLike) -> float:
    """Return H = - Σ_ik q_ik log q_ik in nats, with 0 log 0 = 0.

    Examples
    --------
    >>> from em import entropy
    >>> round(entropy([[0.5, 0.5], [1, 0]]), 6)  # log 2 + 0
    0.693147
    """
    return float(entr(_distribution(responsibilities)).sum())


def elbo(log_joint: ArrayLike, responsibilities: ArrayLike) -> float:
    """Return the evidence lower bound Q + H in nats; at most the log-likelihood, equal to it at the E-step's answer.

    Examples
    --------
    >>> from em import elbo, gmm
    >>> from models.gmm import GMMParameters
    >>> X, parameters = [[0.3], [1.9]], GMMParameters([0.5, 0.5], [[0.0], [2.0]], [[[1.0]], [[1.0]]])
    >>> r, log_likelihood = gmm.e_step(X, parameters)
    >>> abs(elbo(gmm.log_joint(X, parameters), r) - log_likelihood) < 1e-12
    True
    >>> elbo(gmm.log_joint(X, parameters), [[0.5, 0.5], [0.5, 0.5]]) < log_likelihood
    True
    """
    return q_function(log_joint, responsibilities) + entropy(responsibilities)


def complete_data_log_likelihood(log_joint: ArrayLike, z: ArrayLike) -> float:
    """Return Σ_i log p(x_i, z_i | θ) in nats for known labels z (n,), which is Q at one-hot responsibilities.

    Examples
    --------
    >>> import numpy as np
    >>> from em import complete_data_log_likelihood
    >>> joint = np.array([[0.3, 0.1], [0.2, 0.4]])
    >>> np.exp(complete_data_log_likelihood(np.log(joint), z=[0, 1])).round(6)  # 0.3 * 0.4
    np.float64(0.12)
    """
    log_joint, z = _matrix("log_joint", log_joint), np.asarray(z)
    n, K = log_joint.shape
    if z.shape != (n,) or z.dtype.kind not in "iu" or (z < 0).any() or (z >= K).any():
        raise ValueError(f"z must hold {n} integer labels from 0 to {K - 1}, got {shown(z)}")
    return float(log_joint[np.arange(n), z].sum())


def check_responsibilities(responsibilities: ArrayLike, n_samples: int) -> Array:
    """Return responsibilities (n, K) as float64, checked: non-negative, rows that sum to one, n rows."""
    r = _distribution(responsibilities)
    if len(r) != n_samples:
        raise ValueError(f"responsibilities must have one row for each of the {n_samples} samples, got shape {r.shape}")
    return r


def _distribution(responsibilities: ArrayLike) -> Array:
    r = _matrix("responsibilities", responsibilities)
    misfits = np.flatnonzero(~((r >= 0).all(axis=1) & (np.abs(r.sum(axis=1) - 1) <= 1e-8)))
    if misfits.size:
        given = f"{shown(r[misfits[0]])} in row {misfits[0]}"
        raise ValueError(f"responsibilities must be non-negative and sum to 1 in each row, got {given}")
    return r


def _matrix(name: str, values: ArrayLike) -> Array:
    matrix = real_numbers(name, values).astype(np.float64, copy=False)
    if matrix.ndim != 2:
        raise ValueError(f"{name} must have shape (n, K), got {matrix.shape}")
    return matrix
