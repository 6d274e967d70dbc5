"""EM for the Bernoulli and binomial mixtures: the textbook's steps as pure functions, and the estimators.

The mathematics is in :mod:`models.bmm`; formulas there, code here, in the same order.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from em.bound import check_responsibilities, normalise
from em.engine import Problem, sum_over_blocks
from em.estimator import MixtureEM
from em.identifiability import identify
from em.status import NotIdentifiableWarning
from models.bmm import BMMParameters, BMMPrior, simulate
from models.bmm.counts import count_matrix
from models.validation import Array

NEAR_BOUNDARY = 1e-8


def component_log_prob(X: ArrayLike, parameters: BMMParameters, n_trials: ArrayLike = 1) -> Array:
    """Return log p(x_i | z_i = k) = Σ_d log C(m, x) + x log p_kd + (m - x) log(1 - p_kd), shape (n, K), in nats."""
    X, trials = count_matrix(X, n_trials)
    if X.shape[1] != parameters.n_features:
        raise ValueError(f"X must have {parameters.n_features} columns like the probs, got {X.shape[1]}")
    return log_choose(X, trials)[:, None] + _log_kernel(X, trials, parameters.probs)


def log_joint(X: ArrayLike, parameters: BMMParameters, n_trials: ArrayLike = 1) -> Array:
    """Return log p(x_i, z_i = k) = log π_k + log p(x_i | z_i = k), shape (n, K), in nats."""
    return _log_weights(parameters) + component_log_prob(X, parameters, n_trials)


def e_step(X: ArrayLike, parameters: BMMParameters, n_trials: ArrayLike = 1) -> tuple[Array, float]:
    """Return the responsibilities p(z_i = k | x_i), shape (n, K), and the log-likelihood (sum over samples, nats).

    Parameters
    ----------
    X : array_like, shape (n, D)
        Counts of successes.
    parameters : BMMParameters
        Current parameters.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials of each cell.

    Examples
    --------
    >>> from em import bmm
    >>> from models.bmm import BMMParameters
    >>> r, log_likelihood = bmm.e_step([[1, 1], [0, 0]], BMMParameters([0.5, 0.5], [[0.9, 0.9], [0.1, 0.1]]))
    >>> r.round(3)
    array([[0.988, 0.012],
           [0.012, 0.988]])
    """
    responsibilities, log_prob = normalise(log_joint(X, parameters, n_trials))
    return responsibilities, float(log_prob.sum())


def m_step(
    X: ArrayLike, responsibilities: ArrayLike, prior: BMMPrior | None = None, n_trials: ArrayLike = 1
) -> BMMParameters:
    """Return the parameters that maximise Q (plus the log prior) under the given responsibilities.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Counts of successes.
    responsibilities : array_like, shape (n, K)
        Rows sum to one; one-hot rows give the closed-form fit with known labels.
    prior : BMMPrior or None
        ``None`` for maximum likelihood.
    n_trials : int or array_like, shape (D,) or (n, D)
        Number of trials of each cell.

    Examples
    --------
    >>> from em import bmm
    >>> bmm.m_step([[1, 0], [1, 1], [0, 1]], [[1, 0], [1, 0], [0, 1]]).probs
    array([[1. , 0.5],
           [0. , 1. ]])
    """
    X, trials = count_matrix(X, n_trials)
    return mode(sufficient_statistics(X, trials, check_responsibilities(responsibilities, len(X))), prior)


@dataclass(frozen=True)
class CountStatistics:
    """counts Σ_i r_ik (K,); successes Σ_i r_ik x_id and trials Σ_i r_ik m_id (K, D); they add up over rows."""

    counts: Array
    successes: Array
    trials: Array

    def __add__(self, other: Self) -> Self:
        return type(self)(self.counts + other.counts, self.successes + other.successes, self.trials + other.trials)


def sufficient_statistics(X: Array, trials: Array, responsibilities: Array) -> CountStatistics:
    """Return expected counts, successes and trials of each component."""
    counts = responsibilities.sum(axis=0)
    if trials.strides[0] == 0:  # every sample has the same trials
        expected_trials = counts[:, None] * trials[0]
    else:
        expected_trials = responsibilities.T @ trials
    return CountStatistics(counts, responsibilities.T @ X, expected_trials)


def mode(statistics: CountStatistics, prior: BMMPrior | None) -> BMMParameters:
    """Return the mode of prior plus sufficient statistics: the M-step's formulas of :mod:`models.bmm`.

    An emptied component has no share in Q, so any probs maximise it: it is given those of all samples pooled.
    """
    N, K = statistics.counts, len(statistics.counts)
    successes, trials = statistics.successes, statistics.trials
    if prior is None:
        emptied = N[:, None] <= 0
        successes = np.where(emptied, successes.sum(axis=0), successes)
        trials = np.where(emptied, trials.sum(axis=0), trials)
        return BMMParameters(N / N.sum(), np.clip(successes / trials, 0, 1))
    prior.check_fits(*successes.shape)
    a, b, c = np.broadcast_to(prior.concentration, K), np.asarray(prior.successes), np.asarray(prior.failures)
    weights = (N + a - 1) / (N.sum() + a.sum() - K)
    denominator = trials + b + c - 2
    probs = np.where(denominator > 0, (successes + b - 1) / np.where(denominator > 0, denominator, 1), 0.5)
    return BMMParameters(weights, np.clip(probs, 0, 1))


class BinomialMixtureEM(MixtureEM[BMMParameters]):
    """Binomial mixture fitted by EM: maximum likelihood, or MAP under the prior that the PyMC model takes.

    Parameters
    ----------
    n_components : int, default 1
        Number of components K.
    n_trials : int or array_like, shape (D,) or (n, D), default 1
        Number of trials of each cell.
    prior : BMMPrior or None, default None
        ``None`` is maximum likelihood, with no hidden smoothing.
    n_init : int, default 10
        Number of restarts; the best one is kept.
    init : str, BMMParameters or array_like of int, default "k-means++"
        "k-means++", "kmeans" or "random", or one start: parameters, or labels (n,) for a first M-step.
    tol : float, default 1e-8
        Bound on the gain still to come, in nats of the whole objective (Aitken's extrapolation).
    max_iter : int, default 10000
        Largest number of iterations of each restart.
    random_state : int, RandomState or None, default None
        Seed or source of randomness of the restarts.

    Attributes
    ----------
    weights_, probs_ : ndarray, shapes (K,), (K, D)
        Estimates.
    parameters_ : BMMParameters
        The same in one frozen value.
    log_likelihood_, objective_ : float
        Sums over samples in nats, of the returned parameters; the objective adds the log prior.
    history_ : ndarray, shape (n_iter_ + 1,)
        Objective at the start and after each iteration of the best restart.
    n_iter_ : int
        Iterations of the best restart.
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

    _parameters_type = BMMParameters

    def __init__(
        self,
        n_components: int = 1,
        *,
        n_trials: Any = 1,
        prior: BMMPrior | None = None,
        n_init: int = 10,
        init: Any = "k-means++",
        tol: float = 1e-8,
        max_iter: int = 10_000,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, prior, n_init, init, tol, max_iter, random_state)
        self.n_trials = n_trials

    def _trials(self) -> Any:
        return self.n_trials

    def _check_data(self, X: Array) -> None:
        count_matrix(X, self._trials())
        if self.prior is not None:
            if not isinstance(self.prior, BMMPrior):
                raise ValueError(f"prior must be None or a BMMPrior, got {type(self.prior).__name__}")
            self.prior.check_fits(self.n_components, X.shape[1])

    def _problem(self, X: Array) -> Problem[BMMParameters, CountStatistics]:
        X, trials = count_matrix(X, self._trials())
        X, trials, frequencies = patterns(X, trials)
        log_base = log_choose(X, trials)

        def expect(parameters: BMMParameters) -> tuple[float, CountStatistics]:
            log_weights = _log_weights(parameters)

            def step(rows: slice) -> tuple[float, CountStatistics]:
                joint = log_weights + _log_kernel(X[rows], trials[rows], parameters.probs)
                responsibilities, log_prob = normalise(joint)
                weighted = responsibilities * frequencies[rows, None]
                log_likelihood = frequencies[rows] * (log_prob + log_base[rows])
                return float(log_likelihood.sum()), sufficient_statistics(X[rows], trials[rows], weighted)

            return sum_over_blocks(len(X), step)

        return Problem(expect, lambda statistics: mode(statistics, self.prior), self._log_prior)

    def _m_step(self, X: Array, responsibilities: Array) -> BMMParameters:
        return m_step(X, responsibilities, self.prior, self._trials())

    def _log_joint_of(self, X: Array) -> Callable[[slice], Array]:
        X, trials = count_matrix(X, self._trials())
        return lambda rows: log_joint(X[rows], self.parameters_, trials[rows])

    def _simulate(self, n_samples: int, random_state: Any) -> tuple[Array, np.ndarray]:
        return simulate(self.parameters_, n_samples, self._trials(), random_state)

    def _remarks(self, X: Array) -> list[str]:
        remarks = []
        if emptied := np.flatnonzero(self.weights_ * len(X) < NEAR_BOUNDARY).tolist():
            remarks.append(f"component(s) {emptied} emptied: use fewer components or a prior")
        if on_boundary := int(((self.probs_ < NEAR_BOUNDARY) | (self.probs_ > 1 - NEAR_BOUNDARY)).sum()):
            remarks.append(f"{on_boundary} of {self.probs_.size} probs on the boundary (0 or 1)")
        self.identifiability_ = identify(self.parameters_, self._trials())
        if not self.identifiability_.identified:
            remarks.append(f"not identified: {self.identifiability_.sentence}")
            warnings.warn(self.identifiability_.sentence, NotIdentifiableWarning, stacklevel=3)
        return remarks


class BernoulliMixtureEM(BinomialMixtureEM):
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
        init: Any = "k-means++",
        tol: float = 1e-8,
        max_iter: int = 10_000,
        random_state: Any = None,
    ) -> None:
        MixtureEM.__init__(self, n_components, prior, n_init, init, tol, max_iter, random_state)

    def _trials(self) -> Any:
        return 1


