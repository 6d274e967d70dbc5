"""Fit an intermediate result to an expression: transposed, with one more axis, or one part for each pass of a loop."""

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
    """How an array is divided among the passes of the loops in which an expression stands.

    Attributes
    ----------
    axes : tuple of int
        Its axes in another order; the first ``n_looped`` of them are looped over.
    n_looped : int
        0 if every pass has the whole array.
    index : tuple
        Index of the array of each pass, which may add an axis.
    """

    axes: tuple[int, ...]
    n_looped: int
    index: tuple[Any, ...]

    def parts(self, a: Array, n_passes: int) -> list[Array]:
        """Return an array for each pass; none if there are more or fewer passes than the axes have."""
        if a.ndim != len(self.axes):
            return []
        ordered = a.transpose(self.axes)
        looped, rest = ordered.shape[: self.n_looped], ordered.shape[self.n_looped :]
        if not self.n_looped:
            return [ordered[self.index]] * n_passes
        return [np.asarray(row[self.index]) for row in ordered.reshape(-1, *rest)] if prod(looped) == n_passes else []


def layouts(a: Array, values: Sequence[Array]) -> Iterator[tuple[Layout, list[Array]]]:
    """Yield the layouts of an array whose parts have the shapes of an expression's values, with these parts.

    A part may have one more axis than the values, so that N_k may replace n. All passes have the same array only if all
    values are the same.
    """
    least = 0 if all(np.array_equal(value, values[0]) for value in values[1:]) else 1
    for axes in permutations(range(a.ndim)):
        for n_looped in range(least, a.ndim + 1):
            for index in INDICES:
                layout = Layout(axes, n_looped, index)
                parts = layout.parts(a, len(values))
                if parts and _fits(parts[0].shape, values[0].shape):
                    yield layout, parts


def _fits(shape: tuple[int, ...], value_shape: tuple[int, ...]) -> bool:
    """Whether a part has the shape of the values, or one more axis to which these broadcast."""
    if shape == value_shape:
        return True
    try:
        is_larger = np.broadcast_shapes(shape, value_shape) == shape
    except ValueError:
        return False
    n_axes, n_value_axes = (sum(size > 1 for size in sizes) for sizes in (shape, value_shape))
    return is_larger and len(shape) <= 2 and n_axes == n_value_axes + 1
