"""Checks that models and priors share: each raises a ValueError that names the argument and says what would do."""

import reprlib
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array, issparse

Array = np.ndarray[Any, np.dtype[np.float64]]


def real_numbers(name: str, values: Any) -> np.ndarray:
    """Return ``values`` as an array of booleans, integers or floats; not of strings, complex numbers or ragged rows.

    An array of Python objects that are all real numbers (a data frame with mixed columns is one) becomes float64.

    Raises
    ------
    ValueError
        If the values are no numbers, or rows differ in length.
    TypeError
        If the values are a sparse matrix, or an array of objects that are no numbers, as in NumPy and scikit-learn.
    """
    if issparse(values):
        raise TypeError(f"{name} must be dense, got a sparse {type(values).__name__}: pass {name}.toarray()")
    if np.ma.is_masked(values):
        raise ValueError(f"{name} must not be a masked array with masked cells: pass {name}.filled(np.nan)")
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(f"{name} must hold numbers in rows of equal length, got {reprlib.repr(values)}") from None
    if array.dtype.kind == "O" and array.ndim > 0:
        return _from_objects(name, array)
    if array.dtype.kind not in "biuf":
        hint = ". Complex data not supported" if array.dtype.kind == "c" else ""
        raise ValueError(f"{name} must hold numbers, got {reprlib.repr(values)} of dtype {array.dtype}{hint}")
    return array


def _from_objects(name: str, array: np.ndarray) -> Array:
    """Return an array of real numbers stored as Python objects as float64."""
    for value in array.flat:
        if not isinstance(value, Real | np.bool_):
            raise TypeError(
                f"{name} must hold numbers, got {reprlib.repr(value)} of type {type(value).__name__}: an argument must "
                "be neither a string nor another object, but a number"
            )
    try:
        return array.astype(np.float64)
    except OverflowError:
        raise ValueError(f"{name} must hold numbers that fit a float, got one that is too large") from None


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
        raise ValueError(f"{name} must be finite, got NaN or infinity in it")
    array.flags.writeable = False
    return array


def positive(name: str, array: Array) -> Array:
    """Return the array, checked to hold positive numbers only."""
    if not (array > 0).all():
        raise ValueError(f"{name} must be positive, got {array}")
    return array


def number_or_vector(name: str, values: ArrayLike) -> Array:
    """Return a number () or a vector as a read-only float64 array."""
    return frozen_array(name, values, (None,) * min(real_numbers(name, values).ndim, 1))


def weights_array(weights: ArrayLike) -> Array:
    """Return mixture weights (K,), checked to be non-negative and to sum to one."""
    array = frozen_array("weights", weights, (None,))
    if (array < 0).any() or abs(array.sum() - 1) > 1e-8:
        raise ValueError(f"weights must be non-negative and sum to 1, got {array} with sum {array.sum()!r}")
    return array


def positive_definite(name: str, matrix: Array) -> Array:
    """Return the lower Cholesky factors (..., D, D) of symmetric positive definite matrices (..., D, D).

    Raises
    ------
    ValueError
        If a matrix is not symmetric or not positive definite.
    """
    scale = np.abs(matrix).max()
    if np.abs(matrix - np.swapaxes(matrix, -1, -2)).max() > 1e-10 * scale:
        raise ValueError(f"{name} must be symmetric, got {matrix}")
    try:
        return np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        raise ValueError(f"{name} must be positive definite, got {matrix}") from None


def number_above(name: str, value: Any, bound: float, *, inclusive: bool = False) -> float:
    """Return ``value`` as a float, checked to be finite and above ``bound``."""
    if real_numbers(name, value).ndim != 0:
        raise ValueError(f"{name} must be a number, got {value!r}")
    number = float(value)
    if not np.isfinite(number) or number < bound or (number == bound and not inclusive):
        relation = "at least" if inclusive else "greater than"
        raise ValueError(f"{name} must be finite and {relation} {bound:g}, got {value!r}")
    return number


def number_between(name: str, value: Any, low: float, high: float) -> float:
    """Return ``value`` as a float, checked to lie between two bounds and on neither."""
    number = number_above(name, value, low)
    if number >= high:
        raise ValueError(f"{name} must be less than {high:g}, got {value!r}")
    return number


