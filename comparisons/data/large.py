"""A Parquet file or folder that is too large for the memory: a random sample of its rows, and all rows by chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from comparisons.data.column import Column, as_numbers
from comparisons.declarations import AllRows

MOST_CELLS = 2**24  # of a file that is read as a whole


@dataclass(frozen=True, eq=False)
class Sample:
    """Which rows of a large file were read.

    Attributes
    ----------
    rows : dask.dataframe.DataFrame
        All rows.
    n_rows : int
        How many there are.
    numbers : ndarray of int, shape (m,)
        The rows that were read, counted from 0.
    seed : int
        What they were drawn with.
    """

    rows: Any
    n_rows: int
    numbers: np.ndarray
    seed: int

    def all_rows(self, features: Sequence[Column], categorical: bool, missing: Sequence[str]) -> AllRows:
        """Return all rows of the features, for EM, or why it cannot take them; ``missing`` marks missing cells."""
        names, codes = [one.name for one in features], as_numbers(missing)
        changed = [name for name in names if not self._is_plain(name, missing)]
        why = f"column(s) {', '.join(changed)} hold words or marks" if changed else ""
        why = "the levels of a categorical mixture are not read by chunks here" if categorical else why
        if why:
            return AllRows(self.n_rows, None, why)
        rows = self.rows[names]
        return AllRows(self.n_rows, rows.map_partitions(_without, codes) if codes else rows)

    def _is_plain(self, name: str, missing: Sequence[str]) -> bool:
        """Whether a column holds numbers in all rows, of which some may mark missing cells."""
        kind = self.rows.dtypes[name]
        return is_numeric_dtype(kind) and not (is_bool_dtype(kind) and missing)


def _without(rows: pd.DataFrame, codes: Sequence[float]) -> pd.DataFrame:
    """Return rows of a frame with NaN for numbers that mark missing cells."""
    numbers = rows.astype(np.float64)
    return numbers.mask(numbers.isin(codes))


def sample_of(path: Path, most_rows: int, seed: int) -> tuple[pd.DataFrame, Sample]:
    """Return a random sample of the rows of Parquet files as a frame, and what it is a sample of."""
    from em import open_parquet
    from em.chunked.sampling import row_numbers, rows_at, sizes_of_chunks

    try:
        rows = open_parquet(path)
    except ImportError as error:
        raise ValueError(f"it is larger than is read into memory here, and {error}") from None
    sizes = sizes_of_chunks(rows)
    numbers = row_numbers(int(sizes.sum()), most_rows, seed)
    return rows_at(rows, sizes, numbers), Sample(rows, int(sizes.sum()), numbers, seed)
