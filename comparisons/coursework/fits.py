"""Check a student's whole fit: its path, its limit, and what it says of them.

With θ⁺ = M(E(θ)) the textbook's iteration, a fit that takes a number of iterations must have θ_(t+1) = θ_t⁺; one that
does not must end where θ⁺ = θ. If it does not, iterations with one known mistake in the E-step or the M-step are tried:
the limit of a wrong iteration is a fixed point of that iteration. The order of the components is free.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from time import perf_counter
from typing import Any

import numpy as np

from comparisons.coursework.calling.caller import Answer
from comparisons.coursework.calling.fitting import Fit, FitCaller
from comparisons.coursework.calling.running import can_limit
from comparisons.coursework.checks import NO_LIMIT, SHARE_OF_CALLS, SHARE_OF_SEARCH
from comparisons.coursework.formulas.loops import LIMIT_MISTAKES, iterations, loop_mistake
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake, close
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.formulas.textbooks import textbook_of
from comparisons.coursework.judging import Trial, judge_values
from comparisons.coursework.result import Check, Verdict
from models.validation import Array

STEPS_TRIED = (1, 2, 3)
MOVES = 1e-4  # relative: an iteration that goes on
SAME = 1e-6  # relative: two iterations that are one
ENOUGH, COARSE = 0.1, 1e-3  # nats that may be left to gain at the end; from here on they are noted
ITERATION = "θ_(t+1) = M(E(θ_t)): responsibilities from the current parameters, then new parameters from those alone"
LIMIT = "M(E(θ)) = θ at the end, and the log-likelihood at its maximum"
Theta = Mapping[str, Array]


@dataclass
class Findings:
    """What is found about a fit, verdict by verdict."""

    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@np.errstate(all="ignore")
def checked_fit(function: Callable[..., Any], family: str, time_limit: float, options: Mapping[str, Any]) -> Check:
    """Return the check of a fit; see `comparisons.coursework.checks.check_fit`."""
    if not callable(function):
        raise TypeError(f"fit_function must be a function, got {type(function).__name__}")
    start = perf_counter()
    book = textbook_of(family, **options)
    problem = book.fit_problem()
    caller = FitCaller(function, book, problem, SHARE_OF_CALLS * time_limit)
    what, section = f"fit of {book.title}", book.section("fit")
    if caller.signature.problem:
        verdict = Verdict("parameters", False, located=caller.signature.problem)
        return Check(what, (verdict,), section=section, seconds=perf_counter() - start)
    deadline, findings = start + SHARE_OF_SEARCH * time_limit, Findings()
    path = _path(caller)
    last = caller(None)
    if last.error:
        if path and last.overtime:
            last = path[max(path)]
            findings.notes.append("slow: judged after few iterations, for the whole fit does not end in the time limit")
        else:
            findings.verdicts.append(Verdict("parameters", False, located=last.error))
            if path:
                _judge_path(book, problem, caller, path, deadline, findings)
            return _check(what, findings, section, start)
    _judge_mixture(book, problem, last, findings)
    if all(last.theta.get(name, np.empty(0)).shape == value.shape for name, value in problem.theta.items()):
        _judge_path(book, problem, caller, path, deadline, findings)
    if findings.verdicts[0].right:
        _judge_limit(book, problem, last, path, deadline, findings)
        _judge_objective(book, problem, last, deadline, findings)
    if not can_limit():
        findings.notes.append(NO_LIMIT)
    return _check(what, findings, section, start)


def _check(what: str, findings: Findings, section: str, start: float) -> Check:
    verdicts, notes = tuple(findings.verdicts), tuple(dict.fromkeys(findings.notes))
    return Check(what, verdicts, notes, "", section, perf_counter() - start)


def _path(caller: FitCaller) -> dict[int, Fit]:
    """Return the parameters after few iterations, where the function takes their number; 0 is a given start."""
    if not caller.takes_iterations:
        return {}
    path = {0: Fit(dict(caller.start))} if caller.takes_start else {}
    for t in STEPS_TRIED:
        fit = caller(t)
        if fit.error:
            break
        path[t] = fit
    return path


def _judge_mixture(book: Textbook, problem: Problem, last: Fit, findings: Findings) -> None:
    """Judge whether the parameters are a mixture at all."""
    missing = [name for name in book.quantities if name not in last.theta]
    why = (
        f"{', '.join(missing)} missing from what the function returns" if missing else book.misfit(problem, last.theta)
    )
    findings.verdicts.append(Verdict("parameters", not why, located=why))


def _judge_path(
    book: Textbook,
    problem: Problem,
    caller: FitCaller,
    path: Mapping[int, Fit],
    deadline: float,
    findings: Findings,
) -> None:
    """Judge each iteration by the one before."""
    times = sorted(path)
    if len(times) < 2:
        return
    whole = _aligned(book, problem, [path[t].theta for t in times])
    pairs = list(pairwise(whole))
    again = caller(times[-1])
    if not again.error and not _same(again.theta, path[times[-1]].theta):
        findings.notes.append("two calls with the same arguments differ: its path cannot be followed; take a seed")
        return
    steps = [(problem.changed(**before), after) for before, after in pairs]
    if all(_same(book.iterate(at), after) for at, after in steps):
        findings.verdicts.append(Verdict("iteration", True, formula=ITERATION))
        return
    if caller.takes_start and _is_off_by_one(book, steps):
        findings.notes.append("its number of iterations is off by one")
        findings.verdicts.append(Verdict("iteration", True, formula=ITERATION))
        return
    mistake = loop_mistake(book, problem, whole, caller.takes_start, _same)
    mistakes, located = ((mistake,), "") if mistake else _of_steps(book, steps, deadline)
    findings.verdicts.append(Verdict("iteration", False, mistakes, located, ITERATION))


def _is_off_by_one(book: Textbook, steps: Sequence[tuple[Problem, Theta]]) -> bool:
    """Whether the first iteration is none, or two, and the later ones are right."""
    start, first = steps[0]
    once = book.iterate(start)
    none, two = _same(start.theta, first), _same(book.iterate(start.changed(**once)), first)
    later = steps[1:]
    moves = any(not _same(at.theta, after) for at, after in later)
    return (none or two) and moves and all(_same(book.iterate(at), after) for at, after in later)


def _aligned(book: Textbook, problem: Problem, path: Sequence[Theta]) -> list[Theta]:
    """Return a path with the components of each point in the order of the point before."""
    whole = [path[0]]
    for after in path[1:]:
        if after.keys() != whole[-1].keys() or any(after[n].shape != whole[-1][n].shape for n in after):
            return list(path)
        whole.append(book.aligned(after, book.iterate(problem.changed(**whole[-1]))))
    return whole


def _of_steps(
    book: Textbook, steps: Sequence[tuple[Problem, Theta]], deadline: float
) -> tuple[tuple[Mistake, ...], str]:
    """Return which known mistake in the M-step or the E-step gives every iteration, or which quantities differ."""
    for mistake, iterate in iterations(book):
        if perf_counter() > deadline:
            break
        if all(_same(iterate(at), after) for at, after in steps):
            return (mistake,), ""
    soft = [(at.changed(r=book.responsibilities(at)), after) for at, after in steps]
    trials = [Trial(at, Answer(dict(after)), book.truth("m", at)) for at, after in soft]
    verdicts = [judge_values(book, name, trials, deadline) for name in book.quantities]
    wrong = [verdict for verdict in verdicts if not verdict.right]
    named = tuple(dict.fromkeys(m for v in wrong for m in v.mistakes if not m.follows))
    if named:
        return named, ""
    names = ", ".join(verdict.quantity for verdict in wrong)
    return (), f"an iteration's {names} are not those of one E-step and one M-step from the parameters before it"


def _judge_limit(
    book: Textbook, problem: Problem, last: Fit, path: Mapping[int, Fit], deadline: float, findings: Findings
) -> None:
    """Judge whether the fit ended at a maximum."""
    at = problem.changed(**last.theta)
    reached = book.objective_at(at)
    limit, best = book.limit_from(at), book.limit_from(problem)
    gain = book.objective_at(problem.changed(**limit)) - reached
    wrong_before = any(v.quantity == "iteration" and not v.right for v in findings.verdicts)
    mistakes = () if wrong_before else _of_limit(book, at, deadline)
    if gain < ENOUGH and not mistakes:
        findings.verdicts.append(Verdict("limit", True, formula=LIMIT))
        if gain > COARSE:
            findings.notes.append(
                f"{gain:.2g} nats are still to gain: its tolerance is coarse, or averaged over samples"
            )
        below = book.objective_at(problem.changed(**best)) - reached
        if below > 1:
            findings.notes.append(f"a local maximum, {below:.3g} nats below the best known: start more than once")
        return
    early = path and all(_same(fit.theta, last.theta) for t, fit in path.items() if t == 1)
    if wrong_before:
        mistakes = (LIMIT_MISTAKES["wrong iterations"],)
    if not mistakes:
        mistakes = (LIMIT_MISTAKES["never iterates" if early else "stops early"],)
        if not early and not _on_the_way(book, at, gain):
            mistakes = ()
    located = "" if mistakes else f"{gain:.3g} nats below where EM goes on to from there"
    findings.verdicts.append(Verdict("limit", False, mistakes, located, LIMIT))


def _on_the_way(book: Textbook, at: Problem, gain: float) -> bool:
    """Whether the end looks like a point on EM's path: one iteration gains little of what is left, and more than 0."""
    step = book.objective_at(at.changed(**book.iterate(at))) - book.objective_at(at)
    return 0 < step < gain


