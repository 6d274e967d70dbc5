"""Methods of any fitted mixture: labels, responsibilities, log densities, reports. They know no family."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted

from em.chunked import is_chunked
from em.chunked.predictions import for_chunks, lazily, sums_of
from em.reports import ReportsOfMixture
from em.samples.reading import encoded
from em.uncertainty.entries import Entries
from em.uncertainty.louis import frequencies
from models.frames import framed_like
from models.parameters import Labels, labels_of_features
from models.shown import shown
from models.validation import Array, data_matrix

NO_SAMPLE = "X must have a row with an observed cell and a positive weight, got none"


class Predictions(ReportsOfMixture, DensityMixin, BaseEstimator, ABC):
    """Methods that follow from responsibilities and log densities."""

    n_components: int
    status_: str

    @abstractmethod
    def _normalised(self, X: ArrayLike) -> tuple[Array, Array]:
        """Return responsibilities (n, K) and log p(x_i), shape (n,)."""

    @abstractmethod
    def _entries(self, n_samples: float) -> Entries:
        """Return the parameters as a row of entries."""

    @abstractmethod
    def _summary_numbers(self, log_likelihood: float, certainty: float, n: float) -> dict[str, Any]:
        """Return the numbers in a summary beside the log-likelihood; the arguments are `sums_of_rows`."""

    @property
    @abstractmethod
    def _method(self) -> str:
        """The method by which the mixture was fitted, in words."""

    @property
    def _labels(self) -> Labels:
        """What tables call the features, by dim; empty if they have no names."""
        return self._labels_for(getattr(self, "feature_names_in_", None))

    def _labels_for(self, names: Sequence[str] | None) -> Labels:
        """Return what tables call the entries along each dim, if the features have these names."""
        return labels_of_features(names)

    def _size_for(self, shape: tuple[int, ...]) -> Any:
        """Return the sizes of cells of this shape, if the family has sizes: a number, (D,) or (n, D)."""
        return 1

    def _pooled(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Any:
        """Return the parameters of a single component fitted to all rows, or None if there is no formula."""
        return None

    _for_chunks = for_chunks

    def __dask_tokenize__(self) -> Any:
        """Tell Dask what distinguishes two fits; by itself it would compare the settings only."""
        from dask.tokenize import normalize_token

        return type(self).__qualname__, normalize_token(vars(self))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable label of each sample, shape (n,); for a Dask array a lazy array."""
        if is_chunked(X):
            return lazily(self._for_chunks(X).predict, X, dtype=np.intp)
        return np.asarray(self.predict_proba(X)).argmax(axis=1)

    def predict_proba(self, X: ArrayLike) -> Any:
        """Return the responsibilities p(z_i = k | x_i), shape (n, K); for a pandas or polars frame as such a frame.

        For a Dask array or DataFrame the result is a lazy array in the same chunks.

        A row that is impossible under every component, or so distant that its densities underflow, gets 1 / K.
        """
        if is_chunked(X):
            return lazily(self._for_chunks(X).predict_proba, X, self.n_components)
        return framed_like(X, self._normalised(X)[0], self.component_names)

    @property
    def component_names(self) -> list[str]:
        """Names of the columns of `predict_proba` in a frame."""
        return [f"component_{k}" for k in range(self.n_components)]

    def score_samples(self, X: ArrayLike) -> Array:
        """Return log p(x_i) in nats, shape (n,); -inf if x_i is impossible, or if its log density overflows."""
        if is_chunked(X):
            return lazily(self._for_chunks(X).score_samples, X)
        return self._normalised(X)[1]

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean of log p(x_i), in nats, over samples with an observed cell."""
        log_likelihood, _, n = self._sums(X, sample_weight)
        return log_likelihood / n

    def _sums(self, X: ArrayLike, sample_weight: ArrayLike | None) -> tuple[float, float, float]:
        """Return log-likelihood, Σ_i log max_k r_ik, and the number of samples, from one E-step."""
        log_likelihood, certainty, n = sums_of(type(self)._sums_of_rows, self, X, sample_weight).tolist()
        if not n > 0:
            raise ValueError(NO_SAMPLE)
        return log_likelihood, certainty, n

    def _sums_of_rows(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Array:
        return sums_of_rows(*self._normalised(X), self._counted(X, sample_weight))

    def _counted(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Array:
        """Return how often each row counts, shape (n,): its weight, or 0 if it has no observed cell."""
        seen = has_observed(encoded(self, X))
        return frequencies(sample_weight, len(seen)) * seen


def check_fitted(estimator: Any, method: str = "fit") -> None:
    """Raise an error unless the estimator is a fitted mixture, or fitted clusters, and has a method."""
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(f"estimator must be a fitted mixture or fitted clusters, got {shown(estimator)}")
    if not hasattr(estimator, method):
        raise TypeError(f"estimator must have {method}, as mixtures have, got {shown(estimator)}")
    check_is_fitted(estimator)


def weighted_sum(values: Array, weights: Array) -> float:
    """Return Σ_i w_i v_i; a row of weight 0 adds nothing, even if its value is infinite."""
    counted = weights > 0
    return float(weights[counted] @ values[counted])


def sums_of_rows(responsibilities: Array, log_prob: Array, counted: Array) -> Array:
    """Return log-likelihood, Σ_i log max_k r_ik, and the number of samples, for rows with weights ``counted`` (n,)."""
    certainty = weighted_sum(np.log(responsibilities.max(axis=1)), counted)
    return np.array([weighted_sum(log_prob, counted), certainty, counted.sum()])


def has_observed(X: Any) -> np.ndarray:
    """Return which rows have an observed cell, shape (n,)."""
    if issparse(X):
        return np.ones(X.shape[0], dtype=bool)
    return ~np.isnan(data_matrix(X, missing=True)).all(axis=1)
