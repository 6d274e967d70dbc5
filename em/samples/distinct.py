"""Find the distinct rows of a data set, sorted by value, so that a fit cannot depend on the order of the rows.

Equal rows become one row, whose weight is the sum of theirs. Results computed from the distinct rows are the same, to
the last bit, for the rows in any order, and for a row repeated m times or given the weight m.

Two orders are in use. Rows of measurements are sorted by their first feature, then by the second, and so on: an order
that a change of units keeps. Rows of counts are sorted by a hash of their values, the same for sparse and dense rows.
"""

from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

from em.engine.blocks import blocks
from models.validation import Array

MOST_CELLS = 1_000_000  # up to so many cells, sparse rows are made dense to be sorted
MANY_CELLS = 2_000_000  # above, equal rows are looked for only if a sample shows that there are many
CELLS_AT_A_TIME = 2**13  # hashed at once: small arrays are reused, larger ones cost Dask's workers page faults
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd


def distinct_rows(X: Any, weights: Array | None = None, *, hashed: bool = False) -> tuple[np.ndarray, Array]:
    """Return the numbers of the distinct rows (m,), sorted by value, and their weights (m,).

    Parameters
    ----------
    X : ndarray or csr_array, shape (n, D)
        Rows; NaN equals NaN, and sorts last. A large sparse X is sorted by hashes.
    weights : ndarray, shape (n,), or None
        How often each row occurs; ``None`` counts each once.
    hashed : bool, default False
        Whether to sort by hashes instead of features.

    Examples
    --------
    >>> import numpy as np
    >>> from em.samples.distinct import distinct_rows
    >>> distinct_rows(np.array([[2.0, 1.0], [0.0, 5.0], [2.0, 1.0]]))
    (array([1, 0]), array([1., 2.]))
    """
    w, order = np.ones(X.shape[0]) if weights is None else weights, row_order(X, weights, hashed=hashed)
    starts = np.flatnonzero(np.append(True, _differ(X[order[1:]], X[order[:-1]]))[: len(order)])
    return order[starts], np.add.reduceat(w[order], starts)


def row_order(X: Any, weights: Array | None = None, *, hashed: bool = False) -> np.ndarray:
    """Return the row numbers (n,) sorted by value, then by weight; parameters as for `distinct_rows`."""
    if hashed or (issparse(X) and X.shape[0] * X.shape[1] > MOST_CELLS):
        return np.lexsort([hashes(X)] if weights is None else [weights, hashes(X)])
    return order_of_values(X.toarray() if issparse(X) else X, weights)


def order_of_values(X: Any, weights: Array | None = None) -> np.ndarray:
    """Return the row numbers (n,) sorted by features, then by weight; reads one column at a time to save memory.

    Examples
    --------
    >>> import numpy as np
    >>> from em.samples.distinct import order_of_values
    >>> order_of_values(np.array([[2.0, 1.0], [0.0, 5.0], [2.0, 0.0]]))
    array([1, 2, 0])
    """
    D, first = X.shape[1], X[:, 0]
    order = np.argsort(first, kind="stable")
    ordered = first[order]
    equal = np.append(False, ~(ordered[1:] > ordered[:-1]))[: len(order)]  # NaN too
    equal[:-1] |= equal[1:]
    tied = order[equal]  # groups of equal first features, each to be sorted by the other features
    keys = [X[tied, d] for d in reversed(range(D))]
    order[equal] = tied[np.lexsort(keys if weights is None else [weights[tied], *keys])]
    return order


def _differ(X: Any, Y: Any) -> np.ndarray:
    """Return which rows of two matrices differ, as booleans (n,)."""
    if issparse(X):
        return np.asarray(np.diff(csr_array(X != Y).indptr) > 0)
    return np.asarray(((X != Y) & ~(np.isnan(X) & np.isnan(Y))).any(axis=1))


def hashes(X: Any) -> np.ndarray:
    """Return a hash of each row (n,): Σ_d h(x_d) c^(d+1) modulo 2^64, where h mixes the bits of a cell.

    A cell of 0 adds nothing, so sparse and dense rows have the same hashes. Rescaled rows are hashed by their ``raw``
    numbers, because means and deviations carry a rounding that depends on the order of the rows.
    """
    X = getattr(X, "raw", X)
    n, D = X.shape
    factors = MULTIPLIER ** np.arange(1, D + 1, dtype=np.uint64)
    if issparse(X):
        cells = _mixed(X.data.view(np.uint64)) * factors[X.indices]
        before = np.append(np.uint64(0), np.cumsum(cells, dtype=np.uint64))
        return np.asarray(_mixed(before[X.indptr[1:]] - before[X.indptr[:-1]]))
    parts = [_mixed(_bits(X[rows])) @ factors for rows in blocks(n, max(CELLS_AT_A_TIME // max(D, 1), 1))]
    return _mixed(np.concatenate(parts or [factors[:0]]))


def digest(samples: Any, beside: Array | None = None) -> np.ndarray:
    """Return Σ_i hash(x_i, b_i, w_i) modulo 2^64, shape (1,): differs between data sets, and adds up over parts.

    ``beside`` (n, ...) holds further columns b_i of the rows.
    """
    h = hashes(samples.X)
    if beside is not None:
        h = _mixed(h + hashes(beside) * MULTIPLIER)
    if samples.weights is not None:
        h = _mixed(h + _bits(samples.weights) * MULTIPLIER)
    return h.sum(keepdims=True, dtype=np.uint64)


def _mixed(bits: np.ndarray) -> np.ndarray:
    """Mix 64-bit integers so that each bit depends on all bits; 0 stays 0."""
    mixed = bits >> np.uint64(32)
    mixed ^= bits
    mixed *= MULTIPLIER  # floats of small whole numbers differ only in their highest bits
    mixed ^= mixed >> np.uint64(29)
    mixed *= MULTIPLIER
    mixed ^= mixed >> np.uint64(32)
    return mixed


def _bits(X: Array) -> np.ndarray:
    """Return the bits of float64 as integers; -0.0 counts as 0.0, and all NaNs are the same."""
    numbers = X + 0.0
    np.copyto(numbers, np.nan, where=np.isnan(numbers))
    return np.asarray(numbers.view(np.uint64))


def worth_sorting(X: Any) -> bool:
    """Whether to look for equal rows: not if there are many rows that hardly repeat."""
    return issparse(X) or X.size <= MANY_CELLS or not repeat_rarely(X)


def repeat_rarely(X: Array) -> bool:
    """Whether a sample of m rows shows that more than half of many rows are distinct.

    With n / 2 equally frequent patterns, a sample holds about m² / n repetitions. With fewer patterns, or unequal
    frequencies, it holds more.
    """
    m, n = 4096, len(X)
    if n < 16 * m:
        return False
    sample = X[np.linspace(0, n - 1, m, dtype=int)]
    return m - len(np.unique(sample, axis=0)) < m * m / n
