"""One case from its number to its verdicts: every invariant, every error and warning, and the time it took."""

import re
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

from sklearn.exceptions import ConvergenceWarning

import em.status
from benchmarks.fuzz.cases import Case
from benchmarks.fuzz.draws import draw
from benchmarks.fuzz.fit import Fit, Refused, Watch
from benchmarks.fuzz.invariants import INVARIANTS

SECONDS = 20.0  # of processor time: what else the machine does must not decide
DOCUMENTED = [c for c in vars(em.status).values() if isinstance(c, type) and issubclass(c, Warning)]
ARGUMENTS = (
    "X|sample_weight|n_components|n_clusters|n_trials|covariance_type|prior|frozen|init|n_init|n_starts|tol|max_iter|"
    "acceleration|random_state"
)
FITTED, REFUSED = "legal input is fitted", "illegal input is refused"
NAMED, RAISED = "a refusal names the argument", "only ValueError or TypeError"
WARNED, IN_TIME = "only documented warnings", f"within {SECONDS:g} s of processor time"
NAMES = (FITTED, REFUSED, NAMED, RAISED, WARNED, *INVARIANTS, IN_TIME)


@dataclass(frozen=True)
class Verdicts:
    """What was found of one case.

    Attributes
    ----------
    number : int
        Number of the case.
    found : dict
        Invariant -> "" where it holds, what is wrong where it does not; without those that say nothing of the case.
    """

    number: int
    found: dict[str, str]


class TooLong(BaseException):  # passes every handler of ordinary errors
    """The case took more than its time."""


def check(seed: int, number: int) -> Verdicts:
    """Draw a case and hold it to every invariant."""
    found: dict[str, str] = {}
    begun, watch = process_time(), Watch()
    try:
        with time_limit():
            examine(draw(seed, number), watch, found)
    except TooLong:
        pass
    seconds = process_time() - begun
    found[IN_TIME] = "" if seconds <= SECONDS else f"took more than {SECONDS:g} s"
    wrong = {describe(warning) for warning in watch.warned if not documented(warning.category)}
    found[WARNED] = "; ".join(sorted(wrong))
    return Verdicts(number, found)


def examine(case: Case, watch: Watch, found: dict[str, str]) -> None:
    """Fit a case and add the verdict of each invariant to those found."""
    legal = FITTED if not case.illegal else REFUSED
    try:
        fit = Fit(case, watch)
    except Refused as refused:
        found[RAISED] = ""
        names = "|".join(case.illegal) or ARGUMENTS
        found[NAMED] = "" if re.search(rf"\b({names})\b", str(refused.__cause__)) else str(refused)
        if case.illegal or not case.may_refuse:
            found[legal] = "" if case.illegal else str(refused)
        return
    except Exception as error:  # any other is a finding
        found[RAISED] = where(error)
        return
    found[RAISED] = ""
    found[legal] = "" if not case.illegal else f"{', '.join(case.traits)}: {fit.estimator.status_}"
    if case.illegal:
        return
    for name, invariant in INVARIANTS.items():
        try:
            verdict = invariant(fit)
        except (Refused, Exception) as error:  # a method or a second fit that raises, on input that was fitted
            found[RAISED if not isinstance(error, Refused) else name] = f"{name}: {where(error)}"
            continue
        if verdict is not None:
            found[name] = verdict


def where(error: BaseException) -> str:
    """Return the error and the line that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:300]} ({Path(frame.filename).name}:{frame.lineno}, {frame.name})"


def documented(category: type[Warning]) -> bool:
    """Whether a warning has a class of :mod:`em.status`, or is scikit-learn's own on convergence (K-means)."""
    return category is ConvergenceWarning or issubclass(category, tuple(DOCUMENTED))


def describe(warning: Any) -> str:
    """Return a warning with the line that gave it."""
    return f"{warning.category.__name__}: {str(warning.message)[:200]} ({Path(warning.filename).name}:{warning.lineno})"


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise `TooLong` in this thread after `SECONDS` of processor time, where the system has such an alarm."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: Any) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
