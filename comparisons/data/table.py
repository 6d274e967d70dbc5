"""The table of a file and its columns. A column stores its distinct values, and for each row the index of its value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from comparisons.data.options import flag
from models.shown import shown
from models.validation import Array

MOST_WORDS = 8  # in the list of a remedy


def names_by_message(messages: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Group pairs (column name, message) by message; leave out empty messages."""
    names: dict[str, list[str]] = {}
    for name, message in messages:
        if message:
            names.setdefault(message, []).append(name)
    return names


@dataclass(eq=False)
class Column:
    """One column of a file, factorised as by ``pandas.factorize``.

    Attributes
    ----------
    name : str
        Name of the column.
    values : list or ndarray, length m
        The distinct values, in the order in which they first appear.
    codes : ndarray of int, shape (n,)
        For each row the index of its value in ``values``; -1 where the cell is missing.
    marks : dict of int
        Number of missing cells by the mark that stands in them.
    numbers : ndarray, shape (m,)
        Each value as a number; NaN if it is none.
    categories : tuple or None
        Levels that the file declares, in their order.
    notes : dict of str
        How numbers were read, by kind of note.
    decimal : str
        The decimal mark, if plain numbers show it; else "".
    """

    name: str
    values: Any
    codes: np.ndarray
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
        """The values that are text, without blanks around them."""
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
        """Whether all rows have different values, and none is missing."""
        return len(self.values) == len(self.codes)

    @property
    def share_of_numbers(self) -> float:
        """The share of the observed cells that are numbers."""
        return float((~np.isnan(self.numbers[self.codes[self.observed]])).mean()) if self.observed.any() else 0.0

    @property
    def observed(self) -> np.ndarray:
        """Whether each row has a value."""
        return self.codes >= 0

    @property
    def is_merged(self) -> bool:
        """Whether each value stands once, above empty cells, as in merged cells."""
        n = self.observed.sum()
        return bool(1 < len(self.values) == n < len(self.codes) / 2 and self.observed[0] and self.observed[n:].any())

    @property
    def array(self) -> Array:
        """The number of each row, NaN where it is missing."""
        return np.append(self.numbers, nan)[self.codes]

    @property
    def labels(self) -> list[str]:
        """Each row's value as text, "" where it is missing."""
        values = [int(v) if v % 1 == 0 else v for v in self.values.tolist()] if self.is_typed else self.values
        texts = [*map(str, values), ""]
        return [texts[code] for code in self.codes]

    def shown(self, code: int) -> str:
        """Return the value of a code as messages show it."""
        value = self.values[code]
        return f"{value:.15g}" if self.is_typed else shown(value) if isinstance(value, str) else f"{value}"

    def first_row(self, code: int) -> int:
        """Return the first row that has the value of a code."""
        return int(np.argmax(self.codes == code))

    def without(self, hidden: Sequence[int]) -> "Column":
        """Return the column with the values of some codes turned into missing cells."""
        if not len(hidden):
            return self
        counts, marks = np.bincount(self.codes[self.observed], minlength=len(self.values)), dict(self.marks)
        for code in hidden:
            mark = f"{self.values[code]:.15g}" if self.is_typed else f"{self.values[code]}".strip() or "empty"
            marks[mark] = marks.get(mark, 0) + int(counts[code])
        kept = np.setdiff1d(np.arange(len(self.values)), hidden)
        to = np.full(len(self.values) + 1, -1)
        to[kept] = np.arange(len(kept))
        values = self.values[kept] if self.is_typed else [self.values[code] for code in kept]
        return replace(self, values=values, codes=to[self.codes], marks=marks)


@dataclass
class Table:
    """The columns of a file, before they are read as numbers.

    Attributes
    ----------
    path : Path
        The file.
    raw : dict of list of str, or of Series
        The cells of each column, by name.
    lines : list of int
        The line of the file at which each row begins; empty for a file without lines.
    separator : str
        The mark between cells of a text file.
    unnamed : list of str
        Columns that have no name in the file.
    notes : list of str
        What the user should know about how the file was read.
    labels : list of str or None
        Row labels stored in the file, such as a pandas index.
    sample : Sample or None
        The random sample of rows that was read; None if all rows were.
    guess : str
        The encoding if it was guessed, with what to do if letters are wrong; else "".
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
        """The file, as messages name it."""
        return f"data file {self.path}"

    def row_name(self, row: int) -> str:
        """Return a row as messages name it: by its line, or by its number from 0."""
        return f"line {self.lines[row]}" if self.lines else f"row {row}"

    def location(self, row: int) -> str:
        """Return file and row as messages name them."""
        return f"{self.name}, {self.row_name(row)}"

    def described(self, column: Column) -> str:
        """Return a column as messages name it."""
        return "the unnamed first column" if column.name in self.unnamed else f"column {column.name!r}"

    def refuse(
        self, column: Column, code: int, wanted: str, advice: str = "", words: Sequence[Any] | None = None
    ) -> NoReturn:
        """Raise an error about the value of a code: where it is, what is expected there, and what to do.

        ``words`` are the values that may mark missing cells: by default this value, none if it is empty.
        """
        words = [column.values[code]] if words is None else words[: len(words) * (len(words) <= MOST_WORDS)]
        marks = flag("missing", [word.strip() if isinstance(word, str) else f"{word:.15g}" for word in words])
        marks += " if it marks a missing cell, or " if len(words) == 1 else " if these mark missing cells, or "
        given = f"expected {wanted} in column {column.name!r}, got {column.shown(code)}{advice}: correct it, or "
        remedy = f"{marks * bool(words)}{flag('drop', [column.name])} to leave the column out"
        raise ValueError(f"{self.location(column.first_row(code))}: {given}{remedy}")
