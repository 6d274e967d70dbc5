"""How an intermediate result is laid out where an expression is computed: over the turns of loops, or transposed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import prod
from typing import Any

import numpy as np

from models.validation import Array

INDICES: tuple[tuple[Any, ...], ...] = ((), (..., None), (None,))


@dataclass(frozen=True)
class Layout:
    """How an array is laid out over the turns in which an expression is computed.

    Attributes
    ----------
    axes : tuple of int
        Its axes, the first ``n_turned`` of them over the turns.
    n_turned : int
        0 where every turn has all of it.
    index : tuple
        How each turn's array is indexed, which adds an axis or not.
    """

    axes: tuple[int, ...]
    n_turned: int
    index: tuple[Any, ...]

    def turns(self, a: Array, n_turns: int) -> list[Array]:
        """Return an array for each turn; none if there are more or fewer turns than its axes have."""
        if a.ndim != len(self.axes):
            return []
        turned = a.transpose(self.axes)
        over, rest = turned.shape[: self.n_turned], turned.shape[self.n_turned :]
        if not self.n_turned:
            return [turned[self.index]] * n_turns
        return [np.asarray(row[self.index]) for row in turned.reshape(-1, *rest)] if prod(over) == n_turns else []


def layouts(a: Array, values: Sequence[Array]) -> Iterator[tuple[Layout, list[Array]]]:
    """Yield layouts of an array, with its turns, whose shapes are those of an expression's values.

    They may have one more axis than the values: N_k stands in the place of n. Turns have the same array only where the
    values are the same.
    """
    least = 0 if all(np.array_equal(value, values[0]) for value in values[1:]) else 1
    for axes in permutations(range(a.ndim)):
        for n_turned in range(least, a.ndim + 1):
            for index in INDICES:
                layout = Layout(axes, n_turned, index)
                turns = layout.turns(a, len(values))
                if turns and _fits(turns[0].shape, values[0].shape):
                    yield layout, turns


def _fits(shape: tuple[int, ...], own: tuple[int, ...]) -> bool:
    if shape == own:
        return True
    try:
        is_larger = np.broadcast_shapes(shape, own) == shape
    except ValueError:
        return False
    n_axes, n_own = (sum(size > 1 for size in sizes) for sizes in (shape, own))
    return is_larger and len(shape) <= 2 and n_axes == n_own + 1
