"""More rows than the memory holds: EM is a sum over rows, so it goes chunk by chunk, wherever the chunks are.

A Dask array or DataFrame is a list of chunks of rows, in files or on the machines of a cluster. With T(x_i) the
statistics of a sample, an E-step of all rows is

    Σ_i r_ik T(x_i) = Σ_chunks Σ_{i in chunk} r_ik T(x_i),

so each chunk gives its part of the log-likelihood and of the statistics (the same E-step as in memory), Dask adds the
parts in a tree, and the M-step is made where `fit` was called. Nothing of the size of the data moves: what a chunk
sends is as large as the parameters.

:mod:`em.chunked.chunks` has the chunks and their sums, :mod:`em.chunked.samples` what a fit asks of them, and
:mod:`em.chunked.predictions` what a fit says of them, in lazy arrays and frames. Dask is imported only where such data
come.
"""

from typing import Any

from models.frames import is_dask


def is_chunked(X: Any) -> bool:
    """Return whether X is a Dask array or DataFrame, without importing Dask.

    Examples
    --------
    >>> from em.chunked import is_chunked
    >>> is_chunked([[0.0], [1.0]])
    False
    """
    return is_dask(X) and hasattr(type(X), "ndim")
