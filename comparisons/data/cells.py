"""Cells to numbers: missing marks, decimal marks and units of each column, by its distinct values."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from comparisons.data.decimals import OTHER, decimal_of, has_thousands, looks_like_number, number, unit_of, without_unit
from comparisons.data.options import Reading, is_mark
from models.validation import Array

ONLY_AMONG_NUMBERS = ("none", "-")  # among words they may be levels
CODE = "00123"


@dataclass
class Column:
    """One column of a file.

    Attributes
    ----------
    name : str
        In the file.
    values : list
        The distinct values, in the order in which they first appear.
    which : ndarray of int, shape (n,)
        The value of each row; -1 where it is missing.
    marks : dict of int
        How often each mark stands for a missing cell.
    numbers : list of float or None
        The number that each value is; None for what is no number.
    categories : tuple or None
        Levels that the file declares, in their order.
    notes : dict of str
        How numbers were read, by kind of note.
    """

    name: str
    values: list[Any]
    which: np.ndarray
    marks: dict[str, int] = field(default_factory=dict)
    numbers: list[float | None] = field(default_factory=list)
    categories: tuple[Any, ...] | None = None
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def observed(self) -> np.ndarray:
        """The value's place in `values` of each row that is not missing."""
        return self.which[self.which >= 0]

    @property
    def is_numeric(self) -> bool:
        """Whether every observed value is a number."""
        return None not in self.numbers

    @property
    def is_whole(self) -> bool:
        """Whether every observed value is a whole number."""
        return all(value is not None and value.is_integer() for value in self.numbers)

    @property
    def is_distinct(self) -> bool:
        """Whether no value is there twice, and none is missing."""
        return len(self.values) == len(self.which)

    @property
    def share_of_numbers(self) -> float:
        """The share of the observed cells that are numbers."""
        are = np.array([value is not None for value in self.numbers], dtype=bool)
        return float(are[self.observed].mean()) if len(self.observed) else 0.0

    def has_mark(self, mark: str) -> bool:
        """Whether a mark stands for missing cells of this column."""
        return any(_equals(one, [mark]) for one in self.marks)

    @property
    def array(self) -> Array:
        """The number of each row, NaN where it is missing."""
        return np.array([*(np.nan if value is None else value for value in self.numbers), np.nan])[self.which]

    @property
    def labels(self) -> list[str]:
        """Each row's value as text, "" where it is missing."""
        texts = [*map(str, self.values), ""]
        return [texts[code] for code in self.which]

    def first_row(self, place: int) -> int:
        """Return the first row that has a value."""
        return int(np.argmax(self.which == place))


def column_of(name: str, raw: Any, asked: Reading) -> Column:
    """Return a column of text or of typed values, with missing marks taken out."""
    dtype = getattr(raw, "dtype", None)
    categories = tuple(dtype.categories) if isinstance(dtype, pd.CategoricalDtype) else None
    if categories is None and isinstance(raw, pd.Series) and raw.dtype.kind not in "biufM":
        raw = raw.to_numpy(dtype=object, na_value=None)
    which, values = pd.factorize(raw if isinstance(raw, pd.Series) else np.array(raw, dtype=object))
    column = Column(name, list(values), which, categories=categories)
    hidden = {
        place for place, value in enumerate(column.values) if isinstance(value, str) and _is_missing(value, asked)
    }
    rest = [value for place, value in enumerate(column.values) if place not in hidden]
    doubted = {mark for mark in rest if isinstance(mark, str) and mark.strip().lower() in ONLY_AMONG_NUMBERS}
    others = [value for value in rest if value not in doubted]
    if all(not isinstance(value, str) or looks_like_number(value) for value in others):
        hidden |= {column.values.index(mark) for mark in doubted}
    elif doubted:
        marks = ", ".join(map(repr, sorted(doubted)))
        column.notes["level"] = f"{marks} in column {name!r} is a word like the others; --missing makes it missing"
    hidden |= {
        place
        for place, value in enumerate(column.values)
        if not isinstance(value, str) and _equals(value, asked.missing)
    }
    return _without(column, hidden)


def _is_missing(text: str, asked: Reading) -> bool:
    text = text.strip()
    return (is_mark(text) and text.lower() not in ONLY_AMONG_NUMBERS) or _equals(text, asked.missing)


