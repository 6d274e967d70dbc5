"""Judge where a student's fit ends, with given arguments and with its defaults, and the log-likelihood that it returns.

The limit of a wrong iteration is a fixed point of that iteration. So the limit alone can name a mistake.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from comparisons.coursework.calling.caller import Answer
from comparisons.coursework.calling.fitting import Fit, FitCaller
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.loops import (
    LIMIT_MISTAKES,
    LOOSE,
    MOVES,
    all_the_same,
    distance,
    iterations,
    same,
)
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import Mistake, close
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.judging import Trial, judge
from comparisons.coursework.result import Verdict
from comparisons.coursework.unlisted.sums import by_constants

ENOUGH, COARSE = 0.1, 1e-3  # nats that may be left to gain at the end; from here on they are noted
EARLY, A_FEW = 1.0, 10  # nats that may be left with a function's own tolerance, or with fewer iterations than these
UNIT = 10.0  # of the data of a second fit
MUCH = 0.01  # relative: a variance was kept above a floor if EM's would be lower by this much
RESTARTS, FEW, SEEDS = (1, 2, 3, 4), 40, (0, 1, 2)  # numbers of restarts, iterations of each, and seeds
OF_NUMBER = 1e-6  # relative tolerance of a single number, which a wider one would match by chance
LIMIT = "M(E(θ)) = θ at the end, and the log-likelihood at its maximum"


@dataclass
class Findings:
    """Verdicts and notes about a fit, to which each judging function appends."""

    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def all_right(self) -> bool:
        """Whether no verdict so far is wrong."""
        return all(verdict.right for verdict in self.verdicts)


def judge_limit(
    book: Textbook, problem: Problem, last: Fit, path: Mapping[int, Fit], deadline: float, findings: Findings
) -> None:
    """Judge whether the fit ended at a maximum."""
    at, wrong_before = problem.changed(**last.theta), not findings.all_right
    if problem.K > 1 and not wrong_before and all_the_same(book, last.theta):
        findings.verdicts.append(_wrong_end("components all the same"))
        return
    gain = _left_to_gain(book, at)
    mistakes = () if wrong_before else mistakes_of_limit(book, at, deadline)
    if gain < ENOUGH and not mistakes:
        findings.verdicts.append(Verdict("limit", True, formula=LIMIT))
        if wrong_before:
            return
        if gain > COARSE:
            findings.notes.append(
                f"{gain:.2g} nats are still to gain: its tolerance is coarse, or averaged over samples"
            )
        below = book.objective_at(problem.changed(**book.limit_from(problem))) - book.objective_at(at)
        if below > 1:
            findings.notes.append(f"a local maximum, {below:.3g} nats below the best known: start more than once")
        return
    early = path and same(path.get(1, last).theta, last.theta)
    if wrong_before:
        mistakes = (LIMIT_MISTAKES["wrong iterations"],)
    elif not mistakes and (early or _is_on_path(book, at, gain)):
        mistakes = (LIMIT_MISTAKES["never iterates" if early else "stops early"],)
    located = "" if mistakes else f"{gain:.3g} nats below where EM goes on to from there"
    findings.verdicts.append(Verdict("limit", False, mistakes, located, LIMIT))


def _left_to_gain(book: Textbook, at: Problem) -> float:
    """Return by how many nats EM climbs from the current parameters to its limit."""
    return book.objective_at(at.changed(**book.limit_from(at))) - book.objective_at(at)


def _wrong_end(name: str) -> Verdict:
    """Return the verdict on an end with a listed mistake."""
    return Verdict("limit", False, (LIMIT_MISTAKES[name],), formula=LIMIT)


def judge_defaults(caller: FitCaller, findings: Findings) -> None:
    """Judge where a right fit ends with its default number of iterations, its default tolerance and other seeds."""
    book, problem, seed = caller.book, caller.problem, caller.signature.roles.get("random_state")
    for name, value in [*caller.defaults.items(), *((seed, other) for other in SEEDS[1:] if seed)]:
        fit = caller.fit(**{name: value})
        if not caller.is_mixture(fit):
            continue
        gain = _left_to_gain(book, problem.changed(**fit.theta))
        if gain > ENOUGH:
            findings.notes.append(f"with {name}={value:g} it ends {gain:.2g} below where EM goes on to from there")
        if gain > EARLY and value < A_FEW:
            findings.verdicts[-1] = _wrong_end("stops early")
            caller.seed = value if name == seed else caller.seed
            return


def judge_units(caller: FitCaller, findings: Findings) -> None:
    """Judge whether a right fit keeps variances above a fixed number, by fitting the same data in a larger unit."""
    book, problem = caller.book, caller.problem
    if book.variances(problem) is None:
        return
    unit = np.full(problem.D, UNIT)
    small = problem.changed(X=problem.X / unit, **book.in_units(problem.theta, 0 * unit, unit))
    of_small = caller.for_problem(small)
    fit = of_small.fit()
    if not of_small.is_mixture(fit):
        return
    at = small.changed(**fit.theta)
    yours, right = (np.asarray(book.variances(p)) for p in (at, small.changed(**book.iterate(at))))
    least = float(yours.min())
    at_floor = (yours < least * (1 + LOOSE)) & (right < least * (1 - MUCH))
    if at_floor.sum() > 1 and close(np.maximum(right, least), yours, LOOSE):
        verdict = _wrong_end("variances kept above a number")
        mistake = replace(verdict.mistakes[0], name=f"variances kept above {least:.6g}")
        findings.verdicts[-1] = replace(verdict, mistakes=(mistake,))


def judge_restarts(caller: FitCaller, findings: Findings) -> None:
    """Judge whether a fit keeps its best restart: with the same seed, more restarts must not end lower.

    The data are fitted with twice the components, so that restarts end in different maxima.
    """
    book, problem, roles = caller.book, caller.problem, caller.signature.roles
    if "n_init" not in roles:
        return
    repeated = [quantity for quantity in book.quantities if quantity not in ("weights", *book.shared)]
    theta = {quantity: np.concatenate([problem.theta[quantity]] * 2) for quantity in repeated}
    theta |= {"weights": np.full(2 * problem.K, 0.5 / problem.K)} if "weights" in problem.theta else {}
    crowded = caller.for_problem(problem.changed(r=np.tile(problem.r, 2) / 2, **theta))
    for seed in SEEDS if "random_state" in roles else SEEDS[:1]:
        given = {roles["random_state"]: seed} if "random_state" in roles else {}
        fits = [crowded.fit(FEW, **given, **{roles["n_init"]: n}) for n in (1, *RESTARTS)]
        complete = [fit for fit in fits if crowded.is_mixture(fit)]
        if len(complete) < 2 or not same(fits[0].theta, fits[1].theta):
            return
        ends = [book.objective_at(crowded.problem.changed(**fit.theta)) for fit in complete]
        if np.diff(ends).min() < -EARLY:
            findings.verdicts[-1] = _wrong_end("best restart not kept")
            return


def _is_on_path(book: Textbook, at: Problem, gain: float) -> bool:
    """Whether the end may be a point on EM's path: one more iteration gains something, but not all that is left."""
    step = book.objective_at(at.changed(**book.iterate(at))) - book.objective_at(at)
    return 0 < step < gain


