"""The Gaussian mixture fitted by EM, in scikit-learn's manner; the steps are those of :mod:`em.gmm`."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import eigh

from em.engine import Collapse, Problem, sum_over_blocks
from em.entries import Entries
from em.estimator import MixtureEM
from em.gmm import GaussianStatistics, e_step, log_joint, m_step, mode, sufficient_statistics
from em.gmm_information import entries, observed_information
from em.information import Information
from em.samples import typical_size
from models.gmm import GMMParameters, GMMPrior, simulate
from models.gmm.structures import check_covariance_type
from models.validation import Array

SMALLEST_SCALED_EIGENVALUE = 1e-8
SMALLEST_CORRELATION_EIGENVALUE = 1e-12  # below it fewer than four digits of a covariance's inverse are left


class GaussianMixtureEM(MixtureEM[GMMParameters]):
    """Gaussian mixture fitted by EM: maximum likelihood, or MAP under the prior that the PyMC model takes.

    Parameters
    ----------
    n_components : int, default 1
        Number of components K.
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        Structure of the covariances: one matrix for each component, one for all, variances of each feature in each
        component, or one variance for each component.
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
    weights_, means_, covariances_ : ndarray, shapes (K,), (K, D), and (K, D, D), (D, D), (K, D) or (K,)
        Estimates; the shape of the covariances is that of their structure.
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
    A Gaussian likelihood is unbounded. A restart whose component keeps too few samples for a covariance of its own (at
    most D for a matrix, 1 for variances), or whose covariance has an eigenvalue below 1e-8 of the data's, has
    collapsed: it is counted and never ranked. If all collapse, ``NoMaximumWarning`` is given and the attributes hold
    the last parameters before a collapse.

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
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, prior, n_init, init, tol, max_iter, random_state)
        self.covariance_type = covariance_type

    def _check_data(self, X: Array) -> None:
        kind = check_covariance_type(self.covariance_type)
        if isinstance(self.init, GMMParameters) and self.init.covariance_type != kind:
            raise ValueError(f"init must have covariance_type {kind!r}, got {self.init.covariance_type!r}")
        if self.prior is not None and not isinstance(self.prior, GMMPrior):
            raise ValueError(f"prior must be None or a GMMPrior, got {type(self.prior).__name__}")
        if self.prior is not None:
            self.prior.check_fits(self.n_components, X.shape[1], kind)
        else:
            check_variances(X, kind)

    def _problem(self, X: Array) -> Problem[GMMParameters, GaussianStatistics]:
        spread, kind = covariance_of(X), self.covariance_type

        def expect(parameters: GMMParameters) -> tuple[float, GaussianStatistics]:
            def step(rows: slice) -> tuple[float, GaussianStatistics]:
                r, log_likelihood = e_step(X[rows], parameters)
                return log_likelihood, sufficient_statistics(X[rows], r, parameters.means, kind)

            return sum_over_blocks(len(X), step)

        def maximise(statistics: GaussianStatistics) -> GMMParameters:
            parameters = mode(statistics, self.prior)
            if self.prior is None:
                refuse_collapse(parameters, statistics.counts, spread)
            return parameters

        mean, deviation = typical_size(X)
        variances = {"diag": deviation**2, "spherical": np.mean(deviation**2, keepdims=True)}
        units: dict[str, Array | float] = {"weights": 1.0, "means": mean}
        units["covariances"] = variances.get(kind, np.outer(deviation, deviation))
        return Problem(expect, maximise, self._log_prior, units)

    def _m_step(self, X: Array, responsibilities: Array) -> GMMParameters:
        return m_step(X, responsibilities, self.prior, self.covariance_type)

    def _log_joint_of(self, X: Array) -> Callable[[slice], Array]:
        return lambda rows: log_joint(X[rows], self.parameters_)

    def _simulate(self, n_samples: int, random_state: Any) -> tuple[Array, np.ndarray]:
        return simulate(self.parameters_, n_samples, random_state)

    def _information(self, X: Array, sample_weight: Array) -> Information:
        return observed_information(X, self.parameters_, self.prior, sample_weight)

    def _entries(self, n_samples: float) -> Entries:
        return entries(self.parameters_, n_samples)


def covariance_of(X: Array) -> Array:
    """Return the maximum-likelihood covariance (D, D) of all samples."""
    gap = X - X.mean(axis=0)
    return gap.T @ gap / len(X)


def check_variances(X: Array, covariance_type: str) -> None:
    """Raise a ValueError if X gives every component a variance of 0 in some direction that the structure has."""
    constant = np.flatnonzero(np.ptp(X, axis=0) == 0).tolist()
    if constant and (covariance_type != "spherical" or len(constant) == X.shape[1]):
        raise ValueError(
            f"X must not have constant columns for maximum likelihood, got constant column(s) {constant}: their "
            "variance would be 0. Drop them, or pass a prior"
        )
    with np.errstate(over="ignore"):
        covariance = covariance_of(X)
    variances = np.delete(np.diagonal(covariance), constant)
    if not (np.isfinite(variances) & (variances > np.finfo(np.float64).tiny)).all():
        raise ValueError(f"X must have columns whose variances fit a float, got {variances}: rescale X")
    if covariance_type in ("full", "tied"):
        deviations = np.sqrt(variances)
        flattest = np.linalg.eigvalsh(covariance / np.outer(deviations, deviations))[0]
        if flattest < SMALLEST_CORRELATION_EIGENVALUE:
            raise ValueError(
                "X must have more samples than features and no collinear columns for maximum likelihood, got shape "
                f"{X.shape} and a correlation matrix with eigenvalue {flattest:.1e}: every covariance would be "
                "singular. Drop columns, pass a prior, or take covariance_type='diag'"
            )


def refuse_collapse(parameters: GMMParameters, counts: Array, spread: Array) -> None:
    """Raise `Collapse` if the likelihood is running away: a component is left with too few samples, or nearly flat.

    A covariance matrix of its own needs more than D samples, variances of its own more than one; a covariance that
    all components share needs none. Flat is measured against the data's covariance, for variances against the data's
    variances.
    """
    D, kind = parameters.n_features, parameters.covariance_type
    smallest = int(np.argmin(counts))
    too_few = {"full": D, "tied": 0, "diag": 1, "spherical": 1}[kind]
    if counts[smallest] <= too_few:
        raise Collapse(f"component {smallest} keeps {counts[smallest]:.3g} samples, at most {too_few}")
    for k, flattest in enumerate(_smallest_scaled_eigenvalues(parameters, spread)):
        if flattest < SMALLEST_SCALED_EIGENVALUE:
            whose = "the shared covariance" if kind == "tied" else f"component {k}"
            raise Collapse(f"{whose} fell onto a point or a plane: its covariance is {flattest:.1e} of the data's")


def _smallest_scaled_eigenvalues(parameters: GMMParameters, spread: Array) -> list[float]:
    """Return the smallest eigenvalue of each declared covariance in the units of the data's spread.

    Of spread^(-1/2) Σ spread^(-1/2) for matrices, the same in every coordinate system; of variances over variances.
    """
    covariances = parameters.covariances
    match parameters.covariance_type:
        case "full" | "tied":
            matrices = covariances.reshape(-1, *covariances.shape[-2:])
            return [float(eigh(matrix, spread, eigvals_only=True, check_finite=False)[0]) for matrix in matrices]
        case "diag":
            return list((covariances / np.diagonal(spread)).min(axis=1))
        case _:
            return list(covariances / np.trace(spread) * len(spread))
