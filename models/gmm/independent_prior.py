"""Prior of the Gaussian mixture in which means and covariances are independent, as is usual in Stan and PyMC."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import log, pi
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from models.gmm.parameters import GMMParameters
from models.gmm.prior import GaussianPrior, GMMPrior
from models.gmm.structures import check_covariance_type
from models.shown import shown
from models.validation import Array, column_names, count_at_least_one, data_matrix, number_above

SCALES = ("half-normal", "inverse-gamma")


@dataclass(frozen=True, eq=False, repr=False)
class GMMIndependentPrior(GaussianPrior):
    """Dirichlet prior of the weights, normal prior of the means, and scales with LKJ correlations.

    ::

        π ~ Dirichlet(a),    μ_kd ~ Normal(m0_d, s_d²)

        diag       σ_kd from the prior of scales
        spherical  σ_k from the prior of scales
        full       Σ_k = diag(σ_k) R_k diag(σ_k),   σ_kd from the prior of scales,   R_k ~ LKJ(η)
        tied       the same, one Σ for all k

    The prior of a scale is one of two, with τ or β = ``scale`` and α = ``variance_shape``::

        σ ~ HalfNormal(τ)            when variance_shape is None
        σ² ~ InverseGamma(α, β)      otherwise

    The declared variable is the variance v = σ², or the matrix Σ, so densities are those of v and Σ. The half-normal
    contributes dσ/dv = 1 / (2 sqrt v), and a correlation matrix Π_i<j ∂R_ij / ∂Σ_ij = Π_i v_i^(-(D-1)/2)::

        log p(v) = -1/2 log(2π τ² v) - v / (2τ²)                                     half-normal
        log p(v) = α log β - log Γ(α) - (α + 1) log v - β / v                        inverse gamma
        log p(Σ) = Σ_i {log p(v_i) - (D-1)/2 log v_i} + (η - 1) log|R| - log Z,      v_i = Σ_ii, |R| = |Σ| / Π v_i
        log Z = Σ_j=1..D-1 {j/2 log π + log Γ(η + (D-1-j)/2) - log Γ(η + (D-1)/2)}

    The half-normal density of the standard deviation is positive at 0, so the posterior density is unbounded there, as
    the likelihood is. MAP then means the best interior maximum, as maximum likelihood does. If m samples have the same
    value in a column, as in rounded data, a component of only these samples has a likelihood of σ^-m for means in a
    volume of σ. For m >= 2 the integral of σ^(1-m) diverges at 0, and the posterior is improper (:meth:`why_improper`).
    A sampler then draws from the neighbourhood of the interior mode. The inverse gamma keeps variances away from 0.

    Parameters
    ----------
    concentration : array_like, shape (K,) or scalar
        Dirichlet concentration a, each positive; MAP needs at least 1.
    mean : array_like, shape (D,)
        Prior mean m0 of every component mean.
    mean_sd : array_like, shape (D,) or scalar
        Prior standard deviation s of the component means, positive.
    scale : array_like, shape (D,) or scalar
        τ, in units of X, or β, in units of X squared; positive; a number for "spherical".
    variance_shape : float or None, default None
        α > 0 of the inverse gamma; ``None`` is the half-normal.
    correlation_shape : float, default 1.0
        η > 0 of the LKJ distribution: 1 is uniform over correlation matrices, more prefers small correlations.
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        Structure of the covariances that the prior is for.

    Raises
    ------
    ValueError
        If a value is out of range or a shape does not fit.

    References
    ----------
    Lewandowski, Kurowicka & Joe (2009), Generating random correlation matrices based on vines and extended onion
    method, Journal of Multivariate Analysis 100, 1989-2001.

    Examples
    --------
    >>> import numpy as np
    >>> from models.gmm import GMMIndependentPrior
    >>> X = np.random.default_rng(0).normal(size=(100, 2))
    >>> GMMIndependentPrior.weakly_informative(X, n_components=3).correlation_shape
    2.0
    """

    concentration: Array
    mean: Array
    mean_sd: Array
    scale: Array
    variance_shape: float | None = None
    correlation_shape: float = 1.0
    covariance_type: str = "full"
    conjugate = False

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.mean.shape
        self._keep(
            mean_sd=self._positive("mean_sd", shape),
            scale=self._positive("scale", () if self.covariance_type == "spherical" else shape),
            correlation_shape=number_above("correlation_shape", self.correlation_shape, 0),
        )
        if self.variance_shape is not None:
            self._keep(variance_shape=number_above("variance_shape", self.variance_shape, 0))

    @classmethod
    def weakly_informative(
        cls,
        X: ArrayLike,
        n_components: int,
        covariance_type: str = "full",
        scales: str = "half-normal",
        *,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Return the usual prior for standardised data: μ ~ Normal(0, 2²), σ ~ HalfNormal(1), R ~ LKJ(2).

        It is converted to the units of X, and the weights have a Dirichlet(2) prior. With inverse-gamma scales α = 3/2
        and β = v / (2 K^(2/D)), where v are the variances of X: the marginal priors of the variances are then those of
        :meth:`GMMPrior.weakly_informative`.

        Parameters
        ----------
        X : array_like, shape (n, D)
            The data to which the prior is scaled; NaN where a cell is missing.
        n_components : int
            Number of components K.
        covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
            Structure of the covariances; for "spherical" the variance of X is the mean of its variances.
        scales : {"half-normal", "inverse-gamma"}, default "half-normal"
            Prior of the scales.
        sample_weight : array_like, shape (n,), or None
            How often each row occurs.
        """
        if scales not in SCALES:
            raise ValueError(f"scales must be one of {', '.join(SCALES)}, got {shown(scales)}")
        kind, K = check_covariance_type(covariance_type), count_at_least_one("n_components", n_components)
        of_all = GMMPrior.weakly_informative(X, 1, "diag", sample_weight=sample_weight)
        variances = of_all.scale  # those of X, because K = 1
        v, D = variances.mean() if kind == "spherical" else variances, len(variances)
        halves = {"half-normal": (np.sqrt(v), None), "inverse-gamma": (v / (2 * K ** (2 / D)), 1.5)}
        return cls(np.full(K, 2.0), of_all.mean, 2 * np.sqrt(variances), *halves[scales], 2.0, kind)

    @property
    def typical_deviations(self) -> Array:
        """τ, or the square root of β, shape (D,)."""
        return np.broadcast_to(self.scale if self.variance_shape is None else np.sqrt(self.scale), self.mean.shape)

    def standardised(self, location: Array, scale: Array) -> Self:
        """Return the same prior for the samples (x - location) / scale, with m0, s and τ or β in these units."""
        unit = scale[0] if self.covariance_type == "spherical" else scale
        scales = self.scale / unit if self.variance_shape is None else self.scale / unit**2
        return replace(self, mean=(self.mean - location) / scale, mean_sd=self.mean_sd / scale, scale=scales)

    @property
    def avoids_collapse(self) -> bool:
        """Whether the prior density goes to 0 with a variance faster than a likelihood grows."""
        return self.variance_shape is not None

    def why_improper(self, X: ArrayLike, n_components: int, names: Sequence[str] | None = None) -> str:
        """Return in words which equal samples make the posterior improper, or "" if it is proper.

        Parameters
        ----------
        X : array_like, shape (n, D)
            Samples; NaN where a cell is missing.
        n_components : int
            Number of components K.
        names : sequence of str or None
            Names of the columns; ``None`` takes those of a frame.

        Examples
        --------
        >>> from models.gmm import GMMIndependentPrior
        >>> X = [[1.0, 2.0], [1.0, 5.0], [3.0, 4.0]]
        >>> GMMIndependentPrior.weakly_informative(X, 2, "diag").why_improper(X, 2)[:41]
        'column 0 has a value that 2 samples share'
        >>> GMMIndependentPrior.weakly_informative(X, 2, "diag", scales="inverse-gamma").why_improper(X, 2)
        ''
        """
        if self.variance_shape is not None or n_components == 1:
            return ""
        names = column_names(X) if names is None else names
        reasons = self._shared_values(data_matrix(X, missing=True), n_components, names)
        why = "under half-normal scales a variance may go to 0 there, and the posterior is improper"
        return next((f"{reason}: {why}" for reason in reasons), "")

    def _shared_values(self, X: Array, n_components: int, names: Sequence[str] | None) -> Iterator[str]:
        """Yield descriptions of samples that a component of variance 0 could consist of."""
        if self.covariance_type == "spherical":
            seen = ~np.isnan(X)
            complete = seen.all(axis=1)
            if (most := np.unique(X[complete], axis=0, return_counts=True)[1].max(initial=0)) > 1:
                yield f"{most} rows are the same"
            for i in np.flatnonzero(~complete):
                both = seen & seen[i]
                same = ((X[i] == X) | ~both).all(axis=1) & both.any(axis=1)
                if same.sum() > 1:  # itself and others
                    yield f"row {i} agrees with another in the cells that both have"
            return
        for d, column in enumerate(X.T):
            named = f"column {shown(d if names is None else names[d])}"
            values, counts = np.unique(column[~np.isnan(column)], return_counts=True)
            if self.covariance_type == "tied" and len(values) <= n_components and len(values) < counts.sum():
                yield f"{named} has {len(values)} different values, no more than components"
            elif self.covariance_type != "tied" and (counts > 1).any():
                yield f"{named} has a value that {counts.max()} samples share"

    def check_mode(self) -> None:
        """Raise a ValueError unless MAP-EM has closed conditional steps, and a mode inside the simplex."""
        super().check_mode()
        if self.matrices and len(self.mean) > 1:
            raise ValueError(
                f"prior must be a GMMPrior for MAP by EM with covariance_type {self.covariance_type!r}, got a "
                "GMMIndependentPrior: with LKJ correlations the mode of Σ given the means solves an equation in Σ, Σ⁻¹ "
                "and the variances that has no closed form. covariance_type 'diag' or 'spherical' has closed steps; "
                "posterior sampling and PyMC's find_MAP work for every structure"
            )

    def variance_terms(self) -> tuple[float, Array, Array]:
        """Return p, a and b of log p(v) = p log v - (a v + b / v) / 2 + const, a and b of the shape of ``scale``."""
        if self.variance_shape is None:
            return -0.5, (1 / self.scale) ** 2, np.zeros_like(self.scale)
        return -self.variance_shape - 1, np.zeros_like(self.scale), 2 * self.scale

    def _log_prob_of_components(self, parameters: GMMParameters) -> float:
        """Return log p(μ) + log p(Σ)."""
        gap = (parameters.means - self.mean) / self.mean_sd
        log_means = -0.5 * (log(2 * pi) + gap**2) - np.log(self.mean_sd)
        log_rest = self._log_matrices(parameters) if self.matrices else self._log_variances(parameters.covariances)
        return float(log_means.sum() + log_rest.sum())

    def _log_variances(self, variances: Array) -> Array:
        """Return log p(v) of each variance."""
        from scipy.special import gammaln

        power, a, b = self.variance_terms()
        if self.variance_shape is None:
            constant = -0.5 * log(2 * pi) - np.log(self.scale)
        else:
            constant = self.variance_shape * np.log(self.scale) - gammaln(self.variance_shape)
        return constant + power * np.log(variances) - (a * variances + b / variances) / 2

    def _log_matrices(self, parameters: GMMParameters) -> Array:
        """Return log p(Σ) of each declared matrix."""
        eta, D = self.correlation_shape, parameters.n_features
        variances = np.diagonal(parameters.covariances, axis1=-2, axis2=-1)
        log_variances = np.log(variances).sum(axis=-1)
        log_scales = self._log_variances(variances).sum(axis=-1) - (D - 1) / 2 * log_variances
        return log_scales + (eta - 1) * (parameters.log_det - log_variances) - log_lkj_norm(eta, D)


def log_lkj_norm(eta: float, n_features: int) -> float:
    """Return log Z of p(R) = |R|^(η-1) / Z, the integral over correlation matrices."""
    from scipy.special import gammaln

    j = np.arange(1, n_features)
    last = n_features - 1
    return float((j / 2 * log(pi) + gammaln(eta + (last - j) / 2) - gammaln(eta + last / 2)).sum())
