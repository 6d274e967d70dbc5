"""Compute Gaussian log densities in sixty digits, by Python's decimal numbers.

Every float64 is exact as a decimal number. So the results are right to some fifty digits whatever the condition number
of a covariance, and no exponential underflows.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from decimal import Context, Decimal, localcontext
from math import prod

DIGITS = 60
LOG_TWO_PI = Decimal("1.83787706640934548356065947281123527972279494727556682563430308096553139185")
Row = Sequence[Decimal]


def sixty_digits() -> AbstractContextManager[Context]:
    """Compute with sixty digits, and with exponents large enough for every density."""
    return localcontext(prec=DIGITS, Emax=10**17, Emin=-(10**17))


def exact(values: Iterable[float]) -> list[Decimal]:
    """Return floats as decimal numbers, exactly."""
    return [Decimal(float(value)) for value in values]


def cholesky(matrix: Sequence[Sequence[float]]) -> list[list[Decimal]]:
    """Return the lower Cholesky factor of a matrix (D, D).

    Raises
    ------
    ValueError
        If the matrix is not positive definite. Float64 may have missed this.

    Examples
    --------
    >>> from comparisons.auditing.digits import cholesky, sixty_digits
    >>> with sixty_digits():
    ...     [[float(entry) for entry in row] for row in cholesky([[4.0, 2.0], [2.0, 5.0]])]
    [[2.0], [1.0, 2.0]]
    """
    root: list[list[Decimal]] = []
    for i, row in enumerate(map(exact, matrix)):
        new: list[Decimal] = []
        for j in range(i):
            inner = sum((new[m] * root[j][m] for m in range(j)), Decimal(0))
            new.append((row[j] - inner) / root[j][j])
        pivot = row[i] - sum((entry * entry for entry in new), Decimal(0))
        if pivot <= 0:
            raise ValueError(f"a covariance must be positive definite, got the pivot {float(pivot):.3g}")
        root.append([*new, pivot.sqrt()])
    return root


def log_normal(x: Row, mean: Row, root: Sequence[Row], log_det_root: Decimal) -> Decimal:
    """Return log Normal(x | μ, L L') = -D/2 log 2π - log|L| - 1/2 ‖L⁻¹ (x - μ)‖²."""
    solved: list[Decimal] = []
    for i, row in enumerate(root):
        inner = sum((row[m] * solved[m] for m in range(i)), Decimal(0))
        solved.append((x[i] - mean[i] - inner) / row[i])
    distance = sum((entry * entry for entry in solved), Decimal(0))
    return -(distance + len(root) * LOG_TWO_PI) / 2 - log_det_root


def log_det(root: Sequence[Row]) -> Decimal:
    """Return log|L|."""
    return prod((row[i] for i, row in enumerate(root)), start=Decimal(1)).ln()


def log_sum_exp(terms: Row) -> Decimal:
    """Return log Σ exp of terms.

    Examples
    --------
    >>> from comparisons.auditing.digits import exact, log_sum_exp, sixty_digits
    >>> with sixty_digits():
    ...     round(float(log_sum_exp(exact([-5000.0, -5000.0]))), 6)
    -4999.306853
    """
    largest = max(terms)
    return largest + sum(((term - largest).exp() for term in terms), Decimal(0)).ln()
