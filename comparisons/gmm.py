"""The Gaussian mixture in a comparison, and its command line: ``python -m comparisons.gmm``."""

from typing import Any, Self, override

import numpy as np
from numpy.typing import ArrayLike

from comparisons.family import Family, log_ratio_weights
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
    def conjugate_gap(self, parameters: Any, n_samples: int, prior: Any) -> tuple[float, str]:
        """Mode and mean of a variance differ by (2D + 3) / N of it, and its posterior sd is sqrt(2 / N) of it."""
        smallest, D = float(parameters.weights.min() * n_samples), parameters.n_features
        gap = (2 * D + 3) / np.sqrt(2 * smallest)
        return gap, f"(2D+3)/sqrt(2 N_k) = {gap:.2g} sd at N_k = {smallest:.0f}"

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
