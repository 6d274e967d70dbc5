"""Decide whether the first line of a text file is a header, and name the columns.

The first line is data if it holds decimals, or a cell that its column repeats. It is a header if it holds words. It is
a header too if every cell below is empty or repeats the name of its column, as in exports of tick boxes. Whole numbers
may be either: 0, 1, 2, ... are the names that pandas gives to the columns of an array; 2019, 2020, 2021, ... are names
if no cell below is a year; all others are ambiguous, and raise an error that names the line. Columns without a header
are called x0, x1, and so on.
"""

import re
from collections import Counter
from pathlib import Path
from typing import NoReturn

from comparisons.data.decimals import looks_like_number
from comparisons.data.files import SAMPLE, Rows, split_by
from comparisons.data.options import is_mark
from comparisons.data.table import Table
from models.shown import counted, shown

UNNAMED = re.compile(r"(Unnamed: \d+(_level_\d+)?|\.\.\.\d+)?")  # as pandas and readr call such columns
PADDED = re.compile(r"0\d")  # no number begins so, but the decimals of one may
WHOLE, SHARE, YEAR = (re.compile(kind) for kind in (r"\d+", r"\d+ ?[%€$£¥]?", r"(1[89]|2[01])\d\d"))


def table_of(path: Path, text: str, rows: Rows) -> Table:
    """Return the table that rows of cells make.

    Raises
    ------
    ValueError
        If the rows make no table; the message names the line.
    """
    where = f"data file {path}"
    if not rows.cells:
        raise ValueError(f"{where} is empty; it needs a header line and rows of numbers")
    rows = _squared(where, _single_column(where, text, rows), quoted='"' in text)
    (header, *body), (_, *lines), notes = rows.cells, rows.lines, rows.notes
    if header == [f"{len(body)}", f"{len(header)}"]:
        raise ValueError(f"{where}, line {rows.lines[0]} counts rows and columns: delete it, or write names")
    are_choices = all({name, *cells} == {name, ""} for name, *cells in zip(header, *body, strict=True))
    if not are_choices and not _is_header(where, rows):
        header, body, lines = [f"x{d}" for d in range(len(header))], rows.cells, rows.lines
        more = ", ..." * (len(header) > 3)
        notes.append(f"no header: line {lines[0]} is data; the columns are called {', '.join(header[:3])}{more}")
    elif header in body and not are_choices:
        remedy = "delete it, or add a line of names if both are samples"
        raise ValueError(f"{where}, line {lines[body.index(header)]} repeats the header: {remedy}")
    if not body:
        raise ValueError(f"{where} has a header but no rows")
    header = [" ".join(name.split()) for name in header]
    names = [f"column {d}" if UNNAMED.fullmatch(name) else name for d, name in enumerate(header, start=1)]
    columns = list(zip(names, map(list, zip(*body, strict=True)), strict=True))
    filled = [(name, cells) for name, cells in columns if name in header or any(cells)]
    if n_empty := len(columns) - len(filled):
        notes.append(f"left out: {counted(n_empty, 'empty column')} without a name")
    unnamed = [name for name, _ in filled if name not in header]
    _check_names(where, rows, [name for name, _ in filled], unnamed)
    return Table(path, dict(filled), lines, rows.separator, unnamed, notes)


def _check_names(where: str, rows: Rows, names: list[str], unnamed: list[str]) -> None:
    """Raise an error unless all columns have different names, and at most one column has none."""
    (header, *body), first = rows.cells, rows.lines[0]
    if repeated := [name for name, times in Counter(names).items() if times > 1]:
        given = f"got {', '.join(map(repr, repeated))} more than once in line {first}"
        remedy = f"rename them there{', or keep one of the tables side by side' * (len(names) < len(header))}"
        raise ValueError(f"{where} must have a different name for each column, {given}: {remedy}")
    if len(unnamed) > 1 and not _numbers(body[0]):
        given = f"line {first}, {shown(','.join(header))}, does not name every column"
        raise ValueError(f"{where}: {given}: give each column one name, in one line")


