"""Check the features of a file and turn them into samples; refuse columns such as dates and free text."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from comparisons.data.decimals import differ_in_units, has_unit, unit_of
from comparisons.data.options import flag
from comparisons.data.strays import LOWEST
from comparisons.data.table import Column, Table, names_by_message
from comparisons.data.words import WORDS, is_called, pattern_of
from comparisons.families import family_classes
from comparisons.family import Family
from models.validation import Array

BOTH = {frozenset(pair.split()): pair.split() for pair in WORDS["pair"]}
MONTH = rf"({'|'.join(WORDS['begin_of_month'])})[a-zéû]*\.?"
TIME = r"\d{1,2}:\d{2}(:\d{2})?([.,]\d+)?\s*([ap]m)?"
DAY = r"(1[5-9]|20)\d\d[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}-?q[1-4]"
WRITTEN = rf"\d{{1,2}}[-. ]*{MONTH}[-. ]*(\d{{2,4}})?|{MONTH}[-. ]*(\d{{1,2}},?)?[-. ]*\d{{2,4}}|{MONTH}[-. ]*\d{{1,2}}"
DATE = re.compile(rf"({DAY}|{WRITTEN})([t ,:]+{TIME}.*)?|{TIME}", re.IGNORECASE)
DAY_MONTH = re.compile(r"(0[1-9]|[12]\d|3[01])\.(0[1-9]|1[0-2])")  # a spreadsheet's day, such as 01.02: no number
COMPACT_DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")
WITH_MONTHS = re.compile(  # numbers such as 2001.12, 31.12, and 12.1 for 12.10
    rf"{COMPACT_DATE.pattern}|((19|20)\d\d|[1-9]|[12]\d|3[01])\.(0[1-9]|1[0-2]?)|(19|20)\d\d(0[1-9]|1[0-2])"
)
DATED, OF_MONTHS = pattern_of("date"), pattern_of("date", "month")
LABEL, DESIGN = pattern_of("label"), pattern_of("design")
MOST_LEVELS, FEW_ROWS, MOST_ROWS, MOST_MARKS = 20, 10, 10_000_000, 3  # marks of missing cells, such as -7, -8 and -9
LIMITS = {"<", ">", "<=", ">=", "≤", "≥", "="}  # beside a number that is a limit of detection
SEVERAL = re.compile(r"\s*[,;|]\s*")


def check_features(table: Table, features: Sequence[Column], categorical: bool) -> None:
    """Raise an error about a word in a column of numbers, and about all columns that cannot be features."""
    misfits = [(column, code) for column in features if (code := _misfit(column, categorical)) is not None]
    others = [column for column in features if not any(column is misfit for misfit, _ in misfits)]
    each_once = all(one.is_distinct and one.categories is None for one in features) and features[-1].is_numeric
    if categorical and each_once and len(features) > 1 and len(features[0].codes) > 2 and not misfits:
        remedy = "write a row for each sample, or one for each combination of levels with a column 'count'"
        given = "holds each number once in every column, so that none is a level"
        raise ValueError(f"{table.name} {given}: if these are counts, {remedy}")
    refused = {column.name: why for column in others if (why := _refusal(table, column, categorical))}
    alike = names_by_message((name, re.sub(r" in line \d+", "", why)) for name, why in refused.items()).values()
    whys = "; ".join(f"column {one!r} {refused[one]}{', likewise ' * any(too)}{', '.join(too)}" for one, *too in alike)
    wanted = "whole numbers, or words of few kinds" if categorical else "numbers, or words of two kinds as 0 and 1"
    whys += f". A feature holds {wanted}{_remedies(table, features, refused)}" * bool(refused)
    if misfits:
        try:
            _refuse_misfits(table, features, misfits)
        except ValueError as why:
            raise ValueError(f"{why}. Besides, {whys}" if refused and "titles" not in f"{why}" else f"{why}") from None
    if refused:
        raise ValueError(f"{table.name}: {whys}")


def _remedies(table: Table, features: Sequence[Column], refused: Mapping[str, str]) -> str:
    """Return what the user can do about columns that cannot be features."""
    if len(table.raw) == 1:
        marks = "write one mark between them, such as a comma, and delete the lines above their names"
        return f": if these lines are several cells each, {marks}"
    these = "this column" if len(refused) == 1 else "these columns"
    remedies = [f"{flag('drop', refused)} leaves out {these}"] if len(refused) < len(features) else []
    first, *others = features
    if others and first.name in refused and first.is_distinct and first.share_of_numbers < 0.5:
        remedies.append(f"{flag('index', [first.name])} keeps {first.name!r} as labels of the rows")
    if any("words of" in why for why in refused.values()):
        remedies.append(f"{commands_of()} takes words of several kinds")
    elif not remedies and any("times" in why for why in refused.values()):
        remedies.append("write times as numbers, 9:30 as 9.5")
    return f": {'; '.join(remedies)}" if remedies else ""


def commands_of(*values: float, refused: float | None = None) -> str:
    """Return the commands of mixtures that take some numbers as amounts, and refuse another; of levels without any."""
    fit = [one for one in family_classes() if (takes(one, *values) if values else one.categorical)]
    return " or ".join(f"python -m comparisons.{one.name}" for one in fit if refused is None or not takes(one, refused))


def takes(family: type[Family], *values: float) -> bool:
    """Whether cells of size 1 of a family may hold these numbers, as amounts."""
    x = np.array([values], dtype=np.float64)
    return not family.categorical and not family.parameters_type.cells.misfits(x, np.ones_like(x)).any()


def two_values(column: Column) -> tuple[Array, str] | None:
    """Return the 0 or 1 of each value of a column of two words, and a note that says which is which.

    Return None if the column does not hold two words.
    """
    words: list[Any] = [f"{value}".strip().lower() for value in column.values]
    known: list[Any] = BOTH.get(frozenset(words), sorted({*words}))
    if column.categories is not None and frozenset(words) not in BOTH:
        words, known = column.values, list(column.categories)
    elif frozenset(words) not in BOTH and (len(known) == len(column.codes) or any(map(_is_no_word, known))):
        return None  # a different word in each row; or amounts or marks, which are no words
    if len(known) != 2 or (column.categories is None and not np.isnan(column.numbers).all()):
        return None
    codes = np.array([known.index(word) for word in words], dtype=np.float64)
    firsts = dict(zip(codes[::-1], column.values[::-1], strict=True))
    unsure = [f"{word}" for word in column.values if is_called(f"{word}".strip(), "unknown")]
    ask = f" (missing? Then {flag('missing', unsure)})" * any(unsure)
    return codes, ", ".join(f"{firsts[code]} is {code:.0f}" for code in (1, 0) if code in firsts) + ask


def is_date(column: Column) -> bool:
    """Whether most values are dates or times, or numbers that stand for days by the column's name or their form."""
    numbers, texts = column.numbers, column.texts
    if texts and all(map(DAY_MONTH.fullmatch, texts)) and any(text[0] == "0" for text in texts):
        return True
    if not column.is_numeric:
        words = [value for value, known in zip(column.values, numbers, strict=True) if np.isnan(known)]
        kinds = date | timedelta | np.datetime64
        days = [isinstance(word, kinds) or DATE.fullmatch(f"{word}".strip()) for word in words]
        return sum(map(bool, days)) > len(numbers) / 2
    if DATED.fullmatch(column.name) and min(numbers, default=0) > 10_000:
        return True  # a number of days or seconds since a fixed day
    written = WITH_MONTHS if OF_MONTHS.fullmatch(column.name) else COMPACT_DATE
    return len(numbers) > 1 and all(written.fullmatch(f"{value:.15g}") for value in numbers)


