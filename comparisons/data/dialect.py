"""Cutting text into cells: the separator and the quote are found out, and each row knows its line in the file.

Python's csv module cuts, for it keeps what pandas.read_csv loses: how many cells a short row has, and its line.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from comparisons.data.decimals import has_unit, looks_like_number

SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "pipes", ",": "commas", " ": "blanks"}  # the first where two fit
SAMPLE, MOST_CELLS = 500, 20_000  # lines, and cells of them, by which a separator is found
TOKEN = {quote: re.compile(rf"{quote}((?:[^{quote}]|{quote}{quote})*){quote}(?=[ \t]|$)|([^ \t]+)") for quote in "\"'"}
SINGLE_QUOTED = re.compile(r"(?m)(?:^|[\t;|, ])'[^'\n]*'(?:$|[\t;|, ])")
FORMULA = re.compile(r'^\s*="(.*)"\s*$')  # by which spreadsheets keep codes from becoming numbers
RULE = re.compile(r" ?:?[-=]{3,}:?( :?[-=]{3,}:?)+ ?")  # between names and numbers, as Markdown has
HINT = re.compile(r'"?sep=(.)"?\n', re.IGNORECASE)


@dataclass
class Rows:
    """Rows of cells, stripped of blanks, without blank lines.

    Attributes
    ----------
    separator : str
        Between cells; "" where each line is one cell.
    cells : list of list of str
        By row.
    lines : list of int
        The line in the file at which each row begins, from 1.
    notes : list of str
        What was found out, for the user.
    """

    separator: str
    cells: list[list[str]]
    lines: list[int]
    notes: list[str] = field(default_factory=list)

    @property
    def begin_again(self) -> bool:
        """Whether a first row of words is there again, and none of its cells in any other row."""
        header, *body = self.cells
        if len(header) == 1 or not (times := body.count(header)) or any(map(looks_like_number, header)):
            return False
        return all(sum(cells[d] == name for cells in body) == times for d, name in enumerate(header))


def cut(path: object, text: str) -> Rows:
    """Return the rows of a text file.

    Raises
    ------
    ValueError
        If a quotation mark is not closed.
    """
    first_line, hint = 1, HINT.match(text)
    if hint:  # which Excel writes and obeys
        text, first_line = text[hint.end() :], 2
    quote = "'" if '"' not in text and SINGLE_QUOTED.search(text[:100_000]) else '"'
    separator = hint[1] if hint and hint[1] in text[: text.find("\n")] else _separator(text, quote)
    try:
        rows = rows_by(text, separator, quote, first_line)
    except csv.Error as error:
        raise ValueError(f"data file {path} cannot be cut into cells: {error}; is a quotation mark open?") from None
    if separator not in (",", ""):
        rows.notes.append(SEPARATORS.get(separator, f"separator {separator!r}"))
    if quote == "'":
        rows.notes.append("single quotes")
    return rows


def rows_by(text: str, separator: str, quote: str = '"', first_line: int = 1) -> Rows:
    """Return the rows of a text by one separator; "" takes each line as one cell."""
    rows = Rows(separator, [], [])
    for line, cells in _records(text, separator, quote):
        cells = [(FORMULA.sub(r"\1", cell) if '="' in cell else cell).strip() for cell in cells]
        if cells and cells != [""] and not (len(rows.cells) == 1 and RULE.fullmatch(" ".join(cells))):
            rows.cells.append(cells)
            rows.lines.append(line + first_line - 1)
    return rows


def _records(text: str, separator: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line at which each record begins, and its cells."""
    if separator == " ":
        for line, content in enumerate(text.split("\n"), start=1):
            tokens = TOKEN[quote].findall(content)
            if any(outside.startswith(quote) for _, outside in tokens):
                raise csv.Error(f"a cell begins with {quote} in line {line}")
            yield line, [inside or outside for inside, outside in tokens]
        return
    lines = (f"{line}\n" for line in text.split("\n"))
    reader = csv.reader(lines, delimiter=separator or "\0", quotechar=quote, skipinitialspace=True, strict=True)
    begin = 1
    try:
        for cells in reader:
            yield begin, cells
            begin = reader.line_num + 1
    except csv.Error as error:
        raise csv.Error(f"{error}, from line {begin} on") from None


def _separator(text: str, quote: str) -> str:
    """Return the separator by which most lines have the same number of cells, and most cells are numbers."""
    scores, broken = {}, 0
    for separator in SEPARATORS:
        try:
            records = [
                cells for _, cells in islice(_records(text, separator, quote), SAMPLE) if any(map(str.strip, cells))
            ]
        except csv.Error:
            broken += 1
            continue
        widths = Counter(map(len, records))
        width, times = widths.most_common(1)[0] if widths else (0, 0)
        if width > 1:
            cells = list(islice((cell for record in records for cell in record if cell.strip()), MOST_CELLS))
            numbers = sum(looks_like_number(cell) or has_unit(cell) for cell in cells) / len(cells)
            scores[separator] = (round(times / len(records), 6), numbers)
    if scores.get("\t", (0, 0))[0] > 0.8:
        scores.pop(" ", None)  # which cuts at tabs too
    if broken and not scores:
        return ","  # by which the error will be shown
    return max(scores, key=scores.__getitem__) if scores else ""
