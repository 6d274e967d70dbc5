"""How parameters and priors print themselves: on one line, whatever their size."""

from dataclasses import fields
from typing import Any

import numpy as np


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
