"""A table of log densities as a sum of terms, each with its factor: a wrong factor, or a wrong term, shows in a fit.

In an E-step, log r_ik - log r_i0 is such a table; of a log-likelihood, its values for one sample and one component; of
Q, its values for one sample and one-hot responsibilities. Each term may be replaced by one of its slot's wrong values.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake, Slot
from models.validation import Array

EXACT = 1e-8  # largest gap between an estimate and the sum that it is, relative
EXACT_LOG = 1e-7  # the same of logarithms and ratios, which lose a digit where densities or estimates are small
SAME = 1e-6
LEAST = 1e-7  # of the largest singular value: below it columns depend on each other
CANDIDATE, MOST_CANDIDATES = 1e-7, 200
Table = tuple[Problem, Array]


@np.errstate(all="ignore")
def by_terms(book: Any, tables: Sequence[Table], *, relative: bool, most: int = 1) -> tuple[Mistake, ...]:
    """Return the mistakes in the terms of some tables (n, K), or none if no sum of terms gives them.

    Parameters
    ----------
    book : Textbook
        Whose ``terms`` are tried, and whose ``atoms`` beside them.
    tables : sequence of (Problem, ndarray)
        Log densities, or log joint densities.
    relative : bool
        Whether only differences within a row are known.
    most : int
        How many atoms may stand beside the terms.
    """
    if not tables or not all(np.isfinite(table).all() for _, table in tables):
        return ()
    best: tuple[Mistake, ...] = ()
    for changed, columns in _choices(book, tables):
        factors = [_fitted(table, own, relative) for (_, table), own in zip(tables, columns, strict=True)]
        if any(own is None or not (relative or all(map(is_usual, own.values()))) for own in factors):
            continue  # where sums are known, not only differences, constants of few problems fit anything
        found = _mistakes([problem for problem, _ in tables], factors, changed, {slot.name for slot in book.terms})
        if found == ():
            return ()  # the terms are right: it is something else
        if found is not None and (not best or len(found) < len(best)):
            best = found
            if len(best) == 1:
                break
    return best if len(best) == 1 else _with_atoms(book, tables, relative, most) or best


def _choices(book: Any, tables: Sequence[Table]) -> Iterator[tuple[Mistake | None, list[dict[str, Array]]]]:
    """Yield the terms of each table: all right, or one of them wrong, with the mistake that this is."""
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


def _with_atoms(book: Any, tables: Sequence[Table], relative: bool, most: int) -> tuple[Mistake, ...]:
    """Return the mistake that terms with other factors and one atom, or two, are: all of them in one least squares.

    What the terms do not give of the table, and of each atom, is left; one atom gives it if the two are parallel, a
    pair if the table lies in their plane. Factors are numbers here, the same for every problem.
    """
    y = np.concatenate([_rows(table, relative) for _, table in tables])
    parts = [{slot.name: book.table(p, slot, "") for slot in book.terms} for p, _ in tables]
    terms = _joined(parts, relative)
    atoms = _joined([book.atoms(problem) for problem, _ in tables], relative)
    if not terms or not atoms or len(y) < len(terms) + 3:
        return ()
    Q = np.linalg.qr(np.stack(list(terms.values()), axis=1))[0]
    names, A = list(atoms), np.stack(list(atoms.values()), axis=1)
    left = A - Q @ (Q.T @ A)
    sizes = np.linalg.norm(left, axis=0)
    kept = np.flatnonzero(sizes > LEAST * np.linalg.norm(A, axis=0))
    left, rest = left[:, kept] / sizes[kept], y - Q @ (Q.T @ y)
    rest = rest / np.linalg.norm(rest)
    c, G = left.T @ rest, left.T @ left
    for gaps in (1 - c**2, 1 - (c[:, None] ** 2 + c**2 - 2 * G * c[:, None] * c) / np.maximum(1 - G**2, LEAST))[:most]:
        found = []
        for places in np.argwhere(gaps < CANDIDATE)[:MOST_CANDIDATES]:
            chosen = [names[kept[place]] for place in sorted(set(places))]
            columns = np.stack([*terms.values(), *(atoms[name] for name in chosen)], axis=1)
            factors = solved(columns, y, EXACT_LOG, least_scale=1.0)
            if factors is not None and (relative or all(map(is_usual, factors))):
                whole = dict(zip([*terms, *chosen], map(float, factors), strict=True))
                found.append(_mistakes([tables[0][0]], [whole], None, terms) or ())
        if found := [mistakes for mistakes in found if mistakes]:
            return min(found, key=lambda mistakes: (len(mistakes), sum(len(one.name) for one in mistakes)))
    return ()


def _rows(table: Array, relative: bool) -> Array:
    """Return the entries of a table, or what is known of it: the differences from its first column."""
    return np.asarray((table[:, 1:] - table[:, :1] if relative else table).ravel())


def _joined(parts: Sequence[Mapping[str, Array]], relative: bool) -> dict[str, Array]:
    """Return the entries of several problems' tables, as far as they are finite and not all zero."""
    whole = {name: np.concatenate([_rows(own[name], relative) for own in parts]) for name in parts[0]}
    return {name: a for name, a in whole.items() if np.isfinite(a).all() and np.abs(a).max() > EXACT_LOG}


