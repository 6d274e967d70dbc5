"""The EM loop. It knows no family: a problem hands it an E-step, an M-step and a log prior.

One iteration, in the tutorial's words, from parameters θ:

    E-step: r = p(z | x, θ), which makes the lower bound Q(·, r) + H(r) touch the objective at θ
    M-step: θ ← argmax Q(·, r) + log p(·)

so the objective, log p(x | θ) + log p(θ), never decreases (Dempster, Laird & Rubin 1977; Neal & Hinton 1998). With an
acceleration (:mod:`em.engine.acceleration`) some iterations leap instead, and only where the objective does not
decrease.

In floating point an M-step can lose what rounding took from it. A loss within the rounding of the objective is no
loss; one beyond it ends the run before it is made. What a run returns is the best of what it visited.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from em.engine.acceleration import Squarem
from em.engine.multisecant import Multisecant
from em.process.blas import one_blas_thread
from models.validation import Array

BLOCK_ROWS = 4096
EPS = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)
REMEMBERED = 4  # rates of convergence: right after a leap a slow direction may hide, and the rates before it tell
CONFIRMED = 3  # estimates of the gain to come
LEAPS_COUNT = 6  # iterations in which a leap's gain speaks against the limit
STILL = 30  # iterations that gain no digit of the objective: whatever their steps, this is the limit
PROBES = 30  # plain steps that tell whether a run that reached max_iter had converged
PROBED = 10  # times tol that these may leave: their estimate and that of the run before differ by a factor
ROUNDING = 1e3 * EPS  # of an objective, relative to its size or to one nat a sample
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
        Steps as rows whose inner products are those of the complete data's information of one sample
        (:mod:`em.engine.multisecant`).
    n_samples : float, default 1
        How many samples there are.
    log_prior_size : float, default 0
        How large the terms of the log prior are, which may cancel each other: the rounding of the objective grows with
        them (:func:`log_prior_size`).
    """

    expect: Callable[[P], tuple[float, S]]
    maximise: Callable[[S], P]
    log_prior: Callable[[P], float]
    scales: Mapping[str, Array | float]
    whitened: Callable[[P, Mapping[str, Array]], Array] | None = None
    n_samples: float = 1.0
    log_prior_size: float = 0.0

    def rounding(self, objective: float) -> float:
        """Return how much of the objective may be rounding, in nats."""
        return max(ROUNDING * self._size(objective), TINY)

    def last_digit(self, objective: float) -> float:
        """Return the size of the last digit of the objective, in nats: less cannot be gained."""
        return EPS * self._size(objective)

    def _size(self, objective: float) -> float:
        return abs(objective) + self.n_samples + self.log_prior_size


def log_prior_size(prior: Any, n_components: int, n_features: int) -> float:
    """Return about how large the terms of a log prior are: x log x for the log-gammas of its shape parameters x."""
    names = {"concentration", "degrees_of_freedom", "variance_shape", "correlation_shape"}
    names |= set(getattr(prior, "hyperparameters", ()))
    shapes = [float(np.max(value)) for name in names if (value := getattr(prior, name, None)) is not None]
    return n_components * n_features * sum(x * (1 + np.log1p(x)) for x in shapes)


@dataclass(frozen=True)
class Run[P: Parameters]:
    """What one run of EM found; objective and log-likelihood belong to ``parameters``.

    Attributes
    ----------
    parameters : Parameters
        The parameters of highest objective that were visited.
    log_likelihood, objective : float
        Sums over samples in nats, at ``parameters``.
    history : ndarray, shape (n_iter + 1,)
        Objective of the best parameters so far, at the start and after each iteration: a plain step or a leap that
        was taken.
    n_e_steps : int
        Number of E-steps made: n_iter + 1, one for each step that was refused, and those that probed whether a run
        that reached ``max_iter`` had converged.
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
        Which leaps to take after every second plain step, if any (:mod:`em.engine.multisecant`,
        :mod:`em.engine.acceleration`).

    Returns
    -------
    Run
        The parameters reached, their objective, and the story of the run.
    """
    with one_blas_thread():
        return _iterate(problem, start, tol, max_iter, _accelerator(problem, acceleration))


def best_of[P: Parameters](runs: Sequence[Run[P]], problem: Problem[P, Any]) -> Run[P]:
    """Return the run of highest objective among those that did not collapse, or among all if all did.

    Of runs that are equal up to the rounding of the objective, which met in one maximum, it is the first.
    """
    ranked = [run for run in runs if not run.collapsed] or list(runs)
    highest = max(run.objective for run in ranked)
    return next(run for run in ranked if run.objective >= highest - problem.rounding(highest))


