"""Samples in chunks: :class:`ChunkedSamples` sums over all chunks wherever a fit sums over rows."""

import operator
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from em.chunked import is_chunked
from em.chunked.chunks import Chunks, check_matrix
from em.chunked.summary import Summary, summary_of
from em.engine.blocks import blocks
from em.samples import Samples, kept_samples
from em.samples.reading import encoded
from em.samples.sketch import LAST, Sketch, bound_of, most_sketched
from models.frames import column_names, real_numbers
from models.validation import Array, check_columns, data_matrix

CELLS_AT_A_TIME = 2**20  # of a chunk, when it is summarised


class WholeSamples(Samples):
    """Samples known to have no missing cell."""

    complete = True


@dataclass(frozen=True)
class Reader:
    """Turn the rows of a chunk into samples.

    Attributes
    ----------
    estimator : estimator or None
        Encodes labels as numbers (``_encoded``); None if X already holds numbers.
    n_features : int
        Number of columns that each chunk must have.
    names : sequence of str or None
        What error messages call the columns.
    missing : bool
        Whether cells may be missing.
    units : units or None
        The units into which the samples are converted.
    checked : bool
        Whether all chunks were read before, without a missing cell or a row that is left out: checks are skipped.
    """

    estimator: BaseEstimator | None
    n_features: int
    names: Sequence[str] | None
    missing: bool = True
    units: Any = None
    checked: bool = False

    def __call__(self, rows: Any, weights: Array | None) -> Samples:
        """Return the samples of a chunk, or raise a ValueError or a TypeError."""
        if np.ndim(rows) == 2 and rows.shape[1] != self.n_features:
            raise ValueError(f"X must have {self.n_features} columns in every chunk, got {rows.shape[1]} in this one")
        if self.checked:
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
    """Log-likelihoods (R,) and statistics of some rows; statistics in ``fixed`` are no sums and stay as they are."""

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
    """The E-step of a batch of runs, chunk by chunk; what all chunks of a group need is computed once.

    Attributes
    ----------
    estimator : MixtureEM
        The mixture, whose E-step is taken.
    theta : dict
        Parameters of all runs, by name.
    runs : ndarray
        The numbers of the runs.
    with_missing : bool
        Whether any chunk has missing cells; then each chunk takes the E-step for missing cells.
    """

    estimator: Any
    theta: dict[str, Array]
    runs: np.ndarray
    with_missing: bool

    @cached_property
    def _of_part(self) -> Callable[[Samples], tuple[Array, Mapping[str, Array]]]:
        return self.estimator._e_step_at(self.theta, self.runs, with_missing=self.with_missing)

    def __call__(self, part: Samples) -> Pass:
        """Return the log-likelihoods and statistics of one chunk."""
        log_likelihood, statistics = self._of_part(part)
        return Pass(log_likelihood, dict(statistics), self.estimator._fixed)


