"""Plain steps that tell whether a run that reached ``max_iter`` had converged."""

from typing import TYPE_CHECKING, Any

import numpy as np

from em.engine.stopping import CONFIRMED, rest_of_series

if TYPE_CHECKING:
    from em.engine.loop import Loop

PROBES = 30  # plain steps
PROBED = 10  # times tol that these may leave: their estimate and that of the run before differ by a factor


def probed(loop: "Loop[Any]", i: int) -> tuple[float, int]:
    """Return the gain still to come of the run in row i, and the number of plain steps taken to tell.

    A run that starts where another converged has no time to confirm it within one or two iterations. Where the last
    one gained next to nothing, some more plain steps tell; they count as no iterations, and what they reach is not
    kept. Steps that gain a thousandth of the objective's last digit, one after the other, are rounding and have no
    rate, as are steps that together gain no digit.
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
