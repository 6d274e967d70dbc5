"""log h of rows, each count of a feature once: a million cells hold few different ones, and log x! takes time."""

from collections.abc import Callable

import numpy as np

from models.validation import Array

CELLS_OF_A_COUNT = 4  # fewest, for each that may occur, with which looking up is worth while


def log_base_of_rows(of_cells: Callable[[Array, Array], Array], X: Array, size: Array) -> Array:
    """Return Σ_d log h(x_id), shape (n,); where all rows have the same sizes and few different counts, by a table.

    Parameters
    ----------
    of_cells : callable
        Takes values and sizes of cells, arrays of one shape; returns log h of each.
    X : ndarray, shape (n, D)
        Samples.
    size : ndarray, shape (n, D)
        Sizes of cells; of stride 0 where all rows have the same.

    Examples
    --------
    >>> import numpy as np
    >>> from em.steps.base import log_base_of_rows
    >>> X = np.repeat([[0.0, 2.0], [1.0, 0.0]], 6, axis=0)
    >>> log_base_of_rows(lambda x, size: -x * size, X, np.broadcast_to([3.0, 5.0], X.shape))[5:7]
    array([-10.,  -3.])
    """
    n, D = X.shape
    if not size.strides[0] and X.min() >= 0 and X.max() + 1 <= n / CELLS_OF_A_COUNT:
        counts, features = X.astype(np.intp), np.arange(D)
        if (counts == X).all():
            occurs = np.zeros((counts.max() + 1, D), dtype=bool)
            occurs[counts, features] = True
            x, d = np.nonzero(occurs)
            terms = np.zeros(occurs.shape)
            terms[x, d] = of_cells(x.astype(np.float64), size[0, d])
            return np.asarray(terms.take(counts * D + features).sum(axis=1))
    return of_cells(X, size).sum(axis=1)
