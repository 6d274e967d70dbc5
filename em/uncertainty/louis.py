"""Observed information of a mixture by Louis' identity, and the covariance of the estimate. It knows no family.

The information is minus the Hessian of log-likelihood plus log prior. With the labels z_i hidden, and s_ik and B_ik the
gradient and minus the Hessian of log p(x_i, z_i = k), Louis' (1982) identity gives it from what is known with labels,

    I = Σ_i w_i (E[B_i] - E[s_i s_i'] + E[s_i] E[s_i]') - ∂² log p(θ)

with expectations over z_i given x_i, which are the responsibilities, and w_i the sample's weight. All is taken by all
entries θ as if each were free (log π_k has the gradient 1/π_k and minus the Hessian 1/π_k², by π_k alone), and then by
the free entries φ, with dθ = J dφ (:mod:`em.uncertainty.entries`), as J' I J. A cell that is missing at random is
integrated out of p(x_i | z_i = k), so that z stays the only hidden variable.

The covariance of the estimate is I⁻¹. A free direction, along which nothing is known, is named and not inverted; the
parameters that it leaves alone keep their variances (those of the pseudo-inverse).

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

RANK_TOLERANCE = 1e-8  # of information scaled to a diagonal of 1
LARGEST_LEFT_OVER = 1e-3
FAR_FROM_MAXIMUM = 0.1
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


class Slopes(NamedTuple):
    """Gradient (p,) and minus the Hessian (p, p) of a logarithm of a density."""

    gradient: Array
    curvature: Array

    def add(self, places: np.ndarray, other: "Slopes") -> None:
        """Add another's, whose entries are in these places, in place."""
        self.gradient[places] += other.gradient
        self.curvature[np.ix_(places, places)] += other.curvature


