"""Find the edit of a student's fit after which its iterations are EM's, or its end is a maximum.

:mod:`comparisons.coursework.unlisted.repair` edits; :mod:`comparisons.coursework.unlisted.substitutes` finds the
expression that should have been an intermediate result of the first iteration.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from comparisons.coursework.calling.fitting import Fit, FitCaller
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.loops import LOOSE, all_the_same, distance, same
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import GUARD, Mistake, close
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.unlisted.edits import FAR, NEAR
from comparisons.coursework.unlisted.intermediates import intermediates
from comparisons.coursework.unlisted.repair import edit_of
from comparisons.coursework.unlisted.substitutes import expression_of
from models.validation import Array

STEPS_TRIED = (1, 2, 3, 4)
QUICK = 0.005  # least seconds to allow for a call, since one that stops too early is faster than a right one
MOVING = 2  # number of iterations after which a fit may be at its end
FEWER = 5  # an edited fit must end right without this fraction of the samples too, not by chance,
LOOSER = 1e-3  # to this tolerance, since it may have come less far


def place_in_fit(caller: FitCaller, deadline: float) -> Mistake | None:
    """Return a mistake as a place in the source of a fit that ends wrong: an edit that mends it, or an expression."""
    if _is_right_end(caller.book, caller.problem, caller(None)):
        return None
    if edit := edit_of_fit(caller, deadline, NEAR):
        return edit
    expression = expression_of_fit(caller, deadline)
    return edit_of_fit(caller, deadline, FAR) or expression


def edit_of_fit(
    caller: FitCaller, deadline: float, kinds: Sequence[str] = (*NEAR, *FAR), *, by_end: bool = False
) -> Mistake | None:
    """Return the edit of a fit with a wrong end after which its iterations are EM's.

    If iterations cannot be followed, or with ``by_end``, the edit must give a right end; with ``by_end`` it must not
    change the first iteration.
    """
    edited, book, problem = copy(caller), caller.book, caller.problem
    times = STEPS_TRIED if caller.takes_iterations and not (caller.restarts or by_end) else (None,)

    def call(function: Callable[..., Any], t: int | None, seconds: float) -> Fit:
        edited.function, edited.until = function, used_seconds() + seconds
        return edited(t)

    def ends_right_on_fewer() -> bool:
        rest = slice(problem.n // FEWER, None)
        fewer = problem.changed(X=problem.X[rest], r=problem.r[rest])
        return _is_right_end(book, fewer, edited.for_problem(fewer)(None), LOOSER)

    def begins_alike() -> bool:
        return not by_end or same(edited(1).theta, caller(1).theta)

    def is_right(function: Callable[..., Any], seconds: float) -> bool:
        before: Mapping[str, Array] | None = problem.theta if caller.takes_start else None
        for t in times:
            fit = call(function, t, seconds)
            if t is None or not _is_mixture(book, problem, fit):
                return t is None and _is_right_end(book, problem, fit) and ends_right_on_fewer() and begins_alike()
            after = book.iterate(problem.changed(**(before or fit.theta)))
            theta = book.aligned(fit.theta, after)
            if before and not (same(after, theta) and (t > MOVING or distance(before, theta) > LOOSE)):
                return False
            before = theta
        return True

    def is_same(function: Callable[..., Any], seconds: float) -> bool:
        fit = call(function, times[0], seconds)
        return fit.error[:9] == original.error[:9] and same(fit.theta, original.theta)

    begin, original = used_seconds(), call(caller.function, times[0], caller.seconds_left)
    taken = max(used_seconds() - begin, QUICK)
    ends_right = original.overtime or _is_right_end(book, problem, caller(None))
    return None if ends_right else edit_of(caller.function, is_same, is_right, taken, deadline, original.error, kinds)


def _is_mixture(book: Textbook, problem: Problem, fit: Fit) -> bool:
    """Whether a fit returned parameters of a mixture whose components differ."""
    shapes = {name: a.shape for name, a in fit.theta.items()}
    usual = not fit.error and shapes == {name: a.shape for name, a in problem.theta.items()}
    return usual and not book.misfit(problem, fit.theta) and not all_the_same(book, fit.theta)


def _is_right_end(book: Textbook, problem: Problem, fit: Fit, most: float = LOOSE) -> bool:
    at = problem.changed(**fit.theta)
    return _is_mixture(book, problem, fit) and distance(book.iterate(at), fit.theta) < most


def expression_of_fit(caller: FitCaller, deadline: float) -> Mistake | None:
    """Return the mistake of an expression after whose replacement the first iteration is EM's, or None."""
    probe, book, problem = copy(caller), caller.book, caller.problem
    if not caller.takes_iterations or caller.restarts or used_seconds() > deadline:
        return None
    probe.until = deadline
    start = problem.theta if caller.takes_start else probe(0).theta
    if start.keys() != problem.theta.keys() or book.misfit(problem, start):
        return None
    at = problem.changed(**start)
    soft, after = at.changed(r=book.responsibilities(at)), book.iterate(at)

    def flatten(theta: Mapping[str, Array]) -> Array | None:
        fits = {name: np.shape(a) for name, a in theta.items()} == {name: np.shape(a) for name, a in after.items()}
        theta = book.aligned(theta, after) if fits else {}
        return np.concatenate([np.ravel(theta[name]) for name in after]) if fits else None

    def answers(function: Callable[..., Any], seconds: float) -> Iterator[tuple[Array | None, Array]]:
        probe.function, probe.until = function, used_seconds() + seconds
        yield flatten(probe(1).theta), right

    right = np.concatenate([np.ravel(a) for a in after.values()])
    begin, original = used_seconds(), flatten(probe(1).theta)
    taken = used_seconds() - begin
    if original is None or close(original, right, GUARD):
        return None
    old = intermediates(book, "e", at)
    new = {f"{name} (M-step)" if name in old else name: a for name, a in intermediates(book, "m", soft).items()}
    return expression_of(caller.function, answers, original, [{**old, **new}], list(after.values()), taken, deadline)
