"""A table of log densities as a sum of terms, each with its factor: a wrong factor, or a wrong term, shows in a fit.

In an E-step, log r_ik - log r_i0 is such a table; of a log-likelihood, its values for one sample and one component; of
Q, its values for one sample and one-hot responsibilities. Each term may be replaced by one of its slot's wrong values.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake, Slot
from models.validation import Array

EXACT, SAME = 1e-7, 1e-6
Table = tuple[Problem, Array]


@np.errstate(all="ignore")
def by_terms(book: Any, tables: Sequence[Table], *, relative: bool) -> tuple[Mistake, ...]:
    """Return the mistakes in the terms of some tables (n, K), or none if no sum of terms gives them.

    Parameters
    ----------
    book : Textbook
        Whose ``terms`` are tried.
    tables : sequence of (Problem, ndarray)
        Log densities, or log joint densities.
    relative : bool
        Whether only differences within a row are known.
    """
    if not tables or not all(np.isfinite(table).all() for _, table in tables):
        return ()
    best: tuple[Mistake, ...] = ()
    for changed, columns in _choices(book, tables):
        factors = [_fitted(table, own, relative) for (_, table), own in zip(tables, columns, strict=True)]
        if any(own is None for own in factors):
            continue
        found = _mistakes([problem for problem, _ in tables], factors, changed)
        if found == ():
            return ()  # the terms are right: it is something else
        if found is not None and (not best or len(found) < len(best)):
            best = found
            if len(best) == 1:
                break
    return best


def _choices(book: Any, tables: Sequence[Table]) -> Iterator[tuple[Mistake | None, list[dict[str, Array]]]]:
    """Yield the terms of each table, all right or one of them wrong, with the mistake that this is."""
    slots: dict[str, Slot] = {slot.name: slot for slot in book.terms}
    right = [{name: book.table(problem, slot, "") for name, slot in slots.items()} for problem, _ in tables]
    yield None, right
    for name, slot in slots.items():
        for wrong in slot.wrong:
            try:
                changed = [{**own, name: book.table(p, slot, wrong)} for own, (p, _) in zip(right, tables, strict=True)]
            except (ValueError, IndexError, KeyError, np.linalg.LinAlgError):
                continue
            if all(np.isfinite(own[name]).all() for own in changed):
                yield slot.mistake(wrong), changed


def _fitted(table: Array, terms: Mapping[str, Array], relative: bool) -> dict[str, float] | None:
    """Return the factor of each term that is seen, or None if no factors give the table."""
    columns = [a[:, 1:] - a[:, :1] if relative else a for a in terms.values()]
    y = (table[:, 1:] - table[:, :1] if relative else table).ravel()
    A = np.stack([column.ravel() for column in columns], axis=1)
    kept = [j for j in range(A.shape[1]) if np.abs(A[:, j]).max() > EXACT]
    A = A[:, kept]
    if len(y) <= len(kept) or np.linalg.matrix_rank(A, tol=1e-9 * max(np.abs(A).max(initial=0), 1)) < len(kept):
        return None
    factors = np.linalg.lstsq(A, y)[0]
    if np.abs(A @ factors - y).max() > EXACT * max(1.0, np.abs(y).max()):
        return None
    names = list(terms)
    return {names[j]: float(factor) for j, factor in zip(kept, factors, strict=True)}


def _mistakes(
    problems: Sequence[Problem], factors: Sequence[Any], changed: Mistake | None
) -> tuple[Mistake, ...] | None:
    """Return the mistakes that factors are, beside one in a term; None if they follow no rule."""
    said: dict[str, str] = {}
    for name in factors[0]:
        rule = as_power([(p, own[name]) for p, own in zip(problems, factors, strict=True) if name in own])
        if not rule:
            return None
        if rule != "1":
            said[name] = rule
    if len(said) == len(factors[0]) > 1 and len(set(said.values())) == 1 and "0" not in said.values():
        said = {"the log density": next(iter(said.values()))}
    named = tuple(_of_factor(name, rule) for name, rule in said.items())
    return named if changed is None else (changed, *named)


def _of_factor(name: str, rule: str) -> Mistake:
    if rule == "0":
        hint = "Write down all factors of the joint density π_k p(x|k). Which one is not in your function?"
        return Mistake(f"{name} left out", hint, f"The term {name} is missing.")
    hint = "Which factor has each term of your log density?"
    return Mistake(f"factor {rule} of {name}", hint, f"The term {name} is {rule} times the right one.")


def as_power(ratios: Sequence[tuple[Problem, float]]) -> str:
    """Return ratios as a number, or a number times a power of n, K or D; "" if they follow no such rule."""
    values = np.array([ratio for _, ratio in ratios])
    if np.ptp(values) <= SAME * max(np.abs(values).max(), 1.0):
        return f"{0.0 if abs(values[0]) < SAME else values[0]:.6g}"
    for name in ("D", "K", "n"):
        sizes = np.array([float(getattr(problem, name)) for problem, _ in ratios])
        for power in (1, -1, 0.5, -0.5, 2, -2):
            rest = values / sizes**power
            if np.ptp(rest) <= SAME * np.abs(rest).max():
                front = "" if abs(rest[0] - 1) < SAME else f"{rest[0]:.6g} "
                return f"{front}{name}" if power == 1 else f"{front}{name}^{power:g}"
    return ""
