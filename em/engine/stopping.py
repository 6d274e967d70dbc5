"""Stop a run of EM at its limit: Aitken's estimate of how much the objective will still gain.

Near its limit EM converges linearly. Inside the parameter space steps shrink by a factor ρ per iteration and gains of
the objective by ρ²; towards the boundary both shrink by ρ. So gains are a geometric series. Let g be the last gain, and
q the larger of the squared ratio of the last two steps and the ratio of the last two gains. The remaining gain is

    g q + g q² + g q³ + ... = g q / (1 - q)        and the run ends when it is at most ``tol``

Gains lose their digits in the rounding of the objective before steps do. From then on the gain is extrapolated from the
last one that was above the rounding, in proportion to the squared step. If no gain ever was, because the run started
near its limit, a step s gains at most n ‖s‖² in the metric of the complete data's information of one sample.

One small step proves nothing, because it may hide a slow direction. So q is the largest of the last few, and the
largest of three estimates in a row counts. A leap is not part of the series: after it three new estimates are needed,
and while they confirm the limit the engine takes no leap. A leap takes the slow directions out of the steps that
follow, which then look fast. But its gain shows how much was missing, so no estimate is below the gain of a leap among
the last few iterations. No such rule can tell a start on a saddle from a limit; restarts are for that.

References
----------
Böhning et al. (1994), Annals of the Institute of Statistical Mathematics 46, 373-388.
"""

from copy import copy
from typing import Any

import numpy as np

from em.engine.problem import EPS, TINY, Problem
from models.validation import Array

REMEMBERED = 4  # rates of convergence: right after a leap only the rates before it show a slow direction
CONFIRMED = 3  # estimates in a row that must agree on the limit
PROBES = 30  # most plain steps that test a run that reached ``max_iter``
PROBED = 10  # times ``tol`` that may remain after these tests, because two such estimates differ by a factor
LEAPS_COUNT = 6  # iterations for which the gain of a leap bounds the estimate from below
OF_RUNS = "last", "last_squared", "last_gain", "gain_per_squared_step", "rates", "estimates", "gains_by_leaps"
STEP_NOISE = 100 * EPS  # a step this small, in units of the parameters' scales, is the M-step's own rounding


class GainToCome:
    """Aitken's estimate of how much the objective will still gain, for R runs at once.

    Attributes
    ----------
    estimates : ndarray, shape (R, 3)
        The last three estimates, in nats.
    """

    def __init__(self, start: Array, problem: Problem[Any]) -> None:
        R = len(start)
        self.problem, self.last = problem, start
        self.weight = 1 / (problem.unit * np.sqrt(len(problem.unit)))  # of a number in the norm of a step
        self.last_squared, self.last_gain, self.gain_per_squared_step = np.zeros((3, R))
        self.rates = np.full((R, REMEMBERED), -np.inf)
        self.estimates = np.full((R, CONFIRMED), np.inf)
        self.gains_by_leaps = np.zeros((R, LEAPS_COUNT))

    def after(self, x: Array, gained: Array, objective: Array, leapt: np.ndarray) -> Array:
        """Return the remaining gains (R,), in nats, after the plain steps or leaps that led to ``x`` (R, P)."""
        step, read = (x - self.last) * self.weight, gained > (rounding := self.problem.rounding(objective))
        squared = np.einsum("rp,rp->r", step, step)
        plain, still = ~leapt, ~leapt & (squared <= STEP_NOISE**2)
        if any_still := still.any():
            plain &= ~still
        gain = np.where(read, gained, self.gain_per_squared_step * squared)
        unread = ~read & (self.gain_per_squared_step == 0)
        if unread.any():
            most = np.maximum(self.of_step_to(x), TINY) if self.problem.whitened else rounding
            gain = np.where(unread, most, gain)
        _push(self.gains_by_leaps, np.where(leapt & read, gained, 0.0))
        rate = np.fmax(squared / self.last_squared, gain / self.last_gain)
        _push(self.rates, rate, plain & (self.last_squared > 0))
        slowest = self.rates.max(axis=1)
        rest = np.where((slowest >= 0) & (slowest < 1), gain * slowest / (1 - slowest), np.inf)
        _push(self.estimates, np.maximum(self.gains_by_leaps.max(axis=1), rest), plain)
        self.estimates[leapt] = np.inf
        self.last = np.where(still[:, None], self.last, x) if any_still else x
        np.copyto(self.last_squared, squared, where=plain)
        self.last_squared[leapt] = 0.0
        np.copyto(self.last_gain, gain, where=plain)
        np.copyto(self.gain_per_squared_step, gain / squared, where=plain & read)
        to_come = self.estimates.max(axis=1)
        return np.where(still, 0.0, to_come) if any_still else to_come

    def of_step_to(self, x: Array) -> Array:
        """Return an upper bound (R,) of the gain of the last steps, to ``x`` (R, P); infinity without a metric."""
        if self.problem.whitened is None:
            return np.full(len(x), np.inf)
        split = self.problem.split
        rows = self.problem.whitened(split(x), split((x - self.last)[:, None]))
        return self.problem.n_samples * np.sum(rows**2, axis=(1, 2))

    def take(self, which: np.ndarray) -> "GainToCome":
        """Return the estimates of some of the runs."""
        other = copy(self)
        for name in OF_RUNS:
            setattr(other, name, getattr(self, name)[which])
        return other


