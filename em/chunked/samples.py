"""Samples that are chunks: the sums that a fit asks for are made where the chunks are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from em.chunked.chunks import Chunks
from em.chunked.summary import Summary, summary_of
from em.samples import Samples, encoded, kept_samples
from models.validation import Array, check_columns, check_sample_weight, data_matrix

MOST_SKETCHED = 2**16  # rows that a fit looks at as a whole, for its starts


@dataclass(frozen=True)
class Matrix:
    """The shape of rows that are nowhere together."""

    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def size(self) -> int:
        """How many cells there are."""
        return self.shape[0] * self.shape[1]


@dataclass(frozen=True)
class Reader:
    """How a chunk becomes samples: an estimator's codes for its labels, names for messages, and units.

    Once all chunks were read and all their rows take part (``whole``), they are not checked again.
    """

    estimator: BaseEstimator
    names: Sequence[str] | None
    units: Any = None
    whole: bool = False

    def __call__(self, rows: Any, weights: Any, number: int) -> Samples:
        """Return the samples of a chunk, or raise a ValueError that names it."""
        if hasattr(rows, "to_numpy"):
            rows = rows.to_numpy()
        if len(rows) == 0:
            return Samples(np.empty(rows.shape), None, np.empty(0, dtype=bool), 0, self.names)
        if self.whole:
            return self._moved(Samples(np.asarray(rows, dtype=np.float64), None, np.ones(len(rows), bool), len(rows)))
        try:
            X = np.ascontiguousarray(data_matrix(encoded(self.estimator, rows), missing=True, names=self.names))
            w = None if weights is None else _weights(weights, len(X))
        except (TypeError, ValueError) as error:
            raise type(error)(f"chunk {number}: {error}") from None
        return self._moved(kept_samples(X, w, self.names)[0])

    def _moved(self, samples: Samples) -> Samples:
        return samples if self.units is None else replace(samples, X=self.units.rows(samples.X))


def _weights(weights: Any, n_rows: int) -> Array | None:
    array = np.asarray(weights)
    if array.shape == (n_rows,) and not array.any():
        return array.astype(np.float64)  # a chunk of which no row counts
    return check_sample_weight(array, n_rows)


@dataclass(frozen=True)
class Pass:
    """Log-likelihoods (R,) and statistics of some rows; statistics that are no sums stay those of the first."""

    log_likelihood: Array
    statistics: dict[str, Array]
    fixed: tuple[str, ...]

    def __add__(self, other: Self) -> Self:
        sums = {
            name: array if name in self.fixed else array + other.statistics[name]
            for name, array in self.statistics.items()
        }
        return type(self)(self.log_likelihood + other.log_likelihood, sums, self.fixed)


@dataclass(frozen=True)
class ChunkedSamples(Samples):
    """What EM fits, where it does not fit the memory.

    Attributes
    ----------
    X : Matrix
        The shape of the rows that take part.
    chunks : Chunks
        The rows.
    reader : Reader
        What makes samples of a chunk.
    summary : Summary
        Sums, ends and a sample of the rows.
    """

    chunks: Chunks = field(kw_only=True)
    reader: Reader = field(kw_only=True)
    summary: Summary = field(kw_only=True)

    in_memory = False

    @classmethod
    def read(cls, chunks: Chunks, reader: Reader, n_features: int) -> Self:
        """Return the samples of chunks, from one pass over them."""
        summary: Summary = chunks.sum(_summarised, reader, MOST_SKETCHED)
        X: Any = Matrix((summary.n_rows, n_features))
        nobody = np.empty(0, dtype=int)
        as_they_are = chunks.weights[0] is None and not hasattr(reader.estimator, "_encoded")
        reader = replace(reader, whole=summary.complete and as_they_are)
        return cls(X, None, nobody, summary.n_rows, reader.names, chunks=chunks, reader=reader, summary=summary)

    def sum_of(self, function: Callable[[Samples], Any]) -> Any:
        """Return the sum of a function of the samples of each chunk."""
        return self.chunks.reduce(_of_rows, _added, self.reader, function)

    def e_step(self, estimator: Any) -> Callable[[Any, np.ndarray], tuple[Array, dict[str, Array]]]:
        """Return the E-step of an estimator's runs over all chunks."""

        def expect(theta: Any, runs: np.ndarray) -> tuple[Array, dict[str, Array]]:
            found = self.sum_of(partial(_expected, estimator, dict(theta), runs, self.complete))
            return found.log_likelihood, found.statistics

        return expect

    def in_units(self, units: Any) -> Self:
        """Return the samples in other units."""
        return replace(self, reader=replace(self.reader, units=units), summary=self.summary.in_units(units))

    def some(self, n_rows: int, rng: np.random.RandomState, *, hashed: bool = False) -> Samples:
        """Return about so many rows of the sketch, each sample of which is as likely as another."""
        sketch = self.summary.sketch
        weights = None if (sketch.weights == 1).all() else sketch.weights
        whole = Samples(sketch.rows, weights, np.arange(len(sketch.rows)), len(sketch.rows), self.names)
        return whole.some(n_rows, rng, hashed=hashed)

    @property
    def most_in_part(self) -> int:
        """How many rows there are to draw a part from."""
        return len(self.summary.sketch.rows)

    @cached_property
    def total(self) -> float:
        """The number of samples that the rows stand for."""
        return self.summary.total

    @cached_property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return self.summary.complete

    @cached_property
    def n_observed(self) -> Array:
        """How many samples each column has, shape (D,)."""
        return self.summary.n_observed

    @cached_property
    def _ends(self) -> tuple[Array, Array]:
        return self.summary.highest, self.summary.lowest

    @cached_property
    def mean(self) -> Array:
        """Mean of the observed cells of each column, shape (D,); of a constant one exactly its value."""
        return np.where(self.constant, self._ends[0], self.summary.mean)

    @cached_property
    def deviation(self) -> Array:
        """Standard deviation of the observed cells of each column, shape (D,)."""
        return np.where(self.constant, 0.0, np.sqrt(self.summary.moment / self.n_observed))

    @cached_property
    def covariance(self) -> Array:
        """Maximum-likelihood covariance (D, D) of all samples; without covariances where cells are missing."""
        return self.summary.co_moment / self.total if self.complete else np.diag(self.deviation**2)

    @cached_property
    def patterns(self) -> np.ndarray | None:
        """Which features rows show together, shape (P, D); None where no cell is missing."""
        return None if self.complete else self.summary.patterns