def _is_no_word(text: str) -> bool:
    """Whether text is a number with a sign such as $, or nothing but marks."""
    return bool(unit_of([text], letters=False)) or not any(map(str.isalnum, text))


def _refusal(table: Table, column: Column, categorical: bool) -> str:
    """Return why a column cannot be a feature, with line and value, or "" if it can."""
    n, n_observed, values, m = len(column.codes), int(column.observed.sum()), column.values, len(column.values)
    if n_observed == 0:
        return "has no observed cell"
    # The code of the value that messages show: the first that is no number, or no whole number.
    code = int(np.argmax(column.numbers % 1 != 0 if column.is_numeric else np.isnan(column.numbers)))
    at = column.shown(code) + f" in {table.row_name(column.first_row(code))}" * bool(table.lines)
    digits = len(column.shown(0).strip("'"))  # such as 0110, the answers of a person or the captures of an animal
    binary = digits > 3 and all(re.fullmatch(f"'?[01]{{{digits}}}'?", column.shown(one)) for one in range(m))
    if m > 2 and binary and (categorical or any(column.shown(one).strip("'")[0] == "0" for one in range(m))):
        return f"holds several answers in a cell ({at}): write a column for each"
    if is_date(column):
        return f"holds dates{' or times' * (':' in at)} ({at})"
    if (categorical or not column.is_numeric) and column.is_merged:
        return f"holds each value once, above empty cells, as merged cells do ({at}): write it into every row"
    too_many = m > max(MOST_LEVELS, n / 2) or (not column.is_numeric and n >= FEW_ROWS and n_observed == m > 1)
    if categorical:
        if column.is_numeric and not column.is_whole:
            alone = "; delete the line if it holds means" * ((column.array % 1 > 0).sum().item() == 1)
            return f"holds numbers that cannot be levels, because they are not whole ({at}{alone})"
        kind = "too many levels" if column.is_numeric else "free text"
        return f"holds {kind} ({m} different values, {at})" * too_many
    if column.is_numeric or (two_values(column) and not too_many):
        return ""
    if LIMITS.issuperset(values):
        return f"holds {at}, so that a number beside it is a limit and no measurement: write NA for such numbers"
    if m == 1:
        empty = " and empty cells (write yes and no, if these are two answers)" * (n_observed < n)
        return f"holds nothing but {at}{empty}"
    n_kinds = len({f"{value}".strip().lower() for value in values})
    kind = "free text" if too_many or n_kinds > FEW_ROWS else f"words of {n_kinds} kinds"
    if len(column.texts) == m and differ_in_units(column.texts):
        return f"holds numbers with different units ({at}): write one unit, if these are no {kind}"
    return f"holds {kind} ({at}{'' if too_many else _no_answers(values)})"


