"""Match the parts of what a student's function returned to quantities: by names, else by shape and order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from comparisons.coursework.calling.roles import plain_name, roles_of
from models.validation import Array

MOST_PARTS, DEEP = 6, 3


@dataclass(frozen=True)
class Expected:
    """A quantity that a step returns: its name, its shapes with the textbook's first, and whether it is required."""

    name: str
    shapes: tuple[tuple[int, ...], ...]
    required: bool = True


def as_array(value: Any) -> Array | None:
    """Return a value as an array of float64, or None if it cannot be converted."""
    if value is None:
        return None
    try:
        array = np.asarray(value)
        if array.dtype.kind == "c" and np.isreal(array).all():
            array = array.real
        if array.dtype == object:
            array = np.stack([np.asarray(part, dtype=np.float64) for part in value])
        return array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):
        return None


def match_shape(array: Array, shapes: Sequence[tuple[int, ...]]) -> Array:
    """Reshape an array to the first shape from which it differs by axes of length one only; else leave it as it is."""
    for shape in shapes:
        if array.shape == shape:
            return array
    for shape in shapes:
        squeezed = tuple(length for length in array.shape if length != 1)
        if squeezed == tuple(length for length in shape if length != 1):
            return array.reshape(shape)
    return array


def matchings(
    value: Any,
    expected: Sequence[Expected],
    spellings: Mapping[str, Iterable[str]],
    returned: Sequence[str],
) -> Iterator[dict[str, Any]]:
    """Yield matchings of the quantities to parts of a value, the likeliest first.

    A matching has the name of each quantity and the key of its part, as `part` takes it. If the parts have names that
    say which is which, there is only this matching. Else more names that agree come first, then more shapes that fit.
    """
    names = [quantity.name for quantity in expected]
    required = [quantity.name for quantity in expected if quantity.required]
    by_name = named_parts(value)
    if by_name is not None:
        keys: dict[str, Any] = {}
        for key in by_name:
            for role in roles_of(key, spellings, names):
                keys.setdefault(role, key)
        if set(required) <= set(keys):
            yield keys
            return
        value = list(by_name.values())
    if _is_single_quantity(value, expected):
        yield {names[0]: None}
        return
    parts = list(value)[:MOST_PARTS]
    hints = [roles_of(name, spellings, names) for name in returned] if len(returned) == len(parts) else []
    fits = {(i, q.name): _fits(part, q) for i, part in enumerate(parts) for q in expected}
    options = []
    for quantities in {tuple(names), tuple(required)}:
        for order in permutations(range(len(parts)), len(quantities)):
            matching = dict(zip(quantities, order, strict=True))
            agreeing = sum(name in hints[i] for name, i in matching.items()) if hints else 0
            fitting = sum(fits[i, name] for name, i in matching.items())
            if any(
                hints and returned[i] and name not in hints[i] + required and not fits[i, name]
                for name, i in matching.items()
            ):
                continue  # another name, another shape: it is something else
            options.append((-agreeing, -fitting, -len(order), order, matching))
    for *_, matching in sorted(options, key=lambda option: option[:4]):
        yield matching


def part(value: Any, key: Any) -> Any:
    """Return the part of a value at a key of `matchings`: a name, a position, or None for the whole value."""
    if key is None:
        return value
    by_name = named_parts(value)
    if by_name is not None:
        return by_name.get(key) if isinstance(key, str) else list(by_name.values())[key]
    return list(value)[key]


def named_parts(value: Any) -> dict[str, Any] | None:
    """Return the parts of a value that have names: a dictionary, a named tuple, a dataclass or another object."""
    if isinstance(value, Mapping):
        return {str(key): part for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return dict(zip(value._fields, value, strict=True))
    if isinstance(value, np.ndarray | np.generic | list | tuple | int | float) or hasattr(value, "__array__"):
        return None
    parts = {name: part for name, part in getattr(value, "__dict__", {}).items() if not name.startswith("__")}
    return {plain_name(name): part for name, part in parts.items()} or None


def leaves(value: Any, names: Sequence[str], name: str = "", deep: int = DEEP) -> list[tuple[str, Any]]:
    """Return the arrays in nested tuples, dictionaries and objects, with their names; of a list of steps, the last.

    Parameters
    ----------
    value : object
        Such as ``((weights, means, covariances), history)``.
    names : sequence of str
        Names of the parts of a tuple or list, if they are known.
    name : str
        Name of the value itself.
    deep : int
        Most levels of objects that are opened, since objects may refer to each other.
    """
    by_name = named_parts(value) if deep else None
    if by_name is not None:
        return [leaf for key, inner in by_name.items() for leaf in leaves(inner, (), key, deep - 1)]
    if not isinstance(value, list | tuple) or as_array(value) is not None:
        return [(name, value)]
    if isinstance(value, list) and all(isinstance(inner, list | tuple | Mapping) for inner in value):
        return leaves(value[-1], (), deep=deep) if value else []
    keys = names if len(names) == len(value) else [""] * len(value)
    return [leaf for inner, key in zip(value, keys, strict=True) for leaf in leaves(inner, (), key, deep)]


def by_quantity(value: Any) -> Any:
    """Return a list of components, each with its weight, mean and so on, as lists of these; other values as they are.

    A component is a dictionary or an object, or a tuple that begins or ends with a number.
    """
    if not isinstance(value, list) or not value or as_array(value) is not None:
        return value
    parts = [named_parts(component) for component in value]
    if all(parts):
        components = [part for part in parts if part]
        alike = all(part.keys() == components[0].keys() for part in components)
        return {key: [part[key] for part in components] for key in components[0]} if alike else value
    if all(
        isinstance(c, tuple) and len(c) == len(value[0]) > 1 and (_is_number(c[0]) or _is_number(c[-1])) for c in value
    ):
        return tuple(map(list, zip(*value, strict=True)))
    return value


def _is_number(value: Any) -> bool:
    array = as_array(value)
    return array is not None and array.ndim == 0


def _is_single_quantity(value: Any, expected: Sequence[Expected]) -> bool:
    """Whether a value is the first quantity, and no sequence of several."""
    if not isinstance(value, tuple | list):
        return True
    array = as_array(value)
    alone = sum(quantity.required for quantity in expected) == 1
    if array is None or array.ndim == 0 or not alone:
        return False
    return any(len(array) == shape[0] for shape in expected[0].shapes if shape) and _fits(array, expected[0])


def _fits(part: Any, quantity: Expected) -> bool:
    array = as_array(part)
    return array is not None and match_shape(array, quantity.shapes).shape in quantity.shapes
