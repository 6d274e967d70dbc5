"""Conjugate prior of the Gaussian mixture, as plain numbers that EM and PyMC both read."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import log, pi
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from models.frames import column_names
from models.gmm.parameters import GMMParameters
from models.gmm.structures import MATRICES, check_covariance_type, scale_shape
from models.prior import MixturePrior
from models.shown import listed
from models.supports import COVARIANCE
from models.validation import Array, check_sample_weight, count_at_least_one, data_matrix, frozen_array, number_above

SMALLEST_EIGENVALUE = 1e-10  # of the correlation matrix; rounding leaves about 1e-16 if it is 0


class GaussianPrior(MixturePrior):
    """Base class of the priors of a Gaussian mixture: a Dirichlet prior of the weights, and a prior ``mean``."""

    concentration: Array
    mean: Array
    covariance_type: str

    parameters_type = GMMParameters

    def __post_init__(self) -> None:
        super().__post_init__()
        check_covariance_type(self.covariance_type)
        self._keep(mean=frozen_array("mean", self.mean, (None,)))

    @property
    def matrices(self) -> bool:
        """Whether the prior is one of covariance matrices; otherwise of variances."""
        return self.covariance_type in MATRICES

    def check_fits(self, n_components: int, n_features: int, *options: str) -> None:
        """Raise a ValueError unless the prior fits K components, D features and the structure."""
        if (own := self.covariance_type) != options[0]:
            raise ValueError(f"prior.covariance_type must be {options[0]!r} like the mixture's, got {own!r}")
        super().check_fits(n_components, n_features)
        if self.mean.shape != (n_features,):
            raise ValueError(f"prior.mean must have shape ({n_features},) like a row of X, got {self.mean.shape}")

    @property
    @abstractmethod
    def typical_deviations(self) -> Array:
        """The typical standard deviations (D,) of the prior."""

    @abstractmethod
    def standardised(self, location: Array, scale: Array) -> Self:
        """Return the same prior for the samples (x - location) / scale.

        Parameters
        ----------
        location, scale : ndarray, shape (D,)
            The new units of the features; for "spherical" all scales are equal.
        """


@dataclass(frozen=True, eq=False, repr=False)
class GMMPrior(GaussianPrior):
    """Dirichlet prior of the weights, and conjugate prior of means and covariances.

    ::

        π ~ Dirichlet(a),    μ_k | Σ_k ~ Normal(m0, Σ_k / κ0)

        full       Σ_k ~ InverseWishart(ν0, Ψ0)                       Ψ0 (D, D)
        tied       Σ ~ InverseWishart(ν0, Ψ0), Σ_k = Σ                Ψ0 (D, D)
        diag       σ²_kd ~ InverseGamma(ν0 / 2, ψ0_d / 2)             ψ0 (D,)
        spherical  σ²_k ~ InverseGamma(ν0 / 2, ψ0 / 2)                ψ0 a number

    At D = 1, "full", "diag" and "spherical" are the same.

    Parameters
    ----------
    concentration : array_like, shape (K,) or scalar
        Dirichlet concentration a, each positive. Below 1 the density has no mode inside the simplex: sampling and
        variational inference allow that (components may empty), MAP needs at least 1.
    mean : array_like, shape (D,)
        Prior mean m0 of every component mean.
    mean_precision : float
        κ0 > 0, the number of pseudo-samples that ``mean`` counts as.
    degrees_of_freedom : float
        ν0 > D - 1 for matrices, ν0 > 0 for variances.
    scale : array_like, shape (D, D), (D,) or ()
        Scale Ψ0, in units of X squared: a symmetric positive definite matrix, or positive numbers.
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        Structure of the covariances that the prior is for.

    Raises
    ------
    ValueError
        If a value is out of range or a shape does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from models.gmm import GMMPrior
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> GMMPrior.weakly_informative(X, n_components=3).degrees_of_freedom
    4.0
    """

    concentration: Array
    mean: Array
    mean_precision: float
    degrees_of_freedom: float
    scale: Array
    covariance_type: str = "full"

    def __post_init__(self) -> None:
        super().__post_init__()
        D, shape = len(self.mean), scale_shape(self.covariance_type, len(self.mean))
        scale = frozen_array("scale", self.scale, shape) if self.matrices else self._positive("scale")
        if self.matrices:
            COVARIANCE.check("scale", scale)
        self._keep(
            mean_precision=number_above("mean_precision", self.mean_precision, 0),
            degrees_of_freedom=number_above("degrees_of_freedom", self.degrees_of_freedom, (D - 1) * self.matrices),
            scale=frozen_array("scale", scale, shape),
        )

    @property
    def typical_deviations(self) -> Array:
        """The square roots of Ψ0, or of its diagonal, shape (D,)."""
        variances = np.diagonal(self.scale) if self.matrices else self.scale
        return np.broadcast_to(np.sqrt(variances), self.mean.shape)

    def standardised(self, location: Array, scale: Array) -> Self:
        """Return the same prior for the samples (x - location) / scale, with m0 and Ψ0 in these units."""
        units = {"diag": scale**2, "spherical": scale[0] ** 2}.get(self.covariance_type, np.outer(scale, scale))
        return replace(self, mean=(self.mean - location) / scale, scale=self.scale / units)

    @classmethod
    def weakly_informative(
        cls, X: ArrayLike, n_components: int, covariance_type: str = "full", *, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Return the data-scaled prior of Fraley & Raftery (2007), with a Dirichlet(2) on the weights.

        m0 is the mean of X, κ0 = 0.01, and the scale is the covariance of X over K^(2/D). So each component is expected
        to fill its share of the volume of the data, and the prior counts as very few pseudo-samples. For matrices ν0 =
        D + 2. For variances ν0 = 3, the same number for one feature, and ψ0 are the variances of X ("diag") or their
        mean ("spherical") over K^(2/D). A constant column gets the typical spread of the others, or 1 if all are
        constant (:func:`typical_deviation`).

        If cells are missing, means and variances are those of the observed cells. Correlations are those of the data
        with each missing cell replaced by its column's mean; they are a little too small, but always legal.

        Parameters
        ----------
        X : array_like, shape (n, D)
            The data to which the prior is scaled; NaN where a cell is missing.
        n_components : int
            Number of components K.
        covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
            Structure of the covariances.
        sample_weight : array_like, shape (n,), or None
            How often each row occurs.

        References
        ----------
        Fraley & Raftery (2007), Bayesian regularization for normal mixture estimation and model-based clustering,
        Journal of Classification 24, 155-181.
        """
        kind, K = check_covariance_type(covariance_type), count_at_least_one("n_components", n_components)
        names, X = column_names(X), data_matrix(X, missing=True)
        mean, sd, correlations = _moments(X, check_sample_weight(sample_weight, len(X)), names)
        D, variances, scale = len(sd), sd**2, correlations * np.outer(sd, sd)
        if kind not in MATRICES:
            scale = variances if kind == "diag" else np.array(variances.mean())
        elif np.linalg.eigvalsh(correlations)[0] < SMALLEST_EIGENVALUE:
            scale = np.diag(variances)  # collinear columns: only the variances are positive definite
        return cls(np.full(K, 2.0), mean, 0.01, D + 2 if kind in MATRICES else 3, scale / K ** (2 / D), kind)

    def _log_prob_of_components(self, parameters: GMMParameters) -> float:
        """Return log p(μ, Σ)."""
        return float(self._log_normal(parameters).sum() + self._log_inverse_wishart(parameters).sum())

    def _log_normal(self, parameters: GMMParameters) -> Array:
        """Return log Normal(μ_k | m0, Σ_k / κ0), shape (K,)."""
        D, kappa, gap = parameters.n_features, self.mean_precision, parameters.means - self.mean
        if self.matrices:
            log_det, whitened = parameters.log_det, np.linalg.solve(parameters.cholesky, gap[..., None])[..., 0]
        else:
            deviations = np.broadcast_to(parameters.cholesky.reshape(len(gap), -1), gap.shape)
            log_det, whitened = 2 * np.log(deviations).sum(axis=1), gap / deviations
        return -0.5 * (D * log(2 * pi) - D * log(kappa) + log_det + kappa * (whitened**2).sum(axis=1))

    def _log_inverse_wishart(self, parameters: GMMParameters) -> Array:
        """Return log InverseWishart(Σ | ν0, Ψ0) of each declared matrix; a variance counts as a matrix with D = 1.

        With Σ = L L', tr(Ψ0 Σ⁻¹) is the sum of the squares of L⁻¹ Ψ0^½.
        """
        if self.matrices:
            whitened = np.linalg.solve(parameters.cholesky, np.linalg.cholesky(self.scale))
            D, trace = len(self.scale), (whitened**2).sum(axis=(-2, -1))
        else:
            D, trace = 1, self.scale / parameters.covariances
        return 0.5 * (self._log_norm - (self.degrees_of_freedom + D + 1) * parameters.log_det - trace)

    @cached_property
    def _log_norm(self) -> Array:
        """Twice the part of log InverseWishart(Σ | ν0, Ψ0) that does not depend on Σ."""
        from scipy.special import multigammaln

        nu, D = self.degrees_of_freedom, len(self.scale) if self.matrices else 1
        log_det = np.linalg.slogdet(self.scale)[1] if self.matrices else np.log(self.scale)
        return nu * log_det - nu * D * log(2) - 2 * multigammaln(nu / 2, D)