def _no_answers(values: Iterable[Any]) -> str:
    """Return what to do about words that are not of a pair such as yes and no: they may mark missing cells."""
    words = {f"{value}".strip().lower(): f"{value}" for value in values}
    known = {pair: two for pair, two in BOTH.items() if pair < words.keys() and not any(map(_is_no_word, pair))}
    pair, answers = next(iter(known.items()), (words.keys(), list[str]()))
    if len(words) == 2 and any(map(_is_no_word, words)):
        return "; write yes and no, if these are two answers"
    others = [word for key, word in words.items() if key not in pair]
    return f"; {flag('missing', others)} if these are no answers, else write {' or '.join(answers)}" * bool(others)


def _misfit(column: Column, categorical: bool) -> int | None:
    """Return the code of the first value that is no number, if at least half of the cells are numbers; else None."""
    codes = np.flatnonzero(np.isnan(column.numbers)).tolist()
    is_amount = bool(codes) and column.share_of_numbers >= 0.5
    is_level = is_amount and categorical and any((column.codes == code).sum() > 1 for code in codes)
    return int(codes[0]) if is_amount and not is_level else None


def _refuse_misfits(table: Table, features: Sequence[Column], misfits: list[tuple[Column, int]]) -> NoReturn:
    """Raise an error about the first cells that are no numbers.

    A row of several such words may be a second header, a row of units, or the begin of another table. A row with one
    such word and no number may be a note. In all other cases the word itself is the fault.
    """
    row = min(column.first_row(code) for column, code in misfits)
    heads = [(column, code) for column, code in misfits if column.first_row(code) == row]
    words = [column.shown(code) for column, code in heads]
    begins = [word.lstrip("'")[:1] for word in words]
    n_numbers = sum(column.observed[row] for column in features) - len(heads)
    once = all((column.codes == code).sum() == 1 for column, code in heads)
    are_heads = len(set(words)) == len(words) or not (row or n_numbers)  # columns may share a unit
    if len(words) > 1 and once and are_heads and not any(map(str.isdecimal, begins)):
        given = f"{table.location(row)} holds {', '.join(words)}"
        if row == 0 and len(heads) == len(misfits):
            raise ValueError(f"{given} among numbers: if these are units or titles, delete the line")
        if not n_numbers and not set(begins) & set("#<>"):
            raise ValueError(
                f"{given} and no number: delete it if it is a second header; another table needs its own file"
            )
    column, code = misfits[0]
    odd = {one.name: [one.values[at] for at in np.flatnonzero(np.isnan(one.numbers))] for one, _ in misfits}
    is_low = column.first_row(code) >= len(column.codes) - LOWEST and " " in column.shown(code)
    advice = f"; write numbers alone, or all of the column with one unit{', or delete a line of formats' * (row == 0)}"
    for value in [value for value in odd[column.name] if has_unit(f"{value}")][:1]:
        table.refuse(column, column.values.index(value), "a number", advice, words=[])
    words_only = {f"{value}".strip().lower() for value in column.values} - {"0", "1"}  # of one letter it may be a mark
    for no, yes in [two for pair, two in BOTH.items() if words_only <= pair and len("".join(words_only)) > 1][:1]:
        table.refuse(column, code, "a number", f"; write 0 for {no} and 1 for {yes}", words=[])
    if len(features) > 1 and len(heads) == 1 and (not n_numbers or is_low) and (column, code) == heads[0]:
        advice = f"; {'it stands alone, so ' * (not n_numbers)}delete the line if it is a note"
    elif not column.shown(code).lstrip("'")[0].isdecimal():
        advice = "; delete the line if it is a second header" * (row == 0 and once and begins[0].isalpha())
    marks = [value for values in odd.values() for value in values if not has_unit(f"{value}")]
    table.refuse(column, code, "a number", advice, words=list(dict.fromkeys(marks)))


