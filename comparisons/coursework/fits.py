"""Check a student's whole fit: its path, its limit, and what it says of them.

With θ⁺ = M(E(θ)) the textbook's iteration, a fit that takes a number of iterations must have θ_(t+1) = θ_t⁺; one that
does not must end where θ⁺ = θ. If it does not, iterations with one known mistake in the E-step or the M-step are tried:
the limit of a wrong iteration is a fixed point of that iteration. The order of the components is free.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

from comparisons.coursework.calling.caller import Answer
from comparisons.coursework.calling.fitting import Fit, FitCaller
from comparisons.coursework.calling.running import can_limit
from comparisons.coursework.calling.source import reads
from comparisons.coursework.checks import SHARE_OF_CALLS, SHARE_OF_SEARCH
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.end_of_fit import (
    LIMIT,
    Findings,
    judge_defaults,
    judge_limit,
    judge_objective,
    judge_restarts,
    judge_units,
    mistakes_of_limit,
)
from comparisons.coursework.formulas.loops import (
    LOOP_MISTAKES,
    LOOSE,
    distance,
    ecm_step,
    iterations,
    loop_mistake,
    orders,
    same,
)
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.formulas.textbooks import textbook_of
from comparisons.coursework.judging import Trial, judge
from comparisons.coursework.notes import NO_LIMIT
from comparisons.coursework.other_forms import other_form
from comparisons.coursework.result import Check, Verdict
from comparisons.coursework.unlisted.fits import STEPS_TRIED, edit_of_fit
from models.validation import Array

ITERATION = "θ_(t+1) = M(E(θ_t)): responsibilities from the current parameters, then new parameters from those alone"
EARLY = "stops early", "never iterates"
STILL = "E-step only once", "stands still after the first iteration", "parameters never change"
Theta = Mapping[str, Array]


@np.errstate(all="ignore")
def check_of_fit(function: Callable[..., Any], family: str, time_limit: float, options: Mapping[str, Any]) -> Check:
    """Call a student's fit, judge its iterations and its end, and return the result of `checks.check_fit`."""
    if not callable(function):
        raise TypeError(f"fit_function must be a function, got {type(function).__name__}")
    start, begin = perf_counter(), used_seconds()
    book = textbook_of(family, **options)
    problem = book.fit_problem()
    caller = FitCaller(function, book, problem, SHARE_OF_CALLS * time_limit)
    what, section = f"fit of {book.title}", book.section("fit")
    if caller.signature.problem:
        verdict = Verdict("parameters", False, located=caller.signature.problem)
        return Check(what, (verdict,), section=section, seconds=perf_counter() - start)
    deadline, findings = begin + SHARE_OF_SEARCH * time_limit, Findings()
    caller.settle_start(book.iterate(problem))
    path = _path(caller)
    last = caller(None)
    if path and last.overtime:
        last = path[max(path)]
        findings.notes.append("slow: judged after few iterations, for the whole fit does not end in the time limit")
    if last.error:
        findings.verdicts.append(Verdict("parameters", False, located=last.error))
        _name_by_edit(caller, deadline, findings)
        _judge_path(caller, path, deadline, findings)
        return _check(what, findings, section, start)
    _judge_mixture(book, problem, last, findings)
    if findings.verdicts[0].right and (mistake := other_form(book, problem, last.theta)):
        findings.verdicts[0] = Verdict("parameters", False, (mistake,), formula=LIMIT)
    elif all(last.theta.get(name, np.empty(0)).shape == value.shape for name, value in problem.theta.items()):
        _judge_path(caller, path, deadline, findings)
    if findings.verdicts[0].right:
        judge_limit(book, problem, last, path, deadline, findings)
        _excuse_other_iterations(book, problem.changed(**last.theta), findings)
        for judge_further in (judge_defaults, judge_restarts, judge_units):
            if findings.all_right:
                judge_further(caller, findings)
        judge_objective(book, problem, last, deadline, findings)
    _name_by_edit(caller, deadline, findings)
    if not can_limit():
        findings.notes.append(NO_LIMIT)
    return _check(what, findings, section, start)


def _check(what: str, findings: Findings, section: str, start: float) -> Check:
    verdicts, notes = tuple(findings.verdicts), tuple(dict.fromkeys(findings.notes))
    return Check(what, verdicts, notes, "", section, perf_counter() - start)


