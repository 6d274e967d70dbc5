"""Check one case, given its number: every invariant, every error and warning, and the time."""

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

SECONDS = 20.0  # of processor time, which does not depend on other programs
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
    """The verdicts of all invariants on one case.

    Attributes
    ----------
    number : int
        Number of the case.
    by_invariant : dict
        Invariant -> "" if it holds, else what is wrong; invariants that do not apply to the case are left out.
    """

    number: int
    by_invariant: dict[str, str]


class TooLong(BaseException):  # no handler of ordinary errors catches it
    """The case took longer than the limit."""


def check(seed: int, number: int) -> Verdicts:
    """Draw a case and check every invariant."""
    by_invariant: dict[str, str] = {}
    begun, watch = process_time(), Watch()
    try:
        with time_limit():
            examine(draw(seed, number), watch, by_invariant)
    except TooLong:
        pass
    seconds = process_time() - begun
    by_invariant[IN_TIME] = "" if seconds <= SECONDS else f"took more than {SECONDS:g} s"
    wrong = {describe(warning) for warning in watch.warned if not documented(warning.category)}
    by_invariant[WARNED] = "; ".join(sorted(wrong))
    return Verdicts(number, by_invariant)


def examine(case: Case, watch: Watch, by_invariant: dict[str, str]) -> None:
    """Fit a case and add the verdict of each invariant."""
    legal = FITTED if not case.illegal else REFUSED
    try:
        fit = Fit(case, watch)
    except Refused as refused:
        by_invariant[RAISED] = ""
        names = "|".join(case.illegal) or ARGUMENTS
        by_invariant[NAMED] = "" if re.search(rf"\b({names})\b", str(refused.__cause__)) else str(refused)
        if case.illegal or not case.may_refuse:
            by_invariant[legal] = "" if case.illegal else str(refused)
        return
    except Exception as error:  # any other error is a fault
        by_invariant[RAISED] = where(error)
        return
    by_invariant[RAISED] = ""
    by_invariant[legal] = "" if not case.illegal else f"{', '.join(case.traits)}: {fit.estimator.status_}"
    if case.illegal:
        return
    for name, invariant in INVARIANTS.items():
        try:
            verdict = invariant(fit)
        except (Refused, Exception) as error:  # a method or a second fit fails, although the first fit did not
            by_invariant[RAISED if not isinstance(error, Refused) else name] = f"{name}: {where(error)}"
            continue
        if verdict is not None:
            by_invariant[name] = verdict


def where(error: BaseException) -> str:
    """Return the error and the line that raised it."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:300]} ({Path(frame.filename).name}:{frame.lineno}, {frame.name})"


def documented(category: type[Warning]) -> bool:
    """Whether a warning has a class of :mod:`em.status`, or is scikit-learn's own on convergence (K-means)."""
    return category is ConvergenceWarning or issubclass(category, tuple(DOCUMENTED))


def describe(warning: Any) -> str:
    """Return a warning with the line that raised it."""
    return f"{warning.category.__name__}: {str(warning.message)[:200]} ({Path(warning.filename).name}:{warning.lineno})"


@contextmanager
def time_limit() -> Iterator[None]:
    """Raise `TooLong` in this thread after `SECONDS` of processor time, if the system has such an alarm."""
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
