"""What runs of EM came to, which of several is the best, and which optima they found, how often."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from em.engine.problem import Arrays, Problem
from em.engine.race import MET
from models.validation import Array


class Parameters(Protocol):
    """What the loop asks of parameters: their arrays by name."""

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name."""


@dataclass(frozen=True)
class Visit:
    """Parameters of R runs as rows of numbers, what their E-step gave, and which came by a leap."""

    x: Array
    log_likelihood: Array
    objective: Array
    statistics: Arrays
    leapt: np.ndarray

    def take(self, which: np.ndarray) -> "Visit":
        """Return the same for some of the runs."""
        statistics = {name: array[which] for name, array in self.statistics.items()}
        return Visit(self.x[which], self.log_likelihood[which], self.objective[which], statistics, self.leapt[which])

    def put(self, which: np.ndarray, other: "Visit") -> None:
        """Write what another visit gave in the place of some runs."""
        for mine, theirs in zip(self._arrays(), other._arrays(), strict=True):
            mine[which] = theirs

    def _arrays(self) -> list[Array]:
        return [self.x, self.log_likelihood, self.objective, self.leapt, *self.statistics.values()]


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


def optima(runs: Sequence[Run[Any]], times: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Return a row for each optimum, the best first: its objective, how often it was found, how far it is below.

    A run that left the race because it met a better one counts for the optimum of that one. Runs that collapsed, that
    left out of reach of the best, or when the best was known (:mod:`em.engine.race`), found none. One that reached
    ``max_iter`` counts for where it stopped.

    Parameters
    ----------
    runs : sequence of Run
        All in one race.
    times : sequence of int or None, default None
        How many starts each run stands for; ``None`` counts one for each.

    Examples
    --------
    >>> from em import GaussianMixtureEM
    >>> fit = GaussianMixtureEM(1).fit([[0.0], [1.0], [3.0]])
    >>> [(row["times_found"], row["nats_below_best"]) for row in fit.starts_]
    [(1, 0.0)]
    """
    found = times_found(runs, times)
    rows: list[dict[str, Any]] = []
    for r in sorted(found, key=lambda r: -runs[r].objective):
        if rows and rows[-1]["objective"] - runs[r].objective <= MET:
            rows[-1]["times_found"] += found[r]
        else:
            below = (rows[0]["objective"] if rows else runs[r].objective) - runs[r].objective
            rows.append({"objective": runs[r].objective, "times_found": found[r], "nats_below_best": below})
    return rows


def raised(rows: Sequence[dict[str, Any]], objective: float) -> list[dict[str, Any]]:
    """Return rows of optima with another objective of the first, which is no lower than the others.

    Examples
    --------
    >>> from em.engine.run import raised
    >>> rows = [{"objective": -2.0, "nats_below_best": 0.0}, {"objective": -3.0, "nats_below_best": 1.0}]
    >>> raised(rows, -1.5)[1]
    {'objective': -3.0, 'nats_below_best': 1.5}
    """
    first = [{**row, "objective": objective} for row in rows[:1]]
    return [*first, *({**row, "nats_below_best": objective - row["objective"]} for row in rows[1:])]


def times_found(runs: Sequence[Run[Any]], times: Sequence[int] | None = None) -> dict[int, int]:
    """Return for each run that went to its end how many starts came to where it ended."""
    found: dict[int, int] = {}
    for r in range(len(runs)):
        last = r
        while (by := runs[last].beaten_by) is not None and runs[last].met:
            last = by
        if runs[last].beaten_by is None and not runs[last].collapsed:
            found[last] = found.get(last, 0) + (1 if times is None else times[r])
    return found


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
