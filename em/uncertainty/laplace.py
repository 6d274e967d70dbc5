"""Laplace's approximation of a posterior: a normal distribution about the mode, from the information there.

The approximation is made on the real line (:mod:`models.supports`), where every draw is a mixture. Weights become
log(π_j / π_last), probs logits, variances logarithms, and covariance matrices the entries of their Cholesky factors,
with the logarithm of the diagonal. With φ the free parameters, y(φ) the real vector, I the observed information at MAP
(:mod:`em.uncertainty.louis`) and A = ∂y/∂φ, the information about y is A⁻' I A⁻¹. MAP is the mode of the density of φ;
the density of y has the additional factor |∂φ/∂y|. One Newton step gives its mode y*:

    S⁻¹ = A⁻' I A⁻¹ - ∂² log |∂φ/∂y|,        y* = y(MAP) + S ∇ log |∂φ/∂y|

Means and standard deviations on the natural scale are computed from the points y* and y* ± the columns of a root of S.
They are exact to the second order of the deviations.

References
----------
Tierney & Kadane (1986), Accurate approximations for posterior moments and marginal densities, JASA 81, 82-86.
MacKay (1998), Choice of basis for Laplace approximation, Machine Learning 33, 77-86.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import block_diag

from em.uncertainty import normal_intervals
from em.uncertainty.entries import Entries
from em.uncertainty.louis import Information
from models.parameters import Parameters, Quantity
from models.real_line import constrained, log_volume_slopes
from models.tables import Tabular, rows_of, table_lines
from models.validation import Array, count_at_least_one, random_source

STEP = 1e-3  # of numerical derivatives, in standard errors
FIXED = ("", "frozen", "always 1")  # notes on entries that are free, or known exactly


@dataclass(frozen=True, eq=False, repr=False)
class LaplacePosterior(Tabular):
    """A normal posterior on the real line, with its moments on the natural scale; printing it shows the table.

    Attributes
    ----------
    parameters : Parameters
        MAP.
    entries : Entries
        The p parameters as the table has them, such as ``means[0, 1]``; a covariance matrix has its upper triangle.
    mean, standard_deviation, low, high : dict of ndarray
        Posterior mean, standard deviation and interval of each parameter, by name, in the shapes of ``parameters``.
        Frozen ones have standard deviation 0.
    level : float
        Posterior probability of the intervals.
    centre, root : ndarray, shapes (f,) and (f, f)
        y* and a root R of S = R R', on the real line.
    varying : tuple of str
        Names of the estimated arrays, in the order in which they make up y.
    status : str
        Remarks on MAP, in words.
    """

    parameters: Parameters
    entries: Entries
    mean: dict[str, Array]
    standard_deviation: dict[str, Array]
    low: dict[str, Array]
    high: dict[str, Array]
    level: float
    centre: Array
    root: Array
    varying: tuple[str, ...]
    status: str

    @property
    def table(self) -> list[dict[str, Any]]:
        """One dict per parameter; ``to_frame()`` gives them as a pandas frame."""
        columns = {"mean": self.mean, "sd": self.standard_deviation, "low": self.low, "high": self.high}
        of_entries = {head: self.entries.of(arrays) for head, arrays in columns.items()}
        return rows_of({"parameter": self.entries.names, **of_entries})

    def draw(self, n_draws: int, random_state: Any = None) -> dict[str, Array]:
        """Return independent draws of the parameters by name, shapes (n_draws, ...).

        Parameters
        ----------
        n_draws : int
            Number of draws.
        random_state : int, RandomState or None, default None
            Seed or source of randomness.
        """
        z = random_source(random_state).standard_normal((count_at_least_one("n_draws", n_draws), len(self.centre)))
        return mixtures_at(self.centre + z @ self.root.T, self.parameters, self.varying)

    def __repr__(self) -> str:
        """Return the table as plain text."""
        heads = ["mean", "sd", "low", "high"]
        rows = [["parameter", *heads, ""]]
        rows += [[row["parameter"], *(f"{row[head]:.5g}" for head in heads), ""] for row in self.table]
        head = f"Laplace's approximation about MAP, normal on the real line; {self.level:.4g} intervals"
        return "\n".join([head, *table_lines(rows), self.status])


def laplace_posterior(parameters: Parameters, information: Information, level: float) -> LaplacePosterior:
    """Return Laplace's approximation at a MAP estimate with this observed information.

    Raises
    ------
    ValueError
        If the posterior has no normal approximation: MAP is on the boundary, not identified, or no maximum.
    """
    entries, arrays = information.entries, parameters.arrays()
    if odd := [j for j, note in enumerate(information.notes) if note not in FIXED]:
        names = ", ".join(f"{entries.names[j]} ({information.notes[j]})" for j in odd[:4])
        raise ValueError(
            f"the posterior has no normal approximation at this MAP: {names}{', ...' * (len(odd) > 4)}. What "
            "helps is a prior that keeps parameters off the boundary, or fewer components"
        )
    held = {entry.array for entry, note in zip(entries.entries, entries.notes, strict=True) if note}
    varying = tuple(quantity for quantity in parameters.quantities if quantity.name not in held)
    named = tuple(quantity.name for quantity in varying)
    free, by_free, errors = entries.free, entries.by_free, information.standard_errors[entries.free]
    steps = STEP * by_free * errors
    ends = [_on_the_line(entries, entries.values + sign * steps.T, parameters, varying) for sign in (1, -1)]
    slopes = (ends[0] - ends[1]) / (2 * STEP * errors[:, None])  # A', row j by the j-th free parameter
    root = slopes.T @ np.linalg.cholesky(information.covariance[np.ix_(free, free)])
    volumes = [log_volume_slopes(quantity.support, arrays[quantity.name]) for quantity in varying]
    gradient = np.concatenate([np.empty(0), *(of_one for of_one, _ in volumes)])
    curvature = block_diag(*(of_one for _, of_one in volumes)) if volumes else np.empty((0, 0))
    root = root @ np.linalg.inv(np.linalg.cholesky(np.eye(len(root)) + root.T @ curvature @ root)).T
    centre = _on_the_line(entries, entries.values[None], parameters, varying)[0] + root @ (root.T @ gradient)
    mean, sd, low, high = _moments(parameters, entries, named, centre, root, level)
    return LaplacePosterior(parameters, entries, mean, sd, low, high, level, centre, root, named, information.sentence)


def _moments(
    parameters: Parameters, entries: Entries, varying: tuple[str, ...], centre: Array, root: Array, level: float
) -> Iterator[dict[str, Array]]:
    """Yield means, standard deviations, and lower and upper ends of intervals on the natural scale, by name."""
    points = np.concatenate([centre[None], centre + root.T, centre - root.T])
    values = entries.of(mixtures_at(points, parameters, varying)).T
    middle, up, down = values[0], values[1 : 1 + len(centre)], values[1 + len(centre) :]
    mean = middle + (up + down - 2 * middle).sum(axis=0) / 2
    sd = np.sqrt(((up - down) ** 2).sum(axis=0)) / 2
    low, high = np.where(sd > 0, normal_intervals(entries, middle, sd, level), middle)
    moments = entries.put(np.array([mean, sd, low, high]), parameters)
    for i in range(4):
        yield {name: arrays[i] for name, arrays in moments.items()}


def mixtures_at(vectors: Array, parameters: Parameters, varying: tuple[str, ...]) -> dict[str, Array]:
    """Return the parameters at vectors (S, f) on the real line, shapes (S, ...); frozen ones are repeated."""
    arrays, at = dict[str, Array](), 0
    for quantity in parameters.quantities:
        array = parameters.arrays()[quantity.name]
        if quantity.name not in varying:
            arrays[quantity.name] = np.broadcast_to(array, (len(vectors), *array.shape))
            continue
        n = quantity.support.n_free(array.shape)
        arrays[quantity.name] = constrained(quantity.support, vectors[:, at : at + n], array.shape)
        at += n
    return arrays


def _on_the_line(entries: Entries, values: Array, parameters: Parameters, varying: tuple[Quantity, ...]) -> Array:
    """Return the real vectors (S, f) of the mixtures with these entries (S, p)."""
    many = entries.put(values, parameters)
    return np.hstack([np.empty((len(values), 0)), *(q.support.unconstrained(many[q.name]) for q in varying)])
