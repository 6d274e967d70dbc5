"""The EM loop. It knows no family: a problem hands it an E-step, an M-step and a log prior.

One iteration, in the tutorial's words, from parameters θ:

    E-step: r = p(z | x, θ), which makes the lower bound Q(·, r) + H(r) touch the objective at θ
    M-step: θ ← argmax Q(·, r) + log p(·)

so the objective, log p(x | θ) + log p(θ), never decreases (Dempster, Laird & Rubin 1977; Neal & Hinton 1998). With an
acceleration (:mod:`em.acceleration`) some iterations leap instead, and only where the objective does not decrease.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from em.acceleration import Squarem
from em.blas import one_blas_thread
from em.multisecant import Multisecant
from models.validation import Array

BLOCK_ROWS = 4096
EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)
REMEMBERED = 4  # rates of convergence: right after a leap a slow direction may hide, and the rates before it tell
CONFIRMED = 3  # estimates of the gain to come
LEAPS_COUNT = 6  # iterations in which a leap's gain speaks against the limit
STEP_NOISE = 100 * EPS  # a step this small, in units of the parameters' scales, is the M-step's own rounding


class Parameters(Protocol):
    """What the loop asks of parameters: their arrays by name."""

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name."""


class Summable(Protocol):
    """Sufficient statistics: they add up over blocks of rows."""

    def __add__(self, other: Self, /) -> Self: ...


class Collapse(ValueError):  # noqa: N818 - an event in the life of a mixture, not a mistake of the caller
    """Raised by an M-step whose result is no longer a mixture: a component fell onto a point or lost its samples."""


@dataclass(frozen=True)
class Problem[P: Parameters, S]:
    """A mixture, a data set and a prior, as the loop sees them.

    Parameters
    ----------
    expect : callable
        E-step: parameters -> (log-likelihood in nats, sufficient statistics under the responsibilities).
    maximise : callable
        M-step: sufficient statistics -> parameters; raises `Collapse`.
    log_prior : callable
        parameters -> log prior in nats; constantly 0 for maximum likelihood.
    scales : mapping
        Typical size of each parameter array, by name: the units in which the loop measures steps.
    whitened : callable or None, default None
        Steps as rows whose inner products are those of the complete data's information (:mod:`em.multisecant`).
    """

    expect: Callable[[P], tuple[float, S]]
    maximise: Callable[[S], P]
    log_prior: Callable[[P], float]
    scales: Mapping[str, Array | float]
    whitened: Callable[[P, Mapping[str, Array]], Array] | None = None


@dataclass(frozen=True)
class Run[P: Parameters]:
    """What one run of EM found; objective and log-likelihood belong to ``parameters``.

    Attributes
    ----------
    parameters : Parameters
        The last parameters that are a mixture.
    log_likelihood, objective : float
        Sums over samples in nats, at ``parameters``.
    history : ndarray, shape (n_iter + 1,)
        Objective at the start and after each iteration: a plain step or a leap that was taken.
    n_e_steps : int
        Number of E-steps made: n_iter + 1, and one for each leap that was refused.
    converged, collapsed : bool
        How it ended; neither when ``max_iter`` came first.
    status : str
        The same as a sentence.
    """

    parameters: P
    log_likelihood: float
    objective: float
    history: Array
    n_e_steps: int
    converged: bool
    collapsed: bool
    status: str

    @property
    def n_iter(self) -> int:
        """Number of iterations made."""
        return len(self.history) - 1

    def then(self, after: Self) -> Self:
        """Return this run continued by another that started above its objective."""
        status = f"{after.status}, {self.n_iter} iterations after a false boundary was left"
        history, n_e_steps = np.concatenate([self.history, after.history]), self.n_e_steps + after.n_e_steps
        return replace(after, history=history, n_e_steps=n_e_steps, status=status)


