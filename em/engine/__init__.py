"""The EM loop. It knows no family: a problem hands it an E-step, an M-step and a log prior.

One iteration, in the tutorial's words, from parameters θ:

    E-step: r = p(z | x, θ), which makes the lower bound Q(·, r) + H(r) touch the objective at θ
    M-step: θ ← argmax Q(·, r) + log p(·)

so the objective, log p(x | θ) + log p(θ), never decreases (Dempster, Laird & Rubin 1977; Neal & Hinton 1998). With an
acceleration (:mod:`em.engine.leaps`) some iterations leap instead, and only where the objective does not decrease.

Runs are an axis: all restarts take their steps together, in arrays (R, ...), and those that have ended leave. In a
race, of which only the best run counts, those leave too that have met it: parameters as near to each other as a
thousandth of a nat have one limit. Who else may leave, and when, is in :mod:`em.engine.race`.

A limit need not be a maximum: where a family knows better parameters next to it (:class:`em.engine.problem.Problem`,
``released``), the run goes on from there.

In floating point an M-step can lose what rounding took from it. A loss within the rounding of the objective is no
loss; one beyond it ends the run before it is made. What a run returns is the best of what it visited.
"""

from collections.abc import Sequence

import numpy as np

from em.engine.loop import Loop
from em.engine.problem import EPS as EPS
from em.engine.problem import Collapse as Collapse
from em.engine.problem import Problem
from em.engine.problem import log_prior_size as log_prior_size
from em.engine.run import Parameters as Parameters
from em.engine.run import Run as Run
from em.engine.run import best_of as best_of
from em.process.blas import one_blas_thread


def run_em[P: Parameters](
    problem: Problem[P],
    starts: Sequence[P],
    *,
    tol: float,
    max_iter: int,
    acceleration: str | None = None,
    races: Sequence[int] | None = None,
    reach: float = np.inf,
    until_one_leads: bool = False,
) -> list[Run[P]]:
    """Iterate E-step and M-step from every start until at most ``tol`` nats of the objective are still to be gained.

    Parameters
    ----------
    problem : Problem
        E-step, M-step and log prior.
    starts : sequence of Parameters, length R
        Where to begin; run number r begins at the r-th.
    tol : float
        Bound on the gain still to come, in nats of the whole objective (see :class:`em.engine.stopping.GainToCome`).
    max_iter : int
        Largest number of iterations of each run.
    acceleration : {"multisecant", "squarem", None}, default None
        Which leaps to take after every second plain step, if any (:mod:`em.engine.leaps`).
    races : sequence of int, length R, or None, default None
        Runs of the same number are in one race: only the best of them counts, so that others may leave before they
        end: where they meet it, or fall behind (:mod:`em.engine.race`). ``None`` runs each to its end.
    reach : float, default infinity
        A run also leaves a race if it is so many times farther below the best than its last five iterations gained.
        That is for starts near their limits, without the plateaus of others: there gains shrink from step to step.
    until_one_leads : bool, default False
        Whether the last run of the race ends where none is above it: who leads is known then.

    Returns
    -------
    list of Run
        The parameters that each start reached, their objective, and the story of the run.
    """
    with one_blas_thread(), np.errstate(divide="ignore", invalid="ignore"):  # of runs that collapse
        return Loop(problem, starts, tol, max_iter, acceleration, races, reach, until_one_leads).to_the_end()
