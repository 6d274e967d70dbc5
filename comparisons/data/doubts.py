"""Doubts about columns: each is one line that asks or says what was taken, with a remedy; nothing is changed.

Samples come in any order and have amounts, each column in one unit. What is not like that leaves traces:

==========  ===================================================================================
marks       of missing cells, such as -999, lie apart from all amounts, or are the one number that is there often
kinds       whole numbers beside numbers of another kind may be names, ranks, places or years
order       numbers that rise from row to row are those of a clock, a counter or a list
minutes     parts never end in 60 to 99 where they are minutes
units       some numbers would be like the others if they were multiplied by 100 or 1000
names       mean beside sd, value beside variable, from beside to: a row is no sample
shape       as many columns as rows, or columns that end early: a column is no feature
pairs       of values of two columns are each in one row: a row may be a cell of another table
variance    a constant, or a sum of other columns, has none of its own
==========  ===================================================================================
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import poisson

from comparisons.data.decimals import looks_like_number
from comparisons.data.options import flag
from comparisons.data.roles import Roles
from comparisons.data.table import Column, Table, by_what
from comparisons.data.words import WORDS, called
from comparisons.family import Family
from models.labels import some_of
from models.validation import Array

MOST_LOOKED_AT = 100_000  # rows
MOST_CODED, WEEK, DAY, MOST_NAMED = 5, 7, 24, 8  # up to which -1 is no mark, lengths of scales, and names in a remedy
NEAREST, WIDE, PART = 10, 3, 0.1  # a gap is wide against those of its next values, and against their range
LEAST_WITHIN, RARE, FULL = 100, 1e-3, 1.25  # marks among amounts; all pairs of a long table against those there
CODES = [sign * code for code in WORDS["code"] for sign in (1, -1)] + WORDS["negative_code"]
NAME, UNIT, MEASURED, AMOUNT = called("name"), called("unit"), called("measured"), called("amount")
BY_NAMES = (  # of columns that are both there
    (called("centre"), called("spread"), "are {0}, {1} summaries of groups? A row is one observation"),
    (called("variable"), called("value"), "are quantities in {1} named by {0}? Write a column for each"),
    (called("from"), called("to"), "do {0} and {1} name what a row lies between? Names are no amounts"),
)


def doubts(table: Table, roles: Roles, X: Any, pair: Family) -> list[str]:
    """Return sentences on features that may be no amounts or levels of samples X of a family."""
    features, counts = roles.features, pair.parameters_type.cells.whole
    numeric = [one for one in features if one.is_numeric and len(one.values)]
    with np.errstate(over="ignore", invalid="ignore"):  # sums and differences of the largest floats
        said = [note for one in numeric if "a dash of accounts" not in one.notes and (note := _marks(one, features))]
        if not pair.categorical:
            said += [*_kinds(numeric, counts), *_names(list(table.raw)), *_shape(features)]
            said += [] if roles.weights else _crossed(table.raw)
            seen = [(one.name, one.array[one.observed][:MOST_LOOKED_AT]) for one in numeric]
            ordered = roles.weights is None
            why = by_what((name, _minutes(x) or _units(x) or _order(x, len(features)) * ordered) for name, x in seen)
            said += [f"{_each(names)} {what.format(drop=flag('drop', names))}" for what, names in why.items()]
            said += [*_without_variance(features, X), *_pasted_twice(X), *(_without_zeros(features) if counts else [])]
    for name in filter(UNIT.fullmatch, table.raw):
        units = sorted(word for word in {f"{cell}" for cell in table.raw[name]} if word and not looks_like_number(word))
        said += [f"column {name!r} names several units ({some_of(units)}): write all numbers in one"][: len(units) - 1]
    return said


def _each(names: Sequence[str]) -> str:
    """Return the subject of a sentence about one column, or about each of several."""
    return f"column {names[0]!r}" if len(names) == 1 else f"each of {some_of(names)}"


def _marks(column: Column, others: Sequence[Column]) -> str:
    """Return a question about numbers such as -999, or 88 and 99, far from all others or alone below 0, or nothing."""
    values, which = np.unique(column.numbers, return_inverse=True)
    times = np.bincount(which[column.which[column.observed]])
    is_code = np.isin(values, [*CODES, *(8.0, 9.0) * (column.is_whole and len(values) > 3)])
    wide = np.diff(values) > np.ptp(values) / 1.5  # more than twice the range of the others
    is_lone = np.isin(values, values[[0, -1]]) & (np.append(wide, False) | np.append(False, wide)) & (times > 1)
    inner = np.flatnonzero(~(is_code | (is_lone & (len(values) > NEAREST))))
    codes, rest = values[:0], values[inner[0] : inner[-1] + 1] if len(inner) else values
    for outer in np.flatnonzero(values < rest[0]), np.flatnonzero(values > rest[-1]):
        far = np.array([_is_far(values[at], rest, is_code[at], times[at] > 1) for at in outer], dtype=bool)
        codes, rest = np.append(codes, values[outer[far]]), np.union1d(rest, values[outer[~far]])
    often = (times > times[~is_code].max(initial=2)) & (len(values) > NEAREST)
    heaps = np.flatnonzero(is_code & often & (values >= LEAST_WITHIN))
    if not len(codes := np.union1d(codes, [values[at] for at in heaps if _is_heap(values, times, int(at))])):
        return ""
    marks = [f"{code + 0.0:.15g}" for code in codes]
    verb, what = ("Is", "a mark") if len(marks) == 1 else ("Are", "marks")
    too = [one.name for one in others if one is not column and np.isin(codes, one.numbers).any()]
    remedy = flag("missing", marks) + (f"; if not so in {some_of(too)}, empty these cells in the file" if too else "")
    return f"{verb} {' and '.join(marks)} in column {column.name!r} {what} of missing cells? Then {remedy}"


def _is_heap(values: Array, times: np.ndarray, at: int) -> bool:
    """Whether a number is there more often than it would be by chance, as often as those about it: a Poisson number."""
    near = slice(max(at - NEAREST, 0), at + NEAREST + 1)
    rate = (times[near].sum() - times[at]) * np.diff(values).min() / np.ptp(values[near])
    return bool(poisson.sf(times[at] - 1, rate) < RARE)


def _is_far(value: float, rest: Array, known: bool, repeated: bool) -> bool:
    """Whether a number is far from the rest, or a known code repeated beyond a gap that is wide, or alone below 0."""
    is_below = value < rest[0]
    if len(rest) < 2 or is_below != (value <= 0):
        return False
    gap, nearest = (rest[0] - value, rest[:NEAREST]) if is_below else (value - rest[-1], rest[-NEAREST:])
    is_wide = len(rest) > 2 and gap >= max(WIDE * np.diff(nearest).max(), PART * np.ptp(rest))
    is_alone = value < 0 <= rest[0] and rest[-1] > MOST_CODED
    return bool(gap > 2 * np.ptp(rest) or (known and (is_alone or (repeated and is_wide))))


def _kinds(features: Sequence[Column], counts: bool) -> list[str]:
    """Return a sentence on whole numbers that may be names: as they are called, or as features are of several kinds."""
    kinds = {one.name: _kind(one, counts) for one in features if len(one.values) > 2}
    differ = len(set(kinds.values())) > 1
    names = [name for name, kind in kinds.items() if kind == "name" or (differ and kind != "amount")]
    drop = flag("drop", [*names[:MOST_NAMED], *["..."] * (len(names) > MOST_NAMED)])
    return [f"taken as amounts: {some_of(names)}; {drop} if these numbers are names or ranks"][: len(names)]


def _kind(column: Column, counts: bool) -> str:
    """Return what numbers look like: a scale has all of 1, 2, 3, ..., a code has as many digits in every row."""
    values = np.unique(column.numbers)
    has_unit = any(kind.startswith(("unit", "marks of thousands")) for kind in column.notes)
    is_amount = values[-1] > DAY and AMOUNT.fullmatch(column.name)
    if not column.is_whole or has_unit or is_amount or MEASURED.fullmatch(column.name):
        return "amount"
    if NAME.fullmatch(column.name):
        return "name"
    if values[0] == 1 and (WEEK if counts else 1) <= len(values) == values[-1] <= DAY:
        return "scale"
    is_code = values[0] >= 1000 and len(f"{values[0]:.0f}") == len(f"{values[-1]:.0f}")
    return "code" if is_code else "amount" if counts else "whole"


def _names(names: Sequence[str]) -> list[str]:
    """Return questions that the names of two columns raise."""
    said = []
    for first, second, question in BY_NAMES:
        ones, others = ([name for name in names if of.fullmatch(name)] for of in (first, second))
        said += [question.format(some_of(ones), some_of(others))] if ones and others else []
    return said


def _crossed(raw: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return a question if each pair of values of two columns is in one row, and nearly every pair is there."""
    n = len(next(iter(raw.values())))
    levels = {name: len({*cells}) for name, cells in raw.items()} if NEAREST <= n <= MOST_LOOKED_AT else {}
    for one, other in combinations(sorted(levels, key=levels.__getitem__), 2):
        is_grid = levels[one] > 1 and levels[other] < n <= levels[one] * levels[other] <= FULL * n
        if is_grid and len({*zip(raw[one], raw[other], strict=True)}) == n:
            pairs = f"each pair of {one!r} and {other!r} is in one row, as in a long table"
            return [f"{pairs}: is a row a sample? If not, write a column for each {one!r}"]
    return []


