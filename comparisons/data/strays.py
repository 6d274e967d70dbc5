"""Rows that are no samples: sums, means, notes, headings and balances carried over, above, among or below the samples.

========================================  ==========================================
a word for a sum begins the row           refused: "Total", "North total"
it is in a later column                   refused, unless the user named the column: then noted
a total of something, "Total North"       the same
a word for a mean begins an outer row     refused, unless the user named the column: then noted
words alone in a lower row                refused, unless the user named the column: then noted
an outer row that alone has no label      refused
an outer row of all others' sums, means   refused
an outer row of fewer cells, or apart     asked about
========================================  ==========================================
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from comparisons.data.decimals import looks_like_number
from comparisons.data.options import flag, is_mark
from comparisons.data.table import Column, Table
from comparisons.data.words import called
from models.validation import Array

SUM, TOTAL_OF, SUMMARY = called("sum"), called("total_of"), called("summary")
HIGHEST, LOWEST = 3, 8  # rows in which spreadsheets have means, deviations and notes above and below the samples
STRAYS = {  # what is said of such a row
    "sum": "begins a row of sums and no sample: delete it, and lines like it",
    "mean": "begins a row of sums, means or the like: delete it, and lines like it; if it is a sample, name the "
    "column: {index} (labels of rows) or {drop}, or among --columns",
    "note": "stands alone: delete it if it is a note, or write NA into its empty cells if it is a sample",
}
FEWEST, MANY_ROWS, UNLIKELY = 3, 10, 1e-4


def refuse_words(table: Table, named: Collection[str]) -> None:
    """Raise an error about a row of text whose words say that it is no sample.

    What may be a sample too, as an average grade, is one in a column of ``named``, whose role the user stated: with a
    note. So is SD or Max alone, which may be a state or a person.
    """
    if not table.lines:
        return
    names, columns = list(table.raw), list(table.raw.values())
    found = _found(columns)
    words = {row: columns[d][row] for row, (_, d) in found.items()}
    means = {words[row].rstrip(": ").lower() for row, (kind, _) in found.items() if kind == "mean"}
    is_name = means in ({"sd"}, {"max"}, {"min"})
    answers = {one for one in {(d, words[row]) for row, (_, d) in found.items()} if _is_answer(columns, *one)}
    for row, (kind, d) in sorted(found.items()):
        if (d, words[row]) in answers:
            continue
        at = f"{table.place(row)}{f', column {names[d]!r}' * (kind != 'note')}: {words[row]!r}"
        if kind == "sum" or not (names[d] in named or (is_name and kind == "mean")):
            said = STRAYS[kind].format(index=flag("index", [names[d]]), drop=flag("drop", [names[d]]))
            raise ValueError(f"{table.name}, {at} {said}")
        table.notes.append(f"{at} is taken for a sample; delete the line if it is a note or sums up others")


def _found(columns: Sequence[Sequence[str]]) -> dict[int, tuple[str, int]]:
    """Return which rows may be no samples by a word: each row's key in STRAYS, and the column of the word."""
    found, n = {}, len(columns[0])
    for row in {*range(n)[:HIGHEST], *range(n)[-LOWEST:]}:
        filled = [d for d, cells in enumerate(columns) if cells[row]]
        word = columns[filled[0]][row]
        if SUMMARY.fullmatch(word.rstrip(": ")) and _numbers_follow(columns, row, filled[0]):
            found[row] = "mean", filled[0]
        elif row >= n - LOWEST and len(filled) == 1 < len(columns) and " " in word and not looks_like_number(word):
            found[row] = "note", filled[0]
    for d, cells in reversed(list(enumerate(columns))):
        for row, word in [(row, cell.rstrip(": ")) for row, cell in enumerate(cells) if cell[:1].isalpha()]:
            if SUM.fullmatch(word):
                found[row] = "mean" if any(before[row] for before in columns[:d]) else "sum", d
            elif TOTAL_OF.fullmatch(word):
                found[row] = "mean", d
    return found


def _is_answer(columns: Sequence[Sequence[str]], d: int, word: str) -> bool:
    """Whether a word of several rows is an answer: rows of sums hold numbers behind it, and none follows another."""
    same = {row for row, cell in enumerate(columns[d]) if cell == word}
    return len(same) > 1 and not all(_numbers_follow(columns, row, d) and row + 1 not in same for row in same)