def run_em[P: Parameters, S](
    problem: Problem[P, S], start: P, *, tol: float, max_iter: int, acceleration: str | None = None
) -> Run[P]:
    """Iterate E-step and M-step from ``start`` until at most ``tol`` nats of the objective are still to be gained.

    Parameters
    ----------
    problem : Problem
        E-step, M-step and log prior.
    start : Parameters
        Where to begin.
    tol : float
        Bound on the gain still to come, in nats of the whole objective (see :class:`GainToCome`).
    max_iter : int
        Largest number of iterations.
    acceleration : {"multisecant", "squarem", None}, default None
        Which leaps to take after every second plain step, if any (:mod:`em.multisecant`, :mod:`em.acceleration`).

    Returns
    -------
    Run
        The parameters reached, their objective, and the story of the run.
    """
    with one_blas_thread():
        return _iterate(problem, start, tol, max_iter, _accelerator(problem, acceleration))


def _accelerator(problem: Problem[Any, Any], acceleration: str | None) -> Squarem | None:
    if acceleration == "multisecant" and problem.whitened is not None:
        return Multisecant(problem.scales, problem.whitened)
    return Squarem(problem.scales) if acceleration else None


def _iterate[P: Parameters, S](
    problem: Problem[P, S], start: P, tol: float, max_iter: int, accelerator: Squarem | None
) -> Run[P]:
    at, gain = _visit(problem, start), GainToCome(start, problem.scales)
    history, to_come = [at.objective], np.inf
    status, converged, collapsed = "", False, False
    while True:
        if to_come <= tol:
            converged, status = (
                True,
                f"converged after {len(history) - 1} iterations, at most {tol:g} nats from the limit",
            )
            break
        if len(history) > max_iter:
            status = f"stopped at max_iter={max_iter} with {_nats(to_come)} still to be gained: raise max_iter or tol"
            break
        try:
            at = _advance(problem, at, accelerator, confirming=gain.estimates[-1] <= tol)
        except Collapse as collapse:
            collapsed, status = True, f"collapsed in iteration {len(history)}: {collapse}"
            break
        history.append(at.objective)
        if at.objective == -np.inf == history[-2]:
            raise ValueError(
                "init, frozen and prior leave the data or the parameters impossible: the objective is minus infinity, "
                "before and after an M-step. Keep frozen weights above 0 and frozen probs off 0 and 1"
            )
        to_come = gain.after(at.parameters, history, at.leapt)
    n_e_steps = len(history) + (accelerator.n_refused if accelerator else 0)
    path = np.array(history)
    return Run(at.parameters, at.log_likelihood, at.objective, path, n_e_steps, converged, collapsed, status)


@dataclass(frozen=True)
class _Visit[P: Parameters, S]:
    """Parameters, what their E-step gave, and whether a leap led there."""

    parameters: P
    log_likelihood: float
    objective: float
    statistics: S
    leapt: bool


def _visit[P: Parameters, S](problem: Problem[P, S], parameters: P, leapt: bool = False) -> _Visit[P, S]:
    log_likelihood, statistics = problem.expect(parameters)
    return _Visit(parameters, log_likelihood, log_likelihood + problem.log_prior(parameters), statistics, leapt)


def _advance[P: Parameters, S](
    problem: Problem[P, S], at: _Visit[P, S], accelerator: Squarem | None, confirming: bool
) -> _Visit[P, S]:
    """Return where one iteration leads: a leap that does not lose, or else the plain step that confirming needs."""
    parameters = problem.maximise(at.statistics)
    ahead = accelerator.after(parameters) if accelerator else None
    if accelerator and ahead is not None and not confirming:
        leap = _visit(problem, ahead, leapt=True)
        if leap.objective >= at.objective:
            accelerator.accepted()
            return leap
        accelerator.refused()
    return _visit(problem, parameters)