def patterns(X: Array, trials: Array) -> tuple[Array, Array, Array]:
    """Return the distinct rows of (X, trials) and how often each occurs: the same sums over fewer rows."""
    same_trials = trials.strides[0] == 0
    rows = X if same_trials else np.hstack([X, trials])
    distinct, frequencies = np.unique(rows, axis=0, return_counts=True)
    D = X.shape[1]
    if same_trials:
        return distinct, np.broadcast_to(trials[0], distinct.shape), frequencies.astype(np.float64)
    return distinct[:, :D].copy(), distinct[:, D:].copy(), frequencies.astype(np.float64)


def log_choose(X: Array, trials: Array) -> Array:
    """Return Σ_d log C(m_id, x_id), shape (n,): the part of the density that no parameter touches."""
    if (trials == 1).all():
        return np.zeros(len(X))
    return (gammaln(trials + 1) - gammaln(X + 1) - gammaln(trials - X + 1)).sum(axis=1)


def _log_weights(parameters: BMMParameters) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(parameters.weights)


def _log_kernel(X: Array, trials: Array, probs: Array) -> Array:
    """Return Σ_d x log p + (m - x) log(1 - p), shape (n, K), with 0 log 0 = 0."""
    never, always = probs == 0, probs == 1
    log_success = np.log(np.where(never, 1.0, probs))
    log_failure = np.log1p(-np.where(always, 0.0, probs))
    kernel = X @ log_success.T + (trials - X) @ log_failure.T
    if never.any() or always.any():
        impossible = X @ never.T.astype(float) + (trials - X) @ always.T.astype(float)
        kernel[impossible > 0] = -np.inf
    return kernel
