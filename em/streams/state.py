"""The state of a stream, which is also saved: statistics, counts, and a random sample of the rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np

from em.samples import Samples, samples_of
from em.samples.concise import ConciseSample
from em.streams import StreamSettings
from models.shown import shown
from models.validation import Array

MOST_ROWS = 8192  # of the sample; with a quarter of them looks back misjudge the slow directions of EM


@dataclass(frozen=True, eq=False)
class Stream:
    """The state of a stream; each step makes a new one.

    Attributes
    ----------
    settings : StreamSettings
        The settings of the stream.
    rows, row_weights : ndarray, shapes (m, D) and (m,)
        The distinct rows of a random sample of all samples so far, and how often each is in it.
    first_rows, first_weights : ndarray, shapes (f, D) and (f,)
        The rows that it was started from; they define the units of the statistics. Empty before the start.
    running, averaged, expected : dict
        Mean statistics s and s̃ per sample, arrays by name, and the mean of the batches' s̄ with the weights of s̃.
    n_samples : float
        Number of samples so far: the sum of their weights.
    looked : float
        Number of samples at the last restarts.
    n_steps, n_left_out : int
        Number of steps after the start, and of steps left out because they led out of the parameter space.
    remarks : tuple of str
        Remarks for the status, from the last restarts.
    share : float
        The probability with which each sample so far is in the random sample; 1 while all are.
    """

    settings: StreamSettings
    rows: Array
    row_weights: Array
    first_rows: Array
    first_weights: Array
    running: Mapping[str, Array] = field(default_factory=dict)
    averaged: Mapping[str, Array] = field(default_factory=dict)
    expected: Mapping[str, Array] = field(default_factory=dict)
    n_samples: float = 0.0
    looked: float = 0.0
    n_steps: int = 0
    n_left_out: int = 0
    remarks: tuple[str, ...] = ()
    share: float = 1.0

    @classmethod
    def empty(cls, settings: StreamSettings, n_features: int) -> Self:
        """Return a stream without rows."""
        if not isinstance(settings, StreamSettings):
            raise ValueError(f"settings must be a StreamSettings, got {shown(settings)}")
        nothing = np.empty((0, n_features))
        return cls(settings, nothing, np.empty(0), nothing, np.empty(0))

    @property
    def begun(self) -> bool:
        """Whether the stream has statistics."""
        return bool(self.running)

    @property
    def whole(self) -> bool:
        """Whether the random sample holds all rows so far."""
        return self.share == 1

    def row_sample(self, unit: int) -> ConciseSample:
        """Return the random sample of all rows so far."""
        return ConciseSample(self.rows, self.row_weights, self.share, max(MOST_ROWS, 2 * unit))

    def with_rows(self, part: Samples, unit: int) -> Self:
        """Draw from the rows of ``part``, in memory or in chunks, into the random sample."""
        of_part = partial(ConciseSample.of, most=self.row_sample(unit).most, share=self.share, salt=self.n_samples)
        added = part.sum_of(of_part)
        return self.with_sample(added, unit) if len(added.rows) or added.share < self.share else self

    def with_sample(self, other: ConciseSample, unit: int) -> Self:
        """Join another random sample with the stream's; both are thinned to the smaller share."""
        both = self.row_sample(unit) + other
        return replace(self, rows=both.rows, row_weights=both.weights, share=both.share)

    def sample(self, names: Any = None) -> Samples:
        """Return the random sample as samples."""
        return samples_of(self.rows, self.row_weights, names)

    def first(self, names: Any = None) -> Samples:
        """Return the rows of the start as samples."""
        return samples_of(self.first_rows, self.first_weights, names)
