"""Gaussian samples with their conjugate prior, as Gibbs sampling, mean field and exact enumeration take them.

The posterior given labels or responsibilities is in :mod:`em.gmm.posterior`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from em.bound import log_of
from em.gmm import log_joint
from em.gmm.natural_form import NaturalForm
from em.gmm.passes import GaussianRows
from em.gmm.posterior import GaussianPosterior, conjugate_posterior
from em.gmm.statistics import GaussianStatistics, sufficient_statistics
from em.samples import mean_and_deviation
from em.steps.conjugate import ConjugateData
from em.steps.dirichlet import mean_log_weights
from models.gmm import GMMParameters, GMMPrior
from models.gmm.structures import full_matrices, quantities
from models.parameters import Quantity
from models.validation import Array


@dataclass(frozen=True)
class GaussianConjugate(ConjugateData):
    """Gaussian samples X (n, D), or (chains, n, D) if each chain has its own, and their conjugate prior."""

    X: Array
    prior: GMMPrior

    @classmethod
    def stacked(cls, mixtures: Sequence["GaussianConjugate"]) -> "GaussianConjugate":
        """Return several mixtures, with data of the same shape, as one with a leading axis."""
        return cls(np.stack([mixture.X for mixture in mixtures]), mixtures[0].prior)

    sizes_differ = False  # a Gaussian cell has no size

    def for_rows(self, X: Array) -> "GaussianConjugate":
        """Return the mixture of other rows (n, D) under the same prior; a missing cell raises a ValueError."""
        from em.gmm import conjugate_mixture

        return conjugate_mixture(X, self.prior)

    def part(self, rows: Any) -> "GaussianConjugate":
        """Return the mixture of some of its rows, selected by a slice or booleans (n,)."""
        return replace(self, X=self.X[rows])

    def example(self) -> tuple[Array, dict[str, Any]]:
        """Return a row and options with which `em.families.conjugate_mixture` makes a mixture that reads new rows."""
        return np.zeros((1, self.X.shape[-1])), {}

    def parameters(self, arrays: Mapping[str, Array]) -> GMMParameters:
        """Return the parameters that have these arrays."""
        return GMMParameters(arrays["weights"], arrays["means"], arrays["covariances"], self.prior.covariance_type)

    def with_each_of(self, X: Array) -> Iterator["GaussianConjugate"]:
        """Yield, for each of other rows (m, D), the mixture of all samples and that row."""
        return (GaussianConjugate(np.vstack([self.X, x]), self.prior) for x in self.for_rows(X).X)

    @property
    def log_base(self) -> Array:
        """Log h(x_i) = -D/2 log 2π, shape (n,), in nats."""
        n, D = self.X.shape
        return np.full(n, -D / 2 * np.log(2 * np.pi))

    def check_fits(self, K: int) -> None:
        """Raise a ValueError unless the prior fits K components and these features."""
        self.prior.check_fits(K, self.X.shape[-1], self.prior.covariance_type)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The declared arrays of the mixture."""
        return quantities(self.prior.covariance_type)

    @property
    def n_component_parameters(self) -> int:
        """Number of free parameters of one component: its mean, and its covariance unless that is shared."""
        D = self.X.shape[-1]
        return D + {"full": D * (D + 1) // 2, "tied": 0, "diag": D, "spherical": 1}[self.prior.covariance_type]

    def plug_in(self, q: GaussianPosterior) -> tuple[GMMParameters, float]:
        """Return parameters whose E-step is that of mean field under q, and log Σ_k ω_k.

        Their weights are ω / Σω, ω_k = exp{E[log π_k] + 1/2 (E[log|Σ_k⁻¹|] - log|E[Σ_k⁻¹]|) - D / (2 κ_k)}; their means
        are m_k, and their covariances E[Σ_k⁻¹]⁻¹.
        """
        log_omega = mean_log_weights(q.concentration) + q.log_det_gap() - q.n_features / (2 * q.mean_precision)
        log_total = np.logaddexp.reduce(log_omega)
        weights = np.exp(log_omega - log_total)
        parameters = GMMParameters(weights, q.location, q.harmonic_covariances(), q.covariance_type)
        return parameters, float(log_total)

    def expected_log_joint(self, q: GaussianPosterior) -> Array:
        """Return ρ_ik = E_q[log p(x_i, z_i = k)], shape (n, K)."""
        parameters, log_total = self.plug_in(q)
        return log_joint(self.X, parameters) + log_total

    def posterior(self, responsibilities: Array) -> GaussianPosterior:
        """Return the posterior under responsibilities (..., n, K), one-hot where labels are known."""
        counts = responsibilities.sum(axis=-2)
        averages = responsibilities.mT @ self.X / np.where(counts > 0, counts, 1.0)[..., None]
        return self.updated(sufficient_statistics(self.X, responsibilities, averages, self.prior.covariance_type))

    def posterior_of_sets(self, members: Array, n_components: int) -> GaussianPosterior:
        """Return the posterior of one component for each set of samples, given as members (sets, n, 1), 0 or 1.

        A "tied" covariance gets the degrees of freedom of all samples, and the scale Ψ0 / K + A, so that the scales of
        K components add up to the scale of the posterior.
        """
        q = self.posterior(members)
        if not q.shared:
            return q
        degrees = np.full_like(q.degrees_of_freedom, self.prior.degrees_of_freedom + len(self.X))
        scale = q.scale + self.prior.scale * (1 / n_components - 1)
        return q.with_arrays({**q.arrays(), "degrees_of_freedom": degrees, "scale": scale})

    def updated(self, statistics: GaussianStatistics) -> GaussianPosterior:
        """Return the posterior, given sufficient statistics."""
        return conjugate_posterior(self.prior, statistics.counts, *statistics.means_and_scatter())

    def expectation(
        self, weights: Array | None = None
    ) -> Callable[[GaussianPosterior], tuple[float, GaussianStatistics]]:
        """Return the E-step of mean field, a function of q: Σ_i log Σ_k exp ρ_ik, and the sufficient statistics."""
        n = len(self.X) if weights is None else float(weights.sum())
        rows = GaussianRows(self.X, NaturalForm(self.prior.covariance_type, self.X.shape[1]), weights)

        def expect(q: GaussianPosterior) -> tuple[float, GaussianStatistics]:
            parameters, log_total = self.plug_in(q)
            log_likelihood, statistics = rows.centred(parameters)
            return log_likelihood + n * log_total, statistics

        return expect

    def units(self, n: float, weights: Array | None = None) -> dict[str, Array | float]:
        """Return the typical size of each array of q, from n samples and the columns' standard deviations."""
        mean, deviation = mean_and_deviation(self.X, weights)
        deviation = np.where(np.ptp(self.X, axis=0) > 0, deviation, 1.0)
        variances = {"diag": deviation**2, "spherical": np.mean(deviation**2, keepdims=True)}
        units: dict[str, Array | float] = dict.fromkeys(("concentration", "mean_precision", "degrees_of_freedom"), n)
        units["location"] = np.maximum(np.abs(mean), deviation)
        units["scale"] = n * variances.get(self.prior.covariance_type, np.outer(deviation, deviation))
        return units

    def log_joint(self, parameters: Mapping[str, Array]) -> Array:
        """Return log p(x_i, z_i = k), shape (chains, n, K), of parameters with an axis for chains."""
        means, kind = parameters["means"], self.prior.covariance_type
        matrices = full_matrices(kind, parameters["covariances"], *means.shape[-2:])
        inverse_root = np.linalg.inv(np.linalg.cholesky(matrices))
        half_log_det = -np.log(np.diagonal(inverse_root, axis1=-2, axis2=-1)).sum(axis=-1)
        constant = log_of(parameters["weights"]) - half_log_det - self.X.shape[-1] / 2 * np.log(2 * np.pi)
        distances = [self._distances(means[:, k], inverse_root[:, k]) for k in range(means.shape[-2])]
        return constant[:, None, :] - np.stack(distances, axis=-1) / 2

    def _distances(self, mean: Array, inverse_root: Array) -> Array:
        whitened = (self.X - mean[:, None, :]) @ np.swapaxes(inverse_root, -1, -2)
        return np.einsum("cnd,cnd->cn", whitened, whitened)