def _single_column(where: str, text: str, rows: Rows) -> Rows:
    """Return rows of one cell each if all commas of the file are decimal marks of a single column."""
    header, *body = rows.cells
    if rows.separator == "" and any(mark in header[0] and mark in cells[0] for mark in ",;\t" for cells in body[:1]):
        given = f"line {rows.lines[0]} is {header[0]!r}"
        raise ValueError(f"{where}: each line is wholly in quotation marks, {given}: delete these marks")
    numbers = body if len(header) == 1 else rows.cells
    are_cut = rows.separator == "," and '"' not in text and all(map(_is_cut, numbers))
    if not are_cut or (numbers is rows.cells and not any(PADDED.match(cells[1]) for cells in numbers)):
        return rows
    if [cells[0] for cells in body] == [f"{i}" for i in range(1, len(body) + 1)]:
        given = f"line {rows.lines[1]}, {','.join(body[0])}, may be one number with a decimal comma, or a row's number"
        raise ValueError(f"{where}: {given} and one: put both names into the first line, or write a decimal point")
    return split_by(text, "")


def _is_cut(cells: list[str]) -> bool:
    """Whether the two cells of a row may be one number, split at its decimal comma."""
    return len(cells) == 2 and all(map(re.Pattern.fullmatch, (WHOLE, SHARE), (cells[0].lstrip("+-"), cells[1])))


def _squared(where: str, rows: Rows, quoted: bool) -> Rows:
    """Return rows of equal length.

    Empty cells at the end of a row do not count. A header with one cell less than all rows is that of R's
    ``write.table``, in which the column of row names has no name.
    """
    header, *body = rows.cells
    filled = [d for d, cell in enumerate(header) if cell]
    width, widest = _width(header), max(map(_width, body), default=0)
    if len(filled) == 1 and (widest > 2 or (filled == [0] and widest == 2 and not _numbers(body[0]))):
        title = f"line {rows.lines[0]}: {header[filled[0]]!r} is a title and no header"
        raise ValueError(f"{where}, {title}: delete the lines above the names")
    are_longer = [len(cells) == _width(cells) == len(header) + 1 for cells in body]
    if body and all(are_longer):
        are_names = len({cells[0] for cells in body}) == len(body)
        may_be_cut = rows.separator == "," and not quoted and all(map(WHOLE.fullmatch, body[0][:2]))
        if not are_names or may_be_cut:
            _refuse_ragged(where, rows, rows.lines[1], body[0], width)
        if len(header) == 1 and any(mark in header[0] for mark in ",;\t|"):
            given = f"line {rows.lines[0]}, {header[0]!r}, is cut by other marks than line {rows.lines[1]}"
            raise ValueError(f"{where}: {given}, {shown(','.join(body[0]))}: use one mark in all lines")
        header, width = ["", *header], len(header) + 1
    elif body and rows.separator == " " and all(are_longer[:2]) and len(_numbers(body[0][1:])) == width:  # as R prints
        width += 1
    elif width < widest <= len(header):
        width = widest
    for line, cells in zip(rows.lines[1:], body, strict=True):
        if not _width(cells) <= width <= len(cells):
            _refuse_ragged(where, rows, line, cells, width)
    return Rows(rows.separator, [cells[:width] for cells in [header, *body]], rows.lines, rows.notes)


def _width(cells: list[str]) -> int:
    """Return the number of cells up to the last filled one."""
    return len(cells) if cells and cells[-1] else max((d for d, cell in enumerate(cells, start=1) if cell), default=0)


def _numbers(cells: list[str]) -> list[str]:
    return [cell for cell in cells if looks_like_number(cell)]


