"""Observed information of a Gaussian mixture: scores and second derivatives for Louis' identity, for all structures.

They are computed in standard units (:mod:`em.gmm.units`), whatever the units of X.

A structure writes Σ_k = Σ_j σ_kj E_j with symmetric matrices E_j: one for each entry of a triangle ("full", and "tied",
where all k share σ), one for each entry of the diagonal ("diag"), or the identity ("spherical"). With P = Σ_k⁻¹, z_i =
k known and u = P (x_i - μ_k), the log density -1/2 log|Σ_k| - 1/2 (x_i - μ_k)' P (x_i - μ_k) + const has

    scores                    μ_k: u,    σ_kj: (u' E_j u - tr P E_j) / 2
    minus second derivatives  μ_k, μ_k: P,    μ_k, σ_kj: P E_j u,    σ_kj, σ_kl: tr P E_j (u u' - P/2) E_l

A row with missing cells enters with its observed features: its mixture is the marginal one, whose covariance is the
same sum with the observed rows and columns of E_j.

The prior of means and covariances has the same form. Normal(m0, Σ_k / κ0) at μ_k acts as κ0 samples at m0 that count
once in log|Σ_k|. An inverse-Wishart or inverse-gamma acts as ν samples with scatter Ψ about the mean: ν = ν0 + D + 1
for matrices, ν0 + 2 for variances, and (ν0 + 2) / D for a spherical variance of D dimensions. An independent prior has
the slopes of Normal(m0, s²) at μ_k and of p log v - (a v + b / v) / 2 at each variance v.
"""

from collections.abc import Collection, Iterator, Mapping
from functools import partial

import numpy as np

from em.engine.problem import EPS
from em.gmm import log_joint, missing_patterns
from em.gmm.units import Units, units_of
from em.samples import Samples
from em.sums import Sums
from em.uncertainty.entries import Entries, entries_of
from em.uncertainty.louis import (
    Block,
    Component,
    Information,
    Slopes,
    dirichlet_slopes,
    labelled_sums,
    louis,
    row_blocks,
)
from models.gmm import GMMIndependentPrior, GMMParameters, GMMPrior
from models.gmm.structures import MATRICES
from models.parameters import NO_LABELS, Labels
from models.validation import Array


def information_of(
    samples: Samples,
    parameters: GMMParameters,
    prior: GMMPrior | GMMIndependentPrior | None = None,
    frozen: Collection[str] = (),
    labels: Labels = NO_LABELS,
) -> Information:
    """Return minus the Hessian of log-likelihood plus log prior, and the covariance of the estimate.

    Examples
    --------
    >>> import numpy as np
    >>> from em.gmm.information import information_of
    >>> from em.samples import Samples
    >>> from models.gmm import GMMParameters
    >>> X = np.repeat([[-1.0], [1.0]], 50, axis=0)
    >>> samples = Samples(X, None, np.arange(100), 100)
    >>> information_of(samples, GMMParameters([1.0], [[0.0]], [[[1.0]]])).standard_errors.round(3)
    array([  nan, 0.1  , 0.141])
    """
    units = units_of(samples, parameters.covariance_type, prior)
    standard = units.parameters(parameters)
    standard_entries = entries_of(standard, samples.total, frozen, labels)
    slopes = None
    if prior is not None:
        slopes = log_prior_slopes(standard, prior.standardised(units.location, units.scale), standard_entries)
    sums = samples.sum_of(partial(_labelled, entries=standard_entries, parameters=standard, units=units))
    entries = entries_of(parameters, samples.total, frozen, labels)
    return louis(standard_entries, sums, slopes).scaled(entries, entries.of(units.of_entries(standard)))


def _labelled(samples: Samples, entries: Entries, parameters: GMMParameters, units: Units) -> Sums:
    return labelled_sums(entries, complete_data(units.rows(samples.X), parameters, samples.frequencies))


