"""Judge a function's answers, quantity by quantity: right, a known mistake, or where it differs."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from comparisons.coursework.calling.caller import Answer, Caller
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.catalogue import INDEX_TEXTS
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import GUARD, RTOL, SINGLE, Formula, Mistake, close, explanations
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.result import Verdict
from comparisons.coursework.unlisted.edits import FAR, NEAR
from comparisons.coursework.unlisted.narrowing import describe_difference
from comparisons.coursework.unlisted.repair import Input, edit_of_step
from comparisons.coursework.unlisted.substitutes import expression_of_step
from comparisons.coursework.unlisted.sums import Pair, by_constants, by_factor, by_numbers
from models.validation import Array

ORDINARY = ("",)
OBJECTIVES = "log_likelihood", "q"
MOST_ALTERNATIVES = 2
QUICK = 0.6  # seconds to look for the place in the source, if the mistake is already named
PRIOR = Mistake(
    "prior left out",
    "What does the prior add to the counts and the sums of this step?",
    "This is the maximum-likelihood step: the prior's terms are missing.",
)


@dataclass(frozen=True)
class Trial:
    """A problem with the function's answer and the right one."""

    problem: Problem
    answer: Answer
    right: Mapping[str, Array]

    def is_right(self, quantity: str, rtol: float) -> bool:
        """Whether a quantity agrees to a relative tolerance."""
        return quantity in self.answer.values and close(self.answer.values[quantity], self.right[quantity], rtol)


def tolerance(trials: Sequence[Trial]) -> float:
    """Return the relative tolerance of a right answer; it is wider if an answer has single precision."""
    return SINGLE if any(trial.answer.single for trial in trials) else GUARD


def trial_of(caller: Caller, problem: Problem) -> Trial:
    """Call a function on a problem and return its answer beside the right one."""
    return Trial(problem, caller(problem), caller.book.truth(caller.step, problem))


def judge(
    book: Textbook,
    quantity: str,
    trials: Sequence[Trial],
    deadline: float,
    rtol: float | None = None,
    caller: Caller | None = None,
) -> Verdict:
    """Return whether a quantity is right, and else the mistakes that give the answers, or where these differ.

    Parameters
    ----------
    book : Textbook
        The family's formulas.
    quantity : str
        Name of the quantity.
    trials : sequence of Trial
        Problems with the answers and the right ones.
    deadline : float
        Time of `used_seconds` at which the search ends.
    rtol : float or None
        Relative tolerance; ``None`` follows from the precision of the answers.
    caller : Caller or None
        Calls the function on more inputs, and edits its source. Without it, the verdict follows from the trials alone.
    """
    formula = book.formulas.get(quantity)
    text = formula.text if formula else book.texts.get(quantity, "")
    answered = [trial for trial in trials if quantity in trial.answer.values]
    ordinary = [trial for trial in trials if trial.problem.name in ORDINARY]
    failed = [trial for trial in ordinary if quantity not in trial.answer.values]
    if failed:
        located = _failure_text(failed, ordinary)
        edit = _mistake_in_source(caller, quantity, [(trial.problem, trial.right) for trial in trials], deadline)
        causes = [] if edit is None else [replace(edit, hint=f"{located}. {edit.hint}")]
        return Verdict(quantity, False, tuple(causes), located, text)
    rtol = tolerance(trials) if rtol is None else rtol
    wrong = [trial for trial in answered if not trial.is_right(quantity, rtol)]
    rough = [trial for trial in answered if not trial.is_right(quantity, RTOL)]
    if not rough:
        return Verdict(quantity, True, formula=text)
    exact = rtol if rtol > GUARD else RTOL
    mistakes, alternatives = _catalogue_mistakes(formula, quantity, answered, deadline, exact)
    if not wrong and (not mistakes or rtol > GUARD):
        return Verdict(quantity, True, formula=text)
    if not mistakes:
        mistakes = _mistakes_beyond_catalogue(book, quantity, answered, deadline, caller)
    elif alternatives:
        mistakes = _with_place(mistakes, caller, quantity, answered, deadline)
    located = "" if mistakes else describe_difference(quantity, answered, rtol)
    return Verdict(quantity, False, mistakes, located, text, alternatives)


def _mistakes_beyond_catalogue(
    book: Textbook, quantity: str, trials: Sequence[Trial], deadline: float, caller: Caller | None
) -> tuple[Mistake, ...]:
    """Return mistakes that are not in the catalogue, from the answers on the ordinary problems and the source."""
    pairs = [(t.problem, t.answer.values[quantity], t.right[quantity]) for t in trials if not t.problem.name]
    mistakes: tuple[Mistake, ...] = ()
    if not all(close(yours, right, GUARD) for _, yours, right in pairs):
        with suppress(np.linalg.LinAlgError):  # answers may be of any size
            mistakes = unlisted_mistakes(book, quantity, pairs, caller)
    return _with_place(mistakes, caller, quantity, trials, deadline)


@np.errstate(all="ignore")
def unlisted_mistakes(
    book: Textbook, quantity: str, pairs: Sequence[Pair], caller: Caller | None = None
) -> tuple[Mistake, ...]:
    """Search for a wrong factor or wrong sums that give the answers; () if none are found.

    ``pairs`` are problems with a function's answers and the right ones. The function is called on more problems if each
    answer is one number.
    """
    if quantity == "labels" or any(yours.shape != right.shape for _, yours, right in pairs):
        return ()
    pairs = [*pairs, *_more_answers(caller, quantity)] if quantity in OBJECTIVES else pairs
    divisor = book.formulas[quantity].divisor if quantity in book.formulas else None
    additions = partial(book.additions, quantity)
    if quantity == "responsibilities":
        mistake = by_constants(quantity, pairs, divisor, additions)
    else:
        mistake = by_factor(quantity, pairs) or by_numbers(quantity, pairs, additions, divisor)
    return () if mistake is None else (mistake,)


