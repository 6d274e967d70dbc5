"""The E-step of Gaussian mixtures as one matrix product: sufficient statistics of the rows times natural parameters.

With P_k = Σ_k⁻¹::

    log π_k + log Normal(y | μ_k, Σ_k) = c_k + b_k'y - y'P_k y / 2 = (c_k, b_k, -P_k / 2) · (1, y, y y')
    b_k = P_k μ_k,    c_k = log π_k - log|Σ_k| / 2 - D/2 log 2π - μ_k'P_k μ_k / 2

The product of the responsibilities and the statistics gives the moments about 0 for the M-step. Terms of the size of
tr(P_k) (1 + ‖μ_k‖²) cancel, so this form needs rows near 0 and of size 1, and components that are not much narrower.
:func:`NaturalForm.cancels` finds the components that would lose digits; they take the centred form of :mod:`em.gmm`.
"""

import numpy as np

from em.bound import log_of
from em.engine.problem import Arrays
from em.gmm.statistics import GaussianStatistics
from models.validation import Array

LARGEST_TERMS = 1e4  # cancelling terms of a row's log density, which then keeps 1e-12
LOG_ZERO = -1e300


class NaturalForm:
    """Sufficient statistics of rows and natural parameters of mixtures, for one structure of the covariances.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances.
    n_features : int
        Number of features D.

    Examples
    --------
    >>> import numpy as np
    >>> from em.gmm.natural_form import NaturalForm
    >>> form = NaturalForm("diag", 1)
    >>> theta = {"weights": np.ones((1, 1)), "means": np.zeros((1, 1, 1)), "covariances": np.ones((1, 1, 1))}
    >>> (form.natural(theta) @ form.statistics(np.array([[0.0], [1.0]]))).round(3)
    array([[[-0.919, -1.419]]])
    """

    def __init__(self, covariance_type: str, n_features: int) -> None:
        self.covariance_type, self.n_features = covariance_type, n_features
        self.of_matrices = covariance_type in ("full", "tied")
        self.products = np.tril_indices(n_features) if self.of_matrices else np.diag_indices(n_features)
        self.columns = slice(1, 1 + n_features)
        self.n_statistics = 1 + n_features + len(self.products[0])
        on_diagonal = self.products[0] == self.products[1]
        self.factors, self.diagonal = np.where(on_diagonal, -0.5, -1.0), 1 + n_features + np.flatnonzero(on_diagonal)

    def statistics(self, y: Array) -> Array:
        """Return 1, y and the products y_d y_e of rows y (n, D), shape (p, n)."""
        statistics = np.empty((self.n_statistics, len(y)))
        statistics[self.columns] = y.T
        return self.completed(statistics)

    def completed(self, statistics: Array) -> Array:
        """Fill in the constant and the products of statistics (p, n) whose ``columns`` hold y, and return them."""
        D, columns = self.n_features, statistics[self.columns]
        statistics[0] = 1
        if not self.of_matrices:
            np.square(columns, out=statistics[1 + D :])
            return statistics
        for d in range(D):  # the rows of the lower triangle, one after the other
            start = 1 + D + d * (d + 1) // 2
            np.multiply(columns[: d + 1], columns[d], out=statistics[start : start + d + 1])
        return statistics

    def at(self, theta: Arrays) -> tuple[Array, np.ndarray]:
        """Return the natural parameters of R mixtures, and which components would lose digits, shape (R, K)."""
        natural = self.natural(theta)
        return natural, self.cancels(theta, natural)

    def natural(self, theta: Arrays) -> Array:
        """Return (c_k, b_k, -P_k / 2) of R mixtures, shape (R, K, p)."""
        weights, means, D = theta["weights"], theta["means"], self.n_features
        whitener = self._whitener(theta)
        if self.of_matrices:
            whitened = (whitener @ means[..., None])[..., 0]
            linear = (whitener.mT @ whitened[..., None])[..., 0]
            quadratic = (whitener.mT @ whitener)[..., *self.products] * self.factors
            log_det = np.log(np.diagonal(whitener, axis1=-2, axis2=-1)).sum(axis=-1)
        else:
            whitened, quadratic = means * whitener, -0.5 * whitener**2
            linear, log_det = whitened * whitener, np.log(whitener).sum(axis=-1)
        log_weights = np.maximum(log_of(weights), LOG_ZERO)
        constant = log_weights + log_det - 0.5 * (D * np.log(2 * np.pi) + (whitened**2).sum(axis=-1))
        if quadratic.shape[:-1] != weights.shape:  # all components share it
            quadratic = np.broadcast_to(quadratic, (*weights.shape, len(self.factors)))
        return np.concatenate([constant[..., None], linear, quadratic], axis=-1)

    def cancels(self, theta: Arrays, natural: Array) -> np.ndarray:
        """Return which components (R, K) would lose digits, because large terms cancel.

        If components share one covariance, all do as soon as one does.
        """
        traces = -2 * natural[..., self.diagonal].sum(axis=-1)
        terms = traces * (1 + (theta["means"] ** 2).sum(axis=-1))
        narrow = (theta["weights"] > 0) & ~(terms <= LARGEST_TERMS * self.n_features)
        return narrow | (self.covariance_type == "tied") & narrow.any(axis=-1, keepdims=True)

    def moments(self, sums: Array) -> GaussianStatistics:
        """Return the moments about 0 of R mixtures from the weighted sums (R, K, p) of the statistics."""
        D, K = self.n_features, sums.shape[-2]
        squares = sums[..., 1 + D :]
        match self.covariance_type:
            case "full" | "tied":
                squares = squares if self.covariance_type == "full" else squares.sum(axis=-2)
                second = np.empty((*squares.shape[:-1], D, D))
                second[..., *self.products] = squares
                second[..., self.products[1], self.products[0]] = squares
            case "diag":
                second = squares
            case _:
                second = squares.sum(axis=-1)
        counts, first = sums[..., 0], sums[..., 1 : 1 + D]
        centers = np.zeros((*sums.shape[:-2], K, D))
        return GaussianStatistics(self.covariance_type, centers, counts, first, second)

    def _whitener(self, theta: Arrays) -> Array:
        """Return L_k⁻¹ of matrices, (R, K, D, D) or (R, 1, D, D), or 1 / σ_kd of variances (R, K, D)."""
        covariances = theta["covariances"]
        if self.of_matrices:
            whitener = np.linalg.inv(np.linalg.cholesky(covariances))
            return whitener if self.covariance_type == "full" else whitener[..., None, :, :]
        variances = covariances if self.covariance_type == "diag" else covariances[..., None]
        return np.broadcast_to(1 / np.sqrt(variances), theta["means"].shape)
