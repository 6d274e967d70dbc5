"""The distinct numbers in a mixture's parameters, in a row: what has a name, an estimate and a standard error."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.validation import Array

EMPTIED = 1e-8  # samples
BOUNDARY = 1e-8


class Entry(NamedTuple):
    """One number: its array, its place there, the scale on which its estimate is nearest to normal, its component.

    ``scale`` is "identity", "log" or "logit"; ``component`` is None where all components share the number.
    """

    array: str
    place: tuple[int, ...]
    scale: str
    component: int | None

    @property
    def name(self) -> str:
        """Such as ``means[0, 1]``."""
        return f"{self.array}[{', '.join(map(str, self.place))}]"


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

    def of(self, arrays: Mapping[str, Array]) -> Array:
        """Return the same entries (p,) of other parameters."""
        return np.array([arrays[entry.array][entry.place] for entry in self.entries])


EMPTY = "its component is empty"


def describe(
    arrays: Mapping[str, Array], entries: Iterable[Entry], n_samples: float, frozen: Collection[str] = ()
) -> Entries:
    """Return the entries with their estimates, and a note on each that is held.

    Parameters
    ----------
    arrays : mapping
        Declared quantities by name.
    entries : iterable of Entry
        Their distinct entries, the weights first.
    n_samples : float
        Sum of the sample weights.
    frozen : collection of str
        Names of the arrays that were held fixed.

    Raises
    ------
    ValueError
        If ``frozen`` names something else.

    Examples
    --------
    >>> from em.uncertainty.entries import Entry, describe
    >>> found = describe({"weights": [0.3, 0.7]}, [Entry("weights", (k,), "logit", k) for k in (0, 1)], 10)
    >>> found.names, found.notes
    (('weights[0]', 'weights[1]'), ('', ''))
    """
    if unknown := [name for name in frozen if name not in arrays]:
        raise ValueError(f"frozen must hold names among {', '.join(arrays)}, got {', '.join(map(repr, unknown))}")
    entries, weights = tuple(entries), np.asarray(arrays["weights"])
    values = np.array([np.asarray(arrays[entry.array])[entry.place] for entry in entries])

    def note(entry: Entry, value: float) -> str:
        if entry.array in frozen:
            return "frozen"
        if entry.component is not None and weights[entry.component] * n_samples < EMPTIED:
            return EMPTY
        if entry.array == "weights" and len(weights) == 1:
            return "always 1"
        inside = entry.scale != "logit" or BOUNDARY <= value <= 1 - BOUNDARY
        return "" if inside else "on the boundary"

    notes = tuple(note(entry, value) for entry, value in zip(entries, values, strict=True))
    return Entries(entries, values, notes, len(weights))
