"""Anomalies: samples at which the fitted mixture has a low density (Géron 2022, Hands-On Machine Learning, chapter 9).

The threshold t is a quantile of log p(x_i) over the training data. A sample is an anomaly if log p(x) < t. With the
fourth percentile, one training sample in 25 is an anomaly.
"""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from em.chunked import is_chunked
from em.chunked.chunks import Chunks
from em.chunked.predictions import lazily
from em.chunked.quantiles import quantile_of_chunks
from em.estimator import MixtureEM
from em.predictions import NO_SAMPLE, check_fitted
from models.shown import shown
from models.validation import Array, number_between


def density_threshold(
    estimator: MixtureEM[Any],
    X: ArrayLike,
    quantile: float = 0.04,
    *,
    sample_weight: ArrayLike | None = None,
    **size: Any,
) -> float:
    """Return the log density in nats below which a share ``quantile`` of the samples X lies.

    It is a log density that occurs in X: the higher one if the quantile falls between two.

    Parameters
    ----------
    estimator : MixtureEM
        A fitted mixture.
    X : array_like, or a Dask array or DataFrame, shape (n, D)
        The training data. Chunks are read four times and give the same number as rows in memory.
    quantile : float, default 0.04
        Share of X that lies below, in (0, 1).
    sample_weight : array_like, shape (n,), or None
        How often each row occurs; the quantile is that of the repeated rows.
    **size
        ``n_trials`` or ``exposure`` of each cell of X, of a mixture that has them; by default those of the fit.

    Raises
    ------
    ValueError
        If the quantile is not in (0, 1), or X is not legal.
    TypeError
        If the estimator is no mixture.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM, density_threshold, is_anomaly
    >>> X = np.random.RandomState(0).normal(size=(100, 2))
    >>> fit = GaussianMixtureEM(1).fit(X)
    >>> is_anomaly(fit, [[0.0, 0.0], [5.0, 5.0]], threshold=density_threshold(fit, X))
    array([False,  True])
    """
    check_fitted(estimator, "score_samples")
    number_between("quantile", quantile, 0, 1)
    if is_chunked(X):
        values = partial(_densities, estimator._for_chunks(X), size)
        return quantile_of_chunks(values, X, sample_weight, quantile)
    return _threshold(*_densities(estimator, size, X, sample_weight), quantile)


def _densities(estimator: MixtureEM[Any], size: dict[str, Any], X: Any, sample_weight: Any) -> tuple[Array, Array]:
    """Return the log density of each row, and its weight."""
    return estimator.score_samples(X, **size), estimator._counted(X, sample_weight)


def _threshold(log_density: Array, weights: Array, quantile: float) -> float:
    """Return the log density below which a share ``quantile`` of the total weight lies."""
    number_between("quantile", quantile, 0, 1)
    if not weights.any():
        raise ValueError(NO_SAMPLE)
    order = np.argsort(log_density)
    rank = np.ceil((weights.sum() - 1) * quantile)  # among the sorted samples, from 0
    return float(log_density[order][np.searchsorted(np.cumsum(weights[order]), rank, side="right")])


def is_anomaly(
    estimator: MixtureEM[Any],
    X: ArrayLike,
    threshold: float | None = None,
    quantile: float = 0.04,
    *,
    sample_weight: ArrayLike | None = None,
    **size: Any,
) -> np.ndarray:
    """Return which samples have a log density below the threshold, as booleans of shape (n,).

    A row without an observed cell is no anomaly, and does not count in the quantile.

    Parameters
    ----------
    estimator : MixtureEM
        A fitted mixture.
    X : array_like, shape (n, D)
        New samples with a ``threshold``, or the training data, which then set the threshold. A row with missing cells
        has the density of its observed cells, which is larger the fewer they are, so such rows are seldom anomalies.
        For a Dask array or DataFrame the result is lazy; without a ``threshold`` the chunks are read four times at
        once.
    threshold : float or None, default None
        Log density in nats, such as `density_threshold` of the training data; None computes it from X.
    quantile : float, default 0.04
        Share of X below the threshold, if none is given.
    sample_weight : array_like, shape (n,), or None
        How often each row occurs, for the quantile.
    **size
        ``n_trials`` or ``exposure`` of each cell of X, of a mixture that has them; by default those of the fit.

    Raises
    ------
    ValueError
        If the threshold or the quantile is not legal, or X is not.
    TypeError
        If the estimator is no mixture.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM, is_anomaly
    >>> X = np.random.RandomState(0).normal(size=(100, 2))
    >>> int(is_anomaly(GaussianMixtureEM(1).fit(X), X).sum())
    4
    """
    check_fitted(estimator, "score_samples")
    if is_chunked(X):
        t = threshold_of_chunks(estimator, X, threshold, quantile, sample_weight, **size)
        return lazily(partial(is_anomaly, estimator._for_chunks(X), threshold=t, **size), X, dtype=bool)
    return anomalies_among(estimator, X, sample_weight, estimator.score_samples(X, **size), threshold, quantile)


def threshold_of_chunks(
    estimator: Any, X: Any, threshold: float | None, quantile: float, sample_weight: Any, **size: Any
) -> Any:
    """Return the given threshold, or else that of all rows; weights are checked in either case."""
    if threshold is None:
        return density_threshold(estimator, X, quantile, sample_weight=sample_weight, **size)
    Chunks.of(X, sample_weight)
    return checked_threshold(threshold)


def anomalies_among(
    estimator: Any, X: Any, sample_weight: Any, log_density: Array, threshold: float | None, quantile: float
) -> np.ndarray:
    """Return which rows are anomalies, (n,), as `is_anomaly` does, from their log densities (n,)."""
    seen, counted = estimator._counted(X, None) > 0, estimator._counted(X, sample_weight)
    t = _threshold(log_density, counted, quantile) if threshold is None else checked_threshold(threshold)
    return np.asarray((log_density < t) & seen)


def checked_threshold(threshold: Any) -> Any:
    """Return the threshold, or raise a ValueError if it is not a number."""
    if not isinstance(threshold, float | int | np.floating) or np.isnan(threshold):
        raise ValueError(f"threshold must be a log density in nats or None, got {shown(threshold)}")
    return threshold
