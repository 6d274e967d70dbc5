"""Which column of a file is what: a feature, frequencies, labels of the rows, or left out; nothing silently.

=======================================  ==============================================================
an unnamed first column                  labels of the rows, left out
whole numbers 1..n, 0..n-1, or a run     they number the rows, left out
a column called id, index, ...           labels of the rows, left out; refused where a label repeats
a column called count                    frequencies of the rows
shares or cumulative sums of these       left out
n, freq, weight, ... of whole numbers    refused: the user says which
weight beside a size such as height      a feature, unless it has numbers that are small
=======================================  ==============================================================

What the user names by an option is that. A column that is the only one is the feature.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from comparisons.data.cells import MOST_DIGITS
from comparisons.data.features import is_date
from comparisons.data.files import SAMPLE
from comparisons.data.options import Reading, flag
from comparisons.data.strays import refuse_unlabelled
from comparisons.data.table import Column, Table
from comparisons.data.words import called
from models.validation import Array

COUNT = "count"
FREQUENCY, LABEL, MASS, SIZE = (called(kind) for kind in ("frequency", "label", "mass", "size"))
CAMEL_ID = re.compile(r".*[a-zäöüß](Id|ID|Nr)")
FEWEST_NUMBERED, MANY_ROWS = 3, 10
ROUNDED = 0.02  # what rounding does to percentages
FIRST_YEAR = 1800  # a run of larger numbers beside counts is time


@dataclass
class Roles:
    """What each column is.

    Attributes
    ----------
    features : list of Column
        In the order in which they are taken.
    weights, labels : Column or None
        Frequencies and labels of the rows.
    notes : list of str
        What was left out, and how frequencies are used.
    """

    features: list[Column]
    weights: Column | None = None
    labels: Column | None = None
    notes: list[str] = field(default_factory=list)


def roles_of(table: Table, columns: Sequence[Column], asked: Reading) -> Roles:
    """Return what each column is.

    Raises
    ------
    ValueError
        If a column may be two things; the message names the options that say which.
    """
    by_name = {column.name: column for column in columns}
    roles = Roles([], by_name.get(asked.weights or ""), by_name.get(asked.index or ""))
    rest = [column for column in columns if column.name not in (*asked.drop, asked.weights, asked.index)]
    if asked.drop:
        roles.notes.append(f"left out, as asked: {', '.join(asked.drop)}")
    if asked.columns:
        roles.features = [by_name[name] for name in asked.columns]
        counts = [one for one in rest if one.name.lower() == COUNT and one.name not in asked.columns]
        roles.weights = roles.weights or next(iter(counts), None)
        taken = {*asked.columns, *asked.drop, *(one.name for one in (roles.weights, roles.labels) if one)}
        if others := [name for name in table.raw if name not in taken]:
            roles.notes.append(f"left out, not among --columns: {', '.join(others)}")
        return roles
    roles.features = rest
    if len(rest) > 1:
        _find_roles(table, roles)
    words = [one for one in rest[:1] if not one.is_numeric and len(one.values) == one.observed.sum()]
    for labels in filter(None, [roles.labels, *words]):
        refuse_unlabelled(table, labels)
    if table.sample is not None and roles.weights is not None:
        given = f"is too large to repeat its rows by the frequencies in column {roles.weights.name!r}"
        remedy = f"count each row once by {flag('drop', [roles.weights.name])}"
        raise ValueError(f"{table.name} {given}: fit it from Python (em.open_parquet, sample_weight=), or {remedy}")
    if not roles.features:
        raise ValueError(f"{table.name} has no feature left of {', '.join(table.raw)}: name the features in --columns")
    if len(roles.features) == 1 and FREQUENCY.fullmatch(roles.features[0].name):
        roles.notes.append(f"column {roles.features[0].name!r} is the feature, for there is no other")
    return roles


def _find_roles(table: Table, roles: Roles) -> None:
    """Take frequencies and labels out of the features."""
    counts = [column for column in roles.features if column.name.lower() == COUNT][: roles.weights is None]
    others = [column for column in roles.features if column not in counts]
    labels = {column.name: why for column in others if (why := _label(table, column))}
    if len(labels) == len(others) and (counts or roles.weights):  # values of a table of frequencies are no labels
        labels = {} if roles.weights else _of_frequency_table(table, others, counts[0], labels)
    first = next((column for column in others if column.name in labels), None)
    if counts and len(labels) < len(others):
        (roles.weights,) = counts
    else:
        others = roles.features
    labels |= _repeat_frequencies([column for column in others if column.name not in labels], roles.weights)
    features = [column for column in others if column.name not in labels]
    roles.labels = roles.labels or first
    left_out = [column for column in others if column.name in labels]
    for column in left_out:
        keep = f"{_short_flag([column.name, *(one.name for one in features)])} keeps it"
        if not column.is_numeric:
            is_kept = column is roles.labels
            keep = "it labels the rows" if is_kept else f"{flag('index', [column.name])} keeps it as labels of the rows"
        roles.notes.append(f"left out: {table.called(column)} ({labels[column.name]}); {keep}")
    numbered = any(column.is_numeric for column in left_out)
    sizes = any(SIZE.fullmatch(one.name) and (np.diff(one.array) <= 0).any() for one in features)  # no list of classes
    for column in features:
        lightest = 10 if column.is_whole else 1  # less may be a frequency, or a weight of a survey
        weighs = sizes and MASS.fullmatch(column.name) and min(column.numbers, default=0) >= lightest
        may_count = len(features) > 1 or (numbered and column.name.lower() != COUNT)
        if FREQUENCY.fullmatch(column.name) and may_count and not weighs:
            _ask_weights(table, roles, column, [one.name for one in features])
    roles.features = features


def _label(table: Table, column: Column) -> str:
    """Return why a column is no feature but labels the rows, or nothing."""
    raw = table.raw[column.name]
    if column.is_numeric and any(len(cell) > MOST_DIGITS and cell.isdecimal() for cell in map(str, raw[:SAMPLE])):
        return "labels of more digits than a number keeps"
    if column.name in table.unnamed:
        if column.name == "column 1" and (column.is_whole or (column.is_distinct and not column.is_numeric)):
            return "names or numbers of the rows"
        remedy = f"name it in the header, or {flag('drop', [column.name])}"
        raise ValueError(f"{table.name}: {column.name} has no name in the header: {remedy}")
    if not FREQUENCY.fullmatch(column.name) and (run := _run(table, column)):
        return run
    if LABEL.fullmatch(column.name) or CAMEL_ID.fullmatch(column.name):
        if column.is_distinct and (column.is_whole or not column.is_numeric) and not is_date(column):
            return "labels, each once"
        refuse_unlabelled(table, column)
        if column.is_whole and not set(column.numbers.tolist()) <= {0.0, 1.0}:
            names = [name for name in table.raw if name.lower() != COUNT]
            which = f"{flag('drop', [column.name])} leaves it out, {_short_flag(names)} takes it"
            raise ValueError(f"{table.name}: column {column.name!r} may hold labels, some of them repeated: {which}")
    return ""


def _run(table: Table, column: Column) -> str:
    """Return how a column numbers the rows, or nothing."""
    n, is_first = len(column.which), column.name == next(iter(table.raw))
    numbers = column.array[column.observed]
    lacks_last = n > FEWEST_NUMBERED and not column.observed[-1] and is_first
    if n < FEWEST_NUMBERED or not column.is_whole or len(numbers) < n - lacks_last:
        return ""
    if table.sample is not None:
        return "it numbers the rows" if np.ptp(column.array - table.sample.numbers) == 0 else ""
    low, high = int(numbers.min()), int(numbers.max())
    goes_on = low in (0, 1) or ((is_first or n >= MANY_ROWS) and (np.diff(numbers) == 1).all())
    if not goes_on or not len(column.values) == len(numbers) == high - low + 1:
        return ""
    refuse_unlabelled(table, column)
    return f"it numbers the rows, {low} to {high}"


def _repeat_frequencies(columns: Sequence[Column], weights: Column | None) -> dict[str, str]:
    """Return which columns are the frequencies once more, as percentages or as cumulative sums."""
    counts = np.nan_to_num(weights.array) if weights is not None and weights.is_numeric else np.zeros(1)
    if np.ptp(counts) == 0:
        return {}
    repeated = {"proportional to the frequencies": counts, "cumulative frequencies": counts.cumsum()}
    others = [column for column in columns if column.is_numeric and column is not weights]
    return {one.name: what for one in others for what, other in repeated.items() if _is_proportional(one.array, other)}


def _is_proportional(values: Array, counts: Array) -> bool:
    """Whether shares of a total are those of frequencies, up to rounding."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shares, expected = values / values.sum(), counts / counts.sum()
        return bool(np.linalg.norm(shares - expected) < ROUNDED * np.linalg.norm(expected - expected.mean()))