def takes_units(pair: Family) -> bool:
    """Whether cells of a family may have units: not if they are levels or 0 and 1, where ``1 dose`` is a word."""
    cells = pair.parameters_type.cells
    size, two = pair.of_data.get(cells.size_name, 1), np.full((1, 1), 2.0)
    return not pair.categorical and not (np.ndim(size) == 0 and cells.misfits(two, cells.sizes(size, two.shape)).any())


def samples_of(features: Sequence[Column], categorical: bool) -> tuple[Any, list[str]]:
    """Return the samples, an array of numbers or a frame of levels, and notes on how words were read."""
    cells, notes = zip(*map(_levels if categorical else _numbers, features), strict=True)
    names = [column.name for column in features]
    X = pd.DataFrame(dict(zip(names, cells, strict=True))) if categorical else np.stack(cells, axis=1)
    return X, [f"{', '.join(ones)}: {note}" for note, ones in names_by_message(zip(names, notes, strict=True)).items()]


def _numbers(column: Column) -> tuple[Array, str]:
    """Return a feature as numbers (n,), NaN where a cell is missing, and a note on words that became numbers."""
    if column.is_numeric:
        return column.array, ""
    values, note = two_values(column) or (column.numbers, "")
    return np.append(values, np.nan)[column.codes], note


def _levels(column: Column) -> tuple[Any, str]:
    """Return a feature as levels, and a note that lists the levels and asks about odd ones."""
    cells: Any = column.array
    levels = [f"{value:.15g}" for value in np.unique(column.numbers).tolist()]
    if not column.is_numeric or column.categories is not None:
        known = sorted(set(column.values), key=str) if column.categories is None else list(column.categories)
        values, levels = [*column.values, None], [str(level) for level in known]
        cells = pd.Categorical([values[code] for code in column.codes], categories=known)
    parts = {part for level in levels for part in SEVERAL.split(level) if part != level}
    cuts = [{*level.split()} for level in levels if " " in level]
    are_several = parts & {*levels} or 2 * sum(cut <= {*levels} for cut in cuts) > len(cuts)
    is_code = len(column.texts) > 2 and all(any(map(str.isdigit, text)) for text in column.texts)
    stems = {"", *(text.rstrip("0123456789") for text in column.texts)}  # one of many levels such as ind1, ind2, ...
    is_code &= bool(LABEL.fullmatch(column.name)) or (len(stems) == 2 and len(column.texts) > FEW_ROWS)
    odd = f", ... ({len(levels)})" * (len(levels) > 8)
    odd += " (some differ in case only)" * (len({level.lower() for level in levels}) < len(levels))
    is_tick = len(levels) == len(column.texts) == 1 and bool(column.marks)
    odd += " and empty cells (write yes and no, if these are two answers)" * is_tick
    odd += "".join(f" (did a spreadsheet make a date of {day!r}?)" for day in [*filter(DATE.fullmatch, levels)][:1])
    odd += " (several answers in a cell? Then write a column of yes and no for each)" * bool(are_several)
    zero = "0" * all(any(map(str.isalpha, level)) or not level.strip("0/|") for level in levels)  # 0/0 beside A/G
    bare = [level for level in levels if not any(map(str.isalnum, level.strip(zero) or level[: len(level) < 2]))]
    odd += f" (marks? Then {flag('missing', bare)})" * ("level" not in column.notes and 0 < len(bare) < len(levels))
    is_label = is_code or DESIGN.fullmatch(column.name) or (column.is_numeric and len(levels) > MOST_LEVELS)
    odd += f" (labels, clusters or amounts? Then {flag('drop', [column.name])})" * bool(is_label)
    return cells, ", ".join(repr(one) if ", " in one else one for one in levels[:8]) + odd