def _fitted(table: Array, terms: Mapping[str, Array], relative: bool) -> dict[str, float] | None:
    """Return the factor of each term that is seen, or None if no factors give the table."""
    y, A = _rows(table, relative), np.stack([_rows(a, relative) for a in terms.values()], axis=1)
    kept = [j for j in range(A.shape[1]) if np.abs(A[:, j]).max() > EXACT_LOG]
    factors = solved(A[:, kept], y, EXACT_LOG, least_scale=1.0)
    names = list(terms)
    return None if factors is None else {names[j]: float(f) for j, f in zip(kept, factors, strict=True)}


def _mistakes(
    problems: Sequence[Problem], factors: Sequence[Any], changed: Mistake | None, own_terms: Collection[str]
) -> tuple[Mistake, ...] | None:
    """Return the mistakes that factors are, beside one in a term; None if they follow no rule."""
    said: dict[str, str] = {}
    for name in dict.fromkeys(name for own in factors for name in own):
        rule = as_power([(p, own[name]) for p, own in zip(problems, factors, strict=True) if name in own])
        if not rule:
            return None
        if rule != ("1" if name in own_terms else "0"):
            said[name] = rule
    if len(said) == len(factors[0]) > 1 and len(set(said.values())) == 1 and "0" not in said.values():
        said = {"the log density": next(iter(said.values()))}
    lost = [name for name, rule in said.items() if rule == "0"]
    more = [name for name in said if name not in own_terms and name != "the log density"]
    named = tuple(_of_factor(name, rule) for name, rule in said.items() if name not in more)
    if more:
        named = tuple(_of_factor(name, said[name]) for name in said if name not in (*more, *lost))
        whole = len(lost) == len(own_terms)
        named += (_replaced(["the log joint density"] if whole else lost, {name: said[name] for name in more}),)
    return named if changed is None else (changed, *named)


def _replaced(lost: Sequence[str], more: Mapping[str, str]) -> Mistake:
    """Return the mistake that some terms stand in the place of others, or beside the right ones."""
    said = " + ".join(times(rule, name) for name, rule in more.items()).replace("+ -", "- ")
    named = f"{said} in place of {' + '.join(lost)}" if lost else f"{said} added to the log density"
    hint = "Write the log density as a sum of terms. Which term of yours is not among them?"
    return Mistake(named, hint, f"The log density has {named}.")


def _of_factor(name: str, rule: str) -> Mistake:
    if rule == "0":
        hint = "Write down all factors of the joint density π_k p(x|k). Which one is not in your function?"
        return Mistake(f"{name} left out", hint, f"The term {name} is missing.")
    hint = "What factor does each term of your log density have?"
    return Mistake(f"factor {rule} of {name}", hint, f"The term {name} is {rule} times the right one.")


def as_power(ratios: Sequence[tuple[Problem, float]]) -> str:
    """Return ratios as a number, or one times a power of n, K or D or a ratio of two of them; "" if no rule is."""
    values = np.array([ratio for _, ratio in ratios])
    if np.ptp(values) <= SAME * max(np.abs(values).max(), 1.0):
        return f"{0.0 if abs(values[0]) < SAME else values[0]:.6g}"
    sizes = {name: np.array([float(getattr(problem, name)) for problem, _ in ratios]) for name in "DKn"}
    powers = {f"{name}^{power:g}": a**power for name, a in sizes.items() for power in (1, -1, 0.5, -0.5, 2, -2)}
    powers |= {f"({name} - 1)/{name}": (a - 1) / a for name, a in sizes.items() if a.min() > 1}
    powers |= {f"{one}/{other}": sizes[one] / sizes[other] for one, other in permutations(sizes, 2)}
    rests = {said.removesuffix("^1"): values / a for said, a in powers.items()}
    fronts = [(said, rest[0]) for said, rest in rests.items() if np.ptp(rest) <= SAME * np.abs(rest).max()]
    plain = [said for said, front in fronts if abs(front - 1) < SAME]
    return plain[0] if plain else f"{fronts[0][1]:.6g} {fronts[0][0]}" if fronts else ""


def is_usual(factor: float) -> bool:
    """Whether a factor is one that is written down: a fraction with a small denominator, or a logarithm's base."""
    bases = np.log([2.0, 10.0, 2 * np.pi, np.pi])
    usual = [*bases, *(1 / bases), *(bases / 2), np.pi, 2 * np.pi]
    return abs(60 * factor - round(60 * factor)) < 60 * SAME or any(abs(abs(factor) - base) < SAME for base in usual)


def times(rule: str, name: str) -> str:
    """Return a factor and a name as a product in words."""
    return rule if name == "1" else name if rule == "1" else f"-{name}" if rule == "-1" else f"{rule} times {name}"


def solved(A: Array, y: Array, exact: float, least_scale: float = 0.0) -> Array | None:
    """Return x with A x = y, or None, also where columns depend on each other.

    The gap is at most ``exact`` times the largest entry of y, or times ``least_scale`` where that is larger: by 0 it is
    relative, by 1 it is absolute for small y.
    """
    if len(y) <= A.shape[1] or not (np.isfinite(A).all() and np.isfinite(y).all()):
        return None
    sizes = np.sqrt((A * A).sum(axis=0))
    if (sizes == 0).any():
        return None
    x, _, rank, _ = np.linalg.lstsq(A / sizes, y, rcond=LEAST)
    scale = max(least_scale, float(np.abs(y).max()))
    return np.asarray(x / sizes) if rank == len(x) and np.abs(A / sizes @ x - y).max() <= exact * scale else None