def _shape(features: Sequence[Column]) -> list[str]:
    """Return questions on tables that lie on their side, or have a column for each group."""
    n, D = len(features[0].which), len(features)
    short = [one for one in features if not one.observed.all()]
    end_early = all(not any(one.observed[-2:]) and (np.diff(one.observed.astype(int)) <= 0).all() for one in short)
    said = [f"{n} rows of {D} features: is a row a sample? If it is a variable, transpose the table"] * (1 < n <= D)
    ends = f"{some_of([one.name for one in short])} end early: are columns groups?"
    return said + [f"{ends} Write one of values, and one of groups"] * bool(short and end_early)


def _minutes(x: Array) -> str:
    """Return a question if the last two digits are never 60 or more, where chance alone would hardly avoid them."""
    is_whole = bool((x % 1 == 0).all()) and x.max() < 3200  # 31 December
    wholes, parts = np.divmod(x if is_whole else np.round(100 * np.abs(x), 6), 100)
    if (parts % 1 > 0).any() or len(np.unique(parts)) < 4 or parts.max() >= 60:
        return ""
    inner = (wholes > wholes.min()) & (wholes < wholes.max()) & (parts > 0)
    rare = 0.6 ** inner.sum() < 1 / 300
    return f"never ends in 60 to 99: does {'915' if is_whole else '9.15'} mean 9:15? Then write 9.25" if rare else ""


