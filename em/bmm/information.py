"""Observed information of a Bernoulli or binomial mixture: what Louis' identity asks of this family.

With z_i = k known, log p(x_i | z_i = k) = Σ_d x log p_kd + (m - x) log(1 - p_kd) + const has

    score of p_kd           x / p_kd - (m - x) / (1 - p_kd)
    minus second derivative x / p_kd² + (m - x) / (1 - p_kd)²

and all others 0. A missing cell is one of no trials, m = x = 0.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from em.bmm import checked_counts, log_kernel, log_weights
from em.engine import EPS
from em.uncertainty.entries import BOUNDARY, Entries, Entry, describe
from em.uncertainty.louis import (
    Block,
    Component,
    Information,
    Slopes,
    dirichlet_slopes,
    frequencies,
    louis,
    row_blocks,
)
from models.bmm import BMMParameters, BMMPrior
from models.validation import Array


def observed_information(
    X: ArrayLike,
    parameters: BMMParameters,
    prior: BMMPrior | None = None,
    n_trials: ArrayLike = 1,
    sample_weight: ArrayLike | None = None,
    frozen: Collection[str] = (),
) -> Information:
    """Return minus the Hessian of log-likelihood plus log prior, and the covariance of the estimate.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Counts of successes; NaN where missing at random. Sparse X is made dense block by block.
    parameters : BMMParameters
        The estimate.
    prior : BMMPrior or None, default None
        ``None`` is maximum likelihood.
    n_trials : int or array_like, shape (D,) or (n, D), default 1
        Number of trials of each cell.
    sample_weight : array_like, shape (n,), or None
        How often each row counts.
    frozen : collection of str, default ()
        Arrays, "weights" or "probs", that were held fixed.

    Raises
    ------
    ValueError
        If an argument is not legal.

    Examples
    --------
    >>> from em.bmm.information import observed_information
    >>> from models.bmm import BMMParameters
    >>> observed_information([[1]] * 36 + [[0]] * 64, BMMParameters([1.0], [[0.36]])).standard_errors.round(3)
    array([  nan, 0.048])
    """
    X, trials = checked_counts(X, n_trials)
    w = frequencies(sample_weight, len(trials))
    if trials.shape[1] != parameters.n_features:
        raise ValueError(f"X must have {parameters.n_features} columns like the probs, got {trials.shape[1]}")
    found = entries(parameters, w.sum(), frozen)
    if prior is not None:
        prior.check_fits(parameters.n_components, parameters.n_features)
    return louis(
        found,
        complete_data(X, trials, parameters, w),
        None if prior is None else log_prior_slopes(parameters, prior, found),
    )


def entries(parameters: BMMParameters, n_samples: float, frozen: Collection[str] = ()) -> Entries:
    """Return weights and probs in a row."""
    listed = [Entry("weights", (k,), "logit", k) for k in range(parameters.n_components)]
    listed += [Entry("probs", place, "logit", place[0]) for place in np.ndindex(parameters.probs.shape)]
    return describe(parameters.arrays(), listed, n_samples, frozen)


def complete_data(X: Any, trials: Array, parameters: BMMParameters, sample_weight: Array) -> Iterator[Block]:
    """Yield the samples in blocks, with scores and curvature as if their labels were known."""
    K, D = parameters.probs.shape
    places = K + np.arange(K * D).reshape(K, D)
    probs = _interior(parameters.probs)
    for rows in row_blocks(len(trials), K + K * D):
        x, m = X[rows].toarray() if issparse(X) else X[rows], trials[rows]
        joint = log_weights(parameters) + log_kernel(x, m, parameters.probs)
        yield Block(joint, sample_weight[rows], partial(_component, x, m - x, probs, places))


def _component(successes: Array, failures: Array, probs: Array, places: np.ndarray, k: int, v: Array) -> Component:
    """Return component k's scores, and its curvature summed under v."""
    p, q = probs[k], 1 - probs[k]
    curvature = np.diag(v @ successes / p**2 + v @ failures / q**2)
    return Component(places[k], successes / p - failures / q, curvature)


def log_prior_slopes(parameters: BMMParameters, prior: BMMPrior, found: Entries) -> Slopes:
    """Return gradient and minus the Hessian of the log prior, (b - 1) log p + (c - 1) log(1 - p) for each prob."""
    p = _interior(parameters.probs)
    b, c = np.asarray(prior.successes) - 1, np.asarray(prior.failures) - 1
    gradient, curvature = b / p - c / (1 - p), b / p**2 + c / (1 - p) ** 2
    slopes = dirichlet_slopes(prior.concentration, found)
    slopes.add(parameters.n_components + np.arange(p.size), Slopes(gradient.ravel(), np.diag(curvature.ravel())))
    return slopes


def _interior(probs: Array) -> Array:
    """Return probs with any number inside in the place of those on the boundary, which are held."""
    return np.where((probs < BOUNDARY) | (probs > 1 - BOUNDARY), 0.5, probs)


def whitened(parameters: BMMParameters, steps: Mapping[str, Array], n_trials: ArrayLike = 1) -> Array:
    """Return m steps as rows whose inner products are those of the complete data's information of one sample.

    With z known that is Σ_k dw_k² / w_k + Σ_kd w_k m_d dp_kd² / (p_kd (1 - p_kd)).

    Parameters
    ----------
    parameters : BMMParameters
        Where the information is taken.
    steps : mapping
        "weights" (m, K) and "probs" (m, K, D).
    n_trials : array_like, shape () or (D,), default 1
        Number of trials m_d.

    Examples
    --------
    >>> import numpy as np
    >>> from em.bmm.information import whitened
    >>> from models.bmm import BMMParameters
    >>> whitened(BMMParameters([1.0], [[0.5]]), {"weights": np.array([[0.0]]), "probs": np.array([[[0.1]]])}).tolist()
    [[0.0, 0.2]]
    """
    weights, probs = parameters.weights, parameters.probs
    information = weights[:, None] * np.asarray(n_trials) / np.maximum(probs * (1 - probs), EPS)
    rows = steps["weights"] / np.sqrt(np.maximum(weights, EPS)), steps["probs"] * np.sqrt(information)
    return np.concatenate([row.reshape(len(row), -1) for row in rows], axis=1)