def _equals(value: Any, marks: Sequence[str]) -> bool:
    """Whether a value is one of the marks, as text or as a number."""
    if str(value) in marks:
        return True
    try:
        return any(float(value) == float(mark) for mark in marks if looks_like_number(mark))
    except (TypeError, ValueError):
        return False


def _without(column: Column, hidden: set[int]) -> Column:
    """Return a column in which some of the values are missing."""
    counts = np.bincount(column.observed, minlength=len(column.values))
    marks = {str(column.values[place]).strip() or "empty": int(counts[place]) for place in sorted(hidden)}
    if nulls := int((column.which < 0).sum()):
        marks["null"] = nulls
    kept = [place for place in range(len(column.values)) if place not in hidden]
    to = np.full(len(column.values) + 1, -1)
    to[kept] = np.arange(len(kept))
    values = [column.values[place] for place in kept]
    return Column(column.name, values, to[column.which], marks, [], column.categories, column.notes)


def read_numbers(source: Any, columns: Sequence[Column], decimal: str | None) -> None:
    """Find the number that each value of each column is; text is read by the column's decimal mark.

    Raises
    ------
    ValueError
        If a decimal mark is not clear; the message names line, column and value.
    """
    texts = {}
    for column in columns:
        of_column = [value.strip() for value in column.values if isinstance(value, str)]
        unit = unit_of(of_column)
        texts[column.name] = [without_unit(text, unit) for text in of_column]
        if unit and sum(map(looks_like_number, texts[column.name])) > len(of_column) / 2:
            column.notes["unit"] = f"unit {unit} taken off the numbers of column {column.name!r}"
    of_file = {mark for column in columns for mark in decimal_of(texts[column.name])[0]}
    for column in columns:
        chosen = decimal or _decimal(source, column, texts[column.name], of_file)
        stripped = iter(texts[column.name])
        column.numbers = [
            _from_text(column, next(stripped), chosen, value) if isinstance(value, str) else _typed(value)
            for value in column.values
        ]
        if any(isinstance(value, str) and _is_code(value.strip()) for value in column.values):
            column.numbers = [None] * len(column.values)


def _decimal(source: Any, column: Column, texts: list[str], of_file: set[str]) -> str:
    """Return the decimal mark of a column."""
    clear, doubtful = decimal_of(texts)
    if not (clear or doubtful) or sum(map(looks_like_number, texts)) < len(texts) / 2:
        return "."
    if len(clear) == 1:
        return next(iter(clear))
    if not clear and len(of_file) == 1:
        return next(iter(of_file))
    usual = "," if source.separator == ";" else "."
    if not clear and len(doubtful) == 1 and usual in doubtful:
        if source.separator in (";", "\t"):
            value = doubtful[usual]
            column.notes["doubtful"] = (
                f"{value!r} in column {column.name!r} is {number(value, usual)!r}; else --decimal"
            )
        return usual
    seen = list((clear or doubtful).values())
    place = next(i for i, value in enumerate(column.values) if isinstance(value, str) and seen[0] in value)
    at = f"{source.at(column.first_row(place))}, column {column.name!r}"
    if clear:
        raise ValueError(
            f"{at}: decimal points and commas are mixed, {' and '.join(map(repr, seen))}: write one of them"
        )
    readings = " or ".join(f"{number(seen[0], mark):.15g} (--decimal {mark})" for mark in OTHER)
    raise ValueError(f"{at}: {seen[0]!r} may be {readings}: say which")


def _from_text(column: Column, text: str, decimal: str, value: str) -> float | None:
    """Return the number in text, and note how it was read where that is not plain."""
    found = number(text, decimal)
    if found is not None and has_thousands(text, decimal):
        column.notes.setdefault("thousands", f"marks of thousands: {value!r} in column {column.name!r} is {found:.15g}")
    if found is not None and decimal == "," and "," in text:
        column.notes.setdefault("comma", f"decimal comma: {value!r} in column {column.name!r} is {found:.15g}")
    return found


def _typed(value: Any) -> float | None:
    """Return the number that a typed value is, or None."""
    return float(value) if isinstance(value, Real | Decimal | np.bool_) and isfinite(value) else None


def _is_code(text: str) -> bool:
    """Whether text is digits that begin with a 0, as codes do and numbers do not."""
    return len(text) > 1 and text[0] == "0" and text.isdecimal()
