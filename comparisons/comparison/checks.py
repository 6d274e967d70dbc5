"""A check: a number, its tolerance, the reason for that tolerance, and whether the number passed."""

import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from models.validation import Array

ROUNDING = 1e-11
Rule = Callable[[float, float], bool]


@dataclass(frozen=True)
class Check:
    """One line of the verdict.

    Attributes
    ----------
    name : str
        The claim.
    value, tolerance : float
        The number that was computed, and the bound that it is compared with.
    reason : str
        Unit of the value and origin of the tolerance.
    passed : bool or None
        Whether the claim holds; None if the number is shown but not judged.
    why_shown : str
        Why it is not judged; "" if it is.
    """

    name: str
    value: float
    tolerance: float
    reason: str
    passed: bool | None
    why_shown: str = ""


def check(
    name: str, value: float, tolerance: float, reason: str, why_shown: str = "", holds: Rule = operator.le
) -> Check:
    """Return a check that ``value`` is at most ``tolerance``, or that ``holds(value, tolerance)``. NaN fails.

    If ``why_shown`` gives a reason, the check is shown and not judged.
    """
    passed = None if why_shown else bool(holds(value, tolerance))
    return Check(name, float(value), float(tolerance), reason, passed, why_shown)


def in_sd(one: Array, other: Array, sd: Array) -> Array:
    """Return distances in posterior sd, of the quantities that vary: not of the weight of a single component."""
    return np.abs(one - other)[sd > 0] / sd[sd > 0]
