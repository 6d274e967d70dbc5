"""Read a Parquet file or a folder of them; if it is too large for memory, read a random sample of its rows.

All rows then remain available as chunks, to which EM is fitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_list_like, is_numeric_dtype
from pyarrow.dataset import dataset

from comparisons.data.cells import as_numbers
from comparisons.data.table import Column, Table
from comparisons.declarations import AllRows
from models.shown import listed

MOST_CELLS = 2**24  # of a file that is read whole


@dataclass(frozen=True, eq=False)
class Sample:
    """The random sample of rows that was read from a large file.

    Attributes
    ----------
    rows : dask.dataframe.DataFrame
        All rows of the file.
    n_rows : int
        Number of all rows.
    numbers : ndarray of int, shape (m,)
        Numbers of the rows in the sample, from 0.
    seed : int
        Seed of the sample.
    """

    rows: Any
    n_rows: int
    numbers: np.ndarray
    seed: int

    def all_rows(self, features: Sequence[Column], categorical: bool, missing: Sequence[str]) -> AllRows:
        """Return all rows of the features for EM, or the reason why EM cannot take them.

        ``missing`` lists marks of missing cells.
        """
        names, codes = [one.name for one in features], as_numbers(missing)
        kinds = self.rows.dtypes[names].items()
        changed = [name for name, kind in kinds if not is_numeric_dtype(kind) or (is_bool_dtype(kind) and missing)]
        why = f"there are words or marks in {listed(changed)}" if changed else ""
        why = "the levels of a categorical mixture are not read by chunks here" if categorical else why
        rows = None if why else self.rows[names]
        return AllRows(self.n_rows, rows if rows is None or not codes else rows.map_partitions(_without, codes), why)


def _without(rows: pd.DataFrame, codes: Sequence[float]) -> pd.DataFrame:
    """Return a frame as floats, with NaN in place of the numbers in ``codes``, which mark missing cells."""
    numbers = rows.astype(np.float64)
    return numbers.mask(numbers.isin(codes))


def table_of_parquet(path: Path, most_rows: int | None, seed: int) -> Table:
    """Return the columns of Parquet files: all rows, or a random sample of ``most_rows`` if there are too many cells.

    Raises
    ------
    ValueError
        If the files cannot be read, have no rows, or hold lists.
    """
    try:
        known, sample = dataset(path, format="parquet", partitioning="hive"), None
        if most_rows is not None and known.count_rows() * len(known.schema) > MOST_CELLS:
            frame, sample = _sample_of(path, most_rows, seed)
        else:
            frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"data file {path} cannot be read as Parquet: {error}") from None
    if frame.empty:
        raise ValueError(f"data file {path} has no rows")
    raw = {str(name): column for name, column in frame.items()}
    if nested := [name for name, column in raw.items() if column.dtype == object and any(map(is_list_like, column))]:
        raise ValueError(f"data file {path} holds lists in {listed(nested)}: write one value in each cell")
    if isinstance(frame.index, pd.RangeIndex):
        return Table(path, raw, sample=sample)
    labels, notes = [str(label) for label in frame.index], ["left out: the frame's index, which labels the rows"]
    return Table(path, raw, notes=notes, labels=labels, sample=sample)


def _sample_of(path: Path, most_rows: int, seed: int) -> tuple[pd.DataFrame, Sample]:
    """Draw a random sample of the rows of Parquet files; return it as a frame, with its description."""
    from em import open_parquet
    from em.chunked.sampling import row_numbers, rows_at, sizes_of_chunks

    try:
        rows = open_parquet(path)
    except ImportError as error:
        raise ValueError(f"it is larger than is read into memory here, and {error}") from None
    sizes = sizes_of_chunks(rows)
    numbers = row_numbers(int(sizes.sum()), most_rows, seed)
    return rows_at(rows, sizes, numbers), Sample(rows, int(sizes.sum()), numbers, seed)
