"""Search a quantity's answers on the ordinary problems for mistakes that the catalogue does not list.

They are tried as the right ones times a factor, or with other sums and constants added
(:mod:`comparisons.coursework.unlisted.sums`).
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.formulas.slots import Mistake
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.unlisted.sums import Pair, by_constants, by_factor, by_numbers

OBJECTIVES = "log_likelihood", "q"


@np.errstate(all="ignore")
def unlisted_mistakes(
    book: Textbook, quantity: str, pairs: Sequence[Pair], more: Callable[[], Sequence[Pair]]
) -> tuple[Mistake, ...]:
    """Search for a wrong factor or wrong sums that give the answers; () if none are found.

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
    pairs = [*pairs, *more()] if quantity in OBJECTIVES else pairs
    divisor = book.formulas[quantity].divisor if quantity in book.formulas else None
    additions = partial(book.additions, quantity)
    if quantity == "responsibilities":
        mistake = by_constants(quantity, pairs, divisor, additions)
    else:
        mistake = by_factor(quantity, pairs) or by_numbers(quantity, pairs, additions, divisor)
    return () if mistake is None else (mistake,)


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
