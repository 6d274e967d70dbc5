"""Check whether features are plausible; return a note with a remedy for each that is not. No data are changed.

A mixture expects samples in any order, and features that are amounts, each in one unit. These checks look for data that
are something else:

==========  =====================================================================================================
marks       numbers that may mark missing cells (:mod:`comparisons.data.missing_marks`)
kinds       whole numbers beside numbers of another kind: names, ranks, places or years
order       numbers that rise or fall from row to row: a clock or a counter
minutes     decimals that are never 60 to 99: hours and minutes
units       some numbers are 100 or 1000 times too small: two units in one column
names       columns called mean and sd, value and variable, from and to: a row is no sample; exposures
shape       as many columns as rows, or columns that end early: a column is no feature
pairs       each combination of values of two or three columns is in one row: a long table, whose rows are no samples
sums        rows that are sums of the rows directly above or below them
variance    a constant column, or a linear combination of others, which makes every covariance singular
remarks     words in fewer than half of the rows
answers     nothing but 0 and 1 where any real number may stand: another family takes them
==========  =====================================================================================================
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from math import prod
from typing import Any

import numpy as np

from comparisons.data.decimals import looks_like_number
from comparisons.data.features import commands_of, takes
from comparisons.data.files import SAMPLE
from comparisons.data.missing_marks import marks_question
from comparisons.data.options import flag
from comparisons.data.roles import Roles
from comparisons.data.strays import half_a_digit
from comparisons.data.table import Column, Table, names_by_message
from comparisons.data.words import is_called, pattern_of
from comparisons.family import Family
from models.labels import some_of
from models.validation import Array

MOST_LOOKED_AT, MOST_NAMED = 100_000, 8  # rows, and columns that a remedy lists
WEEK, DAY, EVEN = 7, 24, 2  # shortest scale of counts, longest scale, and its variance over mean of frequencies
FEW = 10  # rows from which a column is asked about, and columns whose combinations are tried
MOST_ROUNDED = 0.01  # error of rounding, in standard deviations, up to which a linear combination is seen
LARGE, FULL = 200, 1.25  # a sum, in halves of its last digit; all pairs of keys over those in a long table, at most
NOTHING = {"empty", "null", "-", "–"}  # what may mean 0 among counts
NAME, CODE = pattern_of("name", "code_name", "design"), pattern_of("code_name")
UNIT, MEASURED, AMOUNT = pattern_of("unit"), pattern_of("measured"), pattern_of("amount")
BY_NAMES = (  # questions about two columns with such names; the first one applies to levels too
    (pattern_of("variable"), pattern_of("value"), "does {0} name the quantities in {1}? Write a column for each"),
    (pattern_of("centre"), pattern_of("spread"), "are {0}, {1} summaries of groups? A row is one observation"),
    (pattern_of("from"), pattern_of("to"), "do {0} and {1} name the two ends of a row? Names are no amounts"),
)


def plausibility_notes(table: Table, roles: Roles, X: Any, pair: Family) -> list[str]:
    """Return notes on features that may not be what the family expects, with remedies."""
    features, counts = roles.features, pair.parameters_type.cells.whole
    numeric = [one for one in features if one.is_numeric and len(one.values)]
    with np.errstate(over="ignore", invalid="ignore"):  # sums and differences of the largest floats
        marks = {one.name: marks_question(one, features) for one in numeric}
        notes = [*_about(marks.items()), *_names(list(table.raw), BY_NAMES[:1] if pair.categorical else BY_NAMES)]
        size = pair.parameters_type.cells.size_name * (len(features) > 1)
        # Beside a column max, min is no number of minutes.
        named = [one for one in numeric if one.name.lower() != "min" or "max" not in map(str.lower, table.raw)]
        how = f"may hold {size}s: give its name to --{size}, or {{drop}}"
        asked = {size: how, "measurement" * bool(size and counts): "may be measured, not counted: {drop} if so"}
        notes += _about((one.name, how) for kind, how in asked.items() for one in named if is_called(one.name, kind))
        seen = [(one.name, one.array[one.observed][:MOST_LOOKED_AT]) for one in numeric]
        order = {name: _order(x, len(features), pair.categorical) * (roles.weights is None) for name, x in seen}
        stacked = np.array([one.array for one in numeric]).T if pair.categorical else X
        notes += _without_variance(numeric if pair.categorical else features, stacked) if len(stacked) > 2 else []
        if not pair.categorical:
            notes += [*_kinds([one for one in numeric if not is_called(one.name, size)], counts), *_shape(features)]
            notes += [] if roles.weights and len(features) + 1 == len(table.raw) else _crossed(table.raw)
            order = {name: _minutes(x) or (not marks[name] and _units(x)) or order[name] for name, x in seen}
            notes += [*_pasted_twice(X), *_subtotals(table, X)]
            notes += [*_without_zeros(features, counts), *(_answers(X) if takes(type(pair), -0.5) else [])]
        notes += _about(order.items())
    rare = [one.name for one in features if not one.is_numeric and len(one.values) > 1 and one.observed.mean() < 0.5]
    notes += [f"most cells of {some_of(rare)} are empty; {flag('drop', rare)} if the others are remarks"][: len(rare)]
    for name in filter(UNIT.fullmatch, table.raw):
        units = sorted(word for word in {f"{cell}" for cell in table.raw[name]} if word and not looks_like_number(word))
        notes += [f"column {name!r} names several units ({some_of(units)}): write all numbers in one"][: len(units) - 1]
    return notes


def _about(messages: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield notes on columns, one for all columns with the same message, in which {drop} stands for a remedy."""
    for what, names in names_by_message(messages).items():
        subject, them = (f"column {names[0]!r}", "it") if len(names) == 1 else (f"each of {some_of(names)}", "them")
        yield f"{subject} {what}".replace("{drop}", flag("drop", names)).replace("{them}", them)


