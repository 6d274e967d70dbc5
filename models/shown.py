"""How values print: what error messages were given, and parameters and priors, short and on one line."""

import reprlib
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np


class _Plain(reprlib.Repr):
    """Python's abbreviated repr, in which 1.2 of NumPy prints as 1.2, and an array as the list of its numbers."""

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, np.longdouble):
            x = float(x)
        return super().repr1(x.item() if isinstance(x, np.generic) else x, level)

    def repr_ndarray(self, x: np.ndarray, level: int) -> str:
        return self.repr1(x.tolist(), level)


_PLAIN = _Plain(maxstring=80, maxother=80)


def shown(value: Any) -> str:
    """Return ``value`` as a message prints it.

    Examples
    --------
    >>> import numpy as np
    >>> from models.shown import shown
    >>> shown([np.float64(1.2), np.int64(3)]), shown(np.arange(9)), shown("full")
    ('[1.2, 3]', '[0, 1, 2, 3, 4, 5, ...]', "'full'")
    """
    return _PLAIN.repr(value)


def cell(name: str, index: Sequence[int], columns: Sequence[Any] | None = None) -> str:
    """Return how a message calls an entry of an array, by the name of its column where there is one.

    Examples
    --------
    >>> from models.shown import cell
    >>> cell("X", (3, 1)), cell("X", (3, 1), ("eruptions", "waiting")), cell("tol", ())
    ('X[3, 1]', "X[3, 'waiting']", 'tol')
    """
    places = [str(int(i)) for i in index]
    if columns is not None and len(places) == 2:
        places[1] = shown(columns[index[1]])
    return f"{name}[{', '.join(places)}]" if places else name


def listed(columns: Sequence[int] | np.ndarray, names: Sequence[str] | None = None) -> str:
    """Return how a message lists columns: by name where there are names, else by number.

    Examples
    --------
    >>> from models.shown import listed
    >>> listed([1]), listed([0, 1], ("eruptions", "waiting"))
    ('[1]', "['eruptions', 'waiting']")
    """
    return str([int(column) if names is None else names[column] for column in columns])


def one_line(value: Any) -> str:
    """Return the class and the fields of a dataclass: numbers and names as they are, of arrays the shape.

    Examples
    --------
    >>> from models.bmm import BMMParameters, BMMPrior
    >>> BMMParameters(weights=[0.4, 0.6], probs=[[0.1, 0.2, 0.3], [0.9, 0.8, 0.7]])
    BMMParameters(weights=<array (2,)>, probs=<array (2, 3)>)
    >>> BMMPrior(successes=[1.0, 2.0])
    BMMPrior(concentration=2.0, successes=<array (2,)>, failures=2.0)
    """
    parts = [f"{field.name}={_short(getattr(value, field.name))}" for field in fields(value) if field.repr]
    return f"{type(value).__name__}({', '.join(parts)})"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<array {value.shape}>" if value.ndim else repr(value.item())
    return repr(value)