def _of_frequency_table(table: Table, others: list[Column], count: Column, labels: dict[str, str]) -> dict[str, str]:
    """Return the labels among the columns beside `count` where every one of them numbers the rows."""
    (first, *more) = others
    if more or LABEL.fullmatch(first.name) or CAMEL_ID.fullmatch(first.name) or min(first.array) > FIRST_YEAR:
        return labels
    if min(first.array) == 0:
        return {}  # values 0, 1, 2, ... and how often each was observed
    one = f"{flag('columns', [first.name])} {flag('weights', [count.name])} takes {count.name!r} as frequencies"
    other = f"{flag('columns', [count.name])} takes it as the feature"
    raise ValueError(f"{table.name}: column {first.name!r} numbers the rows or holds values: {one}, {other}")


def _ask_weights(table: Table, roles: Roles, column: Column, features: list[str]) -> None:
    """Raise an error about a column that may hold frequencies, or note that it cannot."""
    if not column.is_whole or (column.array < 0).any():
        drop = f"{flag('drop', [column.name])} leaves it out"
        roles.notes.append(f"column {column.name!r} is taken as a feature: frequencies are whole numbers; {drop}")
        return
    choices = [f"{flag('weights', [column.name])} for frequencies"] if roles.weights is None else []
    choices += [f"{_short_flag(features)} for a feature", f"{flag('drop', [column.name])} to leave it out"]
    raise ValueError(f"{table.name}: column {column.name!r} may hold frequencies or a feature: {', '.join(choices)}")


def _short_flag(names: list[str]) -> str:
    return flag("columns", names) if len(names) <= 8 else f"naming it in {flag('columns', [*names[:2], '...'])}"
