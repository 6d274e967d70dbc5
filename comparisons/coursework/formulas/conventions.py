"""Conventions: other ways to write a quantity than the textbook's, such as precisions for covariances."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from comparisons.coursework.calling.roles import plain_name
from comparisons.coursework.formulas.problem import Problem
from models.validation import Array

Encode = Callable[[Array, Problem], Any]


@dataclass(frozen=True)
class Convention:
    """Another way to write a quantity down, such as precisions for covariances.

    Attributes
    ----------
    name : str
        Name by which ``takes`` and ``returns`` declare it.
    quantity : str
        Which quantity it concerns.
    encode, decode : callable
        Functions of an array and the problem: from the textbook's way to this one, and back.
    words : tuple of str
        A variable with one of these in its name declares it.
    free : bool
        Whether it is tried without a declaration.
    maybe : tuple of str
        Names of arguments that may mean it; it is tried for them.
    """

    name: str
    quantity: str
    encode: Encode
    decode: Encode
    words: tuple[str, ...] = ()
    free: bool = False
    maybe: tuple[str, ...] = ()

    def is_declared_by(self, name: str) -> bool:
        """Whether the name of a variable declares it."""
        return any(word in plain_name(name) for word in self.words)


def _transposed(a: Array, p: Problem) -> Array:
    return np.ascontiguousarray(np.asarray(a).T)


def _total(a: Array, p: Problem) -> Array:
    """Return the sum over the samples, or raise a ValueError."""
    if np.shape(a) != (p.n,):
        raise ValueError("not one value for each sample")
    return np.asarray(np.sum(a))


TRANSPOSED = Convention("(K, n)", "responsibilities", _transposed, _transposed, free=True)
EACH = Convention("one value for each sample", "log_likelihood", lambda a, p: a, _total, free=True)
MEAN = Convention("mean over samples", "q", lambda a, p: a / p.n, lambda a, p: a * p.n)
LOGS = Convention(
    "log responsibilities",
    "responsibilities",
    lambda a, p: np.log(a),
    lambda a, p: np.exp(a),
    ("log_r", "logr", "log_gamma", "log_post", "log_tau"),
)
