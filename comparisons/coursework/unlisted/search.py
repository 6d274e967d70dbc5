"""Search for mistakes that no entry of the catalogue lists, in a quantity's answers on the ordinary problems."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import combinations
from typing import Any

import numpy as np

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.formulas.catalogue import term
from comparisons.coursework.formulas.estimates import SHARE
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.responsibilities import WEIGHTS
from comparisons.coursework.formulas.slots import GUARD, Formula, Mistake, close, explanations
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.unlisted.orders import HINTS, by_order
from comparisons.coursework.unlisted.sums import Pair, by_constants, by_factor, by_numbers
from comparisons.coursework.unlisted.terms import Table, by_terms
from models.validation import Array

OBJECTIVES = "log_likelihood", "q"
HINT_OF_FACTOR = "Do all parts of Q sum over the same samples and components, with the same factor?"
MOST_CHECKED = 3  # mistakes that are believed where they give the whole sum, not only the table


@np.errstate(all="ignore")
def unlisted(
    book: Textbook,
    quantity: str,
    pairs: Sequence[Pair],
    tables: Callable[[], Sequence[Table]],
    more: Callable[[], Sequence[Pair]],
    most: int,
) -> tuple[Mistake, ...]:
    """Return the mistakes that other factors, terms, sums and orders are, at most so many.

    Parameters
    ----------
    book : Textbook
        The family's formulas.
    quantity : str
        Which one.
    pairs : sequence of (Problem, ndarray, ndarray)
        Problems with a function's answers and the right ones.
    tables : callable
        Makes tables of a log-likelihood or Q of single samples and components.
    more : callable
        Makes more pairs, where each is one number.
    most : int
        How many mistakes are believed.
    """
    if any(yours.shape != right.shape for _, yours, right in pairs):
        return ()
    rows = [(problem, yours) for problem, yours, _ in pairs if problem.K > 2]
    found = _of_rows(book, rows, min(most, 2)) if quantity == "responsibilities" else ()
    if len(found) == 1:
        return found
    if quantity in HINTS and (order := by_order(book, quantity, [(p, yours) for p, yours, _ in pairs])):
        return (order,)
    if quantity == "q" and (shared := _with_shares_of_terms(book, pairs)):
        return shared
    if quantity in OBJECTIVES:
        found = _of_objective(book, quantity, pairs, tables(), min(most, 2))
        most = max(most, MOST_CHECKED)
    if not found and quantity != "labels":
        divisor = book.formulas[quantity].divisor if quantity in book.formulas else None
        pairs = [*pairs, *more()] if quantity in OBJECTIVES else pairs
        additions = partial(book.additions, quantity)
        if quantity == "responsibilities":
            numbers = by_constants(quantity, pairs, divisor, additions)
        else:
            numbers = by_factor(quantity, pairs) or by_numbers(quantity, pairs, additions, divisor)
        found = (numbers,) if numbers else ()
    return found if len(found) <= most else ()


def _with_shares_of_terms(book: Textbook, pairs: Sequence[Pair]) -> tuple[Mistake, ...]:
    """Return the wrong responsibilities, or the factor, that some terms of Q have."""
    tables = {slot.name: cache(partial(book.table, slot=slot, name="")) for slot in book.terms}
    problems, answers = [p for p, *_ in pairs], [yours for _, yours, _ in pairs]
    for formula in _with_shares_of_parts(tables):
        if found := explanations(formula, problems, answers):
            return found[0]
    return ()


@np.errstate(all="ignore")
def _of_rows(book: Textbook, tables: Sequence[Table], most: int) -> tuple[Mistake, ...]:
    """Return the mistakes in the terms of responsibilities, of which rows or columns may not sum to one."""
    logs = [(problem, np.log(r)) for problem, r in tables]
    if all(close(r.sum(axis=1), np.ones(len(r)), GUARD) for _, r in tables):
        return by_terms(book, logs, relative=True, most=most)
    by_column = all(close(r.sum(axis=0), np.ones(r.shape[1]), GUARD) for _, r in tables)
    name = "normalised over samples" if by_column else "not normalised"
    change = next((c for c in book.formulas["responsibilities"].singles() if c.name == name), None)
    if change is None or by_column:
        return ()
    found = by_terms(book, logs, relative=False, most=most)
    return (change.mistake, *found) if found else ()


def _of_objective(
    book: Textbook, quantity: str, pairs: Sequence[Pair], tables: Sequence[Table], most: int
) -> tuple[Mistake, ...]:
    """Return the mistakes in the terms of a log density, and those made when it is summed.

    The tables are the function's own log densities. So the terms are found in them, and the rest by putting them in
    the place of the right ones.
    """
    if not tables:
        return ()
    found = by_terms(book, tables, relative=False, most=most)
    lw = {_key(p): np.log(p.theta["weights"]) for p, *_ in pairs}
    densities = {_key(p): table - (lw[_key(p)] if quantity == "q" else 0.0) for p, table in tables}
    chosen = [(p, yours) for p, yours, _ in pairs if _key(p) in densities]
    right = all(close(densities[_key(p)], book.log_density_of(p), GUARD) for p, _ in chosen)
    if len(chosen) < 2 or not (found or right):
        return found
    for formula in _sums_of(book, quantity, densities, lw):
        if all(close(formula.value(p), yours) for p, yours in chosen):
            return found
        others = explanations(formula, [p for p, _ in chosen], [yours for _, yours in chosen])
        if others:
            return (*found, *others[0])
    return ()


def _sums_of(
    book: Textbook, quantity: str, densities: Mapping[bytes, Array], log_weights: Mapping[bytes, Array]
) -> Iterator[Formula]:
    """Yield formulas of given log densities (n, K) and weights, in which only what is done with them may be wrong."""
    last = book.formulas[quantity].slots[-1]

    def summed(p: Problem, v: Mapping[str, Any]) -> Array:
        return np.asarray(v[last.name](densities[_key(p)], v.get("weights", log_weights[_key(p)]), p))

    yield Formula(quantity, "", (last,) if quantity == "q" else (WEIGHTS, last), summed)
    if quantity == "q":
        parts = {"log weights": lambda p: log_weights[_key(p)], "log densities": lambda p: densities[_key(p)]}
        yield from _with_shares_of_parts(parts)


def _with_shares_of_parts(parts: Mapping[str, Callable[[Problem], Array]]) -> Iterator[Formula]:
    """Yield Q with other responsibilities, or a factor, in some of the tables (n, K) that are averaged.

    The first table is that of the log weights.
    """
    subsets = [names for size in range(1, len(parts) + 1) for names in combinations(parts, size)]
    densities = tuple(parts)[1:]
    for chosen in (tuple(parts), densities, *subsets):
        named = "log densities" if chosen == densities else " and ".join(chosen)
        suffix = f", with the {named}" if len(chosen) < len(parts) else ""
        factors = term(named, HINT_OF_FACTOR, SHARE.right, {}).wrong
        slot = replace(SHARE, wrong={f"{name}{suffix}": one for name, one in SHARE.wrong.items()} | dict(factors))

        def combine(p: Problem, v: Mapping[str, Any], chosen: Sequence[str] = chosen) -> Array:
            return np.asarray(
                sum(((v[SHARE.name] if name in chosen else p.r) * of(p)).sum() for name, of in parts.items())
            )

        yield Formula("q", "", (slot,), combine)


def _key(problem: Problem) -> bytes:
    return np.asarray(problem.X).tobytes()


def tables_of(caller: Caller, quantity: str) -> list[Table]:
    """Return what a log-likelihood or Q gives for one sample and one component at a time, on the first problems."""
    if caller.step != quantity or caller.flat or caller.book.two_sets or "weights" not in caller.book.quantities:
        return []
    tables: list[Table] = []
    for problem in caller.book.problems(caller.step)[:2]:
        table = np.full((problem.n, problem.K), np.nan)
        for i in range(problem.n):
            for k in range(problem.K):
                single = caller.book.single(problem, i, k, alone=quantity != "q")
                answer = caller(single).values.get(quantity)
                if answer is None or answer.size != 1:
                    return tables
                table[i, k] = float(answer.ravel()[0])
        whole = problem if quantity == "q" else problem.changed(weights=np.ones(problem.K))
        tables.append((whole, table))
    return tables


def more_of(caller: Caller, quantity: str) -> list[Pair]:
    """Return a log-likelihood or Q, and the right one, on more random inputs: one number says little."""
    book, rng = caller.book, np.random.RandomState(24)
    if caller.step != quantity or caller.flat or quantity not in OBJECTIVES:
        return []
    K, D = book.shape()
    sizes = [(n, K or k, D or d) for n, k, d in ((5, 2, 2), (6, 3, 1), (9, 4, 2), (7, 2, 3), (11, 3, 3), (8, 5, 2))]
    problems = book.seen([book.draw(rng, *size) for size in sizes])
    answers = [(p, caller(p).values.get(quantity), book.truth(quantity, p)[quantity]) for p in problems]
    return [(p, yours, right) for p, yours, right in answers if yours is not None and yours.shape == right.shape]
