"""Print values short and on one line: in error messages, and as the repr of parameters and priors."""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np


class _Plain(reprlib.Repr):
    """Python's abbreviated repr, with NumPy numbers as plain numbers and arrays as lists."""

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, np.longdouble):
            x = float(x)
        if hasattr(x, "columns") and not isinstance(x, type):
            return f"a {type(x).__name__}"
        return super().repr1(x.item() if isinstance(x, np.generic) else x, level)

    def repr_ndarray(self, x: np.ndarray, level: int) -> str:
        return self.repr1(x.tolist(), level)


_PLAIN = _Plain(maxstring=80, maxother=80)
MOST_NUMBERS = 30  # in an array that is shown in full


def shown(value: Any) -> str:
    """Return ``value`` as error messages show it.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from models.shown import shown
    >>> shown([np.float64(1.2), np.int64(3)]), shown(np.arange(9)), shown("full"), shown(pd.DataFrame([[1], [2]]))
    ('[1.2, 3]', '[0, 1, 2, 3, 4, 5, ...]', "'full'", 'a DataFrame')
    """
    return _PLAIN.repr(value)


def cell(name: str, index: Sequence[int], columns: Sequence[Any] | None = None) -> str:
    """Return an entry of an array as error messages name it, with the name of its column if there is one.

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


def listed(columns: Sequence[Any] | np.ndarray, names: Sequence[str] | None = None, noun: str = "column") -> str:
    """Return columns as error messages list them: by name if there are names, else by number.

    Examples
    --------
    >>> from models.shown import listed
    >>> listed([1]), listed([0, 1], ("eruptions", "waiting")), listed(["waiting"]), listed([2], noun="component")
    ('column 1', "columns 'eruptions', 'waiting'", "column 'waiting'", 'component 2')
    """
    each = columns if names is None else [names[column] for column in columns]
    return f"{noun}{'s' * (len(each) != 1)} {', '.join(map(shown, each))}"


def counted(number: float, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is 1.

    Examples
    --------
    >>> from models.shown import counted
    >>> counted(1, "restart"), counted(10, "restart"), counted(2.5, "sample")
    ('1 restart', '10 restarts', '2.5 samples')
    """
    return f"{number:.10g} {noun}{'s' * (number != 1)}"


def one_line(value: Any) -> str:
    """Return the class and the fields of a dataclass on one line; large arrays show their corners and their shape.

    Examples
    --------
    >>> import numpy as np
    >>> from models.bmm import BMMParameters, BMMPrior
    >>> BMMParameters(weights=[0.4, 0.6], probs=[[0.1, 0.2, 1 / 3], [0.9, 0.8, 0.7]])
    BMMParameters(weights=[0.4, 0.6], probs=[[0.1, 0.2, 0.33333], [0.9, 0.8, 0.7]])
    >>> BMMPrior(successes=[1.0, 2.0])
    BMMPrior(concentration=2.0, successes=[1, 2], failures=2.0)
    >>> BMMParameters(weights=[1.0], probs=np.full((1, 500), 0.5))
    BMMParameters(weights=[1], probs=[[0.5, 0.5, ..., 0.5, 0.5]] of shape (1, 500))
    """
    return named(value, {field.name: getattr(value, field.name) for field in fields(value) if field.repr})


def named(value: Any, parts: Mapping[str, Any]) -> str:
    """Return the class of a value and the given parts of it, in the form of `one_line`."""
    return f"{type(value).__name__}({', '.join(f'{name}={numbers(part)}' for name, part in parts.items())})"


def numbers(value: Any) -> str:
    """Return an array, or each array of a dict, as numbers of five digits; a float has eight, other values their repr.

    Examples
    --------
    >>> import numpy as np
    >>> from models.shown import numbers
    >>> numbers(np.diag([20.46011, 0.1])), numbers(np.eye(300)), numbers(np.array(2.0)), numbers(-1130.263959831)
    ('[[20.46, 0], [0, 0.1]]', '[[1, ..., 0], ..., [0, ..., 1]] of shape (300, 300)', '2.0', '-1130.264')
    """
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {numbers(part)}' for name, part in value.items())}}}"
    if not isinstance(value, np.ndarray):
        return repr(float(f"{value:.8g}") if isinstance(value, float) else value)
    if value.ndim == 0:
        return repr(value.item())
    large = value.size > MOST_NUMBERS
    edges = 2 if sum(length > 2 for length in value.shape) == 1 else 1
    form: Any = {"float_kind": lambda number: f"{number:.5g}"}
    limits: dict[str, Any] = {"threshold": MOST_NUMBERS, "edgeitems": edges, "max_line_width": 10**6}
    text = " ".join(np.array2string(value, separator=", ", formatter=form, **limits).split())
    return f"{text} of shape {value.shape}" if large else text