def _accelerator(problem: Problem[Any, Any], acceleration: str | None) -> Squarem | None:
    if acceleration == "multisecant" and problem.whitened is not None:
        return Multisecant(problem.scales, problem.whitened)
    return Squarem(problem.scales) if acceleration else None


def _iterate[P: Parameters, S](
    problem: Problem[P, S], start: P, tol: float, max_iter: int, accelerator: Squarem | None
) -> Run[P]:
    try:
        at = _visit(problem, start)
    except Collapse as collapse:
        return Run(start, -np.inf, -np.inf, np.array([-np.inf]), 1, False, True, f"collapsed at its start: {collapse}")
    gain = GainToCome(start, problem)
    best, history, to_come, n_more = at, [at.objective], np.inf, 0
    collapsed = False
    while True:
        converged, status, n_more = _ending(problem, at, gain, history, to_come, tol, max_iter)
        if status:
            break
        try:
            rounding = problem.rounding(at.objective)
            slack = rounding if tol >= rounding else 0.0  # what rounding decides would differ in other units
            at = _advance(problem, at, accelerator, gain.estimates[-1] <= tol, slack)
        except Collapse as collapse:
            collapsed, status = True, f"collapsed in iteration {len(history)}: {collapse}"
            break
        if at.objective == -np.inf == history[-1]:
            raise ValueError(
                "init, frozen and prior leave the data or the parameters impossible: the objective is minus infinity, "
                "before and after an M-step. Keep frozen probs and those of init off 0 and 1"
            )
        if (loss := best.objective - at.objective) > problem.rounding(best.objective):
            n_more, converged = 1, bool(min(to_come, gain.of_step_to(at.parameters)) <= loss)
            status = _lost_to_rounding(len(history) - 1, loss, converged)
            break
        best = at if at.objective >= best.objective else best
        history.append(best.objective)
        to_come = gain.after(at.parameters, history, at.leapt)
    n_e_steps = len(history) + n_more + (accelerator.n_refused if accelerator else 0)
    path = np.array(history)
    return Run(best.parameters, best.log_likelihood, best.objective, path, n_e_steps, converged, collapsed, status)


def _ending[P: Parameters, S](
    problem: Problem[P, S],
    at: "_Visit[P, S]",
    gain: "GainToCome",
    history: list[float],
    to_come: float,
    tol: float,
    max_iter: int,
) -> tuple[bool, str, int]:
    """Return whether the run has converged, its ending in words (none if it goes on), and E-steps made to tell."""
    n_iter, rounding = len(history) - 1, problem.rounding(at.objective)
    if to_come <= tol:
        return True, _converged(n_iter, tol), 0
    if n_iter >= STILL and history[-1] - history[-1 - STILL] <= problem.last_digit(at.objective):
        return True, _converged(n_iter, rounding), 0
    if n_iter < max_iter:
        return False, "", 0
    to_come, n_probes = _probed(problem, at, gain, history, tol)
    if to_come <= (bound := max(PROBED * tol, rounding)):
        return True, _converged(n_iter, bound), n_probes
    left = f"stopped at max_iter={max_iter} with {_nats(to_come)} still to be gained: raise max_iter or tol"
    return False, left, n_probes


def _converged(n_iter: int, bound: float) -> str:
    return f"converged after {n_iter} iterations, at most {bound:.3g} nats from the limit"


