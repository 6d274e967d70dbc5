"""Which column of a file is what: a feature, frequencies, labels of the rows, or left out; nothing silently.

=======================================  ==============================================================
an unnamed first column                  labels of the rows, left out
whole numbers 1..n, 0..n-1, or a run     they number the rows, left out
a column called id, index, ...           labels of the rows, left out; refused where a label repeats
a column called count                    frequencies of the rows
n, freq, weight, ... of whole numbers    refused: the user says which
=======================================  ==============================================================

What the user names by an option is that. A column that is the only one is the feature.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import numpy as np

from comparisons.data.column import Column
from comparisons.data.dialect import SAMPLE
from comparisons.data.kinds import is_date
from comparisons.data.options import Reading, flag
from comparisons.data.source import Source
from models.validation import Array

COUNT = "count"
MAYBE_COUNT = re.compile(
    r"(?i)n|freq(uency|uencies)?\.?|weights?|wt|wgt|fnlwgt|finalwt|[fpai]weights?|counts"
    r"|(survey|sampl(e|ing)|design|final|person|household|analysis)[\W_]*(weights?|wt|wgt)|gewichtung(sfaktor)?|pond[eé]ration"
    r"|h(ä|ae)ufigkeit|anzahl|effectifs?|fr(é|e)quence|fre[cq]u[eê]ncia|frequenza"
    r"|aantal|antal|liczba|частота|количество|度数|人数|件数|频数|도수|빈도"
)
WHO = "respondent|participant|subject|patient|person|student|customer|case|record|observation|employee|client|animal"
WHICH = "sample|specimen|bib|badge|barcode|sku|tag|plot|tree|user"
PAPER = "order|invoice|account|member|serial|phone|ticket|item|product"
PLACE = r"zip|(zip|post|postal)[\W_]*code|code[\W_]postal|plz|postleitzahl|(tele|mobile)?phone|telefon|konto"
LABEL = re.compile(
    rf"(?i)(.*[\W_])?(id|uuid|guid)|row[\W_]?(names?|labels?)|({WHO}|row|{PAPER})?[\W_]*(num|number|nr|no|#)\.?|{WHO}"
    rf"|index|row|obs|{PLACE}|{WHICH}|.*[\W_](no\.|nr\.?)|.*nummer|.*[^\W\d_]{{3}}nr\.?|ean|gtin|isbn|imei|iban|ssn"
)
CAMEL_ID = re.compile(r".*[a-zäöüß](Id|ID|Nr)")
FEWEST_NUMBERED, MANY_ROWS = 3, 10
MOST_DIGITS, ROUNDED = 15, 0.02  # digits of a float, and what rounding does to percentages
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


def roles_of(source: Source, columns: Sequence[Column], asked: Reading) -> Roles:
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
        _take_count(roles, [one for one in rest if one.name.lower() == COUNT and one.name not in asked.columns][:1])
        taken = {*asked.columns, *asked.drop, *(one.name for one in (roles.weights, roles.labels) if one)}
        if others := [name for name in source.raw if name not in taken]:
            roles.notes.append(f"left out, not among --columns: {', '.join(others)}")
        return roles
    roles.features = rest
    if len(rest) > 1:
        _find_roles(source, roles)
    words = [one for one in rest[:1] if not one.is_numeric and len(one.values) == (one.which >= 0).sum()]
    for labels in [roles.labels, *words] if roles.labels else words:
        _refuse_unlabelled(source, labels)
    if source.sample is not None and roles.weights is not None:
        name = roles.weights.name
        raise ValueError(
            f"{source.name} is too large to repeat its rows by the frequencies in column {name!r}: fit it from Python "
            f"(em.open_parquet, sample_weight=), or count each row once by {flag('drop', [name])}"
        )
    if len(roles.features) == 1 and _may_count(roles.features[0]):
        roles.notes.append(f"column {roles.features[0].name!r} is the feature, for there is no other")
    if not roles.features:
        _refuse_nothing_left(source, rest, asked)
    return roles


def _find_roles(source: Source, roles: Roles) -> None:
    """Take frequencies and labels out of the features."""
    counts = [column for column in roles.features if column.name.lower() == COUNT][: roles.weights is None]
    others = [column for column in roles.features if column not in counts]
    reasons = {column.name: _label(source, column) for column in others}
    labels = {name: why for name, why in reasons.items() if why}
    if len(labels) == len(others) and (counts or roles.weights):
        labels = {} if roles.weights else _of_frequency_table(source, others, counts[0], labels)
    features = [column for column in roles.features if column.name not in labels]
    if len(features) > len(counts):
        _take_count(roles, counts)
        features = [column for column in features if column not in counts]
    labels |= _repeat_frequencies(features, roles.weights)
    features = [column for column in features if column.name not in labels]
    first = next((column for column in others if reasons[column.name] and column.name in labels), None)
    roles.labels = roles.labels or first
    for column in others:
        if why := labels.get(column.name):
            keep = _short_flag([column.name, *(one.name for one in features)])
            roles.notes.append(f"left out: {_called(column, source)} ({why}); {keep} keeps it")
    numbered = [column for column in others if column.name in labels and column.is_numeric]
    for column in list(features):
        if (_may_count(column) and len(features) > 1) or (numbered and MAYBE_COUNT.fullmatch(column.name)):
            _ask_weights(source, roles, column, [one.name for one in features])
    roles.features = features


def _label(source: Source, column: Column) -> str:
    """Return why a column is no feature but labels the rows, or nothing."""
    raw = source.raw[column.name]
    if column.is_numeric and any(len(cell) > MOST_DIGITS and cell.isdecimal() for cell in map(str, raw[:SAMPLE])):
        return "labels of more digits than a number keeps"
    if column.name in source.unnamed:
        if column.name == "column 1" and (column.is_whole or (column.is_distinct and not column.is_numeric)):
            return "names or numbers of the rows"
        remedy = f"name it in the header, or {flag('drop', [column.name])}"
        raise ValueError(f"{source.name}: {column.name} has no name in the header: {remedy}")
    if not MAYBE_COUNT.fullmatch(column.name) and (run := _run(source, column)):
        return run
    if LABEL.fullmatch(column.name) or CAMEL_ID.fullmatch(column.name):
        if column.is_distinct and (column.is_whole or not column.is_numeric) and not is_date(column):
            return "labels, each once"
        _refuse_unlabelled(source, column)
        if column.is_whole and not set(column.numbers.tolist()) <= {0.0, 1.0}:
            names = [name for name in source.raw if name.lower() != COUNT]
            which = f"{flag('drop', [column.name])} leaves it out, {_short_flag(names)} takes it"
            raise ValueError(f"{source.name}: column {column.name!r} may hold labels, some of them repeated: {which}")
    return ""


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


def _run(source: Source, column: Column) -> str:
    """Return how a column numbers the rows, or nothing."""
    n = len(column.which)
    is_first = column.name == next(iter(source.raw))
    lacks_last = n > FEWEST_NUMBERED and column.which[-1] < 0 and is_first
    if n < FEWEST_NUMBERED or not column.is_whole or (column.which >= 0).sum() < n - lacks_last:
        return ""
    numbers = column.array[column.which >= 0]
    low, high = int(numbers.min()), int(numbers.max())
    if source.sample is not None:
        return "it numbers the rows" if np.ptp(column.array - source.sample.numbers) == 0 else ""
    if len(column.values) != len(numbers) or high - low + 1 != len(numbers):
        return ""
    if low in (0, 1) or ((is_first or n >= MANY_ROWS) and (np.diff(numbers) == 1).all()):
        _refuse_unlabelled(source, column)
        return f"it numbers the rows, {low} to {high}"
    return ""


def _refuse_unlabelled(source: Source, labels: Column) -> None:
    """Raise an error if the first or the last row alone has no label."""
    n, unlabelled = len(labels.which), np.flatnonzero(labels.which < 0).tolist()
    if n > FEWEST_NUMBERED and unlabelled in ([0], [n - 1]):
        given = f"{_called(labels, source)} labels all rows but this one, which may hold sums, means or names"
        raise ValueError(f"{source.at(unlabelled[0])}: {given}: delete the line, or {flag('drop', [labels.name])}")


def _of_frequency_table(source: Source, others: list[Column], count: Column, labels: dict[str, str]) -> dict[str, str]:
    """Return the labels among the columns beside `count` where every one of them numbers the rows."""
    (first, *more) = others
    if more or LABEL.fullmatch(first.name) or CAMEL_ID.fullmatch(first.name) or min(first.array) > FIRST_YEAR:
        return labels
    if min(first.array) == 0:
        return {}  # values 0, 1, 2, ... and how often each was observed
    one = f"{flag('columns', [first.name])} {flag('weights', [count.name])} takes {count.name!r} as frequencies"
    other = f"{flag('columns', [count.name])} takes it as the feature"
    raise ValueError(f"{source.name}: column {first.name!r} numbers the rows or holds values: {one}, {other}")


def _take_count(roles: Roles, counts: list[Column]) -> None:
    if counts and roles.weights is None:
        (roles.weights,) = counts


def _ask_weights(source: Source, roles: Roles, column: Column, features: list[str]) -> None:
    """Raise an error about a column that may hold frequencies, or note that it cannot."""
    if not column.is_whole or (column.array < 0).any():
        drop = f"{flag('drop', [column.name])} leaves it out"
        roles.notes.append(f"column {column.name!r} is taken as a feature: frequencies are whole numbers; {drop}")
        return
    choices = [f"{flag('weights', [column.name])} for frequencies"] if roles.weights is None else []
    choices += [f"{_short_flag(features)} for a feature", f"{flag('drop', [column.name])} to leave it out"]
    raise ValueError(f"{source.name}: column {column.name!r} may hold frequencies or a feature: {', '.join(choices)}")


def _may_count(column: Column) -> bool:
    return column.name.lower() == COUNT or MAYBE_COUNT.fullmatch(column.name) is not None


def _called(column: Column, source: Source) -> str:
    return "the unnamed first column" if column.name in source.unnamed else f"column {column.name!r}"


def _short_flag(names: list[str]) -> str:
    return flag("columns", names) if len(names) <= 8 else f"naming it in {flag('columns', [*names[:2], '...'])}"


def _refuse_nothing_left(source: Source, rest: Sequence[Column], asked: Reading) -> NoReturn:
    taken = [name for name in (*asked.drop, asked.weights, asked.index) if name]
    what = (
        f"{', '.join(column.name for column in rest)} label the rows" if rest else f"{', '.join(taken)} are no features"
    )
    raise ValueError(f"{source.name} has no feature left, for {what}: name the features in --columns")
