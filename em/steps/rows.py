"""Rows of data with their sufficient statistics, and products and sums of these.

Statistics that are a constant row plus a multiple of X, such as T_1 = x and T_2 = m - x of a binomial, are stored as
such (:class:`Shifted`). So X is multiplied once for all of them, and a sparse X is never made dense.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_array, issparse

from em.engine.blocks import blocks
from models.validation import Array

Theta = Mapping[str, Array]
Parts = tuple[Array, ...]  # one array for each j
NUMBERS_AT_A_TIME = 2**20  # of a matrix 1 a' + c X that is computed entry by entry
NEAR = 2.0**-6  # sums of 1 a' + c X below this share of the sums of 1 a' have lost digits to cancellation


@dataclass(frozen=True)
class Statistics:
    """Responsibility-weighted sums over rows: N_k, shape (..., K), and S_kj, each (..., K, p_j)."""

    counts: Array
    sums: Parts

    def __add__(self, other: Self) -> Self:
        sums = tuple(mine + theirs for mine, theirs in zip(self.sums, other.sums, strict=True))
        return type(self)(self.counts + other.counts, sums)


@dataclass(frozen=True)
class Rows:
    """Checked rows with their sizes and sufficient statistics.

    Attributes
    ----------
    X : ndarray or csr_array, shape (n, D)
        Samples, with 0 in missing cells.
    size : ndarray, shape (n, D)
        Number of trials, or exposure, of each cell; 0 in missing cells. The array has stride 0 along the rows if all
        rows have the same sizes.
    statistics : tuple
        T_j, each (n, p_j), 0 in missing cells: arrays, sparse arrays or `Shifted`.
    log_base : ndarray, shape (n,)
        log h(x_i), in nats.
    """

    X: Any
    size: Array
    statistics: tuple[Any, ...]
    log_base: Array

    def __len__(self) -> int:
        return len(self.log_base)

    def __getitem__(self, rows: Any) -> "Rows":
        if isinstance(rows, slice) and rows == slice(0, len(self)):
            return self
        X = rows_of(self.X, rows) if issparse(self.X) and isinstance(rows, slice) else self.X[rows]

        def cut(T: Any) -> Any:
            return X if T is self.X else Shifted(T.row, T.factor, X) if isinstance(T, Shifted) else T[rows]

        return Rows(X, self.size[rows], tuple(map(cut, self.statistics)), self.log_base[rows])

    @classmethod
    def joined(cls, several: Sequence["Rows"], join: Callable[[Any], Array]) -> "Rows":
        """Return several rows as one, with their arrays joined by `numpy.concatenate` or `numpy.stack`."""
        X, size, log_base = (join([getattr(rows, name) for rows in several]) for name in ("X", "size", "log_base"))
        return cls(X, size, tuple(map(join, zip(*(rows.statistics for rows in several), strict=True))), log_base)


def rows_of(X: csr_array, rows: slice) -> csr_array:
    """Return rows of X as views of its cells, which indexing X would copy."""
    starts = X.indptr[rows.start : rows.stop + 1]
    cells = slice(starts[0], starts[-1])
    return csr_array((X.data[cells], X.indices[cells], starts - starts[0]), shape=(len(starts) - 1, X.shape[1]))


def largest_of(size: Array) -> float:
    """Return the largest of sizes (n, D), from one row if all rows are equal."""
    return float((size[:1] if size.strides[0] == 0 else size).max())


class Shifted:
    """The non-negative matrix 1 a' + c X, given a row a (D,), a number c and X; its products follow from those of X."""

    ndim = 2

    def __init__(self, row: Array, factor: float, X: Any) -> None:
        self.row, self.factor, self.X = row, factor, X

    def __sub__(self, X: Any) -> "Shifted":
        assert X is self.X
        return Shifted(self.row, self.factor - 1, X)

    def sums(self, weights: Array, of_X: Array) -> Array:
        """Return Σ_i w_ki t_i (..., D) of the rows t_i of this matrix, given Σ_i w_ki x_i.

        Where the two parts nearly cancel, sums of dense rows are computed from the entries t_i, so that 0 stays 0.
        """
        constant = weights.sum(axis=-1)[..., None] * self.row
        sums = np.maximum(constant + self.factor * of_X, 0.0)  # rounding must not make it negative
        near = (sums < NEAR * constant).reshape(-1, len(self.row)).any(axis=0)
        if near.any() and not issparse(self.X):
            sums[..., near] = self._summed(weights, near)
        return sums

    def toarray(self) -> Array:
        """Return the matrix as an array."""
        return self.row + self.factor * (self.X.toarray() if issparse(self.X) else self.X)

    def _summed(self, weights: Array, columns: np.ndarray) -> Array:
        """Return Σ_i w_ki t_i of some columns, shape (..., d), computed from a block of rows at a time."""
        some, row = max(NUMBERS_AT_A_TIME // len(self.row), 1), self.row[columns]
        total = np.zeros(())
        for rows in blocks(self.X.shape[0], some):
            total = total + weights[..., rows] @ (row + self.factor * self.X[rows][:, columns])
        return total


def products(statistics: Sequence[Any], natural: Sequence[Array]) -> Array:
    """Return Σ_j T_j · η_j, shape (..., n, K). A positive T_j times -inf is -inf, and 0 times -inf is 0."""
    if all(eta.min() > -np.inf for eta in natural):
        return _product(statistics, natural)
    nevers = [eta == -np.inf for eta in natural]
    impossible = _product(statistics, [never.astype(np.float64) for never in nevers]) > 0
    finite = [np.where(never, 0.0, eta) for never, eta in zip(nevers, natural, strict=True)]
    return np.where(impossible, -np.inf, _product(statistics, finite))


def _product(statistics: Sequence[Any], natural: Sequence[Array]) -> Array:
    """Return Σ_j T_j · η_j of finite η_j, with one product for X and all statistics that are `Shifted`."""
    shifted = [(part, eta) for part, eta in zip(statistics, natural, strict=True) if isinstance(part, Shifted)]
    others = [(part, eta) for part, eta in zip(statistics, natural, strict=True) if not isinstance(part, Shifted)]
    if not shifted:
        return sum((_times(part, eta) for part, eta in others[1:]), _times(*others[0]))
    X, constant = shifted[0][0].X, sum((eta @ part.row)[..., None, :] for part, eta in shifted)
    of_X = [part.factor * eta for part, eta in shifted] + [eta for part, eta in others if part is X]
    terms = (_times(part, eta) for part, eta in others if part is not X)
    return sum(terms, _times(X, np.asarray(sum(of_X))) + constant)


def _times(part: Any, eta: Array) -> Array:
    """Return T · η, shape (..., n, K), stored in memory with the rows last if T has no leading axes."""
    if part.ndim > 2:  # each chain has data of its own
        return part @ eta.mT
    flat = eta.reshape(-1, eta.shape[-1])
    product = (part @ flat.T).T if issparse(part) else flat @ part.T
    return np.ascontiguousarray(product).reshape(*eta.shape[:-1], -1).mT


def common_sizes(sizes: Array, name: str) -> Array:
    """Return the size of each column (D,), which all rows of a matrix of sizes (n, D) must share.

    Missing cells, of size 0, are ignored. A column with missing cells only gets 1.

    Raises
    ------
    ValueError
        If the sizes differ between rows.
    """
    if sizes_differ(sizes):
        raise ValueError(f"{name} must be given for new rows, since it differed between the rows of X")
    largest = sizes.max(axis=0)
    return np.where(largest > 0, largest, 1.0)


def sizes_differ(sizes: Array) -> bool:
    """Whether the cells of a column that are not missing differ in size."""
    return bool(((sizes > 0) & (sizes != sizes.max(axis=0))).any())