def _push(ring: Array, values: Array, which: np.ndarray | None = None) -> None:
    """Append a column to the ring (R, m) and drop its oldest, in all rows or in some (R,)."""
    if which is None or which.all():
        ring[:, :-1], ring[:, -1] = ring[:, 1:], values
    else:
        ring[which] = np.concatenate([ring[which, 1:], values[which, None]], axis=1)


def rest_of_series(gains: list[float]) -> float:
    """Return the rest of a geometric series of gains, from its mean rate, which is less noisy than single ratios."""
    rate = (gains[-1] / gains[0]) ** (1 / (len(gains) - 1)) if 0 < gains[0] < np.inf else 1.0
    return gains[-1] * rate / (1 - rate) if rate < 1 else np.inf


def probed(loop: Any, i: int) -> tuple[float, int]:
    """Return the remaining gain of the run in row i, and the number of plain steps taken to estimate it.

    A run that starts where another one converged cannot confirm its limit within one or two iterations. If its last
    iteration gained next to nothing, more plain steps are made. They are not counted as iterations, and their
    parameters are dropped. The run is at its limit if several steps in a row each gain less than a thousandth of the
    objective's last digit, or if all steps together gain no digit: such gains are rounding.
    """
    row, ids, problem = np.array([i]), loop.ids[[i]], loop.problem
    at, gain, to_come = loop.at.take(row), loop.gain.take(row), float(loop.gain.estimates[i].max())
    path, gains, noise = [float(objectives[ids[0]]) for objectives in loop.history[-2:]], [], 0
    if len(path) < 2 or path[-1] - path[-2] > max(loop.tol, problem.rounding(path[-1])):
        return to_come, 0
    begun = path[-1]
    for n_steps in range(1, PROBES + 1):
        x, why = loop._plain_step(at, ids)
        if why[0]:
            return np.inf, n_steps
        at = loop._visit(x, ids)
        objective = float(at.objective[0])
        if np.isnan(objective):
            return np.inf, n_steps
        gains.append(float(gain.of_step_to(x)[0]))
        noise = noise + 1 if gains[-1] <= 1e-3 * problem.last_digit(objective) else 0
        to_come = float(gain.after(x, np.array([objective - path[-1]]), at.objective, at.leapt)[0])
        path.append(objective)
        if noise == CONFIRMED:
            to_come = 0.0
        if to_come <= max(PROBED * loop.tol, problem.rounding(objective)):
            return to_come, n_steps
    if path[-1] - begun <= problem.last_digit(path[-1]):
        return 0.0, PROBES
    return min(to_come, rest_of_series(gains[PROBES // 2 :])), PROBES