def count_at_least(name: str, value: Any, least: int) -> int:
    """Return ``value`` as an int, checked to be a whole number of at least ``least``."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")
    return int(value)


def count_at_least_one(name: str, value: Any) -> int:
    """Return ``value`` as an int, checked to be a whole number of at least 1."""
    return count_at_least(name, value, 1)


def component_order(order: ArrayLike, n_components: int) -> np.ndarray:
    """Return ``order`` as an index array, checked to name each of the components 0..K-1 once."""
    array = real_numbers("order", order)
    if array.ndim != 1 or sorted(array.tolist()) != list(range(n_components)):
        raise ValueError(f"order must hold each of 0 to {n_components - 1} once, got {order!r}")
    return array.astype(int)


def sparse_matrix(X: Any, name: str = "X", *, missing: bool = True) -> csr_array:
    """Return a scipy.sparse matrix (n, D) as float64 rows (CSR) without duplicates or stored zeros; X stays as it is.

    ``missing`` says whether NaN would be legal in a dense X, which the message then names as the way out.

    Raises
    ------
    ValueError
        If it is not two-dimensional, numeric, finite and not empty.
    """
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"{name} must be two-dimensional with at least one row and one column, got shape {X.shape}")
    if X.dtype.kind not in "biuf":
        hint = ". Complex data not supported" if X.dtype.kind == "c" else ""
        raise ValueError(f"{name} must hold numbers, got a sparse {type(X).__name__} of dtype {X.dtype}{hint}")
    rows = csr_array(X, dtype=np.float64)
    if not np.isfinite(rows.data).all():
        advice = ""
        if missing and np.isnan(rows.data).any():
            advice = f". Missing cells need dense X: pass {name}.toarray()"
        raise ValueError(f"{name} must be finite where it is sparse, got NaN or infinity in it{advice}")
    if not (rows.has_canonical_format and rows.data.all()):
        rows = rows.copy()
        rows.sum_duplicates()
        rows.eliminate_zeros()
    return rows


def data_matrix(X: ArrayLike, name: str = "X", *, missing: bool = False) -> Array:
    """Return a data matrix (n, D) as float64, checked to be two-dimensional, numeric, finite and not empty.

    With ``missing``, NaN is legal and stands for a missing cell.
    """
    array = real_numbers(name, X)
    if array.ndim != 2:
        hint = f". Reshape your data: {name}.reshape(-1, 1) is one feature, {name}.reshape(1, -1) one sample"
        raise ValueError(
            f"{name} must be two-dimensional (samples, features), got {array.ndim} dimension(s)"
            + (hint if array.ndim == 1 else "")
        )
    if array.size == 0:
        n, D = array.shape
        raise ValueError(
            f"{name} must have at least one row and one column, got {n} sample(s) and {D} feature(s) "
            f"(shape={array.shape}) while a minimum of 1 is required."
        )
    array = array.astype(np.float64, copy=False)
    if missing and any(np.isinf(array[rows]).any() for rows in row_slices(array)):
        raise ValueError(f"{name} must be finite, or NaN where a cell is missing, got infinity in it")
    if not missing and not all(np.isfinite(array[rows]).all() for rows in row_slices(array)):
        raise ValueError(f"{name} must be finite, got NaN or infinity in it")
    return array


def check_sample_weight(sample_weight: Any, n_samples: int) -> Array | None:
    """Return weights (n,) as float64, or None, checked to be finite, non-negative and not all zero."""
    if sample_weight is None:
        return None
    weights = real_numbers("sample_weight", sample_weight).astype(np.float64)
    if weights.shape != (n_samples,):
        raise ValueError(f"sample_weight must have shape ({n_samples},), one for each row of X, got {weights.shape}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("sample_weight must be finite and not negative: each is the number of times a row occurs")
    if not weights.any():
        raise ValueError("sample_weight must not be zero for every row: some weight is needed to fit anything")
    return weights


def row_slices(X: Array, n_cells: int = 1_000_000) -> list[slice]:
    """Return slices of so many cells that cover the rows of X: checks need no second array of its size."""
    size = max(1, n_cells // X.shape[1])
    return [slice(start, start + size) for start in range(0, X.shape[0], size)]


def random_source(random_state: Any) -> np.random.RandomState:
    """Return the generator that scikit-learn makes of a seed, a generator or None."""
    from sklearn.utils import check_random_state  # slow to import, and a model does without

    try:
        return check_random_state(random_state)
    except (ValueError, TypeError):
        raise ValueError(
            f"random_state must be None, a RandomState or a whole number from 0 to 2^32 - 1, got {random_state!r}"
        ) from None


def check_seed(random_state: Any) -> None:
    """Raise a ValueError that names ``random_state`` unless a generator can be made of it."""
    random_source(random_state)