def _moments(X: Array, weights: Array | None, names: Sequence[str] | None) -> tuple[Array, Array, Array]:
    """Return mean (D,), positive standard deviation (D,) and correlations (D, D) of the observed cells."""
    w = np.ones((len(X), 1)) if weights is None else weights[:, None]
    X, w = X[w[:, 0] > 0], w[w[:, 0] > 0]
    seen = ~np.isnan(X)
    counts = (seen * w).sum(axis=0)
    wanted = "X must have at least two samples in every column to scale a prior to it, got fewer"
    _refuse_columns(counts <= 1, wanted, names)
    highest, lowest = np.nanmax(X, axis=0), np.nanmin(X, axis=0)
    mean = np.where(highest > lowest, np.where(seen, w * X, 0.0).sum(axis=0) / counts, highest)
    gap = np.where(seen, X - mean, 0.0)
    unit = np.abs(gap).max(axis=0)
    gap = gap / np.where(unit > 0, unit, 1.0)  # so that squares do not overflow
    squares = gap.T @ (w * gap)
    sizes = np.sqrt(np.diagonal(squares))
    sd = typical_deviation(unit * sizes / np.sqrt(counts - 1))
    unfit = ~(np.isfinite(sd**2) & (sd**2 >= np.finfo(np.float64).tiny))
    wanted = f"X must have columns whose variances fit a float, got deviations {sd[unfit]}"
    _refuse_columns(unfit, wanted, names, ": rescale X")
    sizes = np.where(sizes > 0, sizes, 1.0)
    correlations = squares / np.outer(sizes, sizes)
    np.fill_diagonal(correlations, 1.0)
    return mean, sd, correlations


def _refuse_columns(misfits: np.ndarray, wanted: str, names: Sequence[str] | None, advice: str = "") -> None:
    if misfits.any():
        raise ValueError(f"{wanted} in {listed(np.flatnonzero(misfits), names)}{advice}")


def typical_deviation(deviations: Array) -> Array:
    """Return standard deviations (D,) with each 0 replaced by the geometric mean of the positive ones, or 1.

    Examples
    --------
    >>> import numpy as np
    >>> from models.gmm.prior import typical_deviation
    >>> typical_deviation(np.array([4.0, 0.0, 1.0]))
    array([4., 2., 1.])
    """
    positive = deviations > 0
    typical = np.exp(np.log(deviations[positive]).mean()) if positive.any() else 1.0
    return np.where(positive, deviations, typical)
