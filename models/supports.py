"""Supports: the sets in which the numbers of a declared array lie, with checks, free numbers and real-line maps.

=========== ============================ ======== =====================================================
support     numbers                      free     map to the real line
=========== ============================ ======== =====================================================
REAL        any                          all      x
POSITIVE    x >= 0                       all      log x
VARIANCE    x > 0                        all      log x
PROBABILITY 0 <= x <= 1                  all      log x - log(1 - x)
SIMPLEX     >= 0, last axis sums to 1    one less log(x_j / x_last)
COVARIANCE  symmetric positive definite  triangle Cholesky factor, with the logarithms of its diagonal
=========== ============================ ======== =====================================================
"""

from abc import ABC, abstractmethod

import numpy as np

from models.scales import SCALES
from models.validation import Array, are_positive_definite

EDGE = 1e-8  # an estimate this near to the boundary counts as on it
INSIDE = 1e-12  # the distance from the boundary to which a value on it is moved
SUMS = 1e-8  # rounding error allowed in a sum of one
Index = tuple[int, ...]


class Support(ABC):
    """A set in which the numbers of an array lie.

    Attributes
    ----------
    scale : {"identity", "log", "logit"}
        The scale on which an estimate is nearest to normal.
    edges : str
        The values on the boundary, in words; "" if there is no boundary.
    least, most : float
        The smallest and the largest number in the support.
    """

    scale = "identity"
    edges = ""
    least, most = -np.inf, np.inf

    @property
    def bounded(self) -> bool:
        """Whether the numbers lie between 0 and 1."""
        return self.scale == "logit"

    def scale_at(self, place: Index) -> str:
        """Return the scale on which the estimate of an entry is nearest to normal."""
        return self.scale

    def block_of(self, place: Index) -> Index | None:
        """Return a key that is equal for entries that sum to one together, or None if the entry is in no sum."""
        return None

    def check(self, name: str, array: Array, tolerance: float = SUMS) -> None:
        """Raise a ValueError that names the array unless its numbers, which are finite, lie in the support."""
        return

    def holds(self, arrays: Array) -> np.ndarray:
        """Return which of several arrays (R, ...) lie in the support; sums to one are not checked."""
        return ((arrays >= self.least) & (arrays <= self.most)).reshape(len(arrays), -1).all(axis=1)

    def nearly(self, name: str, draws: Array, tolerance: float) -> Array:
        """Return draws (S, ...) with sums made one; raise a ValueError if they miss it by more than a tolerance."""
        self.check(f"draws of {name}", draws, tolerance)
        return self.normalised(draws)

    def n_free(self, shape: tuple[int, ...]) -> int:
        """Return how many of the numbers of an array are free."""
        return int(np.prod(shape))

    def distinct_entries(self, shape: tuple[int, ...]) -> list[Index]:
        """Return the indices of the distinct entries of an array."""
        return list(np.ndindex(shape))

    def at_edge(self, array: Array) -> np.ndarray:
        """Return which entries are on the boundary, where the condition for a stationary point is one-sided."""
        return np.zeros(array.shape, dtype=bool)

    def moved_inside(self, array: Array, step: float = INSIDE) -> Array:
        """Return the array; entries nearer to the boundary than ``step`` are moved inside by it."""
        return array

    def goes_inside(self, after: Array, before: Array) -> np.ndarray:
        """Return which entries are farther from the boundary after than before."""
        return after > before

    def stepped_inside(self, array: Array, place: Index, step: float) -> Array | None:
        """Return the array with one boundary entry moved inside by a step; None if moving another entry does that."""
        moved = array.copy()
        moved[place] = self.moved_inside(array, step)[place]
        return moved

    def coordinates(self, entries: np.ndarray) -> np.ndarray:
        """Return a mask of entries, or an array like them, as a mask of coordinates on the real line."""
        return entries

    def normalised(self, array: Array) -> Array:
        """Return the array with each block that must sum to one divided by its sum."""
        return array

    @abstractmethod
    def random(self, like: Array, rng: np.random.RandomState) -> Array:
        """Draw numbers inside the support, like ``like`` in shape and size; its first axis counts components."""

    def unconstrained(self, draws: Array) -> Array:
        """Map draws (S, ...) one to one to real vectors (S, p): each number on its scale."""
        return np.asarray(SCALES[self.scale].line(draws.reshape(len(draws), -1)))


