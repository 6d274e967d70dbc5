"""The edit of a student's fit after which it is right: each iteration is EM's, or the end is a maximum.

What is edited, and how, is in :mod:`comparisons.coursework.unlisted.repair`.
"""

from collections.abc import Callable, Mapping
from copy import copy
from time import perf_counter
from typing import Any

from comparisons.coursework.calling.fitting import Fit, FitCaller
from comparisons.coursework.formulas.loops import LOOSE, all_the_same, distance, same
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.unlisted.repair import edit_of
from models.validation import Array

STEPS_TRIED = (1, 2, 3, 4)


def edit_of_fit(caller: FitCaller, deadline: float) -> Mistake | None:
    """Return the edit of a fit that does not end right, after which its iterations are EM's, or it ends right."""
    tried, book, problem = copy(caller), caller.book, caller.problem
    times = STEPS_TRIED if caller.takes_iterations and not caller.restarts else (None,)

    def called(function: Callable[..., Any], t: int | None, seconds: float) -> Fit:
        tried.function, tried.until = function, perf_counter() + seconds
        return tried(t)

    def is_right(function: Callable[..., Any], seconds: float) -> bool:
        before: Mapping[str, Array] | None = problem.theta if caller.takes_start else None
        for t in times:
            fit = called(function, t, seconds)
            if t is None or not _is_mixture(book, problem, fit):
                return t is None and _is_right_end(book, problem, fit)
            after = book.iterate(problem.changed(**(before or fit.theta)))
            theta = book.aligned(fit.theta, after)
            if before and not (same(after, theta) and distance(before, theta) > LOOSE):
                return False
            before = theta
        return True

    def is_same(function: Callable[..., Any], seconds: float) -> bool:
        fit = called(function, times[0], seconds)
        return fit.error[:9] == own.error[:9] and same(fit.theta, own.theta)

    begin, own = perf_counter(), called(caller.function, times[0], caller.left)
    taken = perf_counter() - begin
    ends_right = own.overtime or _is_right_end(book, problem, caller(None))
    return None if ends_right else edit_of(caller.function, is_same, is_right, taken, deadline, own.error)


def _is_mixture(book: Textbook, problem: Problem, fit: Fit) -> bool:
    """Whether a fit returned parameters of a mixture whose components differ."""
    shapes = {name: a.shape for name, a in fit.theta.items()}
    usual = not fit.error and shapes == {name: a.shape for name, a in problem.theta.items()}
    return usual and not book.misfit(problem, fit.theta) and not all_the_same(book, fit.theta)


def _is_right_end(book: Textbook, problem: Problem, fit: Fit) -> bool:
    at = problem.changed(**fit.theta)
    return _is_mixture(book, problem, fit) and distance(book.iterate(at), fit.theta) < LOOSE
