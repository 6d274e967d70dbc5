"""The EM loop. It knows no family: a problem hands it an E-step, an M-step and a log prior.

One iteration, in the tutorial's words, from parameters θ:

    E-step: r = p(z | x, θ), which makes the lower bound Q(·, r) + H(r) touch the objective at θ
    M-step: θ ← argmax Q(·, r) + log p(·)

so the objective, log p(x | θ) + log p(θ), never decreases (Dempster, Laird & Rubin 1977; Neal & Hinton 1998). With an
acceleration (:mod:`em.engine.leaps`) some iterations leap instead, and only where the objective does not decrease.

Runs are an axis: all restarts take their steps together, in arrays (R, ...), and those that have ended leave. In a
race, of which only the best run counts, those leave too that have met it: parameters as near to each other as a
thousandth of a nat have one limit. Rates of convergence tell nobody out before: a run that gains next to nothing on a
plateau may win yet (of 29 sets of ten restarts, 8 would have lost their winner).

In floating point an M-step can lose what rounding took from it. A loss within the rounding of the objective is no
loss; one beyond it ends the run before it is made. What a run returns is the best of what it visited.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from em.engine.leaps import Leaps
from em.engine.problem import EPS as EPS
from em.engine.problem import Collapse as Collapse
from em.engine.problem import Problem
from em.engine.problem import log_prior_size as log_prior_size
from em.engine.race import ENOUGH, Races
from em.engine.run import Parameters as Parameters
from em.engine.run import Run as Run
from em.engine.run import best_of as best_of
from em.engine.run import converged_after, lost_to_rounding, nats
from em.engine.stages import restore, stages_of_fit, state_of
from em.engine.stopping import CONFIRMED, GainToCome, rest_of_series
from em.engine.visit import Visit
from em.process.blas import one_blas_thread
from models.validation import Array

STILL = 30  # iterations that gain no digit of the objective: whatever their steps, this is the limit
PROBES = 30  # plain steps that tell whether a run that reached max_iter had converged
PROBED = 10  # times tol that these may leave: their estimate and that of the run before differ by a factor
LOOKS = 5  # iterations between looks at who cannot win any more


def run_em[P: Parameters](
    problem: Problem[P],
    starts: Sequence[P],
    *,
    tol: float,
    max_iter: int,
    acceleration: str | None = None,
    races: Sequence[int] | None = None,
    reach: float = np.inf,
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
        end, where they meet it. ``None`` runs each to its end.
    reach : float, default infinity
        A run also leaves a race if it is so many times farther below the best than its last five iterations gained.
        That is for starts near their limits, without the plateaus of others: there gains shrink from step to step.

    Returns
    -------
    list of Run
        The parameters that each start reached, their objective, and the story of the run.
    """
    with one_blas_thread():
        return _Runs(problem, starts, tol, max_iter, acceleration, races, reach).to_the_end()


