"""Decide which runs leave a race, in which only the best run counts.

A run leaves in one of these cases.

- It met a better run: their parameters are so near to each other that both have one limit.
- It is out of reach: it is farther below the best than a thousand times the gain that Aitken's estimate
  (:mod:`em.engine.stopping`) leaves it. On 336 random problems, Gaussian and Bernoulli, this saved 13 E-steps in 100
  and lost one winner, by 0.02 nats. A hundred times would save 23 and lose one winner in 47.
- It falls behind, and has taken twice as many iterations as the best run needed to converge. A run falls behind if the
  second half of its iterations gained less than it is still below the best.
- It falls behind, and enough runs ended at the best optimum: three runs and three in ten of the race, while no other
  run is above it. The share matters because a user who asks for many runs looks for an optimum that few of them find.
- With a ``reach``, it is farther below the best than ``reach`` times what it gained since the last look.

The first and the third rule are only for problems with a metric (`Problem.whitened`). Mean field has none, and empties
components so slowly that a late run may win: in one race of 60 the third rule would lose 2.7 nats.

Gains before a run was released from a boundary do not count as falling behind. Rates of convergence alone decide
nothing: a run that gains next to nothing on a plateau may still win. On 465 races of ten restarts (193 problems of all
families) the first run to converge was later overtaken in 22. The rule loses four of these winners. Ending all runs
when the third has found the best optimum loses five, and takes a tenth more iterations in all, and a fifth more until
the last run of a race leaves.
"""

from typing import Any

import numpy as np

from em.engine.problem import Problem
from models.validation import Array

MET = 1e-3  # nats: parameters of two runs that differ by no more have one limit
MARGIN = 1e3  # times the estimated remaining gain
ENOUGH, SHARE = 3, 0.3  # runs at the best optimum that decide a race: a number, and a share of its runs
LATE = 2  # times the iterations of the best run


