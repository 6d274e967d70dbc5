"""Transform a fit's parameters to the columns of X, in case it was fitted to X in another order or other units."""

from collections.abc import Callable, Iterator, Mapping
from itertools import permutations
from typing import Any

import numpy as np

from comparisons.family import Family
from models.parameters import Quantity
from models.supports import REAL, Covariance, Variance
from models.validation import Array, data_matrix

MOST_COLUMNS = 4  # up to which all orders are tried
UNITS: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    "standardised columns": (np.nanmean, np.nanstd),
    "centred columns": (np.nanmean, lambda X, axis: np.ones(X.shape[1])),
    "columns over their standard deviations": (lambda X, axis: np.zeros(X.shape[1]), np.nanstd),
    "columns scaled to 0 .. 1": (np.nanmin, lambda X, axis: np.nanmax(X, axis) - np.nanmin(X, axis)),
}


def undo_transformations(pair: Family, arrays: Mapping[str, Array], X: Any) -> Iterator[tuple[str, dict[str, Array]]]:
    """Yield each transformation of X that the fit may have seen, in words, and the arrays with it undone.

    Parameters
    ----------
    pair : Family
        The family with its options.
    arrays : mapping
        The fit's arrays by name.
    X : array_like, shape (n, D)
        The samples of the audit.
    """
    D = np.shape(X)[1]
    by_column = any("feature" in quantity.dims for quantity in pair.quantities)
    for order in list(permutations(range(D)))[1:] if by_column and D <= MOST_COLUMNS else ():
        permuted = {q.name: _permute(q, arrays[q.name], np.argsort(order)) for q in pair.quantities}
        yield f"the fit's columns are the columns {', '.join(map(str, order))} of X", permuted
    if not any(quantity.support is REAL for quantity in pair.quantities):
        return
    rows = data_matrix(X, missing=True)
    for words, (center, spread) in UNITS.items():
        shift, scale = center(rows, axis=0), spread(rows, axis=0)
        in_units = {q.name: _in_units(q, arrays[q.name], shift, scale) for q in pair.quantities}
        yield f"the fit is of {words} of X, and X is not transformed", in_units


def _permute(quantity: Quantity, array: Array, order: np.ndarray) -> Array:
    for axis, dim in enumerate(quantity.dims):
        array = np.take(array, order, axis) if dim.startswith("feature") else array
    return array


def _in_units(quantity: Quantity, array: Array, shift: Array, scale: Array) -> Array:
    """Return an array that belongs to columns (x - shift) / scale as the array that belongs to the columns x."""
    if quantity.support is REAL:
        return array * scale + shift
    if isinstance(quantity.support, Covariance):
        return array * np.outer(scale, scale)
    if isinstance(quantity.support, Variance):
        return array * (scale**2 if "feature" in quantity.dims else np.prod(scale) ** (2 / len(scale)))
    return array
