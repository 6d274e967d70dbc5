"""Results of runs of EM: the best of several, and the optima that they found."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from em.engine.problem import Arrays, Problem
from em.engine.race import MET
from models.shown import counted
from models.validation import Array


class Parameters(Protocol):
    """What the loop needs of parameters: their arrays by name."""

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name."""


@dataclass(frozen=True)
class Visit:
    """Parameters of R runs as rows of numbers, the results of their E-step, and which runs arrived by a leap."""

    x: Array
    log_likelihood: Array
    objective: Array
    statistics: Arrays
    leapt: np.ndarray

    def take(self, which: np.ndarray) -> "Visit":
        """Return the visit of some of the runs."""
        statistics = {name: array[which] for name, array in self.statistics.items()}
        return Visit(self.x[which], self.log_likelihood[which], self.objective[which], statistics, self.leapt[which])

    def put(self, which: np.ndarray, other: "Visit") -> None:
        """Overwrite some of the runs by another visit."""
        for mine, theirs in zip(self._arrays(), other._arrays(), strict=True):
            mine[which] = theirs

    def _arrays(self) -> list[Array]:
        return [self.x, self.log_likelihood, self.objective, self.leapt, *self.statistics.values()]


@dataclass(frozen=True)
class Run[P]:
    """The result of one run of EM; objective and log-likelihood belong to ``parameters``.

    Attributes
    ----------
    parameters : Parameters
        The parameters of highest objective that were visited.
    log_likelihood, objective : float
        Sums over samples in nats, at ``parameters``.
    history : ndarray, shape (n_iter + 1,)
        Objective of the best parameters so far, at the start and after each iteration, which is a plain step or a leap.
        If Newton's step ended the fit (:mod:`em.starts.newton`), the last value is that after it.
    n_e_steps : int
        Number of E-steps: n_iter + 1, one for each refused leap and for Newton's step, those of EM continued after its
        end, and those that tested whether a run that reached ``max_iter`` had converged. E-steps that looked for a way
        off a boundary are not counted.
    converged, collapsed : bool
        How the run ended; neither if it reached ``max_iter`` or left a race.
    status : str
        How the run ended, as a sentence.
    beaten_by : int or None, default None
        The number of the run that beat it in a race.
    met : bool, default False
        Whether it left the race because it met that run, so that both have one limit.
    start : Parameters or None, default None
        The parameters at which it began, in the units in which EM ran.
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
    """Return the run of highest objective that did not collapse, or of all runs if all collapsed.

    Of runs whose objectives differ only by rounding it is the first.
    """
    ranked = [run for run in runs if not run.collapsed and run.beaten_by is None] or list(runs)
    highest = max(run.objective for run in ranked)
    return next(run for run in ranked if run.objective >= highest - problem.rounding(highest))


def optima(runs: Sequence[Run[Any]], times: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Return a row for each optimum, the best first: objective, times found, nats below the best.

    A run that left the race because it met a better run counts for that run's optimum. Runs that collapsed, and runs
    that left for another reason (:mod:`em.engine.race`), found none. A run that reached ``max_iter`` counts for where
    it stopped.

    Parameters
    ----------
    runs : sequence of Run
        The runs of one race.
    times : sequence of int or None, default None
        Number of starts that each run stands for; ``None`` counts one for each.

    Examples
    --------
    >>> from em import GaussianMixtureEM
    >>> fit = GaussianMixtureEM(1).fit([[0.0], [1.0], [3.0]])
    >>> [(row["times_found"], row["nats_below_best"]) for row in fit.starts_]
    [(1, 0.0)]
    """
    counts = times_found(runs, times)
    rows: list[dict[str, Any]] = []
    for r in sorted(counts, key=lambda r: -runs[r].objective):
        if rows and rows[-1]["objective"] - runs[r].objective <= MET:
            rows[-1]["times_found"] += counts[r]
        else:
            below = (rows[0]["objective"] if rows else runs[r].objective) - runs[r].objective
            rows.append({"objective": runs[r].objective, "times_found": counts[r], "nats_below_best": below})
    return rows


def raised(rows: Sequence[dict[str, Any]], objective: float) -> list[dict[str, Any]]:
    """Return rows of optima with a higher objective of the first.

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
    """Return for each run that reached an optimum, by number, how many starts led there."""
    counts: dict[int, int] = {}
    for r in range(len(runs)):
        last = r
        while (by := runs[last].beaten_by) is not None and runs[last].met:
            last = by
        if runs[last].beaten_by is None and not runs[last].collapsed:
            counts[last] = counts.get(last, 0) + (1 if times is None else times[r])
    return counts


def converged_after(n_iter: int, bound: float) -> str:
    """Return the status of a run that converged to within ``bound`` nats of its limit."""
    return f"converged after {counted(n_iter, 'iteration')}, at most {bound:.3g} nats from the limit"


def lost_to_rounding(n_iter: int, loss: float, converged: bool) -> str:
    """Return the status of a run that the next M-step would have made worse by rounding."""
    made = counted(n_iter, "iteration")
    if converged:
        return f"converged after {made}, as far as rounding allows ({loss:.1g} nats)"
    why = "as it does where a covariance is nearly singular"
    return f"stopped after {made}: the next M-step would lose {loss:.1g} nats to rounding, {why}"


def nats(gain: float) -> str:
    """Return a remaining gain in words."""
    return f"about {gain:.2g} nats" if np.isfinite(gain) else "an unknown number of nats"