def _numbers_follow(columns: Sequence[Sequence[str]], row: int, d: int) -> bool:
    """Whether a row has numbers behind a word, and no other word."""
    others = [cells[row] for cells in columns[d + 1 :] if cells[row] and not is_mark(cells[row])]
    return bool(others) and all(map(looks_like_number, others))


def refuse_unlabelled(table: Table, labels: Column) -> None:
    """Raise an error if the first or the last row alone has no label."""
    n, unlabelled = len(labels.which), np.flatnonzero(~labels.observed).tolist()
    if n > FEWEST and unlabelled in ([0], [n - 1]):
        given = f"{table.called(labels)} labels all rows but this one, which may hold sums, means or names"
        raise ValueError(f"{table.at(unlabelled[0])}: {given}: delete the line, or {flag('drop', [labels.name])}")


def refuse_sums(table: Table, X: Any) -> None:
    """Raise an error if the first or the last row holds the sums or means of all others, as spreadsheets write them."""
    if isinstance(X, pd.DataFrame) or len(X) <= FEWEST:
        return
    for row, others, where in ((len(X) - 1, X[:-1], "above"), (0, X[1:], "below")):
        filled = ~np.isnan(X[row])
        if what := _summary(X[row, filled], others[:, filled]):
            raise ValueError(f"{table.at(row)} holds the {what} of the rows {where} it and is no sample: delete it")


def _summary(row: Array, others: Array) -> str:
    """Return whether the numbers of a row are sums or means of the others', or nothing."""
    n_rows, n_cells = len(others) + 1, (~np.isnan(others)).sum(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        sums, spread = np.nansum(others, axis=0), np.nanstd(others, axis=0) if (n_cells > 1).all() else np.zeros(1)
    rounding = 1e-9 if n_rows < MANY_ROWS else 1e-3  # of sums whose rows were rounded, where no sample is so large
    is_sum = np.allclose(row, sums, rtol=rounding, atol=0) and (np.abs(sums) > 2).all()
    alone = len(row) == 1 and n_rows >= MANY_ROWS and np.nanmin(others) >= 0 and (row > 2 * np.nanmax(others)).all()
    if is_sum and (len(sums) > 1 or alone):
        return "sums"
    if len(sums) < 2 or not spread.any() or (row % 1 == 0).any():
        return ""
    with np.errstate(over="ignore", invalid="ignore"):
        near = np.minimum(np.maximum(_half_a_digit(row), 1e-3 * (n_rows >= MANY_ROWS) * spread), spread)
        chance = np.prod(near[spread > 0] / spread[spread > 0])  # that a sample is as near
        return "means" * bool((np.abs(row - sums / n_cells) <= near).all() and chance < UNLIKELY)


def _half_a_digit(values: Array) -> Array:
    """Return by how much numbers may be rounded that are written with so many decimals."""
    decimals = [len(f"{value:.9f}".rstrip("0").partition(".")[2]) for value in values]
    return np.array([0.500001 * 10.0**-count for count in decimals])


def doubtful_rows(table: Table, features: Sequence[Column], categorical: bool) -> list[str]:
    """Return sentences on rows that may be no samples: headings, balances, sums below a gap, a second header."""
    filled, lines = np.sum([one.observed for one in features], axis=0), []
    n, gaps, empty = len(filled), np.diff(table.lines), np.flatnonzero(filled == 0).tolist()
    if empty and len(features) > 1:
        first = f"{len(empty)} row(s), the first in {table.place(empty[0])}"
        lines.append(f"without an observed feature: {first}; delete them if they are headings")
    poor = [row for row in (0, n - 1) if n > FEWEST and 0 < filled[row] < filled[1:-1].min()]
    lines += [f"{table.place(row)} has fewer cells than all between: delete it if it is no sample" for row in poor]
    if len(gaps) >= FEWEST and (gaps[:-HIGHEST] == 1).all() and (gaps > 1).sum() == 1:
        below = [table.place(row) for row in range(int(np.argmax(gaps > 1)) + 1, n)]
        lines.append(f"alone below an empty row: {', '.join(below)}; delete what sums up others")
    once = np.all([np.bincount(one.which + 1)[one.which + 1] == 1 for one in features], axis=0)
    if categorical and len(features) > 1 and once[0] and once.sum() < HIGHEST and once[: once.sum()].all():
        heads = ", ".join(map(table.place, range(once.sum())))
        lines.append(f"{heads}: no level of other rows; delete it if it is a second header")
    return lines
