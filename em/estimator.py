"""What every EM estimator shares in fitting: checks, restarts, ranking, status. It knows no family.

What a fitted mixture is used for is in :mod:`em.fitted`.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse
from sklearn.utils import Tags, check_random_state

from em.bound import normalise
from em.engine import Run, best_of, run_em
from em.engine.leaps import ACCELERATIONS
from em.engine.optima import optima, times_found
from em.engine.problem import Arrays, Collapse, Problem
from em.fitted import FittedMixture
from em.process.blas import one_blas_thread
from em.samples import Samples, samples_to_fit
from em.samples.distinct import repeat_rarely
from em.starts import STARTS, VIEWS, start_responsibilities
from em.status import CollapseWarning, NoMaximumWarning, NotConvergedWarning, NotIdentifiableWarning, is_told, tell
from models.parameters import Parameters
from models.shown import shown
from models.supports import SIMPLEX
from models.validation import Array, check_seed, count_at_least_one, frozen_array, number_above

SHORT_RUN = 10  # iterations
FEWEST_IN_PART, ROWS_PER_NUMBER, WORTH_A_PART = 2048, 15, 4  # rows of a part; as many times more are worth one
CLEARLY = 3.0  # standard errors
TOL_OF_PART = 1e-2  # nats
REACH = 20.0  # times the gain of its last iterations that leave a run out of reach of the best
START_CELLS, START_ROWS = 2_000_000, 100  # a start looks at so many cells, but at no fewer rows per component


class Found[P: Parameters](NamedTuple):
    """The best run of a fit, how many of its restarts collapsed, how many there were, and the optima they found."""

    best: Run[P]
    n_collapsed: int
    n_starts: int
    optima: list[dict[str, Any]]


@dataclass(eq=False, repr=False)
class MixtureEM[P: Parameters](FittedMixture[P]):
    """Base of the estimators; a family adds its problem (E-step, M-step, log prior) and its simulator.

    The settings are fields, from which the constructor is made; a family adds its own.
    """

    n_components: int = 1
    _: KW_ONLY
    prior: Any = None
    n_init: int = 10
    n_starts: int | None = None
    init: Any = "k-means++"
    tol: float = 1e-8
    max_iter: int = 10_000
    frozen: Mapping[str, Any] | None = None
    acceleration: str | None = "multisecant"
    random_state: Any = None

    _hashed = False  # whether rows are put in the order of hashes, for data without units

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that missing cells are good input."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    # What a family adds -------------------------------------------------------------------------------------------

    @abstractmethod
    def _check_data(self, samples: Samples) -> None:
        """Raise a ValueError if the samples, the prior or a setting of this family is not legal."""

    @abstractmethod
    def _shapes(self, K: int, D: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter by name."""

    @abstractmethod
    def _problem(self, samples: Samples) -> Problem[P]:
        """Return E-step, M-step and log prior on the samples."""

    @abstractmethod
    def _built(self, arrays: Arrays) -> P:
        """Return parameters of these arrays."""

    @abstractmethod
    def _log_joint_at(self, samples: Samples, parameters: P) -> Array:
        """Return log p(x_i, z_i = k), shape (n, K)."""

    @abstractmethod
    def _m_step(self, samples: Samples, responsibilities: Array) -> P:
        """Return the M-step's parameters, for starts."""

    @abstractmethod
    def _frozen_centers(self, samples: Samples) -> Array | None:
        """Return the components' expected samples (K, D) if they are frozen, or None."""

    @abstractmethod
    def _check_model(self, n_features: int) -> None:
        """Raise a ValueError unless prior and init are of this family and its settings, for D features."""

    def _check_fitted(self) -> None:
        """Raise a ValueError unless what a fit left is of the settings, as in a file that nobody touched."""
        self._check_model(self.parameters_.n_features)

    def _released(self, problem: Problem[P], run: Run[P]) -> P | None:
        """Return better parameters next to a limit that is no maximum, where this family knows a way, or None."""
        return None

    def _remedies(self, samples: Samples) -> str:
        """Return in words what ends in a maximum on these samples, of which every restart collapsed."""
        return "fewer components or a prior may help"

    @abstractmethod
    def _remarks(self, samples: Samples) -> list[str]:
        """Set ``identifiability_``, and return sentences that a family adds to the status."""

    # Fitting ------------------------------------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit the mixture to X.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples; at least 2 and at least K. NaN is a missing cell, taken to be missing at random: the likelihood is
            that of the observed cells. Rows that are all missing take no part.
        y : ignored
            Present for scikit-learn's conventions.
        sample_weight : array_like, shape (n,), or None
            Frequencies: how often each row occurs. The fit is that of the rows repeated as often. Weights that sum to 1
            would stand for one sample.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, the weights or a setting is not legal, before any work.

        Notes
        -----
        The fit depends on the set of rows only. Rows that are equal count as one with the sum of their weights, and
        random draws follow the order of the rows' values, so that rows in another order, or repeated and not weighted,
        give the same fit to the last bit. Of more than two million cells that hardly repeat, the sums are added in the
        order of the rows, and the fit is the same to rounding.
        """
        samples = self._samples(X, sample_weight)
        with one_blas_thread():
            return self._fitted(self._search(self._distinct(samples)), samples)

    def _fitted(self, found: Found[P], samples: Samples) -> Self:
        """Keep the best run, and say what is to be said about it."""
        self._keep(found, samples)
        remarks = self._remarks(samples)
        if not self.identifiability_.identified:
            remarks.append(f"not identified: {self.identifiability_.sentence}")
            tell(self.identifiability_.sentence, NotIdentifiableWarning)
        self.status_ = "; ".join([self.status_, *remarks])
        return self

    def check(self, X: ArrayLike, sample_weight: ArrayLike | None = None, names: Sequence[str] | None = None) -> Array:
        """Return the rows of X as `fit` uses them, or raise the ValueError that `fit` would, before any work.

        Errors call columns by ``names``, or by those that a frame has.
        """
        return self._samples(X, sample_weight, names).X

    def _samples(self, X: ArrayLike, sample_weight: ArrayLike | None, names: Sequence[str] | None = None) -> Samples:
        samples = samples_to_fit(self, X, sample_weight, missing=True, names=names)
        self._check_settings(samples)
        self._check_data(samples)
        return samples

    def _moved(self, like: Samples) -> Self:
        """Return the estimator as EM runs: in the units of some samples, where a family has units."""
        return self

    def _standard(self, samples: Samples) -> Samples:
        """Return samples in the units of a moved estimator."""
        return samples

    def _back(self, parameters: P) -> P:
        """Return parameters of a moved estimator in the units of X; a ValueError where rounding leaves none."""
        return parameters

    def _joint_problem(self, samples: Sequence[Samples]) -> Problem[P] | None:
        """Return the problem of runs on several samples, run number r on the r-th; None where they make no batch."""
        return None

    def _sized_problem(self, samples: Samples, sizes: np.ndarray) -> Problem[P]:
        """Return the maximum-likelihood problem of runs that have so many components (R,), the others of weight 0."""
        return self._problem(samples)

    def _search(self, samples: Samples) -> Found[P]:
        """Return the best run of all starts on distinct samples."""
        there = self._moved(samples)
        standard = there._standard(samples)
        return self._returned(there, there._best(standard), standard, samples)

    def _returned(self, there: Self, found: Found[P], standard: Samples, samples: Samples) -> Found[P]:
        """Return what a moved estimator found in the units of X."""
        return found

    def _best(self, samples: Samples) -> Found[P]:
        """Run EM from every start, of many rows from those starts that lead on a part, and return the best run."""
        problem, part = self._problem(samples), self._part(samples)
        runs: list[Run[P]] = []
        times: list[int] | None = None
        if part is not None:
            starts, n_starts, times, collapsed = self._leading(part)
            runs = [*self._run(problem, starts, self.max_iter, reach=REACH), *collapsed] if starts else []
        if all(run.collapsed for run in runs):
            starts, times = self._starts(samples), None
            runs, n_starts = self._runs(problem, starts), len(starts)
        return self._ranked(problem, runs, n_starts, times)

    def _ranked(
        self, problem: Problem[P], runs: list[Run[P]], n_starts: int, times: list[int] | None = None
    ) -> Found[P]:
        """Return the best of the runs; each stands for so many starts."""
        best = best_of(runs, problem)
        freed = self._freed(problem, best)
        found = optima([freed if run is best else run for run in runs], times)
        return Found(freed, sum(run.collapsed for run in runs), n_starts, found)

    def _freed(self, problem: Problem[P], best: Run[P]) -> Run[P]:
        """Return the run, or the one that goes on from it where it was trapped at a false boundary."""
        while best.converged and (start := self._released(problem, best)) is not None:
            best = best.then(self._run(problem, [start], self.max_iter)[0])
        return best

    def _part(self, samples: Samples) -> Samples | None:
        """Return a random part of so many rows that runs on all of them would be wasted on most, or None of fewer."""
        if not (n_rows := self._rows_of_part(samples)):
            return None
        rng = check_random_state(int(self._seeds()[0]))
        return samples.some(n_rows, rng, hashed=self._hashed)

    def _rows_of_part(self, samples: Samples) -> int:
        """Return how many rows a part has, or 0 where all rows are taken at once."""
        K, D = self.n_components, samples.X.shape[1]
        n_numbers = sum(int(np.prod(shape)) for shape in self._shapes(K, D).values())
        n_rows = max(FEWEST_IN_PART, ROWS_PER_NUMBER * n_numbers)
        few = issparse(samples.X) or len(samples.X) < WORTH_A_PART * n_rows
        whole = few or not isinstance(self.init, str) or self._beside(samples)  # equal rows of a part become one
        return 0 if whole else n_rows

    def _leading(self, part: Samples) -> tuple[list[P], int, list[int], list[Run[P]]]:
        """Return where runs on a part of the rows end that may lead on all, and what became of the starts.

        That is how many there were, how many each of those runs stands for, and the runs that collapsed. A run is left
        out if its mean log density is below the best run's by more than CLEARLY standard errors of the mean difference
        between rows: then it would be below on all rows too.
        """
        problem, starts, quick = self._problem(part), self._starts(part), copy(self)
        quick.tol = max(self.tol, TOL_OF_PART)
        runs = quick._runs(problem, starts)
        ended = [run for run in runs if not run.collapsed and run.beaten_by is None]
        collapsed = [run for run in runs if run.collapsed]
        if not ended:
            return [], len(starts), [], collapsed
        best, times = best_of(ended, problem), times_found(runs)
        w = np.ones(len(part.X)) if part.weights is None else part.weights
        top, leading = normalise(self._log_joint_at(part, best.parameters))[1], [best]
        for run in ended:
            if run is not best:
                gap = top - normalise(self._log_joint_at(part, run.parameters))[1]
                mean = np.average(gap, weights=w)
                error = np.sqrt(np.average((gap - mean) ** 2, weights=w) / w.sum())
                if mean <= CLEARLY * error:
                    leading.append(run)
        counts = [times[next(r for r, run in enumerate(runs) if run is one)] for one in leading]
        return [run.parameters for run in leading], len(starts), counts, collapsed

    def _distinct(self, samples: Samples) -> Samples:
        """Return the distinct rows in the order of their values; rows that are too many and hardly repeat stay."""
        if not issparse(samples.X) and samples.X.size > START_CELLS and repeat_rarely(samples.X):
            return samples
        beside = self._beside(samples)
        if not self._starts_anywhere:
            beside = [*beside, np.asarray(self.init)[samples.numbers, None]]
        return samples.distinct(np.hstack(beside) if beside else None, hashed=self._hashed)

    def _beside(self, samples: Samples) -> list[Array]:
        """Return what a family knows of each row beside X, arrays (n, ...): equal rows that differ there stay apart."""
        return []

    @property
    def _starts_anywhere(self) -> bool:
        """Whether ``init`` is no labels."""
        return isinstance(self.init, str | self._parameters_type)

    def _runs(self, problem: Problem[P], starts: list[P]) -> list[Run[P]]:
        """Run every start to the end; of more than ``n_init``, only those that lead after a short run of each.

        A start that collapses leaves its place to the next. All that collapsed are among the runs returned.
        """
        if len(starts) <= self.n_init:
            return self._run(problem, starts, self.max_iter)
        short = self._run(problem, starts, min(SHORT_RUN, self.max_iter), race=False)
        alive = [(run.objective, start) for run, start in zip(short, starts, strict=True) if not run.collapsed]
        leading_first = [start for _, start in sorted(alive, key=lambda pair: -pair[0])]
        runs, wanted = [run for run in short if run.collapsed], self.n_init
        while wanted and leading_first:
            those, leading_first = leading_first[:wanted], leading_first[wanted:]
            done = self._run(problem, those, self.max_iter)
            runs += [run if (by := run.beaten_by) is None else replace(run, beaten_by=by + len(runs)) for run in done]
            wanted = self.n_init - sum(not run.collapsed for run in runs)
        return runs

    def _run(
        self, problem: Problem[P], starts: list[P], max_iter: int, *, race: bool = True, reach: float = np.inf
    ) -> list[Run[P]]:
        races = [0] * len(starts) if race else None
        settings: dict[str, Any] = {"tol": self.tol, "max_iter": max_iter, "acceleration": self.acceleration}
        return run_em(problem, starts, races=races, reach=reach, **settings)

    def fit_predict(self, X: ArrayLike, y: Any = None, sample_weight: ArrayLike | None = None) -> np.ndarray:
        """Fit the mixture and return the most probable label of each sample, of weight 0 too, shape (n,)."""
        return self.fit(X, sample_weight=sample_weight).predict(X)

    def _keep(self, found: Found[P], samples: Samples) -> None:
        best, n_collapsed, n_starts, self.starts_ = found
        self.parameters_ = best.parameters
        for name, array in best.parameters.arrays().items():
            setattr(self, f"{name}_", array)
        counts = best.parameters.n_free
        self.n_free_parameters_ = sum(n for name, n in counts.items() if name not in (self.frozen or {}))
        self.log_likelihood_, self.objective_ = best.log_likelihood, best.objective
        self.history_, self.n_iter_, self.converged_ = best.history, best.n_iter, best.converged
        self.n_e_steps_, self.n_collapsed_, self.collapsed_ = best.n_e_steps, n_collapsed, best.collapsed
        if best.collapsed:
            self.status_ = f"no maximum: all {n_starts} restart(s) collapsed, this one {best.status}"
            if is_told(NoMaximumWarning):
                tell(f"{self.status_}; {self._remedies(samples)}", NoMaximumWarning)
            return
        self.status_ = f"{best.status}; best of {n_starts} restart(s)"
        if n_collapsed:
            self.status_ += f", of which {n_collapsed} collapsed and were not ranked"
            if n_collapsed > n_starts / 2:
                tell(f"{n_collapsed} of {n_starts} restarts collapsed", CollapseWarning)
        if not best.converged:
            tell(self.status_, NotConvergedWarning)

    def _starts(self, samples: Samples) -> list[P]:
        if isinstance(self.init, self._parameters_type):
            return [replace(self.init, **self._frozen(self.init.n_features))]
        if not self._starts_anywhere:
            one_hot = np.eye(self.n_components)[np.asarray(self.init)[samples.numbers]]
            try:
                return [self._m_step(samples, one_hot)]
            except Collapse as collapse:
                raise ValueError(f"init labels give no legal start: {collapse}") from None
        return [
            self._start(samples, VIEWS[number % len(VIEWS)], check_random_state(seed))
            for number, seed in enumerate(self._seeds()[: self._n_different])
        ]

    @property
    def _n_different(self) -> int | None:
        """How many starts are not all the same: one of a single component."""
        return 1 if self.n_components == 1 else None

    def _seeds(self) -> list[int]:
        """Return the seed of each start."""
        n_starts = self.n_init if self.n_starts is None else self.n_starts
        seeds: list[int] = check_random_state(self.random_state).randint(2**31 - 1, size=n_starts).tolist()
        return seeds

    def _start(self, samples: Samples, view: str, rng: np.random.RandomState) -> P:
        n_rows = max(START_CELLS // samples.X.shape[1], START_ROWS * self.n_components)
        samples = samples.some(n_rows, rng, hashed=self._hashed)
        centers = self._frozen_centers(samples)
        r = start_responsibilities(samples, self.n_components, self.init, rng, view, centers)
        return self._m_step(samples, r)

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

    def _log_prior(self, parameters: P) -> float:
        return 0.0 if self.prior is None else float(self.prior.log_prob(parameters))

    def _log_priors(self, theta: Arrays) -> Array:
        """Return the log prior of R runs."""
        R = len(theta["weights"])
        if self.prior is None:
            return np.zeros(R)
        runs = [self._built({name: array[r] for name, array in theta.items()}) for r in range(R)]
        return np.array([self._log_prior(parameters) for parameters in runs])

    # Checks -------------------------------------------------------------------------------------------------------

    def _check_settings(self, samples: Samples) -> None:
        K, X = count_at_least_one("n_components", self.n_components), samples.X
        if X.shape[0] < K:
            raise ValueError(f"n_components must be at most the number of samples {X.shape[0]}, got {K}")
        self._frozen(X.shape[1])
        count_at_least_one("n_init", self.n_init)
        if self.n_starts is not None and count_at_least_one("n_starts", self.n_starts) < self.n_init:
            raise ValueError(f"n_starts must be None or at least n_init={self.n_init}, got {self.n_starts}")
        count_at_least_one("max_iter", self.max_iter)
        number_above("tol", self.tol, 0, inclusive=True)
        check_seed(self.random_state)
        if self.acceleration not in ACCELERATIONS:
            raise ValueError(
                f"acceleration must be one of 'multisecant', 'squarem' or None, got {shown(self.acceleration)}"
            )
        if isinstance(self.init, str):
            if self.init not in STARTS:
                raise ValueError(
                    f"init must be one of {', '.join(STARTS)}, parameters or labels, got {shown(self.init)}"
                )
        elif isinstance(self.init, self._parameters_type):
            shape = (self.init.n_components, self.init.n_features)
            if shape != (K, X.shape[1]):
                raise ValueError(f"init must have (components, features) = {(K, X.shape[1])}, got {shape}")
        elif not _are_labels(self.init, samples.n_rows, K):
            raise ValueError(
                f"init must be one of {', '.join(STARTS)}, a {self._parameters_type.__name__}, or {samples.n_rows} "
                f"integer labels from 0 to {K - 1}, got {shown(self.init)}"
            )


def _are_labels(values: Any, n_samples: int, n_components: int) -> bool:
    try:
        labels = np.asarray(values)
    except ValueError:  # ragged
        return False
    if labels.shape != (n_samples,) or labels.dtype.kind not in "iu":
        return False
    return bool(((labels >= 0) & (labels < n_components)).all())