@dataclass(frozen=True, eq=False)
class Information:
    """Observed information at an estimate, and what follows from it.

    Attributes
    ----------
    entries : Entries
        The p parameters.
    free : ndarray of int, shape (f,)
        Places of those that are free: not held, and not determined by others, as the last weight is.
    matrix : ndarray, shape (f, f)
        Observed information of the free ones.
    share_observed : float
        The least share, over directions, of the information that the data would hold if labels were known: 1 - ρ, with
        ρ the rate at which EM converges (Dempster, Laird & Rubin 1977). 0 where a direction is free.
    covariance : ndarray, shape (p, p)
        Its inverse, extended to what the free ones determine by the delta method; NaN where there is none.
    standard_errors : ndarray, shape (p,)
        Roots of its diagonal, also where a variance would fit no float.
    notes : tuple of str
        For each of the p parameters why it has no variance, or "".
    free_direction : dict
        Parameter name -> part of a unit vector along which nothing is known; empty if there is none.
    sentence : str
        The finding in words.
    gradient : ndarray, shape (p,)
        Slope of the objective by each free parameter, which Fisher's identity gives; NaN of the others.
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
        """Return the information about the same parameters in other units, in which they are ``entries``.

        Parameters
        ----------
        entries : Entries
            The p parameters in the new units.
        units : ndarray, shape (p,)
            The old unit of each in terms of the new: new = constant + unit · old.
        """
        with np.errstate(over="ignore", under="ignore"):
            matrix = self.matrix / units[self.free] / units[self.free, None]
            covariance = self.covariance * units * units[:, None]
            errors, gradient = self.standard_errors * units, self.gradient / units
        scaled: dict[str, Any] = {"matrix": matrix, "covariance": covariance, "gradient": gradient}
        return replace(self, entries=entries, standard_errors=errors, **scaled)


def labelled_sums(entries: Entries, blocks: Iterable[Block]) -> Sums:
    """Return what Louis' identity asks of samples, with scores and curvature as if their labels were known.

    These are Σ w E[B_i], Σ w E[s_i s_i'] and Σ w E[s_i] E[s_i]', shape (p, p) each, and Σ w E[s_i], shape (p,).
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
            places = np.concatenate([[k], own.places])
            s = np.hstack([np.full((len(w), 1), of_weight), own.scores])
            complete[k, k] += v.sum() * of_weight**2
            complete[np.ix_(own.places, own.places)] += own.curvature
            hidden[np.ix_(places, places)] += (v[:, None] * s).T @ s
            mean[:, places] += r[:, k, None] * s
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
        Those that `labelled_sums` returns.
    log_prior : Slopes or None
        Those of the log prior.
    """
    p = len(entries.values)
    prior = log_prior or Slopes(np.zeros(p), np.zeros((p, p)))
    # where the scores and the prior's curvature vanish along a direction, nothing is known about it
    with_labels, hidden, squares, gradient = sums.parts
    complete, seen = with_labels + prior.curvature, squares + prior.curvature
    information = complete - hidden + squares
    if not np.isfinite(information).all():
        return _beyond_floats(entries)
    return _finding(entries, complete, information, seen, gradient + prior.gradient)


def _beyond_floats(entries: Entries) -> Information:
    """Return what is known where sizes of the prior's and the data's numbers are so far apart that nothing is."""
    free, p = entries.free, len(entries.values)
    notes, unknown = tuple(note or "beyond floats" for note in entries.notes), np.full((p, p), np.nan)
    matrix, none, sentence = unknown[np.ix_(free, free)], unknown[0], "the information fits no float"
    return Information(entries, free, matrix, 0.0, unknown, none, notes, {}, sentence, none)


def dirichlet_slopes(concentration: ArrayLike, entries: Entries) -> Slopes:
    """Return the slopes of Σ_k (a_k - 1) log π_k, with respect to all entries."""
    K, p = entries.n_components, len(entries.values)
    inverse = np.divide(1, entries.weights, out=np.zeros(K), where=~entries.emptied)
    pseudo_counts = np.broadcast_to(concentration, K) - 1.0
    gradient, curvature = np.zeros(p), np.zeros((p, p))
    gradient[:K], curvature[range(K), range(K)] = pseudo_counts * inverse, pseudo_counts * inverse**2
    return Slopes(gradient, curvature)


def frequencies(sample_weight: ArrayLike | None, n_samples: int, *, whole: bool = False) -> Array:
    """Return sample weights (n,): as given, checked, also to be whole numbers where they must be, or ones."""
    weights = check_sample_weight(sample_weight, n_samples)
    if whole and weights is not None and (weights % 1 != 0).any():
        raise ValueError(f"sample_weight must hold whole numbers, which count rows, for a bootstrap, got {weights}")
    return np.ones(n_samples) if weights is None else weights


def row_blocks(n_rows: int, n_parameters: int) -> Iterator[slice]:
    """Return slices that cover the rows, short enough for scores of all of one's parameters to be held at a time."""
    return blocks(n_rows, max(1, MOST_NUMBERS // n_parameters))


def largest_parts(direction: dict[str, float]) -> str:
    """Return the largest parts of a direction in words."""
    largest = sorted(direction.items(), key=lambda item: -abs(item[1]))[:4]
    return ", ".join(f"{name} {part:+.2f}" for name, part in largest if abs(part) > 0.01)


def _finding(entries: Entries, complete: Array, information: Array, seen: Array, gradient: Array) -> Information:
    """Invert what can be inverted and name the rest.

    In units in which the diagonal is 1, v is a free direction if the information has the eigenvalue 0 there, and if
    neither a sample's score nor the prior has a part along v (``seen``). The eigenvalue is 0 up to rounding; on a
    curved ridge it is only as small as the gradient that EM left over.
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
    parts_seen = np.einsum("fv,fg,gv->v", directions, to_all.T @ seen @ to_all, directions)
    unknown = (np.abs(values) < tolerance) & (np.abs(parts_seen) < max(RANK_TOLERANCE, tolerance**2))
    direction, reason, moves = {}, "", np.zeros(len(names), dtype=bool)
    sentence = f"information of full rank {len(free)}"
    if (values[~unknown] <= 0).any():
        upwards = largest_parts(_direction(names, free, directions[:, ~unknown][:, 0]))
        sentence = f"the estimate is no maximum: the objective does not curve downwards along {upwards}"
        reason, moves = "no maximum", ~moves
    elif unknown.any():
        direction = _direction(names, free, directions[:, unknown][:, 0])
        sentence = f"information of rank {(~unknown).sum()} of {len(free)} free parameters: different parameters give "
        sentence += f"the same distribution; free direction, largest parts: {largest_parts(direction)}"
        moved, furthest = np.abs(to_all @ directions[:, unknown]).max(axis=1), np.abs(to_all * unit).max(axis=1)
        reason, moves = "not identified", moved > UNTOUCHED * furthest
    if left_over > FAR_FROM_MAXIMUM:
        size = f"it is {left_over:.2g} in units of one standard error"
        sentence += (
            f"; the gradient does not vanish at the estimate ({size}): X, sample_weight and prior must be those "
        )
        sentence += "of the fit, and EM must have converged"
    notes = tuple(note or (reason if moves[j] else "") for j, note in enumerate(entries.notes))
    root = to_all @ (directions[:, ~unknown] / np.sqrt(np.abs(values[~unknown])))
    covariance, nowhere = root @ root.T, np.array([note != "" for note in notes])
    covariance[nowhere] = covariance[:, nowhere] = np.nan
    errors, share = np.sqrt(np.diagonal(covariance)), _share_observed(matrix, to_all.T @ complete @ to_all, unit)
    return Information(entries, free, matrix, share, covariance, errors, notes, direction, sentence, slopes)


def _share_observed(information: Array, complete: Array, unit: Array) -> float:
    """Return the least of u' I u / u' C u over directions u, of the information I and that with known labels, C."""
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