def _is_header(where: str, rows: Rows) -> bool:
    """Whether the first row holds names; raise an error if it may be names or data."""
    header, *body = rows.cells
    numbers = _numbers(header)
    if len(header) > 1 and not numbers:
        body = [cells for cells in body if cells != header]  # a header that is repeated below is a header
    words = [d for d, cell in enumerate(header) if cell and not is_mark(cell) and not looks_like_number(cell)]
    columns = {d: [cells[d] for cells in body if cells[d] and not is_mark(cells[d])] for d in words}
    of_words = {d: column for d, column in columns.items() if 2 * len(_numbers(column[:SAMPLE])) < len(column[:SAMPLE])}
    if not numbers and len(of_words) < len(columns):
        return True
    if not all(map(WHOLE.fullmatch, numbers)) or any(header[d] in column for d, column in of_words.items()):
        return False
    return bool(columns or numbers) and (not numbers or _are_names(where, rows, [*map(int, numbers)], not columns))


def _are_names(where: str, rows: Rows, values: list[int], only: bool) -> bool:
    """Whether whole numbers in the first row are names; ``only`` says that the row has no words."""
    count, first = len(values), values[0]
    steps = values == list(range(first, first + count))
    numbers = [cell for cells in rows.cells[1:SAMPLE] for cell in _numbers(cells)]
    if only and steps and first == 0 and (count > 2 or not all(map(WHOLE.fullmatch, numbers))):
        return True  # as pandas writes an array
    years = count > 1 and all(1800 < value < 2200 for value in values)
    if years and steps and count > 2 and all(rows.cells[0][1:]) and not any(map(YEAR.fullmatch, numbers)):
        return True  # a column for each year
    if not only or years or (steps and count > 2 - (first == 0)):
        given = f"line {rows.lines[0]}, {shown(','.join(rows.cells[0]))}, may be names or data"
        names = "write names that are no numbers there, or add a line of names above it"
        raise ValueError(f"{where}: {given}: {'give each column one name' if '' in rows.cells[0][1:] else names}")
    return False


def _refuse_ragged(where: str, rows: Rows, line: int, cells: list[str], width: int) -> NoReturn:
    """Raise an error about a row that is longer or shorter than the header; give the first advice that applies."""
    header, *body = rows.cells
    is_alone = line != rows.lines[0] and len(cells) == 1 < width and not looks_like_number(cells[0])
    parts = [cells[0].split(mark) for mark in ",;\t|"]
    begin = _begin(rows)
    advice = {
        "put semicolons between the cells if some commas are decimal marks, or name each column in the header": (
            rows.separator == "," and len(set(map(len, body))) == 1 and len(cells) > width
        ),
        "delete lines of comments": any(one[0].startswith(("#", "%", "!")) for one in (header, cells)),
        f"delete the lines above line {begin}, if the table begins there": begin >= line,
        "cut all lines by one mark": is_alone and any(len(p) == width and looks_like_number(p[-1]) for p in parts),
        "delete it if it is a note or a rule; another table needs its own file": is_alone or width > len(header),
        "write quotation marks about cells with blanks, and NA into empty ones": rows.separator == " ",
        "give each column a name in the first line": len(header) == 1 or line == rows.lines[0],
        "if lines list what was chosen, write a column of yes and no for each": len(set(map(len, rows.cells))) > 3,
        "correct this line": True,
    }
    expected = f"expected {width} cells as in line {rows.lines[width > len(header)]}, got {len(cells)}"
    first = next(text for text, fits in advice.items() if fits)
    raise ValueError(f"{where}, line {line}: {expected}, {shown((rows.separator or ' ').join(cells))}: {first}")


def _begin(rows: Rows) -> int:
    """Return the line at which the table seems to begin, below lines of other text; 0 if there is no such line.

    From it on all rows have one length, and they are more than half of all rows.
    """
    widths = [len(cells) for cells in rows.cells]
    first = max((row for row in range(1, len(widths)) if widths[row - 1] != widths[-1]), default=0)
    count, n_numbers = _width(rows.cells[first]), len(_numbers(rows.cells[first]))
    is_named = first > 1 or (widths[-1] < widths[0] and not n_numbers)
    is_table = is_named and count > 1 and first < len(widths) / 2 and n_numbers < count
    return rows.lines[first] if is_table and (widths[-1] > _width(rows.cells[0]) or not n_numbers) else 0