def _probed[P: Parameters, S](
    problem: Problem[P, S], at: "_Visit[P, S]", gain: "GainToCome", history: list[float], tol: float
) -> tuple[float, int]:
    """Return the gain still to come after the last iteration allowed, and the number of plain steps taken to tell.

    A run that starts where another converged has no time to confirm it within one or two iterations. Where the last one
    gained next to nothing, some more plain steps tell; they count as no iterations, and what they reach is not kept.
    Steps that gain a thousandth of the objective's last digit, one after the other, are rounding and have no rate, as
    are steps that together gain no digit.
    """
    to_come, path, noise, gains = max(gain.estimates), list(history), 0, []
    if len(history) < 2 or history[-1] - history[-2] > max(tol, problem.rounding(history[-1])):
        return to_come, 0
    for n_steps in range(1, PROBES + 1):
        try:
            at = _advance(problem, at, None, confirming=True)
        except Collapse:
            return np.inf, n_steps
        path.append(at.objective)
        gains.append(gain.of_step_to(at.parameters))
        noise = noise + 1 if gains[-1] <= 1e-3 * problem.last_digit(at.objective) else 0
        to_come = gain.after(at.parameters, path)
        if noise == CONFIRMED:
            to_come = 0.0
        if to_come <= max(PROBED * tol, problem.rounding(at.objective)):
            return to_come, n_steps
    if path[-1] - history[-1] <= problem.last_digit(at.objective):
        return 0.0, PROBES
    return min(to_come, _rest_of_series(gains[PROBES // 2 :])), PROBES


def _rest_of_series(gains: list[float]) -> float:
    """Return what is left of a geometric series of gains, by its mean rate, which the noise of single ratios spares."""
    rate = (gains[-1] / gains[0]) ** (1 / (len(gains) - 1)) if 0 < gains[0] < np.inf else 1.0
    return gains[-1] * rate / (1 - rate) if rate < 1 else np.inf


def _lost_to_rounding(n_iter: int, loss: float, converged: bool) -> str:
    if converged:
        return f"converged after {n_iter} iterations, as far as rounding allows ({loss:.1g} nats)"
    return (
        f"stopped after {n_iter} iterations: the next M-step would lose {loss:.1g} nats to rounding, as it does where "
        "a covariance is nearly singular"
    )


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
    objective = log_likelihood + problem.log_prior(parameters)
    if np.isnan(objective):
        raise Collapse("the objective is not a number there")
    return _Visit(parameters, log_likelihood, objective, statistics, leapt)


def _advance[P: Parameters, S](
    problem: Problem[P, S], at: _Visit[P, S], accelerator: Squarem | None, confirming: bool, slack: float = 0.0
) -> _Visit[P, S]:
    """Return where one iteration leads: a leap that loses at most ``slack``, or else a plain step."""
    parameters = problem.maximise(at.statistics)
    ahead = accelerator.after(parameters) if accelerator else None
    if accelerator and ahead is not None and not confirming:
        leap = _leap(problem, ahead)
        if leap is not None and leap.objective >= at.objective - slack:
            accelerator.accepted()
            return leap
        accelerator.refused()
    return _visit(problem, parameters)


def _leap[P: Parameters, S](problem: Problem[P, S], ahead: P) -> _Visit[P, S] | None:
    try:
        return _visit(problem, ahead, leapt=True)
    except Collapse:
        return None


class GainToCome:
    """Aitken's estimate of how much the objective will still gain.

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

    Reference: Böhning et al. (1994), Annals of the Institute of Statistical Mathematics 46, 373-388.
    """

    def __init__(self, start: Parameters, problem: Problem[Any, Any]) -> None:
        self.last = start.arrays()
        self.problem = problem
        self.last_step = self.last_gain = self.gain_per_squared_step = 0.0
        self.rates: list[float] = []
        self.estimates = [np.inf] * CONFIRMED
        self.gains_by_leaps: list[float] = []

    def after(self, parameters: Parameters, history: list[float], leapt: bool = False) -> float:
        """Return the gain still to come, in nats, after the plain step or the leap that led to ``parameters``."""
        arrays = parameters.arrays()
        moved = {name: arrays[name] - self.last[name] for name in arrays}
        step = _root_mean_square([moved[name] / self.problem.scales[name] for name in arrays])
        gained = history[-1] - history[-2]
        by_leap = gained if leapt and gained > self.problem.rounding(history[-1]) else 0.0
        self.gains_by_leaps = [*self.gains_by_leaps, by_leap][-LEAPS_COUNT:]
        if leapt:
            self.last, self.last_step, self.estimates = arrays, 0.0, [np.inf] * CONFIRMED
            return np.inf
        if step <= STEP_NOISE:
            return 0.0
        gain = self._gain_of(step, history, parameters)
        if self.last_step > 0:
            self.rates = [*self.rates, max((step / self.last_step) ** 2, gain / self.last_gain)][-REMEMBERED:]
        rate = max(self.rates, default=np.inf)
        self.last, self.last_step, self.last_gain = arrays, step, gain
        estimate = max(*self.gains_by_leaps, gain * rate / (1 - rate) if rate < 1 else np.inf)
        self.estimates = [*self.estimates, estimate][-CONFIRMED:]
        return max(self.estimates)

    def _gain_of(self, step: float, history: list[float], parameters: Parameters) -> float:
        gain, rounding = history[-1] - history[-2], self.problem.rounding(history[-1])
        if gain > rounding:
            self.gain_per_squared_step = gain / step**2
            return gain
        if self.gain_per_squared_step > 0:
            return self.gain_per_squared_step * step**2
        return max(self.of_step_to(parameters), TINY) if self.problem.whitened else rounding

    def of_step_to(self, parameters: Parameters) -> float:
        """Return the most that the step from the last parameters to these can gain, or infinity without a metric."""
        if self.problem.whitened is None:
            return np.inf
        steps = {name: (array - self.last[name])[None] for name, array in parameters.arrays().items()}
        return self.problem.n_samples * float(np.sum(self.problem.whitened(parameters, steps) ** 2))


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
