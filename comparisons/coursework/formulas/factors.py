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
    """Return which term of the log density has another factor: a number, or one that depends on n, K or D."""
    fitted = [(problem, _fitted(problem, r, book)) for problem, r, _ in pairs if problem.K > 1]
    if not fitted or any(factors is None for _, factors in fitted):
        return None
    said, terms = [], []
    for name in fitted[0][1] or {}:
        found = [(problem, factors[name]) for problem, factors in fitted if factors and name in factors]
        if all(abs(factor - right) <= 1e-6 * abs(right) for _, (factor, right) in found):
            continue
        factor = _as_power([(problem, factor / right) for problem, (factor, right) in found])
        terms.append(name)
        right = found[0][1][1]
        said.append(f"the factor of {name} is {factor} times the right one, which is {right:g}")
    if not said:
        return None
    name = f"factor of {' and '.join(terms)}"
    return Mistake(name, "Which factor has each term of your log density?", f"{'; '.join(said)}.")


def _fitted(problem: Problem, r: Array, book: Any) -> dict[str, tuple[float, float]] | None:
    """Return the factor of each term in a function's log responsibilities, beside the right one; None if none fit."""
    logs = np.log(r)
    if not np.isfinite(logs).all():
        return None
    basis: Mapping[str, tuple[float, Array]] = book.basis(problem)
    y = (logs[:, 1:] - logs[:, :1]).ravel()
    A = np.stack([(a[:, 1:] - a[:, :1]).ravel() for _, a in basis.values()], axis=1)
    kept = [j for j in range(A.shape[1]) if np.abs(A[:, j]).max() > EXACT]
    if len(y) <= len(kept) or np.linalg.matrix_rank(A[:, kept]) < len(kept):
        return None
    factors = np.linalg.lstsq(A[:, kept], y)[0]
    if np.abs(A[:, kept] @ factors - y).max() > EXACT * max(1.0, np.abs(y).max()):
        return None
    names = list(basis)
    return {names[j]: (float(f), basis[names[j]][0]) for j, f in zip(kept, factors, strict=True)}


def _as_power(ratios: Sequence[tuple[Problem, float]]) -> str:
    """Return a ratio as a number, or a number times a power of n, K or D, or as the numbers themselves."""
    values = np.array([ratio for _, ratio in ratios])
    if np.ptp(values) <= 1e-6 * np.abs(values).max():
        return f"{values[0]:.6g}"
    for name in ("D", "K", "n"):
        sizes = np.array([float(getattr(problem, name)) for problem, _ in ratios])
        for power in (1, -1, 0.5, -0.5, 2, -2):
            rest = values / sizes**power
            if np.ptp(rest) <= 1e-6 * np.abs(rest).max():
                front = "" if abs(rest[0] - 1) < 1e-6 else f"{rest[0]:.6g} "
                return f"{front}{name}" if power == 1 else f"{front}{name}^{power:g}"
    return " or ".join(f"{value:.4g}" for value in values)


def _of_ratio(quantity: str, pairs: Sequence[tuple[Problem, Array, Array]]) -> Mistake | None:
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
        numbers = {name: a for name, a in _numbers(problem).items() if np.ndim(a) == 0 or len(per) == problem.K}
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
