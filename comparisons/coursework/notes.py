"""Notes of a check: conventions of the function, inputs that it changes, precision, underflow far from the means."""

from collections.abc import Sequence

from comparisons.coursework.calling.caller import Caller
from comparisons.coursework.calling.running import can_limit
from comparisons.coursework.judging import Trial, trial_of
from comparisons.coursework.result import Verdict

NO_LIMIT = "no time limit could be set: it needs the main thread, and an operating system with timers"


def notes_of(caller: Caller, trials: Sequence[Trial], verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Return sentences on what is not wrong, but worth knowing."""
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
        notes += _far_out(caller)
    return tuple(dict.fromkeys(notes))


def _far_out(caller: Caller) -> list[str]:
    """Return a note, in a list, if a right function fails where plain densities underflow."""
    if caller.flat or caller.step == "m":
        return []
    for problem in caller.book.with_old_parameters(caller.book.far_problems()):
        trial = trial_of(caller, problem)
        if trial.answer.outcome.overtime:
            return []
        if not all(
            trial.is_right(name, 1e-5) for name in trial.right if name in trial.answer.values or trial.answer.error
        ):
            fault = "fails" if trial.answer.error else "wrong"
            return [f"right on ordinary inputs, but {fault} {problem.name}: {caller.book.far_out}"]
    return []
