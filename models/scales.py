"""Scales: maps y of a number x to the real line, with the derivatives that follow.

::

    scale       y                      dx/dy       d log(dx/dy) / dy    minus its derivative by y
    identity    x                      1           0                    0
    log         log x                  x           1                    0
    logit       log x - log(1 - x)     x (1 - x)   1 - 2 x              2 x (1 - x)
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

type Function = Callable[[Any], Any]


class Scale(NamedTuple):
    """A row of the table: y as a function of x, x as a function of y, and three derivatives as functions of x."""

    line: Function
    back: Function
    slope: Function
    bend: Function
    curvature: Function


SCALES = {
    "identity": Scale(lambda x: x, lambda y: y, np.ones_like, np.zeros_like, np.zeros_like),
    "log": Scale(np.log, np.exp, lambda x: x, np.ones_like, np.zeros_like),
    "logit": Scale(
        lambda x: np.log(x) - np.log1p(-x),
        lambda y: np.exp(-np.logaddexp(0.0, -y)),
        lambda x: x * (1 - x),
        lambda x: 1 - 2 * x,
        lambda x: 2 * x * (1 - x),
    ),
}
