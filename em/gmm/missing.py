"""Gaussian E-step where cells are missing: the conditional moments of the missing cells given the observed ones.

Cells are missing at random (Little & Rubin 2020, section 11.2). Let o be the observed and m the missing features of a
sample. Its likelihood in component k is that of the observed cells, Normal(x_o | μ_o, Σ_oo). For the missing cells EM
needs

    E[x_m | x_o, k]   = μ_m + B (x_o - μ_o),    B = Σ_mo Σ_oo⁻¹
    Cov[x_m | x_o, k] = Σ_mm - B Σ_om = C

With A the matrix of identity in the rows o and B in the rows m, the completed sample y = A (x - μ_k) gives the expected
moments of the complete sample about μ_k: Σ_i r_ik y_i and Σ_i r_ik (y_i y_i' + C).

Rows are sorted by their pattern of missing cells. All arrays keep D features, with zeros in missing cells, so that the
linear algebra of all patterns is one batch. To this end Σ_k gets variance 1 and covariances 0 in the missing features:
its Cholesky factor then has that of Σ_oo in the rows and columns o, and the missing features add nothing to the
log-determinant and the distances.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from em.bound import log_of, normalise
from em.engine.blocks import BLOCK_ROWS
from em.gmm import missing_patterns
from em.gmm.statistics import GaussianStatistics
from em.samples import weighted
from models.gmm import GMMParameters
from models.validation import Array

MOST_NUMBERS = 2**20  # in an array with a matrix for each pattern and component


@dataclass(frozen=True)
class IncompleteRows:
    """Rows with missing cells, sorted by pattern. Samples are on the last axis.

    Attributes
    ----------
    X : ndarray, shape (D, n)
        Samples; 0 where a cell is missing.
    observed : ndarray of bool, shape (D, n)
        Which cells were observed.
    weights : ndarray, shape (n,), or None
        Frequencies.
    rows : ndarray of int, shape (n,)
        Row numbers in the data.
    starts : ndarray of int, shape (P,)
        The first sample of each pattern.
    """

    X: Array
    observed: np.ndarray
    weights: Array | None
    rows: np.ndarray
    starts: np.ndarray

    @property
    def patterns(self) -> np.ndarray:
        """The observed features of each pattern, shape (P, D)."""
        return self.observed[:, self.starts].T

    def gap(self, means: Array) -> Array:
        """Return x_i - μ_k, shape (K, D, n), and 0 where a cell is missing."""
        return (self.X - means[:, :, None]) * self.observed

    def transformed(self, gap: Array, matrices: Array) -> Array:
        """Return each gap (K, D, n) multiplied by the matrix of its pattern, matrices (P, K, D, D)."""
        ends = [*self.starts[1:], len(self.rows)]
        parts = zip(matrices, self.starts, ends, strict=True)
        return np.concatenate([own @ gap[:, :, start:end] for own, start, end in parts], axis=2)


def incomplete_blocks(X: Array, weights: Array | None, n_components: int) -> Iterator[IncompleteRows]:
    """Yield the rows of X with missing cells, in blocks so short that the matrices of their patterns fit in memory."""
    patterns = [rows for observed, rows in missing_patterns(X) if not observed.all()]
    order = np.concatenate([np.empty(0, dtype=int), *patterns])
    size = int(np.clip(MOST_NUMBERS // (n_components * X.shape[1] ** 2), 1, BLOCK_ROWS))
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        x = np.ascontiguousarray(X[rows].T)
        observed = ~np.isnan(x)
        starts = np.flatnonzero(np.append(True, (observed[:, 1:] != observed[:, :-1]).any(axis=0)))
        of_rows = None if weights is None else weights[rows]
        yield IncompleteRows(np.where(observed, x, 0.0), observed, of_rows, rows, starts)


def incomplete_pass(block: IncompleteRows, parameters: GMMParameters) -> tuple[float, GaussianStatistics]:
    """Return the observed-data log-likelihood, and the expected sufficient statistics of the complete samples."""
    gap, conditionals = block.gap(parameters.means), None
    if parameters.covariance_type in ("full", "tied"):
        conditionals = Conditionals(parameters, block.patterns)
        distance = block.transformed(gap, conditionals.whiteners)
        half_log_det = np.repeat(conditionals.half_log_det, np.diff([*block.starts, len(block.rows)]), axis=0)
    else:
        sd = np.sqrt(_variances(parameters))
        distance, half_log_det = gap / sd[:, :, None], (np.log(sd) @ block.observed).T
    log_prob = -0.5 * np.einsum("kdn,kdn->kn", distance, distance).T - half_log_det
    log_prob -= 0.5 * np.log(2 * np.pi) * block.observed.sum(axis=0)[:, None]
    responsibilities, log_likelihoods = normalise(log_of(parameters.weights) + log_prob)
    log_likelihood = log_likelihoods.sum() if block.weights is None else block.weights @ log_likelihoods
    r = weighted(responsibilities, block.weights)
    return float(log_likelihood), expected_statistics(block, r, parameters, conditionals)


def expected_statistics(
    block: IncompleteRows,
    responsibilities: Array,
    parameters: GMMParameters,
    conditionals: "Conditionals | None" = None,
) -> GaussianStatistics:
    """Return the expected statistics of the complete samples, about the means, under responsibilities (n, K)."""
    kind, r, y = parameters.covariance_type, np.ascontiguousarray(responsibilities.T), block.gap(parameters.means)
    if kind in ("full", "tied"):
        given = conditionals or Conditionals(parameters, block.patterns)
        y = block.transformed(y, given.completions)
        shares = np.add.reduceat(responsibilities, block.starts)  # sums over each pattern, (P, K)
        rest = (shares[:, :, None, None] * given.covariances).sum(axis=0)
        second = (r[:, None] * y) @ y.swapaxes(1, 2) + rest
        second = second if kind == "full" else second.sum(axis=0)
    else:
        second = np.einsum("kn,kdn,kdn->kd", r, y, y) + r @ ~block.observed.T * _variances(parameters)
        second = second if kind == "diag" else second.sum(axis=1)
    first = (y @ r[:, :, None])[..., 0]
    return GaussianStatistics(kind, parameters.means, r.sum(axis=1), first, second)


class Conditionals:
    """The conditional distributions of the missing features given the observed ones, for patterns (P, D).

    With tied covariances the component axis of all arrays has length 1.

    Attributes
    ----------
    whiteners : ndarray, shape (P, K, D, D)
        L⁻¹ in the observed features, L L' = Σ_oo.
    half_log_det : ndarray, shape (P, K)
        log|L| = 1/2 log|Σ_oo|.
    completions : ndarray, shape (P, K, D, D)
        A, which maps the observed cells to the completed sample.
    covariances : ndarray, shape (P, K, D, D)
        C in the missing features, 0 elsewhere.
    """

    def __init__(self, parameters: GMMParameters, patterns: np.ndarray) -> None:
        tied = parameters.covariance_type == "tied"
        matrices = parameters.covariances[None] if tied else parameters.covariance_matrices
        eye, columns, rows = np.eye(parameters.n_features), patterns[:, None, None, :], patterns[:, None, :, None]
        roots = np.linalg.cholesky(np.where(rows & columns, matrices, eye))
        self.half_log_det = np.log(np.diagonal(roots, axis1=2, axis2=3)).sum(axis=-1)
        self.whiteners = np.linalg.inv(roots)
        across = np.where(columns, matrices, 0.0)
        regressions = across @ self.whiteners.swapaxes(2, 3) @ self.whiteners
        self.completions = np.where(rows, eye * columns, regressions)
        self.covariances = np.where(rows | columns, 0.0, matrices - self.completions @ across.swapaxes(2, 3))


def conditional_means(block: IncompleteRows, parameters: GMMParameters) -> Array:
    """Return E[x | x_o, k], shape (n, K, D)."""
    completions = Conditionals(parameters, block.patterns).completions
    return parameters.means + np.moveaxis(block.transformed(block.gap(parameters.means), completions), 2, 0)


def _variances(parameters: GMMParameters) -> Array:
    return np.broadcast_to(parameters.covariances.reshape(parameters.n_components, -1), parameters.means.shape)
