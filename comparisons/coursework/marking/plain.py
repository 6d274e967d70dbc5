"""Values as JSON, for the pipe between a student's process and the judge: numbers, text, lists and arrays.

Nothing is pickled, so reading a value runs no code of whoever wrote it, and what is read has only NumPy's and Python's
own comparisons: an object that claims to equal everything arrives as the name of its type.
"""

import inspect
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

DTYPES = {"bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"}
DTYPES |= {"float16", "float32", "float64", "complex64", "complex128"}
MAX_DEPTH = 20


class Opaque:
    """Stand-in for a value that is neither a number, text, an array nor a collection of these."""

    def __init__(self, kind: str):
        self.kind = kind

    def __repr__(self) -> str:
        return f"<an object of type {self.kind}>"


def encode(value: Any, name_function: Callable[[Any], str], depth: int = 0) -> Any:
    """Return a value as what JSON can hold.

    Parameters
    ----------
    value : object
        The value.
    name_function : callable
        Takes a function and returns a name by which the other side may refer to it.
    depth : int
        How many collections it is in.

    Examples
    --------
    >>> import numpy as np
    >>> from comparisons.coursework.marking.plain import decode, encode
    >>> decode(encode({"means": (np.eye(2), 3.0)}, str), str)
    {'means': (array([[1., 0.],
           [0., 1.]]), 3.0)}
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"a value must be nested in at most {MAX_DEPTH} collections")
    if value is None or type(value) in (bool, float, str):
        return value
    if type(value) is int:
        return value if abs(value) < 2**63 else {"opaque": "int of more than 64 bits"}
    if isinstance(value, list | tuple):
        parts = [encode(part, name_function, depth + 1) for part in value]
        return {"tuple" if isinstance(value, tuple) else "list": parts}
    if isinstance(value, Mapping):
        return {"dict": [[str(key), encode(part, name_function, depth + 1)] for key, part in value.items()]}
    if callable(value) and not isinstance(value, type):
        return {"function": [name_function(value), parameters_of(value)]}
    if isinstance(value, np.generic | np.ndarray) or hasattr(value, "__array__"):
        return _encode_array(np.asarray(value))
    return {"opaque": type(value).__name__}


def _encode_array(array: np.ndarray) -> Any:
    """Return an array as its type, shape and bytes; the name of its type if that is not numeric."""
    if array.dtype.name == "longdouble" or array.dtype == np.longdouble or array.dtype == object:
        array = array.astype(np.float64)
    if array.dtype.name not in DTYPES:
        return {"opaque": f"array of {array.dtype.name}"}
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {"array": [array.dtype.name, list(array.shape), b64encode(little.tobytes()).decode()]}


def parameters_of(function: Any) -> list[list[Any]]:
    """Return name, kind and whether there is a default, of each parameter; none where Python does not know them."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [[parameter.name, int(parameter.kind), parameter.default is not parameter.empty] for parameter in parameters]


def decode(node: Any, function_of: Callable[..., Any], depth: int = 0) -> Any:
    """Return the value that :func:`encode` wrote; a function is what ``function_of`` makes of name and parameters.

    Raises
    ------
    ValueError
        If it was not written by :func:`encode`.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"a value must be nested in at most {MAX_DEPTH} collections")
    if node is None or isinstance(node, bool | int | float | str):
        return node
    match node:
        case {"list": list(parts)}:
            return [decode(part, function_of, depth + 1) for part in parts]
        case {"tuple": list(parts)}:
            return tuple(decode(part, function_of, depth + 1) for part in parts)
        case {"dict": list(pairs)}:
            return {str(key): decode(part, function_of, depth + 1) for key, part in pairs}
        case {"array": [str(dtype), list(shape), str(data)]} if dtype in DTYPES:
            return _decode_array(dtype, shape, b64decode(data, validate=True))
        case {"function": [str(name), list(parameters)]}:
            return function_of(name, parameters)
        case {"opaque": str(kind)}:
            return Opaque(kind[:80])
    raise ValueError("a value must be written by encode")


def _decode_array(dtype: str, shape: list[Any], data: bytes) -> np.ndarray:
    kind = np.dtype(dtype).newbyteorder("<")
    if not all(type(size) is int and size >= 0 for size in shape) or prod(shape) * kind.itemsize != len(data):
        raise ValueError("an array must have as many bytes as its shape says")
    return np.frombuffer(data, kind).astype(dtype).reshape(shape)