def _units(x: Array) -> str:
    """Return a question if some numbers would be like the others when multiplied by 100 or 1000."""
    values = np.unique(x)
    if len(values) < 4 or values[0] <= 0:
        return ""
    cut = int(np.argmax(values[1:] / values[:-1])) + 1
    low, high = x[x < values[cut]], x[x >= values[cut]]
    factor = 10 ** np.round(np.log10(np.median(high) / np.median(low)))
    some, most = (factor * low, high) if len(low) < len(high) else (high, factor * low)
    is_like = some.min() > most.min() / 1.5 and some.max() < 1.5 * most.max()
    is_narrow = most.max() < (10 if len(some) > 1 else 3) * most.min()
    differ = factor in (100, 1000) and is_like and is_narrow and (low % 1 > 0).any()
    question = f"holds {low.max():g} and {high.min():g}: are some {factor:g} times too small? Then write one unit"
    return question * bool(differ)


def _order(x: Array, n_features: int) -> str:
    """Return a question if nearly all steps from row to row go one way; of a single column, if all are the same.

    Of n numbers in random order, rises less falls have mean 0 and variance (n + 1) / 3.
    """
    steps = np.diff(x) if len(x) >= NEAREST else np.zeros(1)
    one_way = n_features > 1 and abs(np.sign(steps).sum()) > max(0.6 * len(steps), 4.5 * np.sqrt((len(x) + 1) / 3))
    is_clock = steps[0] != 0 and np.ptp(steps) <= 1e-6 * abs(x[-1] - x[0])
    question = "goes on from row to row as a clock or a counter does: is it a feature? If not, {drop}"
    return question if one_way or is_clock else ""


def _without_variance(features: Sequence[Column], X: Array) -> list[str]:
    """Return what says that a column is constant, or a sum of multiples of those before it, which no Gaussian fits."""
    if len(X) < 3:
        return []
    holes = np.isnan(X)
    low, high = np.nanmin(X, axis=0), np.nanmax(X, axis=0)
    whole = X[~holes.any(axis=1)][:MOST_LOOKED_AT]
    follows = _follows(whole) if len(whole) > X.shape[1] else np.zeros(X.shape[1], dtype=bool)
    sums = "follows from those before it, as a sum does"
    cell, among = ("observed cell", " in the rows without missing cells") if holes.any() else ("row", "")
    alike = by_what(
        (features[d].name, f"is {low[d]:.15g} in every {cell}" if low[d] == high[d] else f"{sums}{among}")
        for d in np.flatnonzero((low == high) | follows).tolist()
    )
    return [
        f"{_each(names)} {what}; {flag('drop', names)} leaves {'it' if len(names) == 1 else 'them'} out"
        for what, names in alike.items()
    ]


def _pasted_twice(X: Array) -> list[str]:
    """Return a sentence if the lower half of the rows is the upper again."""
    upper, lower = X[: len(X) // 2], X[len(X) // 2 :]
    again = len(np.unique(upper)) > 2 and np.array_equal(upper, lower, equal_nan=True)
    return ["the lower half of the rows repeats the upper: delete it if it was pasted twice"][:again]


def _follows(X: Array) -> np.ndarray:
    """Return which columns are sums of multiples of those before them, and no constants, up to rounding."""
    largest = np.abs(X).max(axis=0)
    X = X / np.where(largest > 0, largest, 1.0)
    scale = X.std(axis=0)
    constant = scale <= 1e-12
    left = np.linalg.qr((X - X.mean(axis=0)) / np.where(constant, 1.0, scale), mode="r").diagonal()
    return ~constant & (np.abs(left) <= 1e-9 * len(X) ** 0.5)


def _without_zeros(features: Sequence[Column]) -> list[str]:
    """Return a sentence on counts of 1 and more, and empty cells, which may be zeros that nobody wrote."""
    empty = [one for one in features if {"empty", "null"} & one.marks.keys()]
    names = [one.name for one in empty if one.is_numeric and min(one.numbers, default=0) == 1]
    return [f"no 0, but empty cells: {', '.join(names)}; write 0 into them if they mean no or none"][: len(names)]
