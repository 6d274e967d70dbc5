"""The labels of each item's levels if the data come in chunks: all labels that occur in a chunk."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from em.chunked.chunks import Chunks
from em.sums import Sums
from models.cmm.levels import Labels, labelled_columns, levels_of
from models.frames import column_names
from models.shown import listed


def levels_of_chunks(X: Any, levels: Any = None, names: Sequence[str] | None = None) -> tuple[Labels, ...]:
    """Return the labels of each item's levels, as :func:`models.cmm.levels.levels_of` does."""
    if levels is not None:
        return levels_of(np.zeros((1, X.shape[1])), levels, names)
    occurring: Sums | None = Chunks.of(X, None).sum(_occurring)
    if occurring is None:
        raise ValueError("X must have a row, got none")
    names = column_names(X) if names is None else names
    mixed = [d for d, labels in enumerate(occurring.parts) if len({isinstance(label, str) for label in labels}) > 1]
    if mixed:
        raise ValueError(
            f"X must hold strings or whole numbers in each column, and not both, in {listed(mixed, names)}"
        )
    labels = [tuple(sorted(own)) or (0,) for own in occurring.parts]
    if hasattr(X, "columns"):
        labels = [of_frame or own for of_frame, own in zip(_categories(X, names), labels, strict=True)]
    return tuple(labels)


def _categories(X: Any, names: Sequence[str] | None) -> list[Labels | None]:
    """Return the categories of each column of a frame in their order, or None if the column has no known categories."""
    from pandas import Categorical, DataFrame

    categories: list[Labels | None] = []
    for name in X.columns:
        known = hasattr(X[name].dtype, "categories") and X[name].cat.known
        frame = DataFrame({name: Categorical([], dtype=X[name].dtype)}) if known else None
        categories.append(None if frame is None else levels_of(frame, names=names)[0])
    return categories


def _occurring(rows: Any, weights: Any) -> Sums:
    """Return the labels that occur in each column, as the keys of counters, which add up to their union."""
    return Sums(tuple(Counter(labels) for labels, _ in labelled_columns(rows, None)))
