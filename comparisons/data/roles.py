"""Decide the role of each column of a file: feature, frequencies, labels of the rows, or left out, with a note.

The user's options come first. A single column is the feature. Otherwise:

=============================================  ==========================================================
an unnamed first column                        labels of the rows, left out
whole numbers 1..n, 0..n-1, or consecutive     numbers of the rows, left out
a column called id, index, ...                 labels of the rows, left out; an error if a label repeats
a column called count                          frequencies of the rows
shares or cumulative sums of the frequencies   left out
whole numbers called n, freq, weight, ...      an error: the user has to choose the role
"weight" beside a size such as "height"        a feature, unless its numbers are small
=============================================  ==========================================================
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from comparisons.data.cells import MOST_DIGITS
from comparisons.data.features import LABEL, is_date
from comparisons.data.files import SAMPLE
from comparisons.data.options import Reading, flag
from comparisons.data.strays import refuse_unlabelled
from comparisons.data.table import Column, Table
from comparisons.data.words import pattern_of
from models.validation import Array

COUNT = "count"
FREQUENCY, MASS, SIZE = (pattern_of(kind) for kind in ("frequency", "mass", "size"))
DOUBTFUL = pattern_of("label", "frequency")  # --columns of a remedy names no second one
FEWEST_NUMBERED, MANY_ROWS = 3, 10
ROUNDED = 0.02  # relative error of rounded percentages
FIRST_YEAR = 1800  # consecutive numbers above it, beside counts, are years


@dataclass
class Roles:
    """The roles of the columns.

    Attributes
    ----------
    features : list of Column
        The features, in the order of the samples' columns.
    weights, labels : Column or None
        Frequencies and labels of the rows.
    notes : list of str
        Which columns were left out and why, and how frequencies are used.
    """

    features: list[Column]
    weights: Column | None = None
    labels: Column | None = None
    notes: list[str] = field(default_factory=list)


def roles_of(table: Table, columns: Sequence[Column], reading: Reading) -> Roles:
    """Return the roles of the columns.

    Raises
    ------
    ValueError
        If a column may have two roles; the message names the options that choose one.
    """
    by_name = {column.name: column for column in columns}
    roles = Roles([], by_name.get(reading.weights or ""), by_name.get(reading.index or ""))
    rest = [column for column in columns if column.name not in (*reading.drop, reading.weights, reading.index)]
    if reading.drop:
        roles.notes.append(f"left out, as asked: {', '.join(reading.drop)}")
    if reading.columns:
        roles.features = [by_name[name] for name in reading.columns]
        counts = [one for one in rest if one.name.lower() == COUNT and one.name not in reading.columns]
        roles.weights = roles.weights or next(iter(counts), None)
        taken = {*(name for _, name in reading.named), *(one.name for one in (roles.weights,) if one)}
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
        roles.notes.append(f"column {roles.features[0].name!r} is the feature, because there is no other")
    return roles


def _find_roles(table: Table, roles: Roles) -> None:
    """Move frequencies and labels out of the features."""
    counts = [column for column in roles.features if column.name.lower() == COUNT][: roles.weights is None]
    others = [column for column in roles.features if column not in counts]
    labels = {column.name: why for column in others if (why := _label(table, column, others))}
    if len(labels) == len(others) and (counts or roles.weights):  # values of a frequency table are no labels
        labels = {} if roles.weights else _of_frequency_table(table, others, counts[0], labels)
    known = [column for column in others if column.name in labels]
    roles.labels = roles.labels or min(known, key=lambda column: not column.is_distinct, default=None)
    if counts and len(labels) < len(others):
        (roles.weights,) = counts
    else:
        others = roles.features
    labels |= _repeat_frequencies([column for column in others if column.name not in labels], roles.weights)
    features = [column for column in others if column.name not in labels]
    left_out = [column for column in others if column.name in labels]
    for column in left_out:
        keep = f"{flag('index', [column.name])} keeps it as labels of the rows"
        keep = "it labels the rows" if column is roles.labels else keep
        keep = f"{_short_flag([column.name, *(one.name for one in features)])} keeps it" if column.is_numeric else keep
        roles.notes.append(f"left out: {table.described(column)} ({labels[column.name]}); {keep}")
    sizes = any(SIZE.fullmatch(one.name) and (np.diff(one.array) <= 0).any() for one in features)  # not sorted classes
    asked = dict[str, Column]()
    for column in features:
        lightest = 10 if column.is_whole else 1  # a smaller number may be a frequency, or a survey weight
        weighs = sizes and MASS.fullmatch(column.name) and min(column.numbers, default=0) >= lightest
        may_count = len(features) > 1 or (column.name.lower() != COUNT and any(one.is_numeric for one in left_out))
        asked |= {column.name: column} if FREQUENCY.fullmatch(column.name) and may_count and not weighs else {}
    for name, column in asked.items():
        _ask_weights(table, roles, column, [one.name for one in features if one.name == name or one.name not in asked])
    roles.features = features


def _label(table: Table, column: Column, others: Sequence[Column]) -> str:
    """Return why a column holds labels of the rows, or ""; others are the columns besides the frequencies."""
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
    if LABEL.fullmatch(column.name) and (column.is_whole or not column.is_numeric):
        if column.is_distinct and not is_date(column):
            return "labels, each once"
        refuse_unlabelled(table, column)
        if column.is_whole and not set(column.numbers.tolist()) <= {0.0, 1.0}:
            clear = [one.name for one in others if one is column or not DOUBTFUL.fullmatch(one.name)]
            remedy = f"{flag('drop', [column.name])} leaves it out, {_short_flag(clear)} takes it"
            given = f"column {column.name!r} may hold labels, some of them repeated"
            raise ValueError(f"{table.name}: {given}: write one row for each, if several are one sample; {remedy}")
    return ""


def _run(table: Table, column: Column) -> str:
    """Return how a column numbers the rows, or ""."""
    n, is_first = len(column.codes), column.name == next(iter(table.raw))
    numbers = column.array[column.observed]
    lacks_last = n > FEWEST_NUMBERED and not column.observed[-1] and is_first
    if n < FEWEST_NUMBERED or not column.is_whole or len(numbers) < n - lacks_last:
        return ""
    if table.sample is not None:
        return "it numbers the rows" if np.ptp(column.array - table.sample.numbers) == 0 else ""
    low, high = int(numbers.min()), int(numbers.max())
    goes_on = low in (0, 1) or ((is_first or n >= MANY_ROWS) and (np.diff(numbers) == 1).all())
    is_run = goes_on and len(column.values) == len(numbers) == high - low + 1
    return f"it numbers the rows, {low} to {high}" if is_run else ""


def _repeat_frequencies(columns: Sequence[Column], weights: Column | None) -> dict[str, str]:
    """Return the columns that repeat the frequencies as percentages or cumulative sums, with a note on each."""
    counts = np.nan_to_num(weights.array) if weights is not None and weights.is_numeric else np.zeros(1)
    if np.ptp(counts) == 0:
        return {}
    repeated = {"proportional to the frequencies": counts, "cumulative frequencies": counts.cumsum()}
    others = [column for column in columns if column.is_numeric and column is not weights]
    return {one.name: what for one in others for what, other in repeated.items() if _is_proportional(one.array, other)}


def _is_proportional(values: Array, counts: Array) -> bool:
    """Whether values are proportional to counts, up to rounding."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        shares, expected = values / values.sum(), counts / counts.sum()
        return bool(np.linalg.norm(shares - expected) < ROUNDED * np.linalg.norm(expected - expected.mean()))


