"""What is asked of any fitted mixture: labels, responsibilities, log densities, and reports. It knows no family."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, DensityMixin

from em.chunked import is_chunked
from em.chunked.predictions import for_chunks, lazily, sums_of
from em.reports import ReportsOfMixture
from em.samples.reading import encoded
from em.uncertainty.entries import Entries
from em.uncertainty.louis import frequencies
from models.frames import framed_like
from models.parameters import Labels, labels_of_features
from models.validation import Array, data_matrix

NOBODY = "X must have a row with an observed cell and a positive weight, got none"


class Predictions(ReportsOfMixture, DensityMixin, BaseEstimator, ABC):
    """The methods that follow from responsibilities and log densities."""

    n_components: int
    status_: str

    @abstractmethod
    def _normalised(self, X: ArrayLike) -> tuple[Array, Array]:
        """Return responsibilities (n, K) and log p(x_i), shape (n,)."""

    @abstractmethod
    def _entries(self, n_samples: float) -> Entries:
        """Return the parameters in a row."""

    @abstractmethod
    def _said(self, log_likelihood: float, certainty: float, n: float) -> dict[str, Any]:
        """Return what a summary says of rows with these sums (`sums_of_rows`), beside their log-likelihood."""

    @property
    @abstractmethod
    def _how(self) -> str:
        """How the mixture was fitted, in words."""

    @property
    def _labels(self) -> Labels:
        """What tables call the features, by dim; nothing where nobody named them."""
        return self._labels_for(getattr(self, "feature_names_in_", None))

    def _labels_for(self, names: Sequence[str] | None) -> Labels:
        """Return what the places of each dim are called, where the features have these names."""
        return labels_of_features(names)

    def _size_for(self, shape: tuple[int, ...]) -> Any:
        """Return the sizes of cells of this shape, where the family has some: a number, (D,) or (n, D)."""
        return 1

    def _pooled(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Any:
        """Return the parameters of a single component that is fitted to all rows, or None where no formula gives it."""
        return None

    def _for_chunks(self, X: Any) -> Self:
        """Return a copy for the chunks of X, which come as arrays."""
        return for_chunks(self, X)

    def __dask_tokenize__(self) -> Any:
        """Tell Dask what tells two fits apart, of which it would look at the settings only."""
        from dask.tokenize import normalize_token

        return type(self).__qualname__, normalize_token(vars(self))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable label of each sample, shape (n,); of a Dask array a lazy one."""
        if is_chunked(X):
            return lazily(self._for_chunks(X).predict, X, dtype=np.intp)
        return np.asarray(self.predict_proba(X)).argmax(axis=1)

    def predict_proba(self, X: ArrayLike) -> Any:
        """Return the responsibilities p(z_i = k | x_i), shape (n, K); of a pandas or polars frame as such a frame.

        Of a Dask array or DataFrame, which stay in their chunks, it is a lazy array.

        A row that is impossible under every component, or so far out that no density of it fits a float, gets 1 / K.
        """
        if is_chunked(X):
            return lazily(self._for_chunks(X).predict_proba, X, self.n_components)
        return framed_like(X, self._normalised(X)[0], self.component_names)

    @property
    def component_names(self) -> list[str]:
        """What the columns of `predict_proba` are called in a frame."""
        return [f"component_{k}" for k in range(self.n_components)]

    def score_samples(self, X: ArrayLike) -> Array:
        """Return log p(x_i) in nats, shape (n,); -inf where x_i is impossible, or so far out that it fits no float."""
        if is_chunked(X):
            return lazily(self._for_chunks(X).score_samples, X)
        return self._normalised(X)[1]

    def score(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Return the mean of log p(x_i) over samples with an observed cell, in nats, as scikit-learn's users expect."""
        log_likelihood, _, n = self._sums(X, sample_weight)
        return log_likelihood / n

    def _sums(self, X: ArrayLike, sample_weight: ArrayLike | None) -> tuple[float, float, float]:
        """Return log-likelihood, Σ_i log max_k r_ik, and the number of samples that they are of, from one E-step."""
        log_likelihood, certainty, n = sums_of(type(self)._sums_of_rows, self, X, sample_weight).tolist()
        if not n > 0:
            raise ValueError(NOBODY)
        return log_likelihood, certainty, n

    def _sums_of_rows(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Array:
        return sums_of_rows(*self._normalised(X), self._counted(X, sample_weight))

    def _counted(self, X: ArrayLike, sample_weight: ArrayLike | None) -> Array:
        """Return how often each row counts, shape (n,): its weight, and 0 for a row without an observed cell."""
        seen = has_observed(encoded(self, X))
        return frequencies(sample_weight, len(seen)) * seen


def weighted_sum(values: Array, weights: Array) -> float:
    """Return Σ_i w_i v_i over the rows that count: a row of weight 0 adds nothing, even where its value is infinite."""
    counted = weights > 0
    return float(weights[counted] @ values[counted])


def sums_of_rows(responsibilities: Array, log_prob: Array, counted: Array) -> Array:
    """Return log-likelihood, Σ_i log max_k r_ik, and the number of samples, of rows that count so often."""
    certainty = weighted_sum(np.log(responsibilities.max(axis=1)), counted)
    return np.array([weighted_sum(log_prob, counted), certainty, counted.sum()])


def has_observed(X: Any) -> np.ndarray:
    """Return which rows have an observed cell, shape (n,)."""
    if issparse(X):
        return np.ones(X.shape[0], dtype=bool)
    return ~np.isnan(data_matrix(X, missing=True)).all(axis=1)
