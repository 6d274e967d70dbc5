"""Checks of arguments: each raises a ValueError that names the argument, what was given and what is legal."""

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import scipy
from numpy.typing import ArrayLike

from models.frames import column_names as column_names
from models.frames import real_numbers as real_numbers
from models.shown import cell, counted, listed, shown

Array = np.ndarray[Any, np.dtype[np.float64]]


def frozen_array(name: str, values: ArrayLike, shape: tuple[int | None, ...]) -> Array:
    """Return ``values`` as a read-only float64 copy of the wanted shape (``None`` leaves an axis free).

    Raises
    ------
    ValueError
        If the values are not finite numbers or the shape differs.
    """
    array = np.array(real_numbers(name, values), dtype=np.float64, order="C")
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if not fits:
        wanted = ", ".join("any" if want is None else str(want) for want in shape)
        raise ValueError(f"{name} must have shape ({wanted}), got {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    if not np.isfinite(array).all():
        refuse_cell(f"{name} must be finite", name, array, ~np.isfinite(array))
    array.flags.writeable = False
    return array


def refuse_cell(
    wanted: str, name: str, array: Array, misfits: np.ndarray, names: Sequence[str] | None = None, advice: str = ""
) -> NoReturn:
    """Raise a ValueError that names the first misfit of an array and its index."""
    index = tuple(np.argwhere(misfits)[0].tolist()) if array.ndim else ()
    value = float(array[index])
    words = {"nan": "NaN (missing)", "inf": "infinity", "-inf": "-infinity"} if index else {}
    given = words.get(str(value), f"{value:.15g}")
    where = f" at {cell(name, index, names)}" if index else ""
    raise ValueError(f"{wanted}, got {given}{where}{advice}")


def are_positive_definite(matrices: Array) -> np.ndarray:
    """Return which of R arrays (R, ..., D, D) hold only positive definite matrices, shape (R,), by Cholesky."""
    try:
        np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        if len(matrices) == 1:
            return np.zeros(1, dtype=bool)
        half = len(matrices) // 2
        return np.concatenate([are_positive_definite(part) for part in (matrices[:half], matrices[half:])])
    return np.isfinite(matrices).reshape(len(matrices), -1).all(axis=1)


def number_above(name: str, value: Any, bound: float, *, inclusive: bool = False) -> float:
    """Return ``value`` as a float, checked to be finite and above ``bound``."""
    if value is None or isinstance(value, str) or (array := real_numbers(name, value)).ndim != 0:
        raise ValueError(f"{name} must be a number, got {shown(value)}")
    number = float(array)
    if not np.isfinite(number) or number < bound or (number == bound and not inclusive):
        relation = "at least" if inclusive else "greater than"
        raise ValueError(f"{name} must be finite and {relation} {bound:g}, got {shown(value)}")
    return number


def number_between(name: str, value: Any, low: float, high: float) -> float:
    """Return ``value`` as a float, checked to lie strictly between two bounds."""
    number = number_above(name, value, low)
    if number >= high:
        raise ValueError(f"{name} must be less than {high:g}, got {shown(value)}")
    return number


def count_at_least(name: str, value: Any, least: int) -> int:
    """Return ``value`` as an int, checked to be a whole number of at least ``least``."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {shown(value)}")
    return int(value)


def count_at_least_one(name: str, value: Any) -> int:
    """Return ``value`` as an int, checked to be a whole number of at least 1."""
    return count_at_least(name, value, 1)


def component_order(order: ArrayLike, n_components: int) -> np.ndarray:
    """Return ``order`` as an index array, checked to hold each of 0..K-1 once."""
    array = real_numbers("order", order)
    if array.ndim != 1 or sorted(array.tolist()) != list(range(n_components)):
        raise ValueError(f"order must hold each of 0 to {n_components - 1} once, got {shown(order)}")
    return array.astype(int)


def sparse_matrix(X: Any, *, missing: bool = True) -> "scipy.sparse.csr_array":
    """Return a scipy.sparse matrix (n, D) as float64 rows (CSR) without duplicates or stored zeros; X stays as it is.

    ``missing`` says whether NaN would be legal in a dense X; the error message then suggests a dense X.

    Raises
    ------
    ValueError
        If it is not two-dimensional, numeric, finite and not empty.
    """
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X must be two-dimensional with at least one row and one column, got shape {X.shape}")
    if X.dtype.kind not in "biuf":
        hint = ". Complex data not supported" if X.dtype.kind == "c" else ""
        raise ValueError(f"X must hold numbers, got a sparse {type(X).__name__} of dtype {X.dtype}{hint}")
    rows = scipy.sparse.csr_array(X, dtype=np.float64)
    if not np.isfinite(rows.data).all():
        advice = ""
        if missing and np.isnan(rows.data).any():
            advice = ". Missing cells need dense X: pass X.toarray()"
        raise ValueError(f"X must be finite where it is sparse, got NaN or infinity in it{advice}")
    if not (rows.has_canonical_format and rows.data.all()):
        rows = rows.copy()
        rows.sum_duplicates()
        rows.eliminate_zeros()
    return rows


def data_matrix(X: ArrayLike, name: str = "X", *, missing: bool = False, names: Sequence[str] | None = None) -> Array:
    """Return a data matrix (n, D) as float64, checked to be two-dimensional, numeric, finite and not empty.

    With ``missing``, missing cells are legal and become NaN (:func:`models.frames.real_numbers`). Error messages call
    columns by their ``names``, or by those of a frame.
    """
    array = real_numbers(name, X, names)
    if array.ndim != 2:
        hint = f". Reshape your data: {name}.reshape(-1, 1) is one feature, {name}.reshape(1, -1) one sample"
        raise ValueError(
            f"{name} must be two-dimensional (samples, features), got {counted(array.ndim, 'dimension')}"
            + (hint if array.ndim == 1 else "")
        )
    if array.size == 0:
        n, D = array.shape
        raise ValueError(
            f"{name} must have at least one row and one column, got {n} sample(s) and {D} feature(s) "
            f"(shape={array.shape}) while a minimum of 1 is required."
        )
    array = array.astype(np.float64, copy=False)
    names = column_names(X) if names is None else names
    legal = (lambda cells: ~np.isinf(cells)) if missing else np.isfinite
    if not all(legal(array[rows]).all() for rows in row_slices(array)):
        wanted = f"{name} must be finite{', or NaN where a cell is missing' if missing else ''}"
        advice = ": drop the rows with missing cells, or fill them" if np.isnan(array).any() and not missing else ""
        refuse_cell(wanted, name, array, ~legal(array), names, advice)
    return array


def check_columns(seen: np.ndarray, names: Sequence[str] | None = None) -> None:
    """Raise a ValueError that names the columns of X without an observed cell; ``seen`` (D,) says which have one."""
    if not seen.all():
        empty = listed(np.flatnonzero(~seen), names)
        raise ValueError(f"X must have an observed cell in every column, got none in {empty}: drop every such column")


def check_sample_weight(sample_weight: Any, n_samples: int) -> Array | None:
    """Return weights (n,) as float64, or None, checked to be finite, non-negative and not all zero."""
    if sample_weight is None:
        return None
    weights = real_numbers("sample_weight", sample_weight).astype(np.float64)
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight must have shape ({n_samples},), one for each row of X, got {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        wanted = "sample_weight must be finite and not negative, the number of times that each row occurs"
        refuse_cell(wanted, "sample_weight", weights, ~np.isfinite(weights) | (weights < 0))
    if not weights.any():
        raise ValueError("sample_weight must not be zero for every row: some weight is needed to fit anything")
    return weights


def row_slices(X: Array) -> list[slice]:
    """Return slices of a million cells that cover the rows of X, so that checks need no array of its size."""
    size = max(1, 1_000_000 // X.shape[1])
    return [slice(start, start + size) for start in range(0, X.shape[0], size)]


def random_source(random_state: Any) -> np.random.RandomState:
    """Return scikit-learn's random generator for a seed, a generator or None."""
    from sklearn.utils import check_random_state  # slow to import, and models do not need it

    try:
        return check_random_state(random_state)
    except (ValueError, TypeError):
        raise ValueError(
            f"random_state must be None, a RandomState or a whole number from 0 to 2^32 - 1, got {shown(random_state)}"
        ) from None