def check_cells(table: Table, features: Sequence[Column], X: Any, pair: Family) -> None:
    """Raise an error about the first cell that is illegal for the family, such as 0.5 among counts."""
    cells = pair.parameters_type.cells
    size = pair.of_data.get(cells.size_name, 1)
    if pair.categorical or np.shape(size) not in ((), X.shape[1:], X.shape):
        return
    missing = np.isnan(X)
    x, sizes = np.where(missing, 0.0, X), np.where(missing, 0.0, cells.sizes(size, X.shape))
    misfits = cells.misfits(x, sizes)
    if misfits.any():
        row, d = np.argwhere(misfits)[0]
        advice = cells.advice(x, sizes, [one.name for one in features])
        kinds, n_misfits = {*X[~missing[:, d], d]}, len({*x[misfits[:, d], d]})
        # Answers 1 and 2 beside marks; 2 is none.
        no_zero = not takes_units(pair) and {1, 2} <= kinds and 0 not in kinds and n_misfits <= MOST_MARKS + 1
        if np.ndim(size) == 0 and size == 1 and x[row, d] > 0 and ((x[:, d] if no_zero else x) % 1 == 0).all():
            write = "; no cell is 0: write 0 for no" * (no_zero and not advice)
            advice += f"; {commands_of()} takes whole numbers as levels{write}"
        measured = bool((x[:, d] % 1 != 0).sum() > (~missing[:, d]).sum() / 2)
        advice += f"; {commands_of(-0.5)} takes measurements" * measured
        of_sizes = f"; {flag(cells.size_name, [features[d].name])} takes them as sizes"
        advice += of_sizes * (measured and is_called(features[d].name, cells.size_name))
        advice += "; delete the line if it holds sums or means" * bool(misfits.any(axis=1).sum() == 1 < misfits.sum())
        words = None if n_misfits <= MOST_MARKS and not (measured or no_zero) else list[Any]()
        code, wanted = int(features[d].codes[row]), cells.wanted(sizes[row, [d]])
        table.refuse(features[d], code, wanted, advice, words)


def repeats_of(table: Table, weights: Column | None) -> np.ndarray | None:
    """Return the frequency of each row (n,), or None if no column holds frequencies."""
    if weights is None:
        return None
    counts, drop = weights.array, flag("drop", [weights.name])
    for row in np.flatnonzero(~(counts >= 0) | (counts % 1 != 0)).tolist()[:1]:
        value = weights.shown(weights.codes[row]) if weights.observed[row] else "an empty cell"
        wanted = f"frequencies in column {weights.name!r} must be whole numbers of at least 0, got {value}"
        remedy = f"{drop} leaves the column out, naming it in --columns makes it a feature"
        raise ValueError(f"{table.location(row)}: {wanted}: rows are repeated as often; {remedy}")
    if not 0 < counts.sum() <= MOST_ROWS:
        total = f"must add up to at most {MOST_ROWS} samples and at least 1, got {counts.sum():.15g}"
        raise ValueError(f"{table.name}: column {weights.name!r} {total}")
    return counts.astype(int)
