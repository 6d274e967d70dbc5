"""Detect rows that are no samples: sums, means, notes, headings and balances, among the samples or around them.

=======================================================  ===================
begins with a word for a sum ("Total", "North total")    refused
one of the first or last, has numbers where words stand  refused (*)
has a word for a sum in a later column                   refused (*)
begins with "Total of ...", "Total North"                refused (*)
one of the first or last, begins with a word for a mean  refused (*)
one of the last, has words in one cell and nothing else  refused (*)
the first or last, is the only one without a label       refused
one of the first or last, holds sums or means of others  refused
the first or last, has fewer cells, or stands apart      a note asks about it
one of few without a cell in a first column of labels    a note asks about it
one of few without a number in a first column of labels  a note asks about it
the first or last few alone lack a cell left out         a note asks about it
has nothing but a first word that no other row has       a note asks about it
=======================================================  ===================

(*) If the user named the column by an option, the row is read as a sample, and a note says so.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from comparisons.data.decimals import looks_like_number
from comparisons.data.options import flag, is_mark
from comparisons.data.table import Column, Table
from comparisons.data.words import pattern_of
from models.labels import some_of
from models.shown import counted
from models.validation import Array

SUM, TOTAL_OF, SUMMARY, LONE = (pattern_of(kind) for kind in ("sum", "total_of", "summary", "summary_or_name"))
HIGHEST, LOWEST = 3, 8  # first and last rows, where spreadsheets have means, deviations and notes
STRAYS = {  # messages by kind of row
    "sum": "begins a row of sums, which is no sample: delete it, and lines like it",
    "mean": "begins a row of sums, means or the like: delete it, and lines like it; if it is a sample, name the "
    "column: {index} (labels of rows) or {drop}, or among --columns",
    "note": "stands alone: delete it if it is a note, or write NA into its empty cells if it is a sample",
}
FEWEST, MANY_ROWS, MOST_ROWS, UNLIKELY = 3, 10, 10_000, 1e-4


def refuse_words(table: Table, named: Collection[str]) -> None:
    """Raise an error about a row whose words say that it is no sample.

    A row that may be a sample, such as "Average" for a grade, is kept with a note if its column is in ``named``, the
    columns that the user named. So is a row of "SD", "Max" or "Sem", if no other such word occurs: it may be a state
    or a person.
    """
    if not table.lines:
        return
    names, columns = list(table.raw), list(table.raw.values())
    suspects = _suspects_by_words(columns)
    words = {row: columns[d][row] for row, (_, d) in suspects.items()}
    means = {words[row].rstrip(": ").lower() for row, (kind, _) in suspects.items() if kind == "mean"}
    answers = {one for one in {(d, words[row]) for row, (_, d) in suspects.items()} if _is_answer(columns, *one)}
    suspects = {row: one for row, one in suspects.items() if (one[1], words[row]) not in answers}
    for row, (kind, d) in sorted(suspects.items()):
        at = f"{table.row_name(row)}{f', column {names[d]!r}' * (kind != 'note')}: {words[row]!r}"
        if kind == "sum" or not (names[d] in named or (kind == "mean" and LONE.fullmatch(" ".join(means)))):
            message = STRAYS[kind].format(index=flag("index", [names[d]]), drop=flag("drop", [names[d]]))
            raise ValueError(f"{table.name}, {at} {message}")
        table.notes.append(f"{at} is read as a sample; delete the line if it is a note or a summary of other lines")


def _suspects_by_words(columns: Sequence[Sequence[str]]) -> dict[int, tuple[str, int]]:
    """Return rows that have a word of sums, means or notes: for each row its key in STRAYS and the word's column."""
    suspects, n = {}, len(columns[0])
    for row in {*range(n)[:HIGHEST], *range(n)[-LOWEST:]}:
        filled = [d for d, cells in enumerate(columns) if cells[row]]
        word = columns[filled[0]][row]
        is_count = [looks_like_number(cells[row]) and _are_words(cells[HIGHEST:-LOWEST]) for cells in columns]
        if sum(is_count) > 1 or (SUMMARY.fullmatch(word.rstrip(": ")) and _numbers_follow(columns, row, filled[0])):
            suspects[row] = "mean", filled[0]
        elif row >= n - LOWEST and len(filled) == 1 < len(columns) and " " in word and not looks_like_number(word):
            suspects[row] = "note", filled[0]
    again = {(d, columns[d][row].rstrip(": ")) for row, (kind, d) in suspects.items() if kind == "mean"}
    for d, cells in reversed(list(enumerate(columns))):
        for row, word in [(row, cell.rstrip(": ")) for row, cell in enumerate(cells) if cell[:1].isalpha()]:
            if (is_sum := SUM.fullmatch(word)) or TOTAL_OF.fullmatch(word) or (d, word) in again:
                suspects[row] = "sum" if is_sum and not any(before[row] for before in columns[:d]) else "mean", d
    return suspects


