"""Turn cells into numbers; detect marks of missing cells, unit and decimal mark of each column from its values.

NumPy converts a column of plain numbers at once. All other columns are converted value by value.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from math import isfinite, nan
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from comparisons.data.decimals import OTHER, THOUSANDS, decimal_of, looks_like_number, number, unit_of, without_unit
from comparisons.data.features import BOTH, DATE, LABEL
from comparisons.data.options import Reading, flag, is_mark
from comparisons.data.table import Column, Table
from models.validation import Array

ONLY_AMONG_NUMBERS = ("none", "-", "–")  # marks of missing cells among numbers; levels among words
MOST_DIGITS = 15  # that float64 keeps; labels with more digits stay text
DIGITS = rf"(?:0|[1-9][0-9]{{0,{MOST_DIGITS - 1}}})(?:\.[0-9]*)?|\.[0-9]+"
PLAIN = re.compile(rf"[+-]?(?:{DIGITS})(?:[eE][+-]?[0-9]+)?")
CLEAR_POINT = re.compile(r"\.(?:\d{0,2}|\d{4,})(?:$|[eE])|(?<!\d)0?\.\d")
EXPONENT = re.compile(r"\d+[eE]\d+|\d\.\d+E\+1[1-9]")  # a code such as 12E4, or one that a spreadsheet rewrote
CODE = re.compile(r"0\d+")  # a code such as 007; no number begins so


def columns_of(
    table: Table, names: Sequence[str], reading: Reading, letters: bool = True, whole: bool = False
) -> list[Column]:
    """Return columns of a table with their values as numbers, and marks of missing cells taken out.

    ``letters`` says whether a unit may consist of letters (if not, ``1 dose`` is a word), and ``whole`` whether numbers
    must be whole (then ``1,070`` has a mark of thousands).

    Raises
    ------
    ValueError
        If a decimal mark is ambiguous; the message names line, column and value.
    """
    bare = replace(reading, missing=())
    columns = [_column(one, table.raw[one], bare if one in table.unnamed else reading, letters) for one in names]
    texts = {column.name: _without_unit(column, letters) for column in columns}
    of_file = {mark for of_column in texts.values() for mark in decimal_of(of_column)[0]}
    of_file |= {column.decimal for column in columns if column.decimal}
    for column in columns:
        if column.is_typed:
            column.numbers = np.where(np.isfinite(column.values), column.values, nan)
            if column.decimal and "," in of_file:
                labels = f"{flag('drop', [column.name])} if they are labels"
                column.notes["points"] = f"column {column.name!r} has decimal points, others have commas; {labels}"
        else:
            decimal = reading.decimal or _decimal(table, column, texts[column.name], of_file, whole)
            column.numbers = _numbers(column, texts[column.name], decimal)
    return columns


def as_numbers(marks: Sequence[str]) -> list[float]:
    """Return the numbers among marks of missing cells; 00, as in genotypes, is text."""
    return [float(found) for mark in marks if mark[:2] != "00" and (found := number(mark.strip(), ".")) is not None]


def equals_a_mark(value: Any, marks: Sequence[str]) -> bool:
    """Whether a value is one of the marks, as text or as a number."""
    text = f"{value}".strip()
    return text in marks or number(text, ".") in as_numbers(marks)


def _column(name: str, raw: Any, reading: Reading, letters: bool) -> Column:
    """Return a column of text or of typed values, with marks of missing cells taken out."""
    column = _of_series(name, raw if isinstance(raw, pd.Series) else pd.Series(raw, dtype=object))
    column = column.without(_missing(column, reading, letters))
    return _plain(column) if reading.decimal != "," and column.categories is None else column


def _of_series(name: str, raw: pd.Series) -> Column:
    """Return a column of texts or of a frame."""
    categories = tuple(raw.dtype.categories) if isinstance(raw.dtype, pd.CategoricalDtype) else None
    if categories is None and raw.dtype.kind not in "iufM":
        values = raw.to_numpy(dtype=object, na_value=None)
        raw = pd.Series([value.strip() if isinstance(value, str) else value for value in values], dtype=object)
    codes, values = pd.factorize(raw)
    is_typed = raw.dtype.kind == "f" or (raw.dtype.kind in "iu" and max(abs(values), default=0) < 10**MOST_DIGITS)
    values = np.asarray(values, dtype=np.float64) if is_typed else list(values)
    marks = {"null": int((codes < 0).sum())} if (codes < 0).any() else {}
    return Column(name, values, codes, marks, categories=categories)


def _missing(column: Column, reading: Reading, letters: bool) -> list[int]:
    """Return the codes of the values that mark missing cells.

    "-" and "none" do so among numbers and beside yes and no. Among other words they stay levels, with a note.
    """
    keeps = reading.missing and column.is_distinct and column.name not in reading.columns and _are_labels(column)
    marks = () if keeps else reading.missing
    if column.is_typed:
        return np.flatnonzero(np.isin(column.values, as_numbers(marks))).tolist()
    texts = {at: value.strip() for at, value in enumerate(column.values) if isinstance(value, str)}
    named = [at for at, value in enumerate(column.values) if marks and equals_a_mark(value, marks)]
    known = [at for at, text in texts.items() if is_mark(text) and at not in named]
    unclear = [at for at in known if texts[at].lower() in ONLY_AMONG_NUMBERS]
    if not unclear:
        return named + known
    others = [value for at, value in enumerate(column.values) if at not in {*named, *known}]
    words = [value.strip() for value in others if isinstance(value, str)]
    unit = unit_of(words, letters)
    are_numbers = all(looks_like_number(without_unit(text, unit)) for text in words)
    if are_numbers or frozenset(f"{value}".strip().lower() for value in others) in BOTH:
        return named + known
    mark = min(column.values[at] for at in unclear)
    remedy = f"{flag('missing', [mark])} makes it missing"
    column.notes["level"] = f"{mark!r} in column {column.name!r} is a word like the others; {remedy}"
    return [at for at in named + known if at not in unclear]


def _are_labels(column: Column) -> bool:
    """Whether different values label or number the rows: a mark such as 2 is not meant for the second row."""
    numbers = {int(label) for label in column.labels if label.isdecimal() and len(label) <= MOST_DIGITS}
    is_run = len(numbers) == len(column.codes) == max(numbers, default=0) - min(numbers, default=0) + 1
    are_amounts = any(looks_like_number(label) and not label.lstrip("-").isdecimal() for label in column.labels)
    return is_run or (bool(LABEL.fullmatch(column.name)) and not are_amounts)


def _plain(column: Column) -> Column:
    """Return a column of text as one of floats if all its texts are plain numbers and its points are decimal points."""
    texts, points = column.texts, [text for text in column.texts if "." in text]
    is_clear = not points or any(map(CLEAR_POINT.search, points))
    if not is_clear or len(texts) < len(column.values) or not all(map(PLAIN.fullmatch, texts)):
        return column
    codes, values = pd.factorize(np.array(texts, dtype=np.float64))
    if np.isinf(values).any():
        return column
    plain = replace(column, values=values, codes=np.append(codes, -1)[column.codes], decimal="." * bool(points))
    for text in filter(EXPONENT.fullmatch, texts):
        _note(plain, "exponent", text, float(text))
    return plain


def _without_unit(column: Column, letters: bool) -> list[str]:
    """Return the texts of a column without the unit of their numbers."""
    texts = column.texts
    unit = "" if any(map(DATE.fullmatch, texts[:1])) else unit_of(texts, letters)
    bare = [without_unit(text, unit) for text in texts]
    if unit and sum(map(looks_like_number, bare)) > len(texts) / 2:
        column.notes[f"unit {unit}"] = f"unit {unit} removed from the numbers of column {column.name!r}"
    return bare


def _decimal(table: Table, column: Column, texts: list[str], of_file: set[str], whole: bool) -> str:
    """Return the decimal mark of a column: by its own numbers, else by those of the file, else by the separator."""
    clear, ambiguous = decimal_of(texts, whole and not decimal_of(texts)[0])
    if not (clear or ambiguous) or sum(map(looks_like_number, texts)) < len(texts) / 2:
        return "."
    known, usual = clear or of_file, "," if table.separator == ";" else "."
    if len(known) == 1:
        return next(iter(known))
    if not clear and list(ambiguous) == [usual]:
        if table.separator != ",":
            text, other = ambiguous[usual], OTHER[usual]
            usual_reading = f"{text!r} in column {column.name!r} is {_by(usual, text)}"
            column.notes["ambiguous"] = f"{usual_reading}; by --decimal {other} it is {_by(other, text)}"
        return usual
    seen = list((clear or ambiguous).values())
    places = [at for at, value in enumerate(column.values) if isinstance(value, str)]
    at = f"{table.location(column.first_row(places[texts.index(seen[0])]))}, column {column.name!r}"
    if clear:
        given = " and ".join(map(repr, seen))
        raise ValueError(f"{at}: decimal points and commas are mixed, {given}: write one of them")
    readings = " or ".join(f"{_by(mark, seen[0])} (--decimal {mark})" for mark in OTHER)
    raise ValueError(f"{at}: {seen[0]!r} may be {readings}: say which")


def _by(mark: str, text: str) -> str:
    """Return the number that text means under a decimal mark, as messages show it."""
    value = number(text, mark)
    return "no number" if value is None else f"{value:.15g}"


def _numbers(column: Column, texts: Sequence[str], decimal: str) -> Array:
    """Return each value as a number, NaN if it is none; note each unusual way in which a number is written."""
    if any(map(CODE.fullmatch, column.texts)):
        return np.full(len(column.values), nan)
    numbers, bare = [], iter(texts)
    for value in column.values:
        if isinstance(value, str):
            found = number(text := next(bare), decimal)
            for kind in () if found is None else _how(text, value, decimal):
                _note(column, kind, value, found)
        else:
            found = float(value) if isinstance(value, Real | Decimal | np.bool_) and isfinite(value) else None
        numbers.append(nan if found is None else found)
    return np.array(numbers, dtype=np.float64)


def _how(text: str, value: str, decimal: str) -> list[str]:
    """Return the unusual ways in which a number is written; ``text`` is the value without its unit."""
    ways = {
        "marks of thousands": THOUSANDS[decimal].fullmatch(text),
        "a dash of accounts": text == "0" and "-" in value,
        "exponent": "E" in text and text not in value.upper(),
        "negative": text.startswith("-") and ("(" in value or value.rstrip().endswith("-")),
        "decimal comma": decimal == "," and "," in text,
    }
    return [way for way, holds in ways.items() if holds]


def _note(column: Column, kind: str, value: str, found: float | None) -> None:
    remedy = f"; {flag('missing', [value.strip()])} makes it missing" if kind == "a dash of accounts" else ""
    column.notes.setdefault(kind, f"{kind}: {value!r} in column {column.name!r} is {found:.15g}{remedy}")
