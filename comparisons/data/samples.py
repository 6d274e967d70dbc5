"""The samples that the features of a file make, and the cells and columns that make none."""

import re
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from comparisons.data.column import Column
from comparisons.data.decimals import has_unit
from comparisons.data.header import LOWEST
from comparisons.data.kinds import DATE, misfit, numbers_of, refusal
from comparisons.data.options import flag
from comparisons.data.source import Source
from comparisons.families import family_classes
from comparisons.family import Family
from models.validation import Array

MOST_ROWS, MANY_ROWS, MOST_LOOKED_AT = 10_000_000, 10, 100_000
UNLIKELY = 1e-4
SEVERAL = re.compile(r"\s*[,;|]\s*")


def takes_units(pair: Family) -> bool:
    """Whether a family's cells may be numbers with a unit: where cells are levels or 0 and 1, ``1 dose`` is a word."""
    cells = pair.parameters_type.cells
    size, two = pair.of_data.get(cells.size_name, 1), np.full((1, 1), 2.0)
    return not pair.categorical and not (np.ndim(size) == 0 and cells.misfits(two, cells.sizes(size, two.shape)).any())


def check_features(source: Source, features: Sequence[Column], categorical: bool) -> None:
    """Raise an error about a cell that is no number among numbers, or about all columns that are no features."""
    misfits = [(column, place) for column in features if (place := misfit(column, categorical)) is not None]
    if misfits:
        _refuse_misfits(source, features, misfits)
    if categorical and _is_table_of_counts(features):
        raise ValueError(
            f"{source.name} holds each number once in every column, so that none is a level: if these are counts, "
            "write a row for each sample, or one for each combination of levels with a column 'count'"
        )
    refused = {column.name: why for column in features if (why := refusal(column, source.lines, categorical))}
    if refused:
        whys = "; ".join(f"column {name!r} {why}" for name, why in refused.items())
        taken = "words of few kinds and whole numbers" if categorical else "numbers, and words of two kinds as 0 and 1"
        remedy = f"{flag('drop', refused)} leaves out what cannot be taken"
        if len(source.raw) == 1:
            marks = "write one mark between them, such as a comma, and delete the lines above their names"
            raise ValueError(
                f"{source.name}: {whys}. Taken are {taken}: if these lines are several cells each, {marks}"
            )
        if features[0].name in refused and features[0].is_distinct:
            remedy += f"; {flag('index', [features[0].name])} keeps it as labels of the rows"
        if any("words of" in why for why in refused.values()):
            remedy += f"; {_commands_of_levels()} takes words of several kinds"
        raise ValueError(f"{source.name}: {whys}. Taken are {taken}: {remedy}")


def _commands_of_levels() -> str:
    return " or ".join(f"python -m comparisons.{one.name}" for one in family_classes() if one.categorical)


def _refuse_misfits(source: Source, features: Sequence[Column], misfits: list[tuple[Column, int]]) -> NoReturn:
    """Raise an error about the first cells that are no numbers: words of a second header, of a note, or values."""
    row = min(column.first_row(place) for column, place in misfits)
    heads = [(column, place) for column, place in misfits if column.first_row(place) == row]
    words = [column.shown(place) for column, place in heads]
    n_numbers = sum(column.which[row] >= 0 for column in features) - len(heads)
    once = all((column.which == place).sum() == 1 for column, place in heads)
    begins = [word.lstrip("'")[:1] for word in words]
    if len(words) > 1 and once and len(set(words)) == len(words) and not any(map(str.isdecimal, begins)):
        if row == 0 and len(heads) == len(misfits):
            what = f"holds {', '.join(words)} among numbers: if these are units or titles, delete the line"
            raise ValueError(f"{source.at(0)} {what}")
        if not n_numbers and not set(begins) & set("#<>"):
            what = f"holds {', '.join(words)} and no number: if a second header or another table begins here, delete it"
            raise ValueError(f"{source.at(row)} {what}")
    column, place = misfits[0]
    units = [at for at in np.flatnonzero(np.isnan(column.numbers)).tolist() if has_unit(f"{column.values[at]}")]
    if units:
        advice = "; write numbers alone, or all of the column with one unit"
        source.refuse(column, units[0], "a number", advice, words=[])
    advice, is_low = "", column.first_row(place) >= len(column.which) - LOWEST and " " in column.shown(place)
    if len(features) > 1 and len(heads) == 1 and (not n_numbers or is_low) and (column, place) == heads[0]:
        advice = f"; {'it stands alone, so ' * (not n_numbers)}delete the line if it is a note"
    elif column.shown(place).lstrip("'")[0].isdecimal():
        advice = "; write numbers alone, or all of the column with one unit"
    values = [value for one, _ in misfits for value, x in zip(one.values, one.numbers, strict=True) if np.isnan(x)]
    words = [value for value in dict.fromkeys(values) if not has_unit(f"{value}")]
    source.refuse(column, place, "a number", advice, words=words)


