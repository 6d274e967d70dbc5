"""Restarts of EM: make starts, decide which of their runs go on, and choose the best.

With many rows, restarts run on a random part of the rows first. The runs that may be the best on all rows go on with
four times as many rows, and so on. Parts are drawn from a sketch that depends only on the values of the rows
(:mod:`em.samples.sketch`), so a fit is the same in memory and in chunks.
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
from em.samples.parts import WORTH_A_PART, is_clear
from em.starts import STARTS, VIEWS, start_responsibilities
from em.starts.newton import polished
from models.parameters import Parameters
from models.shown import shown
from models.supports import SIMPLEX
from models.validation import Array, frozen_array

SHORT_RUN = 10  # iterations
FEWEST_IN_PART, ROWS_PER_NUMBER = 2048, 15  # rows of the first part: at least 2048, and 15 per parameter
TOL_OF_PART = 1e-2  # nats, of runs on a part
REACH = 10.0  # a run leaves if it is farther below the best than 10 times the gain of its last iterations
START_CELLS, START_ROWS = 2_000_000, 100  # a start takes so many cells, or so many rows per component if that is more


class SearchResult[P: Parameters](NamedTuple):
    """The best run of a fit, its numbers of collapsed restarts and of starts, and the optima that were found."""

    best: Run[P]
    n_collapsed: int
    n_starts: int
    optima: list[dict[str, Any]]


class Shortlist[P: Parameters](NamedTuple):
    """The runs on a part of the rows that go on.

    Attributes
    ----------
    starts : list of Parameters
        Where these runs ended, and go on.
    n_starts : int
        Number of starts of the fit.
    times : list of int
        Number of starts that each run stands for.
    collapsed : list of Run
        The runs that collapsed.
    """

    starts: list[P]
    n_starts: int
    times: list[int]
    collapsed: list[Run[P]]


class Restarts[P: Parameters](FittedMixture[P]):
    """The part of an estimator that runs EM from many starts and takes the best run."""

    _hashed = False  # whether rows are sorted by hashes, for data without units

    # What a family adds -------------------------------------------------------------------------------------------

    @abstractmethod
    def _shapes(self, K: int, D: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter by name."""

    @abstractmethod
    def _problem(self, samples: Samples) -> Problem[P]:
        """Return E-step, M-step and log prior of the samples."""

    @abstractmethod
    def _log_joint_at(self, samples: Samples, parameters: P) -> Array:
        """Return log p(x_i, z_i = k), shape (n, K)."""

    @abstractmethod
    def _m_step(self, samples: Samples, responsibilities: Array) -> P:
        """Return the parameters of the M-step, for starts."""

    @abstractmethod
    def _centers(self, samples: Samples, known: Mapping[str, Array]) -> Array | None:
        """Return the components' expected samples (K, D), or None if the known parameters do not determine them."""

    def _in_standard_units(self, like: Samples) -> Self:
        """Return a copy of the estimator in standard units of the samples ``like``, if the family has units."""
        return self

    def _standardised(self, samples: Samples) -> Samples:
        """Return samples in this estimator's standard units."""
        return samples

    def _result_in_units_of_data(
        self, scaled: Self, result: SearchResult[P], standard: Samples, samples: Samples
    ) -> SearchResult[P]:
        """Convert the result of ``scaled``, this estimator in standard units, to the units of X."""
        return result

    def _row_sizes(self, samples: Samples) -> Array | None:
        """Return the sizes of cells (n, D) if they differ between rows, else None; they make equal rows different."""
        return None

    # What follows -------------------------------------------------------------------------------------------------

    def _search(self, samples: Samples) -> SearchResult[P]:
        """Return the best run of all starts on distinct samples."""
        scaled = self._in_standard_units(samples)
        standard = scaled._standardised(samples)
        return self._result_in_units_of_data(scaled, scaled._best(standard), standard, samples)

    def _best(self, samples: Samples) -> SearchResult[P]:
        """Return the best run of all starts; with many rows, of those that are shortlisted on parts of the rows."""
        problem = self._problem(samples)
        runs: list[Run[P]] = []
        times: list[int] | None = None
        if (shortlist := self._shortlist(samples)) is not None:
            runs = [*self._run(problem, shortlist.starts, self.max_iter, reach=REACH), *shortlist.collapsed]
            n_starts, times = shortlist.n_starts, shortlist.times
        if all(run.collapsed for run in runs):
            starts, times = self._starts(samples), None
            runs, n_starts = self._run_best_starts(problem, starts), len(starts)
        return self._polished(problem, samples, self._ranked(problem, runs, n_starts, times))

    def _polished(self, problem: Problem[P], samples: Samples, result: SearchResult[P]) -> SearchResult[P]:
        """Return the result with the last digits of the best run, by Newton's method."""
        best = polished(self, problem, samples, result.best)
        return result._replace(best=best, optima=raised(result.optima, best.objective))

    def _ranked(
        self, problem: Problem[P], runs: Sequence[Run[P]], n_starts: int, times: list[int] | None = None
    ) -> SearchResult[P]:
        """Return the result of runs, where each run stands for ``times`` starts."""
        n_collapsed = sum(run.collapsed for run in runs)
        return SearchResult(best_of(runs, problem), n_collapsed, n_starts, optima(runs, times))

    def _shortlist(self, samples: Samples) -> "Shortlist[P] | None":
        """Return the runs that may be the best on all rows, from runs on growing parts; None for few rows.

        Each part has four times as many rows as the one before. When one run is left, no more parts are needed.
        """
        if not (n_rows := self._rows_of_part(samples)):
            return None
        rng, shortlist = check_random_state(int(self._seeds()[0])), None
        start_rows = samples.start_rows
        while len(samples.X) >= WORTH_A_PART * n_rows:
            shortlist = self._shortlist_of_part(start_rows.some(n_rows, rng, hashed=self._hashed), shortlist)
            if len(shortlist.starts) <= 1 or n_rows >= len(start_rows.X):
                break
            n_rows = min(WORTH_A_PART * n_rows, len(start_rows.X))
        return shortlist if shortlist is None or shortlist.starts else None

    def _rows_of_part(self, samples: Samples) -> int:
        """Return the number of rows of the first part, or 0 if runs take all rows at once."""
        K, D = self.n_components, samples.X.shape[1]
        n_numbers = sum(int(np.prod(shape)) for shape in self._shapes(K, D).values())
        n_rows = max(FEWEST_IN_PART, ROWS_PER_NUMBER * n_numbers)
        few = issparse(samples.X) or len(samples.X) < WORTH_A_PART * n_rows
        own_sizes = self._row_sizes(samples) is not None  # a part would merge equal rows of other sizes
        return 0 if few or not isinstance(self.init, str) or own_sizes else n_rows

    def _shortlist_of_part(self, part: Samples, before: "Shortlist[P] | None") -> "Shortlist[P]":
        """Run EM on a part of the rows, from new starts or from an earlier shortlist, and return the new shortlist.

        A run is left out if its mean log density is clearly below the best run's (:func:`em.samples.parts.is_clear`).
        It is also left out if it has the best run's limit: both are at most ``tol`` nats below it, so their log
        densities differ by no more than Σ (log p - log p')² = 2 (√tol + √tol)².
        """
        problem, quick = self._problem(part), copy(self)
        quick.tol = max(self.tol, TOL_OF_PART)
        if before is None:
            starts = self._starts(part)
            runs = quick._run_best_starts(problem, starts)
            before = Shortlist(starts, len(starts), [1] * len(runs), [])
        else:
            runs = quick._run(problem, before.starts, self.max_iter, reach=REACH, end_last_run=True)
        alive = [r for r, run in enumerate(runs) if not run.collapsed and not run.met]
        collapsed = [*before.collapsed, *(run for run in runs if run.collapsed)]
        if not alive:
            return Shortlist([], before.n_starts, [], collapsed)
        best = best_of(runs, problem)
        top = normalise(self._log_joint_at(part, best.parameters))[1]

        times, leading, counts = times_found(runs, before.times), list[P](), list[int]()
        for r in sorted(alive, key=lambda r: runs[r] is not best):
            gap = top - normalise(self._log_joint_at(part, runs[r].parameters))[1]
            if leading and float(np.sum(weighted(gap[:, None] ** 2, part.weights))) <= 8 * quick.tol:
                counts[0] += times.get(r, before.times[r])
            elif runs[r] is best or not is_clear(gap, part.weights):
                leading.append(runs[r].parameters)
                counts.append(times.get(r, before.times[r]))
        return Shortlist(leading, before.n_starts, counts, collapsed)

    def _distinct(self, samples: Samples) -> Samples:
        """Return the distinct rows sorted by value; many rows that hardly repeat are returned as they are."""
        if samples.in_memory and not worth_sorting(samples.X):
            return samples
        return samples.distinct(self._row_keys(samples), hashed=self._hashed)

    def _row_keys(self, samples: Samples) -> Array | None:
        """Return what tells rows apart beside X: sizes of cells and labels to start from, shape (n, B), or None."""
        sizes = self._row_sizes(samples) if samples.in_memory else None
        labels = np.asarray(self.init)[samples.numbers, None] if self._starts_from_labels else None
        keys = [columns for columns in (sizes, labels) if columns is not None]
        return np.hstack(keys) if keys else None

    @property
    def _starts_from_labels(self) -> bool:
        """Whether ``init`` holds labels: it is no name, no parameters and no matrix."""
        return not (isinstance(self.init, str | self._parameters_type) or np.ndim(self.init) == 2)

    def _run_best_starts(self, problem: Problem[P], starts: list[P]) -> list[Run[P]]:
        """Run every start; if there are more than ``n_init``, the best ``n_init`` after a short run of each.

        A start that collapses is replaced by the next best. All runs that collapsed are returned too.
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
        """Run EM from every start; ``races`` is as for :func:`em.engine.run_em`, or a number: all are in one race."""
        races = [races] * len(starts) if isinstance(races, int) else races
        settings: dict[str, Any] = {"tol": self.tol, "max_iter": max_iter, "acceleration": self.acceleration}
        return run_em(problem, starts, races=races, **settings, **how)

    def _starts(self, samples: Samples) -> list[P]:
        if isinstance(self.init, self._parameters_type):
            return [replace(self.init, **self._frozen(self.init.n_features))]
        if self._starts_from_labels:
            one_hot = np.eye(self.n_components)[np.asarray(self.init)[samples.numbers]]
            try:
                return [self._m_step(samples, one_hot)]
            except Collapse as collapse:
                raise ValueError(f"init labels give no legal start: {collapse}") from None
        one_start = self.n_components == 1 or not isinstance(self.init, str)  # or the components are given
        rng, starts = np.random.RandomState(0), []  # seeding it again is faster than a new generator for each start
        for number, seed in enumerate(self._seeds()[:1] if one_start else self._seeds()):
            rng.seed(seed)
            starts.append(self._start(samples, VIEWS[number % len(VIEWS)], rng))
        return starts

    def _seeds(self) -> list[int]:
        """Return the seed of each start."""
        n_starts = self.n_init if self.n_starts is None else self.n_starts
        return check_random_state(self.random_state).randint(2**31 - 1, size=n_starts).tolist()

    def _start(self, samples: Samples, view: str, rng: np.random.RandomState) -> P:
        n_rows = max(START_CELLS // samples.X.shape[1], START_ROWS * self.n_components)
        rows = samples if self._row_sizes(samples) is not None else samples.start_rows  # a sketch merges equal rows
        samples = rows.some(n_rows, rng, hashed=self._hashed)
        D, method = samples.X.shape[1], self.init if isinstance(self.init, str) else STARTS[0]
        centers = self._centers(samples, {**self._known_from_init(D), **self._frozen(D)})
        r = start_responsibilities(samples, self.n_components, method, rng, view, centers)
        return self._m_step(samples, r)

    def _known_from_init(self, n_features: int) -> dict[str, Array]:
        """Return the components' quantity by name, checked, if ``init`` gives it."""
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
