"""What one run of EM came to, and which of several is the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from em.engine.problem import Problem
from models.validation import Array


class Parameters(Protocol):
    """What the loop asks of parameters: their arrays by name."""

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name."""


@dataclass(frozen=True)
class Run[P]:
    """What one run of EM came to; objective and log-likelihood belong to ``parameters``.

    Attributes
    ----------
    parameters : Parameters
        The parameters of highest objective that were visited.
    log_likelihood, objective : float
        Sums over samples in nats, at ``parameters``.
    history : ndarray, shape (n_iter + 1,)
        Objective of the best parameters so far, at the start and after each iteration: a plain step or a leap that
        was taken. The last is that after Newton's step, where one was (:mod:`em.starts.newton`).
    n_e_steps : int
        Number of E-steps made: n_iter + 1, one for each step that was refused and for Newton's, one for each time that
        EM went on after it had ended, with all of those that led nowhere, and those that probed whether a run that
        reached ``max_iter`` had converged; not those that looked for a way off a boundary.
    converged, collapsed : bool
        How it ended; neither when ``max_iter`` came first, or when it left a race.
    status : str
        The same as a sentence.
    beaten_by : int or None, default None
        The run that it left a race to.
    met : bool, default False
        Whether it left because it met that run, so that both have one limit.
    start : Parameters or None, default None
        Where it began, in the units in which EM ran.
    """

    parameters: P
    log_likelihood: float
    objective: float
    history: Array
    n_e_steps: int
    converged: bool
    collapsed: bool
    status: str
    beaten_by: int | None = None
    met: bool = False
    start: P | None = None

    @property
    def n_iter(self) -> int:
        """Number of iterations made."""
        return len(self.history) - 1


def best_of[P](runs: Sequence[Run[P]], problem: Problem[P]) -> Run[P]:
    """Return the run of highest objective among those that ended without collapse, or among all if all collapsed.

    Of runs that are equal up to the rounding of the objective, which met in one maximum, it is the first.
    """
    ranked = [run for run in runs if not run.collapsed and run.beaten_by is None] or list(runs)
    highest = max(run.objective for run in ranked)
    return next(run for run in ranked if run.objective >= highest - problem.rounding(highest))


def converged_after(n_iter: int, bound: float) -> str:
    """Return the status of a run that converged, so many nats from its limit at the most."""
    return f"converged after {n_iter} iterations, at most {bound:.3g} nats from the limit"


def lost_to_rounding(n_iter: int, loss: float, converged: bool) -> str:
    """Return the status of a run that an M-step would have thrown back."""
    if converged:
        return f"converged after {n_iter} iterations, as far as rounding allows ({loss:.1g} nats)"
    return (
        f"stopped after {n_iter} iterations: the next M-step would lose {loss:.1g} nats to rounding, as it does where "
        "a covariance is nearly singular"
    )


def nats(gain: float) -> str:
    """Return a gain still to come in words."""
    return f"about {gain:.2g} nats" if np.isfinite(gain) else "an unknown gain"
