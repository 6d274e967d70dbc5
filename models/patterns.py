"""Count data as distinct rows: a likelihood is computed once for each, however many samples there are."""

import numpy as np

from models.validation import Array


def distinct_rows(x: Array, size: Array) -> tuple[Array, Array, np.ndarray]:
    """Return the distinct rows of x with the sizes of their cells, both (m, D), and which each sample is, (n,)."""
    columns = np.concatenate([x, size], axis=1)[:, ::-1]  # the last is the first to be sorted by
    _, first, which = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    return x[first], size[first], which
