"""What is kept of a stream, and saved with it: statistics, counts, and a sample of the rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import numpy as np

from em.samples import Samples
from em.streams import StreamSettings
from em.streams.row_sample import RowSample, samples_of
from models.validation import Array

MOST_SKETCHED = 8192  # rows; with a quarter of them looks back misjudge the slow directions of EM


@dataclass(frozen=True, eq=False)
class Stream:
    """The state of a stream; a step makes a new one.

    Attributes
    ----------
    settings : StreamSettings
        How it is learned from.
    rows, row_weights : ndarray, shapes (m, D) and (m,)
        The distinct rows of a sample of all samples that came, and how often each is in it.
    first_rows, first_weights : ndarray, shapes (f, D) and (f,)
        The rows that it was started from, in whose units the statistics are. None before the start.
    running, averaged, expected : dict
        Mean statistics s and s̃ of one sample, arrays by name, and the mean of the batches' s̄ with the weights of s̃.
    n_samples : float
        How many samples came: the sum of their weights.
    looked : float
        How many had come when restarts were last made.
    n_steps, n_left_out : int
        How many steps were made after the start, and how many were not, because they led out of the parameter space.
    remarks : tuple of str
        What was to be said when restarts were last made.
    share : float
        With which probability each sample that came is kept: 1 while all are.
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
        """Return the stream of which no row has come."""
        nothing = np.empty((0, n_features))
        return cls(settings, nothing, np.empty(0), nothing, np.empty(0))

    @property
    def begun(self) -> bool:
        """Whether there are statistics."""
        return bool(self.running)

    @property
    def whole(self) -> bool:
        """Whether the sample holds all rows that came."""
        return self.share == 1

    def kept(self, unit: int) -> RowSample:
        """Return the sample of all rows that came."""
        return RowSample(self.rows, self.row_weights, self.share, max(MOST_SKETCHED, 2 * unit))

    def seen(self, part: Samples, unit: int) -> Self:
        """Return the stream with these rows, in memory or by chunks, in its sample."""
        most = max(MOST_SKETCHED, 2 * unit)
        added = part.sum_of(partial(RowSample.of, most=most, share=self.share, salt=self.n_samples))
        return self.joined(added, unit) if len(added.rows) or added.share < self.share else self

    def joined(self, other: RowSample, unit: int) -> Self:
        """Return the stream with another's sample in its own; both get the smaller share."""
        both = self.kept(unit) + other
        return replace(self, rows=both.rows, row_weights=both.weights, share=both.share)

    def sample(self, names: Any = None) -> Samples:
        """Return the rows that are kept."""
        return samples_of(self.rows, self.row_weights, names)

    def first(self, names: Any = None) -> Samples:
        """Return the rows of the start."""
        return samples_of(self.first_rows, self.first_weights, names)
