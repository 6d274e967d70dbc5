"""Samples that are chunks: the sums that a fit asks for are made where the chunks are."""

import operator
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from em.chunked.chunks import Chunks, check_matrix
from em.chunked.summary import Summary, summary_of
from em.engine.blocks import blocks
from em.samples import Samples, kept_samples
from em.samples.reading import encoded
from em.samples.sketch import LAST, Sketch, bound_of, most_sketched
from models.frames import column_names, real_numbers
from models.validation import Array, check_columns, data_matrix

CELLS_AT_A_TIME = 2**20  # of a chunk that is summarised


class WholeSamples(Samples):
    """Samples of which no cell is missing, without a look at each."""

    complete = True


@dataclass(frozen=True)
class Reader:
    """How a chunk becomes samples: an estimator's codes for labels, where it has some, names for messages, and units.

    Cells may be missing where ``missing`` says so. Once all chunks were read and all their rows take part (``whole``),
    they are not checked again.
    """

    estimator: BaseEstimator | None
    n_features: int
    names: Sequence[str] | None
    missing: bool = True
    units: Any = None
    whole: bool = False

    def __call__(self, rows: Any, weights: Array | None) -> Samples:
        """Return the samples of a chunk, or raise a ValueError or a TypeError."""
        if np.ndim(rows) == 2 and rows.shape[1] != self.n_features:
            raise ValueError(f"X must have {self.n_features} columns in every chunk, got {rows.shape[1]} in this one")
        if self.whole:
            X = np.ascontiguousarray(rows, dtype=np.float64)
            samples: Samples = WholeSamples(
                X, weights, np.broadcast_to(True, len(X)), len(X), self.names, lasting=False
            )
        else:
            matrix = data_matrix(encoded(self.estimator, rows), missing=self.missing, names=self.names)
            kept = kept_samples(np.ascontiguousarray(matrix), weights, self.names, self.missing)
            samples = replace(kept, lasting=False)
        return samples if self.units is None else self.units.samples(samples)


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


@dataclass(frozen=True, eq=False)
class Expectation:
    """The E-step of runs at some parameters, chunk by chunk: what all chunks of a group need is computed once.

    Attributes
    ----------
    estimator : MixtureEM
        Has the E-step.
    theta : dict
        Parameters of all runs, by name.
    runs : ndarray
        Their numbers.
    as_holed : bool
        Whether any chunk has missing cells: then each is treated as if it had.
    """

    estimator: Any
    theta: dict[str, Array]
    runs: np.ndarray
    as_holed: bool

    @cached_property
    def _of_part(self) -> Callable[[Samples], tuple[Array, Mapping[str, Array]]]:
        return self.estimator._e_step_at(self.theta, self.runs, as_holed=self.as_holed)

    def __call__(self, part: Samples) -> Pass:
        """Return one chunk's part."""
        log_likelihood, statistics = self._of_part(part)
        return Pass(log_likelihood, dict(statistics), self.estimator._fixed)


@dataclass(frozen=True)
class ChunkedSamples(Samples):
    """What EM fits, where it does not fit the memory.

    Attributes
    ----------
    X : ndarray, shape (n, D)
        Nothing but the shape of the rows that take part.
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

    in_memory, few = False, False

    @property
    def n_parts(self) -> int:  # type: ignore[override]
        """The number of chunks."""
        return len(self.chunks.rows)

    def sum_of(self, function: Callable[[Samples], Any]) -> Any:
        """Return the sum of a function of the samples of each chunk."""
        return self.chunks.sum(_of_samples, self.reader, function)

    def e_step(self, estimator: Any) -> Callable[[Any, np.ndarray], tuple[Array, dict[str, Array]]]:
        """Return the E-step of an estimator's runs over all chunks."""
        sent = copy(estimator)
        sent.init = "random"  # parameters, or what else is as large as they are, need not travel in every pass

        def expect(theta: Any, runs: np.ndarray) -> tuple[Array, dict[str, Array]]:
            found = self.sum_of(Expectation(sent, dict(theta), runs, as_holed=not self.complete))
            return found.log_likelihood, found.statistics

        return expect

    def in_units(self, units: Any) -> Self:
        """Return the samples in other units."""
        reader, summary = replace(self.reader, units=units), self.summary.in_units(units)
        return replace(self, reader=reader, summary=summary, hand=lambda: units.samples(self.at_hand))

    def distinct(self, beside: Array | None = None, *, hashed: bool = False) -> Samples:
        """Return the distinct rows, in memory, where they are so few that the sketch holds them all."""
        return self.at_hand.distinct(beside, hashed=hashed) if len(self.sketch.rows) < self.sketch.most else self

    @property
    def sketch(self) -> Sketch:
        """A sample of the rows of all chunks."""
        return self.summary.sketch

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
        if not self.complete:
            return np.diag(self.deviation**2)
        mean = self.mean
        total: Array = self.sum_of(lambda part: part.products_about(mean))
        return total / self.total

    @cached_property
    def patterns(self) -> np.ndarray | None:
        """Which features rows show together, shape (P, D); None where no cell is missing."""
        return None if self.complete else self.summary.patterns


