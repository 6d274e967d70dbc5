"""Binomial log probabilities of many trials, by Loader's deviance form, which does not lose digits.

The terms of x log p + (m - x) log(1 - p) + log C(m, x) are of the size of m and cancel to a few nats. Loader (2000)
writes the same number as the log probability at the best p for the cell, x / m, less a deviance. Neither part cancels:

    log Bin(x | m, p) = log Bin(x | m, x/m) - D(x, m, p)
    log Bin(x | m, x/m) = s(m) - s(x) - s(m - x) + 1/2 log(m / (2π x (m - x)))       (0 where x is 0 or m)
    D(x, m, p) = m p φ(x / (m p)) + m q φ((m - x) / (m q)),    φ(u) = u log u + 1 - u,    q = 1 - p

s(n) = log n! - (n + 1/2) log n + n - 1/2 log 2π is the remainder of Stirling's formula. Near 1, φ is a power series.

Reference: Loader (2000), Fast and accurate computation of binomial probabilities.
"""

import numpy as np
from scipy.special import gammaln, xlogy

from models.validation import Array

MANY_TRIALS = 1000  # up to here the plain form loses less than 1e-12 nats a cell
STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)  # of 1/n, 1/n³, ...; the error is 1e-16 from n = 16 on
NEAR = 0.1  # |x - M| / (x + M) below which φ is a series
TERMS = 8  # the next term of the series, 0.1^16, is below rounding


def log_saturated(x: Array, m: Array) -> Array:
    """Return log Bin(x | m, x/m) for m >= 1, of the shape of x.

    Examples
    --------
    >>> import numpy as np
    >>> from em.bmm.deviance import log_saturated
    >>> log_saturated(np.array([4e8, 0.0]), np.array([1e9, 1e9])).round(7)
    array([-10.5670133,   0.       ])
    """
    inside = (x > 0) & (x < m)
    x, m = np.where(inside, x, 1.0), np.where(inside, m, 2.0)
    y = m - x
    value = _stirling(m) - _stirling(x) - _stirling(y) - 0.5 * np.log(2 * np.pi * x * (y / m))
    return np.where(inside, value, 0.0)


def deviance(x: Array, m: Array, p: Array) -> Array:
    """Return D(x, m, p) >= 0, broadcast; it is infinite where x is impossible under p.

    Examples
    --------
    >>> import numpy as np
    >>> from em.bmm.deviance import deviance
    >>> float(deviance(np.array(2.0), np.array(4.0), np.array(0.5)))
    0.0
    """
    gap = x - m * p
    return _part(x, m * p, gap) + _part(m - x, m * (1 - p), -gap)


def _part(x: Array, expected: Array, gap: Array) -> Array:
    """Return M φ(x / M) = x log(x / M) + M - x for M = ``expected``, gap = x - M."""
    total = np.where(x + expected > 0, x + expected, 1.0)
    v = gap / total
    # with v = (x - M) / (x + M), log(x / M) = 2 Σ_j v^(2j+1) / (2j+1)
    series = np.zeros(np.shape(v))
    for j in range(TERMS, 0, -1):
        series = v**2 * (series + 1 / (2 * j + 1))
    near = gap * v + 2 * x * v * series
    with np.errstate(divide="ignore", invalid="ignore"):
        far = np.where(x > 0, xlogy(x, x / expected) - gap, expected)
    return np.where(np.abs(v) < NEAR, near, far)


def _stirling(n: Array) -> Array:
    """Return s(n) for n >= 1."""
    large = np.maximum(n, 16.0)
    series = np.zeros(np.shape(n))
    for c in STIRLING[::-1]:
        series = series / large**2 + c
    small = np.minimum(n, 16.0)
    direct = gammaln(small + 1) - (small + 0.5) * np.log(small) + small - 0.5 * np.log(2 * np.pi)
    return np.where(n < 16, direct, series / large)
