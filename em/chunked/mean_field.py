"""Mean field over chunks: its E-step is a sum over rows too, of all restarts in one pass."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from em.chunked.samples import ChunkedSamples
from em.engine.problem import Arrays, Problem
from em.samples import Samples
from em.sums import Sums
from models.validation import Array


def over_chunks[Q](problem: Problem[Q], mixture: Any, samples: ChunkedSamples) -> Problem[Q]:
    """Return a problem of mean field whose E-step is that of all chunks.

    Parameters
    ----------
    problem : Problem
        That of rows at hand, which count as many samples as there are (:func:`em.engine.problem.one_by_one`).
    mixture : ConjugateMixture or GaussianConjugate
        Takes the rows of a chunk (:func:`em.families.mixture_of_chunks`).
    samples : ChunkedSamples
        All rows.
    """

    def expect(arrays: Arrays, runs: np.ndarray) -> tuple[Array, Arrays]:
        several = [problem.build({name: array[r] for name, array in arrays.items()}) for r in range(len(runs))]
        found: Sums = samples.sum_of(partial(_expected, mixture=mixture, several=several))
        statistics = np.empty(len(several), dtype=object)
        log_likelihoods, statistics[:] = zip(*(of_one.parts for of_one in found.parts), strict=True)
        return np.array(log_likelihoods), {"statistics": statistics}

    return replace(problem, expect=expect)


def _expected(part: Samples, mixture: Any, several: Sequence[Any]) -> Sums:
    """Return for each of some q what some rows add to Σ_i log Σ_k exp ρ_ik and to statistics."""
    expect = mixture.for_rows(part.X).expectation(part.weights)
    return Sums(tuple(Sums(expect(q)) for q in several))
