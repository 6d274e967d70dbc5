"""Several sums over rows at once, which add up over parts of the rows."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Sums:
    """One part of each of several sums; None where no row of it counts."""

    parts: tuple[Any, ...]

    def __add__(self, other: Self) -> Self:
        pairs = zip(self.parts, other.parts, strict=True)
        return type(self)(tuple(b if a is None else a if b is None else a + b for a, b in pairs))
