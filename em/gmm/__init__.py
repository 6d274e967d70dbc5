"""EM's steps for the Gaussian mixture, as pure functions that can be called and checked by hand.

The formulas are in :mod:`models.gmm`, the code is here, in the same order. The estimator in :mod:`em.gmm.estimator`
iterates these steps.
"""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg.lapack import dtrtri

from em.bound import check_parameters, check_responsibilities, log_of, normalise
from em.engine.problem import Collapse
from em.gmm.conditional_modes import conditional_modes
from em.gmm.statistics import GaussianStatistics, squares, sufficient_statistics
from em.samples import weighted
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior
from models.gmm.structures import check_covariance_type
from models.validation import Array, check_sample_weight, column_names, data_matrix, refuse_cell


def component_log_prob(X: ArrayLike, parameters: GMMParameters) -> Array:
    """Return log p(x_i | z_i = k), shape (n, K), in nats: -D/2 log 2π - 1/2 log|Σ_k| - 1/2 ‖L_k⁻¹ (x_i - μ_k)‖².

    A value below the range of floats is -inf. Where cells are missing (NaN), the density is that of the observed
    cells, Normal(x_o | μ_o, Σ_oo).

    Examples
    --------
    >>> from em import gmm
    >>> from models.gmm import GMMParameters
    >>> parameters = GMMParameters([0.5, 0.5], [[0.0], [2.0]], [[[1.0]], [[1.0]]])
    >>> gmm.component_log_prob([[0.0]], parameters).round(3)
    array([[-0.919, -2.919]])
    """
    check_parameters(parameters, GMMParameters)
    X = data_matrix(X, missing=True)
    if X.shape[1] != parameters.n_features:
        raise ValueError(f"X must have {parameters.n_features} columns like the means, got {X.shape[1]}")
    if np.isnan(X).any():
        return _log_prob_of_observed(X, parameters)
    log_prob = np.empty((len(X), parameters.n_components))
    with np.errstate(over="ignore", invalid="ignore"):  # squared distances may overflow
        for k, mean in enumerate(parameters.means):
            whitened, half_log_det = _whiten(X - mean, parameters, k)
            log_prob[:, k] = -0.5 * np.einsum("dn,dn->n", whitened, whitened) - half_log_det
    log_prob[np.isnan(log_prob)] = -np.inf
    return log_prob - 0.5 * parameters.n_features * np.log(2 * np.pi)


def _log_prob_of_observed(X: Array, parameters: GMMParameters) -> Array:
    log_prob = np.zeros((len(X), parameters.n_components))
    for observed, rows in missing_patterns(X):
        if observed.any():
            log_prob[rows] = component_log_prob(X[np.ix_(rows, observed)], parameters.marginal(observed))
    return log_prob


