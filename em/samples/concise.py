"""A concise sample: a random sample of samples, kept as at most so many distinct rows with counts.

Each sample of the data is in it with the same probability p, independently of others. A row that occurs w times counts

    kept ~ Binomial(w, p)

times. p is 1 while all distinct rows fit. If there are too many, each sample stays with probability q, and p ← q p.
Draws depend on the hashes of the rows, so the sample does not depend on their order within a batch.

References
----------
Gibbons & Matias (1998), New sampling-based summary statistics for improving approximate query answers, SIGMOD.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from em.samples import Samples, samples_of
from em.samples.distinct import digest, distinct_rows
from models.validation import Array

FILLED = 0.9  # the share of the most rows that is left after a sample became too large
LARGEST_COUNT = 2.0**62  # of draws: NumPy counts in 64 bits


@dataclass(frozen=True, eq=False)
class ConciseSample:
    """A concise sample.

    Attributes
    ----------
    rows : ndarray, shape (m, D)
        The distinct rows.
    weights : ndarray, shape (m,)
        How often each row is in the sample.
    share : float
        The probability p that a sample of the data is in this sample.
    most : int
        Largest number of rows.
    """

    rows: Array
    weights: Array
    share: float
    most: int

    @classmethod
    def of(cls, samples: Samples, most: int, share: float = 1.0, salt: float = 0.0) -> Self:
        """Draw a concise sample from samples in memory; another ``salt`` gives other draws from the same rows."""
        chosen, weights = distinct_rows(samples.X, samples.weights, hashed=True)
        return cls(samples.X[chosen], weights, 1.0, most)._thinned(share, salt)._bounded(salt)

    def __add__(self, other: Self) -> Self:
        share = min(self.share, other.share)
        parts = [one._thinned(share / one.share) for one in (self, other)]
        rows, weights = (np.concatenate([getattr(one, name) for one in parts]) for name in ("rows", "weights"))
        chosen, weights = distinct_rows(rows, weights, hashed=True)
        return replace(parts[0], rows=rows[chosen], weights=weights, share=share)._bounded()

    def _bounded(self, salt: float = 0.0) -> Self:
        sample = self
        while len(sample.rows) > self.most:
            sample = sample._thinned(FILLED * self.most / len(sample.rows), salt)
        return sample

    def _thinned(self, q: float, salt: float = 0.0) -> Self:
        """Keep each sample with probability q; a fractional part of a weight is kept with probability q as a whole."""
        if q == 1 or not len(self.rows):
            return replace(self, share=q * self.share)
        seed = np.append(digest(samples_of(self.rows, self.weights)), np.float64(salt).view(np.uint64))
        rng, whole = np.random.RandomState(seed.view(np.uint32)), np.floor(np.minimum(self.weights, LARGEST_COUNT))
        part = np.where(self.weights < LARGEST_COUNT, self.weights - whole, 0.0)
        weights = rng.binomial(whole.astype(np.int64), q) + part * (rng.random_sample(len(whole)) < q)
        some = weights > 0
        return replace(self, rows=self.rows[some], weights=weights[some], share=q * self.share)
