"""An input on which a student's function and the textbook's formula are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from models.validation import Array


@dataclass(frozen=True, eq=False)
class Problem:
    """Samples, current parameters and responsibilities, and what else a step may ask for.

    Attributes
    ----------
    name : str
        What is special about it, in words, such as "one component"; "" for an ordinary one.
    X : ndarray, shape (n, D)
        Samples.
    theta : mapping
        Current parameters by name, the weights first.
    r : ndarray, shape (n, K)
        Responsibilities; they are not those of the current parameters.
    given : mapping
        What else the functions take by name: sizes of cells, numbers of levels.
    prior : prior or None
        Of MAP.
    returned : mapping
        What the student's function itself returned, by quantity: a covariance is right about its own means.
    memo : dict
        What formulas have computed on this problem.
    n, K, D : int
        Numbers of samples, components and features.
    """

    name: str
    X: Array
    theta: Mapping[str, Array]
    r: Array
    given: Mapping[str, Any] = field(default_factory=dict)
    prior: Any = None
    returned: Mapping[str, Array] = MappingProxyType({})
    memo: dict[Any, Any] = field(default_factory=dict, repr=False)

    n: int = field(init=False)
    K: int = field(init=False)
    D: int = field(init=False)

    def __post_init__(self) -> None:
        for name, length in (("n", len(self.X)), ("K", self.r.shape[1]), ("D", self.X.shape[1])):
            object.__setattr__(self, name, length)

    def changed(self, **parts: Any) -> "Problem":
        """Return a problem with other parts; parameters, and what else is given, by their own names too."""
        theta = {name: parts.pop(name) for name in list(parts) if name in self.theta}
        given = {name: parts.pop(name) for name in list(parts) if name in self.given}
        whole = {"theta": {**self.theta, **theta}, "given": {**self.given, **given}} | parts
        return replace(self, memo={}, **whole)

    def size(self, name: str) -> Array:
        """Return the sizes of the cells (n, D) by the family's name for them, 1 where there are none."""
        return np.broadcast_to(np.asarray(self.given.get(name, 1.0), dtype=np.float64), self.X.shape)


def per_component(values: Array, like: Array) -> Array:
    """Return one number for each component, shape (K,), as they stand beside an array of shape (K, ...)."""
    return np.reshape(values, (-1, *(1,) * (np.ndim(like) - 1)))
