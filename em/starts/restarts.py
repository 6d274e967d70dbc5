"""Restarts: which starts there are, which of their runs go to the end, and which is the best.

Of many rows restarts run on a random part first. Where runs end there, those that may lead on all rows go on with four
times as many, and so on. Parts come from a sample that depends on the rows' values alone (:mod:`em.samples.sketch`), so
that a fit is the same in memory and in chunks.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_random_state

from em.bound import normalise
from em.engine import Run, best_of, run_em
from em.engine.problem import Collapse, Problem
from em.engine.run import optima, raised, times_found
from em.fitted import FittedMixture
from em.samples import Samples, weighted
from em.samples.distinct import worth_sorting
from em.samples.sketch import WORTH_A_PART, is_clear
from em.starts import STARTS, VIEWS, start_responsibilities
from em.starts.newton import polished
from models.parameters import Parameters
from models.shown import shown
from models.supports import SIMPLEX
from models.validation import Array, frozen_array

SHORT_RUN = 10  # iterations
FEWEST_IN_PART, ROWS_PER_NUMBER = 2048, 15  # rows of a part
TOL_OF_PART = 1e-2  # nats
REACH = 10.0  # times the gain of its last iterations that leave a run out of reach of the best
START_CELLS, START_ROWS = 2_000_000, 100  # a start looks at so many cells, but at no fewer rows per component


class Found[P: Parameters](NamedTuple):
    """The best run of a fit, how many of its restarts collapsed, how many there were, and the optima they found."""

    best: Run[P]
    n_collapsed: int
    n_starts: int
    optima: list[dict[str, Any]]


class Leading[P: Parameters](NamedTuple):
    """Where runs on a part of the rows led, for how many starts each stands, and what became of the others."""

    starts: list[P]
    n_starts: int
    times: list[int]
    collapsed: list[Run[P]]


class Restarts[P: Parameters](FittedMixture[P]):
    """The part of an estimator that starts EM, many times, and takes the best run."""

    _hashed = False  # whether rows are put in the order of hashes, for data without units

    # What a family adds -------------------------------------------------------------------------------------------

    @abstractmethod
    def _shapes(self, K: int, D: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter by name."""

    @abstractmethod
    def _problem(self, samples: Samples) -> Problem[P]:
        """Return E-step, M-step and log prior on the samples."""

    @abstractmethod
    def _log_joint_at(self, samples: Samples, parameters: P) -> Array:
        """Return log p(x_i, z_i = k), shape (n, K)."""

    @abstractmethod
    def _m_step(self, samples: Samples, responsibilities: Array) -> P:
        """Return the M-step's parameters, for starts."""

    @abstractmethod
    def _centers(self, samples: Samples, known: Mapping[str, Array]) -> Array | None:
        """Return the components' expected samples (K, D) if the known parameters give them, or None."""

    def _moved(self, like: Samples) -> Self:
        """Return the estimator as EM runs: in the units of some samples, where a family has units."""
        return self

    def _standard(self, samples: Samples) -> Samples:
        """Return samples in the units of a moved estimator."""
        return samples

    def _returned(self, there: Self, found: Found[P], standard: Samples, samples: Samples) -> Found[P]:
        """Return what a moved estimator found in the units of X."""
        return found

    def _beside(self, samples: Samples) -> list[Array]:
        """Return what a family knows of each row beside X, arrays (n, ...): equal rows that differ there stay apart."""
        return []

    # What follows -------------------------------------------------------------------------------------------------

    def _search(self, samples: Samples) -> Found[P]:
        """Return the best run of all starts on distinct samples."""
        there = self._moved(samples)
        standard = there._standard(samples)
        return self._returned(there, there._best(standard), standard, samples)

    def _best(self, samples: Samples) -> Found[P]:
        """Run EM from every start, of many rows from those that lead on parts of them, and return the best run."""
        problem = self._problem(samples)
        runs: list[Run[P]] = []
        times: list[int] | None = None
        if (led := self._leading(samples)) is not None:
            runs = [*self._run(problem, led.starts, self.max_iter, reach=REACH), *led.collapsed]
            n_starts, times = led.n_starts, led.times
        if all(run.collapsed for run in runs):
            starts, times = self._starts(samples), None
            runs, n_starts = self._runs(problem, starts), len(starts)
        return self._polished(problem, samples, self._ranked(problem, runs, n_starts, times))

    def _polished(self, problem: Problem[P], samples: Samples, found: Found[P]) -> Found[P]:
        """Return the same with the last digits of the best run."""
        best = polished(self, problem, samples, found.best)
        return found._replace(best=best, optima=raised(found.optima, best.objective))

    def _ranked(
        self, problem: Problem[P], runs: Sequence[Run[P]], n_starts: int, times: list[int] | None = None
    ) -> Found[P]:
        """Return the best of the runs; each stands for so many starts."""
        n_collapsed = sum(run.collapsed for run in runs)
        return Found(best_of(runs, problem), n_collapsed, n_starts, optima(runs, times))

    def _leading(self, samples: Samples) -> "Leading[P] | None":
        """Return the starts that lead on a part of many rows, then on four times as many, and so on; None of few.

        Where one is left, more parts would tell nothing.
        """
        if not (n_rows := self._rows_of_part(samples)):
            return None
        rng, led = check_random_state(int(self._seeds()[0])), None
        hand = samples.at_hand
        while len(samples.X) >= WORTH_A_PART * n_rows:
            led = self._leading_on(hand.some(n_rows, rng, hashed=self._hashed), led)
            if len(led.starts) <= 1 or n_rows >= len(hand.X):
                break
            n_rows = min(WORTH_A_PART * n_rows, len(hand.X))
        return led if led is None or led.starts else None

    def _rows_of_part(self, samples: Samples) -> int:
        """Return how many rows the first part has, or 0 where all rows are taken at once."""
        K, D = self.n_components, samples.X.shape[1]
        n_numbers = sum(int(np.prod(shape)) for shape in self._shapes(K, D).values())
        n_rows = max(FEWEST_IN_PART, ROWS_PER_NUMBER * n_numbers)
        few = issparse(samples.X) or len(samples.X) < WORTH_A_PART * n_rows
        whole = few or not isinstance(self.init, str) or self._beside(samples)  # equal rows of a part become one
        return 0 if whole else n_rows

    def _leading_on(self, part: Samples, before: "Leading[P] | None") -> "Leading[P]":
        """Return where runs on a part of the rows end that may lead on all: fresh starts, or those that led before.

        A run is left out if its mean log density is clearly below the best run's
        (:func:`em.samples.sketch.is_clear`), or if it is at the best run's limit: both are at most ``tol`` nats below
        that, so that their log densities differ by no more than Σ (log p - log p')² = 2 (√tol + √tol)².
        """
        problem, quick = self._problem(part), copy(self)
        quick.tol = max(self.tol, TOL_OF_PART)
        if before is None:
            starts = self._starts(part)
            runs = quick._runs(problem, starts)
            before = Leading(starts, len(starts), [1] * len(runs), [])
        else:
            runs = quick._run(problem, before.starts, self.max_iter, reach=REACH, until_one_leads=True)
        standing = [r for r, run in enumerate(runs) if not run.collapsed and not run.met]
        collapsed = [*before.collapsed, *(run for run in runs if run.collapsed)]
        if not standing:
            return Leading([], before.n_starts, [], collapsed)
        best = best_of(runs, problem)
        top = normalise(self._log_joint_at(part, best.parameters))[1]

        times, leading, counts = times_found(runs, before.times), list[P](), list[int]()
        for r in sorted(standing, key=lambda r: runs[r] is not best):
            gap = top - normalise(self._log_joint_at(part, runs[r].parameters))[1]
            if leading and float(np.sum(weighted(gap[:, None] ** 2, part.weights))) <= 8 * quick.tol:
                counts[0] += times.get(r, before.times[r])
            elif runs[r] is best or not is_clear(gap, part.weights):
                leading.append(runs[r].parameters)
                counts.append(times.get(r, before.times[r]))
        return Leading(leading, before.n_starts, counts, collapsed)

    def _distinct(self, samples: Samples) -> Samples:
        """Return the distinct rows in the order of their values; rows that are too many and hardly repeat stay."""
        if samples.in_memory and not worth_sorting(samples.X):
            return samples
        return samples.distinct(self._what_tells_apart(samples), hashed=self._hashed)

    def _what_tells_apart(self, samples: Samples) -> Array | None:
        """Return what else than X tells rows apart, shape (n, B): sizes of their cells, and labels to start from."""
        beside = self._beside(samples) if samples.in_memory else []
        if not self._starts_anywhere:
            beside = [*beside, np.asarray(self.init)[samples.numbers, None]]
        return np.hstack(beside) if beside else None

    @property
    def _starts_anywhere(self) -> bool:
        """Whether ``init`` is no labels, but names, parameters, or where components are."""
        return isinstance(self.init, str | self._parameters_type) or np.ndim(self.init) == 2

    def _runs(self, problem: Problem[P], starts: list[P]) -> list[Run[P]]:
        """Run every start; of more than ``n_init``, only those that lead after a short run of each.

        A start that collapses leaves its place to the next. All that collapsed are among the runs returned.
        """
        if len(starts) <= self.n_init:
            return self._run(problem, starts, self.max_iter)
        short = self._run(problem, starts, min(SHORT_RUN, self.max_iter), races=None)
        alive = [(run.objective, start) for run, start in zip(short, starts, strict=True) if not run.collapsed]
        leading_first = [start for _, start in sorted(alive, key=lambda pair: -pair[0])]
        runs, wanted = [run for run in short if run.collapsed], self.n_init
        while wanted and leading_first:
            those, leading_first = leading_first[:wanted], leading_first[wanted:]
            done = self._run(problem, those, self.max_iter)
            runs += [run if (by := run.beaten_by) is None else replace(run, beaten_by=by + len(runs)) for run in done]
            wanted = self.n_init - sum(not run.collapsed for run in runs)
        return runs

    def _run(self, problem: Problem[P], starts: list[P], max_iter: int, races: Any = 0, **how: Any) -> list[Run[P]]:
        """Run EM from every start; ``races`` as :func:`em.engine.run_em` takes them, or a number: all are in one."""
        races = [races] * len(starts) if isinstance(races, int) else races
        settings: dict[str, Any] = {"tol": self.tol, "max_iter": max_iter, "acceleration": self.acceleration}
        return run_em(problem, starts, races=races, **settings, **how)

    def _starts(self, samples: Samples) -> list[P]:
        if isinstance(self.init, self._parameters_type):
            return [replace(self.init, **self._frozen(self.init.n_features))]
        if not self._starts_anywhere:
            one_hot = np.eye(self.n_components)[np.asarray(self.init)[samples.numbers]]
            try:
                return [self._m_step(samples, one_hot)]
            except Collapse as collapse:
                raise ValueError(f"init labels give no legal start: {collapse}") from None
        alike = self.n_components == 1 or not isinstance(self.init, str)  # or components are given
        rng, starts = np.random.RandomState(0), []  # seeded again for each: a new one takes longer
        for number, seed in enumerate(self._seeds()[:1] if alike else self._seeds()):
            rng.seed(seed)
            starts.append(self._start(samples, VIEWS[number % len(VIEWS)], rng))
        return starts

    def _seeds(self) -> list[int]:
        """Return the seed of each start."""
        n_starts = self.n_init if self.n_starts is None else self.n_starts
        return check_random_state(self.random_state).randint(2**31 - 1, size=n_starts).tolist()

    def _start(self, samples: Samples, view: str, rng: np.random.RandomState) -> P:
        n_rows = max(START_CELLS // samples.X.shape[1], START_ROWS * self.n_components)
        hand = samples if self._beside(samples) else samples.at_hand  # equal rows of a sketch are one
        samples = hand.some(n_rows, rng, hashed=self._hashed)
        D, method = samples.X.shape[1], self.init if isinstance(self.init, str) else STARTS[0]
        centers = self._centers(samples, {**self._known_from_init(D), **self._frozen(D)})
        r = start_responsibilities(samples, self.n_components, method, rng, view, centers)
        return self._m_step(samples, r)

    def _known_from_init(self, n_features: int) -> dict[str, Array]:
        """Return the components' quantity by name, checked, where ``init`` gives it."""
        if isinstance(self.init, str | self._parameters_type) or np.ndim(self.init) != 2:
            return {}
        _, name, *_ = shapes = self._shapes(self.n_components, n_features)
        return {name: frozen_array("init", self.init, shapes[name])}

    def _frozen(self, n_features: int) -> dict[str, Array]:
        """Return the frozen parameters by name, checked."""
        shapes = self._shapes(self.n_components, n_features)
        if self.frozen is None:
            return {}
        if not isinstance(self.frozen, Mapping) or set(self.frozen) - set(shapes):
            raise ValueError(f"frozen must map some of {', '.join(shapes)} to their values, got {shown(self.frozen)}")
        checked = {name: frozen_array(f"frozen {name}", value, shapes[name]) for name, value in self.frozen.items()}
        if "weights" in checked:
            SIMPLEX.check("frozen weights", checked["weights"])
            if (checked["weights"] == 0).any():
                raise ValueError(f"frozen weights must be positive, got {checked['weights']}: use fewer components")
        return checked
