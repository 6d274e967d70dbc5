"""The pair of the Gaussian mixture. Command line: ``python -m comparisons.gmm``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, override

import numpy as np
from numpy.linalg import eigvalsh

from comparisons.declarations import Option
from comparisons.family import NEARLY, Change, Family, Point, as_declared, conjugate_gaps_of_weights
from comparisons.gmm.data import CALIBRATIONS, CASES, DATASETS
from models import gmm as model_gmm
from models.gmm.independent_prior import SCALES
from models.gmm.structures import COVARIANCE_TYPES, covariances_shape, full_matrices, quantities
from models.parameters import Quantity
from models.validation import Array

ORDINARY = 100.0  # X is not rescaled for sd from 1 / 100 to 100, and means within 100 sd of 0


class GMM(Family):
    """Gaussian mixture with covariances of one structure."""

    name = "gmm"
    title = "Gaussian mixture"
    options = (Option("covariance_type", "full", "Structure of the covariances", "covariance", COVARIANCE_TYPES),)
    estimator_name = "GaussianMixtureEM"
    prior_types = (model_gmm.GMMPrior, model_gmm.GMMIndependentPrior)
    prior_families = ("conjugate", *SCALES)
    prior_counts = "concentration", "degrees_of_freedom", "variance_shape", "correlation_shape"
    conjugate_with_missing = False
    datasets, cases, calibrations = DATASETS, CASES, CALIBRATIONS
    covariance_type: str

    @property
    @override
    def quantities(self) -> tuple[Quantity, ...]:
        return quantities(self.covariance_type)

    @override
    def default_prior(self, X: Array, n_components: int, prior_family: str = "conjugate") -> Any:
        if prior_family == "conjugate":
            return model_gmm.GMMPrior.weakly_informative(X, n_components, self.covariance_type)
        return model_gmm.GMMIndependentPrior.weakly_informative(X, n_components, self.covariance_type, prior_family)

    @override
    def caution(self, X: Array, prior: Any, n_components: int, names: Sequence[str] | None = None) -> str:
        if prior.conjugate or not (why := prior.why_improper(X, n_components, names)):
            return ""
        return f"{why}. Draws are from the neighbourhood of the interior mode; inverse-gamma scales have a posterior"

    @override
    def build_marginal_model(self, X: Array, n_components: int, prior: Any, precise: bool = False) -> Any:
        return model_gmm.build_marginal_model(X, n_components, prior, self.covariance_type, whitened=precise)

    @override
    def for_search(self, model: Any, X: Array, n_components: int, prior: Any) -> tuple[Any, Change, Change]:
        """Return the model of standardised data, if the scale of X is far from ordinary.

        L-BFGS stops far from the mode if one coordinate is a million times as long as another. The prior is transformed
        with the samples, so that log p(θ | X) changes by a constant only, and modes correspond.
        """
        if (units := search_units(X, self.covariance_type)) is None:
            return model, dict, dict
        moved = prior.standardised(units.location, units.scale)
        back = replace(units, location=-units.location / units.scale, scale=1 / units.scale)
        return self.build_marginal_model(units.rows(X), n_components, moved, precise=True), units.arrays, back.arrays

    def covariance_matrices(self, draws: Mapping[str, Array]) -> Array:
        """Return the covariance matrices (S, K, D, D) of draws, whatever their structure."""
        return full_matrices(self.covariance_type, draws["covariances"], *draws["means"].shape[1:])

    @override
    def shaped(self, draws: Mapping[str, Array]) -> Point:
        weights, means = (as_declared(quantity, draws[quantity.name]) for quantity in self.quantities[:2])
        self.check_weights({"weights": weights, "means": means})
        covariances, kind, (S, K, D) = draws["covariances"], self.covariance_type, means.shape
        shape = (S, *covariances_shape(kind, K, D))
        if D == 1 and covariances.size == np.prod(shape):
            covariances = covariances.reshape(shape)
        if covariances.shape != shape or (K == D > 1 and _is_misread(covariances, kind)):
            raise ValueError(f"covariance_type must be that of the draws, got {kind!r} for shape {covariances.shape}")
        if kind in ("full", "tied"):
            if not _is_symmetric(covariances):
                raise ValueError("draws must have symmetric covariances, got others: Cholesky factors L must be L L'")
            covariances = (covariances + covariances.mT) / 2
        elif covariances.min() <= 0:
            raise ValueError(f"draws must have positive variances as covariances, got {covariances.min():.6g}")
        return {"weights": weights, "means": means, "covariances": covariances}

    @override
    def log_joint(self, X: Array) -> Callable[[Mapping[str, Array]], Callable[[slice], Array]]:
        """Return log π_k - D/2 log 2π - 1/2 log|Σ_k| - 1/2 ‖L_k⁻¹ (x_i - μ_k)‖², of the observed cells of x_i."""
        from em.bound import log_of
        from em.gmm import missing_patterns

        def given(draws: Mapping[str, Array]) -> Callable[[slice], Array]:
            draws = self.shaped(draws)
            log_weights, means = log_of(draws["weights"])[:, :, None], draws["means"]
            matrices = self.covariance_matrices(draws)
            if X.shape[1] != means.shape[2]:
                raise ValueError(f"X must have {means.shape[2]} columns like the means, got {X.shape[1]}")
            if not np.isnan(X).any():
                log_prob = _log_prob(means, matrices)
                return lambda rows: log_weights + log_prob(X[rows])

            def of_observed(rows: slice) -> Array:
                joint = np.repeat(log_weights, rows.stop - rows.start, axis=2)
                for seen, where in missing_patterns(X[rows]):
                    if seen.any():
                        log_prob = _log_prob(means[..., seen], matrices[..., seen, :][..., seen])
                        joint[:, :, where] += log_prob(X[rows][np.ix_(where, seen)])
                return joint

            return of_observed

        return given

    @override
    def rounded(self, parameters: Any) -> Any:
        """Return parameters with variances increased by the rounding of a Cholesky factorisation, 2 (D + 1) 2**-52.

        Reference: Higham (2002), Accuracy and Stability of Numerical Algorithms, theorem 10.3.
        """
        if self.covariance_type not in ("full", "tied"):
            return parameters
        D, covariances = parameters.n_features, parameters.covariances
        return replace(parameters, covariances=covariances * (1 + 2 * (D + 1) * np.finfo(np.float64).eps * np.eye(D)))

    @override
    def draw_parameters(self, prior: Any, n_components: int, n_features: int, rng: np.random.RandomState) -> Any:
        return model_gmm.draw_parameters(prior, n_components, rng)

    @override
    def conjugate_gaps(self, parameters: Any, n_samples: float, prior: Any) -> tuple[Point, Point]:
        """Return the gaps of the conjugate posterior: mean and mode of μ coincide, those of Σ differ by (2D + 3) Σ / N.

        The sd of μ_d is sqrt(Σ_dd / N), that of Σ_ij is sqrt((Σ_ii Σ_jj + Σ_ij²) / N). The posterior mean of μ differs
        from the MLE by κ0 |m0 - μ| / N, that of Σ by |Ψ0 + κ0 (μ - m0)(μ - m0)' - (ν0 - D - 1) Σ| / N. The other
        structures use their entries of these matrices, and other numbers: "tied" has N = n and 2D + 2 + K in place of
        2D + 3; "diag" has 5; "spherical" has N = D N_k and D + 4. Variances have ν0 - 2 in place of ν0 - D - 1.

        Under an independent prior, log p(v) = p log v - (a v + b / v) / 2, the gap g of the mode is the same to first
        order, κ0 is v / s², and the posterior mean of v differs from the MLE by |b - a v² + (2p + g) v| / N.
        """
        means, kind = parameters.means, self.covariance_type
        K, D = means.shape
        N = np.maximum(parameters.weights * n_samples, 1)
        weights = conjugate_gaps_of_weights(parameters.weights, n_samples, float(prior.concentration.max()))
        matrices, offset = parameters.covariance_matrices, means - prior.mean
        variances = _diagonal(matrices)
        squares, spread = offset[:, :, None] * offset[:, None], variances[:, :, None] * variances[:, None] + matrices**2
        counts, squares, spread, gap = {
            "full": (N[:, None, None], squares, spread, 2 * D + 3),
            "tied": (np.array(n_samples), squares.sum(axis=0), spread[0], 2 * D + 2 + K),
            "diag": (N[:, None], _diagonal(squares), _diagonal(spread), 5),
            "spherical": (D * N, _diagonal(squares).sum(axis=1), _diagonal(spread)[:, 0], D + 4),
        }[kind]
        kappa = _pseudo_samples(prior, variances)
        if not prior.conjugate:
            power, a, b = prior.variance_terms()
            pull = b + (2 * power + gap - a * parameters.covariances) * parameters.covariances
        else:
            degrees = prior.degrees_of_freedom - (D + 1 if kind in ("full", "tied") else 2)
            pull = prior.scale + kappa * squares - degrees * parameters.covariances
        of_means = kappa * np.abs(offset) / (kappa + N[:, None]) * np.sqrt(N[:, None] / variances)
        sd = np.sqrt(spread * counts)
        mle = {"weights": weights[0], "means": of_means, "covariances": np.abs(pull) / sd}
        mode = {"weights": weights[1], "means": np.zeros_like(means)}
        return mle, mode | {"covariances": np.abs(gap * parameters.covariances) / sd}

    @override
    def prior_on_response(self, prior: Any, X: Array) -> tuple[float, Array]:
        """Return κ0 and m0; if means are independent of covariances, the largest v / s², with v the variance of X."""
        return float(np.max(_pseudo_samples(prior, np.nanvar(X, axis=0)))), prior.mean

    @override
    def anywhere(self, fit: Any, rng: np.random.RandomState) -> model_gmm.GMMParameters:
        """Return the fit's parameters with random correlations: those of columns never observed together are free."""
        parameters: model_gmm.GMMParameters = fit.parameters_
        if self.covariance_type not in ("full", "tied"):
            return parameters
        covariances, D = parameters.covariances, parameters.n_features
        roots = rng.normal(size=(*covariances.shape[:-1], D + 2))
        products = roots @ roots.mT
        scale = np.sqrt(_diagonal(covariances) / _diagonal(products))
        return replace(parameters, covariances=products * scale[..., :, None] * scale[..., None, :])