class _Runs[P: Parameters]:
    """The runs that go on, one row each, and what became of the others."""

    def __init__(
        self,
        problem: Problem[P],
        starts: Sequence[P],
        tol: float,
        max_iter: int,
        acceleration: str | None,
        races: Sequence[int] | None,
        reach: float,
    ) -> None:
        self.problem, self.starts, self.tol, self.max_iter = problem, starts, tol, max_iter
        R = len(starts)
        self.acceleration = acceleration
        self.races = Races(problem, np.arange(R) if races is None else np.asarray(races), reach)
        self.racing = problem.whitened is not None and bool(np.bincount(self.races.of_run).max() > 1)
        self.ended: list[Run[P] | None] = [None] * R
        self.ids = np.arange(R)
        arrays = [start.arrays() for start in starts]
        self.x = problem.join({name: np.stack([of_one[name] for of_one in arrays]) for name in problem.shapes})
        self.leaps = Leaps(problem, R, acceleration) if acceleration else None
        self.gain = GainToCome(self.x, problem)
        self.to_come = np.full(R, np.inf)

    @property
    def best(self) -> Array:
        """The highest objective of each run so far."""
        return self.history[-1][self.ids]

    def to_the_end(self) -> list[Run[P]]:
        """Iterate until every run has ended, from where an earlier call of the same fit was."""
        stages = stages_of_fit.get()
        state = None if stages is None else stages.begin()
        if state is None:
            self._begin()
        else:
            restore(self, state)
        while len(self.ids):
            if stages is not None:
                stages.put(state_of(self))
            self._end_where_converged()
            if self.racing and len(self.ids) and (len(self.history) - 1) % LOOKS == 0:
                self._end_where_beaten()
            if len(self.ids):
                self._advance()
        if stages is not None and (state is None or "at" in state):
            stages.put(state_of(self))
        return self._with_those_beaten_by_a_collapse()

    def _begin(self) -> None:
        """Make the E-step of every start."""
        self.at = self._visit(self.x, self.ids)
        self.best_x, self.best_log_likelihood = self.at.x.copy(), self.at.log_likelihood.copy()
        self.history = [self.at.objective.copy()]  # of all R runs, and no news of those that have ended
        lost = np.isnan(self.at.objective)
        for i in np.flatnonzero(lost).tolist():
            status = "collapsed at its start: the objective is not a number there"
            self.ended[i] = Run(self.starts[i], -np.inf, -np.inf, np.array([-np.inf]), 1, False, True, status)
        self._go_on(~lost)

    def _with_those_beaten_by_a_collapse(self) -> list[Run[P]]:
        """Return all runs; those that left the race to one that collapsed later go on from where they were."""
        runs = [run for run in self.ended if run is not None]

        def lost(run: Run[P]) -> bool:
            return run.beaten_by is not None and runs[run.beaten_by].collapsed

        while numbers := [r for r, run in enumerate(runs) if lost(run)]:
            starts = [runs[r].parameters for r in numbers]
            problem, races = self.problem.of_runs(np.array(numbers)), self.races.of_run[numbers].tolist()
            left = self.max_iter - max(runs[r].n_iter for r in numbers)
            again = _Runs(problem, starts, self.tol, left, self.acceleration, races, self.races.reach).to_the_end()
            for r, after in zip(numbers, again, strict=True):
                history = np.concatenate([runs[r].history, after.history[1:]])
                by = None if after.beaten_by is None else numbers[after.beaten_by]
                n_e_steps, start = runs[r].n_e_steps + after.n_e_steps, runs[r].start
                status = f"{after.status}, {runs[r].n_iter} iterations after its start"
                runs[r] = replace(after, status=status, history=history, n_e_steps=n_e_steps, beaten_by=by, start=start)
        return runs

    # Ending ---------------------------------------------------------------------------------------------------------

    def _end_where_converged(self) -> None:
        n_iter, rounding = len(self.history) - 1, self.problem.rounding(self.at.objective)
        converged = self.to_come <= self.tol
        still = np.zeros(len(self.ids), dtype=bool)
        if n_iter >= STILL:
            still = self.best - self.history[-1 - STILL][self.ids] <= self.problem.last_digit(self.at.objective)
        ending = np.full(len(self.ids), n_iter >= self.max_iter) | converged | still
        for i in np.flatnonzero(ending).tolist():
            if converged[i] or still[i]:
                self._end(i, converged_after(n_iter, self.tol if converged[i] else rounding[i]), converged=True)
                continue
            to_come, n_probes = self._probed(i)
            if to_come <= (bound := max(PROBED * self.tol, rounding[i])):
                self._end(i, converged_after(n_iter, bound), n_more=n_probes, converged=True)
            else:
                left = f"{nats(to_come)} still to be gained: raise max_iter or tol"
                self._end(i, f"stopped at max_iter={self.max_iter} with {left}", n_more=n_probes)
        self._go_on(~ending)

    def _end_where_beaten(self) -> None:
        """End the runs that cannot win their race (:mod:`em.engine.race`)."""
        n_iter = len(self.history) - 1
        with np.errstate(invalid="ignore"):
            gained = self.best - self.history[n_iter - LOOKS][self.ids] if n_iter >= LOOKS else np.inf
        beaten = self.races.beaten(self.ids, self.best_x, self.best, np.broadcast_to(gained, len(self.ids)))
        for i, number in enumerate(self.ids.tolist()):
            if number in beaten:
                by, met = beaten[number]
                how = "met" if met else "was out of reach of"
                self._end(i, f"{how} a better run after {n_iter} iterations", beaten_by=by, met=met)
        self._go_on(np.array([number not in beaten for number in self.ids.tolist()]))
        decided = self.races.decided(self.ids, self.best)
        for i, number in enumerate(self.ids.tolist()):
            if number in decided:
                status = f"left after {n_iter} iterations: {ENOUGH} runs had ended at the best optimum"
                self._end(i, status, beaten_by=decided[number])
        self._go_on(np.array([number not in decided for number in self.ids.tolist()], dtype=bool))

    def _end(
        self,
        i: int,
        status: str,
        *,
        n_more: int = 0,
        converged: bool = False,
        collapsed: bool = False,
        beaten_by: int | None = None,
        met: bool = False,
    ) -> None:
        """Keep what became of the run in row i."""
        number = int(self.ids[i])
        history = np.array([objectives[number] for objectives in self.history])
        n_e_steps = len(history) + n_more + (int(self.leaps.n_refused[i]) if self.leaps else 0)
        parameters = self.problem.build(self.problem.split(self.best_x[i]))
        if collapsed or beaten_by is not None:
            self.races.leave(number, beaten_by if met else None)
        elif converged:
            self.races.end(number, self.best_x[i], float(history[-1]))
        self.ended[number] = Run(
            parameters,
            float(self.best_log_likelihood[i]),
            float(history[-1]),
            history,
            n_e_steps,
            converged,
            collapsed,
            status,
            beaten_by,
            met,
            self.starts[number],
        )

    def _go_on(self, which: np.ndarray) -> None:
        """Go on with some of the runs."""
        if which.all():
            return
        self.ids, self.at, self.gain = self.ids[which], self.at.take(which), self.gain.take(which)
        self.best_x, self.best_log_likelihood = self.best_x[which], self.best_log_likelihood[which]
        self.to_come = self.to_come[which]
        if self.leaps:
            self.leaps.take(which)

    # One iteration ----------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Make one iteration of every run: a leap that loses nothing, or else a plain step."""
        n_iter, (x, why) = len(self.history) - 1, self._plain_step(self.at, self.ids)
        if any(why):
            for i in [i for i, sentence in enumerate(why) if sentence]:
                self._end(i, f"collapsed in iteration {n_iter + 1}: {why[i]}", collapsed=True)
            kept = np.array([not sentence for sentence in why])
            self._go_on(kept)
            x = x[kept]
            if not len(x):
                return
        rounding = self.problem.rounding(self.at.objective)
        after = self._leap_or_step(x, np.where(self.tol >= rounding, rounding, 0.0))
        if ((after.objective == -np.inf) & (self.best == -np.inf)).any():
            raise ValueError(
                "init, frozen and prior leave the data or the parameters impossible: the objective is minus infinity, "
                "before and after an M-step. Keep frozen probs and those of init off 0 and 1"
            )
        with np.errstate(invalid="ignore"):
            loss = self.best - after.objective
        lost = loss > self.problem.rounding(self.best)
        nowhere = np.isnan(after.objective)
        if lost.any() or nowhere.any():
            bounds = np.minimum(self.to_come, self.gain.of_step_to(after.x))
            for i in np.flatnonzero(lost).tolist():
                ended = bool(bounds[i] <= loss[i])
                self._end(i, lost_to_rounding(n_iter, loss[i], ended), n_more=1, converged=ended)
            for i in np.flatnonzero(nowhere).tolist():
                status = f"collapsed in iteration {n_iter + 1}: the objective is not a number there"
                self._end(i, status, collapsed=True)
            self._go_on(~(lost | nowhere))
            after = after.take(~(lost | nowhere))
        better = after.objective >= self.best
        self.best_x = np.where(better[:, None], after.x, self.best_x)
        self.best_log_likelihood = np.where(better, after.log_likelihood, self.best_log_likelihood)
        history = self.history[-1].copy()
        history[self.ids] = np.where(better, after.objective, self.best)
        with np.errstate(invalid="ignore"):
            gained = history[self.ids] - self.best
        self.history.append(history)
        self.at, self.to_come = after, self.gain.after(after.x, gained, history[self.ids], after.leapt)

    def _leap_or_step(self, x: Array, slack: Array) -> Visit:
        """Return where runs arrive: at a leap that loses at most ``slack`` (R,), or else at the plain step ``x``."""
        if self.leaps is None:
            return self._visit(x, self.ids)
        leaps, proposed = self.leaps.after(x)
        proposed = proposed & (self.gain.estimates[:, -1] > self.tol)  # while the limit is being confirmed, none
        after = self._visit(np.where(proposed[:, None], leaps, x), self.ids)
        taken = proposed & (after.objective >= self.at.objective - slack)
        refused = proposed & ~taken
        self.leaps.accepted(taken, leaps)
        self.leaps.refused(refused)
        after.leapt[taken] = True
        if refused.any():
            after.put(refused, self._visit(x[refused], self.ids[refused]))
        return after

    def _plain_step(self, at: Visit, ids: np.ndarray) -> tuple[Array, Sequence[str]]:
        arrays, why = self.problem.maximise(at.statistics, ids)
        return self.problem.join(arrays), why

    def _visit(self, x: Array, ids: np.ndarray) -> Visit:
        arrays = self.problem.split(x)
        log_likelihood, statistics = self.problem.expect(arrays, ids)
        with np.errstate(invalid="ignore"):
            objective = log_likelihood + self.problem.log_prior(arrays)
        return Visit(x, log_likelihood, objective, statistics, np.zeros(len(x), dtype=bool))

    def _probed(self, i: int) -> tuple[float, int]:
        """Return the gain still to come after the last iteration allowed, and the number of plain steps taken to tell.

        A run that starts where another converged has no time to confirm it within one or two iterations. Where the last
        one gained next to nothing, some more plain steps tell; they count as no iterations, and what they reach is not
        kept. Steps that gain a thousandth of the objective's last digit, one after the other, are rounding and have no
        rate, as are steps that together gain no digit.
        """
        row, ids = np.array([i]), self.ids[[i]]
        at, gain, to_come = self.at.take(row), self.gain.take(row), float(self.gain.estimates[i].max())
        path, gains, noise = [float(objectives[ids[0]]) for objectives in self.history[-2:]], [], 0
        if len(path) < 2 or path[-1] - path[-2] > max(self.tol, self.problem.rounding(path[-1])):
            return to_come, 0
        begun = path[-1]
        for n_steps in range(1, PROBES + 1):
            x, why = self._plain_step(at, ids)
            if why[0]:
                return np.inf, n_steps
            at = self._visit(x, ids)
            objective = float(at.objective[0])
            if np.isnan(objective):
                return np.inf, n_steps
            gains.append(float(gain.of_step_to(x)[0]))
            noise = noise + 1 if gains[-1] <= 1e-3 * self.problem.last_digit(objective) else 0
            to_come = float(gain.after(x, np.array([objective - path[-1]]), at.objective, at.leapt)[0])
            path.append(objective)
            if noise == CONFIRMED:
                to_come = 0.0
            if to_come <= max(PROBED * self.tol, self.problem.rounding(objective)):
                return to_come, n_steps
        if path[-1] - begun <= self.problem.last_digit(path[-1]):
            return 0.0, PROBES
        return min(to_come, rest_of_series(gains[PROBES // 2 :])), PROBES
