"""The header of a text file: names of the columns, or a refusal that names the line; a file without one gets names.

A first line is data where it holds decimals, or a cell that its column repeats; it is a header where it holds words.
Whole numbers in it may be either: 0, 1, 2, ... is what pandas writes for arrays, years and the like are asked about.
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import NoReturn

from comparisons.data.decimals import looks_like_number
from comparisons.data.dialect import SAMPLE, Rows, rows_by
from comparisons.data.options import flag, is_mark

UNNAMED = re.compile(r"(Unnamed: \d+(_level_\d+)?|\.\.\.\d+)?")  # as pandas and readr call such columns
SUMMARY = re.compile(  # as pivot tables of spreadsheets write them, in many languages
    r"(?i)(.*\W)?(totals?|totaal|ergebnis|summ[ea]|subtotal|somme|suma|итого?|合計|総計|总计|合计|합계|총합계|toplam|celkem)"
    r"|gesamtergebnis|zwischensumme|(eind|sub)totaal|loppusumma|yhteensä|összesen|végösszeg|σ|(total|totale|suma) .*"
)
LAST = re.compile(
    r"(?i)sums?|(.* )?(average|mean)|gesamt|insgesamt|gesamtsumme|durchschnitt|moyenne|media|totale|sd|st\.? ?d(ev)?\.?"
    r"|avg\.?|ø|count|anzahl|promedio|gemiddelde|średnia|среднее|平均|standard ?deviation|stabw\.?|standardabweichung"
    r"|[ée]cart[- ]type|variance|varianz|median(e|wert)?|minimum|maximum|mittel(wert)?|mw"
)
HIGHEST, LOWEST = 3, 8  # rows in which spreadsheets have means, deviations and notes above and below the samples
PADDED = re.compile(r"0\d")  # the begin of no number, but of decimals
WHOLE, SHARE = re.compile(r"\d+"), re.compile(r"\d+ ?[%€$£¥]?")


@dataclass
class Table:
    """Columns of text with their names.

    Attributes
    ----------
    names : list of str
        One for each column; of one that has none "column 3".
    cells : list of list of str
        By row.
    lines : list of int
        The line in the file of each row.
    unnamed : list of str
        Which of the names were not in the file.
    notes : list of str
        What was found out, and what was left out, for the user.
    separator : str
        Between cells.
    """

    names: list[str]
    cells: list[list[str]]
    lines: list[int]
    separator: str = ","
    unnamed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def table_of(path: object, text: str, rows: Rows, named: Collection[str] = ()) -> Table:
    """Return the table in rows of cells; ``named`` are the columns whose role the user stated by an option.

    Raises
    ------
    ValueError
        If the lines are no table; the message names the line.
    """
    where, empty = f"data file {path}", sum(not any(cells) for cells in rows.cells)
    kept = [(line, cells) for line, cells in zip(rows.lines, rows.cells, strict=True) if any(cells)]
    if not kept:
        raise ValueError(f"{where} is empty; it needs a header line and rows of numbers")
    rows = _single_column(where, text, Rows(rows.separator, [c for _, c in kept], [n for n, _ in kept], rows.notes))
    table = _named(where, _squared(where, rows, quoted='"' in text))
    if empty:
        table.notes.append(f"left out: {empty} empty row(s)")
    if not table.cells:
        raise ValueError(f"{where} has a header but no rows")
    _refuse_summary(where, table, named)
    _refuse_note(where, table, named)
    return table


def _single_column(where: str, text: str, rows: Rows) -> Rows:
    """Return rows of one number each where a comma that seems to cut is the decimal mark of a single column."""
    header, *body = rows.cells
    if rows.separator == "" and any(mark in header[0] and mark in cells[0] for mark in ",;\t" for cells in body[:1]):
        given = f"line {rows.lines[0]} is {header[0]!r}"
        raise ValueError(f"{where}: each line is wholly in quotation marks, {given}: delete these marks")
    if rows.separator != "," or len(header) > 2 or '"' in text or (len(header) == 2 and not _is_cut(header)):
        return rows
    if not all(map(_is_cut, body)) or not (len(header) == 1 or any(PADDED.match(cells[1]) for cells in rows.cells)):
        return rows
    if [cells[0] for cells in body] == [f"{i}" for i in range(1, len(body) + 1)]:
        line = f"line {rows.lines[1]}, {','.join(body[0])}"
        remedy = "put both names into the first line, or write a decimal point"
        raise ValueError(
            f"{where}: {line}, may be one number with a decimal comma, or a row's number and one: {remedy}"
        )
    return rows_by(text, "")


def _is_cut(cells: list[str]) -> bool:
    """Whether a row may be one number that is cut at its decimal comma."""
    return len(cells) == 2 and all(map(re.Pattern.fullmatch, (WHOLE, SHARE), (cells[0].lstrip("+-"), cells[1])))


def _squared(where: str, rows: Rows, quoted: bool) -> Rows:
    """Return rows of equal length: empty cells at the end count for nothing, and R's header lacks the rows' names."""
    header, *body = rows.cells
    filled = [d for d, cell in enumerate(header) if cell]
    width, widest = _width(header), max(map(_width, body), default=0)
    if len(filled) == 1 and (
        widest > 2 or (filled == [0] and widest == 2 and not any(map(looks_like_number, body[0])))
    ):
        title = f"line {rows.lines[0]}: {header[filled[0]]!r} is a title and no header"
        raise ValueError(f"{where}, {title}: delete the lines above the names")
    if body and all(len(cells) == _width(cells) == len(header) + 1 for cells in body):
        if len({cells[0] for cells in body}) < len(body):  # names of rows, which R writes, are distinct
            _refuse_ragged(where, rows, rows.lines[1], body[0], width)
        if rows.separator == "," and not quoted and all(map(WHOLE.fullmatch, (body[0][0], body[0][1]))):
            _refuse_ragged(where, rows, rows.lines[1], body[0], width)  # which may be a decimal comma
        if len(header) == 1 and any(mark in header[0] for mark in ",;\t|"):
            given = f"line {rows.lines[0]}, {header[0]!r}, is cut by other marks than line {rows.lines[1]}"
            raise ValueError(f"{where}: {given}, {shorten(body[0])}: use one mark in all lines")
        header, width = ["", *header], len(header) + 1
    elif width < widest <= len(header):
        width = widest
    for line, cells in zip(rows.lines[1:], body, strict=True):
        if _width(cells) > width or len(cells) < width:
            _refuse_ragged(where, rows, line, cells, width)
    return Rows(rows.separator, [cells[:width] for cells in [header, *body]], rows.lines, rows.notes)


def _width(cells: list[str]) -> int:
    """Return the number of cells up to the last that is not empty."""
    if cells and cells[-1]:
        return len(cells)
    return max((index for index, cell in enumerate(cells, start=1) if cell), default=0)


def _named(where: str, rows: Rows) -> Table:
    """Return the table whose names are those of the first row, or made up where it is a row of data."""
    header, *body = rows.cells
    if not rows.begin_again and not _is_header(where, rows):
        names = [f"x{d}" for d in range(len(header))]
        note = f"no header: line {rows.lines[0]} is data; the columns are called {', '.join(names[:3])}"
        table = Table(names, rows.cells, rows.lines, rows.separator)
        table.notes = [*rows.notes, note + ", ..." * (len(names) > 3)]
        return table
    for line, cells in zip(rows.lines[1:], body, strict=True):
        if cells == header:
            raise ValueError(
                f"{where}, line {line} repeats the header: delete it, or add a line of names if both are samples"
            )
    names = [" ".join(name.split()) for name in header]
    empty = {d for d, name in enumerate(names) if UNNAMED.fullmatch(name) and not any(cells[d] for cells in body)}
    kept = [d for d in range(len(names)) if d not in empty]
    notes = [*rows.notes, *[f"left out: {len(empty)} empty column(s) without a name"][: len(empty)]]
    unnamed = [f"column {d + 1}" for d in kept if UNNAMED.fullmatch(names[d])]
    called = [f"column {d + 1}" if UNNAMED.fullmatch(names[d]) else names[d] for d in kept]
    if repeated := [name for name, times in Counter(called).items() if times > 1]:
        which = f"got {', '.join(map(repr, repeated))} more than once in line {rows.lines[0]}"
        remedy = f"rename them there{', or keep one of the tables side by side' * bool(empty)}"
        raise ValueError(f"{where} must have a different name for each column, {which}: {remedy}")
    if len(unnamed) > 1 and len(body) and not any(map(looks_like_number, body[0])):
        given = f"line {rows.lines[0]}, {shorten(header)}, does not name every column"
        raise ValueError(f"{where}: {given}: give each column one name, in one line")
    return Table(called, [[cells[d] for d in kept] for cells in body], rows.lines[1:], rows.separator, unnamed, notes)


def _is_header(where: str, rows: Rows) -> bool:
    """Whether the first row holds names; where that cannot be known it is refused."""
    header, *body = rows.cells
    numbers = [cell for cell in header if looks_like_number(cell)]
    words = [d for d, cell in enumerate(header) if cell and not looks_like_number(cell) and not is_mark(cell)]
    if not numbers and not words:
        return not any(header)
    columns = {d: [cells[d] for cells in body[:SAMPLE] if cells[d] and not is_mark(cells[d])] for d in words}
    of_words = {d: 2 * sum(map(looks_like_number, column)) < len(column) for d, column in columns.items()}
    if not numbers and not all(of_words.values()):
        return True
    if not all(map(WHOLE.fullmatch, numbers)) or any(
        of_words[d] and any(cells[d] == header[d] for cells in body) for d in words
    ):
        return False
    return not numbers or _are_names(where, rows, [int(cell) for cell in numbers], only=not words)


def _are_names(where: str, rows: Rows, values: list[int], only: bool) -> bool:
    """Whether whole numbers in the first row are names; ``only`` says that there is no word among them."""
    count = len(values)
    steps = values == list(range(values[0], values[0] + count))
    fractions = any(
        looks_like_number(cell) and not WHOLE.fullmatch(cell) for cells in rows.cells[1:SAMPLE] for cell in cells
    )
    if only and steps and values[0] == 0 and (count > 2 or fractions):
        return True  # as pandas writes an array
    years = count > 1 and all(1800 < value < 2200 for value in values)
    if not only or years or (steps and count > 2 - (values[0] == 0)):
        given = f"line {rows.lines[0]}, {shorten(rows.cells[0])}, may be names or data"
        raise ValueError(f"{where}: {given}: write names that are no numbers there, or add a line of names above it")
    return False


def shorten(cells: list[str]) -> str:
    """Return a row as a message shows it."""
    text = ",".join(cells)
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _refuse_ragged(where: str, rows: Rows, line: int, cells: list[str], width: int) -> NoReturn:
    """Raise an error about a row that is longer or shorter than the header."""
    advice = "correct this line"
    if rows.separator == "," and len(set(map(len, rows.cells[1:]))) == 1 and len(cells) > width:
        advice = "put semicolons between the cells if some commas are decimal marks, or name each column in the header"
    elif any(one[0][:1] in ("#", "%", "!") and one[0] for one in (rows.cells[0], cells)):
        advice = "delete lines of comments"
    elif (begin := _begin(rows)) >= line:
        advice = f"delete the lines above line {begin}, if the table begins there"
    elif line != rows.lines[0] and len(cells) == 1 < width and not looks_like_number(cells[0]):
        is_cut = any(len(parts := cells[0].split(mark)) == width and looks_like_number(parts[-1]) for mark in ",;\t|")
        advice = "cut all lines by one mark" if is_cut else "delete it if it is a note or a rule"
    elif rows.separator == " ":
        advice = "write quotation marks about cells with blanks, and NA into empty ones"
    elif len(rows.cells[0]) == 1 or line == rows.lines[0]:
        advice = "give each column a name in the first line"
    expected = f"expected {width} cells as in line {rows.lines[0]}, got {len(cells)}"
    raise ValueError(f"{where}, line {line}: {expected}, {shorten(cells)}: {advice}")


def _begin(rows: Rows) -> int:
    """Return the line of names that stands below other lines, or 0. From it on are most rows, all of one length."""
    widths = [len(cells) for cells in rows.cells]
    first = max((row for row in range(1, len(widths)) if widths[row - 1] != widths[-1]), default=0)
    numbers = [looks_like_number(cell) for cell in rows.cells[first]]
    is_named = first > 1 or (widths[-1] < widths[0] and not any(numbers))
    is_table = is_named and len(numbers) > 1 and first < len(widths) / 2 and not all(numbers)
    return rows.lines[first] if is_table and (widths[-1] > _width(rows.cells[0]) or not any(numbers)) else 0


def _refuse_summary(where: str, table: Table, named: Collection[str]) -> None:
    """Raise an error if a row begins with a word such as Total, as the sums that spreadsheets add do.

    Words of LAST may be samples too, such as an average grade: in a column that the user named they are, with a note.
    So is SD alone, which may be a state.
    """
    firsts = [next((d, cell) for d, cell in enumerate(cells) if cell) for cells in table.cells]
    last = _begin_summaries(table, firsts)
    only_sd = {word.lower() for word in last.values()} == {"sd"}
    for row, (d, first) in enumerate(firsts):
        is_sum = first[0].isalpha() and SUMMARY.fullmatch(_word(first))
        if not (is_sum or row in last) or _is_level(table, firsts, (d, first)):
            continue
        at, name = f"line {table.lines[row]}, column {table.names[d]!r}", table.names[d]
        if not is_sum and (name in named or only_sd):
            table.notes.append(f"{at}: {first!r} is taken for a sample; delete the line if it sums up others")
            continue
        options = f"{flag('index', [name])} (labels of rows) or {flag('drop', [name])}"
        remedy = "" if is_sum else f"; if it is a sample, name the column: {options}, or among --columns"
        said = f"{first!r} begins a row of sums and no sample: delete it, and lines like it"
        raise ValueError(f"{where}, {at}: {said}{remedy}")


def _is_level(table: Table, firsts: list[tuple[int, str]], first: tuple[int, str]) -> bool:
    """Whether a word that begins several rows is an answer: rows of sums hold numbers, and none follows another."""
    rows = [row for row, one in enumerate(firsts) if one == first]
    sums = all(_numbers_follow(table, row) and row + 1 not in rows for row in rows)
    return len(rows) > 1 and not sums


def _begin_summaries(table: Table, firsts: list[tuple[int, str]]) -> dict[int, str]:
    """Return which of the lowest rows, or the highest, begin with a word of LAST before numbers, and the word."""
    words = {r: _word(firsts[r][1]) for r in {*range(len(firsts))[:HIGHEST], *range(len(firsts))[-LOWEST:]}}
    return {row: word for row, word in words.items() if LAST.fullmatch(word) and _numbers_follow(table, row)}


def _word(cell: str) -> str:
    return cell.rstrip(": ")


def _numbers_follow(table: Table, row: int) -> bool:
    """Whether a row has numbers behind its first cell, and no word."""
    others = [cell for cell in table.cells[row] if cell and not is_mark(cell)][1:]
    return bool(others) and all(map(looks_like_number, others))


def _refuse_note(where: str, table: Table, named: Collection[str]) -> None:
    """Raise an error if one of the lowest rows is nothing but words, as a source that is named below a table."""
    for line, cells in list(zip(table.lines, table.cells, strict=True))[-LOWEST:]:
        filled = [d for d, cell in enumerate(cells) if cell]
        if len(cells) == 1 or len(filled) != 1 or " " not in (note := cells[filled[0]]) or looks_like_number(note):
            continue
        if sum(row[filled[0]] == note for row in table.cells) > 1:
            continue  # an answer that others gave too
        if table.names[filled[0]] not in named:
            remedy = "delete it if it is a note, or write NA into its empty cells if it is a sample"
            raise ValueError(f"{where}, line {line}: {note!r} stands alone: {remedy}")
        table.notes.append(f"line {line}: {note!r} stands alone and is taken for a sample; delete it if it is a note")