def search_units(X: Array, covariance_type: str) -> Any:
    """Return the :class:`em.gmm.units.Units` that standardise the columns of X, or None if their scale is ordinary.

    Standard deviations are rounded to powers of 2, so that dividing by them is exact; "spherical" has one for all
    columns. NaN in X marks a missing cell.
    """
    from em.gmm.units import Units

    mean, sd = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
    sd = np.full_like(sd, sd.mean()) if covariance_type == "spherical" else sd
    sd = np.where(sd > 0, sd, 1.0)
    far = sd.max() > ORDINARY or sd.min() < 1 / ORDINARY or (np.abs(mean) > ORDINARY * sd).any()
    return Units(mean, 2.0 ** np.round(np.log2(sd)), covariance_type) if far else None


def _pseudo_samples(prior: Any, variances: Array) -> Any:
    """Return κ0, the weight of the prior mean in samples; v / s² if means are independent of covariances."""
    return prior.mean_precision if prior.conjugate else variances * (1 / prior.mean_sd) ** 2


def _diagonal(matrices: Array) -> Array:
    return np.diagonal(matrices, axis1=-2, axis2=-1)


def _log_prob(means: Array, matrices: Array) -> Callable[[Array], Array]:
    """Return log Normal(x | μ_k, Σ_k) of draws (S, K, ...) as a function of rows (m, D), shape (S, K, m)."""
    try:
        root = np.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        raise ValueError("draws must have positive definite covariances, got a matrix that is not") from None
    S, K, D = means.shape
    whitening, origin = np.linalg.inv(root), means.mean(axis=(0, 1))  # centring keeps digits if data lie far from 0
    shift = whitening @ (means - origin)[..., None]
    constant = np.log(_diagonal(root)).sum(axis=2) + 0.5 * D * np.log(2 * np.pi)

    def of_rows(X: Array) -> Array:
        whitened = (whitening.reshape(S * K * D, D) @ (X - origin).T).reshape(S, K, D, -1)
        whitened -= shift
        return -0.5 * np.einsum("skdm,skdm->skm", whitened, whitened) - constant[..., None]

    return of_rows


def _is_symmetric(matrices: Array) -> bool:
    """Whether matrices (..., D, D) are symmetric up to the rounding of 32 bits."""
    largest = np.abs(matrices).max(axis=(-2, -1), keepdims=True)
    return bool((np.abs(matrices - matrices.mT) <= NEARLY * largest).all())


def _is_misread(covariances: Array, covariance_type: str) -> bool:
    """Whether draws (S, D, D) contradict "tied" or "diag", which have the same shape if K = D."""
    if covariance_type == "tied":
        return not _is_symmetric(covariances)
    return covariance_type == "diag" and _is_symmetric(covariances) and bool((eigvalsh(covariances) > 0).all())


FAMILY = GMM
