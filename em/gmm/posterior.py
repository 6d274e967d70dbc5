"""The conjugate posterior of a Gaussian mixture's parameters, given labels or responsibilities.

Given labels (one-hot responsibilities), Gibbs sampling draws from it (:mod:`em.gibbs`); given responsibilities, it is a
factor of mean field (:mod:`em.variational`). With N_k, x̄_k, S_k and A_k = S_k + κ0 N_k / κ_k (x̄_k - m0)(x̄_k - m0)' as
in :mod:`models.gmm`, κ_k = κ0 + N_k and m_k = (κ0 m0 + N_k x̄_k) / κ_k::

    π ~ Dirichlet(a + N),    μ_k | Σ_k ~ Normal(m_k, Σ_k / κ_k)

    full       Σ_k ~ InverseWishart(ν0 + N_k, Ψ0 + A_k)
    tied       Σ ~ InverseWishart(ν0 + n, Ψ0 + Σ_k A_k)
    diag       σ²_kd ~ InverseGamma((ν0 + N_k) / 2, (ψ0_d + A_k,dd) / 2)
    spherical  σ²_k ~ InverseGamma((ν0 + D N_k) / 2, (ψ0 + tr A_k) / 2)

Every array may have leading axes, written "..." below, such as one for chains.

Reference: Murphy (2007), Conjugate Bayesian analysis of the Gaussian distribution, sections 3 and 9.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import digamma, multigammaln

from em.gmm.statistics import squares
from em.steps.dirichlet import dirichlet_divergence, draw_weights, mean_weights, sd_weights
from models.gmm import GMMPrior
from models.shown import one_line
from models.validation import Array

LEAST_CHI2 = 1e-200  # with few degrees of freedom a draw may underflow to 0


@dataclass(frozen=True)
class GaussianPosterior:
    """Dirichlet times Normal-inverse-Wishart, or Normal-inverse-gamma for "diag" and "spherical".

    Attributes
    ----------
    concentration : ndarray, shape (..., K)
        a_k of the Dirichlet.
    location : ndarray, shape (..., K, D)
        m_k of the normals.
    mean_precision : ndarray, shape (..., K)
        κ_k.
    degrees_of_freedom : ndarray
        ν of each declared matrix or variance: shape (..., K) for "full", (...) for "tied", (..., K, D) for "diag" and
        (..., K) for "spherical". An inverse gamma has shape ν / 2.
    scale : ndarray, shape of the declared covariances
        Ψ of the inverse-Wisharts. An inverse gamma has scale ψ / 2.
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances.
    """

    concentration: Array
    location: Array
    mean_precision: Array
    degrees_of_freedom: Array
    scale: Array
    covariance_type: str

    __repr__ = one_line

    def arrays(self) -> dict[str, Array]:
        """Return the parameters of the distribution by name."""
        names = ("concentration", "location", "mean_precision", "degrees_of_freedom", "scale")
        return {name: getattr(self, name) for name in names}

    def with_arrays(self, arrays: dict[str, Array]) -> Self:
        """Return the distribution with other parameters."""
        return type(self)(**arrays, covariance_type=self.covariance_type)

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.location.shape[-1]

    @property
    def of_matrices(self) -> bool:
        """Whether the covariances are matrices."""
        return self.covariance_type in ("full", "tied")

    def draw(self, rng: np.random.RandomState) -> dict[str, Array]:
        """Return a draw of weights, means and covariances for each entry of the leading axes."""
        weights = draw_weights(self.concentration, rng)
        noise = np.asarray(rng.standard_normal(self.location.shape))
        if self.of_matrices:
            root = inverse_wishart_root(self.degrees_of_freedom, self.scale, rng)
            covariances = root @ np.swapaxes(root, -1, -2)
            root = root[..., None, :, :] if self.covariance_type == "tied" else root
            steps = (root @ noise[..., None])[..., 0]
        else:
            covariances = self.scale / np.maximum(rng.chisquare(self.degrees_of_freedom), LEAST_CHI2)
            steps = noise * np.sqrt(covariances.reshape(*noise.shape[:-1], -1))
        means = self.location + steps / np.sqrt(self.mean_precision)[..., None]
        return {"weights": weights, "means": means, "covariances": covariances}

    def mean(self) -> dict[str, Array]:
        """Return the posterior mean of each parameter by name; NaN if it does not exist."""
        covariances = self.scale / _positive(self._excess)
        exists = self.degrees_of_freedom > self._side  # μ_k is Student t with ν - p + 1 degrees of freedom
        exists = exists.reshape(*exists.shape, *(1,) * (self.location.ndim - exists.ndim))
        means = np.where(exists, self.location, np.nan)
        return {"weights": mean_weights(self.concentration), "means": means, "covariances": covariances}

    def standard_deviation(self) -> dict[str, Array]:
        """Return the posterior standard deviation of each parameter by name; NaN if it does not exist.

        The variances of the means are the diagonals of E[Σ_k] / κ_k. With E = E[Σ] = Ψ / e, e = ν - D - 1, or
        E[σ²] = ψ / e, e = ν - 2, those of the covariances are::

            var(Σ_ij) = (e E_ii E_jj + (e + 2) E_ij²) / ((e + 1)(e - 2)),    var(σ²) = 2 E[σ²]² / (e - 2)
        """
        expected, excess, rest = self.mean()["covariances"], self._excess, _positive(self._excess - 2)
        if self.of_matrices:
            variances = np.diagonal(expected, axis1=-2, axis2=-1)
            products = excess * variances[..., :, None] * variances[..., None, :] + (excess + 2) * expected**2
            spread = products / ((excess + 1) * rest)
            variances = variances[..., None, :] if self.covariance_type == "tied" else variances
        else:
            variances = expected.reshape(*self.location.shape[:-1], -1)
            spread = 2 * expected**2 / rest
        means = np.broadcast_to(np.sqrt(variances / self.mean_precision[..., None]), self.location.shape)
        return {"weights": sd_weights(self.concentration), "means": means, "covariances": np.sqrt(spread)}

    def harmonic_covariances(self) -> Array:
        """Return the harmonic mean E[Σ⁻¹]⁻¹ = Ψ / ν of each declared covariance."""
        return self.scale / self._degrees

    def log_det_gap(self) -> Array:
        """Return 1/2 (E[log|Σ_k⁻¹|] - log|E[Σ_k⁻¹]|) <= 0, shape (K,), or () for "tied".

        For a matrix it is 1/2 Σ_i {digamma((ν - i + 1) / 2) - log(ν / 2)}, i = 1..D; each variance has the term i = 1.
        """
        p, nu = self._side, self.degrees_of_freedom
        gap = (_sum_of_digammas(nu, p) - p * np.log(nu / 2)) / 2
        if self.covariance_type == "diag":
            return gap.sum(axis=-1)
        return self.n_features * gap if self.covariance_type == "spherical" else gap

    def log_normaliser(self) -> Array:
        """Return the log normaliser of the components' density, shape (...).

        ::

            Σ_k D/2 log(2π / κ_k) + Σ {log Γ_p(ν/2) - ν/2 log|Ψ / 2|},    p = D for matrices, 1 for variances
        """
        p, nu, D = self._side, self.degrees_of_freedom, self.n_features
        log_det = np.linalg.slogdet(self.scale)[1] if self.of_matrices else np.log(self.scale)
        covariances = multigammaln(nu / 2, p) - nu / 2 * (log_det - p * np.log(2))
        means = D / 2 * np.log(2 * np.pi / self.mean_precision).sum(axis=-1)
        leading = self.mean_precision.ndim - 1
        return np.asarray(means + covariances.sum(axis=tuple(range(leading, covariances.ndim))))

    @property
    def shared(self) -> tuple[str, ...]:
        """Names of the parameters that all components share."""
        return ("covariances",) if self.covariance_type == "tied" else ()

    def joined(self, sets: np.ndarray) -> Self:
        """Return the "tied" posterior of K components, given the numbers of their sets of samples (batch, K).

        This posterior has all sets along its first axis, as `GaussianConjugate.posterior_of_sets` returns them.
        """
        own = {name: getattr(self, name)[sets, 0] for name in ("concentration", "location", "mean_precision")}
        scale = sum(self.scale[of_one] for of_one in sets.T)
        degrees = np.broadcast_to(self.degrees_of_freedom[0], len(sets))
        return self.with_arrays({**own, "scale": np.asarray(scale), "degrees_of_freedom": degrees})

    def divergence(self, prior: "GaussianPosterior") -> float:
        """Return KL(self || prior) in nats; neither has leading axes.

        It is the divergence of the weights plus these terms, summed over means and over declared covariances. The
        parameters of the prior have the index 0::

            means        1/2 {D κ0 / κ_k - D - D log(κ0 / κ_k) + κ0 (m_k - m0)' E[Σ_k⁻¹] (m_k - m0)}
            covariances  ν0/2 log|Ψ Ψ0⁻¹| - log Γ_p(ν/2) + log Γ_p(ν0/2) + (ν - ν0)/2 Σ_i digamma((ν - i + 1)/2)
                         + 1/2 tr(Ψ0 E[Σ⁻¹]) - p ν / 2,    p = D for matrices, 1 for variances, i = 1..p
        """
        D, p, gap = self.n_features, self._side, self.location - prior.location
        if self.of_matrices:
            precision = self._degrees * np.linalg.inv(self.scale)
            quadratic = np.einsum("kd,de,ke->k" if precision.ndim == 2 else "kd,kde,ke->k", gap, precision, gap)
            log_ratio = np.linalg.slogdet(self.scale)[1] - np.linalg.slogdet(prior.scale)[1]
            trace = np.einsum("...de,...de->...", prior.scale, precision)
        else:
            precision = self._degrees / self.scale
            quadratic = (gap**2 * precision.reshape(len(gap), -1)).sum(axis=1)
            log_ratio, trace = np.log(self.scale / prior.scale), prior.scale * precision
        shrunk, nu, nu0 = prior.mean_precision / self.mean_precision, self.degrees_of_freedom, prior.degrees_of_freedom
        means = (D * (shrunk - 1 - np.log(shrunk)) + prior.mean_precision * quadratic) / 2
        covariances = nu0 / 2 * log_ratio - multigammaln(nu / 2, p) + multigammaln(nu0 / 2, p)
        covariances += (nu - nu0) / 2 * _sum_of_digammas(nu, p) + (trace - p * nu) / 2
        weights = dirichlet_divergence(self.concentration, prior.concentration)
        return weights + float(means.sum() + covariances.sum())

    @property
    def _side(self) -> int:
        """Side length p of a declared covariance: D of a matrix, 1 of a variance."""
        return self.n_features if self.of_matrices else 1

    @property
    def _degrees(self) -> Array:
        """ν, shaped to broadcast with the scale."""
        return self.degrees_of_freedom[..., None, None] if self.of_matrices else self.degrees_of_freedom

    @property
    def _excess(self) -> Array:
        """ν - p - 1, shaped to broadcast with the scale; a covariance has a mean if it is positive."""
        return self._degrees - self._side - 1


def conjugate_posterior(prior: GMMPrior, counts: Array, averages: Array, scatter: Array) -> GaussianPosterior:
    """Return the posterior given the statistics of labels or responsibilities; zeros give the prior itself.

    Parameters
    ----------
    prior : GMMPrior
        The conjugate prior.
    counts, averages : ndarray, shapes (..., K), (..., K, D)
        N_k and x̄_k; x̄_k is ignored if N_k = 0.
    scatter : ndarray, shape of the declared covariances
        S_k, its sum over components, its diagonal or its trace.

    Examples
    --------
    >>> import numpy as np
    >>> from em.gmm.posterior import conjugate_posterior
    >>> from models.gmm import GMMPrior
    >>> prior = GMMPrior(1.0, [0.0], 1.0, 3.0, [[2.0]])
    >>> conjugate_posterior(prior, np.array([3.0]), np.array([[4.0]]), np.array([[[6.0]]])).mean()["means"]
    array([[3.]])
    """
    kind, (K, D) = prior.covariance_type, averages.shape[-2:]
    kappa: Array = prior.mean_precision + counts
    location = (prior.mean_precision * prior.mean + counts[..., None] * averages) / kappa[..., None]
    gap = averages - prior.mean
    A = scatter + squares(gap, prior.mean_precision * counts / kappa, kind)
    samples = {"full": counts, "tied": counts.sum(axis=-1), "diag": counts[..., None], "spherical": D * counts}[kind]
    of_each = A.shape[:-2] if kind in ("full", "tied") else A.shape
    degrees_of_freedom = np.broadcast_to(prior.degrees_of_freedom + samples, of_each)
    concentration = np.broadcast_to(prior.concentration, K) + counts
    return GaussianPosterior(concentration, location, kappa, degrees_of_freedom, prior.scale + A, kind)


def inverse_wishart_root(degrees_of_freedom: Array, scale: Array, rng: np.random.RandomState) -> Array:
    """Draw roots R (..., D, D) of covariance matrices Σ = R R' ~ InverseWishart(ν, Ψ), by Bartlett's decomposition.

    Let A be lower triangular with A_ii² ~ χ²(ν - i + 1) and A_ij ~ Normal(0, 1) below the diagonal. Then
    A A' ~ Wishart(ν, I), and R = B A⁻ᵀ with B B' = Ψ.
    """
    D = scale.shape[-1]
    bartlett = np.tril(rng.standard_normal(scale.shape), -1)
    diagonal = np.sqrt(rng.chisquare(np.asarray(degrees_of_freedom)[..., None] - np.arange(D)))
    bartlett[..., range(D), range(D)] = diagonal
    return np.linalg.cholesky(scale) @ np.swapaxes(np.linalg.inv(bartlett), -1, -2)


def _sum_of_digammas(nu: Array, p: int) -> Array:
    """Return Σ_i digamma((ν - i + 1) / 2), i = 1..p."""
    return digamma((nu[..., None] - np.arange(p)) / 2).sum(axis=-1)


def _positive(divisor: Array) -> Array:
    """Return a divisor with NaN where it is not positive."""
    return np.where(divisor > 0, divisor, np.nan)