@dataclass(frozen=True)
class ChunkedSamples(Samples):
    """Samples that are larger than memory.

    Attributes
    ----------
    X : ndarray, shape (n, D)
        A placeholder that has only the shape of the rows that take part.
    chunks : Chunks
        The rows.
    reader : Reader
        Turns the rows of a chunk into samples.
    summary : Summary
        Counts, moments, extremes and a sketch of the rows.
    """

    chunks: Chunks = field(kw_only=True)
    reader: Reader = field(kw_only=True)
    summary: Summary = field(kw_only=True)

    in_memory, fits_sketch = False, False

    @property
    def n_parts(self) -> int:  # type: ignore[override]
        """The number of chunks."""
        return len(self.chunks.rows)

    def sum_of(self, function: Callable[[Samples], Any]) -> Any:
        """Return Σ_chunks function(samples of the chunk)."""
        return self.chunks.sum(_of_samples, self.reader, function)

    def e_step(self, estimator: Any) -> Callable[[Any, np.ndarray], tuple[Array, dict[str, Array]]]:
        """Return the E-step of an estimator's runs as a sum over all chunks."""
        sent = copy(estimator)
        sent.init = "random"  # an init of parameters would be sent to the workers in every pass

        def expect(theta: Any, runs: np.ndarray) -> tuple[Array, dict[str, Array]]:
            total = self.sum_of(Expectation(sent, dict(theta), runs, with_missing=not self.complete))
            return total.log_likelihood, total.statistics

        return expect

    def in_units(self, units: Any) -> Self:
        """Return the samples in other units."""
        reader, summary = replace(self.reader, units=units), self.summary.in_units(units)
        return replace(self, reader=reader, summary=summary, make_start_rows=lambda: units.samples(self.start_rows))

    def distinct(self, beside: Array | None = None, *, hashed: bool = False) -> Samples:
        """Return the distinct rows in memory if the sketch holds them all, else these samples."""
        return self.start_rows.distinct(beside, hashed=hashed) if self.sketch.whole else self

    @property
    def sketch(self) -> Sketch:
        """The sketch of the rows of all chunks."""
        return self.summary.sketch

    @cached_property
    def total(self) -> float:
        """The number of samples: the sum of the weights."""
        return self.summary.total

    @cached_property
    def complete(self) -> bool:
        """Whether no cell is missing."""
        return self.summary.complete

    @cached_property
    def n_observed(self) -> Array:
        """Weight of the observed cells of each column, shape (D,)."""
        return self.summary.n_observed

    @cached_property
    def _ends(self) -> tuple[Array, Array]:
        return self.summary.highest, self.summary.lowest

    @cached_property
    def mean(self) -> Array:
        """Mean of the observed cells of each column, shape (D,); for a constant column exactly its value."""
        return np.where(self.constant, self._ends[0], self.summary.mean)

    @cached_property
    def deviation(self) -> Array:
        """Standard deviation of the observed cells of each column, shape (D,)."""
        return np.where(self.constant, 0.0, np.sqrt(self.summary.moment / self.n_observed))

    @cached_property
    def patterns(self) -> np.ndarray | None:
        """The distinct patterns of observed features, shape (P, D); None if no cell is missing."""
        return None if self.complete else self.summary.patterns


def chunked_samples(
    estimator: BaseEstimator,
    X: Any,
    sample_weight: Any = None,
    names: Sequence[str] | None = None,
    *,
    missing: bool = True,
) -> ChunkedSamples:
    """Return a Dask array or DataFrame as samples; each chunk is checked.

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
    if summary is not None and not summary.sketch.full:
        summary = chunks.sum(_summarised, reader, most, 0)
    n_rows = 0 if summary is None else summary.n_rows
    if summary is None or n_rows < 2:
        raise ValueError(f"X must have at least two rows (samples) that are observed and have a weight, got {n_rows}")
    check_columns(summary.n_observed > 0, names)
    checked = summary.complete and not summary.n_left_out and not encodes
    return ChunkedSamples(
        np.broadcast_to(np.nan, (n_rows, D)),
        None,
        np.empty(0, dtype=int),
        n_rows,
        names,
        chunks=chunks,
        reader=replace(reader, checked=checked),
        summary=summary,
    )


def check_header(estimator: BaseEstimator, X: Any, *, reset: bool) -> None:
    """Check the number and the names of X's features, or store them with ``reset``, as scikit-learn does.

    X is in memory or in chunks.
    """
    header = X
    if is_chunked(X):
        check_matrix(X)
        header = np.empty((0, X.shape[1]))
        if hasattr(X, "columns"):
            from pandas import DataFrame

            header = DataFrame(columns=list(X.columns))
            real_numbers("X", header)  # raises if a name occurs twice
    validate_data(estimator, header, reset=reset, skip_check_array=True)


def _summarised(rows: Any, weights: Array | None, reader: Reader, most: int, n_chunks: int) -> Summary:
    """Return the summary of a chunk, computed on few cells at a time to save memory.

    With ``n_chunks`` > 0 the sketch holds only this chunk's share of ``most`` rows, as if ``n_chunks`` chunks had as
    many rows as this one. With 0 it has up to ``most`` rows.
    """
    part = reader(rows, weights)
    n, n_left_out = len(part.X), part.n_rows - len(part.X)
    bound = bound_of(most, n * n_chunks) if n * n_chunks else LAST

    def of_block(at: slice) -> Summary:
        some = part.part(at)
        return summary_of(replace(some, n_rows=len(some.X) + (0 if at.start else n_left_out)), most, bound)

    some_rows = max(CELLS_AT_A_TIME // part.X.shape[1], 1)
    return reduce(operator.add, map(of_block, list(blocks(n, some_rows)) or [slice(0, 0)]))


def _of_samples(rows: Any, weights: Array | None, reader: Reader, function: Callable[[Samples], Any]) -> Any:
    part = reader(rows, weights)
    return function(part) if len(part.X) else None