def chunked_to_fit(
    estimator: BaseEstimator, X: Any, sample_weight: Any = None, names: Sequence[str] | None = None
) -> Samples:
    """Return a Dask array or DataFrame as samples, checked chunk by chunk.

    Data of few distinct rows are those rows, in memory, with their weights.

    Raises
    ------
    ValueError
        As :func:`em.samples.samples_to_fit`; the message names the chunk.
    """
    found = [str(name) for name in getattr(X, "columns", ())] or None
    names = found if names is None else names
    chunks = Chunks.of(X, sample_weight)
    D = X.shape[1]
    samples = ChunkedSamples.read(chunks, Reader(estimator, names), D)
    summary = samples.summary
    if not summary.total > 0 or summary.n_rows < 2:
        raise ValueError(f"X must have at least two rows (samples) that are observed and count, got {summary.n_rows}")
    check_columns(summary.n_observed > 0, names)
    estimator.n_features_in_ = D
    if found is not None:
        estimator.feature_names_in_ = np.array(found, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
    sketch = summary.sketch
    if sketch.weights.sum() == summary.total:
        weights = None if (sketch.weights == 1).all() else sketch.weights
        return Samples(sketch.rows, weights, np.arange(len(sketch.rows)), len(sketch.rows), names)
    return samples


def _summarised(rows: Any, weights: Any, number: int, reader: Reader, most: int) -> Summary:
    return summary_of(reader(rows, weights, number), most)


def _of_rows(rows: Any, weights: Any, number: int, reader: Reader, function: Callable[[Samples], Any]) -> Any:
    part = reader(rows, weights, number)
    return function(part) if len(part.X) else None


def _added(parts: Sequence[Any]) -> Any:
    """Return the sum of results, some of which are None: those of chunks of which no row takes part."""
    total = None
    for part in parts:
        total = part if total is None else total if part is None else total + part
    return total


def _expected(estimator: Any, theta: dict[str, Array], runs: np.ndarray, complete: bool, part: Samples) -> Pass:
    """Return one chunk's part of an E-step; where any chunk has missing cells, as if each had."""
    log_likelihood, statistics = estimator._e_step_of(part, as_holed=not complete)(theta, runs)
    return Pass(log_likelihood, dict(statistics), estimator._fixed)