class Races:
    """The state of the R runs of one or more races, by run number.

    Parameters
    ----------
    problem : Problem
        Its metric measures how far apart parameters are.
    races : ndarray of int, shape (R,)
        The race of each run.
    reach : float
        A run is also out of reach if it is farther below the best than ``reach`` times its gain since the last look.
    """

    def __init__(self, problem: Problem[Any], races: np.ndarray, reach: float) -> None:
        self.problem, self.of_run, self.reach = problem, races, reach
        self.objectives, self.points = np.full(len(races), -np.inf), np.empty((len(races), len(problem.unit)))
        self.enough = np.maximum(ENOUGH, SHARE * np.bincount(races))
        self.n_met, self.length = np.ones(len(races), dtype=int), np.full(len(races), np.inf)

    def leave(self, number: int, met: int | None = None) -> None:
        """Remove a run that collapsed or was beaten; ``met`` is the run that it met, if any."""
        self.objectives[number] = -np.inf
        if met is not None:
            self.n_met[met] += self.n_met[number]

    def end(self, number: int, x: Array, objective: float, n_iter: int) -> None:
        """Store the parameters and the objective of a run that has converged, and its number of iterations."""
        self.length[number], self.objectives[number], self.points[number] = n_iter, objective, x

    def decided(self, ids: np.ndarray, objective: Array, since_half: Array) -> dict[int, int]:
        """Return the runs whose race is decided, each with the winner, by number; runs that may still win go on.

        Parameters
        ----------
        ids, objective, since_half : ndarray, shape (R',)
            As for `beaten`.
        """
        self.objectives[ids] = objective
        n_races, races = int(self.of_run.max()) + 1, self.of_run[ids]
        highest, winner = np.full(n_races, -np.inf), np.zeros(n_races, dtype=int)
        np.maximum.at(highest, self.of_run, self.objectives)
        there = np.flatnonzero((self.length < np.inf) & (self.objectives >= highest[self.of_run] - MET))
        n_found = np.bincount(self.of_run[there], self.n_met[there], minlength=n_races)
        winner[self.of_run[there[::-1]]] = there[::-1]  # the first of each race is written last
        behind = highest[races] - objective
        over = (n_found[races] >= self.enough[races]) & ((behind <= MET) | (behind > since_half))
        return dict(zip(ids[over].tolist(), winner[races[over]].tolist(), strict=True))

    def beaten(
        self,
        ids: np.ndarray,
        x: Array,
        objective: Array,
        n_iter: int,
        lately: Array | float,
        since_half: Array,
        to_come: Array,
    ) -> dict[int, tuple[int, bool]]:
        """Return the runs that leave, by number, each with the run that beat it and whether they met.

        A run is compared with the next better one only, because runs with one limit have similar objectives. Of two
        runs that met, the one of lower number goes on, since rounding may decide which is ahead. If one of them has
        converged, it stays, and the other leaves.

        Parameters
        ----------
        ids : ndarray of int, shape (R',)
            Numbers of the running runs.
        x, objective : ndarray, shapes (R', P) and (R',)
            Their parameters and objectives.
        n_iter : int
            Number of iterations so far.
        lately, since_half : ndarray, shape (R',)
            What they gained since the last look (infinity before the first), and in the second half of their
            iterations.
        to_come : ndarray, shape (R',)
            Their estimated gain still to come, in nats.
        """
        R = len(self.of_run)
        self.objectives[ids], self.points[ids] = objective, x
        order = np.lexsort([-np.arange(R), self.objectives, self.of_run])  # by race, and from the worst to the best
        better, last = np.arange(R), np.append(self.of_run[order[1:]] != self.of_run[order[:-1]], True)
        better[order[:-1]] = np.where(last[:-1], order[:-1], order[1:])
        leader = order[last][np.searchsorted(self.of_run[order[last]], self.of_run[ids])]
        behind = self.objectives[leader] - objective
        out_of_reach = (behind > self.reach * lately) | (behind > MARGIN * to_come)
        if self.problem.whitened is not None:
            out_of_reach |= (n_iter >= LATE * self.length[leader]) & (behind > since_half)
        out_of_reach &= (ids != leader) & (behind > MET)
        other = better[ids]
        met = (other != ids) & (self.objectives[other] > -np.inf) & (self.problem.whitened is not None)
        if met.any():
            met[met] = self._distances(x[met], self.points[other[met]]) <= MET
        losers = zip(ids[out_of_reach].tolist(), leader[out_of_reach].tolist(), strict=True)
        beaten = {loser: (by, False) for loser, by in losers}
        for one, two in zip(ids[met].tolist(), other[met].tolist(), strict=True):
            stays, leaves = (two, one) if self.length[two] < np.inf else (min(one, two), max(one, two))
            if not {one, two} & beaten.keys() and leaves in ids:
                beaten[leaves] = stays, True
        return beaten

    def _distances(self, x: Array, leading: Array) -> Array:
        """Return n ‖θ - θ'‖² of two sets of parameters (R, P) after matching their components, in nats."""
        split, unit = self.problem.split, self.problem.unit
        assert self.problem.whitened is not None
        there, own, R = split(leading), split(x), len(leading)
        K = there["weights"].shape[1]
        each = [name for name, shape in self.problem.shapes.items() if shape and shape[0] == K]
        scaled = np.zeros((2 * R, K))  # one number for each component, by which components are matched
        for name, array in split(np.concatenate([x, leading]) / unit).items():
            scaled += array.reshape(2 * R, K, -1).sum(axis=2) if name in each else 0.0
        order = np.argsort(scaled, axis=1)
        matching = np.take_along_axis(order[:R], np.argsort(order[R:], axis=1), axis=1)
        rows = np.arange(R)[:, None]
        matched = {name: own[name][rows, matching] if name in each else own[name] for name in own}
        steps = self.problem.whitened(there, split((self.problem.join(matched) - leading)[:, None]))
        return self.problem.n_samples * np.sum(steps**2, axis=(1, 2))