def mistakes_of_limit(book: Textbook, at: Problem, deadline: float) -> tuple[Mistake, ...]:
    """Return the mistake with which an iteration leaves the end as it is, if EM's own iteration does not.

    Each known mistake is tried in one step. If none fits, constants added to the sums of the M-step are tried.
    """
    move = distance(book.iterate(at), at.theta)
    if move < MOVES:
        return ()
    best: tuple[float, Mistake] | None = None
    for mistake, iterate in iterations(book):
        if used_seconds() > deadline:
            break
        if "old" in mistake.name.split():
            continue  # what returns its input, or a part of it, ends anywhere
        gap = distance(iterate(at), at.theta)
        if gap < 1e-3 * move and (best is None or gap < best[0] / 10):
            best = gap, mistake
    return _mistakes_of_smoothing(book, at) if best is None else (best[1],)


def _mistakes_of_smoothing(book: Textbook, at: Problem) -> tuple[Mistake, ...]:
    """Return the constants that, added to the sums of the M-step, make the end a fixed point."""
    soft = at.changed(r=book.responsibilities(at))
    mistakes: list[Mistake] = []
    for name, right in book.truth("m", soft).items():
        if distance({name: right}, {name: at.theta[name]}) < LOOSE:
            continue
        pair, divisor = (soft, at.theta[name], right), book.formulas[name].divisor
        allowed = lambda y: LOOSE * max(1.0, float(np.abs(y).max()))  # noqa: E731
        ones = lambda _: {"1": np.ones(1)}  # noqa: E731
        mistake = None if divisor is None else by_constants(name, [pair], divisor, ones, allowed)
        if mistake is None:
            return ()
        mistakes.append(mistake)
    return tuple(mistakes)


def judge_objective(book: Textbook, problem: Problem, last: Fit, deadline: float, findings: Findings) -> None:
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
        reported = np.asarray(last.history[-1])
    elif last.log_likelihood is not None:
        reported = np.asarray(last.log_likelihood)
    else:
        return
    if abs(float(reported - right)) < ENOUGH / 5:
        findings.verdicts.append(Verdict("log_likelihood", True, formula=book.formulas["log_likelihood"].text))
        return
    if any(v.quantity == "limit" and not v.right and v.mistakes and not v.follows for v in findings.verdicts):
        return  # far from the limit it may be that of the parameters before
    trial = Trial(at, Answer({"log_likelihood": reported}), {"log_likelihood": right})
    verdict = judge(book, "log_likelihood", [trial], deadline, OF_NUMBER)
    if not verdict.mistakes:
        located = f"{float(reported):.6g} is returned, and that of the returned parameters is {float(right):.6g}"
        verdict = replace(verdict, located=located)
    findings.verdicts.append(verdict)
