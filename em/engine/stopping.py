"""When a run of EM has reached its limit: Aitken's estimate of how much the objective will still gain."""

from typing import Any

import numpy as np

from em.engine.problem import EPS, TINY, Problem
from models.validation import Array

REMEMBERED = 4  # rates of convergence: right after a leap a slow direction may hide, and the rates before it tell
CONFIRMED = 3  # estimates of the gain to come
LEAPS_COUNT = 6  # iterations in which a leap's gain speaks against the limit
STEP_NOISE = 100 * EPS  # a step this small, in units of the parameters' scales, is the M-step's own rounding


class GainToCome:
    """Aitken's estimate of how much the objective will still gain, for R runs at once.

    Near its limit EM converges linearly: inside the parameter space steps shrink by a factor ρ per iteration and gains
    of the objective by ρ², towards its boundary both shrink by ρ. With the last gain g the rest of the geometric series
    is g q / (1 - q), q the larger of the squared ratio of steps and the ratio of gains. Steps keep their digits when
    gains have sunk into the rounding of the objective; from then on the gain is carried forward from the last one that
    could be read, in proportion to the squared step. Where none could ever be read, because the run started near the
    limit, a step s gains at most n ‖s‖² in the metric of the complete data's information of one sample.

    One small step proves nothing (the first may hide a slow direction), so q is the largest of the last few, and the
    largest of three estimates in a row counts. A leap is no step of this series: it starts the three afresh, and while
    they confirm the limit the engine leaps no more. It is a trial, too: it takes the slow directions out of the steps
    that follow, which then look fast, but what it gained tells how much was there. So no estimate is below the gain of
    a leap among the last few iterations. A start on a saddle cannot be told from a limit by any such rule: that is what
    restarts are for.

    Attributes
    ----------
    estimates : ndarray, shape (R, 3)
        The last three estimates, in nats.

    References
    ----------
    Böhning et al. (1994), Annals of the Institute of Statistical Mathematics 46, 373-388.
    """

    def __init__(self, start: Array, problem: Problem[Any]) -> None:
        R = len(start)
        self.problem, self.unit = problem, problem.unit
        self.last = start
        self.last_step, self.last_gain, self.gain_per_squared_step = np.zeros((3, R))
        self.rates = np.full((R, REMEMBERED), -np.inf)
        self.estimates = np.full((R, CONFIRMED), np.inf)
        self.gains_by_leaps = np.zeros((R, LEAPS_COUNT))

    def after(self, x: Array, gained: Array, objective: Array, leapt: np.ndarray) -> Array:
        """Return the gains still to come (R,), in nats, after the plain steps or leaps that led to ``x`` (R, P)."""
        with np.errstate(all="ignore"):  # a first gain may be infinite
            return self._after(x, gained, objective, leapt)

    def _after(self, x: Array, gained: Array, objective: Array, leapt: np.ndarray) -> Array:
        step = np.sqrt(np.mean(((x - self.last) / self.unit) ** 2, axis=1))
        rounding = self.problem.rounding(objective)
        self.gains_by_leaps = _pushed(self.gains_by_leaps, np.where(leapt & (gained > rounding), gained, 0.0))
        still = ~leapt & (step <= STEP_NOISE)
        plain = ~leapt & ~still
        gain = self._gain_of(step, gained, rounding, x)
        seen = plain & (self.last_step > 0)
        rate = np.fmax((step / self.last_step) ** 2, gain / self.last_gain)
        self.rates = np.where(seen[:, None], _pushed(self.rates, rate), self.rates)
        slowest = self.rates.max(axis=1)
        rest = np.where((slowest >= 1) | (slowest == -np.inf), np.inf, gain * slowest / (1 - slowest))
        estimate = np.maximum(self.gains_by_leaps.max(axis=1), rest)
        estimates = np.where(plain[:, None], _pushed(self.estimates, estimate), self.estimates)
        self.estimates = np.where(leapt[:, None], np.inf, estimates)
        self.last = np.where(still[:, None], self.last, x)
        self.last_step = np.where(leapt, 0.0, np.where(plain, step, self.last_step))
        self.last_gain = np.where(plain, gain, self.last_gain)
        self.gain_per_squared_step = np.where(
            plain & (gained > rounding), gain / np.where(step > 0, step, 1.0) ** 2, self.gain_per_squared_step
        )
        return np.where(still, 0.0, self.estimates.max(axis=1))

    def _gain_of(self, step: Array, gained: Array, rounding: Array, x: Array) -> Array:
        carried = self.gain_per_squared_step * step**2
        gain = np.where(gained > rounding, gained, carried)
        unread = (gained <= rounding) & (self.gain_per_squared_step == 0)
        if unread.any():
            most = np.maximum(self.of_step_to(x), TINY) if self.problem.whitened else rounding
            gain = np.where(unread, most, gain)
        return gain

    def of_step_to(self, x: Array) -> Array:
        """Return the most that the steps from the last parameters to these can gain, or infinity without a metric."""
        if self.problem.whitened is None:
            return np.full(len(x), np.inf)
        split = self.problem.split
        rows = self.problem.whitened(split(x), split((x - self.last)[:, None]))
        return self.problem.n_samples * np.sum(rows**2, axis=(1, 2))

    def take(self, which: np.ndarray) -> "GainToCome":
        """Return the same for some of the runs."""
        other = GainToCome(self.last[which], self.problem)
        for name in ("last_step", "last_gain", "gain_per_squared_step", "rates", "estimates", "gains_by_leaps"):
            setattr(other, name, getattr(self, name)[which])
        return other


def _pushed(ring: Array, values: Array) -> Array:
    """Return the ring (R, m) without its oldest column and with a new one."""
    return np.concatenate([ring[:, 1:], values[:, None]], axis=1)


def rest_of_series(gains: list[float]) -> float:
    """Return what is left of a geometric series of gains, by its mean rate, which the noise of single ratios spares."""
    rate = (gains[-1] / gains[0]) ** (1 / (len(gains) - 1)) if 0 < gains[0] < np.inf else 1.0
    return gains[-1] * rate / (1 - rate) if rate < 1 else np.inf