def _path(caller: FitCaller) -> dict[int, Fit]:
    """Return the fits after the first iterations, by number of iterations; 0 is the start, if the function takes one.

    The path is empty if the function takes no number of iterations.
    """
    if not caller.takes_iterations or caller.restarts:
        return {}
    path = {0: Fit(dict(caller.problem.theta))} if caller.takes_start else {}
    for t in STEPS_TRIED:
        fit = caller(t)
        if fit.error:
            break
        path[t] = fit
    return path


def _judge_mixture(book: Textbook, problem: Problem, last: Fit, findings: Findings) -> None:
    """Judge whether all parameters are returned, with legal shapes and values."""
    missing = [name for name in book.quantities if name not in last.theta]
    why = f"{', '.join(missing)} missing from what it returns" if missing else book.misfit(problem, last.theta)
    findings.verdicts.append(Verdict("parameters", not why, located=why))


def _judge_path(caller: FitCaller, path: Mapping[int, Fit], deadline: float, findings: Findings) -> None:
    """Judge whether each iteration is one of EM from the parameters before it, and name its mistake if not."""
    book, problem, times = caller.book, caller.problem, sorted(path)
    if len(times) < 2:
        return
    aligned = _aligned_path(book, problem, [path[t].theta for t in times])
    repeated = caller(times[-1])
    if not repeated.error and not same(repeated.theta, path[times[-1]].theta):
        findings.notes.append("two calls with the same arguments differ: its path cannot be followed; take a seed")
        return
    steps = [(problem.changed(**before), after) for before, after in pairwise(aligned)]
    note = _note_on_em(book, steps, caller.takes_start)
    if note is not None:
        findings.notes += [note] if note else []
        findings.verdicts.append(Verdict("iteration", True, formula=ITERATION))
        return
    mistake = loop_mistake(book, problem, aligned, caller.takes_start)
    if mistake and mistake.name == "E-step only once":
        fixed = mistakes_of_limit(book, problem.changed(**aligned[-1]), deadline)
        mistake = fixed[0] if fixed else _mistake_of_standstill(caller, aligned[-1])
    moving = [(at, after) for at, after in steps if not same(at.theta, after)]
    if not mistake and caller.leaves_loops and moving and all(same(book.iterate(at), after) for at, after in moving):
        findings.notes.append(f"its loop ends by itself after {times[len(moving)]} iterations")
        findings.verdicts.append(Verdict("iteration", True, formula=ITERATION))
        return
    if mistake and mistake.name in STILL and (place := edit_of_fit(caller, deadline)):
        if mistake.name == STILL[0] and "in the loop" not in place.why:
            mistake = LOOP_MISTAKES[STILL[1]]
        mistake = replace(mistake, why=f"{mistake.why} {place.why}")
    mistakes, located = ((mistake,), "") if mistake else _mistakes_of_steps(caller, steps, deadline)
    findings.verdicts.append(Verdict("iteration", False, mistakes, located, ITERATION))


def _note_on_em(book: Textbook, steps: Sequence[tuple[Problem, Theta]], from_start: bool) -> str | None:
    """Return a note if the iterations are a legitimate variant of EM, "" if they are EM's, or None if neither."""
    if all(same(book.iterate(at), after) for at, after in steps):
        return ""
    if share := _damping(book, steps):
        return f"its iterations are damped: {share:.3g} times EM's, and the rest of the old parameters"
    if any(all(same(ecm_step(book, at, blocks), after) for at, after in steps) for blocks in orders(book.quantities)):
        return "its E-step is repeated between the updates of one iteration: a multi-cycle ECM, which climbs as EM does"
    off = _off_by_one(book, steps, from_start)
    return f"its number of iterations is off by one: {off}" if off else None


def _name_by_edit(caller: FitCaller, deadline: float, findings: Findings) -> None:
    """Find an edit of the source for a wrong quantity that has no named mistake, or that ends before the limit."""
    by_end = any(verdict.quantity == "iteration" and verdict.right for verdict in findings.verdicts)
    for i, verdict in enumerate(findings.verdicts):
        vague = not verdict.mistakes or verdict.mistakes[0].name in EARLY
        if not verdict.right and vague and verdict.quantity in ("parameters", "limit"):
            edit = edit_of_fit(caller, deadline, by_end=by_end)
            if edit is not None:
                early = [replace(one, why=f"{one.why} {edit.why}") for one in verdict.mistakes if by_end]
                findings.verdicts[i] = replace(verdict, mistakes=tuple(early) or (edit,))
            return