def _are_words(cells: Sequence[str]) -> bool:
    """Whether many cells hold words, which neither begin nor end with a digit, besides marks of missing cells."""
    return not (any(one.strip("0123456789") != one for one in cells) or all(map(is_mark, cells[MANY_ROWS:])))


def _is_answer(columns: Sequence[Sequence[str]], d: int, word: str) -> bool:
    """Whether a word that occurs in several rows is an answer, and not the label of sums.

    Rows of sums have numbers behind the word, and no two of them follow each other.
    """
    same = {row for row, cell in enumerate(columns[d]) if cell == word}
    return len(same) > 1 and not all(_numbers_follow(columns, row, d) and row + 1 not in same for row in same)


def _numbers_follow(columns: Sequence[Sequence[str]], row: int, d: int) -> bool:
    """Whether a row has numbers, and no other word, in the columns after a word in column d."""
    others = [cells[row] for cells in columns[d + 1 :] if cells[row] and not is_mark(cells[row])]
    return bool(others) and all(map(looks_like_number, others))


def refuse_unlabelled(table: Table, labels: Column) -> None:
    """Raise an error if only the first or only the last row has no label."""
    n, unlabelled = len(labels.codes), np.flatnonzero(~labels.observed).tolist()
    if n > FEWEST and unlabelled in ([0], [n - 1]):
        given = f"{table.described(labels)} labels all rows but this one, which may hold sums, means or names"
        raise ValueError(f"{table.location(unlabelled[0])}: {given}: delete the line, or {flag('drop', [labels.name])}")


def refuse_sums(table: Table, X: Any) -> None:
    """Raise an error if the first or the last row, or one near it, holds sums or means of all below or above it."""
    n = 0 if isinstance(X, pd.DataFrame) else len(X)
    for k in range(max(n > FEWEST, min(LOWEST, n - MANY_ROWS) * (n <= MOST_ROWS))):
        for row, others, where in ((n - 1 - k, X[: n - 1 - k], "above"), (k, X[k + 1 :], "below")):
            filled = ~np.isnan(X[row])
            if what := _summary(X[row, filled], others[:, filled]):
                given = f"holds the {what} of the rows {where} it and is no sample"
                raise ValueError(f"{table.location(row)} {given}: delete it, and lines like it")


