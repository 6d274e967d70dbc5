"""What is in a file before it is known what its columns are: text is cut and named, Parquet has names and types."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
from pyarrow.dataset import dataset

from comparisons.data.column import Column
from comparisons.data.dialect import cut
from comparisons.data.files import content_of, is_parquet, text_of
from comparisons.data.header import table_of
from comparisons.data.large import MOST_CELLS, Sample, sample_of
from comparisons.data.options import Reading, flag

MOST_WORDS = 8  # that a remedy lists


@dataclass
class Source:
    """A file's columns.

    Attributes
    ----------
    path : Path
        The file.
    raw : dict of str
        The cells of each column, by name.
    lines : list of int
        The line in the file of each row; empty where the file has no lines.
    separator : str
        Between cells, in text.
    unnamed, notes : list of str
        Columns without a name of their own, and what was found out.
    labels : list of str or None
        Labels of the rows that the file itself keeps.
    sample : Sample or None
        Which of the rows these are, of a file that is too large.
    guess : str
        What the encoding is if nothing says so, with what to do if letters are wrong.
    """

    path: Path
    raw: dict[str, Any]
    lines: list[int] = field(default_factory=list)
    separator: str = ""
    unnamed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels: list[str] | None = None
    sample: Sample | None = None
    guess: str = ""

    @property
    def name(self) -> str:
        """What messages call the file."""
        return f"data file {self.path}"

    def at(self, row: int) -> str:
        """Return what messages call a row."""
        place = f"line {self.lines[row]}" if self.lines else f"row {row}"
        return f"{self.name}, {place}"

    def refuse(
        self, column: Column, place: int, wanted: str, advice: str = "", words: Sequence[Any] | None = None
    ) -> NoReturn:
        """Raise an error about a value: its line, its column, what would be taken, and what to do about all such."""
        value = column.values[place]
        words = [value] if words is None or len(words) > MOST_WORDS else words  # none: no word is a mark
        given = f"expected {wanted} in column {column.name!r}, got {column.shown(place)}{advice}"
        drop = flag("drop", [column.name])
        mark = flag("missing", [word.strip() if isinstance(word, str) else f"{word:g}" for word in words])
        marks = "it marks a missing cell" if len(words) == 1 else "these mark missing cells"
        missing = f"{mark} if {marks}, or " if words else ""
        remedy = f"correct it, or {missing}{drop} to leave the column out"
        raise ValueError(f"{self.at(column.first_row(place))}: {given}: {remedy}")


def opened(path: Path, asked: Reading, most_rows: int | None = None, seed: int = 0) -> Source:
    """Return the columns of a file, of text or of Parquet; of one too large for the memory a sample of its rows."""
    content = content_of(path)
    if is_parquet(content):
        return _parquet(path, most_rows, seed)
    text, encoding = text_of(path, content, asked.encoding)
    rows = cut(path, text)
    remedy = "a guess: if letters are wrong, name it by --encoding, or save the file as CSV UTF-8"
    guess = "" if encoding.startswith("utf") or encoding == asked.encoding else f"encoding {encoding} ({remedy})"
    if guess or encoding not in ("utf-8", "utf-8-sig", asked.encoding):
        rows.notes.append(guess or f"encoding {encoding}")
    table = table_of(path, text, rows, [name for _, name in asked.named])
    raw = dict(zip(table.names, map(list, zip(*table.cells, strict=True)), strict=True))
    return Source(path, raw, table.lines, table.separator, table.unnamed, table.notes, guess=guess)


def _parquet(path: Path, most_rows: int | None, seed: int) -> Source:
    try:
        known = dataset(path, format="parquet", partitioning="hive")
        sample = None
        if most_rows is not None and known.count_rows() * len(known.schema) > MOST_CELLS:
            frame, sample = sample_of(path, most_rows, seed)
        else:
            frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"data file {path} cannot be read as Parquet: {error}") from None
    if frame.empty:
        raise ValueError(f"data file {path} has no rows")
    if nested := [
        str(name) for name, column in frame.items() if column.dtype == object and any(map(_is_nested, column))
    ]:
        raise ValueError(f"data file {path} holds lists in column(s) {', '.join(nested)}: write one value in each cell")
    plain = isinstance(frame.index, pd.RangeIndex)
    labels = None if plain else [str(label) for label in frame.index]
    notes = [] if plain else ["left out: the frame's index, which labels the rows"]
    raw = {str(name): column for name, column in frame.items()}
    return Source(path, raw, notes=notes, labels=labels, sample=sample)


def _is_nested(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, str)
