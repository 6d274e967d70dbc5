"""EM for the Gaussian mixture: the textbook's steps as pure functions, and the estimator built on them.

The mathematics is in :mod:`models.gmm`; formulas there, code here, in the same order.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh, solve_triangular

from em.bound import check_responsibilities, normalise
from em.engine import Collapse, Problem, sum_over_blocks
from em.estimator import MixtureEM
from models.gmm import GMMParameters, GMMPrior, simulate
from models.validation import Array, data_matrix

SMALLEST_SCALED_EIGENVALUE = 1e-8


def component_log_prob(X: ArrayLike, parameters: GMMParameters) -> Array:
    """Return log Normal(x_i | μ_k, Σ_k) = -D/2 log 2π - 1/2 log|Σ_k| - 1/2 ‖L_k⁻¹ (x_i - μ_k)‖², shape (n, K), in nats."""
    X = _samples(X, parameters)
    log_prob = np.empty((len(X), parameters.n_components))
    for k, (mean, chol) in enumerate(zip(parameters.means, parameters.cholesky, strict=True)):
        whitened = solve_triangular(chol, (X - mean).T, lower=True, check_finite=False)
        log_prob[:, k] = -0.5 * np.einsum("dn,dn->n", whitened, whitened) - np.log(np.diagonal(chol)).sum()
    return log_prob - 0.5 * parameters.n_features * np.log(2 * np.pi)


def log_joint(X: ArrayLike, parameters: GMMParameters) -> Array:
    """Return log p(x_i, z_i = k) = log π_k + log p(x_i | z_i = k), shape (n, K), in nats."""
    with np.errstate(divide="ignore"):
        return np.log(parameters.weights) + component_log_prob(X, parameters)


def e_step(X: ArrayLike, parameters: GMMParameters) -> tuple[Array, float]:
    """Return the responsibilities p(z_i = k | x_i), shape (n, K), and the log-likelihood (sum over samples, nats).

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    parameters : GMMParameters
        Current parameters.

    Examples
    --------
    >>> from em import gmm
    >>> from models.gmm import GMMParameters
    >>> r, log_likelihood = gmm.e_step([[1.0]], GMMParameters([0.5, 0.5], [[0.0], [2.0]], [[[1.0]], [[1.0]]]))
    >>> r
    array([[0.5, 0.5]])
    """
    responsibilities, log_prob = normalise(log_joint(X, parameters))
    return responsibilities, float(log_prob.sum())


def m_step(X: ArrayLike, responsibilities: ArrayLike, prior: GMMPrior | None = None) -> GMMParameters:
    """Return the parameters that maximise Q (plus the log prior) under the given responsibilities.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    responsibilities : array_like, shape (n, K)
        Rows sum to one; one-hot rows give the closed-form fit with known labels.
    prior : GMMPrior or None
        ``None`` for maximum likelihood.

    Raises
    ------
    Collapse
        If a component's covariance would be singular (a ValueError).

    Examples
    --------
    >>> from em import gmm
    >>> gmm.m_step([[0.0], [2.0], [5.0], [9.0]], [[1, 0], [1, 0], [0, 1], [0, 1]]).means
    array([[1.],
           [7.]])
    """
    X = data_matrix(X)
    r = check_responsibilities(responsibilities, len(X))
    counts = r.sum(axis=0)
    centers = r.T @ X / np.where(counts > 0, counts, 1.0)[:, None]
    return mode(sufficient_statistics(X, r, centers), prior)


@dataclass(frozen=True)
class GaussianStatistics:
    """Responsibility-weighted moments about fixed ``centers`` c_k; they add up over rows.

    counts Σ_i r_ik (K,); first Σ_i r_ik (x_i - c_k) (K, D); second Σ_i r_ik (x_i - c_k)(x_i - c_k)' (K, D, D).
    Centres near the means keep the digits that raw second moments lose.
    """

    centers: Array
    counts: Array
    first: Array
    second: Array

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.centers, self.counts + other.counts, self.first + other.first, self.second + other.second
        )


def sufficient_statistics(X: Array, responsibilities: Array, centers: Array) -> GaussianStatistics:
    """Return the weighted moments of X (n, D) about ``centers`` (K, D)."""
    K, D = centers.shape
    first, second = np.empty((K, D)), np.empty((K, D, D))
    for k in range(K):
        gap = X - centers[k]
        weighted = responsibilities[:, k, None] * gap
        first[k], second[k] = weighted.sum(axis=0), weighted.T @ gap
    return GaussianStatistics(centers, responsibilities.sum(axis=0), first, second)


def mode(statistics: GaussianStatistics, prior: GMMPrior | None) -> GMMParameters:
    """Return the mode of prior plus sufficient statistics: the M-step's formulas of :mod:`models.gmm`."""
    N = statistics.counts
    K, D = statistics.centers.shape
    shift = statistics.first / np.where(N > 0, N, 1.0)[:, None]
    xbar = statistics.centers + shift
    S = statistics.second - N[:, None, None] * _outer(shift)
    if prior is None:
        if (N <= 0).any():
            raise Collapse(f"component {int(np.argmin(N))} was emptied: no sample has a share in it")
        weights, means, covariances = N / N.sum(), xbar, S / N[:, None, None]
    else:
        prior.check_fits(K, D)
        a, m0, kappa0 = np.broadcast_to(prior.concentration, K), prior.mean, prior.mean_precision
        weights = (N + a - 1) / (N.sum() + a.sum() - K)
        means = (kappa0 * m0 + N[:, None] * xbar) / (kappa0 + N)[:, None]
        pull = (kappa0 * N / (kappa0 + N))[:, None, None] * _outer(xbar - m0)
        covariances = (prior.scale + S + pull) / (prior.degrees_of_freedom + N + D + 2)[:, None, None]
    covariances = (covariances + np.swapaxes(covariances, 1, 2)) / 2
    try:
        return GMMParameters(weights, means, covariances)
    except ValueError as error:
        raise Collapse(f"the covariance of a component is singular ({error})") from None