def _kinds(features: Sequence[Column], counts: bool) -> list[str]:
    """Return a note on whole numbers that may be names, by the column's name or because other features are amounts."""
    kinds = {one.name: kind for one in features if (kind := _kind(one, counts)) == "name" or len(one.values) > 2}
    differ = len(set(kinds.values())) > 1
    names = [name for name, kind in kinds.items() if kind == "name" or (differ and kind != "amount")]
    drop = flag("drop", [*names[:MOST_NAMED], *["..."] * (len(names) > MOST_NAMED)])
    return [f"read as amounts: {some_of(names)}; {drop} if these numbers are names or ranks"][: len(names)]


def _kind(column: Column, counts: bool) -> str:
    """Return the kind of a column's numbers: "amount", "name", "scale", "code" or "whole".

    A scale has all of 1, 2, 3, ...; codes have the same number of digits in every row. Codes of nine digits and more,
    such as those of phones and firms, may have blanks, which are no marks of thousands.
    """
    values = np.unique(column.numbers)
    is_code = values[0] >= 1000 and len(f"{values[0]:.0f}") == len(f"{values[-1]:.0f}")
    kinds = "unit" if is_code and values[0] >= 1e8 else ("unit", "marks of thousands")
    is_amount = values[-1] > DAY and AMOUNT.fullmatch(column.name)
    if any(kind.startswith(kinds) for kind in column.notes) or is_amount or MEASURED.fullmatch(column.name):
        return "amount"
    of_two = counts and values.tolist() == [1, 2] and len(column.codes) >= FEW
    is_name = of_two or (NAME if column.is_whole else CODE).fullmatch(column.name)
    if is_name or not column.is_whole:
        return "name" if is_name else "amount"
    times = np.bincount(column.codes + 1)[1:]  # counts gather about their mean, classes do not
    is_even = not counts or (len(values) >= WEEK and times.var() < EVEN * times.mean())
    if values[0] == 1 and len(values) == values[-1] <= DAY and is_even:
        return "scale"
    return "code" if is_code else "amount" if counts else "whole"


def _names(names: Sequence[str], questions: Iterable[tuple[Any, ...]]) -> list[str]:
    """Ask about pairs of columns whose names say that a row is no sample."""
    found = [([[name for name in names if of.fullmatch(name)] for of in pair], asked) for *pair, asked in questions]
    return [asked.format(*map(some_of, pair)) for pair, asked in found if all(pair)]


def _crossed(raw: Mapping[str, Sequence[Any]]) -> list[str]:
    """Ask about two or three columns if each combination of their values is in one row, and nearly all occur."""
    n = len(next(iter(raw.values())))
    levels = {name: len({*cells}) for name, cells in raw.items()} if FEW <= n <= MOST_LOOKED_AT else {}
    names = sorted(levels, key=levels.__getitem__)
    for keys in (*combinations(names, 2), *combinations(names[:FEW], 3)):
        is_grid = levels[keys[0]] > 1 and levels[keys[-1]] < n <= prod(levels[key] for key in keys) <= FULL * n
        if is_grid and len({*zip(*(raw[key] for key in keys), strict=True)}) == n:
            asked = "is in one row, as in a long table: is a row a sample? If not, write a column for each"
            return [f"each combination of {some_of(keys)} {asked} {some_of(keys[:-1])}"]
    return []


