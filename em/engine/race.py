"""Which runs leave a race: those that have met a better one, or are out of its reach, and most when the best is known.

A run is out of reach if it is farther below the best than a thousand times what it is to gain yet by Aitken's estimate
(:mod:`em.engine.stopping`). On 336 random problems, Gaussian and Bernoulli, this saved 13 E-steps in 100 and lost one
winner, by 0.02 nats; a hundred times would save 23 and lose one winner in 47.

A run falls behind if the second half of its iterations gained less than it is still below the best. Who falls behind
leaves when it has taken twice as many iterations as the best run needed to converge, or when three runs, and three in
ten of the race, have ended at the best optimum and no other is above it: who asks for many runs looks for an optimum
that few find. What a run gained before it was released from a boundary does not count against it. Rates of convergence
tell nothing before: a run that gains next to nothing on a plateau may win yet. On 465 races of ten restarts (193
problems of all families) the first to converge was later overtaken in 22. The rule loses four of these winners; to end
all runs at the third find alone loses five, and takes a tenth more iterations in all, and a fifth more until the last
run of a race leaves.
"""

from typing import Any

import numpy as np

from em.engine.problem import Problem
from models.validation import Array

MET = 1e-3  # nats that parameters as near to a better run's may differ by
MARGIN = 1e3  # times the estimated gain to come
ENOUGH, SHARE = 3, 0.3  # runs that ended at the best optimum so far, and of all runs of a race
LATE = 2  # times the iterations of the best run


class Races:
    """Where the R runs of some races stand, by their numbers.

    Parameters
    ----------
    problem : Problem
        Whose metric tells how far apart parameters are.
    races : ndarray of int, shape (R,)
        The race of each run.
    reach : float
        A run is out of reach if it is so many times farther below the best than it gained of late.
    """

    def __init__(self, problem: Problem[Any], races: np.ndarray, reach: float) -> None:
        self.problem, self.of_run, self.reach = problem, races, reach
        self.standing, self.reached = np.full(len(races), -np.inf), np.empty((len(races), len(problem.unit)))
        self.enough = np.maximum(ENOUGH, SHARE * np.bincount(races))
        self.n_met, self.length = np.ones(len(races), dtype=int), np.full(len(races), np.inf)

    def leave(self, number: int, met: int | None = None) -> None:
        """Forget a run that has collapsed or was beaten, or met another one."""
        self.standing[number] = -np.inf
        if met is not None:
            self.n_met[met] += self.n_met[number]

    def end(self, number: int, x: Array, objective: float, n_iter: int) -> None:
        """Remember where a run has converged, its objective there, and after how many iterations."""
        self.length[number], self.standing[number], self.reached[number] = n_iter, objective, x

    def decided(self, ids: np.ndarray, objective: Array, since_half: Array) -> dict[int, int]:
        """Return the numbers of the runs whose race is over, each with that of its winner; runs that still climb go on.

        Parameters
        ----------
        ids, objective, since_half : ndarray, shape (R',)
            As for `beaten`.
        """
        self.standing[ids] = objective
        n_races, races = int(self.of_run.max()) + 1, self.of_run[ids]
        highest, winner = np.full(n_races, -np.inf), np.zeros(n_races, dtype=int)
        np.maximum.at(highest, self.of_run, self.standing)
        there = np.flatnonzero((self.length < np.inf) & (self.standing >= highest[self.of_run] - MET))
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
        """Return the numbers of the runs that leave, each with that of the run that beat it and whether they met.

        Runs with one limit have objectives next to each other. Of two that have met the first goes on, for which is
        ahead may be rounding; or neither does, if the other has converged.

        Parameters
        ----------
        ids : ndarray of int, shape (R',)
            Numbers of the runs that go on.
        x, objective : ndarray, shapes (R', P) and (R',)
            Their best parameters, and the objective there.
        n_iter : int
            How many iterations they took.
        lately, since_half : ndarray, shape (R',)
            What they gained since the last look, infinity before the first, and in the second half of their iterations.
        to_come : ndarray, shape (R',)
            What they are to gain yet, by estimate, in nats.
        """
        R = len(self.of_run)
        self.standing[ids], self.reached[ids] = objective, x
        order = np.lexsort([-np.arange(R), self.standing, self.of_run])  # by race, and from the worst to the best
        better, last = np.arange(R), np.append(self.of_run[order[1:]] != self.of_run[order[:-1]], True)
        better[order[:-1]] = np.where(last[:-1], order[:-1], order[1:])
        leader = order[last][np.searchsorted(self.of_run[order[last]], self.of_run[ids])]
        behind = self.standing[leader] - objective
        out_of_reach = (behind > self.reach * lately) | (behind > MARGIN * to_come)
        out_of_reach |= (n_iter >= LATE * self.length[leader]) & (behind > since_half)
        out_of_reach &= (ids != leader) & (behind > MET)
        other = better[ids]
        met = (other != ids) & (self.standing[other] > -np.inf)
        if met.any():
            met[met] = self._distances(x[met], self.reached[other[met]]) <= MET
        losers = zip(ids[out_of_reach].tolist(), leader[out_of_reach].tolist(), strict=True)
        beaten = {loser: (by, False) for loser, by in losers}
        for one, two in zip(ids[met].tolist(), other[met].tolist(), strict=True):
            stays, leaves = (two, one) if self.length[two] < np.inf else (min(one, two), max(one, two))
            if not {one, two} & beaten.keys() and leaves in ids:
                beaten[leaves] = stays, True
        return beaten

    def _distances(self, x: Array, leading: Array) -> Array:
        """Return n ‖θ - θ'‖² of parameters (R, P) from others, components matched, in nats."""
        split, unit = self.problem.split, self.problem.unit
        assert self.problem.whitened is not None
        there, own, R = split(leading), split(x), len(leading)
        K = there["weights"].shape[1]
        each = [name for name, shape in self.problem.shapes.items() if shape and shape[0] == K]
        scaled = np.zeros((2 * R, K))  # one number of each component
        for name, array in split(np.concatenate([x, leading]) / unit).items():
            scaled += array.reshape(2 * R, K, -1).sum(axis=2) if name in each else 0.0
        order = np.argsort(scaled, axis=1)
        matching = np.take_along_axis(order[:R], np.argsort(order[R:], axis=1), axis=1)
        rows = np.arange(R)[:, None]
        matched = {name: own[name][rows, matching] if name in each else own[name] for name in own}
        steps = self.problem.whitened(there, split((self.problem.join(matched) - leading)[:, None]))
        return self.problem.n_samples * np.sum(steps**2, axis=(1, 2))
