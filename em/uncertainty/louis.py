"""Observed information of a mixture by Louis' identity, and the covariance of the estimate, for any family.

The observed information is minus the Hessian of log-likelihood plus log prior. Let s_ik and B_ik be the gradient and
minus the Hessian of log p(x_i, z_i = k), and w_i the weight of sample i. Louis' (1982) identity gives the information
from these complete-data derivatives,

    I = Σ_i w_i (E[B_i] - E[s_i s_i'] + E[s_i] E[s_i]') - ∂² log p(θ)

with expectations over z_i given x_i, that is, under the responsibilities. Derivatives are by all entries θ, as if each
were free: log π_k has the gradient 1/π_k and minus the Hessian 1/π_k², by π_k alone. The information about the free
entries φ is J' I J, with dθ = J dφ (:mod:`em.uncertainty.entries`). A cell that is missing at random is integrated out
of p(x_i | z_i = k), so that z is the only hidden variable.

The covariance of the estimate is I⁻¹. If the information is singular, the null direction is reported; parameters that
move along it get NaN, the others the pseudo-inverse's standard errors.

References
----------
Louis (1982), Finding the observed information matrix when using the EM algorithm, JRSS B 44, 226-233.
McLachlan & Peel (2000), Finite Mixture Models, section 2.15.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from em.bound import normalise
from em.engine.blocks import blocks
from em.sums import Sums
from em.uncertainty.entries import Entries
from models.validation import Array, check_sample_weight

RANK_TOLERANCE = 1e-8  # of eigenvalues of the information scaled to a diagonal of 1
LARGEST_LEFT_OVER = 1e-3  # largest tolerance of the rank, which grows with the gradient that EM left
FAR_FROM_MAXIMUM = 0.1  # gradient in units of one standard error
UNTOUCHED = 1e-3  # a parameter with a smaller share in a null direction does not move along it
MOST_NUMBERS = 2**21  # in each array of a block


class Component(NamedTuple):
    """One component's part of a block: indices of its entries (p_k,), scores s_ik (n, p_k), Σ_i v_i B_ik (p_k, p_k)."""

    indices: np.ndarray
    scores: Array
    curvature: Array


class Block(NamedTuple):
    """A block of rows: log p(x_i, z_i = k) (n, K) up to constants, sample weights (n,), and derivatives of components.

    ``component(k, v)`` returns the derivatives of log p(x_i | z_i = k), and Σ_i v_i B_ik for v_i = w_i r_ik.
    """

    log_joint: Array
    sample_weight: Array
    component: Callable[[int, Array], Component]


class Slopes(NamedTuple):
    """Gradient (p,) and minus the Hessian (p, p) of a log density."""

    gradient: Array
    curvature: Array

    def add(self, indices: np.ndarray, other: "Slopes") -> None:
        """Add, in place, the slopes by the entries with these indices."""
        self.gradient[indices] += other.gradient
        self.curvature[np.ix_(indices, indices)] += other.curvature


@dataclass(frozen=True, eq=False)
class Information:
    """Observed information at an estimate, with the covariance of the estimate.

    Attributes
    ----------
    entries : Entries
        The p parameters.
    free : ndarray of int, shape (f,)
        Indices of the free parameters: neither held fixed nor determined by others, as the last weight is.
    matrix : ndarray, shape (f, f)
        Observed information about the free parameters.
    share_observed : float
        The least share, over directions, of the information that known labels would give: 1 - ρ, with ρ the rate of
        convergence of EM (Dempster, Laird & Rubin 1977). It is 0 if there is a null direction.
    covariance : ndarray, shape (p, p)
        Inverse of the information, extended by the delta method to the determined parameters; NaN if there is none.
    standard_errors : ndarray, shape (p,)
        Square roots of the diagonal of the covariance, finite even if a variance overflows.
    notes : tuple of str
        Why a parameter has no variance, or "".
    free_direction : dict
        Parameter name -> entry of a unit vector along which the information is 0; empty if there is none.
    sentence : str
        The result in words.
    gradient : ndarray, shape (p,)
        Slope of the objective by each free parameter, from Fisher's identity; NaN for the others.
    """

    entries: Entries
    free: np.ndarray
    matrix: Array
    share_observed: float
    covariance: Array
    standard_errors: Array
    notes: tuple[str, ...]
    free_direction: dict[str, float]
    sentence: str
    gradient: Array

    def scaled(self, entries: Entries, units: Array) -> Self:
        """Return the information about the same parameters in other units.

        Parameters
        ----------
        entries : Entries
            The p parameters in the new units.
        units : ndarray, shape (p,)
            Size of each old unit in new units: new = constant + unit · old.
        """
        with np.errstate(over="ignore", under="ignore"):
            matrix = self.matrix / units[self.free] / units[self.free, None]
            covariance = self.covariance * units * units[:, None]
            errors, gradient = self.standard_errors * units, self.gradient / units
        scaled: dict[str, Any] = {"matrix": matrix, "covariance": covariance, "gradient": gradient}
        return replace(self, entries=entries, standard_errors=errors, **scaled)