class GaussianMixtureEM(MixtureEM[GMMParameters]):
    """Gaussian mixture fitted by EM: maximum likelihood, or MAP under the prior that the PyMC model takes.

    Parameters
    ----------
    n_components : int, default 1
        Number of components K.
    covariance_type : {"full"}, default "full"
        Structure of the covariances.
    prior : GMMPrior or None, default None
        ``None`` is maximum likelihood, with no hidden regularisation.
    n_init : int, default 10
        Number of restarts; the best one that did not collapse is kept.
    init : str, GMMParameters or array_like of int, default "k-means++"
        "k-means++", "kmeans" or "random", or one start: parameters, or labels (n,) for a first M-step.
    tol : float, default 1e-8
        Bound on the gain still to come, in nats of the whole objective (Aitken's extrapolation).
    max_iter : int, default 10000
        Largest number of iterations of each restart.
    random_state : int, RandomState or None, default None
        Seed or source of randomness of the restarts.

    Attributes
    ----------
    weights_, means_, covariances_ : ndarray, shapes (K,), (K, D), (K, D, D)
        Estimates.
    parameters_ : GMMParameters
        The same in one frozen value.
    log_likelihood_, objective_ : float
        Sums over samples in nats, of the returned parameters; the objective adds the log prior.
    history_ : ndarray, shape (n_iter_ + 1,)
        Objective at the start and after each iteration of the best restart.
    n_iter_, n_collapsed_ : int
        Iterations of the best restart; how many restarts collapsed.
    converged_ : bool
        Whether the best restart converged.
    status_ : str
        A sentence: how it ended, and what to do about it if anything.

    Raises
    ------
    ValueError
        If a parameter or X is not legal; see the message.

    Notes
    -----
    A Gaussian likelihood is unbounded. A restart whose component keeps at most D samples, or whose covariance has an
    eigenvalue below 1e-8 of the data's, has collapsed: it is counted and never ranked. If all collapse,
    ``NoMaximumWarning`` is given and the attributes hold the last parameters before a collapse.

    References
    ----------
    McLachlan & Peel (2000), Finite Mixture Models, chapter 3.

    Examples
    --------
    >>> import numpy as np
    >>> from em import GaussianMixtureEM
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])[:, None]
    >>> GaussianMixtureEM(n_components=2, random_state=0).fit(X).weights_.round(3).tolist() in ([0.4, 0.6], [0.6, 0.4])
    True
    """

    def __init__(
        self,
        n_components: int = 1,
        *,
        covariance_type: str = "full",
        prior: GMMPrior | None = None,
        n_init: int = 10,
        init: Any = "k-means++",
        tol: float = 1e-8,
        max_iter: int = 10_000,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, prior, n_init, init, tol, max_iter, random_state)
        self.covariance_type = covariance_type

    def _check_data(self, X: Array) -> None:
        if self.covariance_type != "full":
            raise ValueError(f"covariance_type must be 'full', got {self.covariance_type!r}")
        if self.prior is not None and not isinstance(self.prior, GMMPrior):
            raise ValueError(f"prior must be None or a GMMPrior, got {type(self.prior).__name__}")
        if self.prior is not None:
            self.prior.check_fits(self.n_components, X.shape[1])
        elif constant := np.flatnonzero(np.ptp(X, axis=0) == 0).tolist():
            raise ValueError(
                f"X must not have constant columns for maximum likelihood, got constant column(s) {constant}: their "
                "variance would be 0. Drop them, or pass a prior"
            )

    def _problem(self, X: Array) -> Problem[GMMParameters, GaussianStatistics]:
        spread = np.cov(X, rowvar=False, bias=True).reshape(X.shape[1], X.shape[1])

        def expect(parameters: GMMParameters) -> tuple[float, GaussianStatistics]:
            def step(rows: slice) -> tuple[float, GaussianStatistics]:
                r, log_likelihood = e_step(X[rows], parameters)
                return log_likelihood, sufficient_statistics(X[rows], r, parameters.means)

            return sum_over_blocks(len(X), step)

        def maximise(statistics: GaussianStatistics) -> GMMParameters:
            parameters = mode(statistics, self.prior)
            if self.prior is None:
                refuse_collapse(parameters, statistics.counts, spread)
            return parameters

        return Problem(expect, maximise, self._log_prior)

    def _m_step(self, X: Array, responsibilities: Array) -> GMMParameters:
        return m_step(X, responsibilities, self.prior)

    def _log_joint_of(self, X: Array) -> Callable[[slice], Array]:
        return lambda rows: log_joint(X[rows], self.parameters_)

    def _simulate(self, n_samples: int, random_state: Any) -> tuple[Array, np.ndarray]:
        return simulate(self.parameters_, n_samples, random_state)

    _parameters_type = GMMParameters


def refuse_collapse(parameters: GMMParameters, counts: Array, spread: Array) -> None:
    """Raise `Collapse` if a component holds at most D samples or is flat on the scale of the data's covariance."""
    D = parameters.n_features
    smallest = int(np.argmin(counts))
    if counts[smallest] <= D:
        raise Collapse(f"component {smallest} keeps {counts[smallest]:.3g} samples, at most the {D} feature(s)")
    for k, covariance in enumerate(parameters.covariances):
        # eigenvalues of spread^(-1/2) Σ_k spread^(-1/2); where spread is singular so is every Σ_k, and mode() has said so
        flattest = eigh(covariance, spread, eigvals_only=True, check_finite=False)[0]
        if flattest < SMALLEST_SCALED_EIGENVALUE:
            raise Collapse(
                f"component {k} fell onto a point or a plane: its covariance is {flattest:.1e} of the data's"
            )


def _outer(rows: Array) -> Array:
    return rows[:, :, None] * rows[:, None, :]


def _samples(X: ArrayLike, parameters: GMMParameters) -> Array:
    X = data_matrix(X)
    if X.shape[1] != parameters.n_features:
        raise ValueError(f"X must have {parameters.n_features} columns like the means, got {X.shape[1]}")
    return X