@np.errstate(over="ignore", invalid="ignore")
def _summary(row: Array, others: Array) -> str:
    """Return "sums" or "means" if a row holds those of the other rows, else ""."""
    n_rows, n_cells = len(others) + 1, (~np.isnan(others)).sum(axis=0)
    sums, spread = np.nansum(others, axis=0), np.nanstd(others, axis=0) if (n_cells > 1).all() else np.zeros(1)
    rounding = 1e-9 if n_rows < MANY_ROWS else 1e-3  # of many rows no sample is as large as a sum: allow rounded rows
    is_sum = np.allclose(row, sums, rtol=rounding, atol=0) and (np.abs(sums) > 2).all()
    alone = len(row) == 1 and n_rows >= MANY_ROWS and np.nanmin(others) >= 0 and (row > 2 * np.nanmax(others)).all()
    if is_sum and (alone or (len(sums) > 1 and (np.abs(row) > np.nan_to_num(np.abs(others)).max(axis=0)).any())):
        return "sums"
    if len(sums) < 2 or not spread.any() or (row % 1 == 0).all():
        return ""
    near = np.minimum(np.maximum(half_a_digit(row), 1e-3 * (n_rows >= MANY_ROWS) * spread), spread)
    chance = np.prod(near[spread > 0] / spread[spread > 0])  # that a sample is as near to the means
    return "means" * bool((np.abs(row - sums / n_cells) <= near).all() and chance < UNLIKELY)


def half_a_digit(values: Array) -> Array:
    """Return half a unit in the last decimal of each number: the largest error of rounding."""
    decimals = [len(f"{value:.9f}".rstrip("0").partition(".")[2]) for value in values]
    return np.array([0.500001 * 10.0**-count for count in decimals])


def suspect_rows(table: Table, features: Sequence[Column], categorical: bool) -> list[str]:
    """Return notes on rows that may be no samples: headings, balances, sums below an empty row, a second header."""
    filled, lines = np.sum([one.observed for one in features], axis=0), []
    n, gaps, first, kept = len(filled), np.diff(table.lines), features[0], {one.name for one in features}
    lead = np.full(n, -1) if first.is_numeric or len(features) < 3 else first.codes  # words that may be headings
    is_head = (lead >= 0) & (filled == 1) & ~np.isin(lead, lead[filled > 1])
    empty = np.flatnonzero((filled == 0) | (is_head & (is_head.mean() < 0.5))).tolist()
    if empty and len(features) > 1:
        but = f" but {first.name!r}" * bool(filled[empty].any())
        rows = f"{counted(len(empty), 'row')}, the first in {table.row_name(empty[0])}"
        lines.append(f"without an observed feature{but}: {rows}; delete them if they are headings")
    for d, name in [(d, name) for d, name in enumerate(table.raw) if table.lines and name not in kept]:
        texts = table.raw[name]
        number = "number in " * (not d and sum(text[-1:].isdigit() for text in texts) > 0.9 * n)
        bare = [row for row, text in enumerate(texts) if not (any(map(str.isdigit, text)) if number else text)]
        few = n - 1 if bare[:1] == [n - len(bare)] else n / 4  # all of the last rows may be of an empty form
        if 0 < len(bare) < few and (not d or bare in ([0], [*range(n)[-len(bare) :]][: min(HIGHEST, n // 4)])):
            where = f"{number}{name!r} in {some_of([*map(table.row_name, bare)])}"
            lines.append(f"no {where}: delete what holds a key, sums, means, an empty form or the like")
    poor = [table.row_name(row) for row in (0, n - 1) if n > FEWEST and 0 < filled[row] < filled[1:-1].min()]
    lines += [f"{row} has fewer cells than all inner rows: delete it if it is no sample" for row in poor]
    if len(gaps) >= FEWEST and (gaps[:-HIGHEST] == 1).all() and (gaps > 1).sum() == 1:
        below = [table.row_name(row) for row in range(int(np.argmax(gaps > 1)) + 1, n)]
        lines.append(f"below an empty row: {', '.join(below)}; delete lines that summarise others")
    once = np.all([np.bincount(one.codes + 1)[one.codes + 1] == 1 for one in features], axis=0)
    if categorical and len(features) > 1 and once[0] and once.sum() < HIGHEST and once[: once.sum()].all():
        heads = ", ".join(map(table.row_name, range(once.sum())))
        lines.append(f"{heads}: no other row has these levels; delete it if it is a second header")
    return lines
