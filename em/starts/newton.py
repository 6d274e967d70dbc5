"""Compute the last digits of a fit by Newton's method, because EM's own last steps are slow.

Let g and I be the gradient and the observed information at EM's estimate θ, by Louis' identity
(:mod:`em.uncertainty.louis`). Then

    θ + I⁻¹ g        is the maximum up to the square of the distance to it
    g' I⁻¹ g / 2     is the number of nats that are missing at θ

EM's own estimate of the missing nats, which :mod:`em.engine.stopping` makes from its last steps, is too small if a slow
direction hides behind a fast one: of 120 overlapping mixtures 22 were farther from their limits than estimated.

- If at most a millionth of a nat is missing, the step is taken, unless it lowers the objective.
- If more is missing, EM goes on. Only EM's own steps lead to its estimate, so another formula cannot hide a wrong
  M-step.
- There is no step if parameters are not identified, or if it would take long. The information of many rows and
  parameters is computed only after so many E-steps that it takes at most a fifth of their time.
- A first step that was long leaves an error of the square of its length. So after twice as many E-steps a second step
  follows, and after three times as many a third.
- If more than ``tol`` is missing at the end, as when ``max_iter`` came first, the status says so, provided that the
  step leads to legal parameters. Beyond them the estimate means little.
"""

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from em.engine import Run
from em.engine.problem import Problem, one_run
from em.engine.run import converged_after
from em.samples import Samples
from em.uncertainty.louis import Information
from models.parameters import Parameters
from models.validation import Array

if TYPE_CHECKING:
    from em.starts.restarts import Restarts

MOST_MISSING, LEAST_MISSING = 1e-6, 1e-11  # nats up to which a step is taken, and above which another one follows
MOST_TIMES = 3  # how often EM goes on at most
CLOSER = 1e-2  # each time EM goes on, its ``tol`` is multiplied by this
MOST_WORK = 1e8  # (rows + 8 parameters) times parameters²: about 20 milliseconds
FEWEST_E_STEPS = 150  # plus one per parameter: information costs 30 E-steps, plus a fifth of one per parameter


def polished[P: Parameters](estimator: "Restarts[P]", problem: Problem[P], samples: Samples, run: Run[P]) -> Run[P]:
    """Return a converged run after Newton's steps, if the information takes little time; other runs as they are.

    Parameters
    ----------
    estimator : Restarts
        The estimator of the run, in the units in which EM runs.
    problem : Problem
        The problem of one run.
    samples : Samples
        All samples, in those units.
    run : Run
        The best one.
    """
    n_numbers = len(problem.unit)
    work = (samples.X.shape[0] + 8 * n_numbers) * n_numbers**2
    many = FEWEST_E_STEPS + n_numbers
    if not run.converged or run.collapsed or (work > MOST_WORK and run.n_e_steps <= many):
        return run
    for number in range(MOST_TIMES + 1):
        at = copy(estimator)
        at.parameters_ = run.parameters
        arrays, missing = after_a_step(at._information_of(samples), run.parameters)
        if missing <= MOST_MISSING:
            before, run = run, _moved(problem, run, arrays)
            again = missing > LEAST_MISSING and run.n_e_steps > (number + 2) * many and number < MOST_TIMES
            if again and run.parameters is not before.parameters:
                continue
            return run
        if np.isnan(missing) or missing <= estimator.tol or number == MOST_TIMES:
            break
        at.tol = estimator.tol * CLOSER ** (number + 1)
        further = at._run(problem, [run.parameters], estimator.max_iter - run.n_iter)[0]
        run = replace(run, n_e_steps=run.n_e_steps + further.n_e_steps)
        if not (further.converged and further.objective > run.objective):
            break
        run = _joined(run, further, max(estimator.tol, problem.rounding(run.objective)))
    more = np.isfinite(missing) and missing > estimator.tol and problem.inside(one_run(arrays))[1][0]
    return replace(run, status=converged_after(run.n_iter, missing)) if more else run


def _moved[P](problem: Problem[P], run: Run[P], arrays: dict[str, Array]) -> Run[P]:
    """Return the run ending at other parameters; unchanged if these are not legal or lower the objective."""
    theta, inside = problem.inside(one_run(arrays))
    if not inside[0]:
        return run
    run = replace(run, n_e_steps=run.n_e_steps + 1)
    log_prior = float(problem.log_prior(theta)[0])
    objective = float(problem.expect(theta, np.zeros(1, dtype=int))[0][0]) + log_prior
    if not objective >= run.objective - problem.rounding(run.objective):
        return run
    objective = max(objective, run.objective)
    return replace(
        run,
        parameters=problem.build({name: array[0] for name, array in theta.items()}),
        log_likelihood=objective - log_prior,
        objective=objective,
        history=np.append(run.history[:-1], objective),
    )


def _joined[P](run: Run[P], further: Run[P], bound: float) -> Run[P]:
    """Join a run and its continuation to one run that ends at most ``bound`` nats from its limit."""
    history = np.concatenate([run.history, further.history[1:]])
    status = converged_after(len(history) - 1, bound)
    return replace(further, history=history, n_e_steps=run.n_e_steps, status=status, start=run.start)


def after_a_step(information: Information, parameters: Parameters) -> tuple[dict[str, Array], float]:
    """Return the arrays after a step of Newton's method, and the nats that were missing before it.

    The nats are NaN if there is no step, and infinity if the objective does not curve downwards.
    """
    free, entries, arrays = information.free, information.entries, parameters.arrays()
    if not len(free) or information.free_direction:
        return arrays, np.nan
    if np.isnan(information.covariance[free][:, free]).any():
        return arrays, np.inf
    step, gradient = information.covariance[:, free] @ information.gradient[free], information.gradient[free]
    moved = entries.put((entries.values + np.nan_to_num(step))[None], parameters)  # frozen entries stay
    return {name: array[0] for name, array in moved.items()}, float(gradient @ step[free]) / 2
