"""Find the edit of a student's fit after which its iterations are EM's, or its end is a maximum.

:mod:`comparisons.coursework.unlisted.repair` edits.
"""

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any

from comparisons.coursework.calling.fitting import Fit, FitCaller
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.loops import LOOSE, all_the_same, distance, same
from comparisons.coursework.formulas.slots import Mistake
from comparisons.coursework.unlisted.repair import edit_of
from models.validation import Array

STEPS_TRIED = (1, 2, 3, 4)
QUICK = 0.005  # least seconds to allow for a call, since one that stops too early is faster than a right one
MOVING = 2  # number of iterations after which a fit may be at its end
FEWER = 5  # an edited fit must end right without this fraction of the samples too, not by chance,
LOOSER = 1e-3  # to this tolerance, since it may have come less far


def edit_of_fit(caller: FitCaller, deadline: float, *, by_end: bool = False) -> Mistake | None:
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
        fewer = edited.for_problem(problem.changed(X=problem.X[rest], r=problem.r[rest]))
        return _is_right_end(fewer, fewer(None), LOOSER)

    def begins_alike() -> bool:
        return not by_end or same(edited(1).theta, caller(1).theta)

    def is_right(function: Callable[..., Any], seconds: float) -> bool:
        before: Mapping[str, Array] | None = problem.theta if caller.takes_start else None
        for t in times:
            fit = call(function, t, seconds)
            if t is None or not _has_different_components(caller, fit):
                return t is None and _is_right_end(caller, fit) and ends_right_on_fewer() and begins_alike()
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
    ends_right = original.overtime or _is_right_end(caller, caller(None))
    return None if ends_right else edit_of(caller.function, is_same, is_right, taken, deadline, original.error)


def _has_different_components(caller: FitCaller, fit: Fit) -> bool:
    """Whether a fit returned legal parameters of components that differ."""
    return caller.is_mixture(fit) and not all_the_same(caller.book, fit.theta)


def _is_right_end(caller: FitCaller, fit: Fit, most: float = LOOSE) -> bool:
    at = caller.problem.changed(**fit.theta)
    return _has_different_components(caller, fit) and distance(caller.book.iterate(at), fit.theta) < most
