"""Conjugate prior of the Gaussian mixture, as plain numbers that EM and PyMC both read."""

from dataclasses import dataclass
from math import log, pi
from typing import Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln, multigammaln, xlogy

from models.gmm.parameters import GMMParameters
from models.one_line import one_line
from models.validation import (
    Array,
    count_at_least_one,
    data_matrix,
    frozen_array,
    number_above,
    number_or_vector,
    positive_definite,
)

SMALLEST_EIGENVALUE = 1e-10  # of the correlation matrix; rounding alone leaves about 1e-16 where the truth is 0


@dataclass(frozen=True, eq=False)
class GMMPrior:
    """Dirichlet and Normal-inverse-Wishart prior.

    ::

        π ~ Dirichlet(a)
        Σ_k ~ InverseWishart(ν0, Ψ0)
        μ_k | Σ_k ~ Normal(m0, Σ_k / κ0)

    Parameters
    ----------
    concentration : array_like, shape (K,) or scalar
        Dirichlet concentration a, each at least 1 (below 1 the density has no mode inside the simplex).
    mean : array_like, shape (D,)
        Prior mean m0 of every component mean.
    mean_precision : float
        κ0 > 0, the number of pseudo-samples behind ``mean``.
    degrees_of_freedom : float
        ν0 > D - 1.
    scale : array_like, shape (D, D)
        Scale matrix Ψ0, symmetric positive definite, in units of X squared.

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

    __repr__ = one_line

    def __post_init__(self) -> None:
        concentration = number_or_vector("concentration", self.concentration)
        if (concentration < 1).any():
            raise ValueError(
                f"concentration must be at least 1, got {concentration}: below 1 the posterior mode lies on the edge "
                "of the simplex or nowhere, so MAP is undefined"
            )
        mean = frozen_array("mean", self.mean, (None,))
        scale = frozen_array("scale", self.scale, (len(mean), len(mean)))
        positive_definite("scale", scale)
        checked = {
            "concentration": concentration,
            "mean": mean,
            "mean_precision": number_above("mean_precision", self.mean_precision, 0),
            "degrees_of_freedom": number_above("degrees_of_freedom", self.degrees_of_freedom, len(mean) - 1),
            "scale": scale,
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @classmethod
    def weakly_informative(cls, X: ArrayLike, n_components: int) -> Self:
        """Return the data-scaled prior of Fraley & Raftery (2007), with a Dirichlet(2) on the weights.

        m0 is the mean of X, κ0 = 0.01, ν0 = D + 2 and Ψ0 = cov(X) / K^(2/D): each component is expected to fill
        its share of the volume of the data, with the weight of very few pseudo-samples.

        Parameters
        ----------
        X : array_like, shape (n, D)
            The data the prior is scaled to.
        n_components : int
            Number of components K.

        References
        ----------
        Fraley & Raftery (2007), Bayesian regularization for normal mixture estimation and model-based clustering,
        Journal of Classification 24, 155-181.
        """
        X = data_matrix(X)
        K, D = count_at_least_one("n_components", n_components), X.shape[1]
        if len(X) < 2 or not (np.ptp(X, axis=0) > 0).all():
            raise ValueError("X must have at least two rows and no constant column to scale a prior to it")
        covariance = np.cov(X, rowvar=False).reshape(D, D)
        sd = np.sqrt(np.diag(covariance))
        if np.linalg.eigvalsh(covariance / np.outer(sd, sd))[0] < SMALLEST_EIGENVALUE:
            covariance = np.diag(sd**2)  # collinear columns: keep the variances, which are positive
        return cls(np.full(K, 2.0), X.mean(axis=0), 0.01, D + 2, covariance / K ** (2 / D))

    def check_fits(self, n_components: int, n_features: int) -> None:
        """Raise a ValueError unless the prior is one for K components and D features."""
        if self.concentration.shape not in [(), (n_components,)]:
            raise ValueError(
                f"prior.concentration must be a number or have shape ({n_components},), got {self.concentration.shape}"
            )
        if self.mean.shape != (n_features,):
            raise ValueError(f"prior.mean must have shape ({n_features},) like a row of X, got {self.mean.shape}")

    @property
    def exchangeable(self) -> bool:
        """Whether the prior treats all components alike, so that labels may be aligned after sampling."""
        return bool(np.ptp(self.concentration) == 0)

    def log_prob(self, parameters: GMMParameters) -> float:
        """Return log p(θ) in nats: the density of weights, means and covariance matrices, no Jacobian of any transform.

        Parameters
        ----------
        parameters : GMMParameters
            Where to evaluate; K and D must fit the prior.
        """
        K, D = parameters.n_components, parameters.n_features
        self.check_fits(K, D)
        a = np.broadcast_to(self.concentration, K)
        log_dirichlet = gammaln(a.sum()) - gammaln(a).sum() + xlogy(a - 1, parameters.weights).sum()
        return float(log_dirichlet + self._log_normal_inverse_wishart(parameters).sum())

    def _log_normal_inverse_wishart(self, parameters: GMMParameters) -> Array:
        """Return log p(μ_k, Σ_k), shape (K,)."""
        D, nu, kappa = parameters.n_features, self.degrees_of_freedom, self.mean_precision
        log_det = 2 * np.log(np.diagonal(parameters.cholesky, axis1=1, axis2=2)).sum(axis=1)
        precisions = np.linalg.inv(parameters.covariances)
        gap = parameters.means - self.mean
        log_normal = -0.5 * (
            D * log(2 * pi) - D * log(kappa) + log_det + kappa * np.einsum("kd,kde,ke->k", gap, precisions, gap)
        )
        log_inverse_wishart = 0.5 * (
            nu * np.linalg.slogdet(self.scale)[1]
            - nu * D * log(2)
            - 2 * multigammaln(nu / 2, D)
            - (nu + D + 1) * log_det
            - np.einsum("de,ked->k", self.scale, precisions)
        )
        return log_normal + log_inverse_wishart
