"""Count data as distinct rows: a likelihood is computed once for each, however many samples there are."""

import numpy as np

from models.validation import Array


def distinct_rows(x: Array, trials: Array) -> tuple[Array, Array, np.ndarray]:
    """Return the distinct rows of x with their trials, both (m, D), and which of them each sample is, (n,)."""
    cells = np.concatenate([x, trials], axis=1).astype(np.int64)
    cells -= cells.min(axis=0)
    sizes = cells.max(axis=0) + 1
    if sizes.astype(float).prod() < 2**62:  # a row is the digits of a number
        _, first, which = np.unique(cells @ np.cumprod([1, *sizes[:-1]]), return_index=True, return_inverse=True)
    else:
        _, first, which = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    return x[first], trials[first], which.ravel()
