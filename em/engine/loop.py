"""The EM loop over a batch of runs: one iteration, and how runs end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from em.engine.leaps import Leaps
from em.engine.problem import Problem
from em.engine.race import Races
from em.engine.run import Parameters, Run, Visit, converged_after, lost_to_rounding, nats
from em.engine.stages import restore, stages_of_fit, state_of
from em.engine.stopping import PROBED, GainToCome, probed
from models.shown import counted
from models.validation import Array

STILL = 30  # iterations without a gain of one digit of the objective after which a run counts as converged
LEAP_SLACK = 64  # last digits of the objective that a leap may lose: adding sums in another order changes a few
LOOKS = 5  # iterations between looks at which runs cannot win any more
RISES = "on a boundary from which the objective rises: raise max_iter"


@dataclass(eq=False)
class Loop[P: Parameters]:
    """A batch of runs, one row each, and the results of runs that ended; arguments as for `run_em`."""

    problem: Problem[P]
    starts: Sequence[P]
    tol: float
    max_iter: int
    acceleration: str | None
    of_races: Sequence[int] | None
    reach: float = np.inf
    end_last_run: bool = False

    def __post_init__(self) -> None:
        problem, R = self.problem, len(self.starts)
        self.races = Races(problem, np.arange(R) if self.of_races is None else np.asarray(self.of_races), self.reach)
        self.racing = bool(np.bincount(self.races.of_run).max() > 1)
        self.ended: list[Run[P] | None] = [None] * R
        self.ids = np.arange(R)
        arrays = [start.arrays() for start in self.starts]
        self.x = problem.join({name: np.stack([of_one[name] for of_one in arrays]) for name in problem.shapes})
        self.leaps = Leaps(problem, R, self.acceleration) if self.acceleration else None
        self.gain = GainToCome(self.x, problem)
        self.to_come = np.full(R, np.inf)
        self.released: dict[int, Array] = {}  # by run number, where released runs go on in the next iteration
        self.released_at = np.zeros(R, dtype=int)  # the iteration of each run's last release

    def run(self) -> list[Run[P]]:
        """Iterate until every run has ended; continue an earlier call of the same fit if there is one."""
        stages = stages_of_fit.get()
        state = None if stages is None else stages.begin()
        if state is None:
            self._begin()
        else:
            restore(self, state)
        while len(self.ids):
            if stages is not None:
                stages.put(state_of(self))
            self._end_converged_runs()
            if self.racing and len(self.ids) and (len(self.history) - 1) % LOOKS == 0:
                self._end_beaten_runs()
            if len(self.ids):
                self._advance()
        if stages is not None and (state is None or "at" in state):
            stages.put(state_of(self))
        return self._continue_runs_beaten_by_a_collapse()

    def _begin(self) -> None:
        """Make the E-step of every start."""
        self.at = self._visit(self.x, self.ids)
        self.best = self.at.objective
        self.history = [self.best]  # best objectives of all R runs; constant for runs that have ended
        lost = np.isnan(self.best)
        for i in np.flatnonzero(lost).tolist():
            status = "collapsed at its start: the objective is not a number there"
            self.ended[i] = Run(self.starts[i], -np.inf, -np.inf, np.array([-np.inf]), 1, False, True, status)
        self._keep_runs(~lost)

    def _continue_runs_beaten_by_a_collapse(self) -> list[Run[P]]:
        """Return all runs; a run that left its race to a run that collapsed later is continued first."""
        runs = [run for run in self.ended if run is not None]

        def lost(run: Run[P]) -> bool:
            return run.beaten_by is not None and runs[run.beaten_by].collapsed

        while numbers := [r for r, run in enumerate(runs) if lost(run)]:
            starts = [runs[r].parameters for r in numbers]
            problem, races = self.problem.of_runs(np.array(numbers)), self.races.of_run[numbers].tolist()
            left = self.max_iter - max(runs[r].n_iter for r in numbers)
            again = Loop(problem, starts, self.tol, left, self.acceleration, races, self.reach).run()
            for r, after in zip(numbers, again, strict=True):
                history = np.concatenate([runs[r].history, after.history[1:]])
                by = None if after.beaten_by is None else numbers[after.beaten_by]
                n_e_steps, start = runs[r].n_e_steps + after.n_e_steps, runs[r].start
                status = f"{after.status}, {counted(runs[r].n_iter, 'iteration')} after its start"
                runs[r] = replace(after, status=status, history=history, n_e_steps=n_e_steps, beaten_by=by, start=start)
        return runs

    # Ending ---------------------------------------------------------------------------------------------------------

    def _end_converged_runs(self) -> None:
        n_iter, still, out_of_time = len(self.history) - 1, False, len(self.history) > self.max_iter
        if n_iter >= STILL:
            gained = self.best - self.history[-1 - STILL][self.ids]
            still = gained <= self.problem.last_digit(self.best)
        converged = self.to_come <= self.tol
        at_limit = converged | still
        if not (out_of_time or at_limit.any()):
            return
        rounding, goes_on = self.problem.rounding(self.best), np.full(len(self.ids), not out_of_time) & ~at_limit
        stopped = f"stopped at max_iter={self.max_iter}"
        for i in np.flatnonzero(~goes_on).tolist():
            to_come, n_probes, bound = 0.0, 0, self.tol if converged[i] else rounding[i]
            if not at_limit[i]:
                to_come, n_probes = probed(self, i)
                bound = max(PROBED * self.tol, rounding[i])
            if to_come > bound:
                left = f"with {nats(to_come)} still to be gained: raise max_iter or tol"
                self._end(i, f"{stopped} {left}", n_more=n_probes)
            elif not self._release(i):
                self._end(i, converged_after(n_iter, bound), n_more=n_probes, converged=True)
            elif out_of_time:
                self._end(i, f"{stopped} {RISES}", n_more=n_probes)
            else:
                goes_on[i] = True
        self._keep_runs(goes_on)

    def _release(self, i: int) -> bool:
        """Let the run in row i go on from better parameters next to its limit; return whether there are any."""
        if self.problem.released is None:
            return False
        theta, number = self.problem.split(self.at.x[[i]]), self.ids[[i]]
        moved = self.problem.released(theta, float(self.best[i]), number)
        if moved is None:
            return False
        self.released[int(number[0])] = self.problem.join(moved)[0]
        self.released_at[number] = len(self.history) - 1
        return True

    def _end_beaten_runs(self) -> None:
        """End runs that cannot win their race (:mod:`em.engine.race`), and with ``end_last_run`` the last run."""
        made = counted(n_iter := len(self.history) - 1, "iteration")
        lately = self._gained_since(n_iter - LOOKS) if n_iter else np.full(len(self.ids), np.inf)
        to_come = np.where(np.isinf(lately), np.inf, self.to_come)  # the estimate is out of date after a release
        since_half = self._gained_since(n_iter // 2)
        beaten = self.races.beaten(self.ids, self.at.x, self.best, n_iter, lately, since_half, to_come)
        for number, (by, met) in beaten.items():
            how = "met" if met else "was out of reach of"
            self._leave(number, f"{how} a better run after {made}", by, met=met)
        for number, by in self.races.decided(self.ids, self.best, self._gained_since(n_iter // 2)).items():
            self._leave(number, f"left after {made}: enough runs had ended at the best optimum", by)
        if self.end_last_run and len(self.ids) == 1 and self.best[0] >= self.races.objectives.max():
            self._end(0, f"ended after {made} as the best run, when all others had ended")
            self._keep_runs(np.zeros(1, dtype=bool))

    def _gained_since(self, n: int) -> Array:
        """Return what runs (R',) gained since their n-th iteration; infinity if they were released after it."""
        return np.where(self.released_at[self.ids] > n, np.inf, self.best - self.history[n][self.ids])

    def _leave(self, number: int, status: str, beaten_by: int, *, met: bool = False) -> None:
        """End a run that another run has beaten."""
        (i,) = np.flatnonzero(self.ids == number).tolist()
        self._end(i, status, beaten_by=beaten_by, met=met)
        self._keep_runs(self.ids != number)

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
        """Store the result of the run in row i."""
        number = int(self.ids[i])
        history = np.array([objectives[number] for objectives in self.history])
        n_e_steps = len(history) + n_more + (int(self.leaps.n_refused[i]) if self.leaps else 0)
        parameters = self.problem.build(self.problem.split(self.at.x[i]))
        lost = np.fmax(self.best[i] - self.at.objective[i], 0.0)  # by rounding; the later point is nearer to the limit
        if collapsed or beaten_by is not None:
            self.races.leave(number, beaten_by if met else None)
        elif converged:
            self.races.end(number, self.at.x[i], float(history[-1]), len(history) - 1)
        self.ended[number] = Run(
            parameters,
            float(self.at.log_likelihood[i] + lost),
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

    def _keep_runs(self, which: np.ndarray) -> None:
        """Keep only some of the runs in the batch."""
        if which.all():
            return
        self.ids, self.at, self.gain = self.ids[which], self.at.take(which), self.gain.take(which)
        self.best, self.to_come = self.best[which], self.to_come[which]
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
            self._keep_runs(kept)
            x = x[kept]
            if not len(x):
                return
        rounding = self.problem.rounding(self.best)
        slack = LEAP_SLACK * self.problem.last_digit(self.best)
        after = self._leap_or_step(x, np.where(self.tol >= rounding, rounding, slack))
        if not (self.best - after.objective <= rounding).all():
            after = self._end_runs_that_lost(after, rounding)
        best = np.maximum(after.objective, self.best)
        self.at, self.to_come = after, self.gain.after(after.x, best - self.best, best, after.leapt)
        self.best, history = best, self.history[-1].copy()
        history[self.ids] = best
        self.history.append(history)

    def _end_runs_that_lost(self, after: Visit, rounding: Array) -> Visit:
        """End the runs whose step lost more than rounding or gave NaN; return where the others arrived."""
        n_iter, loss, nowhere = len(self.history) - 1, self.best - after.objective, np.isnan(after.objective)
        if ((after.objective == -np.inf) & (self.best == -np.inf)).any():
            raise ValueError(
                "init, frozen and prior make the data or the parameters impossible: the objective is minus infinity, "
                "before and after an M-step. Keep frozen probs and those of init off 0 and 1"
            )
        lost, bounds = loss > rounding, np.minimum(self.to_come, self.gain.of_step_to(after.x))
        for i in np.flatnonzero(lost).tolist():
            ended = bool(bounds[i] <= loss[i])
            self._end(i, lost_to_rounding(n_iter, loss[i], ended), n_more=1, converged=ended)
        for i in np.flatnonzero(nowhere).tolist():
            status = f"collapsed in iteration {n_iter + 1}: the objective is not a number there"
            self._end(i, status, collapsed=True)
        self._keep_runs(~(lost | nowhere))
        return after.take(~(lost | nowhere))

    def _leap_or_step(self, x: Array, slack: Array) -> Visit:
        """Return where runs arrive: at a leap that loses at most ``slack`` (R,), else at the plain step ``x``.

        A released run arrives at the parameters from which it goes on.
        """
        freed = np.zeros(len(x), dtype=bool)
        for number, place in self.released.items():
            freed |= self.ids == number
            x[self.ids == number] = place
        self.released = {}
        if self.leaps is None:
            return self._visit(x, self.ids, freed)
        leaps, proposed = self.leaps.after(x)
        proposed &= (self.gain.estimates[:, -1] > self.tol) & ~freed  # no leap while the limit is being confirmed
        if not proposed.any():
            self.leaps.begin_again(freed, x)
            return self._visit(x, self.ids, freed)
        after = self._visit(np.where(proposed[:, None], leaps, x), self.ids, freed)
        taken = proposed & (after.objective >= self.at.objective - slack)
        refused = proposed & ~taken
        self.leaps.accepted(taken, leaps)
        self.leaps.refused(refused)
        self.leaps.begin_again(freed, x)
        after.leapt[taken] = True
        if refused.any():
            after.put(refused, self._visit(x[refused], self.ids[refused]))
        return after

    def _plain_step(self, at: Visit, ids: np.ndarray) -> tuple[Array, Sequence[str]]:
        arrays, why = self.problem.maximise(at.statistics, ids)
        return self.problem.join(arrays), why

    def _visit(self, x: Array, ids: np.ndarray, leapt: np.ndarray | None = None) -> Visit:
        arrays = self.problem.split(x)
        log_likelihood, statistics = self.problem.expect(arrays, ids)
        objective = log_likelihood + self.problem.log_prior(arrays)
        leapt = np.zeros(len(x), dtype=bool) if leapt is None else leapt
        return Visit(x, log_likelihood, objective, statistics, leapt)
