"""What is kept of a stream, and saved with it: statistics, counts, and a sample of the rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from em.chunked.summary import Sketch
from em.samples import Samples
from em.samples.distinct import hashes
from em.streams import StreamSettings
from models.validation import Array

MOST_SKETCHED = 2048  # rows


@dataclass(frozen=True, eq=False)
class Stream:
    """The state of a stream; a step makes a new one.

    Attributes
    ----------
    settings : StreamSettings
        How it is learned from.
    rows, row_weights : ndarray, shapes (m, D) and (m,)
        The distinct rows of smallest hash among all that came, and how often each did.
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
    largest_hash : int or None
        Of the rows that are kept, where others came: no row of a larger hash will be.
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
    largest_hash: int | None = None

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
        return self.largest_hash is None

    def seen(self, part: Samples, unit: int) -> Self:
        """Return the stream with these rows in its sample."""
        X, weights = part.X, np.ones(len(part.X)) if part.weights is None else part.weights
        if self.largest_hash is not None:
            kept = hashes(X) <= np.uint64(self.largest_hash)
            if not kept.any():
                return self
            X, weights = X[kept], weights[kept]
        most = max(MOST_SKETCHED, 2 * unit)
        sketch = Sketch(self.rows, self.row_weights, most) + Sketch(X, weights, most)
        largest = int(hashes(sketch.rows[-1:])[0]) if len(sketch.rows) == most else None
        return replace(self, rows=sketch.rows, row_weights=sketch.weights, largest_hash=largest)

    def joined(self, other: Self, unit: int) -> Self:
        """Return the stream with the sample of its rows and another's: no row of a hash that either left out."""
        both = replace(self, largest_hash=None).seen(samples_of(other.rows, other.row_weights), unit)
        limits = [one.largest_hash for one in (self, other, both) if one.largest_hash is not None]
        if not limits:
            return both
        kept = hashes(both.rows) <= np.uint64(min(limits))
        return replace(both, rows=both.rows[kept], row_weights=both.row_weights[kept], largest_hash=min(limits))

    def sample(self, names: Any = None) -> Samples:
        """Return the rows that are kept; where they are not all, each stands for itself, times its share of weight."""
        weights = self.row_weights if self.whole else self.row_weights / self.row_weights.mean()
        return samples_of(self.rows, weights, names)

    def first(self, names: Any = None) -> Samples:
        """Return the rows of the start."""
        return samples_of(self.first_rows, self.first_weights, names)


def samples_of(rows: Array, weights: Array, names: Any = None) -> Samples:
    """Return rows that occur so often as samples."""
    return Samples(rows, None if (weights == 1).all() else weights, np.arange(len(rows)), len(rows), names)