def _more_answers(caller: Caller | None, quantity: str) -> list[Pair]:
    """Call a log-likelihood or Q on more random inputs, since each answer is one number; return problem, answer, right.

    There are none without a caller, and for functions that return the log-likelihood beside something else.
    """
    if caller is None or caller.step != quantity or caller.flat:
        return []
    book, rng = caller.book, np.random.RandomState(24)
    K, D = book.shape()
    sizes = [(n, K or k, D or d) for n, k, d in ((5, 2, 2), (6, 3, 1), (9, 4, 2), (7, 2, 3), (11, 3, 3), (8, 5, 2))]
    problems = book.with_old_parameters([book.draw(rng, *size) for size in sizes])
    answers = [(p, caller(p).values.get(quantity), book.truth(quantity, p)[quantity]) for p in problems]
    return [(p, yours, right) for p, yours, right in answers if yours is not None and yours.shape == right.shape]


def _with_place(
    mistakes: tuple[Mistake, ...], caller: Caller | None, quantity: str, trials: Sequence[Trial], deadline: float
) -> tuple[Mistake, ...]:
    """Add to a single mistake its place in the source; return the place in place of none or of several mistakes.

    If no place is found, the mistakes are returned as they are.
    """
    until = min(deadline, used_seconds() + QUICK) if mistakes else deadline
    inputs = [(trial.problem, {quantity: trial.right[quantity]}) for trial in trials]
    place = _mistake_in_source(caller, quantity, inputs, until)
    if place is None:
        return mistakes
    return (replace(mistakes[0], why=f"{mistakes[0].why} {place.why}"),) if len(mistakes) == 1 else (place,)


def _mistake_in_source(caller: Caller | None, quantity: str, inputs: Sequence[Input], until: float) -> Mistake | None:
    """Return a mistake as a place in the source: an edit that makes the function right, or a wrong expression.

    ``inputs`` are pairs of a problem and its right answers. Without a caller there is no source, and the result is
    None.
    """
    if caller is None:
        return None
    if edit := edit_of_step(caller, quantity, inputs, until, NEAR):
        return edit
    expression = expression_of_step(caller, quantity, inputs, until)  # faster than many edits, but less precise
    return edit_of_step(caller, quantity, inputs, until, FAR) or expression


def _catalogue_mistakes(
    formula: Formula | None, quantity: str, trials: Sequence[Trial], deadline: float, rtol: float
) -> tuple[tuple[Mistake, ...], tuple[str, ...]]:
    """Search the catalogue for mistakes that give all answers, else for mistakes that give the ordinary ones.

    Returned are the mistakes of the simplest explanation, and the names of other explanations.
    """
    if formula is None:
        return (), ()
    special = [trial for trial in trials if trial.problem.name not in ORDINARY]
    ordinary = [trial for trial in trials if trial.problem.name in ORDINARY]
    for chosen in [[*ordinary, *special], ordinary] if special else [ordinary]:
        if all(trial.is_right(quantity, rtol) for trial in chosen):
            continue
        if _forgets_prior(formula, quantity, chosen, rtol):
            return (PRIOR,), ()
        problems = [trial.problem.changed(returned=trial.answer.values) for trial in chosen]
        outputs = [trial.answer.values[quantity] for trial in chosen]
        if any(not np.isfinite(output).any() for output in outputs):
            continue
        if candidates := explanations(formula, problems, outputs, deadline, rtol):
            best = _causes(candidates)
            others = [" and ".join(mistake.name for mistake in mistakes) for mistakes in candidates if mistakes != best]
            return best, tuple(others[:MOST_ALTERNATIVES])
        if used_seconds() > deadline:
            break
    return (), ()


def _forgets_prior(formula: Formula, quantity: str, trials: Sequence[Trial], rtol: float) -> bool:
    """Whether a prior is given, and the answers are those of maximum likelihood."""
    if any(trial.problem.prior is None for trial in trials):
        return False
    flat = [(formula.value(trial.problem.changed(prior=None)), trial.answer.values[quantity]) for trial in trials]
    return all(close(right, yours, rtol) for right, yours in flat)


def _causes(candidates: Sequence[tuple[Mistake, ...]]) -> tuple[Mistake, ...]:
    """Return the first explanation, without mistakes that follow from its others."""
    best = min(candidates, key=lambda ms: (sum(not m.follows for m in ms), any(INDEX_TEXTS[1] in m.why for m in ms)))
    return tuple(mistake for mistake in best if not mistake.follows) or best


def _failure_text(failed: Sequence[Trial], ordinary: Sequence[Trial]) -> str:
    """Return why a quantity is missing, and on which inputs."""
    error = (
        failed[0].answer.error or "not found in what the function returns: a part is missing, or is no array of numbers"
    )
    first = failed[0].problem
    size = f"n = {first.n}, K = {first.K}, D = {first.D}"
    if len(failed) < len(ordinary):
        return f"{error} (on some inputs, such as {size})"
    alike = len({trial.answer.error for trial in failed}) == 1
    return f"{error} (on every ordinary input{'' if alike else f'; this message with {size}'})"