def labelled_sums(entries: Entries, blocks: Iterable[Block]) -> Sums:
    """Return the sums over samples in Louis' identity.

    They are Σ w E[B_i], Σ w E[s_i s_i'] and Σ w E[s_i] E[s_i]', shape (p, p) each, and Σ w E[s_i], shape (p,).
    """
    p = len(entries.values)
    complete, hidden, squares, gradient = np.zeros((p, p)), np.zeros((p, p)), np.zeros((p, p)), np.zeros(p)
    for log_joint, w, component in blocks:
        r = normalise(log_joint)[0]
        mean = np.zeros((len(w), p))
        for k in np.flatnonzero(~entries.emptied).tolist():
            v = w * r[:, k]
            own = component(k, v)
            of_weight = 1 / entries.weights[k]
            indices = np.concatenate([[k], own.indices])
            s = np.hstack([np.full((len(w), 1), of_weight), own.scores])
            complete[k, k] += v.sum() * of_weight**2
            complete[np.ix_(own.indices, own.indices)] += own.curvature
            hidden[np.ix_(indices, indices)] += (v[:, None] * s).T @ s
            mean[:, indices] += r[:, k, None] * s
        squares += (w[:, None] * mean).T @ mean
        gradient += w @ mean
    return Sums((complete, hidden, squares, gradient))


def louis(entries: Entries, sums: Sums, log_prior: Slopes | None = None) -> Information:
    """Return the observed information by Louis' identity.

    Parameters
    ----------
    entries : Entries
        The p parameters.
    sums : Sums
        The result of `labelled_sums`.
    log_prior : Slopes or None
        Slopes of the log prior; ``None`` for maximum likelihood.
    """
    p = len(entries.values)
    prior = log_prior or Slopes(np.zeros(p), np.zeros((p, p)))
    curvature, hidden, squares, gradient = sums.parts
    complete, outer = curvature + prior.curvature, squares + prior.curvature
    information = complete - hidden + squares
    if not np.isfinite(information).all():
        return _beyond_floats(entries)
    return _inverted(entries, complete, information, outer, gradient + prior.gradient)


def _beyond_floats(entries: Entries) -> Information:
    """Return an Information of NaN, for numbers of such different sizes that the information overflows."""
    free, p = entries.free, len(entries.values)
    notes, unknown = tuple(note or "beyond floats" for note in entries.notes), np.full((p, p), np.nan)
    matrix, none, sentence = unknown[np.ix_(free, free)], unknown[0], "the information fits no float"
    return Information(entries, free, matrix, 0.0, unknown, none, notes, {}, sentence, none)


def dirichlet_slopes(concentration: ArrayLike, entries: Entries) -> Slopes:
    """Return the slopes of Σ_k (a_k - 1) log π_k by all entries."""
    K, p = entries.n_components, len(entries.values)
    inverse = np.divide(1, entries.weights, out=np.zeros(K), where=~entries.emptied)
    pseudo_counts = np.broadcast_to(concentration, K) - 1.0
    gradient, curvature = np.zeros(p), np.zeros((p, p))
    gradient[:K], curvature[range(K), range(K)] = pseudo_counts * inverse, pseudo_counts * inverse**2
    return Slopes(gradient, curvature)


def frequencies(sample_weight: ArrayLike | None, n_samples: int, *, whole: bool = False) -> Array:
    """Return the checked sample weights (n,), or ones for None; with ``whole`` they must be whole numbers."""
    weights = check_sample_weight(sample_weight, n_samples)
    if whole and weights is not None and (weights % 1 != 0).any():
        raise ValueError(f"sample_weight must hold whole numbers, which count rows, for a bootstrap, got {weights}")
    return np.ones(n_samples) if weights is None else weights


