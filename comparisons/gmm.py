"""The Gaussian mixture in a comparison, and its command line: ``python -m comparisons.gmm``."""

from typing import Any, Self, override

import numpy as np
from numpy.typing import ArrayLike

from comparisons.family import Family, Point, conjugate_gaps_of_weights, log_ratio_weights
from em import GaussianMixtureEM
from em import gmm as em_gmm
from models import gmm as model_gmm
from models.validation import Array


class GMM(Family):
    """Gaussian mixture, full covariances."""

    name = "gmm"
    parameters_type = model_gmm.GMMParameters
    prior_type = model_gmm.GMMPrior

    @classmethod
    @override
    def of(cls, n_trials: ArrayLike) -> Self:
        if np.any(np.asarray(n_trials) != 1):
            raise ValueError(f"n_trials belongs to family 'bmm', got {n_trials!r} for 'gmm'")
        return cls()

    @override
    def default_prior(self, X: Array, n_components: int) -> model_gmm.GMMPrior:
        return model_gmm.GMMPrior.weakly_informative(X, n_components)

    @override
    def estimator(self, **settings: Any) -> GaussianMixtureEM:
        return GaussianMixtureEM(**settings)

    @override
    def build_model(self, X: Array, n_components: int, prior: Any) -> Any:
        return model_gmm.build_model(X, n_components, prior)

    @override
    def build_marginal_model(self, X: Array, n_components: int, prior: Any) -> Any:
        return model_gmm.build_marginal_model(X, n_components, prior)

    @override
    def e_step(self, X: Array, parameters: Any) -> tuple[Array, float]:
        return em_gmm.e_step(X, parameters)

    @override
    def distances(self, draws: dict[str, Array], reference: Any) -> Array:
        """Bhattacharyya distance, 1/8 d'M⁻¹d + 1/2 log(|M| / sqrt(|Σ_j||Σ_k|)), d = μ_j - μ_k, M = (Σ_j + Σ_k) / 2."""
        gap = draws["means"][:, :, None, :] - reference.means[None, None]
        middle = (draws["covariances"][:, :, None] + reference.covariances[None, None]) / 2
        mahalanobis = (gap * np.linalg.solve(middle, gap[..., None])[..., 0]).sum(axis=-1)
        log_det = np.linalg.slogdet(middle)[1]
        log_det_draws = np.linalg.slogdet(draws["covariances"])[1][:, :, None]
        log_det_reference = np.linalg.slogdet(reference.covariances)[1]
        return mahalanobis / 8 + (log_det - (log_det_draws + log_det_reference) / 2) / 2

    @override
    def unconstrained(self, draws: dict[str, Array]) -> Array:
        """Log weight ratios, means, and Cholesky factors with the logarithm of their diagonal."""
        S, _, D = draws["means"].shape
        chol = np.linalg.cholesky(draws["covariances"])
        log_diagonal = np.log(np.diagonal(chol, axis1=2, axis2=3)).reshape(S, -1)
        below = chol[:, :, *np.tril_indices(D, -1)].reshape(S, -1)
        return np.hstack([log_ratio_weights(draws["weights"]), draws["means"].reshape(S, -1), log_diagonal, below])

    @override
    def conjugate_gaps(self, parameters: Any, n_samples: int, prior: Any) -> tuple[Point, Point]:
        """Gaps of the normal-inverse-Wishart posterior: mean and mode of μ coincide, those of Σ differ by (2D + 3) / N.

        sd of μ_d: sqrt(Σ_dd / N); of Σ_ij: sqrt((Σ_ii Σ_jj + Σ_ij²) / N). The MLE of μ is pulled by κ0 |m0 - μ| / N,
        that of Σ by |Ψ0 + κ0 (μ - m0)(μ - m0)' - (ν0 - D - 1) Σ| / N.
        """
        means, covariances, D = parameters.means, parameters.covariances, parameters.n_features
        N = np.maximum(parameters.weights * n_samples, 1)[:, None]
        variances = np.diagonal(covariances, axis1=1, axis2=2)
        offset, spread = means - prior.mean, np.sqrt(variances[:, :, None] * variances[:, None] + covariances**2)
        pull = prior.scale + prior.mean_precision * offset[:, :, None] * offset[:, None]
        pull = pull - (prior.degrees_of_freedom - D - 1) * covariances
        weights = conjugate_gaps_of_weights(parameters.weights, n_samples, float(prior.concentration.max()))
        of_means = prior.mean_precision * np.abs(offset) / (prior.mean_precision + N) * np.sqrt(N / variances)
        root = np.sqrt(N)[:, :, None]
        mle = {"weights": weights[0], "means": of_means, "covariances": np.abs(pull) / spread / root}
        mode = np.abs((2 * D + 3) * covariances) / spread / root
        return mle, {"weights": weights[1], "means": np.zeros_like(means), "covariances": mode}

    @override
    def free_coordinates(self, parameters: Any) -> dict[str, np.ndarray]:
        return {}

    @override
    def entries(self, name: str, values: Array) -> list[tuple[int, ...]]:
        indices = super().entries(name, values)
        return [i for i in indices if i[1] <= i[2]] if name == "covariances" else indices

    @override
    def draw_data(self, ax: Any, comparison: Any) -> None:
        from comparisons.plots import draw_gaussian_data

        draw_gaussian_data(ax, comparison)


FAMILY = GMM

if __name__ == "__main__":
    from comparisons.command import run

    run("gmm")
