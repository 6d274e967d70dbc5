"""Sufficient statistics of Gaussian samples: the responsibility-weighted moments that the M-step needs."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from models.gmm.structures import MATRICES
from models.validation import Array

_SQUARES = {
    "full": "...k,...kd,...ke->...kde",
    "tied": "...k,...kd,...ke->...de",
    "diag": "...k,...kd,...kd->...kd",
    "spherical": "...k,...kd,...kd->...k",
}


@dataclass(frozen=True)
class GaussianStatistics:
    """Responsibility-weighted moments about fixed centres c_k, which can be added over parts of the rows.

    Every array may have leading axes. Centres near the means keep the digits that raw second moments lose.

    Attributes
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances.
    centers : ndarray, shape (K, D)
        c_k.
    counts : ndarray, shape (K,)
        Σ_i r_ik.
    first : ndarray, shape (K, D)
        Σ_i r_ik (x_i - c_k).
    second : ndarray, shape (K, D, D), (D, D), (K, D) or (K,)
        Σ_i r_ik (x_i - c_k)(x_i - c_k)': the matrices, their sum, their diagonals, or their traces.
    """

    covariance_type: str
    centers: Array
    counts: Array
    first: Array
    second: Array

    def __add__(self, other: Self) -> Self:
        sums = self.counts + other.counts, self.first + other.first, self.second + other.second
        return type(self)(self.covariance_type, self.centers, *sums)

    def about(self, centers: Array) -> Self:
        """Return the same statistics about other centres."""
        gap, ones = self.centers - centers, np.ones(self.counts.shape)
        middle, kind = self.first + self.counts[..., None] * gap / 2, _SQUARES[self.covariance_type]
        second = self.second + np.einsum(kind, ones, gap, middle) + np.einsum(kind, ones, middle, gap)
        first = self.first + self.counts[..., None] * gap
        return type(self)(self.covariance_type, centers, self.counts, first, second)

    def means_and_scatter(self) -> tuple[Array, Array]:
        """Return x̄_k, and the statistics S_k about x̄_k as the structure needs them; of an empty component c_k and 0."""
        shift = self.first / np.where(self.counts > 0, self.counts, 1.0)[..., None]
        return self.centers + shift, self.second - squares(shift, self.counts, self.covariance_type)

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name."""
        return {name: getattr(self, name) for name in ("centers", "counts", "first", "second")}


def squares(rows: Array, weights: Array, covariance_type: str) -> Array:
    """Return weights_k rows_k rows_k' as the structure needs it: matrices, their sum, diagonals or traces."""
    return np.asarray(np.einsum(_SQUARES[covariance_type], weights, rows, rows))


def sufficient_statistics(
    X: Array, responsibilities: Array, centers: Array, covariance_type: str = "full"
) -> GaussianStatistics:
    """Return the weighted moments of X (..., n, D) about ``centers`` (..., K, D)."""
    matrices, axis = covariance_type in MATRICES, centers.ndim - 2  # the axis of the components
    first, second = [], []
    for k in range(centers.shape[axis]):
        gap = X - centers[..., k, None, :]
        weighted = responsibilities[..., k, None] * gap
        first.append(weighted.sum(axis=-2))
        second.append(weighted.mT @ gap if matrices else np.einsum("...nd,...nd->...d", weighted, gap))
    moments = np.stack(second, axis)
    if covariance_type in ("tied", "spherical"):
        moments = moments.sum(axis if matrices else -1)
    counts = responsibilities.sum(axis=-2)
    return GaussianStatistics(covariance_type, centers, counts, np.stack(first, axis), np.asarray(moments))
