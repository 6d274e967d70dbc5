"""What counts as data for a categorical mixture: labels of levels in any container, and their codes 0 to L - 1.

A label is a string or a whole number. Which labels an item has is given, or said by the categories of a frame's column,
or read off the data in sorted order; a missing cell (NaN, None) has none.
"""

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.sparse import issparse

from models.frames import as_array, column_names, frame_columns, is_missing
from models.shown import cell, listed, shown
from models.validation import Array, count_at_least_one, data_matrix

Labels = tuple[int | str, ...]


def code_matrix(X: Any, levels: Sequence[int], names: Sequence[str] | None = None) -> tuple[Array, Array]:
    """Return codes X (n, D) with 0 in missing cells, and sizes (n, D): 1, and 0 in missing cells.

    Raises
    ------
    ValueError
        If X is not a matrix of whole numbers from 0 to L_d - 1.
    """
    names = column_names(X) if names is None else names
    X, L = data_matrix(X, missing=True, names=names), np.asarray(levels)
    if X.shape[1] != len(L):
        raise ValueError(f"X must have {len(L)} columns, one for each item of the probs, got {X.shape[1]}")
    missing = np.isnan(X)
    X = np.where(missing, 0.0, X) if missing.any() else X
    if (misfits := (X < 0) | (X >= L) | (np.floor(X) != X)).any():
        row, d = np.argwhere(misfits)[0]
        wanted = f"X must hold codes, whole numbers from 0 to {L[d] - 1} in column(s) {listed([d], names)}"
        raise ValueError(f"{wanted}, got {cell('X', (row, d), names)} = {X[row, d]:.15g}")
    return X, np.where(missing, 0.0, 1.0) if missing.any() else np.broadcast_to(1.0, X.shape)


def levels_of(X: Any, levels: Any = None, names: Sequence[str] | None = None) -> tuple[Labels, ...]:
    """Return the labels of each item's levels, in the order of their codes.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Labels: strings, whole numbers, categories of a frame.
    levels : int, or sequence of D ints or sequences of labels, or None
        What is known of each item: how many levels it has, labelled 0 to L - 1, or their labels. ``None`` takes the
        categories of a frame's column where it has some, else the distinct labels in sorted order.
    names : sequence of str or None
        What errors call the columns.

    Raises
    ------
    ValueError
        If X holds no labels, or ``levels`` does not fit X.

    Examples
    --------
    >>> from models.cmm.levels import codes_of, levels_of
    >>> X = [["brown", 1], ["blue", 3], [None, 1]]
    >>> labels = levels_of(X)
    >>> labels, codes_of(X, labels).tolist()
    ((('blue', 'brown'), (1, 3)), [[1.0, 0.0], [0.0, 1.0], [nan, 0.0]])
    """
    columns = _columns(X, names)
    if levels is not None:
        given = [levels] * len(columns) if isinstance(levels, Integral) else list(levels)
        if len(given) != len(columns):
            raise ValueError(f"levels must have one entry for each of {len(columns)} columns, got {len(given)}")
        return tuple(map(_given, given))
    found = []
    for d, (column, raw) in enumerate(zip(columns, frame_columns(X) or [None] * len(columns), strict=True)):
        categories = getattr(getattr(raw, "dtype", None), "categories", None)
        labels = categories if isinstance(categories, Iterable) else np.unique(column[_seen(column)])
        found.append(tuple(_label(value, d, names) for value in np.asarray(labels).tolist()))
    return tuple(labels or (0,) for labels in found)  # a column without any observed cell is refused elsewhere


def codes_of(X: Any, labels: Sequence[Labels], names: Sequence[str] | None = None) -> Array:
    """Return the code of each cell's label (n, D), NaN where it is missing.

    Raises
    ------
    ValueError
        If X has another number of columns, or a label that is none of its item's.
    """
    names = column_names(X) if names is None else names
    columns = _columns(X, names)
    if len(columns) != len(labels):
        raise ValueError(
            f"X has {len(columns)} features, but this mixture is expecting {len(labels)} features as input"
        )
    codes = np.full((len(columns[0]), len(columns)), np.nan)
    for d, (column, own) in enumerate(zip(columns, labels, strict=True)):
        seen, number = _seen(column), {label: float(code) for code, label in enumerate(own)}
        values, which = np.unique(column[seen], return_inverse=True)
        found = [_label(value, d, names) for value in values.tolist()]
        if unknown := [label for label in found if label not in number]:
            raise ValueError(
                f"X must hold known levels, got {shown(unknown[0])} in column(s) {listed([d], names)}, whose levels "
                f"are {shown(list(own))}: name all levels in `levels` before the fit"
            )
        codes[seen, d] = np.array([number[label] for label in found])[which]
    return codes


def labels_of(codes: Array, labels: Sequence[Labels]) -> np.ndarray:
    """Return the labels of codes (n, D): float64 where all are numbers, objects where some are strings."""
    objects = any(isinstance(label, str) for own in labels for label in own)
    kinds = [np.array(own, dtype=object if objects else float) for own in labels]
    return np.stack([own[x.astype(int)] for own, x in zip(kinds, codes.T, strict=True)], axis=1)


def _columns(X: Any, names: Sequence[str] | None) -> list[np.ndarray]:
    """Return the columns of X: float64 with NaN, or strings with None, where a cell is missing."""
    raw = frame_columns(X)
    if raw is None:
        array = X if issparse(X) else as_array("X", X)
        if issparse(X) or array.dtype.kind in "biufc":
            return list(data_matrix(array, missing=True, names=names).T)
        data_matrix(np.zeros(array.shape))  # which refuses other shapes
        raw = list(np.asarray(X, dtype=object).T)
    return [_plain(column, d, names) for d, column in enumerate(raw)]


def _plain(column: Any, d: int, names: Sequence[str] | None) -> np.ndarray:
    array = as_array("X", column)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    values = array.astype(object)  # a copy
    missing = np.array([is_missing(value) for value in values.tolist()], dtype=bool)
    observed = values[~missing].tolist()
    if all(isinstance(value, str) for value in observed) and observed:
        values[missing] = None
        return values
    if all(isinstance(value, Real | np.bool_) for value in observed):
        values[missing] = np.nan
        return values.astype(np.float64)
    odd = next(value for value in observed if type(value) is not type(observed[0]) or not isinstance(value, str))
    raise ValueError(
        f"X must hold strings or whole numbers in each column, and not both, got {shown(odd)} of type "
        f"{type(odd).__name__} in column(s) {listed([d], names)}"
    )


def _seen(column: np.ndarray) -> np.ndarray:
    return np.array([value is not None for value in column]) if column.dtype == object else ~np.isnan(column)


def _label(value: Any, d: int, names: Sequence[str] | None) -> int | str:
    if isinstance(value, str):
        return value
    if isinstance(value, Real) and float(value).is_integer():
        return int(float(value))
    raise ValueError(
        f"X must hold labels of levels, strings or whole numbers, got {shown(value)} in column(s) {listed([d], names)}"
    )


def _given(levels: Any) -> Labels:
    if isinstance(levels, Integral):
        return tuple(range(count_at_least_one("levels", levels)))
    labels = tuple(_label(value, 0, ["levels"]) for value in np.asarray(list(levels), dtype=object).tolist())
    if not labels or len(set(labels)) < len(labels):
        raise ValueError(f"levels must hold a number, or different labels, for each column, got {shown(levels)}")
    return labels
