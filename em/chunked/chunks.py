"""Chunks of rows, and sums over them that Dask makes: the same bits for the same chunks, whoever adds them."""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from em.process.blas import one_blas_thread
from models.validation import Array, check_sample_weight

BRANCHES = 8  # parts that one task adds
SHARED: ContextVar[Any] = ContextVar("SHARED", default=None)  # the passes that this thread shares with others, if any


@dataclass(frozen=True)
class Chunks:
    """Rows of a Dask array or DataFrame, and their weights, chunk by chunk.

    Attributes
    ----------
    rows : tuple
        A delayed matrix (n_c, D) for each chunk.
    weights : tuple
        Delayed weights (n_c,) for each chunk, or ``None`` for each.
    """

    rows: tuple[Any, ...]
    weights: tuple[Any, ...]

    @classmethod
    def of(cls, X: Any, sample_weight: Any) -> "Chunks":
        """Return the chunks of a Dask array or DataFrame, and of weights that are a Dask or another array."""
        shared = SHARED.get()
        return cls.read_from(X, sample_weight) if shared is None else shared.chunks_of(X, sample_weight)

    @classmethod
    def read_from(cls, X: Any, sample_weight: Any) -> "Chunks":
        """Return the same, whoever else asks for them."""
        array = rows_of(X)
        rows = tuple(array.to_delayed().ravel())
        if sample_weight is None:
            return cls(rows, (None,) * len(rows))
        if not hasattr(sample_weight, "to_delayed"):
            return cls(rows, tuple(_cut(sample_weight, array)))
        weights = sample_weight.to_dask_array() if hasattr(sample_weight, "to_dask_array") else sample_weight
        if weights.ndim != 1 or weights.npartitions != len(rows):
            raise ValueError(
                f"sample_weight must have one number for each row, in {len(rows)} chunk(s) like X, got "
                f"{weights.ndim} dimension(s) in {weights.npartitions} chunk(s): rechunk it like X"
            )
        return cls(rows, tuple(weights.to_delayed().ravel()))

    def sum(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return Σ_chunks function(rows, weights, *arguments), added by ``+``, eight parts at a time.

        Chunks of which no row counts are left out, and those of which the function gives ``None``; the sum of none is
        ``None``.
        """
        if (passes := SHARED.get()) is not None:
            return passes.sum(self, function, *arguments)
        from dask.base import compute
        from dask.delayed import delayed

        shared = [delayed(one, pure=False, traverse=False) for one in arguments]  # sent once, not with every chunk
        part, joined = delayed(partial(_part, function), pure=False, traverse=False), delayed(_added, pure=False)
        level = [
            part(rows, weights, c, *shared)
            for c, (rows, weights) in enumerate(zip(self.rows, self.weights, strict=True))
        ]
        while len(level) > 1:
            level = [joined(level[at : at + BRANCHES]) for at in range(0, len(level), BRANCHES)]
        (total,) = compute(level[0], traverse=False)
        return total


def rows_of(X: Any) -> Any:
    """Return a Dask array or DataFrame as an array whose chunks hold whole rows."""
    array = X.to_dask_array() if hasattr(X, "to_dask_array") else X
    if array.ndim != 2:
        raise ValueError(f"X must be two-dimensional (samples, features), got {array.ndim} dimension(s)")
    return array.rechunk({1: -1})


def _part(function: Callable[..., Any], rows: Any, weights: Any, number: int, *arguments: Any) -> Any:
    """Return a chunk's part of the sum, or None where no row counts; errors name the chunk."""
    n = rows.shape[0]
    if n == 0 or (weights is not None and np.shape(weights) == (n,) and not np.any(weights)):
        return None
    try:
        with one_blas_thread():
            return function(rows, check_sample_weight(weights, n), *arguments)
    except (TypeError, ValueError) as error:
        error.args = (f"chunk {number}: {error}",)
        raise


def _added(parts: Sequence[Any]) -> Any:
    total = None
    for part in parts:
        total = part if total is None else total if part is None else total + part
    return total


def _cut(sample_weight: Any, array: Any) -> list[Array]:
    """Return the weights of each chunk's rows."""
    weights = np.asarray(sample_weight)
    sizes = array.chunks[0]
    if np.isnan(sizes).any():
        raise ValueError("sample_weight must be a Dask array in chunks like X, whose numbers of rows are not known")
    if weights.shape != (sum(sizes),):
        raise ValueError(f"sample_weight must have shape ({sum(sizes)},), one for each row of X, got {weights.shape}")
    return np.split(weights, np.cumsum(sizes)[:-1])
