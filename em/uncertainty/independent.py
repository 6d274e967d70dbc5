"""Observed information of mixtures of independent exponential features: scores and curvature for Louis' identity.

With z_i = k known, log p(x_i | z_i = k) = Σ_j T_j(x_i) · η_j(θ_k) + const (:mod:`em.steps`) has

    score of θ_kd           Σ_j T_jd η_j'(θ_kd)
    minus second derivative -Σ_j T_jd η_j''(θ_kd)

and all other derivatives are 0. The conjugate prior has the same form, with χ_j in the place of T_j. A missing cell has
T_j = 0. If a component has q numbers for each feature, θ_kd is a vector, η_j' a gradient and η_j'' a Hessian.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np

from em.engine.problem import EPS
from em.steps import Steps
from em.steps.rows import Rows
from em.uncertainty.entries import Entries
from em.uncertainty.louis import Block, Component, Slopes, dirichlet_slopes, row_blocks
from models.parameters import Parameters
from models.validation import Array

INTERIOR = 1e-8  # distance from the boundary at which slopes are taken; entries on it are held fixed


def complete_data(steps: Steps[Any], rows: Rows, parameters: Parameters, sample_weight: Array) -> Iterator[Block]:
    """Yield the samples in blocks, with complete-data scores and curvature."""
    K, slopes = parameters.n_components, steps.derivatives(parameters.inside(INTERIOR))
    indices = K + np.arange(slopes[0][0].size).reshape(slopes[0][0].shape)
    for part in row_blocks(len(rows), K + indices.size):
        block = rows[part]
        joint = steps.log_joint_of(block, parameters)
        statistics = [T.toarray() if hasattr(T, "toarray") else T for T in block.statistics]
        yield Block(joint, sample_weight[part], partial(_component, statistics, slopes, indices))


def _component(
    statistics: list[Array], slopes: tuple[tuple[Array, Array], ...], indices: np.ndarray, k: int, v: Array
) -> Component:
    """Return component k's scores, and its curvature Σ_i v_i B_ik."""
    terms = list(zip(statistics, slopes, strict=True))
    scores = np.asarray(sum(T[:, None] * first[:, k] for T, (first, _) in terms))
    curvature = np.asarray(-sum((v @ T) * second[:, :, k] for T, (_, second) in terms))
    return Component(indices[:, k].ravel(), scores.reshape(len(scores), -1), _matrix(curvature))


def _matrix(curvature: Array) -> Array:
    """Return second derivatives (q, q, ...), a Hessian for each feature, as a matrix over all numbers and features."""
    q, n = len(curvature), curvature[0, 0].size
    matrix = np.zeros((q, n, q, n))
    matrix[:, range(n), :, range(n)] = curvature.reshape(q, q, n).transpose(2, 0, 1)
    return matrix.reshape(q * n, q * n)


def log_prior_slopes(steps: Steps[Any], parameters: Parameters, prior: Any, entries: Entries) -> Slopes:
    """Return gradient and minus the Hessian of the log prior."""
    terms = list(zip(steps.chi(prior), steps.derivatives(parameters.inside(INTERIOR)), strict=True))
    gradient = np.asarray(sum(chi * first for chi, (first, _) in terms)).ravel()
    curvature = np.asarray(-sum(chi * second for chi, (_, second) in terms))
    slopes = dirichlet_slopes(prior.concentration, entries)
    slopes.add(parameters.n_components + np.arange(gradient.size), Slopes(gradient, _matrix(curvature)))
    return slopes


def whitened(theta: Mapping[str, Array], moves: Mapping[str, Array], steps: Steps[Any], size: Array) -> Array:
    """Return m moves of each of R runs as rows, in the metric of the complete-data Fisher information of one sample.

    The squared norm of a row is Σ_k dw_k² / w_k + Σ_k w_k Σ_d dθ_kd' I_kd dθ_kd, I_kd = -Σ_j E[T_jd] η_j''(θ_kd).

    Parameters
    ----------
    theta : mapping
        Parameters at which the information is taken: "weights" (R, K), and the components' arrays (R, K, p).
    moves : mapping
        Moves of the parameters: "weights" (R, m, K), and the components' arrays (R, m, K, p).
    steps : Steps
        The family's formulas.
    size : ndarray, shape (D,)
        Mean size of the cells of each column.

    Examples
    --------
    >>> import numpy as np
    >>> from em.bmm import BINOMIAL
    >>> from em.uncertainty.independent import whitened
    >>> theta = {"weights": np.array([[1.0]]), "probs": np.array([[[0.5]]])}
    >>> moves = {"weights": np.array([[[0.0]]]), "probs": np.array([[[[0.1]]]])}
    >>> whitened(theta, moves, BINOMIAL, np.ones(1)).tolist()
    [[[0.0, 0.2]]]
    """
    weights, quantities = theta["weights"], steps.quantities[1:]
    inside = {q.name: q.support.moved_inside(theta[q.name].swapaxes(0, 1), EPS).swapaxes(0, 1) for q in quantities}
    information = weights[..., None] * steps.information(inside, size)
    of_weights = moves["weights"] / np.sqrt(np.maximum(weights, EPS))[:, None]
    own = np.stack([moves[q.name] for q in quantities])
    of_own = (_roots(information)[:, :, :, None] * own[:, None]).sum(axis=0)
    return np.concatenate([row.reshape(*row.shape[:2], -1) for row in (of_weights, *of_own)], axis=2)


def _roots(information: Array) -> Array:
    """Return L with L L' = I, for matrices I along the first two axes."""
    if len(information) == 1:
        return np.sqrt(information)
    matrices = np.moveaxis(information, (0, 1), (-2, -1))
    finite = np.isfinite(matrices).all(axis=(-2, -1), keepdims=True)
    values, vectors = np.linalg.eigh(np.where(finite, matrices, 0.0))
    return np.moveaxis(vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :], (-2, -1), (0, 1))
