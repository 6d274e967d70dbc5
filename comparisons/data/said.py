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

MOST_CODED = 5  # a scale up to it may have -1 as a value
CODES = {float(sign * int(digit * n)) for digit in "6789" for n in (2, 3, 4, 5) for sign in (-1, 1)} | {
    *(96.0, 97.0, 98.0, 997.0, 998.0, 9998.0),
    *(-7.0, -8.0, -9.0, -97.0, -98.0, -998.0),
    *(99.9, -99.9, 999.9, -999.9, -99.99, -999.99),
}

NAMES_UNITS = re.compile(
    r"(.*[\W_])?(units?|uom|einheit|unité|unidad|unità|currency|währung|devise|moneda|valuta)", re.IGNORECASE
)
CODED = re.compile(
    r"(.*[\W_])?(codes?|kod|category|categoria|kategorie|class|cluster|type|typ|region|sector|branch|icd|naics|sic|fips"
    r"|ethnicity|race|religion|occupation|marital([\W_]status)?|rank|rang|platz)",
    re.IGNORECASE,
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
    lines += [note for one in features if (note := _sentinel(one))]
    lines += _second_header(source, features) if categorical else _codes(features)
    for name in source.raw:
        if NAMES_UNITS.fullmatch(name) and len(units := sorted({f"{cell}" for cell in source.raw[name]} - {""})) > 1:
            lines.append(
                f"column {name!r} names several units ({some_of(units)}): write the numbers of a column in one"
            )
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
    return [
        f"{source.at(len(gaps)).rpartition(', ')[2]} stands alone below an empty one: delete it if it sums up others"
    ]


def without_zeros(features: Sequence[Column]) -> list[str]:
    """Return a sentence on counts of 1 and more, and empty cells, which may be zeros that nobody wrote."""
    empty = [one for one in features if {"empty", "null"} & one.marks.keys()]
    names = [one.name for one in empty if one.is_numeric and min(one.numbers, default=0) == 1]
    return [f"no 0, but empty cells: {', '.join(names)}; write 0 into them if they mean no or none"][: len(names)]


def _second_header(source: Source, features: Sequence[Column]) -> list[str]:
    """Return a question about the first row if it alone has, in every column, a level that is there once."""
    once = np.all([np.bincount(one.which + 1)[one.which + 1] == 1 for one in features], axis=0)
    if len(features) == 1 or not once[0] or once.sum() > 1:
        return []
    return [f"{source.at(0).rpartition(', ')[2]} alone has no level of other rows: delete it if it is a second header"]


def _codes(features: Sequence[Column]) -> list[str]:
    """Return a sentence on columns of whole numbers whose names say that these are names or ranks."""
    coded = [one for one in features if one.is_numeric and one.is_whole and len(one.values) > 2]
    names = [one.name for one in coded if CODED.fullmatch(one.name)]
    drop = flag("drop", names)
    return [f"taken as amounts: {', '.join(names)}; {drop} if these numbers are names or ranks"][: len(names)]


def _missing(features: Sequence[Column], n_cells: int, asked: Reading, of_what: str) -> list[str]:
    marks: Counter[str] = Counter()
    for column in features:
        marks.update(column.marks)
    kinds = ", ".join(f"{times} {mark}" for mark, times in marks.items())
    holes = ", ".join(f"{one.name} {sum(one.marks.values())}" for one in features if one.marks)
    lines = [f"missing: {marks.total()} of {n_cells} cells ({kinds}), by column: {holes}" if marks else "missing: none"]
    unseen = [mark for mark in asked.missing if not any(column.has_mark(mark) for column in features)]
    return lines + [f"not there: no cell{of_what} holds {', '.join(unseen)}, of --missing"][: len(unseen)]


def _sentinel(column: Column) -> str:
    """Return a question about numbers such as -999, or 88 and 99, far from all others or alone below 0, or nothing."""
    values = np.unique(column.numbers[~np.isnan(column.numbers)])
    for are_codes in (np.isin(values, list(CODES)), values == 0.0):
        codes, rest = values[are_codes], values[~are_codes]
        if len(codes) and len(rest) > 1 and np.abs(np.subtract.outer(codes, rest)).min() > 2 * np.ptp(rest):
            break
    else:
        codes = values[values < 0]
        if not len(codes) or not _are_alone_below_zero(column, codes, values[values >= 0]):
            return ""
    marks = [f"{code:.15g}" for code in codes]
    verb, what = ("Is", "a mark") if len(marks) == 1 else ("Are", "marks")
    return (
        f"{verb} {' and '.join(marks)} in column {column.name!r} {what} of missing cells? Then {flag('missing', marks)}"
    )


def _are_alone_below_zero(column: Column, codes: np.ndarray, rest: np.ndarray) -> bool:
    """Whether the numbers below 0 are codes that are far below, or there more than once, and others are no codes."""
    if not (column.is_whole and np.isin(codes, [-1.0, *CODES]).all() and max(rest, default=0.0) > MOST_CODED):
        return False
    times = [(column.array == code).sum() for code in codes]
    return all(count > 1 or code <= -90 for code, count in zip(codes, times, strict=True))
