"""Call a function more often: with the same input, with another of its size, and at parameters near an edge.

The first two show what is kept from call to call. The third shows parameters that are clipped before they are used.
"""

from collections.abc import Sequence

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake
from comparisons.coursework.judging import Trial, judge, tolerance
from comparisons.coursework.result import Verdict

EDGE = 1e-3  # how far off an answer is there that was not guarded but clipped
STATE = Mistake(
    "state kept between calls",
    "Call your function twice with the same arguments, and once with others of the same shapes. Does an answer depend "
    "on the calls before?",
    "The answer depends on the calls before: something is kept from call to call, such as a global array, a default "
    "argument that is changed, a result found again by the shape of its input, or a random number.",
)


def judged_again(
    caller: Caller, trials: Sequence[Trial], verdicts: tuple[Verdict, ...], deadline: float
) -> tuple[tuple[Verdict, ...], list[Trial]]:
    """Return verdicts after further calls, and the trials with those of them that show a mistake."""
    first, rtol = trials[0], tolerance(trials)
    if first.answer.error:
        return verdicts, list(trials)
    same = Trial(first.problem, caller(first.problem), first.answer.values)
    others = [] if caller.flat else _others(caller, first.problem)
    found, shown = [], list(trials)
    for verdict in verdicts:
        name = verdict.quantity
        for trial in [same, *others]:
            edge = bool(trial.problem.name)
            known = name in first.answer.values and (verdict.right or trial is same)
            if known and not trial.answer.outcome.overtime and not trial.is_right(name, EDGE if edge else rtol):
                shown += [] if trial is same else [trial]
                state = Verdict(name, False, (STATE,), formula=verdict.formula)
                verdict = judge(caller, name, [*trials, trial], deadline) if edge else state
        found.append(verdict)
    return tuple(found), shown


def _others(caller: Caller, first: Problem) -> list[Trial]:
    """Return the answers to another input of the same size, and to one whose parameters are near an edge."""
    book, step = caller.book, caller.step
    problems = [book.another(first), *([] if step == "m" else book.near_edge(first))]
    return [Trial(problem, caller(problem), book.truth(step, problem)) for problem in book.seen(problems)]
