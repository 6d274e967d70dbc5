"""An input on which a student's function and the textbook's formula are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from models.validation import Array


@dataclass(frozen=True, eq=False)
class Problem:
    """Samples, current parameters and responsibilities, and everything else that a step may take.

    Attributes
    ----------
    name : str
        Its special feature in words, such as "one component"; "" for an ordinary problem.
    X : ndarray, shape (n, D)
        Samples.
    theta : mapping
        Current parameters by name, the weights first.
    r : ndarray, shape (n, K)
        Responsibilities; they are not those of the current parameters.
    given : mapping
        Other values that functions take, by name: sizes of cells, numbers of levels.
    prior : prior or None
        Prior of MAP; ``None`` for maximum likelihood.
    returned : mapping
        Values that the student's function returned, by quantity; a covariance may be right about these means.
    memo : dict
        Values that formulas have computed on this problem.
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
        """Return a copy with changed parts; parameters and other given values may be named directly."""
        theta = {name: parts.pop(name) for name in list(parts) if name in self.theta}
        given = {name: parts.pop(name) for name in list(parts) if name in self.given}
        mappings = {"theta": {**self.theta, **theta}, "given": {**self.given, **given}} | parts
        return replace(self, memo={}, **mappings)

    def size(self, name: str) -> Array:
        """Return the sizes of the cells (n, D) by the family's name for them, 1 where there are none."""
        return np.broadcast_to(np.asarray(self.given.get(name, 1.0), dtype=np.float64), self.X.shape)


def per_component(values: Array, like: Array) -> Array:
    """Return one number for each component, shape (K,), in a shape that broadcasts with an array (K, ...)."""
    return np.reshape(values, (-1, *(1,) * (np.ndim(like) - 1)))
