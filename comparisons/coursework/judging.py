"""Judge a function's answers, quantity by quantity: right, a known mistake, or where it differs."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from comparisons.coursework.calling.caller import Answer, Caller
from comparisons.coursework.clock import used_seconds
from comparisons.coursework.formulas.catalogue import OF_INDEX
from comparisons.coursework.formulas.problem import Problem
from comparisons.coursework.formulas.slots import (
    GUARD,
    RTOL,
    SINGLE,
    Formula,
    Mistake,
    close,
    explanations,
    with_following,
)
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.result import Verdict
from comparisons.coursework.unlisted.edits import FAR, NEAR
from comparisons.coursework.unlisted.narrowing import narrowed
from comparisons.coursework.unlisted.repair import Input, repaired
from comparisons.coursework.unlisted.search import more_of, unlisted
from comparisons.coursework.unlisted.substitutes import substituted
from models.validation import Array

ORDINARY = ("",)
MOST_ALTERNATIVES = 2
QUICK = 0.6  # seconds for the place in the source of a mistake that has a name
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
    """Return how near is near enough: wider where the answers are of single precision."""
    return SINGLE if any(trial.answer.single for trial in trials) else GUARD


def judge(caller: Caller, quantity: str, trials: Sequence[Trial], deadline: float) -> Verdict:
    """Return what is found about a quantity of a function."""
    return judge_values(caller.book, quantity, trials, deadline, caller=caller)


def judge_values(
    book: Textbook,
    quantity: str,
    trials: Sequence[Trial],
    deadline: float,
    rtol: float | None = None,
    caller: Caller | None = None,
) -> Verdict:
    """Return what is found about a quantity from answers on some problems.

    Parameters
    ----------
    book : Textbook
        The family's formulas.
    quantity : str
        Which one.
    trials : sequence of Trial
        Problems with the answers and the right ones.
    deadline : float
        When the search ends, a time of `used_seconds`.
    rtol : float or None
        Relative tolerance; ``None`` follows from the precision of the answers.
    caller : Caller or None
        Calls the function on more inputs, and edits it; without it the answers are all that is known.
    """
    formula = book.formulas.get(quantity)
    text = formula.text if formula else book.texts.get(quantity, "")
    answered = [trial for trial in trials if quantity in trial.answer.values]
    ordinary = [trial for trial in trials if trial.problem.name in ORDINARY]
    failed = [trial for trial in ordinary if quantity not in trial.answer.values]
    if failed:
        located = _of_failures(failed, ordinary)
        edit = _place(caller, quantity, [(trial.problem, trial.right) for trial in trials], deadline)
        named = [] if edit is None else [replace(edit, hint=f"{located}. {edit.hint}")]
        return Verdict(quantity, False, tuple(named), located, text)
    rtol = tolerance(trials) if rtol is None else rtol
    wrong = [trial for trial in answered if not trial.is_right(quantity, rtol)]
    rough = [trial for trial in answered if not trial.is_right(quantity, RTOL)]
    if not rough:
        return Verdict(quantity, True, formula=text)
    exact = rtol if rtol > GUARD else RTOL
    mistakes, alternatives = _known(formula, quantity, answered, deadline, exact)
    if not wrong and (not mistakes or rtol > GUARD):
        return Verdict(quantity, True, formula=text)
    if not mistakes:
        mistakes = _not_known(book, quantity, answered, deadline, caller)
    elif alternatives:
        mistakes = _with_place(mistakes, caller, quantity, answered, deadline)
    located = "" if mistakes else narrowed(quantity, answered, rtol, _probes(caller, quantity))
    return Verdict(quantity, False, mistakes, located, text, alternatives)


def _not_known(
    book: Textbook, quantity: str, trials: Sequence[Trial], deadline: float, caller: Caller | None
) -> tuple[Mistake, ...]:
    """Return mistakes that are no single entry of the catalogue."""
    pairs = [(t.problem, t.answer.values[quantity], t.right[quantity]) for t in trials if not t.problem.name]
    found: tuple[Mistake, ...] = ()
    if not all(close(yours, right, GUARD) for _, yours, right in pairs):
        with suppress(np.linalg.LinAlgError):  # answers may be of any size
            found = unlisted(book, quantity, pairs, lambda: more_of(caller, quantity) if caller else [])
    return _with_place(found, caller, quantity, trials, deadline)


def _with_place(
    mistakes: tuple[Mistake, ...], caller: Caller | None, quantity: str, trials: Sequence[Trial], deadline: float
) -> tuple[Mistake, ...]:
    """Return a mistake with its place in the source; where there is none, or several, what the place alone says."""
    until = min(deadline, used_seconds() + QUICK) if mistakes else deadline
    place = _place(caller, quantity, [(trial.problem, {quantity: trial.right[quantity]}) for trial in trials], until)
    if place is None:
        return mistakes
    return (replace(mistakes[0], why=f"{mistakes[0].why} {place.why}"),) if len(mistakes) == 1 else (place,)


def _place(caller: Caller | None, quantity: str, inputs: list[Input], until: float) -> Mistake | None:
    """Return the edit after which the function is right on inputs, or the expression that should have been another.

    The right answers stand beside the inputs.
    """
    if caller is None:
        return None
    if edit := repaired(caller, quantity, inputs, until, NEAR):
        return edit
    expression = substituted(caller, quantity, inputs, until)  # takes less time than many edits, and tells less
    return repaired(caller, quantity, inputs, until, FAR) or expression


def _probes(caller: Caller | None, quantity: str) -> list[Trial]:
    """Return the function's answers where something is left out of the input, such as unequal weights."""
    if caller is None or caller.flat:
        return []
    book, step = caller.book, caller.step
    probes = [p for p in book.probes(step) if not (book.two_sets and "responsibilities" in p.name)]
    trials = [Trial(problem, caller(problem), book.truth(step, problem)) for problem in book.seen(probes)]
    return [trial for trial in trials if quantity in trial.answer.values]


