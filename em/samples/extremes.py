"""Rows at which columns are largest and smallest, as a sum over parts of the rows."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from em.samples.distinct import order_of_values
from models.validation import Array


@dataclass(frozen=True)
class Extremes:
    """For each of H columns a row at which it is largest, then for each a row at which it is smallest, (2 H, D)."""

    rows: Array
    columns: np.ndarray

    @classmethod
    def of(cls, X: Array, columns: np.ndarray) -> Self:
        """Return the extremes of some rows; of several equal ones the first in the order of the rows' values."""
        order = order_of_values(X)
        highest = [np.where(np.isnan(x := X[order, d]), -np.inf, x).argmax() for d in columns]
        lowest = [np.where(np.isnan(x := X[order, d]), np.inf, x).argmin() for d in columns]
        return cls(X[order[highest + lowest]], columns)

    def __add__(self, other: Self) -> Self:
        return self.of(np.concatenate([self.rows, other.rows]), self.columns)
