"""Conjugate prior of the Gaussian mixture, as plain numbers that EM and PyMC both read."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import log, pi
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, multigammaln, xlogy

from models.gmm.parameters import GMMParameters
from models.gmm.structures import check_covariance_type, scale_shape
from models.one_line import one_line
from models.shown import listed
from models.validation import (
    Array,
    check_sample_weight,
    column_names,
    count_at_least_one,
    data_matrix,
    frozen_array,
    number_above,
    number_or_vector,
    positive,
    positive_definite,
)

SMALLEST_EIGENVALUE = 1e-10  # of the correlation matrix; rounding alone leaves about 1e-16 where the truth is 0


class GaussianPrior(ABC):
    """What every prior of a Gaussian mixture has: weights from a Dirichlet, and means that lie about ``mean``."""

    concentration: Array
    mean: Array
    covariance_type: str

    def check_fits(self, n_components: int, n_features: int, covariance_type: str) -> None:
        """Raise a ValueError unless the prior is one for K components, D features and this structure."""
        if self.covariance_type != covariance_type:
            raise ValueError(
                f"prior.covariance_type must be {covariance_type!r} like the mixture's, got {self.covariance_type!r}"
            )
        if self.concentration.shape not in [(), (n_components,)]:
            raise ValueError(
                f"prior.concentration must be a number or have shape ({n_components},), got {self.concentration.shape}"
            )
        if self.mean.shape != (n_features,):
            raise ValueError(f"prior.mean must have shape ({n_features},) like a row of X, got {self.mean.shape}")

    def check_mode(self) -> None:
        """Raise a ValueError unless the posterior has a mode inside the simplex, as MAP needs."""
        if (self.concentration < 1).any():
            raise ValueError(
                f"prior.concentration must be at least 1 for MAP, got {self.concentration}: below 1 the posterior mode "
                "lies on the edge of the simplex or nowhere, so MAP is undefined"
            )

    @property
    def exchangeable(self) -> bool:
        """Whether the prior treats all components alike, so that labels may be aligned after sampling."""
        return bool(np.ptp(self.concentration) == 0)

    @property
    def avoids_collapse(self) -> bool:
        """Whether the density vanishes where a covariance becomes singular, faster than a likelihood grows there."""
        return True

    @property
    @abstractmethod
    def typical_deviations(self) -> Array:
        """The size (D,) of the standard deviations that the prior expects: its own units."""

    @abstractmethod
    def standardised(self, location: Array, scale: Array) -> Self:
        """Return the same prior for the samples (x - location) / scale.

        Parameters
        ----------
        location, scale : ndarray, shape (D,)
            Units of the features; for "spherical" all scales are the same.
        """

    def _log_dirichlet(self, weights: Array) -> float:
        """Return log Dirichlet(π | a)."""
        a = np.broadcast_to(self.concentration, weights.shape)
        return float(gammaln(a.sum()) - gammaln(a).sum() + xlogy(a - 1, weights).sum())


@dataclass(frozen=True, eq=False)
class GMMPrior(GaussianPrior):
    """Dirichlet prior of the weights, and conjugate prior of means and covariances.

    ::

        π ~ Dirichlet(a),    μ_k | Σ_k ~ Normal(m0, Σ_k / κ0)

        full       Σ_k ~ InverseWishart(ν0, Ψ0)                       Ψ0 (D, D)
        tied       Σ ~ InverseWishart(ν0, Ψ0), Σ_k = Σ                Ψ0 (D, D)
        diag       σ²_kd ~ InverseGamma(ν0 / 2, ψ0_d / 2)             ψ0 (D,)
        spherical  σ²_k ~ InverseGamma(ν0 / 2, ψ0 / 2)                ψ0 a number

    At D = 1 the first, third and fourth are the same.

    Parameters
    ----------
    concentration : array_like, shape (K,) or scalar
        Dirichlet concentration a, each positive. Below 1 the density has no mode inside the simplex: sampling and
        variational inference take it (components empty themselves), MAP needs at least 1.
    mean : array_like, shape (D,)
        Prior mean m0 of every component mean.
    mean_precision : float
        κ0 > 0, the number of pseudo-samples behind ``mean``.
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

    conjugate: ClassVar[bool] = True
    __repr__ = one_line

    def __post_init__(self) -> None:
        concentration = positive("concentration", number_or_vector("concentration", self.concentration))
        mean = frozen_array("mean", self.mean, (None,))
        kind, D = check_covariance_type(self.covariance_type), len(mean)
        scale = frozen_array("scale", self.scale, scale_shape(kind, D))
        if scale.ndim == 2:
            positive_definite("scale", scale)
        else:
            positive("scale", scale)
        least = D - 1 if scale.ndim == 2 else 0
        checked = {
            "concentration": concentration,
            "mean": mean,
            "mean_precision": number_above("mean_precision", self.mean_precision, 0),
            "degrees_of_freedom": number_above("degrees_of_freedom", self.degrees_of_freedom, least),
            "scale": scale,
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def typical_deviations(self) -> Array:
        """The roots of Ψ0, or of its diagonal, shape (D,)."""
        variances = np.diagonal(self.scale) if self.scale.ndim == 2 else self.scale
        return np.broadcast_to(np.sqrt(variances), self.mean.shape)

    def standardised(self, location: Array, scale: Array) -> Self:
        """Return the same prior for the samples (x - location) / scale: m0 and Ψ0 in these units."""
        units = {"diag": scale**2, "spherical": scale[0] ** 2}.get(self.covariance_type, np.outer(scale, scale))
        return replace(self, mean=(self.mean - location) / scale, scale=self.scale / units)

    @classmethod
    def weakly_informative(
        cls,
        X: ArrayLike,
        n_components: int,
        covariance_type: str = "full",
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Return the data-scaled prior of Fraley & Raftery (2007), with a Dirichlet(2) on the weights.

        m0 is the mean of X, κ0 = 0.01 and the scale is the covariance of X over K^(2/D): each component is expected to
        fill its share of the volume of the data, with the weight of very few pseudo-samples. ν0 = D + 2 for matrices.
        For variances ν0 = 3, which is that number for one feature, and ψ0 are the variances of X ("diag") or their mean
        ("spherical") over K^(2/D). A constant column, which has no spread of its own, is taken to have the typical one
        of the others, or 1 if all are constant (:func:`typical_deviation`).

        Where cells are missing, means and variances are those of the observed cells, and the correlations those of the
        data with the column's mean in each missing cell, which are a little too small and always proper.

        Parameters
        ----------
        X : array_like, shape (n, D)
            The data the prior is scaled to; NaN where a cell is missing.
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
        names, X = column_names(X), data_matrix(X, missing=True)
        kind = check_covariance_type(covariance_type)
        K, D = count_at_least_one("n_components", n_components), X.shape[1]
        weights = check_sample_weight(sample_weight, len(X))
        if weights is None:
            weights = np.ones(len(X))
        X, weights = X[weights > 0], weights[weights > 0, None]
        seen = ~np.isnan(X)
        counts = (seen * weights).sum(axis=0)
        if (few := counts <= 1).any():
            raise ValueError(
                "X must have at least two samples in every column to scale a prior to it, got fewer in column(s) "
                f"{listed(np.flatnonzero(few), names)}"
            )
        highest, lowest = np.nanmax(X, axis=0), np.nanmin(X, axis=0)
        mean = np.where(seen, weights * X, 0.0).sum(axis=0) / counts
        mean = np.where(highest > lowest, mean, highest)
        gap = np.where(seen, X - mean, 0.0)
        unit = np.abs(gap).max(axis=0)
        gap = gap / np.where(unit > 0, unit, 1.0)  # squares of any size of number fit a float
        squares = gap.T @ (weights * gap)
        sizes = np.sqrt(np.diagonal(squares))
        sd = typical_deviation(unit * sizes / np.sqrt(counts - 1))
        variances = sd**2
        unfit = ~(np.isfinite(variances) & (variances >= np.finfo(np.float64).tiny))
        if unfit.any():
            raise ValueError(
                f"X must have columns whose variances fit a float, got deviations {sd[unfit]} in column(s) "
                f"{listed(np.flatnonzero(unfit), names)}: rescale X"
            )
        scale: Array
        match kind:
            case "diag":
                degrees, scale = 3, variances
            case "spherical":
                degrees, scale = 3, variances.mean(keepdims=True)[0]
            case _:
                sizes = np.where(sizes > 0, sizes, 1.0)
                correlations = squares / np.outer(sizes, sizes)
                np.fill_diagonal(correlations, 1.0)
                degrees, scale = D + 2, correlations * np.outer(sd, sd)
                if np.linalg.eigvalsh(correlations)[0] < SMALLEST_EIGENVALUE:
                    scale = np.diag(variances)  # collinear columns: keep the variances, which are positive
        return cls(np.full(K, 2.0), mean, 0.01, degrees, scale / K ** (2 / D), kind)

    def log_prob(self, parameters: GMMParameters) -> float:
        """Return log p(θ) in nats: the density of weights, means and covariance matrices, no Jacobian of any transform.

        Parameters
        ----------
        parameters : GMMParameters
            Where to evaluate; K and D must fit the prior.
        """
        K, D = parameters.n_components, parameters.n_features
        self.check_fits(K, D, parameters.covariance_type)
        if self.scale.ndim == 2:
            log_means, log_covariances = self._log_normal(parameters), self._log_inverse_wishart(parameters)
        else:
            log_means, log_covariances = self._log_normal_of_features(parameters), self._log_inverse_gamma(parameters)
        return float(self._log_dirichlet(parameters.weights) + log_means.sum() + log_covariances.sum())

    def _log_normal(self, parameters: GMMParameters) -> Array:
        """Return log Normal(μ_k | m0, Σ_k / κ0), shape (K,)."""
        D, kappa, gap = parameters.n_features, self.mean_precision, parameters.means - self.mean
        distance = np.einsum("kd,kde,ke->k", gap, np.linalg.inv(parameters.covariance_matrices), gap)
        return -0.5 * (D * log(2 * pi) - D * log(kappa) + _log_det(parameters) + kappa * distance)

    def _log_inverse_wishart(self, parameters: GMMParameters) -> Array:
        """Return log InverseWishart(Σ | ν0, Ψ0) of each declared matrix."""
        D, nu = parameters.n_features, self.degrees_of_freedom
        trace = np.trace(self.scale @ np.linalg.inv(parameters.covariances), axis1=-2, axis2=-1)
        log_norm = nu * np.linalg.slogdet(self.scale)[1] - nu * D * log(2) - 2 * multigammaln(nu / 2, D)
        return 0.5 * (log_norm - (nu + D + 1) * _log_det(parameters) - trace)

    def _log_normal_of_features(self, parameters: GMMParameters) -> Array:
        """Return log Normal(μ_kd | m0_d, σ²_kd / κ0), shape (K, D)."""
        variances = parameters.covariances.reshape(parameters.n_components, -1) / self.mean_precision
        gap = parameters.means - self.mean
        return -0.5 * (log(2 * pi) + np.log(variances) + gap**2 / variances)

    def _log_inverse_gamma(self, parameters: GMMParameters) -> Array:
        """Return log InverseGamma(σ² | ν0 / 2, ψ0 / 2) of each declared variance."""
        alpha, beta, variances = self.degrees_of_freedom / 2, self.scale / 2, parameters.covariances
        return alpha * np.log(beta) - gammaln(alpha) - (alpha + 1) * np.log(variances) - beta / variances


def typical_deviation(deviations: Array) -> Array:
    """Return standard deviations (D,) with the geometric mean of the positive ones, or 1, in the place of each 0.

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


def _log_det(parameters: GMMParameters) -> Array:
    """Return log|Σ| of each declared matrix."""
    return 2 * np.log(np.diagonal(parameters.cholesky, axis1=-2, axis2=-1)).sum(axis=-1)
