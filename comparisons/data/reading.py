"""Read a user's file into a data set: open it, read numbers, choose columns, check them, and note what was done."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from comparisons.data.cells import columns_of, equals_a_mark
from comparisons.data.features import check_cells, check_features, repeats_of, samples_of, takes_units
from comparisons.data.files import PARQUET, content_of, split_rows, stem_of, text_of
from comparisons.data.header import table_of
from comparisons.data.options import Reading, check_names
from comparisons.data.parquet import table_of_parquet
from comparisons.data.plausibility import plausibility_notes
from comparisons.data.roles import COUNT, Roles, roles_of
from comparisons.data.sizes import sizes_of
from comparisons.data.strays import refuse_sums, refuse_words, suspect_rows
from comparisons.data.table import Column, Table, names_by_message
from comparisons.declarations import Dataset, drawn_rows
from comparisons.family import Family
from models.labels import some_of
from models.shown import counted


def read_file(path: Path, pair: Family, reading: Reading, most_rows: int | None = None, seed: int = 0) -> Dataset:
    """Return a file as a data set of a family; see :func:`comparisons.data.read`."""
    table = _opened(path, reading, most_rows, seed)
    refuse_words(table, [name for _, name in reading.named])
    check_names(reading, list(table.raw), table.guess)
    kept = {*reading.columns, reading.weights, reading.index, *(name for name in table.raw if name.lower() == COUNT)}
    aside = {*reading.drop, reading.sizes and reading.sizes[1]}
    wanted = [name for name in table.raw if name not in aside and (not reading.columns or name in kept)]
    columns = columns_of(table, wanted, reading, takes_units(pair), pair.parameters_type.cells.whole)
    roles = roles_of(table, columns, reading)
    features = roles.features
    check_features(table, features, pair.categorical)
    X, turned = samples_of(features, pair.categorical)
    sizes, of_sizes = sizes_of(table, reading, pair, len(features))
    pair = type(pair)(**{**pair.of_data, **pair.of_mixture, **sizes})
    check_cells(table, features, X, pair)
    if roles.weights is None:
        refuse_sums(table, X)
    repeats = repeats_of(table, roles.weights)
    notes = [*_what_was_read(table, roles, reading, repeats), *of_sizes]
    notes += suspect_rows(table, features, pair.categorical)
    notes += [f"{'levels' if pair.categorical else 'turned into numbers'}: {'; '.join(turned)}"] if turned else []
    how = [*table.notes, *_how_numbers_were_read(features)]
    notes += [*(note for note in how if "--" in note), *plausibility_notes(table, roles, X, pair)]
    notes += ["file: " + "; ".join(plain)] if (plain := [note for note in how if "--" not in note]) else []
    labels = table.labels if roles.labels is None else roles.labels.labels
    if repeats is not None:
        rows = np.repeat(np.arange(len(repeats)), repeats)
        X = X.iloc[rows].reset_index(drop=True) if isinstance(X, pd.DataFrame) else X[rows]
        labels = labels and [labels[row] for row in rows]
        sizes = {name: of_cells[rows] for name, of_cells in sizes.items()}
    names = tuple(column.name for column in features)
    dataset = Dataset(stem_of(path), pair.name, path.name, X, names, row_labels=tuple(labels) if labels else None)
    all_rows = table.sample and table.sample.all_rows(features, pair.categorical, reading.missing)
    for name in sizes if all_rows else ():
        all_rows = all_rows.without(f"the column of {name} was read for the sample only")
    return replace(dataset, notes=tuple(notes), all_rows=all_rows, options=sizes)


def _opened(path: Path, reading: Reading, most_rows: int | None, seed: int) -> Table:
    """Return the columns of a text or Parquet file; of Parquet too large for memory, a random sample of its rows."""
    content = content_of(path)
    if content.startswith(PARQUET):
        return table_of_parquet(path, most_rows, seed)
    text, encoding = text_of(path, content, reading.encoding)
    table = table_of(path, text, split_rows(path, text))
    if encoding not in ("utf-8", "utf-8-sig", reading.encoding):
        remedy = "if letters are wrong, name it by --encoding, or save the file as CSV UTF-8"
        table.guess = "" if encoding.startswith("utf") else f"encoding {encoding} (a guess: {remedy})"
        table.notes.append(table.guess or f"encoding {encoding}")
    return table


def _what_was_read(table: Table, roles: Roles, reading: Reading, repeats: np.ndarray | None) -> list[str]:
    """Return notes on rows, features, weights, missing cells and columns left out."""
    features, sample = roles.features, table.sample
    n, D = len(features[0].codes), len(features)
    rows = f"{counted(n, 'row')}," if sample is None else f"{drawn_rows(n, sample.n_rows, sample.seed)};"
    lines = [f"Read {table.path.name}: {rows} {counted(D, 'feature')}: {some_of([one.name for one in features])}"]
    if roles.weights is not None and repeats is not None:
        lines.append(f"weights: column {roles.weights.name!r} holds frequencies of {int(repeats.sum())} samples")
    if roles.labels is not None and roles.labels.name == reading.index:
        lines.append(f"labels of rows: column {roles.labels.name!r}")
    marks = sum((Counter(column.marks) for column in features), Counter())
    kinds = ", ".join(f"{times} {mark}" for mark, times in marks.items())
    holes = ", ".join(f"{one.name} {sum(one.marks.values())}" for one in features if one.marks)
    of_cells = f"{marks.total()} of {n * D} cells ({kinds}), by column: {holes}"
    lines.append(f"missing: {of_cells if marks else 'none'}")
    if unseen := [mark for mark in reading.missing if not any(equals_a_mark(one, [mark]) for one in marks)]:
        lines.append(f"--missing: no feature{' of the sample' * bool(sample)} holds {', '.join(unseen)}")
    return [*lines, *roles.notes]


def _how_numbers_were_read(features: Sequence[Column]) -> list[str]:
    """Return the first note of each kind, and how many more there are."""
    notes = names_by_message((note, kind) for column in features for kind, note in column.notes.items())
    return [first + f" (and so in {len(more)} more)" * bool(more) for first, *more in notes.values()]
