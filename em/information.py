"""Observed information of a mixture by Louis' identity, and the covariance of the estimate. It knows no family.

The information is minus the Hessian of log-likelihood plus log prior. With the labels z_i hidden, and s_ik and B_ik the
gradient and minus the Hessian of log p(x_i, z_i = k), Louis' (1982) identity gives it from quantities with known labels,

    I = Σ_i w_i (E[B_i] - E[s_i s_i'] + E[s_i] E[s_i]') - ∂² log p(θ)

with expectations over z_i given x_i, which are the responsibilities, and w_i the sample's weight. One weight π_j is 1
minus the others: log π_k has the gradient 1/π_k for itself, log π_j has -1/π_j for each other one, and minus the Hessian
of either is the square of its gradient. A cell that is missing at random is integrated out of p(x_i | z_i = k), so that
z stays the only hidden variable.

The covariance of the estimate is I⁻¹. A free direction, along which nothing is known, is named and not inverted; the
parameters that it leaves alone keep their variances (those of the pseudo-inverse).

References
----------
Louis (1982), Finding the observed information matrix when using the EM algorithm, JRSS B 44, 226-233.
McLachlan & Peel (2000), Finite Mixture Models, section 2.15.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from em.bound import normalise
from em.entries import Entries
from models.validation import Array, frozen_array

RANK_TOLERANCE = 1e-8  # of information scaled to a diagonal of 1
LARGEST_LEFT_OVER = 1e-3
UNTOUCHED = 1e-3  # share in a free direction, below which a parameter is none of its parts
MOST_NUMBERS = 2**21  # in each array of a block


class Component(NamedTuple):
    """What one component says of a block: places (p_k,), scores s_ik (n, p_k), and Σ_i v_i B_ik (p_k, p_k)."""

    places: np.ndarray
    scores: Array
    curvature: Array


class Block(NamedTuple):
    """A block of rows: log p(x_i, z_i = k) (n, K), up to what no parameter touches; sample weights (n,); components.

    ``component(k, v)`` gives component k, without its weight π_k, with the curvature summed under v_i = w_i r_ik.
    """

    log_joint: Array
    sample_weight: Array
    component: Callable[[int, Array], Component]


@dataclass(frozen=True, eq=False)
class Information:
    """Observed information at an estimate, and what follows from it.

    Attributes
    ----------
    entries : Entries
        The p parameters.
    free : ndarray of int, shape (f,)
        Places of those that are free: not held, and without the last weight, which the others determine.
    matrix : ndarray, shape (f, f)
        Observed information of the free ones.
    covariance : ndarray, shape (p, p)
        Its inverse, extended to the last weight by the delta method; NaN where there is none.
    notes : tuple of str
        For each of the p parameters why it has no variance, or "".
    free_direction : dict
        Parameter name -> part of a unit vector along which nothing is known; empty if there is none.
    sentence : str
        The finding in words.
    """

    entries: Entries
    free: np.ndarray
    matrix: Array
    covariance: Array
    notes: tuple[str, ...]
    free_direction: dict[str, float]
    sentence: str

    @property
    def standard_errors(self) -> Array:
        """Standard errors of the p parameters, NaN where there is none."""
        return np.sqrt(np.diagonal(self.covariance))


def louis(entries: Entries, blocks: Iterable[Block], log_prior_curvature: Array) -> Information:
    """Return the observed information by Louis' identity.

    Parameters
    ----------
    entries : Entries
        The p parameters.
    blocks : iterable of Block
        The samples, with scores and curvature as if their labels were known.
    log_prior_curvature : ndarray, shape (p, p)
        Minus the Hessian of the log prior, without that of the weights' part.
    """
    weights, p = entries.weights, len(entries.values)
    of_weights = weight_scores(weights, entries.emptied)
    K = len(weights)
    squares, known, gradient = np.zeros((p, p)), np.zeros((p, p)), np.zeros(p)
    for log_joint, w, component in blocks:
        r = normalise(log_joint)[0]
        mean = np.zeros((len(w), p))
        for k in np.flatnonzero(~entries.emptied):
            v = w * r[:, k]
            own = component(k, v)
            places = np.concatenate([np.arange(K), own.places])
            s = np.hstack([np.broadcast_to(of_weights[k], (len(w), K)), own.scores])
            known[:K, :K] += v.sum() * np.outer(of_weights[k], of_weights[k])
            known[np.ix_(own.places, own.places)] += own.curvature
            known[np.ix_(places, places)] -= (v[:, None] * s).T @ s
            mean[:, places] += r[:, k, None] * s
        squares += (w[:, None] * mean).T @ mean
        gradient += w @ mean
    return _finding(entries, known + squares + log_prior_curvature, squares, gradient, log_prior_curvature)


def weight_scores(weights: Array, emptied: np.ndarray) -> Array:
    """Return the gradient of log π_k with respect to the weights, shape (K, K), the last one that is not empty tied."""
    inverse = np.divide(1, weights, out=np.zeros(len(weights)), where=~emptied)
    last, scores = _last(emptied), np.diag(inverse)
    scores[last] = -inverse[last] * ~emptied
    scores[last, last] = 0
    return scores


def dirichlet_curvature(concentration: ArrayLike, weights: Array, emptied: np.ndarray) -> Array:
    """Return minus the Hessian of Σ_k (a_k - 1) log π_k, shape (K, K)."""
    scores = weight_scores(weights, emptied)
    return (scores.T * (np.broadcast_to(concentration, len(weights)) - 1)) @ scores


def check_sample_weight(sample_weight: ArrayLike | None, n_samples: int) -> Array:
    """Return sample weights (n,): as given, checked to be frequencies, or ones."""
    if sample_weight is None:
        return np.ones(n_samples)
    weights = frozen_array("sample_weight", sample_weight, (n_samples,))
    if (weights < 0).any() or weights.sum() <= 0:
        raise ValueError(f"sample_weight must be non-negative with a positive sum, got {weights}")
    return weights


def row_blocks(n_rows: int, n_parameters: int) -> Iterator[slice]:
    """Yield slices that cover the rows, short enough for scores of all of one's parameters to be held at a time."""
    size = max(1, MOST_NUMBERS // n_parameters)
    for start in range(0, n_rows, size):
        yield slice(start, start + size)


def largest_parts(direction: dict[str, float]) -> str:
    """Return the largest parts of a direction in words."""
    largest = sorted(direction.items(), key=lambda item: -abs(item[1]))[:4]
    return ", ".join(f"{name} {part:+.2f}" for name, part in largest if abs(part) > 0.01)


def _last(emptied: np.ndarray) -> int:
    return int(np.flatnonzero(~emptied)[-1])


def _finding(entries: Entries, information: Array, squares: Array, gradient: Array, of_prior: Array) -> Information:
    """Invert what can be inverted and name the rest.

    In units in which the diagonal is 1, v is a free direction if the information has the eigenvalue 0 there and no
    sample's score has a part along v. The eigenvalue is 0 up to rounding; on a curved ridge, which a flat prior
    leaves, it is only as small as the gradient that EM left over.
    """
    last = _last(entries.emptied)
    held = np.array([note != "" for note in entries.notes])
    held[last] = True
    free = np.flatnonzero(~held)
    matrix, names = information[np.ix_(free, free)], [entries.names[j] for j in free]
    matrix = (matrix + matrix.T) / 2
    diagonal = np.abs(np.diagonal(matrix))
    unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1))
    values, vectors = np.linalg.eigh(matrix * np.outer(unit, unit))
    left_over = 0.0 if of_prior.any() else np.abs(unit * gradient[free]).max(initial=0)
    tolerance = max(RANK_TOLERANCE, min(10 * left_over, LARGEST_LEFT_OVER))
    parts = unit[:, None] * vectors
    seen = np.einsum("fv,fg,gv->v", parts, squares[np.ix_(free, free)], parts)
    unknown = (np.abs(values) < tolerance) & (seen < max(RANK_TOLERANCE, tolerance**2))
    to_all = np.zeros((len(entries.values), len(free)))
    to_all[free, np.arange(len(free))] = 1
    to_all[last, free < len(entries.weights)] = -1
    notes = list(entries.notes)
    rank, f, direction = int((~unknown).sum()), len(free), {}
    if (values[~unknown] <= 0).any():
        worst = parts[:, ~unknown][:, 0]
        sentence = (
            f"the information is not positive definite, so the estimate is no maximum: the objective curves upwards "
            f"along {largest_parts(_direction(names, worst))}; start EM elsewhere or run it to the end"
        )
        notes = [note or "no maximum" for note in notes]
    elif unknown.any():
        direction = _direction(names, parts[:, unknown][:, 0])
        sentence = (
            f"information of rank {rank} of {f} free parameters: the estimate can move without any change in the "
            f"distribution; free direction, largest parts: {largest_parts(direction)}"
        )
        share = np.abs(to_all @ parts[:, unknown]).max(axis=1) / np.abs(to_all * unit).max(axis=1, initial=1e-300)
        notes = [note or "not identified" * bool(part > UNTOUCHED) for note, part in zip(notes, share, strict=True)]
    else:
        sentence = f"information of full rank {f}"
    root = to_all @ (parts[:, ~unknown] / np.sqrt(np.abs(values[~unknown])))
    covariance = root @ root.T
    missing = np.array([note != "" for note in notes])
    covariance[missing] = covariance[:, missing] = np.nan
    return Information(entries, free, matrix, covariance, tuple(notes), direction, sentence)


def _direction(names: list[str], vector: Array) -> dict[str, float]:
    vector = vector / np.linalg.norm(vector)
    return {name: float(part) for name, part in zip(names, vector, strict=True)}
