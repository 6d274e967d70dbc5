"""The distinct entries of a mixture's parameters as one vector, with a name and an estimate of each.

All entries of a block that sums to one are listed. One of them is determined by the others: the last that is not held
fixed. With θ the p entries and φ the f free ones, dθ = J dφ. J is the identity, with -1 in the row of a determined
entry and the columns of the free entries of its block.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from models.parameters import NO_LABELS, Labels, Parameters
from models.supports import Covariance
from models.validation import Array

EMPTIED = 1e-8  # samples, below which a component is empty
EMPTY = "its component is empty"


class Entry(NamedTuple):
    """One entry of the parameters: its name, such as ``means[0, 1]``, its array, and its index there, ``place``.

    ``scale`` is the scale on which its estimate is most nearly normal: "identity", "log" or "logit". ``block``
    identifies the entries that sum to one with it; it is None for others.
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
        The entries.
    values : ndarray, shape (p,)
        Estimates.
    notes : tuple of str
        Why an entry is held fixed and has no standard error, or "".
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
        """Which components are empty, as booleans (K,)."""
        return np.array([note == EMPTY for note in self.notes[: self.n_components]])

    @property
    def free(self) -> np.ndarray:
        """Indices (f,) of the free entries: neither held fixed nor determined by the others of their block."""
        determined = set(self._determined().values())
        return np.array([j for j, note in enumerate(self.notes) if not note and j not in determined], dtype=int)

    @property
    def by_free(self) -> Array:
        """J, shape (p, f): the derivatives of all entries by the free ones."""
        J, determined = np.eye(len(self.entries)), self._determined()
        for j, entry in enumerate(self.entries):
            if entry.block in determined:
                J[determined[entry.block], j] = -1
        return J[:, self.free]

    def _determined(self) -> dict[tuple[object, ...] | None, int]:
        """Return the index of the determined entry of each block: the last that is not held fixed."""
        blocks = [None if note else entry.block for entry, note in zip(self.entries, self.notes, strict=True)]
        return {block: j for j, block in enumerate(blocks) if block is not None}

    def of(self, arrays: Mapping[str, Any]) -> Array:
        """Return the entries of arrays by name, shape (p,); shape (p, S) of arrays (S, ...)."""
        return np.array([arrays[entry.array][(..., *entry.place)] for entry in self.entries])

    def put(self, values: Array, parameters: Parameters) -> dict[str, Any]:
        """Return the arrays (S, ...) whose entries have these values (S, p): the inverse of `of`."""
        given = parameters.arrays().items()
        arrays: dict[str, Any] = {name: np.repeat(array[None], len(values), axis=0) for name, array in given}
        for entry, column in zip(self.entries, values.T, strict=True):
            arrays[entry.array][(..., *entry.place)] = column
        for quantity in parameters.quantities:
            if isinstance(quantity.support, Covariance):  # the entries are one triangle
                upper = np.triu(arrays[quantity.name])
                arrays[quantity.name] = upper + np.triu(upper, 1).mT
        return arrays


def entries_of(
    parameters: Parameters, n_samples: float, frozen: Collection[str] = (), labels: Labels = NO_LABELS
) -> Entries:
    """Return the distinct entries with their estimates, and a note on each that is held fixed.

    Parameters
    ----------
    parameters : Parameters
        The estimate.
    n_samples : float
        Sum of the sample weights.
    frozen : collection of str
        Names of the arrays that were not estimated.
    labels : mapping of str to sequence of str
        Names of the features, as :meth:`models.parameters.Quantity.entry` takes them.

    Examples
    --------
    >>> from em.uncertainty.entries import entries_of
    >>> from models.bmm import BMMParameters
    >>> entries = entries_of(BMMParameters([0.3, 0.7], [[0.5], [1.0]]), 10)
    >>> entries.names[2:], entries.notes[2:], entries.free.tolist()
    (('probs[0, 0]', 'probs[1, 0]'), ('', 'on the boundary'), [0, 2])
    """
    arrays, K = parameters.arrays(), parameters.n_components
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