def missing_patterns(X: Array) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (mask of the observed features (D,), row numbers) for each pattern of missing cells in X."""
    observed = ~np.isnan(X)
    keys = np.packbits(observed, axis=1)
    order = np.lexsort(keys.T[::-1])
    changes = np.flatnonzero((keys[order[1:]] != keys[order[:-1]]).any(axis=1)) + 1
    for rows in np.split(order, changes):
        yield observed[rows[0]], rows


def _whiten(gap: Array, parameters: GMMParameters, k: int) -> tuple[Array, float]:
    """Return L_k⁻¹ gap', shape (D, n), and log|L_k| = 1/2 log|Σ_k|, with Σ_k = L_k L_k'."""
    root = parameters.cholesky if parameters.covariance_type == "tied" else parameters.cholesky[k]
    if root.ndim < 2:  # standard deviations
        return (gap / root).T, float(np.log(np.broadcast_to(root, gap.shape[1])).sum())
    inverse, _ = dtrtri(root, lower=1)  # ten times as fast as a triangular solve for each sample
    return inverse @ gap.T, float(np.log(np.diagonal(root)).sum())


def log_joint(X: ArrayLike, parameters: GMMParameters) -> Array:
    """Return log p(x_i, z_i = k) = log π_k + log p(x_i | z_i = k), shape (n, K), in nats.

    Examples
    --------
    >>> from em import gmm
    >>> from models.gmm import GMMParameters
    >>> gmm.log_joint([[0.0]], GMMParameters([0.5, 0.5], [[0.0], [2.0]], [[[1.0]], [[1.0]]])).round(3)
    array([[-1.612, -3.612]])
    """
    return component_log_prob(X, parameters) + log_of(parameters.weights)


def e_step(X: ArrayLike, parameters: GMMParameters) -> tuple[Array, float]:
    """Return the responsibilities p(z_i = k | x_i), shape (n, K), and the log-likelihood (sum over samples, nats).

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    parameters : GMMParameters
        Current parameters.

    Examples
    --------
    >>> from em import gmm
    >>> from models.gmm import GMMParameters
    >>> r, log_likelihood = gmm.e_step([[1.0]], GMMParameters([0.5, 0.5], [[0.0], [2.0]], [[[1.0]], [[1.0]]]))
    >>> r
    array([[0.5, 0.5]])
    """
    responsibilities, log_prob = normalise(log_joint(X, parameters))
    return responsibilities, float(log_prob.sum())


def m_step(
    X: ArrayLike,
    responsibilities: ArrayLike,
    prior: GMMPrior | GMMIndependentPrior | None = None,
    covariance_type: str = "full",
    sample_weight: ArrayLike | None = None,
) -> GMMParameters:
    """Return the parameters that maximise Q (plus the log prior), given the responsibilities.

    Parameters
    ----------
    X : array_like, shape (n, D)
        Samples.
    responsibilities : array_like, shape (n, K)
        Rows sum to one; one-hot rows give the closed-form fit with known labels.
    prior : GMMPrior, GMMIndependentPrior or None
        ``None`` for maximum likelihood.
    covariance_type : {"full", "tied", "diag", "spherical"}, default "full"
        Structure of the covariances.
    sample_weight : array_like, shape (n,), or None
        How often each row occurs.

    Raises
    ------
    Collapse
        If a component's covariance would be singular. A Collapse is a ValueError.

    Examples
    --------
    >>> from em import gmm
    >>> gmm.m_step([[0.0], [2.0], [5.0], [9.0]], [[1, 0], [1, 0], [0, 1], [0, 1]]).means
    array([[1.],
           [7.]])
    """
    X = data_matrix(X)
    r = weighted(check_responsibilities(responsibilities, len(X)), check_sample_weight(sample_weight, len(X)))
    counts = r.sum(axis=0)
    centers = r.T @ X / np.where(counts > 0, counts, 1.0)[:, None]
    return mode(sufficient_statistics(X, r, centers, check_covariance_type(covariance_type)), prior)


def conjugate_mixture(X: ArrayLike, prior: GMMPrior) -> Any:
    """Return the data with their conjugate prior, as Gibbs sampling, mean field and exact enumeration take them.

    Raises
    ------
    ValueError
        If X has a missing cell.
    """
    from em.gmm.conjugate import GaussianConjugate

    names, X = column_names(X), data_matrix(X, missing=True)
    if np.isnan(X).any():
        wanted, advice = "X must have no missing cell under a GMMPrior", ": EM and the PyMC models take them"
        refuse_cell(wanted, "X", X, np.isnan(X), names, advice)
    return GaussianConjugate(X, prior)


def mode(
    statistics: GaussianStatistics,
    prior: GMMPrior | GMMIndependentPrior | None,
    frozen: Mapping[str, Array] = MappingProxyType({}),
) -> GMMParameters:
    """Return the M-step: the mode of prior plus sufficient statistics, by the formulas of :mod:`models.gmm`.

    Parameters named in ``frozen`` keep the values given there. With frozen means, covariances are taken about these.
    """
    kind = statistics.covariance_type
    if prior is not None:
        K, D = statistics.centers.shape
        prior.check_fits(K, D, kind)
        prior.check_mode()
    if why := why_emptied(statistics.counts, prior, frozen):
        raise Collapse(why)
    arrays = modes(statistics, prior, frozen)
    try:
        return GMMParameters(arrays["weights"], arrays["means"], arrays["covariances"], kind)
    except ValueError:
        raise Collapse(why_singular(arrays["covariances"], kind)) from None


def modes(
    statistics: GaussianStatistics, prior: GMMPrior | GMMIndependentPrior | None, frozen: Mapping[str, Array]
) -> dict[str, Array]:
    """Return weights, means and covariances at the mode, unchecked. The statistics may have a leading axis for runs."""
    N, kind = statistics.counts, statistics.covariance_type
    K, D = statistics.centers.shape[-2:]
    n, held = N.sum(axis=-1), np.where(N > 0, N, 1.0)  # an empty component has no covariance: avoid 0 / 0
    xbar, scatter = statistics.means_and_scatter()
    a = 1.0 if prior is None else prior.concentration
    weights = (N + (a - 1)) / (N + (a - 1)).sum(axis=-1, keepdims=True)
    if prior is None:
        means = frozen.get("means", xbar)
        if "means" in frozen:
            scatter = scatter + squares(xbar - means, N, kind)
        covariances = scatter / _each({"full": held, "tied": n, "diag": held, "spherical": D * held}[kind], scatter)
    elif isinstance(prior, GMMIndependentPrior):
        means, covariances = conditional_modes(prior, N, xbar, scatter, statistics.centers, frozen)
    else:
        m0, kappa0, nu0 = prior.mean, prior.mean_precision, prior.degrees_of_freedom
        if "means" in frozen:
            means = frozen["means"]
            A = scatter + squares(xbar - means, N, kind) + squares(means - m0, np.full(K, kappa0), kind)
        else:
            means = (kappa0 * m0 + N[..., None] * xbar) / (kappa0 + N)[..., None]
            A = scatter + squares(xbar - m0, kappa0 * N / (kappa0 + N), kind)
        divisors = {"full": N + D + 2, "tied": n + K + D + 1, "diag": N + 3, "spherical": D * N + D + 2}
        covariances = (prior.scale + A) / _each(nu0 + divisors[kind], A)
    if kind in ("full", "tied"):
        covariances = (covariances + np.swapaxes(covariances, -1, -2)) / 2
    shapes = {"weights": weights.shape, "means": xbar.shape, "covariances": covariances.shape}
    given = {name: np.broadcast_to(array, shapes[name]) for name, array in frozen.items()}
    return {"weights": weights, "means": means, "covariances": covariances} | given


def _each(divisors: Array, moments: Array) -> Array:
    """Return the divisors, one for each component or one for all, reshaped to divide the moments."""
    return divisors.reshape(*divisors.shape, *(1,) * (moments.ndim - divisors.ndim))


def why_emptied(counts: Array, prior: GMMPrior | GMMIndependentPrior | None, frozen: Collection[str]) -> str:
    """Return a sentence that names a component without samples if it needs some for a covariance, else ""."""
    needs_samples = prior is None or not prior.avoids_collapse
    if needs_samples and (counts <= 0).any() and not {"means", "covariances"} <= set(frozen):
        return f"component {int(np.argmin(counts))} was emptied: no sample belongs to it"
    return ""


def why_singular(covariances: Array, covariance_type: str) -> str:
    """Return a sentence that names the singular covariance."""
    if covariance_type == "tied":
        return "the samples fell onto one point or plane per component: the covariance is singular"
    if covariance_type == "full":
        with np.errstate(all="ignore"):
            sizes = np.linalg.slogdet(covariances)[1]
    else:
        sizes = covariances.reshape(len(covariances), -1).min(axis=1)
    return f"component {int(np.argmin(sizes))} fell onto a point or a plane: its covariance is singular"
