"""Count data as distinct rows: a likelihood is computed once for each, however many samples there are."""

import numpy as np

from models.validation import Array


def distinct_rows(x: Array, size: Array) -> tuple[Array, Array, np.ndarray]:
    """Return the distinct rows of x with the sizes of their cells, both (m, D), and which each sample is, (n,)."""
    cells = np.concatenate([x, size], axis=1)
    order = np.lexsort(cells.T)
    new = np.append(True, (np.diff(cells[order], axis=0) != 0).any(axis=1))
    first, which = order[new], np.empty(len(x), dtype=int)
    which[order] = new.cumsum() - 1
    return x[first], size[first], which
