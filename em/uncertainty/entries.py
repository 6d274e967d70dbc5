"""The distinct numbers in a mixture's parameters, in a row: what has a name, an estimate and a standard error.

Numbers that sum to one are all listed, and one of each such block is determined by the others: the last that is not
held. With θ all p numbers and φ the f free ones, dθ = J dφ; J is the identity, and -1 where a determined number meets a
free one of its block.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from models.parameters import NO_LABELS, Labels, Parameters
from models.supports import Covariance
from models.validation import Array

EMPTIED = 1e-8  # samples
EMPTY = "its component is empty"


class Entry(NamedTuple):
    """One number: its name, such as ``means[0, 1]``, its array, and its place there.

    ``scale`` is "identity", "log" or "logit", on which its estimate is nearest to normal; ``block`` is what tells apart
    the numbers that sum to one with it, or None.
    """

    name: str
    array: str
    place: tuple[int, ...]
    scale: str
    block: tuple[object, ...] | None


@dataclass(frozen=True, eq=False)
class Entries:
    """All entries of one mixture; the K weights come first.

    Attributes
    ----------
    entries : tuple of Entry
        What they are.
    values : ndarray, shape (p,)
        Estimates.
    notes : tuple of str
        Why an entry is held and has no standard error, or "".
    n_components : int
        Number of components K.
    """

    entries: tuple[Entry, ...]
    values: Array
    notes: tuple[str, ...]
    n_components: int

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the entries."""
        return tuple(entry.name for entry in self.entries)

    @property
    def weights(self) -> Array:
        """The mixture weights (K,)."""
        return self.values[: self.n_components]

    @property
    def emptied(self) -> np.ndarray:
        """Which components have no share in the samples, as booleans (K,)."""
        return np.array([note == EMPTY for note in self.notes[: self.n_components]])

    @property
    def free(self) -> np.ndarray:
        """Places (f,) of the free entries: those not held, without the one of each block that the others determine."""
        determined = set(self._determined().values())
        return np.array([j for j, note in enumerate(self.notes) if not note and j not in determined], dtype=int)

    @property
    def by_free(self) -> Array:
        """J, shape (p, f): how all entries move with the free ones."""
        J, determined = np.eye(len(self.entries)), self._determined()
        for j, entry in enumerate(self.entries):
            if entry.block in determined:
                J[determined[entry.block], j] = -1
        return J[:, self.free]

    def _determined(self) -> dict[tuple[object, ...] | None, int]:
        """Return the place of the last entry of each block that is not held."""
        blocks = [None if note else entry.block for entry, note in zip(self.entries, self.notes, strict=True)]
        return {block: j for j, block in enumerate(blocks) if block is not None}

    def of(self, arrays: Mapping[str, Any]) -> Array:
        """Return the same entries (p,) of other parameters; (p, S) of arrays (S, ...)."""
        return np.array([arrays[entry.array][(..., *entry.place)] for entry in self.entries])

    def put(self, values: Array, parameters: Parameters) -> dict[str, Any]:
        """Return the arrays (S, ...) of parameters that have these values (S, p) as entries."""
        given = parameters.arrays().items()
        arrays: dict[str, Any] = {name: np.repeat(array[None], len(values), axis=0) for name, array in given}
        for entry, column in zip(self.entries, values.T, strict=True):
            arrays[entry.array][(..., *entry.place)] = column
        for quantity in parameters.quantities:
            if isinstance(quantity.support, Covariance):  # of which entries are one triangle
                upper = np.triu(arrays[quantity.name])
                arrays[quantity.name] = upper + np.triu(upper, 1).mT
        return arrays


def entries_of(
    parameters: Parameters, n_samples: float, frozen: Collection[str] = (), labels: Labels = NO_LABELS
) -> Entries:
    """Return the distinct entries with their estimates, and a note on each that is held.

    Parameters
    ----------
    parameters : Parameters
        The estimate.
    n_samples : float
        Sum of the sample weights.
    frozen : collection of str
        Names of the arrays that were held fixed.
    labels : mapping of str to sequence of str
        What names of entries call features, as :meth:`models.parameters.Quantity.entry` takes them.

    Raises
    ------
    ValueError
        If ``frozen`` names something else.

    Examples
    --------
    >>> from em.uncertainty.entries import entries_of
    >>> from models.bmm import BMMParameters
    >>> found = entries_of(BMMParameters([0.3, 0.7], [[0.5], [1.0]]), 10)
    >>> found.names[2:], found.notes[2:], found.free.tolist()
    (('probs[0, 0]', 'probs[1, 0]'), ('', 'on the boundary'), [0, 2])
    """
    arrays, K = parameters.arrays(), parameters.n_components
    if unknown := [name for name in frozen if name not in arrays]:
        raise ValueError(f"frozen must hold names among {', '.join(arrays)}, got {', '.join(map(repr, unknown))}")
    entries, notes = [], []
    for quantity in parameters.quantities:
        name, support, array = quantity.name, quantity.support, arrays[quantity.name]
        note = np.where(support.at_edge(array), "on the boundary", "").astype(object)
        if name == "weights" and K == 1:
            note[:] = "always 1"
        if not quantity.shared:
            note[parameters.weights * n_samples < EMPTIED] = EMPTY
        if name in frozen:
            note[...] = "frozen"
        for place in support.distinct_entries(array.shape):
            within = support.block_of(place)
            block = None if within is None else (name, *within)
            entries.append(Entry(quantity.entry(place, labels), name, place, support.scale_at(place), block))
            notes.append(note[place])
    values = np.array([arrays[entry.array][entry.place] for entry in entries])
    return Entries(tuple(entries), values, tuple(notes), K)
