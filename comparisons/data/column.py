"""One column of a file: its distinct values, which of them each row has, and the marks of its missing cells.

Plain numbers are read at once by NumPy; what else there is, value by value.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import nan
from typing import Any

import numpy as np
import pandas as pd

from comparisons.data.decimals import looks_like_number, number, unit_of, without_unit
from comparisons.data.options import Reading, flag, is_mark
from models.validation import Array

ONLY_AMONG_NUMBERS = ("none", "-", "–")  # among words they may be levels
PAIRS = """no yes, n y, false true, f t, off on, absent present, negative positive, neg pos, - +, nein ja, n j,
falsch wahr, non oui, n o, faux vrai, no si, no sí, não sim, nee ja, nej ja, нет да, ложь истина, fałsz prawda,
nie tak, ne ano, hayır evet, falso vero, falso verdadero, falso verdadeiro, onwaar waar, no sì,
nu da, όχι ναι, nem igen, ei kyllä, いいえ はい, 否 是, 아니요 예, ✗ ✓, ✘ ✔, ☐ ☑"""
BOTH = {frozenset(pair.split()): pair.split() for pair in PAIRS.split(",")}
DIGITS = r"(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?+"
PLAIN = re.compile(rf"(?:(?:[+-]?{DIGITS})?\n)*+")  # numbers with a decimal point or without, or nothing, by lines
EXPONENT = re.compile(r"^(\d+[eE]\d+|\d\.\d+E\+1[1-9])$", re.MULTILINE)  # of codes, or what a spreadsheet made of them
MANY_DIGITS = re.compile(r"^\d{16,}$", re.MULTILINE)  # more than a float keeps, so that labels stay text
CLEAR_POINT = re.compile(r"\.(?:\d{0,2}|\d{4,})[\neE]|(?<!\d)0?\.\d")


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
        observed = self.which[self.which >= 0]
        return float((~np.isnan(self.numbers[observed])).mean()) if len(observed) else 0.0

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

    def has_mark(self, mark: str) -> bool:
        """Whether a mark stands for missing cells of this column."""
        return any(_equals(one, [mark]) for one in self.marks)

    def shown(self, place: int) -> str:
        """Return a value as messages show it."""
        value = self.values[place]
        return f"{value:.15g}" if self.is_typed else repr(value) if isinstance(value, str) else f"{value}"

    def first_row(self, place: int) -> int:
        """Return the first row that has a value."""
        return int(np.argmax(self.which == place))


def column_of(name: str, raw: Any, asked: Reading, letters: bool) -> Column:
    """Return a column of text or of typed values, with missing marks taken out; ``letters`` may be units of numbers."""
    if isinstance(raw, pd.Series):
        return _typed_column(name, raw, asked, letters)
    odd = {cell for cell in set(raw) if is_mark(cell) or cell in asked.missing}
    plain = "\n".join("" if cell in odd else cell for cell in raw) + "\n"
    is_plain = asked.decimal != "," and PLAIN.fullmatch(plain) and not MANY_DIGITS.search(plain)
    is_plain = is_plain and plain.count("\n") == len(raw)
    if is_plain and ("." not in plain or CLEAR_POINT.search(plain)):
        numbers = np.fromiter((nan if cell in odd else float(cell) for cell in raw), np.float64, len(raw))
        if not np.isinf(numbers).any():
            marks = Counter(cell or "empty" for cell in raw if cell in odd)
            which, values = pd.factorize(numbers)
            column = Column(name, values, which, dict(marks), decimal="." if "." in plain else "")
            if found := EXPONENT.search(plain):
                column.notes["exponent"] = f"exponent: {found[0]!r} in column {name!r} is {float(found[0]):.15g}"
            return _without(column, np.flatnonzero(np.isin(values, as_numbers(asked.missing))).tolist())
    which, values = pd.factorize(np.array(raw, dtype=object))
    return _of_text(Column(name, list(values), which), asked, letters)


def _typed_column(name: str, raw: pd.Series, asked: Reading, letters: bool) -> Column:
    """Return a column of a frame."""
    categories = tuple(raw.dtype.categories) if isinstance(raw.dtype, pd.CategoricalDtype) else None
    if categories is None and raw.dtype.kind not in "iufM":
        raw = pd.Series(raw.to_numpy(dtype=object, na_value=None), dtype=object)
    which, values = pd.factorize(raw)
    nulls = int((which < 0).sum())
    numeric = isinstance(values, np.ndarray) and values.dtype.kind in "iuf"
    column = Column(name, values.astype(float) if numeric else list(values), which, {"null": nulls} if nulls else {})
    column.categories = categories
    return _of_text(column, asked, letters)


def _of_text(column: Column, asked: Reading, letters: bool) -> Column:
    """Return a column without the values that are marks of missing cells."""
    if column.is_typed:
        return _without(column, np.flatnonzero(np.isin(column.values, as_numbers(asked.missing))).tolist())
    hidden = {place for place, value in enumerate(column.values) if _is_missing(value, asked)}
    rest = [value for place, value in enumerate(column.values) if place not in hidden]
    doubted = {mark for mark in rest if isinstance(mark, str) and mark.strip().lower() in ONLY_AMONG_NUMBERS}
    others = [value for value in rest if value not in doubted]
    texts = [value.strip() for value in others if isinstance(value, str)]
    unit = unit_of(texts, letters) if doubted else ""
    are_numbers = all(looks_like_number(without_unit(text, unit)) for text in texts)
    if are_numbers or frozenset(f"{value}".strip().lower() for value in others) in BOTH:
        hidden |= {column.values.index(mark) for mark in doubted}
    elif doubted:
        (mark, *_) = sorted(doubted)
        remedy = f"{flag('missing', [mark])} makes it missing"
        column.notes["level"] = f"{mark!r} in column {column.name!r} is a word like the others; {remedy}"
    return _without(column, sorted(hidden))


def _is_missing(value: Any, asked: Reading) -> bool:
    text = value.strip() if isinstance(value, str) else ""
    known = isinstance(value, str) and is_mark(text) and text.lower() not in ONLY_AMONG_NUMBERS
    return known or bool(asked.missing and _equals(value, asked.missing))


def as_numbers(marks: Sequence[str]) -> list[float]:
    """Return the numbers among marks of missing cells."""
    return [float(found) for mark in marks if (found := number(mark.strip(), ".")) is not None]


def _equals(value: Any, marks: Sequence[str]) -> bool:
    """Whether a value is one of the marks, as text or as a number."""
    found = number(f"{value}".strip(), ".")
    return f"{value}".strip() in marks or (found is not None and found in as_numbers(marks))


def _without(column: Column, hidden: Sequence[int]) -> Column:
    """Return a column in which some of the values are missing."""
    if not hidden:
        return column
    counts = np.bincount(column.which[column.which >= 0], minlength=len(column.values))
    marks = dict(column.marks)
    for place in hidden:
        value = column.values[place]
        mark = f"{value:g}" if column.is_typed else f"{value}".strip() or "empty"
        marks[mark] = marks.get(mark, 0) + int(counts[place])
    kept = np.setdiff1d(np.arange(len(column.values)), hidden)
    to = np.full(len(column.values) + 1, -1)
    to[kept] = np.arange(len(kept))
    values = column.values[kept] if column.is_typed else [column.values[place] for place in kept]
    return replace(column, values=values, which=to[column.which], marks=marks)
