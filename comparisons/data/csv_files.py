"""Files of samples: a header line and numeric columns, with errors that name the line."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from comparisons.declarations import Dataset
from models.validation import Array

FOLDER = Path(__file__).parent
COUNT_COLUMN = "count"
MOST_ROWS = 10_000_000


def published(name: str, family: str, story: str, feature_names: tuple[str, ...], **options: Any) -> Dataset:
    """Return the data set of the file ``<name>.csv`` of this folder."""
    return Dataset(name, family, story, read_rows(FOLDER / f"{name}.csv")[0], feature_names, options)


def read_rows(path: Path) -> tuple[Array, tuple[str, ...]]:
    """Return samples (n, D) and column names of a file: a header line, numeric columns, frequencies under ``count``.

    A cell that is empty, or reads ``nan`` or ``NA``, is missing.

    Raises
    ------
    ValueError
        If the file is missing or holds anything else; the message names the line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header, *rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"data file {path} cannot be read: {error}") from None
    except ValueError:
        raise ValueError(f"data file {path} is empty; it needs a header line and rows of numbers") from None
    header = [name.strip() for name in header]
    if all(_number(name) is not None for name in header):
        raise ValueError(f"data file {path} must begin with a header line of column names, got {header}")
    if len(set(header)) < len(header):
        raise ValueError(f"data file {path} must have a different name for each column, got {header}")
    where = f"data file {path}, data row"
    values: Array = np.array([_numbers(f"{where} {i}", header, row) for i, row in enumerate(rows, start=1)])
    if len(rows) == 0:
        raise ValueError(f"data file {path} has a header but no rows")
    return _repeated(path, header, values)


def _numbers(where: str, header: list[str], row: list[str]) -> list[float | None]:
    """Return the numbers of a row, NaN where a cell is missing."""
    if len(row) != len(header):
        raise ValueError(f"{where}: expected {len(header)} numbers, got {row}")
    values = [_number(cell) for cell in row]
    if None in values:
        wanted = f"expected a number in column {header[values.index(None)]!r}, got {row[values.index(None)]!r}"
        raise ValueError(f"{where}: {wanted}: drop the column, or encode it as numbers")
    return values


def _number(cell: str) -> float | None:
    """Return the number in a cell, NaN if it is missing, or None if there is something else."""
    try:
        return np.nan if cell.strip().lower() in ("", "na") else float(cell)
    except ValueError:
        return None


def _repeated(path: Path, header: list[str], values: Array) -> tuple[Array, tuple[str, ...]]:
    """Repeat each row as often as its ``count`` says."""
    if COUNT_COLUMN not in header:
        return values, tuple(header)
    at = header.index(COUNT_COLUMN)
    frequencies = values[:, at]
    if (frequencies < 0).any() or (frequencies % 1 != 0).any():
        raise ValueError(f"data file {path}: column {COUNT_COLUMN!r} must hold whole numbers of at least 0")
    if frequencies.sum() > MOST_ROWS:
        raise ValueError(f"data file {path}: column {COUNT_COLUMN!r} must add up to at most {MOST_ROWS} samples")
    names = tuple(name for name in header if name != COUNT_COLUMN)
    if not names:
        raise ValueError(f"data file {path} holds only the column {COUNT_COLUMN!r}; it needs at least one feature")
    return np.repeat(np.delete(values, at, axis=1), frequencies.astype(int), axis=0), names
