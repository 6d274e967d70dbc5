"""Factors: where a function differs from the textbook by powers of known numbers, or by the factor of a term.

In an E-step, log r_ik - log r_i0 is a sum of terms, each with its factor: fitted to the function's answer, a wrong factor
shows. In an M-step the ratio to the right answer is fitted by powers of n, K, D, N_k and the old weights.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake
from models.validation import Array

EXACT = 1e-7


def factor_of(quantity: str, trials: Sequence[Any], book: Any) -> Mistake | None:
    """Return the mistake that a wrong factor is, or None if none explains the answers."""
    ordinary = [t for t in trials if not t.problem.name and t.answer.values[quantity].shape == t.right[quantity].shape]
    if not ordinary:
        return None
    pairs = [(trial.problem, trial.answer.values[quantity], trial.right[quantity]) for trial in ordinary]
    with np.errstate(all="ignore"):
        if quantity == "responsibilities":
            return _of_terms(pairs, book)
        return _of_ratio(quantity, pairs)


def _of_terms(pairs: Sequence[tuple[Problem, Array, Array]], book: Any) -> Mistake | None:
    """Return which term of the log density has another factor."""
    rows, targets, names, rights = [], [], (), ()
    for problem, r, _ in pairs:
        if problem.K < 2 or not np.isfinite(np.log(r)).all():
            continue
        basis: Mapping[str, tuple[float, Array]] = book.basis(problem)
        names, rights = tuple(basis), tuple(right for right, _ in basis.values())
        logs = np.log(r)
        targets.append((logs[:, 1:] - logs[:, :1]).ravel())
        rows.append(np.stack([(a[:, 1:] - a[:, :1]).ravel() for _, a in basis.values()], axis=1))
    if not rows or not names:
        return None
    A, y = np.concatenate(rows), np.concatenate(targets)
    if np.linalg.matrix_rank(A) < A.shape[1]:
        return None
    factors = np.linalg.lstsq(A, y)[0]
    if np.abs(A @ factors - y).max() > EXACT * max(1.0, np.abs(y).max()):
        return None
    off = [(n, f, c) for n, f, c in zip(names, factors, rights, strict=True) if abs(f - c) > 1e-6 * max(1, abs(c))]
    if not off:
        return None
    said = ", ".join(f"{name} has the factor {factor:.4g} in place of {right:.4g}" for name, factor, right in off)
    terms = " and ".join(name for name, *_ in off)
    return Mistake(f"factor of {terms}", "Which factor has each term of your log density?", f"{said}.")


def _of_ratio(quantity: str, pairs: Sequence[tuple[Problem, Array, Array]]) -> Mistake | None:
    """Return by which powers of known numbers the answers differ."""
    rows, targets, signs = [], [], []
    for problem, yours, right in pairs:
        ratio = yours / right
        if not np.isfinite(ratio).all():
            return None
        per = _per_component(ratio, problem.K)
        if per is None:
            return None
        signs.append(np.sign(per))
        targets.append(np.log(np.abs(per)))
        numbers = _numbers(problem)
        rows.append(np.stack([np.broadcast_to(np.log(a), per.shape) for a in numbers.values()], axis=1))
    sign = np.concatenate(signs)
    if not (sign == sign[0]).all():
        return None
    A, y, names = np.concatenate(rows), np.concatenate(targets), list(_numbers(pairs[0][0]))
    for chosen in ([], *[[i] for i in range(len(names))], *[[i, j] for i in range(len(names)) for j in range(i)]):
        B = np.column_stack([A[:, chosen], np.ones(len(y))])
        if len(y) <= B.shape[1] or np.linalg.matrix_rank(B) < B.shape[1]:
            continue
        powers = np.linalg.lstsq(B, y)[0]
        halves = np.round(2 * powers[:-1]) / 2
        rest = y - A[:, chosen] @ halves
        if np.abs(B @ powers - y).max() < EXACT and np.abs(powers[:-1] - halves).max(initial=0) < 1e-5:
            constant = float(sign[0] * np.exp(rest.mean()))
            return _said(quantity, [(names[i], p) for i, p in zip(chosen, halves, strict=True) if p], constant)
    return None


def _said(quantity: str, powers: Sequence[tuple[str, float]], constant: float) -> Mistake:
    parts = [] if abs(constant - 1) < 1e-6 else [f"{constant:.6g}"]
    parts += [name if power == 1 else f"{name}^{power:g}" for name, power in powers]
    factor = " · ".join(parts)
    return Mistake(
        f"factor {factor}",
        f"Everything in the {quantity} is too large or too small by the same rule. What do you divide by?",
        f"The {quantity} are {factor} times the right ones.",
    )


def _per_component(ratio: Array, K: int) -> Array | None:
    """Return the factor of each component, or of all as one, if it is the same in the whole component."""
    if np.ptp(ratio) <= EXACT * np.abs(ratio).max():
        return ratio.ravel()[:1]
    if ratio.ndim and len(ratio) == K:
        flat = ratio.reshape(K, -1)
        if (np.ptp(flat, axis=1) <= EXACT * np.abs(flat).max(axis=1)).all():
            return np.asarray(flat[:, 0])
    return None


def _numbers(problem: Problem) -> dict[str, Any]:
    return {
        "n": float(problem.n),
        "K": float(problem.K),
        "D": float(problem.D),
        "N_k": problem.r.sum(axis=0),
        "π_k (old)": problem.theta.get("weights", np.ones(problem.K)),
    }