def _of_frequency_table(table: Table, others: list[Column], count: Column, labels: dict[str, str]) -> dict[str, str]:
    """Decide about a column that numbers the rows, alone beside the column `count`: labels, or values of the feature.

    Return the labels, as `_find_roles` has them.
    """
    (first, *more) = others
    if more or LABEL.fullmatch(first.name) or min(first.array) > FIRST_YEAR:
        return labels
    if min(first.array) == 0:
        return {}  # values 0, 1, 2, ... and how often each was observed
    one = f"{flag('columns', [first.name])} {flag('weights', [count.name])} takes {count.name!r} as frequencies"
    other = f"{flag('columns', [count.name])} takes it as the feature"
    raise ValueError(f"{table.name}: column {first.name!r} numbers the rows or holds values: {one}, {other}")


def _ask_weights(table: Table, roles: Roles, column: Column, features: list[str]) -> None:
    """Raise an error about a column that may hold frequencies; if it cannot, add a note that it is a feature."""
    if not column.is_whole or (column.array < 0).any():
        why = f"because frequencies are whole numbers; {flag('drop', [column.name])} leaves it out"
        roles.notes.append(f"column {column.name!r} is read as a feature, {why}")
        return
    choices = [f"{flag('weights', [column.name])} for frequencies"] if roles.weights is None else []
    choices += [f"{_short_flag(features)} for a feature", f"{flag('drop', [column.name])} to leave it out"]
    raise ValueError(f"{table.name}: column {column.name!r} may hold frequencies or a feature: {', '.join(choices)}")


def _short_flag(names: list[str]) -> str:
    return flag("columns", names) if len(names) <= 8 else f"naming it in {flag('columns', [*names[:2], '...'])}"
