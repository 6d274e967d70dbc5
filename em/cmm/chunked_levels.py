"""The labels of levels where the data are chunks: those that any chunk shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from em.chunked.chunks import Chunks
from models.cmm.levels import Labels, levels_of
from models.frames import is_missing
from models.shown import listed


@dataclass(frozen=True)
class Seen:
    """The labels that rows show, for each column."""

    labels: tuple[frozenset[Any], ...]

    def __add__(self, other: "Seen") -> "Seen":
        return Seen(tuple(mine | theirs for mine, theirs in zip(self.labels, other.labels, strict=True)))


def levels_of_chunks(X: Any, levels: Any = None, names: Sequence[str] | None = None) -> tuple[Labels, ...]:
    """Return the labels of each item's levels, as :func:`models.cmm.levels.levels_of` does."""
    if levels is not None:
        return levels_of(np.zeros((1, X.shape[1])), levels, names)
    seen: Seen = Chunks.of(X, None).sum(_seen)
    mixed = [d for d, labels in enumerate(seen.labels) if len({isinstance(label, str) for label in labels}) > 1]
    if mixed:
        raise ValueError(
            f"X must hold strings or whole numbers in each column, and not both, in column(s) {listed(mixed, names)}"
        )
    return tuple(tuple(sorted(labels)) or (0,) for labels in seen.labels)


def _seen(rows: Any, weights: Any, number: int) -> Seen:
    columns = (
        np.asarray([value for value in column.tolist() if not is_missing(value)]) for column in np.asarray(rows).T
    )
    return Seen(tuple(frozenset(levels_of(column[:, None])[0] if len(column) else ()) for column in columns))