def complete_data(X: Array, parameters: GMMParameters, sample_weight: Array) -> Iterator[Block]:
    """Yield the samples in blocks with the same observed features, with complete-data scores and curvature."""
    basis = covariance_basis(parameters.covariance_type, parameters.n_features)
    of_means, of_covariances = _indices(parameters, len(basis))
    for observed, rows in missing_patterns(X):
        if not observed.any():  # adds nothing
            continue
        part, E = parameters.marginal(observed), basis[:, observed][:, :, observed]
        precisions = _inverses(part.covariance_matrices)
        indices = np.hstack([of_means[:, observed], of_covariances])
        for some in row_blocks(len(rows), max(indices.size, observed.sum() ** 2)):
            Y = X[np.ix_(rows[some], observed)]
            derivatives = partial(_component, Y, part, precisions, E, indices)
            yield Block(log_joint(Y, part), sample_weight[rows[some]], derivatives)


def _component(
    Y: Array, parameters: GMMParameters, precisions: Array, basis: Array, indices: np.ndarray, k: int, v: Array
) -> Component:
    """Return component k's scores of samples Y, and its curvature Σ_i v_i B_ik."""
    P, flat = precisions[k], basis.reshape(len(basis), -1)
    u = (Y - parameters.means[k]) @ P
    squares = (u[:, :, None] * u[:, None, :]).reshape(len(u), -1)
    scores = np.hstack([u, 0.5 * (squares @ flat.T - flat @ P.ravel())])
    slopes = _slopes(P, basis, v.sum(), v.sum(), v @ u, (v[:, None] * u).T @ u)
    return Component(indices[k], scores, slopes.curvature)


def covariance_basis(covariance_type: str, n_features: int) -> Array:
    """Return the matrices E_j (q, D, D) with Σ_k = Σ_j σ_kj E_j, σ_k the declared covariances of a component."""
    eye = np.eye(n_features)
    match covariance_type:
        case "full" | "tied":
            a, b = np.triu_indices(n_features)
            halves = eye[a][:, :, None] * eye[b][:, None, :]
            return np.where((a == b)[:, None, None], halves, halves + halves.transpose(0, 2, 1))
        case "diag":
            return eye[:, :, None] * eye[:, None, :]
        case _:
            return eye[None]


def log_prior_slopes(parameters: GMMParameters, prior: GMMPrior | GMMIndependentPrior, entries: Entries) -> Slopes:
    """Return gradient and minus the Hessian of the log prior."""
    if isinstance(prior, GMMIndependentPrior):
        return _independent_slopes(parameters, prior, entries)
    D, kind = parameters.n_features, parameters.covariance_type
    basis = covariance_basis(kind, D)
    of_means, of_covariances = _indices(parameters, len(basis))
    nu, kappa, scale = prior.degrees_of_freedom, prior.mean_precision, prior.scale
    counts = {"full": nu + D + 1, "tied": nu + D + 1, "diag": nu + 2, "spherical": (nu + 2) / D}[kind]
    scatter = scale * np.eye(D) / D if kind == "spherical" else np.diag(scale) if kind == "diag" else scale
    slopes = dirichlet_slopes(prior.concentration, entries)
    for k, P in enumerate(_inverses(parameters.covariance_matrices)):
        u = P @ (prior.mean - parameters.means[k])
        indices = np.concatenate([of_means[k], of_covariances[k]])
        slopes.add(indices, _slopes(P, basis, kappa, 1, kappa * u, kappa * np.outer(u, u)))
        if k == 0 or kind != "tied":
            slopes.add(indices, _slopes(P, basis, 0, counts, np.zeros(D), P @ scatter @ P))
    return slopes


def _independent_slopes(parameters: GMMParameters, prior: GMMIndependentPrior, entries: Entries) -> Slopes:
    (K, D), kind = parameters.means.shape, parameters.covariance_type
    power, a, b = prior.variance_terms()
    of_means, of_covariances = _indices(parameters, len(covariance_basis(kind, D)))
    variances = parameters.covariances
    slopes = dirichlet_slopes(prior.concentration, entries)
    precisions = np.broadcast_to((1 / prior.mean_sd) ** 2, (K, D))
    slopes.add(of_means.ravel(), _diagonal_slopes((prior.mean - parameters.means) * precisions, precisions))
    if kind in MATRICES:  # of a single feature: EM refuses this prior for larger matrices
        variances = np.diagonal(variances, axis1=-2, axis2=-1)
    of_each = of_covariances[:1] if kind == "tied" else of_covariances
    gradient, curvature = power / variances - a / 2 + b / (2 * variances**2), power / variances**2 + b / variances**3
    slopes.add(of_each.ravel(), _diagonal_slopes(gradient, curvature))
    return slopes


