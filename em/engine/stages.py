"""The state of a fit as plain arrays, so that an interrupted fit can be continued.

A fit calls the EM loop several times: on parts of the rows, for short runs, and from the best of them. Each call is a
stage. For a stage that has ended, its runs are stored. For the running stage, all that its next iteration depends on is
stored. What happens between stages follows from data, settings and seeds, and is computed again. A continued fit
therefore takes the same path, to the last bit.
"""

from collections.abc import Callable
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import fields
from typing import Any

import numpy as np

from em.engine import stopping
from em.engine.problem import one_run
from em.engine.run import Run, Visit

type State = dict[str, Any]

PARTS = {  # attributes that change in an iteration, by the object that has them
    "": ("ids", "best", "to_come", "released_at"),
    "gain": stopping.OF_RUNS,
    "leaps": ("points", "pair", "at", "secants", "n_secants", "shortened", "n_refused", "by_secants"),
    "races": ("objectives", "points", "n_met", "length"),
}
OF_RUNS = [field.name for field in fields(Run) if field.name not in ("parameters", "start")]

stages_of_fit: ContextVar["Stages | None"] = ContextVar("stages_of_fit", default=None)


class Stages:
    """The stages of one fit.

    Parameters
    ----------
    states : list of State
        The states that an earlier call of the same fit stored, in the order of its stages.
    changed : callable
        Called after each iteration.
    """

    def __init__(self, states: list[State], changed: Callable[[], None]) -> None:
        self.states, self._changed, self._n_begun = states, changed, 0

    def begin(self) -> State | None:
        """Return the stored state of the next stage, or None if it has not begun."""
        self._n_begun += 1
        return self.states[self._n_begun - 1] if self._n_begun <= len(self.states) else None

    def put(self, state: State) -> None:
        """Store the state of the running stage."""
        self.states[self._n_begun - 1 :] = [state]
        self._changed()


def state_of(loop: Any) -> State:
    """Return a copy of the state of an EM loop; if it has ended, only its runs."""
    join = loop.problem.join
    ended = [
        run and {"x": join(one_run(run.parameters.arrays()))[0], **{name: getattr(run, name) for name in OF_RUNS}}
        for run in loop.ended
    ]
    if not len(loop.ids):
        return {"ended": ended}
    parts = {part: getattr(loop, part) if part else loop for part in PARTS}
    state = {
        part: None if owner is None else {name: getattr(owner, name) for name in PARTS[part]}
        for part, owner in parts.items()
    }
    return deepcopy({**state, "ended": ended, "history": np.stack(loop.history), "at": vars(loop.at)})


def restore(loop: Any, state: State) -> None:
    """Set a loop that has not begun to a stored state."""
    problem, state = loop.problem, deepcopy(state)
    for number, run in enumerate(state["ended"]):
        if run is not None:
            parameters = problem.build(problem.split(run["x"]))
            kept = {name: run[name] for name in OF_RUNS}
            loop.ended[number] = Run(parameters, **kept, start=loop.starts[number])
    if "" not in state:
        loop.ids = loop.ids[:0]
        return
    loop.at, loop.history = Visit(**state["at"]), list(state["history"])
    for part, names in PARTS.items():
        owner = getattr(loop, part) if part else loop
        for name in names if owner is not None else ():
            setattr(owner, name, state[part][name])
