"""What a check says beside right and wrong: conventions, inputs that were changed, underflow far out."""

from collections.abc import Sequence

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.calling.running import can_limit
from comparisons.coursework.formulas.textbook import Textbook
from comparisons.coursework.judging import Trial
from comparisons.coursework.result import Verdict

NO_LIMIT = "no time limit could be set: it needs the main thread, and an operating system with timers"


def notes_of(
    caller: Caller, book: Textbook, step: str, trials: Sequence[Trial], verdicts: Sequence[Verdict]
) -> tuple[str, ...]:
    """Return what is worth to know and not wrong by itself."""
    notes = list(caller.notes)
    if not can_limit():
        notes.append(NO_LIMIT)
    if any(trial.answer.outcome.changed for trial in trials):
        notes.append("changes its input in place: later code that uses the same array sees other numbers")
    if any(trial.answer.single for trial in trials):
        notes.append("single precision (float32): compared to 3 digits only")
    right = all(verdict.right for verdict in verdicts)
    failed = [t for t in trials if t.answer.error and t.problem.name and not t.answer.outcome.overtime]
    if any(not trial.answer.error for trial in trials if not trial.problem.name):
        notes += [f"raises an error for {trial.problem.name}: {trial.answer.error}" for trial in failed]
    rough = [t for t in trials if any(q in t.right and not t.is_right(q, 1e-7) for q in t.answer.values)]
    if right and rough and not any(trial.answer.single for trial in trials):
        notes.append("agrees to 5 digits only: a small constant is added somewhere, or it is computed in float32")
    if right:
        notes += far_out(caller, book, step)
    return tuple(dict.fromkeys(notes))


def far_out(caller: Caller, book: Textbook, step: str) -> list[str]:
    """Return where the function fails only far out."""
    if caller.flat or step == "m":
        return []
    for problem in book.seen(book.far()):
        trial = Trial(problem, caller(problem), book.truth(step, problem))
        if trial.answer.outcome.overtime:
            return []
        if not all(
            trial.is_right(name, 1e-5) for name in trial.right if name in trial.answer.values or trial.answer.error
        ):
            said = "fails" if trial.answer.error else "wrong"
            return [f"right on ordinary inputs, but {said} {problem.name}: {book.far_out}"]
    return []