class GainToCome:
    """Aitken's estimate of how much the objective will still gain.

    Near its limit EM converges linearly: inside the parameter space steps shrink by a factor ρ per iteration and gains
    of the objective by ρ², towards its boundary both shrink by ρ. With the last gain g the rest of the geometric series
    is g q / (1 - q), q the larger of the squared ratio of steps and the ratio of gains. Steps keep their digits when
    gains have sunk into the rounding of the objective; from then on the gain is carried forward from the last one that
    could be read, in proportion to the squared step.

    One small step proves nothing (the first may hide a slow direction), so q is the largest of the last few, and the
    largest of three estimates in a row counts. A leap is no step of this series: it starts the three afresh, and while
    they confirm the limit the engine leaps no more. It is a trial, too: it takes the slow directions out of the steps
    that follow, which then look fast, but what it gained tells how much was there. So no estimate is below the gain of
    a leap among the last few iterations. A start on a saddle cannot be told from a limit by any such rule: that is what
    restarts are for.

    Reference: Böhning et al. (1994), Annals of the Institute of Statistical Mathematics 46, 373-388.
    """

    def __init__(self, start: Parameters, scales: Mapping[str, Array | float]) -> None:
        self.last = start.arrays()
        self.scales = scales
        self.last_step = self.last_gain = self.gain_per_squared_step = 0.0
        self.rates: list[float] = []
        self.estimates = [np.inf] * CONFIRMED
        self.gains_by_leaps: list[float] = []

    def after(self, parameters: Parameters, history: list[float], leapt: bool = False) -> float:
        """Return the gain still to come, in nats, after the plain step or the leap that led to ``parameters``."""
        arrays = parameters.arrays()
        step = _root_mean_square([(arrays[name] - self.last[name]) / self.scales[name] for name in arrays])
        self.gains_by_leaps = [*self.gains_by_leaps, history[-1] - history[-2] if leapt else 0.0][-LEAPS_COUNT:]
        if leapt:
            self.last, self.last_step, self.estimates = arrays, 0.0, [np.inf] * CONFIRMED
            return np.inf
        if step <= STEP_NOISE:
            return 0.0
        gain = self._gain_of(step, history)
        if self.last_step > 0:
            self.rates = [*self.rates, max((step / self.last_step) ** 2, gain / self.last_gain)][-REMEMBERED:]
        rate = max(self.rates, default=np.inf)
        self.last, self.last_step, self.last_gain = arrays, step, gain
        estimate = max(*self.gains_by_leaps, gain * rate / (1 - rate) if rate < 1 else np.inf)
        self.estimates = [*self.estimates, estimate][-CONFIRMED:]
        return max(self.estimates)

    def _gain_of(self, step: float, history: list[float]) -> float:
        gain, rounding = history[-1] - history[-2], max(1e3 * EPS * abs(history[-1]), TINY)
        if gain > rounding:
            self.gain_per_squared_step = gain / step**2
            return gain
        if self.gain_per_squared_step > 0:
            return self.gain_per_squared_step * step**2
        return rounding  # started near the limit: no gain could ever be read


def blocks(n_rows: int) -> Iterator[slice]:
    """Yield slices of at most ``BLOCK_ROWS`` rows that cover ``n_rows`` rows in order."""
    for start in range(0, n_rows, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, n_rows))


def sum_over_blocks[S: Summable](n_rows: int, step: Callable[[slice], tuple[float, S]]) -> tuple[float, S]:
    """Sum (log-likelihood, sufficient statistics) over blocks of rows, holding only one block at a time."""
    first, *rest = blocks(n_rows)
    log_likelihood, statistics = step(first)
    for rows in rest:
        block_log_likelihood, block_statistics = step(rows)
        log_likelihood, statistics = log_likelihood + block_log_likelihood, statistics + block_statistics
    return log_likelihood, statistics


def _root_mean_square(arrays: list[Array]) -> float:
    return float(np.sqrt(sum(np.sum(array**2) for array in arrays) / sum(array.size for array in arrays)))


def _nats(gain: Any) -> str:
    return f"about {gain:.2g} nats" if np.isfinite(gain) else "an unknown gain"
