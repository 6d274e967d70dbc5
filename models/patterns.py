"""Count data as distinct rows: a likelihood is computed once for each, however many samples there are."""

import numpy as np

from models.validation import Array


def distinct_rows(x: Array, size: Array) -> tuple[Array, Array, np.ndarray]:
    """Return the distinct rows of x with the sizes of their cells, both (m, D), and which each sample is, (n,)."""
    cells = np.concatenate([x, size], axis=1)
    if (cells % 1 != 0).any():
        cells = np.stack([np.unique(column, return_inverse=True)[1] for column in cells.T], axis=1)
    cells = cells.astype(np.int64)
    cells -= cells.min(axis=0)
    lengths = cells.max(axis=0) + 1
    if lengths.astype(float).prod() < 2**62:  # a row is the digits of a number
        _, first, which = np.unique(cells @ np.cumprod([1, *lengths[:-1]]), return_index=True, return_inverse=True)
    else:
        _, first, which = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    return x[first], size[first], which.ravel()