def row_blocks(n_rows: int, n_parameters: int) -> Iterator[slice]:
    """Yield slices of the rows, so short that an array with a column for each parameter fits in memory."""
    return blocks(n_rows, max(1, MOST_NUMBERS // n_parameters))


def largest_parts(direction: dict[str, float]) -> str:
    """Return the largest entries of a direction in words."""
    largest = sorted(direction.items(), key=lambda item: -abs(item[1]))[:4]
    return ", ".join(f"{name} {part:+.2f}" for name, part in largest if abs(part) > 0.01)


def _inverted(entries: Entries, complete: Array, information: Array, outer: Array, gradient: Array) -> Information:
    """Return the Information with its inverse, or pseudo-inverse if there are null directions.

    In units in which the diagonal is 1, v is a null direction if it is an eigenvector of the information with
    eigenvalue 0, and if v' ``outer`` v is 0 too, that is, if neither the score of a sample nor the prior changes along
    v. The eigenvalue is 0 up to rounding; on a curved ridge it is only as small as the gradient that EM left.
    """
    names, free, to_all = entries.names, entries.free, entries.by_free
    matrix = to_all.T @ information @ to_all
    matrix = (matrix + matrix.T) / 2
    diagonal = np.abs(np.diagonal(matrix))
    unit = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1))
    values, vectors = np.linalg.eigh(matrix * np.outer(unit, unit))
    directions = unit[:, None] * vectors
    slopes = np.full(len(names), np.nan)
    slopes[free] = gradient @ to_all
    left_over = float(np.abs(unit * slopes[free]).max(initial=0))
    tolerance = max(RANK_TOLERANCE, min(10 * left_over, LARGEST_LEFT_OVER))
    squares = np.einsum("fv,fg,gv->v", directions, to_all.T @ outer @ to_all, directions)
    null = (np.abs(values) < tolerance) & (np.abs(squares) < max(RANK_TOLERANCE, tolerance**2))
    direction, reason, moves = {}, "", np.zeros(len(names), dtype=bool)
    sentence = f"information of full rank {len(free)}"
    if (values[~null] <= 0).any():
        upwards = largest_parts(_direction(names, free, directions[:, ~null][:, 0]))
        sentence = f"the estimate is no maximum: the objective does not curve downwards along {upwards}"
        reason, moves = "no maximum", ~moves
    elif null.any():
        direction = _direction(names, free, directions[:, null][:, 0])
        sentence = f"information of rank {(~null).sum()} of {len(free)} free parameters: different parameters give "
        sentence += f"the same distribution; free direction, largest parts: {largest_parts(direction)}"
        shares, largest = np.abs(to_all @ directions[:, null]).max(axis=1), np.abs(to_all * unit).max(axis=1)
        reason, moves = "not identified", shares > UNTOUCHED * largest
    if left_over > FAR_FROM_MAXIMUM:
        size = f"it is {left_over:.2g} in units of one standard error"
        sentence += f"; the gradient does not vanish at the estimate ({size})"
        sentence += ": X, sample_weight and prior must be those of the fit, and EM must have converged"
    notes = tuple(note or (reason if moves[j] else "") for j, note in enumerate(entries.notes))
    root = to_all @ (directions[:, ~null] / np.sqrt(np.abs(values[~null])))
    covariance, nowhere = root @ root.T, np.array([note != "" for note in notes])
    covariance[nowhere] = covariance[:, nowhere] = np.nan
    errors, share = np.sqrt(np.diagonal(covariance)), _share_observed(matrix, to_all.T @ complete @ to_all, unit)
    return Information(entries, free, matrix, share, covariance, errors, notes, direction, sentence, slopes)


def _share_observed(information: Array, complete: Array, unit: Array) -> float:
    """Return the least u' I u / u' C u over directions u, with I the information and C that of the complete data."""
    if not len(unit):
        return 1.0
    scales = np.outer(unit, unit)
    values, vectors = np.linalg.eigh((complete + complete.T) / 2 * scales)
    if values[0] <= RANK_TOLERANCE * values[-1]:
        return 0.0
    root = vectors / np.sqrt(values)
    return float(np.clip(np.linalg.eigvalsh(root.T @ (information * scales) @ root)[0], 0.0, 1.0))


def _direction(names: tuple[str, ...], free: np.ndarray, vector: Array) -> dict[str, float]:
    return {names[j]: float(part) for j, part in zip(free, vector / np.linalg.norm(vector), strict=True)}
