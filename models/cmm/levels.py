"""Legal data of a categorical mixture: labels of levels in any container, and their codes 0 to L - 1.

A label is a string or a whole number. The labels of an item are given, or are the categories of a frame's column, or
are the distinct labels in the data in sorted order. A missing cell (NaN, None) has no label.
"""

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from models.cells import Cells
from models.frames import as_array, check_dense, column_names, frame_columns, is_missing
from models.shown import listed, shown
from models.validation import Array, count_at_least_one, data_matrix

Labels = tuple[int | str, ...]


class Codes(Cells):
    """Codes of levels, whole numbers from 0 to L_d - 1 in column d.

    Parameters
    ----------
    levels : sequence of int, length D
        Number of levels L_d of each item.
    """

    whole, negative = True, False

    def __init__(self, levels: Sequence[int]) -> None:
        self.levels = np.asarray(levels)

    def sizes(self, size: ArrayLike, shape: tuple[int, ...]) -> Array:
        """Return a size of 1 for each cell, after a check that there is a column for each item."""
        if shape[1] != len(self.levels):
            raise ValueError(f"X must have {len(self.levels)} columns, one for each item of the probs, got {shape[1]}")
        return super().sizes(size, shape)

    def misfits(self, x: Array, size: Array) -> np.ndarray:
        """Return which cells are not codes."""
        return (x < 0) | (x >= self.levels) | (np.floor(x) != x)

    def wanted(self, size: Array) -> str:
        """Return a description of legal codes for error messages."""
        return f"codes, whole numbers from 0 to L - 1 in columns of L = {shown(self.levels)} levels"


def levels_of(X: Any, levels: Any = None, names: Sequence[str] | None = None) -> tuple[Labels, ...]:
    """Return the labels of each item's levels, in the order of their codes.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Labels: strings, whole numbers, categories of a frame.
    levels : int, or sequence of D ints or sequences of labels, or None
        For each item the number of its levels, labelled 0 to L - 1, or their labels. ``None`` takes the categories of a
        frame's column if it has some, else the distinct labels in sorted order.
    names : sequence of str or None
        Names of the columns in error messages.

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
    names = column_names(X) if names is None else names
    columns = labelled_columns(X, names)
    if levels is not None:
        given = [levels] * len(columns) if isinstance(levels, Integral) else list(levels)
        if len(given) != len(columns):
            raise ValueError(f"levels must have one entry for each of {len(columns)} columns, got {len(given)}")
        return tuple(map(_given, given))
    labels = [own for own, _ in columns]
    for d, raw in enumerate(frame_columns(X) or ()):
        if isinstance(categories := getattr(getattr(raw, "dtype", None), "categories", None), Iterable):
            labels[d] = _labels(np.asarray(categories), d, names)
    return tuple(own or (0,) for own in labels)  # a column without an observed cell is refused elsewhere


def codes_of(X: Any, labels: Sequence[Labels], names: Sequence[str] | None = None) -> Array:
    """Return the code of each cell's label (n, D), NaN if it is missing.

    Raises
    ------
    ValueError
        If X has another number of columns, or a label that its item does not have.
    """
    names = column_names(X) if names is None else names
    columns = labelled_columns(X, names)
    if len(columns) != len(labels):
        raise ValueError(
            f"X has {len(columns)} features, but this mixture is expecting {len(labels)} features as input"
        )
    codes = np.empty((len(columns[0][1]), len(columns)))
    for d, ((present, which), own) in enumerate(zip(columns, labels, strict=True)):
        number = {label: float(code) for code, label in enumerate(own)}
        if unknown := [label for label in present if label not in number]:
            raise ValueError(
                f"X must hold known levels, got {shown(unknown[0])} in {listed([d], names)}, whose levels "
                f"are {shown(list(own))}: name all levels in `levels` before the fit"
            )
        codes[:, d] = np.array([*map(number.__getitem__, present), np.nan])[which]  # index -1, the last, is missing
    return codes


def labels_of(codes: Array, labels: Sequence[Labels]) -> np.ndarray:
    """Return the labels of codes (n, D): float64 if all labels are numbers, objects if some are strings."""
    objects = any(isinstance(label, str) for own in labels for label in own)
    kinds = [np.array(own, dtype=object if objects else float) for own in labels]
    return np.stack([own[x.astype(int)] for own, x in zip(kinds, codes.T, strict=True)], axis=1)


def labelled_columns(X: Any, names: Sequence[str] | None) -> list[tuple[Labels, np.ndarray]]:
    """Return for each column of X its labels, sorted, and the index of each cell's label; -1 if it is missing."""
    check_dense("X", X)
    raw = frame_columns(X)
    if raw is None:
        array = as_array("X", X)
        if array.dtype.kind in "biufc":
            raw = list(data_matrix(array, missing=True, names=names).T)
        else:
            data_matrix(np.zeros(array.shape))  # refuses other shapes
            raw = list(np.asarray(X, dtype=object).T)
    return [_factored(as_array("X", column), d, names) for d, column in enumerate(raw)]


def _factored(column: np.ndarray, d: int, names: Sequence[str] | None) -> tuple[Labels, np.ndarray]:
    """Return the labels of a column and the index of each cell's label, as `labelled_columns` does."""
    if column.dtype.kind in "biuf":
        seen = ~np.isnan(column)
        values = column[seen].astype(np.float64)
    else:
        seen = np.array([not is_missing(value) for value in column.tolist()], dtype=bool)
        values = column.astype(object)[seen]
        if all(isinstance(value, Real | np.bool_) for value in values):
            values = values.astype(np.float64)
        elif not all(isinstance(value, str) for value in values):
            odd = next(value for value in values if type(value) is not type(values[0]) or not isinstance(value, str))
            raise ValueError(
                f"X must hold strings or whole numbers in each column, and not both, got {shown(odd)} of type "
                f"{type(odd).__name__} in {listed([d], names)}"
            )
    which = np.full(len(column), -1)
    kinds, which[seen] = np.unique(values, return_inverse=True)
    return _labels(kinds, d, names), which


def _labels(values: np.ndarray, d: int, names: Sequence[str] | None) -> Labels:
    """Return values as labels, checked to be strings or whole numbers."""
    for value in values.tolist():
        if not isinstance(value, str) and not (isinstance(value, Real) and float(value).is_integer()):
            raise ValueError(
                f"X must hold labels of levels, strings or whole numbers, got {shown(value)} in {listed([d], names)}"
            )
    return tuple(value if isinstance(value, str) else int(float(value)) for value in values.tolist())


def _given(levels: Any) -> Labels:
    if isinstance(levels, Integral):
        return tuple(range(count_at_least_one("levels", levels)))
    labels = _labels(np.asarray(list(levels), dtype=object), 0, ["levels"])
    if not labels or len(set(labels)) < len(labels):
        raise ValueError(f"levels must hold a number, or different labels, for each column, got {shown(levels)}")
    return labels