def _of_limit(book: Textbook, at: Problem, deadline: float) -> tuple[Mistake, ...]:
    """Return the mistake of whose iteration the end is a fixed point, if it is one much more than of EM's."""
    own = _distance(book.iterate(at), at.theta)
    if own < MOVES:
        return ()
    best: tuple[float, Mistake] | None = None
    for mistake, iterate in iterations(book):
        if perf_counter() > deadline:
            break
        if "old" in mistake.name.split():
            continue  # what returns its input, or a part of it, ends anywhere
        distance = _distance(iterate(at), at.theta)
        if distance < 1e-3 * own and (best is None or distance < best[0] / 10):
            best = distance, mistake
    return () if best is None else (best[1],)


def _judge_objective(book: Textbook, problem: Problem, last: Fit, deadline: float, findings: Findings) -> None:
    """Judge the log-likelihood, or its history, that a fit returns."""
    at = problem.changed(name="", **last.theta)
    right = np.asarray(book.formulas["log_likelihood"].value(at))
    if last.history is not None and len(last.history) > 1:
        steps = np.diff(last.history)
        slack = 1e-7 * np.abs(last.history).max()
        falls = steps < -slack
        worse = f"it falls {int(falls.sum())} of {len(steps)} times, by up to {-steps.min():.3g}"
        rises = book.falls_with_fit and (steps > slack).any()
        ok = not rises if book.falls_with_fit else not falls.any() or (steps < slack).all()
        findings.verdicts.append(Verdict("history", bool(ok), located="" if ok else worse))
        said = np.asarray(last.history[-1])
    elif last.log_likelihood is not None:
        said = np.asarray(last.log_likelihood)
    else:
        return
    if abs(float(said - right)) < ENOUGH / 5:
        findings.verdicts.append(Verdict("log_likelihood", True, formula=book.formulas["log_likelihood"].text))
        return
    trial = Trial(at, Answer({"log_likelihood": said}), {"log_likelihood": right})
    verdict = judge_values(book, "log_likelihood", [trial], deadline, 1e-4)
    findings.verdicts.append(verdict)


def _same(a: Theta, b: Theta, rtol: float = SAME) -> bool:
    return a.keys() >= b.keys() and all(close(np.asarray(a[name]), np.asarray(b[name]), rtol) for name in b)


def _distance(a: Theta, b: Theta) -> float:
    """Return the largest difference, in units of the largest number of each quantity."""
    if a.keys() != b.keys():
        return np.inf
    with np.errstate(all="ignore"):
        gaps = [
            np.abs(a[name] - b[name]).max() / np.abs(b[name]).max()
            if np.shape(a[name]) == np.shape(b[name])
            else np.inf
            for name in b
        ]
    return float(max(gaps)) if np.isfinite(gaps).all() else np.inf