def _shape(features: Sequence[Column]) -> list[str]:
    """Ask whether the table is transposed, has merged cells, or has one column for each group."""
    n, D = len(features[0].codes), len(features)
    short = [one for one in features if not one.observed.all()]
    end_early = all(not any(one.observed[-2:]) and (np.diff(one.observed.astype(int)) <= 0).all() for one in short)
    notes = [f"{n} rows of {D} features: is a row a sample? If it is a variable, transpose the table"] * (1 < n <= D)
    merged = some_of([one.name for one in features if one.is_whole and one.is_merged])
    notes += [f"{merged}: each number is above empty cells; write it into every row if merged"] * bool(merged)
    seen = np.array([one.observed[:MOST_LOOKED_AT] for one in features], dtype=np.float32)
    pairs = [(features[d], features[e]) for d, e in np.argwhere(seen @ seen.T == 0)]
    apart = [(one.name, other.name) for one, other in pairs if not (one.observed & other.observed).any()][:1]
    notes += [f"no row holds {one} beside {other}: write 0 into empty cells that mean none" for one, other in apart]
    names = [one.name for one in short]
    ends = f"cells of {some_of(names)} end early: are columns groups? Write one of values, and one of groups"
    return notes + [f"{ends}; {flag('drop', names)} if they are of another table"] * bool(short and end_early)


def _minutes(x: Array) -> str:
    """Ask about minutes if the last two digits are never 60 or more, and chance would hardly avoid it."""
    is_whole = bool((x % 1 == 0).all()) and x.max() < 3200  # 31 December
    wholes, parts = np.divmod(np.unique(x if is_whole else np.round(100 * np.abs(x), 6)), 100)
    if (parts % 1 > 0).any() or len(np.unique(parts)) < 4 or parts.max() >= 60:
        return ""
    inner = (wholes > wholes.min()) & (wholes < wholes.max()) & (parts > 0)
    rare = 0.6 ** inner.sum() < 1 / 300
    return f"never ends in 60 to 99: does {'915' if is_whole else '9.15'} mean 9:15? Then write 9.25" if rare else ""


def _units(x: Array) -> str:
    """Ask about units if some numbers would be like the others when multiplied by 100 or 1000."""
    values = np.unique(x)
    if len(values) < 4 or values[0] <= 0:
        return ""
    split_rows = int(np.argmax(values[1:] / values[:-1])) + 1
    low, high = x[x < values[split_rows]], x[x >= values[split_rows]]
    factor = 10 ** np.round(np.log10(np.median(high) / np.median(low)))
    some, most = (factor * low, high) if len(low) < len(high) else (high, factor * low)
    is_like = some.min() > most.min() / 1.5 and some.max() < 1.5 * most.max()
    is_narrow = most.max() < (10 if len(some) > 1 else 3) * most.min()
    differ = factor in (100, 1000) and is_like and is_narrow and (low % 1 > 0).any()
    question = f"holds {low.max():g} and {high.min():g}: are some numbers {factor:g} times too small?"
    return f"{question} Then write all in one unit" * bool(differ)


def _order(x: Array, n_features: int, of_levels: bool) -> str:
    """Ask about a clock or counter if nearly all steps from row to row have one sign; of a single column, one size.

    In n numbers of random order, the number of rises minus that of falls has mean 0 and variance (n + 1) / 3.
    """
    steps = np.diff(x) if len(x) >= FEW else np.zeros(1)
    least = max(0.2 * len(steps), np.count_nonzero(steps) - 0.5) if of_levels else 0.6 * len(steps)
    one_way = n_features > 1 and abs(np.sign(steps).sum()) > max(least, 4.5 * np.sqrt((len(x) + 1) / 3))
    is_clock = steps[0] != 0 and np.ptp(steps) <= 1e-6 * abs(x[-1] - x[0])
    question = "rises or falls from row to row like a clock or a counter: is it a feature? If not, {drop}"
    return question if one_way or is_clock else ""


