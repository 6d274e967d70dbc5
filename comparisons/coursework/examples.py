"""The smallest input on which a function is wrong, as text."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.judging import Trial, tolerance
from models.shown import numbers

SEEN = 0.01  # of the size of an answer


def example_of(caller: Caller, book: Textbook, step: str, wrong: Sequence[str], trials: Sequence[Trial]) -> str:
    """Return the smallest input that shows that quantities are wrong, with the function's answer and the right one.

    Answers that look alike show little, so that a larger input is taken if they differ there by more than ``SEEN``.
    """
    rtol, hidden = tolerance(trials), ""
    problems = book.flat_problems(step)[::-1] if caller.flat else book.small(step)
    for problem in book.seen(problems):
        trial = Trial(problem, caller(problem), book.truth(step, problem))
        if trial.answer.outcome.overtime:
            break
        shown = [name for name in wrong if not trial.is_right(name, rtol)]
        if shown and _is_seen(trial, shown):
            return _text(caller, trial, shown)
        hidden = hidden or (_text(caller, trial, shown) if shown else "")
    if hidden:
        return hidden
    found = [(trial, [name for name in wrong if not trial.is_right(name, rtol)]) for trial in trials]
    for trial, shown in sorted(found, key=lambda pair: pair[0].problem.X.size):
        if shown:
            return _text(caller, trial, shown)
    return ""


def _is_seen(trial: Trial, shown: Sequence[str]) -> bool:
    """Whether an answer is wrong in its first digits, so that nobody takes it for rounding."""
    return bool(trial.answer.error) or any(not trial.is_right(name, SEEN) for name in shown)


def _text(caller: Caller, trial: Trial, shown: Sequence[str]) -> str:
    problem = trial.problem
    lines = [f"Smallest input that shows it: n = {problem.n}, K = {problem.K}, D = {problem.D}"]
    lines += [f"  {name} = {_plain(value)}" for name, value in inputs(caller, problem).items()]
    if trial.answer.error:
        return "\n".join([*lines, f"  your function: {trial.answer.error}"])
    for name in shown:
        yours = trial.answer.values.get(name)
        lines.append(f"  your {name}: {'missing' if yours is None else _plain(yours)}")
        lines.append(f"  right: {_plain(trial.right[name])}")
    return "\n".join(lines)


def inputs(caller: Caller, problem: Problem) -> dict[str, Any]:
    """Return what the function was given, by the textbook's names."""
    roles = caller.signature.roles
    names = [*caller.book.needed(caller.step), *(role for role in caller.book.size_names if role in problem.given)]
    bundled = caller.signature.bundled
    if caller.book.two_sets:
        names += [f"old {name}" for name in problem.theta]
    if caller.step == "m":
        names += [name for name in problem.theta if name in roles or bundled]
    return {name: caller.book.value_of(name, problem) for name in dict.fromkeys(names)}


def _plain(value: Any) -> str:
    return numbers(np.asarray(value, dtype=np.float64)) if np.ndim(value) else f"{float(value):.6g}"