def _diagonal_slopes(gradient: Array, curvature: Array) -> Slopes:
    """Return the slopes of a sum of functions of one entry each."""
    return Slopes(gradient.ravel(), np.diag(curvature.ravel()))


def _slopes(P: Array, basis: Array, n_means: float, n_log_det: float, first: Array, second: Array) -> Slopes:
    """Return gradient and minus the Hessian of n_log_det/2 log|P| - 1/2 Σ_i (x_i - μ)' P (x_i - μ).

    The sum is over ``n_means`` samples, with Σ_i u_i = ``first`` and Σ_i u_i u_i' = ``second``.
    """
    flat = basis.reshape(len(basis), -1)
    gradient = np.concatenate([first, 0.5 * flat @ (second - n_log_det * P).ravel()])
    left, right = P @ basis, (second - n_log_det / 2 * P) @ basis
    cross = left @ first
    square = left.reshape(len(basis), -1) @ right.transpose(0, 2, 1).reshape(len(basis), -1).T
    return Slopes(gradient, np.block([[n_means * P, cross.T], [cross, square]]))


def _indices(parameters: GMMParameters, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the means (K, D) and of each component's covariances (K, q) among the entries."""
    K, D = parameters.means.shape
    of_means = K + np.arange(K * D).reshape(K, D)
    n_own = 1 if parameters.covariance_type == "tied" else K
    of_covariances = K + K * D + np.arange(n_own * q).reshape(n_own, q)
    return of_means, np.broadcast_to(of_covariances, (K, q))


def _inverses(matrices: Array) -> Array:
    """Return the inverses from Cholesky factors, which features in very different units do not make inaccurate."""
    inverse = np.linalg.inv(np.linalg.cholesky(matrices))
    return np.swapaxes(inverse, -1, -2) @ inverse


def whitened(theta: Mapping[str, Array], steps: Mapping[str, Array], covariance_type: str) -> Array:
    """Return m steps of each of R runs as rows, in the metric of the complete-data Fisher information of one sample.

    The squared norm of a row is Σ_k dw_k² / w_k + Σ_k w_k (dμ_k' P dμ_k + tr(P dΣ_k P dΣ_k) / 2), P = Σ_k⁻¹.

    Parameters
    ----------
    theta : mapping
        Parameters at which the information is taken: "weights" (R, K), "means" (R, K, D), "covariances" (R, ...).
    steps : mapping
        Steps of the parameters: "weights" (R, m, K), "means" (R, m, K, D), "covariances" (R, m, ...).
    covariance_type : {"full", "tied", "diag", "spherical"}
        Structure of the covariances.

    Examples
    --------
    >>> import numpy as np
    >>> from em.gmm.information import whitened
    >>> theta = {"weights": np.ones((1, 1)), "means": np.zeros((1, 1, 1)), "covariances": np.full((1, 1, 1, 1), 4.0)}
    >>> steps = {name: np.zeros((1, *array.shape)) for name, array in theta.items()}
    >>> whitened(theta, steps | {"means": np.full((1, 1, 1, 1), 0.4)}, "full").tolist()
    [[[0.0, 0.2, 0.0]]]
    """
    weights, covariances, kind = theta["weights"][:, None], theta["covariances"][:, None], covariance_type
    if kind in ("full", "tied"):
        roots = np.linalg.inv(np.linalg.cholesky(covariances))
        of_means = roots if kind == "full" else roots[:, :, None]
        means = (of_means @ steps["means"][..., None])[..., 0]
        spreads = roots @ steps["covariances"] @ roots.mT
    else:
        means = steps["means"] / np.sqrt(covariances if kind == "diag" else covariances[..., None])
        spreads = steps["covariances"] / covariances
    share: dict[str, Array] = {
        "full": weights[..., None, None],
        "tied": np.ones(()),
        "diag": weights[..., None],
        "spherical": weights * means.shape[-1],
    }
    of_weights = steps["weights"] / np.sqrt(np.maximum(weights, EPS))
    rows = of_weights, means * np.sqrt(weights[..., None]), spreads * np.sqrt(share[kind] / 2)
    return np.concatenate([row.reshape(*row.shape[:2], -1) for row in rows], axis=2)
