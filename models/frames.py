"""Convert data frames of any library, arrays and lists to arrays of real numbers, with NaN for missing cells.

No frame library is imported. A frame is any object with a shape and column labels that returns a column by its label in
a form that NumPy converts to an array: pandas, polars, pyarrow and others do. Missing values are None, pandas' ``NA``
and ``NaT``, nulls and masked cells.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import isnan
from numbers import Real
from os import PathLike
from os.path import exists
from typing import Any, NoReturn

import numpy as np
import scipy

from models.shown import shown

MISSING = ("NoneType", "NAType", "NaTType")  # types of None, pandas.NA and pandas.NaT
OBJECTS = "OUST"  # kinds of NumPy's dtypes of objects and strings
NUMERIC = (Real, Decimal, np.bool_)


class NotNumbersError(TypeError, ValueError):
    """Raised if data hold no numbers: a TypeError as in NumPy and scikit-learn, and a ValueError as here."""


def column_names(X: Any) -> tuple[str, ...] | None:
    """Return the names of X's columns, or None if it has none or they are not all strings (as scikit-learn does).

    Examples
    --------
    >>> import pyarrow as pa
    >>> from models.frames import column_names
    >>> column_names(pa.table({"eruptions": [3.6, 1.8], "waiting": [79, 54]}))
    ('eruptions', 'waiting')
    """
    labels = _labels(X)
    if not labels or not all(isinstance(label, str) for label in labels):
        return None
    return tuple(map(str, labels))


def is_dask(values: Any) -> bool:
    """Return whether the values are a Dask collection, which must not be converted to an array as a whole."""
    return type(values).__module__.partition(".")[0] in ("dask", "dask_expr")


def check_dense(name: str, values: Any) -> None:
    """Raise a TypeError if the values are a sparse matrix, or in Dask's chunks."""
    if is_dask(values):
        part = ", or a random part, em.sample_rows(X, 20_000)" if name == "X" and hasattr(type(values), "ndim") else ""
        kind = type(values).__name__
        raise TypeError(f"{name} must be in memory here, got a Dask {kind}: pass {name}.compute(){part}")
    if hasattr(values, "toarray") and scipy.sparse.issparse(values):  # so that scipy.sparse is imported only if needed
        raise TypeError(f"{name} must be dense, got a sparse {type(values).__name__}: pass {name}.toarray()")


def real_numbers(name: str, values: Any, names: Sequence[str] | None = None) -> np.ndarray:
    """Return ``values`` as an array of booleans, integers or floats.

    A frame, an array of Python objects that are all real numbers or missing, and a masked array with masked cells
    become float64, with NaN for missing values. Error messages call the columns of a matrix by their ``names``.

    Raises
    ------
    ValueError
        If the values are no numbers (also if they are complex), or rows differ in length.
    TypeError
        If the values are a sparse matrix or in Dask's chunks, or hold strings or objects that are no numbers.
    """
    check_dense(name, values)
    labels = _labels(values)
    if labels is None:
        return _numeric(name, values, names=names)
    if repeated := [label for label, times in Counter(labels).items() if times > 1]:
        raise ValueError(f"{name} must have a different name for each column, got {shown(repeated)} more than once")
    matrix = np.empty(values.shape)
    for d, label in enumerate(labels):
        column = _numeric(name, values[label], f"column {shown(label)}")
        if column.ndim != 1:
            raise ValueError(f"{name} must hold one number in each cell, got arrays in column {shown(label)}")
        matrix[:, d] = column
    return matrix


def frame_columns(X: Any) -> list[Any] | None:
    """Return the columns of a frame, or None if X is no frame."""
    labels = _labels(X)
    return None if labels is None else [X[label] for label in labels]


def framed_like(X: Any, values: np.ndarray, columns: Sequence[str]) -> Any:
    """Return values (n, m) as a frame like X, with X's index; unchanged if X is no pandas or polars frame.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from models.frames import framed_like
    >>> framed_like(pd.DataFrame({"x": [3, 4]}, index=["a", "b"]), np.eye(2), ["one", "two"])
       one  two
    a  1.0  0.0
    b  0.0  1.0
    """
    library, kind = _frame_class(X)
    if library == "pandas":
        return kind(values, index=X.index, columns=list(columns))
    return kind(values, schema=list(columns)) if library == "polars" else values


def filled_like(X: Any, values: np.ndarray, missing: np.ndarray) -> Any:
    """Return values (n, D) in a frame like X, in which only columns with a missing cell are replaced.

    A categorical column of pandas stays one if the values are among its categories.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples; if X is no pandas or polars frame, ``values`` are returned unchanged.
    values : ndarray, shape (n, D)
        The samples with all cells filled.
    missing : ndarray of bool, shape (n, D)
        Which cells were missing.
    """
    library, kind = _frame_class(X)
    if not library:
        return values
    replaced = {label: values[:, d].tolist() for d, label in enumerate(X.columns) if missing[:, d].any()}
    if library == "polars":
        return X.with_columns(kind(replaced).get_columns())
    filled = X.copy()
    for label, column in replaced.items():
        filled[label] = column
        if set(column).issubset(getattr(X[label].dtype, "categories", ())):  # a mean of categories is not among them
            filled[label] = filled[label].astype(X[label].dtype)
    return filled


