"""Estimates that differ from the right ones by powers of known numbers, or are other sums of known arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake
from comparisons.coursework.unlisted.sums import Pair, by_constants, by_sums
from comparisons.coursework.unlisted.terms import EXACT, EXACT_LOG
from models.validation import Array


@np.errstate(all="ignore")
def by_factor(quantity: str, pairs: Sequence[Pair], additions: Any, divisor: Any = None) -> Mistake | None:
    """Return the mistake that a factor or an addend is, of problems with a function's answers and the right ones.

    ``additions`` is a function from a problem to what may have been added, by name; ``divisor`` one to the divisor.
    Answers have the shapes of the right ones.
    """
    if not pairs:
        return None
    found = _of_ratio(quantity, pairs)
    return found or by_numbers(quantity, pairs, additions, divisor)


def by_numbers(
    quantity: str,
    pairs: Sequence[Pair],
    additions: Any,
    divisor: Any = None,
    exact: float = EXACT,
    least_scale: float = 0.0,
) -> Mistake | None:
    """Return the mistake that numbers are which are added to the estimates, or to their numerator and divisor."""
    found = by_sums(quantity, pairs, additions, 1, exact, least_scale)
    if found is None and divisor is not None:
        found = by_constants(quantity, pairs, divisor, additions, exact, least_scale)
    return found or by_sums(quantity, pairs, additions, 2, exact, least_scale)


def _of_ratio(quantity: str, pairs: Sequence[Pair]) -> Mistake | None:
    """Return by which powers of known numbers the answers differ."""
    rows, targets, signs = [], [], []
    numbers: dict[str, Any] = {}
    for problem, yours, right in pairs:
        ratio = yours / right
        if not np.isfinite(ratio).all():
            return None
        per = _per_component(ratio, problem.K)
        if per is None:
            return None
        signs.append(np.sign(per))
        targets.append(np.log(np.abs(per)))
        numbers = {
            name: a
            for name, a in {**_numbers(problem), **_sizes(right)}.items()
            if np.ndim(a) == 0 or len(per) == problem.K
        }
        rows.append(np.stack([np.broadcast_to(np.log(a), per.shape) for a in numbers.values()], axis=1))
    sign = np.concatenate(signs)
    if not (sign == sign[0]).all():
        return None
    if len({row.shape[1] for row in rows}) > 1:
        return None
    A, y, names = np.concatenate(rows), np.concatenate(targets), list(numbers)
    for chosen in ([], *[[i] for i in range(len(names))], *[[i, j] for i in range(len(names)) for j in range(i)]):
        B = np.column_stack([A[:, chosen], np.ones(len(y))])
        if len(y) <= B.shape[1] or np.linalg.matrix_rank(B) < B.shape[1]:
            continue
        powers = np.linalg.lstsq(B, y)[0]
        halves = np.round(2 * powers[:-1]) / 2
        rest = y - A[:, chosen] @ halves
        if np.abs(B @ powers - y).max() < EXACT_LOG and np.abs(powers[:-1] - halves).max(initial=0) < 1e-5:
            constant = float(sign[0] * np.exp(rest.mean()))
            powers_of = [(names[i], p) for i, p in zip(chosen, halves, strict=True) if p]
            return _said(quantity, powers_of, constant, pairs[0][0].given)
    return None


def _said(quantity: str, powers: Sequence[tuple[str, float]], constant: float, given: Mapping[str, Any]) -> Mistake:
    parts = [] if abs(constant - 1) < 1e-6 else [_of_sizes(constant, given)]
    parts += [name if power == 1 else f"{name}^{power:g}" for name, power in powers]
    factor = " · ".join(parts)
    return Mistake(
        f"factor {factor}",
        f"Everything in the {quantity} is too large or too small by the same rule. What do you divide by?",
        f"The {quantity} are {factor} times the right ones.",
    )


def _of_sizes(constant: float, given: Mapping[str, Any]) -> str:
    """Return a number, as a power of the size of the cells if it is one, or as it over one more or less."""
    for name, size in given.items():
        for shift in (1, -1):
            if isinstance(size, int | float) and abs(constant - size / (size + shift)) < 1e-6 * abs(constant):
                return f"{name} / ({name} {shift:+d})".replace("+", "+ ").replace("-", "- ")
        for power in (1, -1, 2, -2, 0.5, -0.5):
            if isinstance(size, int | float) and abs(constant - size**power) < 1e-6 * abs(constant) and size != 1:
                return name if power == 1 else f"{name}^{power:g}"
    return f"{constant:.6g}"


def _per_component(ratio: Array, K: int) -> Array | None:
    """Return the factor of each component, or of all as one, if it is the same in the whole component."""
    if np.ptp(ratio) <= EXACT_LOG * np.abs(ratio).max():
        return ratio.ravel()[:1]
    if ratio.ndim and len(ratio) == K:
        flat = ratio.reshape(K, -1)
        if (np.ptp(flat, axis=1) <= EXACT_LOG * np.abs(flat).max(axis=1)).all():
            return np.asarray(flat[:, 0])
    return None


def _sizes(right: Array) -> dict[str, Array]:
    """Return sizes of the right estimate of each component."""
    if right.ndim == 3 and right.shape[1] == right.shape[2]:
        return {"its trace": np.trace(right, axis1=1, axis2=2), "its determinant": np.linalg.det(right)}
    if right.ndim == 2 and (right > 0).all():
        return {"its sum over the features": right.sum(axis=1), "its product": right.prod(axis=1)}
    return {}


def _numbers(problem: Problem) -> dict[str, Any]:
    return {
        "n": float(problem.n),
        "K": float(problem.K),
        "D": float(problem.D),
        "N_k": problem.r.sum(axis=0),
        "π_k (old)": problem.theta.get("weights", np.ones(problem.K)),
    }
