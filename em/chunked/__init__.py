"""Fit data that are larger than memory, chunk by chunk, with Dask.

A Dask array or DataFrame is a list of chunks of rows, which lie in files or on the machines of a cluster. EM needs only
sums over rows. With T(x_i) the sufficient statistics of a sample, the E-step of all rows is

    Σ_i r_ik T(x_i) = Σ_chunks Σ_{i in chunk} r_ik T(x_i)

Each chunk computes its part of the log-likelihood and of the statistics by the same E-step as in memory. Dask adds the
parts in a tree. The M-step runs in the process that called `fit`. A chunk returns arrays of the size of the parameters,
so rows are never sent between machines.

:mod:`em.chunked.chunks` sums over chunks, :mod:`em.chunked.samples` computes what a fit needs, and
:mod:`em.chunked.predictions` returns predictions as lazy arrays and frames. Dask is imported only when such data are
given.
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
