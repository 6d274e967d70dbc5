"""Gaussian E-step where cells are missing: the conditional moments of what was not seen.

Missing at random (Little & Rubin 2020, section 11.2): a sample of which the features o were observed and m were not
has, in component k, the likelihood of its observed part, Normal(x_o | μ_o, Σ_oo), and of the missing part EM needs

    E[x_m | x_o, k]   = μ_m + B (x_o - μ_o),    B = Σ_mo Σ_oo⁻¹
    Cov[x_m | x_o, k] = Σ_mm - B Σ_om = C

so the expected moments of whole samples about μ_k are A M A' + N_k C, with M the moments of the observed parts about
their means and A the matrix that puts x_o in its place and B x_o in that of x_m.

Rows are sorted by their pattern of missing cells. All arrays keep their D features, with zeros where a cell is missing,
so that the linear algebra of all patterns is done at once: of Σ_k with variance 1 and no covariances in the missing
features the Cholesky factor has that of Σ_oo in its places, and adds nothing to log-determinant and distances.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from em.bound import normalise
from em.engine import BLOCK_ROWS
from em.gmm import GaussianStatistics, missing_patterns
from em.samples import weighted
from models.gmm import GMMParameters
from models.validation import Array

MOST_NUMBERS = 2**20  # in an array that holds a matrix for each pattern and component


@dataclass(frozen=True)
class Holed:
    """Rows with missing cells, sorted by pattern.

    Attributes
    ----------
    X : ndarray, shape (n, D)
        Samples; 0 where a cell is missing.
    seen : ndarray of bool, shape (n, D)
        Which cells were observed.
    weights : ndarray, shape (n,), or None
        Frequencies.
    rows : ndarray of int, shape (n,)
        Their row numbers in the data.
    """

    X: Array
    seen: np.ndarray
    weights: Array | None
    rows: np.ndarray

    @cached_property
    def starts(self) -> np.ndarray:
        """The first row of each pattern, shape (P,)."""
        return np.flatnonzero(np.append(True, (self.seen[1:] != self.seen[:-1]).any(axis=1)))

    @cached_property
    def slices(self) -> list[slice]:
        """The rows of each pattern."""
        return [slice(*ends) for ends in zip(self.starts, [*self.starts[1:], len(self.X)], strict=True)]

    @cached_property
    def patterns(self) -> np.ndarray:
        """The observed features of each pattern, shape (P, D)."""
        return self.seen[self.starts]


def holed_blocks(X: Array, weights: Array | None, n_components: int) -> Iterator[Holed]:
    """Yield the rows of X with missing cells, so many at a time that the matrices of their patterns fit in memory."""
    patterns = [rows for observed, rows in missing_patterns(X) if not observed.all()]
    order = np.concatenate([np.empty(0, dtype=int), *patterns])
    size = int(np.clip(MOST_NUMBERS // (n_components * X.shape[1] ** 2), 1, BLOCK_ROWS))
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        seen = ~np.isnan(X[rows])
        yield Holed(np.where(seen, X[rows], 0.0), seen, None if weights is None else weights[rows], rows)


def holed_pass(block: Holed, parameters: GMMParameters) -> tuple[float, GaussianStatistics]:
    """Return the log-likelihood of the observed cells, and the expected statistics of whole samples."""
    gap, n_seen = _gap(block, parameters), block.seen.sum(axis=1)
    conditionals = None
    if parameters.covariance_type in ("full", "tied"):
        conditionals = Conditionals(parameters, block.patterns)
        parts = zip(block.slices, conditionals.whiteners, strict=True)
        distance = np.concatenate([gap[:, rows] @ W.swapaxes(1, 2) for rows, W in parts], axis=1)
        half_log_det = np.repeat(conditionals.half_log_det, np.diff([*block.starts, len(block.X)]), axis=0)
    else:
        sd = np.sqrt(_variances(parameters))
        distance, half_log_det = gap / sd[:, None], block.seen @ np.log(sd).T
    log_prob = -0.5 * np.einsum("knd,knd->nk", distance, distance) - half_log_det
    with np.errstate(divide="ignore"):
        log_joint = np.log(parameters.weights) + log_prob - 0.5 * np.log(2 * np.pi) * n_seen[:, None]
    responsibilities, log_likelihoods = normalise(log_joint)
    log_likelihood = log_likelihoods.sum() if block.weights is None else block.weights @ log_likelihoods
    r = weighted(responsibilities, block.weights)
    return float(log_likelihood), expected_statistics(block, r, parameters, conditionals)


def expected_statistics(
    block: Holed, responsibilities: Array, parameters: GMMParameters, conditionals: "Conditionals | None" = None
) -> GaussianStatistics:
    """Return the expected statistics of whole samples, about the means, under (weighted) responsibilities (n, K)."""
    kind, gap = parameters.covariance_type, _gap(block, parameters)
    weighted_gap, counts = responsibilities.T[:, :, None] * gap, responsibilities.sum(axis=0)
    if kind in ("diag", "spherical"):
        unseen = responsibilities.T @ ~block.seen
        second = np.einsum("knd,knd->kd", weighted_gap, gap) + unseen * _variances(parameters)
        second = second if kind == "diag" else second.sum(axis=1)
        return GaussianStatistics(kind, parameters.means, counts, weighted_gap.sum(axis=1), second)
    given = conditionals or Conditionals(parameters, block.patterns)
    A, C, N = given.places, given.covariances, np.add.reduceat(responsibilities, block.starts)  # N (P, K)
    M = np.array([weighted_gap[:, rows].swapaxes(1, 2) @ gap[:, rows] for rows in block.slices])  # (P, K, D, D)
    first = np.add.reduceat(weighted_gap, block.starts, axis=1).swapaxes(0, 1)
    first = (A @ first[..., None])[..., 0].sum(axis=0)
    second = (A @ M @ A.swapaxes(2, 3) + N[:, :, None, None] * C).sum(axis=0)
    return GaussianStatistics(kind, parameters.means, counts, first, second if kind == "full" else second.sum(axis=0))


class Conditionals:
    """What the observed features tell about the others, for patterns (P, D) of them, all at once.

    Attributes
    ----------
    whiteners : ndarray, shape (P, K, D, D)
        L⁻¹ with L L' = Σ_oo in the observed features.
    half_log_det : ndarray, shape (P, K)
        log|L|, which is half of log|Σ_oo|.
    places, covariances : ndarray, shape (P, K, D, D)
        A, and C in the missing features. With tied covariances the component axis has length 1.
    """

    def __init__(self, parameters: GMMParameters, patterns: np.ndarray) -> None:
        matrices = (
            parameters.covariances[None] if parameters.covariance_type == "tied" else parameters.covariance_matrices
        )
        eye, seen = np.eye(parameters.n_features), patterns[:, None]
        columns, rows = seen[..., None, :], seen[..., :, None]
        roots = np.linalg.cholesky(np.where(rows & columns, matrices, eye))
        self.half_log_det = np.log(np.diagonal(roots, axis1=2, axis2=3)).sum(axis=-1)
        self.whiteners = np.linalg.inv(roots)
        across = np.where(columns, matrices, 0.0)
        regressions = across @ self.whiteners.swapaxes(2, 3) @ self.whiteners
        self.places = np.where(rows, eye * columns, regressions)
        self.covariances = np.where(rows | columns, 0.0, matrices - self.places @ across.swapaxes(2, 3))


def conditional_means(block: Holed, parameters: GMMParameters) -> Array:
    """Return E[x | x_o, k], shape (n, K, D)."""
    A, gap = Conditionals(parameters, block.patterns).places, _gap(block, parameters)
    shifts = [gap[:, rows] @ own.swapaxes(1, 2) for rows, own in zip(block.slices, A, strict=True)]
    return parameters.means + np.concatenate(shifts, axis=1).swapaxes(0, 1)


def _gap(block: Holed, parameters: GMMParameters) -> Array:
    """Return x_i - μ_k, shape (K, n, D), and 0 where a cell is missing."""
    return (block.X - parameters.means[:, None]) * block.seen


def _variances(parameters: GMMParameters) -> Array:
    return np.broadcast_to(parameters.covariances.reshape(parameters.n_components, -1), parameters.means.shape)
