"""Mean field over chunks: its E-step is a sum over rows too, of all restarts in one pass."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np

from em.chunked.samples import ChunkedSamples
from em.engine.problem import Arrays, Problem
from em.samples import Samples
from models.validation import Array


@dataclass(frozen=True)
class Expected:
    """What some rows add for each of some q: Σ_i log Σ_k exp ρ_ik, and statistics."""

    parts: tuple[tuple[float, Any], ...]

    def __add__(self, other: Self) -> Self:
        pairs = zip(self.parts, other.parts, strict=True)
        return type(self)(tuple((mine[0] + theirs[0], mine[1] + theirs[1]) for mine, theirs in pairs))


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
        found: Expected = samples.sum_of(partial(_expected, mixture=mixture, several=several))
        statistics = np.empty(len(several), dtype=object)
        statistics[:] = [of_one for _, of_one in found.parts]
        return np.array([log_likelihood for log_likelihood, _ in found.parts]), {"statistics": statistics}

    return replace(problem, expect=expect)


def _expected(part: Samples, mixture: Any, several: Sequence[Any]) -> Expected:
    expect = mixture.for_rows(part.X).expectation(part.weights)
    return Expected(tuple(map(expect, several)))
