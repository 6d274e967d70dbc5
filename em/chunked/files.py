"""Open Parquet files and pyarrow datasets that are larger than memory as Dask DataFrames.

A chunk is one or more row groups, the pieces in which Parquet is read. Small row groups are joined, because each chunk
costs Dask some milliseconds in each pass. At any time every worker holds one chunk and nothing else.
"""

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

CELLS = 2**21  # of a chunk, if its row groups are not larger


def open_parquet(source: str | PathLike[str] | Any, columns: Sequence[str] | None = None) -> Any:
    """Open a Parquet file, a folder of them, or a pyarrow dataset as a lazy Dask DataFrame.

    `fit` and all functions for data in chunks take it; features have the names of the columns. Pass a column of
    frequencies as ``sample_weight=frame["count"]``, with ``frame[features]`` as X.

    Parameters
    ----------
    source : path, or pyarrow.dataset.Dataset
        A file, a folder of files (names of folders such as ``year=2024`` become columns), or any dataset.
    columns : sequence of str or None, default None
        Which columns to read; None reads all.

    Returns
    -------
    dask.dataframe.DataFrame
        One partition for each chunk.

    Raises
    ------
    ImportError
        If Dask is not installed.
    ValueError
        If there is no such file, no row, or a column does not exist.

    Notes
    -----
    Memory is needed for two numbers per cell of a row group, for each thread of Dask, because row groups are read as a
    whole. pandas writes row groups of 2^20 rows; ``row_group_size`` makes them smaller. For a format without row
    groups, such as CSV, a chunk is a file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import pandas as pd
    >>> from em import GaussianMixtureEM, open_parquet
    >>> X = np.concatenate([np.linspace(-1, 1, 20), np.linspace(9, 11, 30)])
    >>> with TemporaryDirectory() as folder:
    ...     pd.DataFrame({"height": X}).to_parquet(f"{folder}/part-0.parquet")
    ...     fit = GaussianMixtureEM(2, random_state=0).fit(open_parquet(folder))
    >>> fit.feature_names_in_.tolist(), sorted(fit.weights_.round(3).tolist())
    (['height'], [0.4, 0.6])
    """
    try:
        import dask.dataframe as dd
    except ImportError as error:
        raise ImportError(f'open_parquet needs Dask: pip install "dask[dataframe]" ({error})') from None
    from dask.dataframe.utils import clear_known_categories
    from pyarrow.dataset import Dataset, dataset

    try:
        files = source if isinstance(source, Dataset) else dataset(source, format="parquet", partitioning="hive")
    except (OSError, TypeError, ValueError) as error:
        reason = f"no {source}" if isinstance(error, FileNotFoundError) else error
        raise ValueError(f"source must be a Parquet file, a folder of them or a pyarrow dataset: {reason}") from None
    names = files.schema.names
    if unknown := [name for name in columns or () if name not in names]:
        raise ValueError(f"columns must be some of {', '.join(names)}, got {', '.join(map(str, unknown))}")
    empty = files.schema.empty_table().select(list(columns) if columns else names).to_pandas()
    chunks = list(_chunks(files, max(1, CELLS // max(1, empty.shape[1]))))
    if not chunks:
        raise ValueError("source must have a row, got none")
    meta = clear_known_categories(empty)  # categories of a column may differ between files
    return dd.from_map(_read, chunks, schema=files.schema, names=columns and list(columns), meta=meta)


def _chunks(files: Any, most_rows: int) -> Iterator[list[Any]]:
    """Yield lists of fragments with at most ``most_rows`` rows in all, or of a single larger fragment."""
    chunk, n_rows = list[Any](), 0
    for fragment in files.get_fragments():
        in_groups = hasattr(fragment, "split_by_row_group")
        for piece in fragment.split_by_row_group() if in_groups else [fragment]:
            n = piece.row_groups[0].num_rows if in_groups else most_rows
            if chunk and n_rows + n > most_rows:
                yield chunk
                chunk, n_rows = [], 0
            if n:
                chunk.append(piece)
                n_rows += n
    if chunk:
        yield chunk


def _read(pieces: Sequence[Any], schema: Any, names: list[str] | None) -> Any:
    """Return the rows of fragments as a pandas frame."""
    from pyarrow import concat_tables

    table = concat_tables([piece.to_table(columns=names, schema=schema, use_threads=False) for piece in pieces])
    return table.to_pandas(split_blocks=True, self_destruct=True, use_threads=False)
