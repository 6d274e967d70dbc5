"""Show the smallest input on which a function is wrong, with its answer and the right one."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.judging import Trial, tolerance, trial_of
from models.shown import numbers

SEEN = 0.01  # relative error that nobody takes for rounding


def example_of(caller: Caller, wrong: Sequence[str], trials: Sequence[Trial]) -> str:
    """Return the smallest input that shows that quantities are wrong, with the function's answer and the right one.

    Answers that look alike show little, so that a larger input is taken if they differ there by more than ``SEEN``.
    """
    book, rtol, tried = caller.book, tolerance(trials), list[Trial]()
    problems = book.flat_problems(caller.step)[::-1] if caller.flat else book.small_problems(caller.step)
    for problem in book.with_old_parameters(problems):
        trial = trial_of(caller, problem)
        if trial.answer.outcome.overtime:
            break
        if trial.answer.error or any(not trial.is_right(name, SEEN) for name in wrong):
            return _text(caller, trial, [name for name in wrong if not trial.is_right(name, rtol)])
        tried.append(trial)
    for trial in [*tried, *sorted(trials, key=lambda trial: trial.problem.X.size)]:
        if shown := [name for name in wrong if not trial.is_right(name, rtol)]:
            return _text(caller, trial, shown)
    return ""


def _text(caller: Caller, trial: Trial, shown: Sequence[str]) -> str:
    """Return an input as text, with the function's answer and the right one for each quantity in ``shown``."""
    problem = trial.problem
    lines = [f"Smallest input that shows it: n = {problem.n}, K = {problem.K}, D = {problem.D}"]
    lines += [f"  {name} = {_format(value)}" for name, value in inputs(caller, problem).items()]
    if trial.answer.error:
        return "\n".join([*lines, f"  your function: {trial.answer.error}"])
    for name in shown:
        yours = trial.answer.values.get(name)
        lines.append(f"  your {name}: {'missing' if yours is None else _format(yours)}")
        lines.append(f"  right: {_format(trial.right[name])}")
    return "\n".join(lines)


def inputs(caller: Caller, problem: Problem) -> dict[str, Any]:
    """Return the arguments of the function, by the textbook's names."""
    roles = caller.signature.roles
    names = [*caller.book.needed(caller.step), *(role for role in caller.book.size_names if role in problem.given)]
    bundled = caller.signature.bundled
    if caller.book.two_sets:
        names += [f"old {name}" for name in problem.theta]
    if caller.step == "m":
        names += [name for name in problem.theta if name in roles or bundled]
    return {name: caller.book.value_of(name, problem) for name in dict.fromkeys(names)}


def _format(value: Any) -> str:
    return numbers(np.asarray(value, dtype=np.float64)) if np.ndim(value) else f"{float(value):.6g}"
