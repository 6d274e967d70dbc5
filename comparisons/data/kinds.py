"""What a column that is to be a feature holds: numbers, two values, levels, dates or free text."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from comparisons.data.column import BOTH, Column
from comparisons.data.decimals import differ_in_units, unit_of
from comparisons.data.options import flag
from models.validation import Array

MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mär|mai|okt|dez|fév|avr|jui|aoû|déc)[a-zéû]*\.?"
TIME = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*([ap]m)?"
DAY = r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}-?q[1-4]"
WRITTEN = rf"\d{{1,2}}[-. ]*{MONTH}[-. ]*(\d{{2,4}})?|{MONTH}[-. ]*(\d{{1,2}},?)?[-. ]*\d{{2,4}}|{MONTH}[-. ]*\d{{1,2}}"
DATE = re.compile(rf"({DAY}|{WRITTEN})([t ,:]+{TIME}.*)?|{TIME}", re.IGNORECASE)
DAY_MONTH = re.compile(r"(0[1-9]|[12]\d|3[01])\.(0[1-9]|1[0-2])")  # as spreadsheets write days; no number is 01.02
COMPACT_DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
DATED = re.compile(r"(.*[\W_])?(date|timestamp|datetime|fecha)|.*datum|ts|epoch|unix[\W_]?time", re.IGNORECASE)
OF_MONTHS = re.compile(rf"{DATED.pattern}|(.*[\W_])?(day|month|period|monat|mois|mes)", re.IGNORECASE)
MOST_LEVELS, FEW_ROWS = 20, 10


def refusal(column: Column, lines: Sequence[int], categorical: bool) -> str:
    """Return why a column cannot be a feature, naming line and value, or nothing."""
    n, values = len(column.which), column.values
    if len(values) == 0:
        return "has no observed cell"
    at = column.shown(0) + (f" in line {lines[column.first_row(0)]}" if lines else "")
    if is_date(column):
        return f"holds dates ({at})"
    n_observed = int((column.which >= 0).sum())
    if not column.is_numeric and 1 < len(values) == n_observed < n / 2 and column.which[0] == 0:
        return f"holds each word once, above empty cells, as merged cells do ({at}): write it into every row"
    too_many = len(values) > max(MOST_LEVELS, n / 2) or (len(values) == n >= FEW_ROWS and not column.is_numeric)
    if categorical:
        if column.is_numeric and not column.is_whole:
            return f"holds numbers that are no levels, for they are not whole ({at})"
        return f"holds free text ({len(values)} different values, {at})" if too_many else ""
    if column.is_numeric or two_values(column):
        return ""
    if len(values) == 1:
        empty = " and empty cells (write yes and no, if these are two answers)" * bool((column.which < 0).any())
        return f"holds nothing but {at}{empty}"
    kind = "free text" if too_many or len(values) > FEW_ROWS else f"words of {len(values)} kinds"
    if all(isinstance(value, str) for value in values) and differ_in_units(map(str.strip, values)):
        return f"holds numbers with different units ({at}): write one unit, if these are no {kind}"
    words = {f"{value}".strip().lower(): f"{value}" for value in values}
    pair = next((pair for pair in BOTH if pair < words.keys()), words.keys())
    others = [word for key, word in words.items() if key not in pair]
    is_asked = others and not (too_many or column.share_of_numbers)
    no_answers = f"; {flag('missing', others)} if these are no answers" if is_asked else ""
    return f"holds {kind} ({at}{no_answers})"


def misfit(column: Column, categorical: bool) -> int | None:
    """Return the place of the first value of a column of numbers that is none."""
    if column.is_numeric or column.share_of_numbers < 0.5:
        return None
    places = np.flatnonzero(np.isnan(column.numbers)).tolist()
    if categorical and any((column.which == place).sum() > 1 for place in places):
        return None
    return int(places[0])


def two_values(column: Column) -> tuple[dict[Any, float], str] | None:
    """Return the 0 or 1 that each value of a two-valued column of words is, and what says so; None if it is none."""
    if column.categories is None and not np.isnan(column.numbers).all():
        return None
    folded: dict[Any, Any] = {value: f"{value}".strip().lower() for value in column.values}
    known: list[Any] | None = BOTH.get(frozenset(folded.values()))
    if known is None and column.categories is not None:
        folded, known = {value: value for value in column.values}, list(column.categories)
    elif known is None:
        known = sorted(set(folded.values()))
        if len(known) == len(column.which) or any(map(_is_no_word, known)):  # names of the rows, amounts or marks
            return None
    if len(known) != 2:
        return None
    codes = {value: float(known.index(word)) for value, word in folded.items()}
    names = {code: value for value, code in reversed(codes.items())}
    said = ", ".join(f"{names[code]} is {code:.0f}" for code in (1.0, 0.0) if code in names)
    return codes, f"{column.name}: {said}"


def _is_no_word(text: str) -> bool:
    """Whether text is a number with a sign such as $, or nothing but marks."""
    return bool(unit_of([text], letters=False)) or not any(map(str.isalnum, text))


def is_date(column: Column) -> bool:
    """Whether most values are dates or times."""
    texts = [value.strip() for value in column.values if isinstance(value, str)]
    if texts and all(map(DAY_MONTH.fullmatch, texts)) and any(text[0] == "0" for text in texts):
        return True
    if column.is_numeric and DATED.fullmatch(column.name) and min(column.numbers, default=0) > 10_000:
        return True  # days or seconds since some day
    if column.is_numeric and OF_MONTHS.fullmatch(column.name) and _have_months(column.numbers):
        return True
    if column.is_numeric:
        low, high = (column.numbers.min(), column.numbers.max()) if len(column.numbers) > 1 else (0, 0)
        if low >= 19_000_101 and high < 21_000_000 and column.is_whole:
            return all(COMPACT_DATE.fullmatch(f"{value:.0f}") for value in column.numbers)
        return False
    dates = sum(
        isinstance(value, date | np.datetime64)
        or (isinstance(value, str) and np.isnan(known) and DATE.fullmatch(value.strip()) is not None)
        for value, known in zip(column.values, column.numbers, strict=True)
    )
    return dates > len(column.values) / 2


def _have_months(numbers: Array) -> bool:
    """Whether numbers may be days or years with their months: 31.12, 2001.12 or 200112, and none 31.13."""
    low = min(numbers, default=0.0)
    whole, months = np.divmod(np.round(numbers if low >= 190_000 else 100 * numbers, 6), 100)
    days, years = (whole >= 1) & (whole <= 31), (whole >= 1900) & (whole < 2100)
    return len(numbers) > 1 and bool(np.isin(months, np.arange(1, 13)).all() and (days.all() or years.all()))


def numbers_of(column: Column) -> tuple[Array, str]:
    """Return a feature as numbers, NaN where a cell is missing, and what was turned into numbers."""
    if column.is_numeric:
        return column.array, ""
    codes, said = two_values(column) or ({}, "")
    return np.array([*(codes[value] for value in column.values), np.nan])[column.which], said