def chunked_samples(
    estimator: BaseEstimator,
    X: Any,
    sample_weight: Any = None,
    names: Sequence[str] | None = None,
    *,
    missing: bool = True,
) -> ChunkedSamples:
    """Return a Dask array or DataFrame as samples, checked chunk by chunk.

    Raises
    ------
    ValueError, TypeError
        As :func:`em.samples.reading.samples_to_fit`; the message names the chunk.
    """
    chunks, names = Chunks.of(X, sample_weight), column_names(X) if names is None else names
    D = X.shape[1]
    encodes = hasattr(estimator, "_encoded")
    reader = Reader(estimator if encodes else None, D, names, missing)
    most = most_sketched(D)
    summary: Summary | None = chunks.sum(_summarised, reader, most, len(chunks.rows))
    if summary is not None and not summary.sketch.whole:
        summary = chunks.sum(_summarised, reader, most, 0)
    n_rows = 0 if summary is None else summary.n_rows
    if summary is None or n_rows < 2:
        raise ValueError(f"X must have at least two rows (samples) that are observed and have a weight, got {n_rows}")
    check_columns(summary.n_observed > 0, names)
    whole = summary.complete and not summary.n_left_out and not encodes
    return ChunkedSamples(
        np.broadcast_to(np.nan, (n_rows, D)),
        None,
        np.empty(0, dtype=int),
        n_rows,
        names,
        chunks=chunks,
        reader=replace(reader, whole=whole),
        summary=summary,
    )


def check_header(estimator: BaseEstimator, X: Any, *, reset: bool) -> None:
    """Check the number of X's features and their names, or remember them with ``reset``, as scikit-learn does."""
    check_matrix(X)
    header: Any = np.empty((0, X.shape[1]))
    if hasattr(X, "columns"):
        from pandas import DataFrame

        header = DataFrame(columns=list(X.columns))
        real_numbers("X", header)  # refuses names that occur twice
    validate_data(estimator, header, reset=reset, skip_check_array=True)


def _summarised(rows: Any, weights: Array | None, reader: Reader, most: int, n_alike: int) -> Summary:
    """Return the summary of a chunk, of few cells at a time: nothing of its size is held beside it.

    Where so many chunks are alike, this one gives its share of a sketch only.
    """
    part = reader(rows, weights)
    n, n_left_out = len(part.X), part.n_rows - len(part.X)
    bound = bound_of(most, n * n_alike) if n * n_alike else LAST

    def of_block(at: slice) -> Summary:
        some = part.part(at)
        return summary_of(replace(some, n_rows=len(some.X) + (0 if at.start else n_left_out)), most, bound)

    some_rows = max(CELLS_AT_A_TIME // part.X.shape[1], 1)
    return reduce(operator.add, map(of_block, list(blocks(n, some_rows)) or [slice(0, 0)]))


def _of_samples(rows: Any, weights: Array | None, reader: Reader, function: Callable[[Samples], Any]) -> Any:
    part = reader(rows, weights)
    return function(part) if len(part.X) else None
