"""A table of a file and its columns, each as its distinct values and which of them a row has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from comparisons.data.options import flag
from models.shown import shown
from models.validation import Array

MOST_WORDS = 8  # that a remedy lists


def by_what(said: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return what is said of columns, but nothing, with all that it is said of; ``said`` has pairs (of whom, what)."""
    alike: dict[str, list[str]] = {}
    for of_whom, what in said:
        alike.setdefault(what, []).append(of_whom)
    return {what: names for what, names in alike.items() if what}


@dataclass(eq=False)
class Column:
    """One column of a file.

    Attributes
    ----------
    name : str
        In the file.
    values : list or ndarray
        The distinct values, in the order in which they first appear.
    which : ndarray of int, shape (n,)
        The value of each row; -1 where it is missing.
    marks : dict of int
        How often each mark stands for a missing cell.
    numbers : ndarray
        The number that each value is; NaN for what is no number.
    categories : tuple or None
        Levels that the file declares, in their order.
    notes : dict of str
        How numbers were read, by kind of note.
    decimal : str
        The decimal mark, where plain numbers show it.
    """

    name: str
    values: Any
    which: np.ndarray
    marks: dict[str, int] = field(default_factory=dict)
    numbers: Array = field(default_factory=lambda: np.empty(0))
    categories: tuple[Any, ...] | None = None
    notes: dict[str, str] = field(default_factory=dict)
    decimal: str = ""

    @property
    def is_typed(self) -> bool:
        """Whether the values are an array of numbers."""
        return isinstance(self.values, np.ndarray)

    @property
    def texts(self) -> list[str]:
        """Those of the values that are text, stripped of blanks."""
        return [] if self.is_typed else [value.strip() for value in self.values if isinstance(value, str)]

    @property
    def is_numeric(self) -> bool:
        """Whether every observed value is a number."""
        return not np.isnan(self.numbers).any()

    @property
    def is_whole(self) -> bool:
        """Whether every observed value is a whole number."""
        return bool((self.numbers % 1 == 0).all())

    @property
    def is_distinct(self) -> bool:
        """Whether no value is there twice, and none is missing."""
        return len(self.values) == len(self.which)

    @property
    def share_of_numbers(self) -> float:
        """The share of the observed cells that are numbers."""
        return float((~np.isnan(self.numbers[self.which[self.observed]])).mean()) if self.observed.any() else 0.0

    @property
    def observed(self) -> np.ndarray:
        """Whether each row has a value."""
        return self.which >= 0

    @property
    def array(self) -> Array:
        """The number of each row, NaN where it is missing."""
        return np.append(self.numbers, nan)[self.which]

    @property
    def labels(self) -> list[str]:
        """Each row's value as text, "" where it is missing."""
        values = [int(v) if v % 1 == 0 else v for v in self.values.tolist()] if self.is_typed else self.values
        texts = [*map(str, values), ""]
        return [texts[code] for code in self.which]

    def shown(self, place: int) -> str:
        """Return a value as messages show it."""
        value = self.values[place]
        return f"{value:.15g}" if self.is_typed else shown(value) if isinstance(value, str) else f"{value}"

    def first_row(self, place: int) -> int:
        """Return the first row that has a value."""
        return int(np.argmax(self.which == place))

    def without(self, hidden: Sequence[int]) -> "Column":
        """Return the column where some of its values, given by their places, are marks of missing cells."""
        if not len(hidden):
            return self
        counts, marks = np.bincount(self.which[self.observed], minlength=len(self.values)), dict(self.marks)
        for place in hidden:
            mark = f"{self.values[place]:g}" if self.is_typed else f"{self.values[place]}".strip() or "empty"
            marks[mark] = marks.get(mark, 0) + int(counts[place])
        kept = np.setdiff1d(np.arange(len(self.values)), hidden)
        to = np.full(len(self.values) + 1, -1)
        to[kept] = np.arange(len(kept))
        values = self.values[kept] if self.is_typed else [self.values[place] for place in kept]
        return replace(self, values=values, which=to[self.which], marks=marks)


@dataclass
class Table:
    """What is in a file before it is known what its columns are.

    Attributes
    ----------
    path : Path
        The file.
    raw : dict of list of str, or of Series
        The cells of each column, by name.
    lines : list of int
        The line in the file of each row; empty where the file has no lines.
    separator : str
        Between cells, in text.
    unnamed, notes : list of str
        Columns without a name of their own, and what was found out.
    labels : list of str or None
        Labels of the rows that the file itself keeps.
    sample : Sample or None
        Which of the rows these are, of a file that is too large.
    guess : str
        What the encoding is if nothing says so, with what to do if letters are wrong.
    """

    path: Path
    raw: dict[str, Any]
    lines: list[int] = field(default_factory=list)
    separator: str = ""
    unnamed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels: list[str] | None = None
    sample: Any = None
    guess: str = ""

    @property
    def name(self) -> str:
        """What messages call the file."""
        return f"data file {self.path}"

    def place(self, row: int) -> str:
        """Return what messages call a row."""
        return f"line {self.lines[row]}" if self.lines else f"row {row}"

    def at(self, row: int) -> str:
        """Return what messages call a row of this file."""
        return f"{self.name}, {self.place(row)}"

    def called(self, column: Column) -> str:
        """Return what messages call a column."""
        return "the unnamed first column" if column.name in self.unnamed else f"column {column.name!r}"

    def refuse(
        self, column: Column, place: int, wanted: str, advice: str = "", words: Sequence[Any] | None = None
    ) -> NoReturn:
        """Raise an error about a value: its line, its column, what would be taken, and what to do about all such."""
        value = column.values[place]
        words = [value] if words is None or len(words) > MOST_WORDS else words  # none: no word is a mark
        marks = flag("missing", [word.strip() if isinstance(word, str) else f"{word:g}" for word in words])
        marks += " if it marks a missing cell, or " if len(words) == 1 else " if these mark missing cells, or "
        given = f"expected {wanted} in column {column.name!r}, got {column.shown(place)}{advice}: correct it, or "
        remedy = f"{marks * bool(words)}{flag('drop', [column.name])} to leave the column out"
        raise ValueError(f"{self.at(column.first_row(place))}: {given}{remedy}")
