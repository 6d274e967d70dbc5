"""Take the sizes of a row's cells, such as exposures or numbers of trials, from a column of a file."""

from collections.abc import Mapping

import numpy as np

from comparisons.data.cells import columns_of
from comparisons.data.features import takes_units
from comparisons.data.options import Reading
from comparisons.data.table import Table
from comparisons.family import Family
from models.validation import Array


def sizes_of(table: Table, reading: Reading, pair: Family, n_features: int) -> tuple[Mapping[str, Array], list[str]]:
    """Return the family's option with the size of each cell (n, D), if a column has sizes, and a note on them.

    Raises
    ------
    ValueError
        If a size is illegal; the message names line, column and value.
    """
    cells = pair.parameters_type.cells
    if reading.sizes is None:
        options = [option for option in pair.options if option.name == cells.size_name and takes_units(pair)]
        given = [(option, pair.of_data[option.name]) for option in options]
        how = "{}: {} in every cell (--{} takes a number or a column)"
        return {}, [how.format(o.name, value, o.flag) for o, value in given if np.ndim(value) == 0]
    name, of_column = reading.sizes
    (column,) = columns_of(table, [of_column], reading)
    known = ~np.isnan(column.array)
    for row in np.flatnonzero(~known | cells.size_misfits(np.where(known, column.array, 1.0)))[:1].tolist():
        value = column.shown(column.codes[row]) if column.observed[row] else "an empty cell"
        wanted = f"{name} in column {of_column!r} must be {cells.wanted_size}, got {value}"
        raise ValueError(f"{table.location(row)}: {wanted}: correct it, or delete the row")
    low, high = column.array.min(), column.array.max()
    note = f"{name}: column {of_column!r}, {low:.15g} to {high:.15g}"
    return {name: np.repeat(column.array[:, None], n_features, axis=1)}, [note]
