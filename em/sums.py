"""Several sums over rows, added together over parts of the rows."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Sums:
    """The values of several sums over a part of the rows; None for a sum without a row."""

    parts: tuple[Any, ...]

    def __add__(self, other: Self) -> Self:
        pairs = zip(self.parts, other.parts, strict=True)
        return type(self)(tuple(b if a is None else a if b is None else a + b for a, b in pairs))
