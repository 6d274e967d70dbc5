"""Bernoulli and binomial mixtures fitted by EM, in scikit-learn's manner; the steps are those of :mod:`em.bmm`."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import Tags

from em.bmm import (
    CountStatistics,
    checked_counts,
    log_choose,
    log_kernel,
    log_weights,
    mode,
    sparse_log_joint,
    sufficient_statistics,
)
from em.bmm.identifiability import identify
from em.bmm.information import entries, observed_information, whitened
from em.bmm.trials import TrialsOfRows
from em.engine import EPS, Problem, Run, log_prior_size
from em.estimator import MixtureEM
from em.fast.passes import count_pass
from em.fast.sparse import rows_of
from em.samples import Samples, weighted
from em.uncertainty.entries import Entries
from em.uncertainty.louis import Information
from models.bmm import BMMParameters, BMMPrior, simulate
from models.bmm.counts import trials_matrix
from models.validation import Array, count_at_least_one, real_numbers

NEAR_BOUNDARY = 1e-8
INWARD_STEP = 1e-6
SCALES = {"weights": 1.0, "probs": 1.0}


class CountMixtureEM(MixtureEM[BMMParameters]):
    """What the Bernoulli and the binomial mixture share: everything but where the numbers of trials come from."""

    _parameters_type = BMMParameters
    _hashed = True

    @abstractmethod
    def _trials(self) -> Any:
        """Return the trials of the rows that the mixture is fitted to: a number, (D,) or (n, D)."""

    @abstractmethod
    def _trials_for(self, shape: tuple[int, ...]) -> Any:
        """Return the trials of rows of this shape, which a method of the fitted mixture was given."""

    def __sklearn_tags__(self) -> Tags:
        """Tell scikit-learn that the data are not negative, and may be sparse."""
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = tags.input_tags.sparse = True
        return tags

    def _trials_of(self, samples: Samples) -> Any:
        """Return the trials of the rows that take part, where they differ between rows."""
        trials = self._trials()
        if real_numbers("n_trials", trials).ndim < 2:
            return trials
        return trials_matrix(trials, (samples.n_rows, samples.X.shape[1]))[samples.numbers]

    def _beside(self, samples: Samples) -> list[Array]:
        trials = np.asarray(self._trials_of(samples))
        return [trials] if trials.ndim == 2 and (trials != trials[0]).any() else []

    def _check_data(self, samples: Samples) -> None:
        checked_counts(samples.X, self._trials_of(samples), samples.names)
        if self.prior is not None:
            if not isinstance(self.prior, BMMPrior):
                raise ValueError(f"prior must be None or a BMMPrior, got {type(self.prior).__name__}")
            self.prior.check_fits(self.n_components, samples.X.shape[1])
            self.prior.check_mode()
        probs = self._frozen(samples.X.shape[1]).get("probs")
        if probs is not None and ((probs < 0) | (probs > 1)).any():
            raise ValueError(f"frozen probs must lie between 0 and 1, got {probs}")

    def _shapes(self, K: int, D: int) -> dict[str, tuple[int, ...]]:
        return {"weights": (K,), "probs": (K, D)}

    def _problem(self, samples: Samples) -> Problem[BMMParameters, CountStatistics]:
        X, trials = checked_counts(samples.X, self._trials_of(samples))
        frozen, coefficients = self._frozen(X.shape[1]), log_choose(X, trials)
        log_coefficients = float(coefficients.sum() if samples.weights is None else samples.weights @ coefficients)

        def expect(parameters: BMMParameters) -> tuple[float, CountStatistics]:
            n_passes = self._expected_passes()
            log_likelihood, statistics = count_pass(X, trials, parameters, samples.weights, n_passes=n_passes)
            return log_likelihood + log_coefficients, statistics

        same_trials = trials.strides[0] == 0
        metric = partial(
            whitened, n_trials=trials[0] if same_trials else np.average(trials, axis=0, weights=samples.weights)
        )

        def maximise(statistics: CountStatistics) -> BMMParameters:
            return mode(statistics, self.prior, frozen)

        size = log_prior_size(self.prior, self.n_components, X.shape[1])
        return Problem(expect, maximise, self._log_prior, SCALES, metric, samples.total, size)

    def _log_prior(self, parameters: BMMParameters) -> float:
        """Return the log prior; frozen probs of 0 or 1 that it makes impossible are taken as given."""
        log_prior = super()._log_prior(parameters)
        if log_prior == -np.inf and "probs" in (self.frozen or {}):
            return float(self.prior.log_prob(parameters, given=["probs"]))
        return log_prior

    def _released(
        self, problem: Problem[BMMParameters, CountStatistics], run: Run[BMMParameters]
    ) -> BMMParameters | None:
        """Release probs that EM holds at 0 or 1 although the objective rises inwards (Karush-Kuhn-Tucker fails there).

        A prob of 0 is a fixed point of EM whatever its slope, so a run may be trapped. From just inside the boundary
        one M-step tells which way each such prob wants to go.
        """
        weights, probs = run.parameters.weights, run.parameters.probs
        held = on_boundary(probs)
        if not held.any() or "probs" in (self.frozen or {}):
            return None
        inside = np.where(held, np.clip(probs, INWARD_STEP, 1 - INWARD_STEP), probs)
        after = problem.maximise(problem.expect(BMMParameters(weights, inside))[1]).probs
        inwards = held & (np.abs(after - 0.5) < np.abs(inside - 0.5))
        released = BMMParameters(weights, np.where(inwards, inside, probs))
        gain = problem.expect(released)[0] + problem.log_prior(released) - run.objective
        return released if gain > 1e3 * EPS * abs(run.objective) else None

    def _m_step(self, samples: Samples, responsibilities: Array) -> BMMParameters:
        X, trials = checked_counts(samples.X, self._trials_of(samples))
        statistics = sufficient_statistics(X, trials, weighted(responsibilities, samples.weights))
        return mode(statistics, self.prior, self._frozen(X.shape[1]))

    def _frozen_centers(self, samples: Samples) -> Array | None:
        probs = self._frozen(samples.X.shape[1]).get("probs")
        if probs is None:
            return None
        return probs * trials_matrix(self._trials_of(samples), samples.X.shape).mean(axis=0)

    def _conditional_means(self, X: Array, responsibilities: Array) -> Array:
        return (responsibilities @ self.parameters_.probs) * trials_matrix(self._trials_for(X.shape), X.shape)

    def _log_joint_of(self, X: Array) -> Callable[[slice], Array]:
        X, trials = checked_counts(X, self._trials_for(X.shape), getattr(self, "feature_names_in_", None))
        if issparse(X):
            log_joint = sparse_log_joint(self.parameters_, trials[0])
            coefficients = log_choose(X, trials)
            return lambda rows: coefficients[rows, None] + log_joint(rows_of(X, rows))
        log_pi, probs = log_weights(self.parameters_), self.parameters_.probs
        return lambda rows: (
            log_pi + log_choose(X[rows], trials[rows])[:, None] + log_kernel(X[rows], trials[rows], probs)
        )

    def _simulate(self, n_samples: int, random_state: Any) -> tuple[Array, np.ndarray]:
        shape = (count_at_least_one("n_samples", n_samples), self.parameters_.n_features)
        return simulate(self.parameters_, n_samples, self._trials_for(shape), random_state)

    def _information(self, X: Array, sample_weight: Array, rows: np.ndarray) -> Information:
        trials = self._trials_for((len(rows), X.shape[1]))
        trials = np.asarray(trials)[rows] if np.ndim(trials) == 2 else trials
        return observed_information(X, self.parameters_, self.prior, trials, sample_weight, frozen=self.frozen or ())

    def _entries(self, n_samples: float) -> Entries:
        return entries(self.parameters_, n_samples, self.frozen or ())

    def _remarks(self, samples: Samples) -> list[str]:
        remarks = []
        if emptied := np.flatnonzero(self.weights_ * samples.total < NEAR_BOUNDARY).tolist():
            remarks.append(f"component(s) {emptied} emptied: use fewer components or a prior")
        if n_held := int(on_boundary(self.probs_).sum()):
            remarks.append(f"{n_held} of {self.probs_.size} probs on the boundary (0 or 1)")
        if self.prior is not None and self.prior.log_prob(self.parameters_) == -np.inf:
            remarks.append("the prior makes the frozen probs impossible, so the objective leaves out their density")
        patterns = None if issparse(samples.X) or samples.complete else np.unique(~np.isnan(samples.X), axis=0)
        self.identifiability_ = identify(self.parameters_, self._trials_of(samples), self.frozen or (), patterns)
        return remarks


class BinomialMixtureEM(TrialsOfRows, CountMixtureEM):
    """Binomial mixture fitted by EM: maximum likelihood, or MAP under the prior that the PyMC model takes.

    X may be any scipy.sparse matrix or array where rows have the same trials; it is never made dense, and has no
    missing cells.

    Parameters
    ----------
    n_components : int, default 1
        Number of components K.
    n_trials : int or array_like, shape (D,) or (n, D), default 1
        Number of trials of each cell. Where they differ between rows, the methods take those of new rows as an argument
        of the same name (:mod:`em.bmm.trials`).
    prior : BMMPrior or None, default None
        ``None`` is maximum likelihood, with no hidden smoothing.
    n_init : int, default 10
        Number of restarts that are run to the end; the best one is kept.
    n_starts : int or None, default None
        Number of starts that a short run of 10 iterations tries, of which the best ``n_init`` are run to the end;
        None tries no more than are run. Neither number counts where ``init`` gives one start.
    init : str, BMMParameters or array_like of int, default "k-means++"
        "k-means++", "kmeans" or "random" (see :mod:`em.starts`), or one start: parameters, or labels (n,) for a first
        M-step.
    tol : float, default 1e-8
        Bound on the gain still to come, in nats of the whole objective (Aitken's extrapolation).
    max_iter : int, default 10000
        Largest number of iterations of each restart.
    frozen : dict or None, default None
        Values of "weights" or "probs" that are given and not estimated. Probs of 0 or 1, which a prior with successes
        or failures above 1 makes impossible, leave the objective without the density of the probs, a constant.
    acceleration : {"multisecant", "squarem", None}, default "multisecant"
        Which leaps to take where the objective allows them, if any (:mod:`em.engine`).
    random_state : int, RandomState or None, default None
        Seed or source of randomness of the restarts.

    Attributes
    ----------
    weights_, probs_ : ndarray, shapes (K,), (K, D)
        Estimates.
    parameters_ : BMMParameters
        The same in one frozen value.
    n_trials_ : int or ndarray
        The trials that `fit` was given as an argument; only there if it was.
    log_likelihood_, objective_ : float
        Sums over samples in nats, of the returned parameters; the objective adds the log prior.
    history_ : ndarray, shape (n_iter_ + 1,)
        Objective at the start and after each iteration of the best restart; an iteration is a plain step of EM or a
        leap.
    n_iter_, n_e_steps_ : int
        Iterations and E-steps of the best restart (a refused leap costs an E-step and is no iteration).
    converged_ : bool
        Whether the best restart converged.
    identifiability_ : Identifiability
        Rank of the model at the estimate, and a free direction if there is one.
    status_ : str
        A sentence: how it ended, emptied components, estimates on the boundary, free directions.

    Raises
    ------
    ValueError
        If a parameter or X is not legal; see the message.

    References
    ----------
    Bishop (2006), Pattern Recognition and Machine Learning, section 9.3.3.

    Examples
    --------
    >>> from em import BinomialMixtureEM
    >>> X = [[0], [1], [1], [2], [9], [10], [9], [8]]
    >>> sorted(BinomialMixtureEM(2, n_trials=10, random_state=0).fit(X).probs_.ravel().round(3).tolist())
    [0.1, 0.9]
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        n_trials: Any = 1,
        prior: BMMPrior | None = None,
        n_init: int = 10,
        n_starts: int | None = None,
        init: Any = "k-means++",
        tol: float = 1e-8,
        max_iter: int = 10_000,
        frozen: Mapping[str, Any] | None = None,
        acceleration: str | None = "multisecant",
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, prior, n_init, n_starts, init, tol, max_iter, frozen, acceleration, random_state)
        self.n_trials = n_trials