def _known(
    formula: Formula | None, quantity: str, trials: Sequence[Trial], deadline: float, rtol: float
) -> tuple[tuple[Mistake, ...], tuple[str, ...]]:
    """Return the mistakes that give a quantity on all problems, or on the ordinary ones, and names of others."""
    if formula is None:
        return (), ()
    special = [trial for trial in trials if trial.problem.name not in ORDINARY]
    ordinary = [trial for trial in trials if trial.problem.name in ORDINARY]
    for chosen in [[*ordinary, *special], ordinary] if special else [ordinary]:
        if all(trial.is_right(quantity, rtol) for trial in chosen):
            continue
        if _forgets_prior(formula, quantity, chosen, rtol):
            return (PRIOR,), ()
        problems = [trial.problem.changed(own=trial.answer.values) for trial in chosen]
        outputs = [trial.answer.values[quantity] for trial in chosen]
        if any(not np.isfinite(output).any() for output in outputs):
            continue
        found = explanations(formula, problems, outputs, rtol)
        if not found:
            found = with_following(formula, problems, outputs, deadline, rtol)
        if found:
            best = _causes(found)
            others = [" and ".join(mistake.name for mistake in mistakes) for mistakes in found if mistakes != best]
            return best, tuple(others[:MOST_ALTERNATIVES])
        if used_seconds() > deadline:
            break
    return (), ()


def _forgets_prior(formula: Formula, quantity: str, trials: Sequence[Trial], rtol: float) -> bool:
    """Whether a quantity is that of maximum likelihood where a prior is given."""
    if any(trial.problem.prior is None for trial in trials):
        return False
    flat = [(formula.value(trial.problem.changed(prior=None)), trial.answer.values[quantity]) for trial in trials]
    return all(close(right, yours, rtol) for right, yours in flat)


def _causes(found: Sequence[tuple[Mistake, ...]]) -> tuple[Mistake, ...]:
    """Return the first explanation, without mistakes that follow from its others."""
    best = min(found, key=lambda ms: (sum(not m.follows for m in ms), any(OF_INDEX[1] in m.why for m in ms)))
    return tuple(mistake for mistake in best if not mistake.follows) or best


def _of_failures(failed: Sequence[Trial], ordinary: Sequence[Trial]) -> str:
    error = (
        failed[0].answer.error or "not found in what the function returns: a part is missing, or is no array of numbers"
    )
    first = failed[0].problem
    size = f"n = {first.n}, K = {first.K}, D = {first.D}"
    if len(failed) < len(ordinary):
        return f"{error} (on some inputs, such as {size})"
    alike = len({trial.answer.error for trial in failed}) == 1
    return f"{error} (on every ordinary input{'' if alike else f'; this message with {size}'})"