class Real(Support):
    """Any real number."""

    def random(self, like: Array, rng: np.random.RandomState) -> Array:
        """Draw from a normal distribution with the mean over components and their standard deviation, or 1."""
        return like.mean(axis=0) + np.maximum(like.std(axis=0), 1.0) * rng.standard_normal(like.shape)


class Variance(Support):
    """Positive numbers, such as variances, which are never 0 at a maximum."""

    scale = "log"
    least = float(np.finfo(np.float64).tiny)

    def check(self, name: str, array: Array, tolerance: float = SUMS) -> None:
        """Raise a ValueError unless all numbers are positive."""
        if not (array > 0).all():
            raise ValueError(f"{name} must be positive variances, got {array}")

    def random(self, like: Array, rng: np.random.RandomState) -> Array:
        """Draw from 0.1 to 2 times the mean over components, or 1 where that is 0."""
        mean = like.mean(axis=0)
        return np.where(mean > 0, mean, 1.0) * rng.uniform(0.1, 2.0, size=like.shape)


class Positive(Variance):
    """Positive numbers; 0 is the boundary, where a maximum of the likelihood may lie.

    Their unit is arbitrary, so distance to 0 is measured relative to the largest entry over components (the first
    axis).
    """

    edges, least = "0", 0.0

    def check(self, name: str, array: Array, tolerance: float = SUMS) -> None:
        """Raise a ValueError if a number is negative."""
        if array.min() < 0:
            raise ValueError(f"{name} must not be negative, got values from {array.min()} to {array.max()}")

    def at_edge(self, array: Array) -> np.ndarray:
        """Return which entries are 0 relative to the largest over components."""
        return array <= EDGE * array.max(axis=0)

    def moved_inside(self, array: Array, step: float = INSIDE) -> Array:
        """Return the larger of each entry and ``step`` times the largest over components."""
        largest = array.max(axis=0)
        return np.maximum(array, step * np.where(largest > 0, largest, 1.0))


class Probability(Support):
    """Probabilities; 0 and 1 are the boundary."""

    scale, edges = "logit", "0 or 1"
    least, most = 0.0, 1.0

    def check(self, name: str, array: Array, tolerance: float = SUMS) -> None:
        """Raise a ValueError unless all numbers lie from 0 to 1."""
        if array.min() < 0 or array.max() > 1:
            raise ValueError(f"{name} must lie in [0, 1], got values from {array.min()} to {array.max()}")

    def at_edge(self, array: Array) -> np.ndarray:
        """Return which entries are nearly 0 or 1."""
        return (array < EDGE) | (array > 1 - EDGE)

    def moved_inside(self, array: Array, step: float = INSIDE) -> Array:
        """Return numbers from a step to 1 less a step."""
        return self.normalised(np.clip(array, step, 1 - step))

    def goes_inside(self, after: Array, before: Array) -> np.ndarray:
        """Return which entries are nearer to 1/2 after than before."""
        return np.abs(after - 0.5) < np.abs(before - 0.5)

    def random(self, like: Array, rng: np.random.RandomState) -> Array:
        """Draw from 0.1 to 0.9."""
        return np.asarray(rng.uniform(0.1, 0.9, size=like.shape))


