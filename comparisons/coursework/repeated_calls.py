"""Call a function more often: with the same input, with another of its size, and at parameters near an edge.

The first two show what is kept from call to call. The third shows parameters that are clipped before they are used.
"""

from collections.abc import Sequence

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake
from comparisons.coursework.judging import Trial, judge, tolerance, trial_of
from comparisons.coursework.result import Verdict

EDGE = 1e-3  # relative error near an edge: clipping makes a larger one, a guard against 0 a smaller one
STATE = Mistake(
    "state kept between calls",
    "Call your function twice with the same arguments, and once with others of the same shapes. Does an answer depend "
    "on the calls before?",
    "The answer depends on the calls before: something is kept from call to call, such as a global array, a default "
    "argument that is changed, a result found again by the shape of its input, or a random number.",
)


def judge_repeated_calls(
    caller: Caller, trials: Sequence[Trial], verdicts: tuple[Verdict, ...], deadline: float
) -> tuple[tuple[Verdict, ...], list[Trial]]:
    """Call the function again, and return the changed verdicts, and the trials with those that show a mistake.

    A right quantity becomes wrong if its answer to the first input changes, or if it is wrong on another input. A wrong
    one has the mistake `STATE` if its answer to the first input changes.
    """
    first, rtol = trials[0], tolerance(trials)
    if first.answer.error:
        return verdicts, list(trials)
    repeated = Trial(first.problem, caller(first.problem), first.answer.values)
    others = [] if caller.flat else _other_trials(caller, first.problem)
    judged, shown = [], list(trials)
    for verdict in verdicts:
        name = verdict.quantity
        for trial in [repeated, *others]:
            edge = bool(trial.problem.name)
            comparable = name in first.answer.values and (verdict.right or trial is repeated)
            if comparable and not trial.answer.outcome.overtime and not trial.is_right(name, EDGE if edge else rtol):
                shown += [] if trial is repeated else [trial]
                state = Verdict(name, False, (STATE,), formula=verdict.formula)
                verdict = judge(caller.book, name, [*trials, trial], deadline, caller=caller) if edge else state
        judged.append(verdict)
    return tuple(judged), shown


def _other_trials(caller: Caller, first: Problem) -> list[Trial]:
    """Call the function on another input of the same size, and on one whose parameters are near an edge."""
    book = caller.book
    problems = [book.another_problem(first), *([] if caller.step == "m" else book.near_edge(first))]
    return [trial_of(caller, problem) for problem in book.with_old_parameters(problems)]
