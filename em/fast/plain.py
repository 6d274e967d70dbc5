"""Arrays as the compiled kernels take them."""

import numpy as np

from models.validation import Array


def plain(X: Array) -> Array:
    """Return float64 in C order, read-only: a view, or a copy of a chunk in another type or order."""
    plain = np.ascontiguousarray(X, dtype=np.float64).view()
    plain.flags.writeable = False  # one type of argument, so the kernels are compiled once
    return plain