def _excuse_other_iterations(book: Textbook, end: Problem, findings: Findings) -> None:
    """Turn a wrong iteration without a named mistake into a note if the fit ends at a maximum, as annealing does."""
    for i, verdict in enumerate(findings.verdicts):
        unnamed = verdict.quantity == "iteration" and not verdict.right and not verdict.mistakes
        if unnamed and findings.verdicts[-1].right and distance(book.iterate(end), end.theta) < LOOSE:
            findings.verdicts[i] = Verdict("iteration", True, formula=ITERATION)
            findings.notes.append("its iterations are not those of EM, but they end at a maximum")


def _mistake_of_standstill(caller: FitCaller, end: Theta) -> Mistake:
    """Return the mistake of a fit whose parameters change only once, from its source and a call with 0 iterations."""
    if not reads(caller.function, caller.signature.roles["max_iter"]):
        return LOOP_MISTAKES["number of iterations not used"]
    if not caller.takes_start:
        start = caller(0)
        if not start.error and same(start.theta, end):
            return LOOP_MISTAKES["parameters never change"]
    return LOOP_MISTAKES["stands still after the first iteration" if caller.leaves_loops else "E-step only once"]


def _damping(book: Textbook, steps: Sequence[tuple[Problem, Theta]]) -> float:
    """Return the factor a if each iteration is θ + a (M(E(θ)) - θ) with the same a for all quantities, else 0."""
    moves = [({n: a - at.theta[n] for n, a in book.iterate(at).items()}, at.theta, after) for at, after in steps]
    full, before, after = moves[0]
    full_step = np.concatenate([np.ravel(a) for a in full.values()])
    actual_step = np.concatenate([np.ravel(after[name] - before[name]) for name in full])
    share = float(full_step @ actual_step / max(full_step @ full_step, np.finfo(float).tiny))
    damped = all(same({n: start[n] + share * a for n, a in move.items()}, end) for move, start, end in moves)
    return share if damped and 0 < share < 2 else 0.0


def _off_by_one(book: Textbook, steps: Sequence[tuple[Problem, Theta]], from_start: bool) -> str:
    """Return how the number of iterations is off: the first is none or two, or each is two; "" if it is not."""
    start, first = steps[0]
    if all(same(book.iterate(at.changed(**book.iterate(at))), after) for at, after in steps):
        return "asked for one more it makes two"
    if not from_start or all(same(at.theta, after) for at, after in steps[1:]):
        return ""
    if not all(same(book.iterate(at), after) for at, after in steps[1:]):
        return ""
    if same(start.theta, first):
        return "asked for one it returns its start: it makes one too few, or returns the parameters before its last"
    return "asked for one it makes two" if same(book.iterate(start.changed(**book.iterate(start))), first) else ""


def _aligned_path(book: Textbook, problem: Problem, path: Sequence[Theta]) -> list[Theta]:
    """Return a path whose components are permuted at each point to be most like one EM iteration from the last."""
    aligned = [path[0]]
    for after in path[1:]:
        if after.keys() != aligned[-1].keys() or any(after[n].shape != aligned[-1][n].shape for n in after):
            return list(path)
        aligned.append(book.aligned(after, book.iterate(problem.changed(**aligned[-1]))))
    return aligned


def _mistakes_of_steps(
    caller: FitCaller, steps: Sequence[tuple[Problem, Theta]], deadline: float
) -> tuple[tuple[Mistake, ...], str]:
    """Return the mistakes in the E-step or the M-step that give every iteration, or else which quantities differ."""
    book = caller.book
    for mistake, iterate in iterations(book):
        if used_seconds() > deadline:
            break
        if all(same(iterate(at), after) for at, after in steps):
            return (mistake,), ""
    if edit := edit_of_fit(caller, deadline):
        return (edit,), ""
    soft = [(at.changed(r=book.responsibilities(at)), after) for at, after in steps]
    trials = [Trial(at, Answer(dict(after)), book.truth("m", at)) for at, after in soft]
    verdicts = [judge(book, name, trials, deadline) for name in book.quantities]
    wrong = [verdict for verdict in verdicts if not verdict.right]
    if all(verdict.mistakes for verdict in wrong):
        causes = (mistake for verdict in wrong for mistake in verdict.mistakes if not mistake.follows)
        return tuple(dict.fromkeys(causes)), ""
    names = ", ".join(verdict.quantity for verdict in wrong)
    return (), f"an iteration's {names} are not those of one E-step and one M-step from the parameters before it"
