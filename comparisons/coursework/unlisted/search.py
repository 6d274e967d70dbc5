"""Search a quantity's answers on the ordinary problems for mistakes that the catalogue does not list.

Q is tried with wrong responsibilities, or with another factor, in some of its terms. Other quantities are tried as the
right one times a factor, or with other sums and constants added (:mod:`comparisons.coursework.unlisted.sums`).
"""

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
from comparisons.coursework.formulas.slots import Formula, Mistake, explanations
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.unlisted.sums import Pair, by_constants, by_factor, by_numbers
from models.validation import Array

OBJECTIVES = "log_likelihood", "q"
HINT_OF_FACTOR = "Do all parts of Q sum over the same samples and components, with the same factor?"


@np.errstate(all="ignore")
def unlisted_mistakes(
    book: Textbook, quantity: str, pairs: Sequence[Pair], more: Callable[[], Sequence[Pair]]
) -> tuple[Mistake, ...]:
    """Search for wrong responsibilities, a wrong factor or wrong sums that give the answers; () if none are found.

    Parameters
    ----------
    book : Textbook
        The family's formulas.
    quantity : str
        Name of the quantity.
    pairs : sequence of (Problem, ndarray, ndarray)
        Problems with a function's answers and the right ones.
    more : callable
        Returns more pairs; it is called if each answer is one number.
    """
    if quantity == "labels" or any(yours.shape != right.shape for _, yours, right in pairs):
        return ()
    if quantity == "q" and (mistakes := _wrong_shares_in_q(book, pairs)):
        return mistakes
    pairs = [*pairs, *more()] if quantity in OBJECTIVES else pairs
    divisor = book.formulas[quantity].divisor if quantity in book.formulas else None
    additions = partial(book.additions, quantity)
    if quantity == "responsibilities":
        mistake = by_constants(quantity, pairs, divisor, additions)
    else:
        mistake = by_factor(quantity, pairs) or by_numbers(quantity, pairs, additions, divisor)
    return () if mistake is None else (mistake,)


def _wrong_shares_in_q(book: Textbook, pairs: Sequence[Pair]) -> tuple[Mistake, ...]:
    """Return the mistake of a Q in which some terms have wrong responsibilities or another factor."""
    tables = {slot.name: cache(partial(book.table, slot=slot)) for slot in book.terms}
    problems, answers = [p for p, *_ in pairs], [yours for _, yours, _ in pairs]
    for formula in _formulas_of_q(tables):
        if explained := explanations(formula, problems, answers):
            return explained[0]
    return ()


def _formulas_of_q(parts: Mapping[str, Callable[[Problem], Array]]) -> Iterator[Formula]:
    """Yield formulas of Q whose mistakes are wrong responsibilities, or a factor, in some of its terms.

    The terms are tables (n, K) by name, first that of the log weights.
    """
    subsets = [names for size in range(1, len(parts) + 1) for names in combinations(parts, size)]
    densities = tuple(parts)[1:]
    for chosen in (tuple(parts), densities, *subsets):
        title = "log densities" if chosen == densities else " and ".join(chosen)
        suffix = f", with the {title}" if len(chosen) < len(parts) else ""
        factors = term(title, HINT_OF_FACTOR, SHARE.right, {}).wrong
        slot = replace(SHARE, wrong={f"{name}{suffix}": one for name, one in SHARE.wrong.items()} | dict(factors))

        def combine(p: Problem, v: Mapping[str, Any], chosen: Sequence[str] = chosen) -> Array:
            return np.asarray(
                sum(((v[SHARE.name] if name in chosen else p.r) * of(p)).sum() for name, of in parts.items())
            )

        yield Formula("q", "", (slot,), combine)


def more_answers(caller: Caller | None, quantity: str) -> list[Pair]:
    """Call a log-likelihood or Q on more random inputs, since each answer is one number; return problem, answer, right.

    There are none without a caller, and for functions that return the log-likelihood beside something else.
    """
    if caller is None or caller.step != quantity or caller.flat:
        return []
    book, rng = caller.book, np.random.RandomState(24)
    K, D = book.shape()
    sizes = [(n, K or k, D or d) for n, k, d in ((5, 2, 2), (6, 3, 1), (9, 4, 2), (7, 2, 3), (11, 3, 3), (8, 5, 2))]
    problems = book.with_old_parameters([book.draw(rng, *size) for size in sizes])
    answers = [(p, caller(p).values.get(quantity), book.truth(quantity, p)[quantity]) for p in problems]
    return [(p, yours, right) for p, yours, right in answers if yours is not None and yours.shape == right.shape]