def _without_variance(features: Sequence[Column], X: Array) -> Iterable[str]:
    """Return notes on columns that are constant, or linear combinations of those before them."""
    holes = np.isnan(X)
    low, high = np.nanmin(X, axis=0), np.nanmax(X, axis=0)
    whole = X[~holes.any(axis=1)][:MOST_LOOKED_AT]
    is_sum = np.isclose(2 * whole, whole.sum(axis=1, keepdims=True)).all(axis=0) & (len(whole) > 2)
    follows = _follows(whole) if len(whole) > X.shape[1] else is_sum  # in few rows, each column is a combination
    sums = "is a sum or other linear combination of the others"
    cell, among = ("observed cell", " in the rows without missing cells") if holes.any() else ("row", "")
    what = [f"is {low[d]:.15g} in every {cell}" if low[d] == high[d] else f"{sums}{among}" for d in range(X.shape[1])]
    at = np.flatnonzero((low == high) | follows).tolist()
    return _about((features[d].name, f"{what[d]}; {{drop}} leaves {{them}} out") for d in at)


def _pasted_twice(X: Array) -> list[str]:
    """Return a note if the lower half of the rows repeats the upper half."""
    upper, lower = X[: len(X) // 2], X[len(X) // 2 :]
    again = len(np.unique(upper)) > 2 and np.array_equal(upper, lower, equal_nan=True)
    return ["the lower half of the rows repeats the upper: delete it if it was pasted twice"][:again]


def _subtotals(table: Table, X: Array) -> list[str]:
    """Return a note on rows that hold sums of rows directly above or below, unless chance may explain a single one."""
    X, found, n = X[:, :FEW], set[int](), len(X)
    units = np.array([half_a_digit(x[:SAMPLE]).min() for x in X.T])
    for rows in (range(n), range(n)[::-1]):
        for row, *others in (rows[k::-1] for k in range(2, n * (n <= SAMPLE))):  # others: the nearest first
            # An empty cell of the row is no objection.
            near = ~(np.abs(np.nancumsum(X[others], axis=0)[1:] - X[row]) > np.outer(range(3, len(others) + 2), units))
            found |= {row} if near.all(axis=1).any() and (np.abs(X[row]) >= LARGE * units).sum() > 1 else set()
    sums = ", ".join(map(table.row_name, sorted(found)))
    return [f"{sums}: sums of the rows next to them; delete what sums up others"] * (len(found) > (X.shape[1] < 3))


def _follows(X: Array) -> np.ndarray:
    """Return which columns are linear combinations of those before them, up to rounding, and not constant.

    A total of the columns right after it is taken to be behind all others.
    """
    D, parts = X.shape[1], np.where(X < 0, np.nan, X)[: 10**6 // X.shape[1] ** 2 + FEW]
    sums = (parts[:, d + 1 :].cumsum(axis=1)[:, 1:] for d in range(D))
    order = np.argsort([np.isclose(of, parts[:, [d]]).all(axis=0).any() for d, of in enumerate(sums)], kind="stable")
    X = X[:, order]
    largest = np.maximum(np.abs(X).max(axis=0), np.finfo(float).tiny)
    unit, X = np.array([2 * half_a_digit(x[:SAMPLE]).min() for x in X.T]) / largest, X / largest
    scale = X.std(axis=0)
    scale[constant := scale <= 1e-12] = 1.0
    left = np.linalg.qr((X - X.mean(axis=0)) / scale, mode="r").diagonal()
    n_free = len(X) - 1 - np.arange(len(left))
    follows = ~constant & (np.abs(left) <= np.clip(unit / scale, 1e-9, MOST_ROUNDED) * n_free**0.5)
    return follows[np.argsort(order)]


def _without_zeros(features: Sequence[Column], counts: bool) -> list[str]:
    """Return a note on empty cells of counts, or dashes of accounts, that may stand for zeros where there is no 0."""
    accounts = any("(" in one.notes.get("negative", "") for one in features)
    lacking = [one for one in features if accounts or (counts and min(one.numbers, default=0) == 1)]
    marks = {"-", "–"} if accounts else NOTHING
    names = [one.name for one in lacking if marks & one.marks.keys() and 0 not in one.numbers]
    return [f"no 0, but empty cells or dashes: {', '.join(names)}; write 0 if they mean no or none"][: len(names)]


def _answers(X: Array) -> list[str]:
    """Return a note if no feature holds anything but 0 and 1."""
    are_answers = bool(np.isin(X[~np.isnan(X)], (0, 1)).all())
    return [f"all features hold only 0 and 1, as answers do: {commands_of(0, 1, refused=2)} takes these"][:are_answers]
