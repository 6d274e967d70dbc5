"""Reading a file of one's own into a data set: open, read numbers, choose columns, check them, say what was done."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from comparisons.data.cells import read_numbers
from comparisons.data.column import column_of
from comparisons.data.files import stem_of
from comparisons.data.options import Reading, check_names
from comparisons.data.roles import COUNT, roles_of
from comparisons.data.said import said, without_zeros
from comparisons.data.samples import (
    check_cells,
    check_features,
    refuse_sums,
    repeats_of,
    samples_of,
    takes_units,
    without_variance,
)
from comparisons.data.source import opened
from comparisons.declarations import Dataset
from comparisons.family import Family


def read_file(path: Path, pair: Family, asked: Reading, most_rows: int | None = None, seed: int = 0) -> Dataset:
    """Return a file as a data set of a family; see :func:`comparisons.data.read`."""
    source = opened(path, asked, most_rows, seed)
    check_names(asked, list(source.raw), source.guess)
    kept = {*asked.columns, asked.weights, asked.index, *(name for name in source.raw if name.lower() == COUNT)}
    wanted = [name for name in source.raw if name not in asked.drop and (not asked.columns or name in kept)]
    letters = takes_units(pair)
    columns = [column_of(name, source.raw[name], asked, letters) for name in wanted]
    read_numbers(source, columns, asked.decimal, letters)
    roles = roles_of(source, columns, asked)
    check_features(source, roles.features, pair.categorical)
    X, turned = samples_of(roles.features, pair.categorical)
    check_cells(source, roles.features, X, pair)
    if roles.weights is None:
        refuse_sums(source, X)
    repeats = repeats_of(source, roles.weights)
    notes = said(source, roles, asked, turned, pair.categorical, repeats)
    if not pair.categorical:
        notes += without_variance(roles.features, X)
        notes += [] if pair.parameters_type.cells.negative else without_zeros(roles.features)
    labels = source.labels if roles.labels is None else roles.labels.labels
    if repeats is not None:
        rows = np.repeat(np.arange(len(repeats)), repeats)
        X = X.iloc[rows].reset_index(drop=True) if isinstance(X, pd.DataFrame) else X[rows]
        labels = labels and [labels[row] for row in rows]
    names = tuple(column.name for column in roles.features)
    found = Dataset(stem_of(path), pair.name, path.name, X, names, row_labels=tuple(labels) if labels else None)
    given = (roles.features, pair.categorical, asked.missing)
    all_rows = None if source.sample is None else source.sample.all_rows(*given)
    return replace(found, notes=tuple(notes), all_rows=all_rows)
