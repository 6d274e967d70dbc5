"""The EM loop. It knows no family: a `Problem` gives it an E-step, an M-step and a log prior.

One iteration from parameters θ:

    E-step: r = p(z | x, θ), which makes the lower bound Q(·, r) + H(r) touch the objective at θ
    M-step: θ ← argmax Q(·, r) + log p(·)

So the objective, log p(x | θ) + log p(θ), never decreases (Dempster, Laird & Rubin 1977; Neal & Hinton 1998). With an
acceleration (:mod:`em.engine.leaps`) some iterations take a leap instead, if the objective does not decrease.

All restarts take their steps together as one batch of runs: arrays have a leading axis (R, ...), and runs that have
ended leave the batch. In a race only the best run counts. A run leaves its race when its parameters come so near to
those of a better run that they differ by a thousandth of a nat, because both then have the same limit.
:mod:`em.engine.race` says when else runs leave.

A limit on a boundary need not be a maximum. If a family knows better parameters next to it
(:class:`em.engine.problem.Problem`, ``released``), the run goes on from these.

In floating point an M-step can lower the objective by rounding. A loss within the rounding of the objective is
ignored; a larger loss ends the run before the step is taken. A run returns the best parameters that it visited.
"""

from collections.abc import Sequence

import numpy as np

from em.engine.loop import Loop
from em.engine.problem import Problem
from em.engine.run import Parameters
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
    end_last_run: bool = False,
) -> list[Run[P]]:
    """Iterate E-step and M-step from every start until the objective can gain at most ``tol`` nats more.

    Parameters
    ----------
    problem : Problem
        E-step, M-step and log prior.
    starts : sequence of Parameters, length R
        Where to begin; run number r begins at start number r.
    tol : float
        Bound on the remaining gain, in nats of the whole objective (see :class:`em.engine.stopping.GainToCome`).
    max_iter : int
        Largest number of iterations of each run.
    acceleration : {"multisecant", "squarem", None}, default None
        Which leaps to take after every second plain step, if any (:mod:`em.engine.leaps`).
    races : sequence of int, length R, or None, default None
        The race of each run. Only the best run of a race counts, so others may leave before they end, if they meet a
        better run or fall behind (:mod:`em.engine.race`). ``None`` runs each to its end.
    reach : float, default infinity
        A run also leaves a race if it is farther below the best than ``reach`` times what its last five iterations
        gained. Use it for starts near their limits, without plateaus: there gains shrink from step to step.
    end_last_run : bool, default False
        Whether the last run of a race ends as soon as no other is above it, since the winner is then known.

    Returns
    -------
    list of Run
        For each start the parameters reached, their objective, and the history of the run.
    """
    with one_blas_thread(), np.errstate(divide="ignore", invalid="ignore"):  # in runs that collapse
        return Loop(problem, starts, tol, max_iter, acceleration, races, reach, end_last_run).run()