class Simplex(Probability):
    """Probabilities that sum to one along the last axis, in blocks of these sizes if there are several.

    Parameters
    ----------
    sizes : tuple of int or None
        Lengths of the blocks along the last axis; ``None`` is a single block.
    """

    def __init__(self, sizes: tuple[int, ...] | None = None) -> None:
        self.sizes = sizes

    def sums(self, array: Array) -> Array:
        """Return the sum of each block, shape (..., blocks)."""
        return np.add.reduceat(array, np.cumsum((0, *(self.sizes or ())[:-1])), axis=-1)

    def totals(self, array: Array) -> Array:
        """Return for each entry the sum of its block, shape (..., C).

        Examples
        --------
        >>> import numpy as np
        >>> from models.supports import Simplex
        >>> Simplex((2, 3)).totals(np.array([1, 2, 3, 4, 5])).tolist()
        [3, 3, 12, 12, 12]
        """
        return np.repeat(self.sums(array), self.sizes or array.shape[-1], axis=-1)

    def check(self, name: str, array: Array, tolerance: float = SUMS) -> None:
        """Raise a ValueError unless numbers are non-negative and each block sums to one."""
        sums = self.sums(array)
        if array.min() < 0 or np.abs(sums - 1).max() > tolerance:
            least = f"sums from {sums.min():.6g} to {sums.max():.6g}, the least {array.min():.6g}"
            given = f"{array} with sum {sums[0]}" if array.ndim == sums.size == 1 else least
            raise ValueError(f"{name} must be non-negative and sum to 1, got {given}")

    def n_free(self, shape: tuple[int, ...]) -> int:
        """Return one less than its length for each block."""
        return int(np.prod(shape[:-1])) * (shape[-1] - len(self.sizes or (1,)))

    def block_of(self, place: Index) -> Index:
        """Return the indices on the axes before the last, then the number of the block."""
        return (*place[:-1], int(np.searchsorted(np.cumsum(self.sizes or ()), place[-1], side="right")))

    def stepped_inside(self, array: Array, place: Index, step: float) -> Array | None:
        """Move a 0 to ``step``, at the expense of the others in its block; a 1 is moved when these move."""
        moved = super().stepped_inside(array, place, step)
        return None if moved is None or array[place] > 0.5 else self.normalised(moved)

    def coordinates(self, entries: np.ndarray) -> np.ndarray:
        """Leave out the last entry of each block."""
        return np.delete(entries, np.cumsum(self.sizes or entries.shape[-1:]) - 1, axis=-1)

    def normalised(self, array: Array) -> Array:
        """Return x_j / Σ_i x_i in each block."""
        return array / (self.totals(array) if self.sizes else array.sum(axis=-1, keepdims=True))

    def random(self, like: Array, rng: np.random.RandomState) -> Array:
        """Draw Dirichlet(2, ..., 2)."""
        return self.normalised(np.asarray(rng.gamma(2.0, size=like.shape)))

    def unconstrained(self, draws: Array) -> Array:
        """Return log(x_j / x_last) in each block."""
        last = np.cumsum(self.sizes or draws.shape[-1:]) - 1
        of_last = np.repeat(draws[..., last], self.sizes or draws.shape[-1], axis=-1)
        return self.coordinates(np.log(draws) - np.log(of_last)).reshape(len(draws), -1)


class Covariance(Support):
    """Symmetric positive definite matrices, along the last two axes."""

    def scale_at(self, place: Index) -> str:
        """Return "log" for variances."""
        return "log" if place[-2] == place[-1] else "identity"

    def holds(self, arrays: Array) -> np.ndarray:
        """Return which of several arrays (R, ...) are positive definite."""
        return are_positive_definite(arrays)

    def check(self, name: str, array: Array, tolerance: float = SUMS) -> None:
        """Raise a ValueError unless the matrices are symmetric and positive definite."""
        if np.abs(array - array.mT).max() > 1e-10 * np.abs(array).max():
            raise ValueError(f"{name} must be symmetric, got {array}")
        if not self.holds(array[None]).all():
            raise ValueError(f"{name} must be positive definite, got {array}")

    def n_free(self, shape: tuple[int, ...]) -> int:
        """Return D (D + 1) / 2 for each matrix."""
        D = shape[-1]
        return int(np.prod(shape[:-2])) * D * (D + 1) // 2

    def distinct_entries(self, shape: tuple[int, ...]) -> list[Index]:
        """Return the indices of one triangle."""
        return [place for place in np.ndindex(shape) if place[-2] <= place[-1]]

    def random(self, like: Array, rng: np.random.RandomState) -> Array:
        """Draw each matrix times a number from 0.1 to 2."""
        return like * rng.uniform(0.1, 2.0, size=(*like.shape[:-2], 1, 1))

    def unconstrained(self, draws: Array) -> Array:
        """Return log L_ii, then L_ij below the diagonal, of the Cholesky factor L."""
        S, D, chol = len(draws), draws.shape[-1], np.linalg.cholesky(draws)
        log_diagonal = np.log(np.diagonal(chol, axis1=-2, axis2=-1)).reshape(S, -1)
        return np.hstack([log_diagonal, chol[(..., *np.tril_indices(D, -1))].reshape(S, -1)])


REAL, POSITIVE, VARIANCE, PROBABILITY = Real(), Positive(), Variance(), Probability()
SIMPLEX, COVARIANCE = Simplex(), Covariance()
