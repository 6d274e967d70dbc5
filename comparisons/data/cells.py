"""Cells to numbers: the decimal mark and the unit of each column, found out from its distinct values."""

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite, nan
from numbers import Real
from typing import Any

import numpy as np

from comparisons.data.column import Column
from comparisons.data.decimals import OTHER, decimal_of, has_thousands, looks_like_number, number, unit_of, without_unit
from comparisons.data.kinds import DATE
from comparisons.data.options import flag
from models.validation import Array


def read_numbers(source: Any, columns: Sequence[Column], decimal: str | None, letters: bool) -> None:
    """Find the number that each value of each column is; text is read by the column's decimal mark.

    ``letters`` says whether units of letters are taken off; else ``1 dose`` is a word.

    Raises
    ------
    ValueError
        If a decimal mark is not clear; the message names line, column and value.
    """
    texts = {}
    for column in columns:
        if column.is_typed:
            column.numbers = np.where(np.isfinite(column.values), column.values, nan)
            continue
        of_column = [value.strip() for value in column.values if isinstance(value, str)]
        unit = "" if any(map(DATE.fullmatch, of_column[:1])) else unit_of(of_column, letters)
        texts[column.name] = [without_unit(text, unit) for text in of_column]
        if unit and sum(map(looks_like_number, texts[column.name])) > len(of_column) / 2:
            column.notes[f"unit {unit}"] = f"unit {unit} taken off the numbers of column {column.name!r}"
    of_file = {column.decimal for column in columns} - {""}
    of_file |= {mark for of_column in texts.values() for mark in decimal_of(of_column)[0]}
    for column in columns:
        if not column.is_typed:
            chosen = decimal or _decimal(source, column, texts[column.name], of_file)
            column.numbers = _numbers(column, texts[column.name], chosen)


def _numbers(column: Column, texts: Sequence[str], decimal: str) -> Array:
    """Return the number that each value is, NaN for none."""
    stripped = iter(texts)
    found = [_from_text(column, next(stripped), decimal, v) if isinstance(v, str) else _typed(v) for v in column.values]
    if any(isinstance(value, str) and _is_code(value.strip()) for value in column.values):
        found = [None] * len(found)
    return np.array([nan if value is None else value for value in found], dtype=np.float64)


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
        if source.separator != ",":
            value, other = doubtful[usual], OTHER[usual]
            column.notes["doubtful"] = (
                f"{value!r} in column {column.name!r} is {_by(usual, value)}; "
                f"by --decimal {other} it is {_by(other, value)}"
            )
        return usual
    seen = list((clear or doubtful).values())
    places = [i for i, value in enumerate(column.values) if isinstance(value, str)]
    at = f"{source.at(column.first_row(places[texts.index(seen[0])]))}, column {column.name!r}"
    if clear:
        raise ValueError(
            f"{at}: decimal points and commas are mixed, {' and '.join(map(repr, seen))}: write one of them"
        )
    readings = " or ".join(f"{_by(mark, seen[0])} (--decimal {mark})" for mark in OTHER)
    raise ValueError(f"{at}: {seen[0]!r} may be {readings}: say which")


def _by(mark: str, text: str) -> str:
    """Return what text is by a decimal mark, in words."""
    value = number(text, mark)
    return "no number" if value is None else f"{value:.15g}"


def _from_text(column: Column, text: str, decimal: str, value: str) -> float | None:
    """Return the number in text, and note how it was read where that is not plain."""
    found = number(text, decimal)
    if found is not None and has_thousands(text, decimal):
        column.notes.setdefault("thousands", f"marks of thousands: {value!r} in column {column.name!r} is {found:.15g}")
    if found is not None and text == "0" and "-" in value:
        remedy = f"{flag('missing', [value.strip()])} makes it missing"
        column.notes.setdefault("zero", f"a dash of accounts: {value!r} in column {column.name!r} is 0; {remedy}")
    if found is not None and "E" in text and text not in value.upper():
        column.notes.setdefault("exponent", f"exponent: {value!r} in column {column.name!r} is {found:.15g}")
    if found is not None and text.startswith("-") and ("(" in value or value.rstrip().endswith("-")):
        column.notes.setdefault("negative", f"negative: {value!r} in column {column.name!r} is {found:.15g}")
    if found is not None and decimal == "," and "," in text:
        column.notes.setdefault("comma", f"decimal comma: {value!r} in column {column.name!r} is {found:.15g}")
    return found


def _typed(value: Any) -> float | None:
    """Return the number that a typed value is, or None."""
    return float(value) if isinstance(value, Real | Decimal | np.bool_) and isfinite(value) else None


def _is_code(text: str) -> bool:
    """Whether text is digits that begin with a 0, as codes do and numbers do not."""
    return len(text) > 1 and text[0] == "0" and text.isdecimal()