def _frame_class(X: Any) -> tuple[str, Any]:
    """Return "pandas" or "polars" and that library's DataFrame, if X is one or derives from it; "" and None if not."""
    frames = (cls for cls in type(X).__mro__ if cls.__name__ == "DataFrame")
    libraries = ((cls.__module__.partition(".")[0], cls) for cls in frames)
    return next((pair for pair in libraries if pair[0] in ("pandas", "polars")), ("", None))


def _labels(X: Any) -> list[Any] | None:
    """Return the labels of a frame's columns, or None if X is no frame."""
    if not (hasattr(X, "shape") and hasattr(X, "__getitem__")) or (is_dask(X) and not hasattr(type(X), "shape")):
        return None  # a Dask Delayed has any attribute
    labels = getattr(X, "columns" if hasattr(X, "dtypes") else "column_names", None)  # pyarrow has no dtypes
    return list(labels) if isinstance(labels, Iterable) and len(X.shape) == 2 else None


def _numeric(name: str, values: Any, column: str = "", names: Sequence[str] | None = None) -> np.ndarray:
    """Return values as an array of numbers; ``column`` names them in error messages if they are a frame's column."""
    array = as_array(name, values)
    if array.dtype.kind in "biuf":
        return array
    if array.dtype.kind in OBJECTS and array.ndim > 0:  # NumPy converts numbers beside a string to strings
        objects = array if array.dtype.kind == "O" else np.asarray(values, dtype=object)
        return _from_objects(name, objects, column, names)
    given, hint = shown(values), ". Complex data not supported" if array.dtype.kind == "c" else ""
    if name == "X" and (isinstance(values, str | PathLike) or type(values).__module__ == "pyarrow._dataset"):
        hint = f": em.open_parquet({name}) gives the rows of Parquet files and pyarrow datasets"
        if isinstance(values, str) and values.isidentifier() and not exists(values):
            hint = f": comparisons.data.load({shown(values)}).X gives the rows of a built-in data set"
    if column and array.size:
        given, hint = str(array.flat[0]), f" in {column}: drop {column}, or encode it as numbers{hint}"
    raise ValueError(f"{name} must hold numbers, got {given} of dtype {array.dtype}{hint}")


def as_array(name: str, values: Any) -> np.ndarray:
    """Return ``values`` as an array that keeps masked cells and Arrow's nulls, as None."""
    if isinstance(values, list | tuple) and any(isinstance(row, np.ma.MaskedArray) for row in values):
        values = np.ma.array(values)
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        array = np.ma.getdata(values).astype(object)
        array[np.ma.getmaskarray(values)] = None
        return array
    if hasattr(values, "to_pylist") and values.null_count:  # NumPy would get another value for a null in a dictionary
        values = values.to_pylist()
    try:
        return np.asarray(values)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold numbers in rows of equal length, got {shown(values)}") from None


def _from_objects(name: str, array: np.ndarray, column: str, names: Sequence[str] | None) -> np.ndarray:
    """Return real numbers stored as Python objects as float64, with NaN for missing ones."""
    types = {type(value) for value in array.flat}
    missing = {kind for kind in types if kind.__name__ in MISSING}
    if not all(issubclass(kind, NUMERIC) for kind in types - missing):
        _refuse(name, array, column, names)
    if missing:
        holes = np.fromiter((type(value) in missing for value in array.flat), dtype=bool, count=array.size)
        array = np.where(holes.reshape(array.shape), np.nan, array)
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise ValueError(f"{name} must hold numbers that fit a float, got one that is too large") from None


def _refuse(name: str, array: np.ndarray, column: str, names: Sequence[str] | None) -> NoReturn:
    """Raise an error that names a cell that is no number: the first whose text is no number either, if there is one."""
    columns = array.reshape(len(array), -1).T
    cells = [(d, row, value) for d, own in enumerate(columns) for row, value in enumerate(own) if not _is_legal(value)]
    d, row, value = next((cell for cell in cells if not _is_text_of_number(cell[2])), cells[0])
    if array.ndim == 2 and not column:
        column = f"column {d if names is None else shown(names[d])}"
    where, advice = (f" in {column}", f"; drop {column}, or encode it as numbers") if column else ("", "")
    if column and _is_text_of_number(value):
        advice += f", as {name}.astype(float) does"
    raise NotNumbersError(
        f"{name} must hold numbers, got {shown(value)} of type {type(value).__name__}{where}: an argument must be "
        f"neither a string nor another object, but a number; the first is in row {row}{advice}"
    )


def _is_text_of_number(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        float(value)
    except ValueError:
        return False
    return True


def _is_legal(value: Any) -> bool:
    return isinstance(value, NUMERIC) or type(value).__name__ in MISSING


def is_missing(value: Any) -> bool:
    """Whether a Python object stands for a missing value."""
    return type(value).__name__ in MISSING or (isinstance(value, float) and isnan(value))