def _is_table_of_counts(features: Sequence[Column]) -> bool:
    """Whether no column repeats a value, as in a table that counts combinations of two answers."""
    several = len(features) > 1 and len(features[0].which) > 2
    return several and all(one.categories is None and one.is_distinct for one in features) and features[-1].is_numeric


def samples_of(features: Sequence[Column], categorical: bool) -> tuple[Any, list[str]]:
    """Return the samples, an array of numbers or a frame of levels, and what words became."""
    if not categorical:
        pairs = [numbers_of(column) for column in features]
        return np.stack([values for values, _ in pairs], axis=1), [said for _, said in pairs if said]
    frame, said = {}, []
    for column in features:
        if column.is_numeric and column.categories is None:
            frame[column.name] = column.array
            levels = [f"{value:g}" for value in sorted(set(column.array[column.which >= 0]))]
        else:
            values = [*column.values, None]
            known = sorted(set(values[:-1]), key=str) if column.categories is None else list(column.categories)
            frame[column.name] = pd.Categorical([values[code] for code in column.which], categories=known)
            levels = [str(level) for level in known]
        more = f", ... ({len(levels)})" if len(levels) > 8 else ""
        more += " (some differ in case only)" if len({level.lower() for level in levels}) < len(levels) else ""
        days = [level for level in levels if DATE.fullmatch(level)]
        more += f" (did a spreadsheet make a date of {days[0]!r}?)" if days else ""
        alone = set(levels)
        if any(part != level and part in alone for level in levels for part in SEVERAL.split(level)):
            more += " (several answers in a cell? Then write a column of yes and no for each)"
        said.append(f"{column.name}: {', '.join(repr(one) if ', ' in one else one for one in levels[:8])}{more}")
    return pd.DataFrame(frame), said


def check_cells(source: Source, features: Sequence[Column], X: Any, pair: Family) -> None:
    """Raise an error about the first cell that the family cannot take, such as a half among counts."""
    cells = pair.parameters_type.cells
    size = pair.of_data.get(cells.size_name, 1)
    if pair.categorical or np.ndim(size) == 2:
        return
    sizes = cells.sizes(size, X.shape)
    missing = np.isnan(X)
    x, sizes = np.where(missing, 0.0, X), np.where(missing, 0.0, sizes)
    misfits = cells.misfits(x, sizes)
    if misfits.any():
        row, d = np.argwhere(misfits)[0]
        column = features[d]
        advice = cells.advice(x, sizes, [one.name for one in features])
        if size == 1 and x[row, d] > 0 and (x % 1 == 0).all():
            advice += f"; {_commands_of_levels()} takes whole numbers as levels"
        source.refuse(column, int(column.which[row]), cells.wanted(sizes), advice)


