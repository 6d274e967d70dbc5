"""Chunks of rows, and sums over them that Dask makes: the same bits for the same chunks, whoever adds them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.validation import Array

BRANCHES = 8  # parts that one task adds


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
        array = X.to_dask_array() if hasattr(X, "to_dask_array") else X
        if array.ndim != 2:
            raise ValueError(f"X must be two-dimensional (samples, features), got {array.ndim} dimension(s)")
        array = array.rechunk({1: -1})
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
        """Return Σ_chunks function(X, weights, number of the chunk, *arguments), added in a tree by ``+``."""
        return self.reduce(function, _add, *arguments)

    def reduce(self, function: Callable[..., Any], add: Callable[[Sequence[Any]], Any], *arguments: Any) -> Any:
        """Return what ``add`` makes of a list of results, eight at a time, then of what that gave."""
        from dask.base import compute
        from dask.delayed import delayed

        shared = [delayed(one, pure=False, traverse=False) for one in arguments]  # sent once, not with every chunk
        each, joined = delayed(function, pure=False, traverse=False), delayed(add, pure=False)
        level = [
            each(rows, weights, c, *shared)
            for c, (rows, weights) in enumerate(zip(self.rows, self.weights, strict=True))
        ]
        while len(level) > 1:
            level = [joined(level[at : at + BRANCHES]) for at in range(0, len(level), BRANCHES)]
        (total,) = compute(level[0], traverse=False)
        return total


def _add(parts: Iterable[Any]) -> Any:
    first, *rest = parts
    for part in rest:
        first = first + part
    return first


def _cut(sample_weight: Any, array: Any) -> list[Array]:
    """Return the weights of each chunk's rows."""
    weights = np.asarray(sample_weight)
    sizes = array.chunks[0]
    if np.isnan(sizes).any():
        raise ValueError("sample_weight must be a Dask array in chunks like X, whose numbers of rows are not known")
    if weights.shape != (sum(sizes),):
        raise ValueError(f"sample_weight must have shape ({sum(sizes)},), one for each row of X, got {weights.shape}")
    return np.split(weights, np.cumsum(sizes)[:-1])