class BernoulliMixtureEM(CountMixtureEM):
    """Bernoulli mixture (latent class analysis) fitted by EM: the binomial mixture with one trial per cell.

    Parameters and attributes are those of :class:`BinomialMixtureEM` without ``n_trials``.

    Raises
    ------
    ValueError
        If a parameter is not legal or X holds anything but 0 and 1.

    Examples
    --------
    >>> from em import BernoulliMixtureEM
    >>> X = [[1, 1, 1, 0], [1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]] * 5
    >>> BernoulliMixtureEM(2, random_state=0).fit(X).weights_.round(3).tolist()
    [0.5, 0.5]
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        prior: BMMPrior | None = None,
        n_init: int = 10,
        n_starts: int | None = None,
        init: Any = "k-means++",
        tol: float = 1e-8,
        max_iter: int = 10_000,
        frozen: Mapping[str, Any] | None = None,
        acceleration: str | None = "multisecant",
        random_state: Any = None,
    ) -> None:
        MixtureEM.__init__(
            self, n_components, prior, n_init, n_starts, init, tol, max_iter, frozen, acceleration, random_state
        )

    def _trials(self) -> Any:
        return 1

    def _trials_for(self, shape: tuple[int, ...]) -> Any:
        return 1


def on_boundary(probs: Array) -> np.ndarray:
    """Return which probs are 0 or 1 as far as EM can tell."""
    return (probs < NEAR_BOUNDARY) | (probs > 1 - NEAR_BOUNDARY)
