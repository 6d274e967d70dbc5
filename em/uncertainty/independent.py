"""Observed information of mixtures of independent exponential features: what Louis' identity asks of them.

With z_i = k known, log p(x_i | z_i = k) = Σ_j T_j(x_i) · η_j(θ_k) + const (:mod:`em.steps`) has

    score of θ_kd           Σ_j T_jd η_j'(θ_kd)
    minus second derivative -Σ_j T_jd η_j''(θ_kd)

and all others 0, and so has the conjugate prior, with χ_j in the place of T_j. A missing cell has T_j = 0.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from scipy.sparse import issparse

from em.engine import EPS
from em.steps import Steps
from em.steps.rows import Rows, Shifted
from em.uncertainty.entries import Entries
from em.uncertainty.louis import Block, Component, Slopes, dirichlet_slopes, row_blocks
from models.parameters import Parameters
from models.validation import Array

INTERIOR = 1e-8


def complete_data(steps: Steps[Any], rows: Rows, parameters: Parameters, sample_weight: Array) -> Iterator[Block]:
    """Yield the samples in blocks, with scores and curvature as if their labels were known."""
    K, slopes = parameters.n_components, steps.slopes(parameters.inside(INTERIOR))  # on the boundary they are held
    p = slopes[0][0].shape[-1]
    places = K + np.arange(K * p).reshape(K, p)
    for part in row_blocks(len(rows), K + K * p):
        block = rows[part]
        joint = steps.log_joint_of(block, parameters)
        statistics = [_dense(array) for array in block.statistics]
        yield Block(joint, sample_weight[part], partial(_component, statistics, slopes, places))


def _dense(part: Any) -> Array:
    if isinstance(part, Shifted):
        return part.dense()
    return np.asarray(part.toarray() if issparse(part) else part)


def _component(
    statistics: list[Array], slopes: tuple[tuple[Array, Array], ...], places: np.ndarray, k: int, v: Array
) -> Component:
    """Return component k's scores, and its curvature summed under v."""
    scores = sum(T * first[k] for T, (first, _) in zip(statistics, slopes, strict=True))
    curvature = -sum((v @ T) * second[k] for T, (_, second) in zip(statistics, slopes, strict=True))
    return Component(places[k], np.asarray(scores), np.diag(np.asarray(curvature)))


def log_prior_slopes(steps: Steps[Any], parameters: Parameters, prior: Any, entries: Entries) -> Slopes:
    """Return gradient and minus the Hessian of the log prior."""
    terms = list(zip(steps.chi(prior), steps.slopes(parameters.inside(INTERIOR)), strict=True))
    gradient = np.asarray(sum(chi * first for chi, (first, _) in terms)).ravel()
    curvature = np.asarray(-sum(chi * second for chi, (_, second) in terms)).ravel()
    slopes = dirichlet_slopes(prior.concentration, entries)
    slopes.add(parameters.n_components + np.arange(gradient.size), Slopes(gradient, np.diag(curvature)))
    return slopes


def whitened(theta: Mapping[str, Array], moves: Mapping[str, Array], steps: Steps[Any], size: Array) -> Array:
    """Return m steps of R runs as rows whose inner products are those of the complete data's information of one sample.

    With z known that is Σ_k dw_k² / w_k + Σ_k w_k Σ_d I_kd dθ_kd², with I_kd = -Σ_j E[T_jd] η_j''(θ_kd).

    Parameters
    ----------
    theta : mapping
        Where the information is taken: "weights" (R, K), and the components' array (R, K, p).
    moves : mapping
        "weights" (R, m, K), and the components' array (R, m, K, p).
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
    weights, quantity = theta["weights"], steps.quantities[1]
    inside = quantity.support.moved_inside(theta[quantity.name], EPS)
    information = weights[..., None] * steps.information({quantity.name: inside}, size)
    of_weights = moves["weights"] / np.sqrt(np.maximum(weights, EPS))[:, None]
    rows = of_weights, moves[quantity.name] * np.sqrt(information)[:, None]
    return np.concatenate([row.reshape(*row.shape[:2], -1) for row in rows], axis=2)
