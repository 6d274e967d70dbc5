"""The rows of a mean-field fit: all rows, in memory or in chunks, and those on which restarts begin."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from em.chunked.samples import ChunkedSamples, chunked_samples
from em.engine.problem import Arrays, Problem
from em.families import conjugate_mixture, mixture_of_chunks
from em.samples import Samples, kept_samples
from em.steps.conjugate import mean_field_problem
from em.sums import Sums
from models.validation import Array, check_sample_weight


class FitRows(NamedTuple):
    """The rows of a fit."""

    mixture: Any  # all rows; none for chunks
    start_rows: Any  # the rows on which restarts begin: all that take part, or those of a sketch
    weights: Array | None  # how often each start row counts; the sum is the number of all samples
    n_draws: float  # the number of independent draws of a sample that the start rows are worth
    counted: np.ndarray | None  # which rows in memory take part; None for chunks
    all_rows: Callable[[Problem[Any]], Problem[Any]] | None  # from the start rows' problem to that of all rows


def rows_in_memory(
    X: ArrayLike, prior: Any, sample_weight: ArrayLike | None, size: dict[str, Any], K: int, *, may_sketch: bool
) -> FitRows:
    """Return rows in memory; with ``may_sketch``, restarts begin on a sketch if there are many distinct rows."""
    mixture = conjugate_mixture(X, prior, **size)
    mixture.check_fits(K)
    weights = check_sample_weight(sample_weight, len(mixture.X))
    samples = kept_samples(mixture.encode(X), weights, None)
    rows = mixture.part(samples.kept)
    if samples.fits_sketch or rows.sizes_differ or not may_sketch:
        return FitRows(mixture, rows, samples.weights, samples.total, samples.kept, None)
    start = _scaled_start_rows(mixture, samples)
    all_rows = None if samples.sketch.whole else lambda problem: mean_field_problem(rows, K, samples.weights)
    return FitRows(mixture, *start, samples.kept, all_rows)


def rows_of_chunks(X: Any, prior: Any, sample_weight: Any, size: dict[str, Any], K: int) -> FitRows:
    """Return rows in chunks; restarts begin on a sketch if it does not hold all distinct rows."""
    mixture = mixture_of_chunks(X, prior, **size)
    mixture.check_fits(K)
    samples = chunked_samples(mixture, X, sample_weight)
    samples.sum_of(partial(_check_cells, mixture=mixture))
    rows = samples.distinct(hashed=True)
    if rows.in_memory:
        return FitRows(mixture, mixture.for_rows(rows.X), rows.weights, samples.total, None, None)
    start = _scaled_start_rows(mixture, samples)
    return FitRows(mixture, *start, None, partial(over_chunks, mixture=mixture, samples=samples))


def _scaled_start_rows(mixture: Any, samples: Samples) -> tuple[Any, Array, float]:
    """Return start rows, their weights, scaled to the number of all samples, and the number of draws they are worth."""
    rows = samples.start_rows
    return mixture.for_rows(rows.X), rows.frequencies * (samples.total / rows.total), rows.total


def _check_cells(part: Samples, mixture: Any) -> None:
    """Raise a ValueError if a cell of a chunk is not legal."""
    mixture.for_rows(part.X)


def over_chunks[Q](problem: Problem[Q], mixture: Any, samples: ChunkedSamples) -> Problem[Q]:
    """Return a mean-field problem whose E-step sums over all chunks, for all restarts in one pass.

    Parameters
    ----------
    problem : Problem
        The problem of the start rows, weighted to the number of all samples
        (:func:`em.engine.problem.one_by_one`).
    mixture : ConjugateMixture or GaussianConjugate
        Takes the rows of a chunk (:func:`em.families.mixture_of_chunks`).
    samples : ChunkedSamples
        All rows.
    """

    def expect(arrays: Arrays, runs: np.ndarray) -> tuple[Array, Arrays]:
        several = [problem.build({name: array[r] for name, array in arrays.items()}) for r in range(len(runs))]
        total: Sums = samples.sum_of(partial(_expected, mixture=mixture, several=several))
        statistics = np.empty(len(several), dtype=object)
        log_likelihoods, statistics[:] = zip(*(of_one.parts for of_one in total.parts), strict=True)
        return np.array(log_likelihoods), {"statistics": statistics}

    return replace(problem, expect=expect)


def _expected(part: Samples, mixture: Any, several: Sequence[Any]) -> Sums:
    """Return for each q the part of some rows of Σ_i log Σ_k exp ρ_ik and of the statistics."""
    expect = mixture.for_rows(part.X).expectation(part.weights)
    return Sums(tuple(Sums(expect(q)) for q in several))