def without_variance(features: Sequence[Column], X: Any) -> list[str]:
    """Return what says that a column is constant, or a sum of multiples of those before it, which no Gaussian fits."""
    if len(X) < 3:
        return []
    holes = np.isnan(X)
    low, high = np.nanmin(X, axis=0), np.nanmax(X, axis=0)
    whole = X[~holes.any(axis=1)][:MOST_LOOKED_AT]
    follows = _follows(whole) if len(whole) > X.shape[1] else np.zeros(X.shape[1], dtype=bool)
    rows = f"the first {len(whole)} rows" if len(whole) == MOST_LOOKED_AT < len(X) else "the rows" * bool(holes.any())
    among = f" in {rows}{' without missing cells' * bool(holes.any())}" if rows else ""
    said = []
    for d in np.flatnonzero((low == high) | follows).tolist():
        where = "in every observed cell" if holes[:, d].any() else "in every row"
        what = (
            f"is {low[d]:.15g} {where}" if low[d] == high[d] else f"follows from those before it, as a sum does{among}"
        )
        said.append(f"column {features[d].name!r} {what}; {flag('drop', [features[d].name])} leaves it out")
    half = X[: len(X) // 2]
    if len(X) % 2 == 0 and len(np.unique(half)) > 2 and np.array_equal(half, X[len(half) :], equal_nan=True):
        said.append("the lower half of the rows repeats the upper: delete it if it was pasted twice")
    return said


def _follows(X: Array) -> np.ndarray:
    """Return which columns are sums of multiples of those before them, and no constants, up to rounding."""
    largest = np.abs(X).max(axis=0)
    X = X / np.where(largest > 0, largest, 1.0)
    scale = X.std(axis=0)
    constant = scale <= 1e-12
    left = np.linalg.qr((X - X.mean(axis=0)) / np.where(constant, 1.0, scale), mode="r").diagonal()
    return ~constant & (np.abs(left) <= 1e-9 * len(X) ** 0.5)


def refuse_sums(source: Source, X: Any) -> None:
    """Raise an error if the first or the last row holds the sums or means of all others, as spreadsheets write them."""
    if isinstance(X, pd.DataFrame) or len(X) < 4:
        return
    for row, others, where in ((len(X) - 1, X[:-1], "above"), (0, X[1:], "below")):
        filled = ~np.isnan(X[row])
        if what := _summary(X[row, filled], others[:, filled]):
            raise ValueError(f"{source.at(row)} holds the {what} of the rows {where} it and is no sample: delete it")


def _summary(row: Array, others: Array) -> str:
    """Return whether the numbers of a row are sums or means of the others', or nothing."""
    n_rows, n_cells = len(others) + 1, (~np.isnan(others)).sum(axis=0)
    with np.errstate(over="ignore", invalid="ignore"):
        sums = np.nansum(others, axis=0)
    rounding = 1e-9 if n_rows < MANY_ROWS else 1e-3  # of sums whose rows were rounded, where no sample is so large
    is_sum = np.allclose(row, sums, rtol=rounding, atol=0) and (np.abs(sums) > 2).all()
    alone = len(row) == 1 and n_rows >= MANY_ROWS and np.nanmin(others) >= 0 and (row > 2 * np.nanmax(others)).all()
    if is_sum and (len(sums) > 1 or alone):
        return "sums"
    if len(sums) < 2 or (n_cells < 2).any() or (row % 1 == 0).any():
        return ""
    with np.errstate(over="ignore", invalid="ignore"):
        spread = np.nanstd(others, axis=0)
        near = np.minimum(np.maximum(_half_a_digit(row), 1e-3 * (n_rows >= MANY_ROWS) * spread), spread)
        chance = np.prod(near[spread > 0] / spread[spread > 0])  # that a sample is as near
        return "means" * bool((np.abs(row - sums / n_cells) <= near).all() and chance < UNLIKELY)


def _half_a_digit(values: Array) -> Array:
    """Return by how much numbers may be rounded that are written with so many decimals."""
    decimals = [len(f"{value:.9f}".rstrip("0").partition(".")[2]) for value in values]
    return np.array([0.500001 * 10.0**-count for count in decimals])


def repeats_of(source: Source, weights: Column | None) -> np.ndarray | None:
    """Return how often each row was observed, or None if each was once."""
    if weights is None:
        return None
    counts = weights.array
    misfits = np.flatnonzero(~(counts >= 0) | (counts % 1 != 0))
    if len(misfits):
        row = int(misfits[0])
        value = weights.values[weights.which[row]] if weights.which[row] >= 0 else "an empty cell"
        drop = flag("drop", [weights.name])
        remedy = f"rows are repeated as often; {drop} leaves the column out, naming it in --columns makes it a feature"
        wanted = f"frequencies in column {weights.name!r} must be whole numbers of at least 0, got {value}"
        raise ValueError(f"{source.at(row)}: {wanted}: {remedy}")
    if not 0 < counts.sum() <= MOST_ROWS:
        total = f"must add up to at most {MOST_ROWS} samples and at least 1, got {counts.sum():.15g}"
        raise ValueError(f"{source.name}: column {weights.name!r} {total}")
    return counts.astype(int)
