"""Gaussian E-step where cells are missing: the conditional moments of what was not seen.

Missing at random (Little & Rubin 2020, section 11.2): a sample of which the features o were observed and m were not
has, in component k, the likelihood of its observed part, Normal(x_o | μ_o, Σ_oo), and of the missing part EM needs

    E[x_m | x_o, k]   = μ_m + B (x_o - μ_o),    B = Σ_mo Σ_oo⁻¹
    Cov[x_m | x_o, k] = Σ_mm - B Σ_om = C

so the completed sample y = A (x - μ_k), A the matrix that puts x_o in its place and B x_o in that of x_m, has the
expected moments of the whole one about μ_k: Σ_i r_ik y_i and Σ_i r_ik (y_i y_i' + C).

Rows are sorted by their pattern of missing cells. All arrays keep their D features, with zeros where a cell is missing,
so that the linear algebra of all patterns is done at once: of Σ_k with variance 1 and no covariances in the missing
features the Cholesky factor has that of Σ_oo in its places, and adds nothing to log-determinant and distances.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from em.bound import normalise
from em.engine.blocks import BLOCK_ROWS
from em.gmm import missing_patterns
from em.gmm.statistics import GaussianStatistics
from em.samples import weighted
from models.gmm import GMMParameters
from models.validation import Array

MOST_NUMBERS = 2**20  # in an array that holds a matrix for each pattern and component


@dataclass(frozen=True)
class Holed:
    """Rows with missing cells, sorted by pattern; samples on the last axis, along which the sums run.

    Attributes
    ----------
    X : ndarray, shape (D, n)
        Samples; 0 where a cell is missing.
    seen : ndarray of bool, shape (D, n)
        Which cells were observed.
    weights : ndarray, shape (n,), or None
        Frequencies.
    rows : ndarray of int, shape (n,)
        Their row numbers in the data.
    starts : ndarray of int, shape (P,)
        The first sample of each pattern.
    """

    X: Array
    seen: np.ndarray
    weights: Array | None
    rows: np.ndarray
    starts: np.ndarray

    @property
    def patterns(self) -> np.ndarray:
        """The observed features of each pattern, shape (P, D)."""
        return self.seen[:, self.starts].T

    def gap(self, means: Array) -> Array:
        """Return x_i - μ_k, shape (K, D, n), and 0 where a cell is missing."""
        return (self.X - means[:, :, None]) * self.seen

    def transformed(self, gap: Array, matrices: Array) -> Array:
        """Return the gaps times the matrices (P, K, D, D) of their patterns."""
        ends = [*self.starts[1:], len(self.rows)]
        parts = zip(matrices, self.starts, ends, strict=True)
        return np.concatenate([own @ gap[:, :, start:end] for own, start, end in parts], axis=2)


def holed_blocks(X: Array, weights: Array | None, n_components: int) -> Iterator[Holed]:
    """Yield the rows of X with missing cells, so many at a time that the matrices of their patterns fit in memory."""
    patterns = [rows for observed, rows in missing_patterns(X) if not observed.all()]
    order = np.concatenate([np.empty(0, dtype=int), *patterns])
    size = int(np.clip(MOST_NUMBERS // (n_components * X.shape[1] ** 2), 1, BLOCK_ROWS))
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        x = np.ascontiguousarray(X[rows].T)
        seen = ~np.isnan(x)
        starts = np.flatnonzero(np.append(True, (seen[:, 1:] != seen[:, :-1]).any(axis=0)))
        yield Holed(np.where(seen, x, 0.0), seen, None if weights is None else weights[rows], rows, starts)


def holed_pass(block: Holed, parameters: GMMParameters) -> tuple[float, GaussianStatistics]:
    """Return the log-likelihood of the observed cells, and the expected statistics of whole samples."""
    gap, conditionals = block.gap(parameters.means), None
    if parameters.covariance_type in ("full", "tied"):
        conditionals = Conditionals(parameters, block.patterns)
        distance = block.transformed(gap, conditionals.whiteners)
        half_log_det = np.repeat(conditionals.half_log_det, np.diff([*block.starts, len(block.rows)]), axis=0)
    else:
        sd = np.sqrt(_variances(parameters))
        distance, half_log_det = gap / sd[:, :, None], (np.log(sd) @ block.seen).T
    log_prob = -0.5 * np.einsum("kdn,kdn->kn", distance, distance).T - half_log_det
    log_prob -= 0.5 * np.log(2 * np.pi) * block.seen.sum(axis=0)[:, None]
    with np.errstate(divide="ignore"):
        responsibilities, log_likelihoods = normalise(np.log(parameters.weights) + log_prob)
    log_likelihood = log_likelihoods.sum() if block.weights is None else block.weights @ log_likelihoods
    r = weighted(responsibilities, block.weights)
    return float(log_likelihood), expected_statistics(block, r, parameters, conditionals)


def expected_statistics(
    block: Holed, responsibilities: Array, parameters: GMMParameters, conditionals: "Conditionals | None" = None
) -> GaussianStatistics:
    """Return the expected statistics of whole samples, about the means, under (weighted) responsibilities (n, K)."""
    kind, r, y = parameters.covariance_type, np.ascontiguousarray(responsibilities.T), block.gap(parameters.means)
    if kind in ("full", "tied"):
        given = conditionals or Conditionals(parameters, block.patterns)
        y = block.transformed(y, given.places)
        shares = np.add.reduceat(responsibilities, block.starts)  # of each pattern and component, (P, K)
        rest = (shares[:, :, None, None] * given.covariances).sum(axis=0)
        second = (r[:, None] * y) @ y.swapaxes(1, 2) + rest
        second = second if kind == "full" else second.sum(axis=0)
    else:
        second = np.einsum("kn,kdn,kdn->kd", r, y, y) + r @ ~block.seen.T * _variances(parameters)
        second = second if kind == "diag" else second.sum(axis=1)
    first = (y @ r[:, :, None])[..., 0]
    return GaussianStatistics(kind, parameters.means, r.sum(axis=1), first, second)


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
        tied = parameters.covariance_type == "tied"
        matrices = parameters.covariances[None] if tied else parameters.covariance_matrices
        eye, columns, rows = np.eye(parameters.n_features), patterns[:, None, None, :], patterns[:, None, :, None]
        roots = np.linalg.cholesky(np.where(rows & columns, matrices, eye))
        self.half_log_det = np.log(np.diagonal(roots, axis1=2, axis2=3)).sum(axis=-1)
        self.whiteners = np.linalg.inv(roots)
        across = np.where(columns, matrices, 0.0)
        regressions = across @ self.whiteners.swapaxes(2, 3) @ self.whiteners
        self.places = np.where(rows, eye * columns, regressions)
        self.covariances = np.where(rows | columns, 0.0, matrices - self.places @ across.swapaxes(2, 3))


def conditional_means(block: Holed, parameters: GMMParameters) -> Array:
    """Return E[x | x_o, k], shape (n, K, D)."""
    places = Conditionals(parameters, block.patterns).places
    return parameters.means + np.moveaxis(block.transformed(block.gap(parameters.means), places), 2, 0)


def _variances(parameters: GMMParameters) -> Array:
    return np.broadcast_to(parameters.covariances.reshape(parameters.n_components, -1), parameters.means.shape)
