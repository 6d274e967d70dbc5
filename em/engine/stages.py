"""What a fit has done so far as plain arrays, so that one that was interrupted goes on where it was.

A fit calls the loop of EM several times: on parts of many rows, for short runs, from where these led. Each call is a
stage. What is between stages follows from data, settings and seeds, and is done again; of a stage that has ended its
runs are kept, of the one that goes on all that its next iteration depends on. So a fit that goes on takes the same
path, to the last bit.
"""

from collections.abc import Callable
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import fields
from typing import Any

import numpy as np

from em.engine.problem import one_run
from em.engine.run import Run, Visit

type State = dict[str, Any]

PARTS = {  # what changes in an iteration, by the object that has it
    "": ("ids", "best", "to_come", "released_at"),
    "gain": ("last", "last_squared", "last_gain", "gain_per_squared_step", "rates", "estimates", "gains_by_leaps"),
    "leaps": ("points", "pair", "at", "secants", "n_secants", "shortened", "n_refused", "by_secants"),
    "races": ("standing", "reached", "n_met", "length"),
}
OF_RUNS = [field.name for field in fields(Run) if field.name not in ("parameters", "start")]

stages_of_fit: ContextVar["Stages | None"] = ContextVar("stages_of_fit", default=None)


class Stages:
    """The stages of one fit.

    Parameters
    ----------
    states : list of State
        Of an earlier call of the same fit, in the order of its stages.
    changed : callable
        Called after each iteration.
    """

    def __init__(self, states: list[State], changed: Callable[[], None]) -> None:
        self.states, self._changed, self._n_begun = states, changed, 0

    def begin(self) -> State | None:
        """Return where the next stage is, or None if it has not begun."""
        self._n_begun += 1
        return self.states[self._n_begun - 1] if self._n_begun <= len(self.states) else None

    def put(self, state: State) -> None:
        """Keep where the stage that begun last is."""
        self.states[self._n_begun - 1 :] = [state]
        self._changed()


def state_of(loop: Any) -> State:
    """Return where the loop of EM is, in arrays of their own; of one that has ended its runs only."""
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
    """Put a loop that has not begun where another one was."""
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
