"""The Gaussian mixture fitted by EM, in scikit-learn's manner; the steps are those of :mod:`em.gmm`."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import eigh

from em.engine import Collapse, Problem, sum_over_blocks
from em.estimator import MixtureEM
from em.gmm import GaussianStatistics, e_step, log_joint, m_step, mode, sufficient_statistics
from em.samples import typical_size
from models.gmm import GMMParameters, GMMPrior, simulate
from models.validation import Array

SMALLEST_SCALED_EIGENVALUE = 1e-8
SMALLEST_CORRELATION_EIGENVALUE = 1e-12  # below it fewer than four digits of a covariance's inverse are left


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
    acceleration : {"squarem", None}, default "squarem"
        Whether to leap ahead along EM's path where the objective allows it (:mod:`em.acceleration`).
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
        Objective at the start and after each iteration of the best restart; an iteration is a plain step of EM or a
        leap.
    n_iter_, n_e_steps_, n_collapsed_ : int
        Iterations and E-steps of the best restart (a refused leap costs an E-step and is no iteration); how many
        restarts collapsed.
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

    _parameters_type = GMMParameters

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
        acceleration: str | None = "squarem",
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, prior, n_init, init, tol, max_iter, acceleration, random_state)
        self.covariance_type = covariance_type

    def _check_data(self, X: Array) -> None:
        if self.covariance_type != "full":
            raise ValueError(f"covariance_type must be 'full', got {self.covariance_type!r}")
        if self.prior is not None and not isinstance(self.prior, GMMPrior):
            raise ValueError(f"prior must be None or a GMMPrior, got {type(self.prior).__name__}")
        if self.prior is not None:
            self.prior.check_fits(self.n_components, X.shape[1])
        else:
            check_full_rank(X)

    def _problem(self, X: Array) -> Problem[GMMParameters, GaussianStatistics]:
        spread = covariance_of(X)

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

        mean, deviation = typical_size(X)
        scales = {"means": mean, "covariances": np.outer(deviation, deviation)}
        return Problem(expect, maximise, self._log_prior, {"weights": 1.0, **scales})

    def _m_step(self, X: Array, responsibilities: Array) -> GMMParameters:
        return m_step(X, responsibilities, self.prior)

    def _log_joint_of(self, X: Array) -> Callable[[slice], Array]:
        return lambda rows: log_joint(X[rows], self.parameters_)

    def _simulate(self, n_samples: int, random_state: Any) -> tuple[Array, np.ndarray]:
        return simulate(self.parameters_, n_samples, random_state)


def covariance_of(X: Array) -> Array:
    """Return the maximum-likelihood covariance (D, D) of all samples."""
    gap = X - X.mean(axis=0)
    return gap.T @ gap / len(X)


def check_full_rank(X: Array) -> None:
    """Raise a ValueError if some direction of X has no variance: every component's covariance would be singular."""
    if constant := np.flatnonzero(np.ptp(X, axis=0) == 0).tolist():
        raise ValueError(
            f"X must not have constant columns for maximum likelihood, got constant column(s) {constant}: their "
            "variance would be 0. Drop them, or pass a prior"
        )
    with np.errstate(over="ignore"):
        covariance = covariance_of(X)
    variances = np.diagonal(covariance)
    if not (np.isfinite(variances) & (variances > np.finfo(np.float64).tiny)).all():
        raise ValueError(f"X must have columns whose variances fit a float, got {variances}: rescale X")
    deviations = np.sqrt(variances)
    flattest = np.linalg.eigvalsh(covariance / np.outer(deviations, deviations))[0]
    if flattest < SMALLEST_CORRELATION_EIGENVALUE:
        raise ValueError(
            "X must have more samples than features and no collinear columns for maximum likelihood, got shape "
            f"{X.shape} and a correlation matrix with eigenvalue {flattest:.1e}: every covariance would be singular. "
            "Drop columns, or pass a prior"
        )


def refuse_collapse(parameters: GMMParameters, counts: Array, spread: Array) -> None:
    """Raise `Collapse` if a component holds at most D samples or is flat on the scale of the data's covariance."""
    D = parameters.n_features
    smallest = int(np.argmin(counts))
    if counts[smallest] <= D:
        raise Collapse(f"component {smallest} keeps {counts[smallest]:.3g} samples, at most the {D} feature(s)")
    for k, covariance in enumerate(parameters.covariances):
        # eigenvalues of spread^(-1/2) Σ_k spread^(-1/2), the same in every coordinate system
        flattest = eigh(covariance, spread, eigvals_only=True, check_finite=False)[0]
        if flattest < SMALLEST_SCALED_EIGENVALUE:
            raise Collapse(
                f"component {k} fell onto a point or a plane: its covariance is {flattest:.1e} of the data's"
            )
