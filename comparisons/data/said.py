"""What was read from a file, said in a few lines before anything is done with it."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from comparisons.data.column import Column
from comparisons.data.options import Reading, flag
from comparisons.data.roles import Roles
from comparisons.data.source import Source
from comparisons.declarations import drawn_rows
from models.labels import some_of
from models.validation import Array

MOST_LOOKED_AT = 100_000  # rows
MOST_HEADERS, MOST_CODED = 2, 5  # lines below the names of a survey, and the scale up to which -1 may be a value
NEAREST, WIDE, PART = 10, 3, 0.1  # a gap is wide against those of its next values, and against their range
CODES = {float(sign * int(digit * n)) for digit in "6789" for n in (2, 3, 4, 5, 6) for sign in (-1, 1)} | {
    *(0.0, 96.0, 97.0, 98.0, 997.0, 998.0, 9998.0),
    *(-1.0, -7.0, -8.0, -9.0, -97.0, -98.0, -998.0),
    *(99.9, 99.99, 999.9, 999.99, -99.9, -99.99, -999.9, -999.99),
}

NAMES_UNITS = re.compile(r"(?i)(.*[\W_])?(units?|uom|einheit|unité|unidad|unità|currency|währung|devise|moneda|valuta)")
CENTRE = re.compile(r"(?i)m|(.*[\W_])?(mean|avg|average|median|mittelwert|mw|moyenne|media)([\W_].*)?")
SPREAD = re.compile(r"(?i)(.*[\W_])?(s\.?d\.?|std|st\.?d\.?[\W_]?dev\.?|stabw|sem?|iqr)([\W_].*)?")
KEY = re.compile(r"(?i)(.*[\W_])?(variable|indicator|measure(ment)?|parameter|item|analyte|(data)?element)([\W_].*)?")
VALUE = re.compile(r"(?i)(.*[\W_])?values?|wert|valeur|valor|results?|reading")
CODED = re.compile(
    r"(?i)(.*[\W_])?(codes?|kod|category|categoria|kategorie|class|cluster|type|typ|region|sector|branch|icd|naics|sic"
    r"|fips|ethnicity|race|religion|occupation|marital([\W_]status)?|rank|rang|platz|month|monat|weekday|wochentag|dow"
    r"|hour|stunde|uhrzeit|quarter|group|gruppe|department|dept|district|zone|status)"
)


def said(
    source: Source, roles: Roles, asked: Reading, turned: Sequence[str], categorical: bool, repeats: np.ndarray | None
) -> list[str]:
    """Return lines on rows, features, weights, missing cells, what was left out and what words became."""
    features = roles.features
    n, D = len(features[0].which), len(features)
    rows = f"{n} rows,"
    if (sample := source.sample) is not None:
        rows = f"{drawn_rows(n, sample.n_rows, sample.seed)};"
    lines = [f"Read {source.path.name}: {rows} {D} feature{'s' * (D > 1)}: {some_of([one.name for one in features])}"]
    if roles.weights is not None and repeats is not None:
        lines.append(f"weights: column {roles.weights.name!r} holds frequencies of {int(repeats.sum())} samples")
    if roles.labels is not None and roles.labels.name == asked.index:
        lines.append(f"labels of rows: column {roles.labels.name!r}")
    lines += _missing(features, n * D, asked, "" if sample is None else " of the sample")
    lines += [*_empty_rows(source, features), *_last_alone(source), *roles.notes]
    if turned:
        lines.append(f"{'levels' if categorical else 'turned into numbers'}: {'; '.join(turned)}")
    for kind in dict.fromkeys(kind for one in features for kind in one.notes):
        first, *more = [one.notes[kind] for one in features if kind in one.notes]
        lines.append(first + f" (and so in {len(more)} more)" * bool(more))
    plain = [one for one in features if one.is_numeric and "zero" not in one.notes]
    with np.errstate(over="ignore", invalid="ignore"):  # sums and differences of the largest floats
        lines += [note for one in plain if (note := _sentinel(one, features))]
        lines += _second_header(source, features) if categorical else [*_codes(features), *_doubts(source, roles)]
    for name in source.raw:
        if NAMES_UNITS.fullmatch(name) and len(units := sorted({f"{cell}" for cell in source.raw[name]} - {""})) > 1:
            lines.append(f"column {name!r} names several units ({some_of(units)}): write all numbers in one")
    return lines + ([f"file: {'; '.join(source.notes)}"] if source.notes else [])


def _empty_rows(source: Source, features: Sequence[Column]) -> list[str]:
    """Return a sentence on rows in which every feature is missing, as headings within a table are."""
    empty = np.flatnonzero(np.all([one.which < 0 for one in features], axis=0)).tolist()
    if not empty or len(features) == 1:
        return []
    first = source.at(empty[0]).rpartition(", ")[2]
    return [f"without an observed feature: {len(empty)} row(s), the first in {first}; delete them if they are headings"]


def _last_alone(source: Source) -> list[str]:
    """Return a sentence on a last row below an empty one, as spreadsheets have sums and means."""
    gaps = np.diff(source.lines)
    if len(gaps) < 3 or gaps[-1] == 1 or (gaps[:-1] > 1).any():
        return []
    line = source.at(len(gaps)).rpartition(", ")[2]
    return [f"{line} stands alone below an empty one: delete it if it sums up others"]


def without_zeros(features: Sequence[Column]) -> list[str]:
    """Return a sentence on counts of 1 and more, and empty cells, which may be zeros that nobody wrote."""
    empty = [one for one in features if {"empty", "null"} & one.marks.keys()]
    names = [one.name for one in empty if one.is_numeric and min(one.numbers, default=0) == 1]
    return [f"no 0, but empty cells: {', '.join(names)}; write 0 into them if they mean no or none"][: len(names)]


def _second_header(source: Source, features: Sequence[Column]) -> list[str]:
    """Return a question about the first rows if they alone have, in every column, levels that are there once."""
    once = np.all([np.bincount(one.which + 1)[one.which + 1] == 1 for one in features], axis=0)
    if len(features) == 1 or not once[0] or once.sum() > MOST_HEADERS or not once[: once.sum()].all():
        return []
    heads = ", ".join(source.at(row).rpartition(", ")[2] for row in range(once.sum()))
    return [f"{heads}: no level of other rows; delete it if it is a second header"]


def _codes(features: Sequence[Column]) -> list[str]:
    """Return a sentence on columns of whole numbers that are names or ranks by name, or 1, 2, 3 among measures."""
    coded = [one for one in features if one.is_numeric and one.is_whole and len(one.values) > 2]
    few = [one for one in coded if len(one.values) == np.ptp(one.numbers) + 1 < 7 and min(one.numbers) in (0, 1)]
    are_measured = not all(one.is_whole for one in features)
    names = [one.name for one in coded if CODED.fullmatch(one.name) or (are_measured and one in few)]
    drop = flag("drop", names)
    return [f"taken as amounts: {', '.join(names)}; {drop} if these numbers are names or ranks"][: len(names)]


def _doubts(source: Source, roles: Roles) -> list[str]:
    """Return sentences on what may be no samples, or no amounts in one unit."""
    n, D = len(roles.features[0].which), len(roles.features)
    centres, spreads, keys, values = (list(filter(of.fullmatch, source.raw)) for of in (CENTRE, SPREAD, KEY, VALUE))
    holes = {one.name: one.which < 0 for one in roles.features if (one.which < 0).any()}
    short, is_cut = list(holes), all(hole[-2:].all() and (np.sort(hole) == hole).all() for hole in holes.values())
    doubts = [
        (1 < n <= D, f"{n} rows of {D} features: is a row a sample? If it is a variable, transpose the table"),
        (centres and spreads, f"are {some_of(centres + spreads)} summaries of groups? A row is one observation"),
        (short and is_cut, f"{some_of(short)} end early: are columns groups? Write one of values, and one of groups"),
        (keys and values, f"are quantities in {some_of(values)} named by {some_of(keys)}? Write a column for each"),
    ]
    lines = [text for is_doubtful, text in doubts if is_doubtful]
    for column in roles.features:
        x, is_first = column.array[column.which >= 0][:MOST_LOOKED_AT], D > 1 and column is roles.features[0]
        why = _of_minutes(x) or _of_two_units(x) or ("" if roles.weights else _of_steps(x, is_first))
        lines += [f"column {column.name!r} {why}"] if why and column.is_numeric else []
    return lines


def _of_minutes(x: Array) -> str:
    """Return a question if the last two digits are never 60 or more, where chance alone would hardly avoid them."""
    is_whole = bool((x % 1 == 0).all()) and max(x, default=0) < 3200  # 31 December
    wholes, parts = np.divmod(x if is_whole else np.round(100 * np.abs(x), 6), 100)
    if (parts % 1 > 0).any() or len(np.unique(parts)) < 4 or parts.max() >= 60:
        return ""
    inner = (wholes > wholes.min()) & (wholes < wholes.max()) & (parts > 0)
    rare = 0.6 ** inner.sum() < 1e-3
    return f"never ends in 60 to 99: does {'915' if is_whole else '9.15'} mean 9:15? Then write 9.25" if rare else ""


def _of_two_units(x: Array) -> str:
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
    if factor not in (100, 1000) or not (is_like and is_narrow and (low % 1 > 0).any()):
        return ""
    return f"holds {low.max():g} and {high.min():g}: are some {factor:g} times too small? Then write one unit"


def _of_steps(x: Array, is_first: bool) -> str:
    """Return a question if all steps from row to row are the same, or up by whole numbers in the first column."""
    steps = np.diff(x) if len(x) >= NEAREST else np.zeros(1)
    is_clock = steps[0] != 0 and np.ptp(steps) <= 1e-6 * abs(x[-1] - x[0])
    is_counter = is_first and (x % 1 == 0).all() and (steps > 0).all()
    return "goes on from row to row as a clock or a counter does: is it a feature?" if is_clock or is_counter else ""


def _missing(features: Sequence[Column], n_cells: int, asked: Reading, of_what: str) -> list[str]:
    marks: Counter[str] = Counter()
    for column in features:
        marks.update(column.marks)
    kinds = ", ".join(f"{times} {mark}" for mark, times in marks.items())
    holes = ", ".join(f"{one.name} {sum(one.marks.values())}" for one in features if one.marks)
    lines = [f"missing: {marks.total()} of {n_cells} cells ({kinds}), by column: {holes}" if marks else "missing: none"]
    unseen = [mark for mark in asked.missing if not any(column.has_mark(mark) for column in features)]
    return lines + [f"not there: no cell{of_what} holds {', '.join(unseen)}, of --missing"][: len(unseen)]


def _sentinel(column: Column, others: Sequence[Column]) -> str:
    """Return a question about numbers such as -999, or 88 and 99, far from all others or alone below 0, or nothing."""
    values, which = np.unique(column.numbers, return_inverse=True)
    times = np.bincount(which[column.which[column.which >= 0]])
    is_code = np.isin(values, [*CODES, *(8.0, 9.0) * (column.is_whole and len(values) > 3)])
    wide = np.diff(values) > np.ptp(values) / 1.5  # more than twice the range of the others
    is_lone = np.isin(values, values[[0, -1]]) & (np.append(wide, False) | np.append(False, wide)) & (times > 1)
    inner = np.flatnonzero(~(is_code | (is_lone & (len(values) > NEAREST))))
    codes, rest = values[:0], values[inner[0] : inner[-1] + 1] if len(inner) else values
    for outer in np.flatnonzero(values < rest[0]), np.flatnonzero(values > rest[-1]):
        far = np.array([_is_far(values[at], rest, is_code[at], times[at] > 1) for at in outer], dtype=bool)
        codes, rest = np.append(codes, values[outer[far]]), np.union1d(rest, values[outer[~far]])
    if not len(codes):
        return ""
    marks = [f"{code + 0.0:.15g}" for code in codes]
    verb, what = ("Is", "a mark") if len(marks) == 1 else ("Are", "marks")
    too = [one.name for one in others if one is not column and np.isin(codes, one.numbers).any()]
    remedy = flag("missing", marks) + (f"; if not so in {some_of(too)}, empty these cells in the file" if too else "")
    return f"{verb} {' and '.join(marks)} in column {column.name!r} {what} of missing cells? Then {remedy}"


def _is_far(value: float, rest: Array, known: bool, repeated: bool) -> bool:
    """Whether a number is far from the rest, or a known code repeated beyond a gap that is wide, or alone below 0."""
    is_below = value < rest[0]
    if len(rest) < 2 or is_below != (value <= 0):
        return False
    gap, nearest = (rest[0] - value, rest[:NEAREST]) if is_below else (value - rest[-1], rest[-NEAREST:])
    is_wide = len(rest) > 2 and gap >= max(WIDE * np.diff(nearest).max(), PART * np.ptp(rest))
    is_alone = value < 0 <= rest[0] and rest[-1] > MOST_CODED and (repeated or value <= -90)
    return bool(gap > 2 * np.ptp(rest) or (known and (is_alone or (repeated and is_wide))))
