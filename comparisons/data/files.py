"""Open a user's file and split its text into cells; detect its kind, encoding, separator and quotation mark.

Python's csv module splits the text, because pandas.read_csv loses two things that messages need: the number of cells of
a short row, and the line at which a row begins.
"""

import codecs
import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from comparisons.data.decimals import has_unit, looks_like_number
from comparisons.data.words import known
from models.shown import counted

KINDS = (".csv", ".tsv", ".txt", ".parquet")
PARQUET, GZIP = b"PAR1", b"\x1f\x8b"
BOMS = {
    "utf-8-sig": (codecs.BOM_UTF8,),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),  # before utf-16, whose marks these begin with
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
}
INVISIBLE = re.compile("[\ufeff\u200b\u200e\u200f\u202a-\u202d\u2060\u2066-\u2069]")  # characters to remove
# No Western word has three accented letters in a row, or one of these marks as an inner letter (but m³ has).
NOT_WESTERN = re.compile(r"[^\x00-\x7f\s«»“”„‘’‚…–—°€£§±]{3,}|[a-z][¹¿][a-z]|[a-ln-z]³[a-z]")
ENCODE = (
    "save it as CSV UTF-8, or name its encoding, as in --encoding cp1251 (Cyrillic), cp1250 (Czech, Polish), "
    "cp1253 (Greek), cp1255 (Hebrew), cp1256 (Arabic), gb18030 (Chinese), shift_jis (Japanese) or euc_kr (Korean)"
)
SEPARATORS = "\t;|, "  # of two that fit equally well the first is taken
SAMPLE, MOST_CELLS = 500, 20_000  # lines and cells from which the separator is detected
SINGLE_QUOTED = re.compile(r"(?m)(?:^|[\t;|, ])'[^'\n]*'(?:$|[\t;|, ])")
FORMULA = re.compile(r'^\s*="(.*)"\s*$')  # a spreadsheet's ="007" for a code that must not become a number
RULE = re.compile(r" ?:?[-=]{3,}:?( :?[-=]{3,}:?)+ ?")  # a line of dashes below the names, as in Markdown
HINT = re.compile(r'"?sep=(.)"?\n', re.IGNORECASE)


@dataclass
class Rows:
    """The rows of a text file that are not empty.

    Attributes
    ----------
    separator : str
        The mark between cells; "" if each line is one cell.
    cells : list of list of str
        Cells of each row, without blanks around them.
    lines : list of int
        The line of the file at which each row begins, from 1.
    notes : list of str
        What the user should know about these rows.
    """

    separator: str
    cells: list[list[str]]
    lines: list[int]
    notes: list[str] = field(default_factory=list)


def content_of(path: Path) -> bytes:
    """Return the bytes of a file; of Parquet, which may be large, only the first four.

    Raises
    ------
    ValueError
        If the file cannot be read, or is of a kind that holds no table; the message says what to do.
    """
    if path.is_dir():
        if any(path.rglob("*.parquet")):
            return PARQUET
        raise ValueError(f"data file {path} is a folder without .parquet files; give a file ({', '.join(KINDS)})")
    kinds = known("files")["kind"]
    _refuse_kind(path, [kind for kind in kinds if path.suffix.lower() in kind.get("ends", ())])
    try:
        with path.open("rb") as file:
            if (content := file.read(len(PARQUET))) == PARQUET:
                return PARQUET
            content += file.read()
        content = gzip.decompress(content) if content.startswith(GZIP) else content
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        remedy = "copy it again, or unpack what there is"
        raise ValueError(f"data file {path} is packed, and damaged or cut off ({error}): {remedy}") from None
    except OSError as error:
        raise ValueError(f"data file {path} cannot be read: {error}") from None
    begin = b"".join(content[:1000].split()).decode("latin-1")  # without blanks, which JSON may have between its marks
    _refuse_kind(path, [kind for kind in kinds if begin.startswith(tuple(kind.get("begins", ())))])
    return content


def _refuse_kind(path: Path, kinds: list[dict[str, str]]) -> None:
    for kind in kinds:
        raise ValueError(f"data file {path} is {kind['is']}; accepted are {', '.join(KINDS)}: {kind['remedy']}")


def stem_of(path: Path) -> str:
    """Return a file's name without its suffix, such as .csv or .csv.gz.

    Examples
    --------
    >>> from pathlib import Path
    >>> from comparisons.data.files import stem_of
    >>> stem_of(Path("mine.tsv.gz")), stem_of(Path("mine.2020.csv")), stem_of(Path("mine.2020.gz"))
    ('mine', 'mine.2020', 'mine.2020')
    """
    inner = Path(path.stem)
    return inner.stem if path.suffix.lower() == ".gz" and inner.suffix.lower() in KINDS else path.stem


def text_of(path: Path, content: bytes, reading: str | None = None) -> tuple[str, str]:
    """Decode a file; return its text and the encoding.

    The encoding is the first of these that decodes the bytes: the given one, that of the byte order mark, UTF-8,
    ``mac_roman`` (if lines end in carriage returns alone), ``cp1252`` (if the text may be in a Western language).

    Raises
    ------
    ValueError
        If none of these encodings decodes the bytes.
    """
    encoding = reading or next((name for name, marks in BOMS.items() if content.startswith(marks)), "utf-8")
    old = [] if reading or not encoding.startswith("utf-8") else ["cp1252"]
    if old and b"\0" in content:
        raise ValueError(f"data file {path} is binary, or UTF-16 without a byte order mark: save it as CSV UTF-8")
    if old and b"\r" in content and b"\n" not in content:
        old.insert(0, "mac_roman")
    line = 0
    for name in (encoding, *old):
        try:
            text = content.decode(name)
        except UnicodeDecodeError as error:
            line = line or content.count(b"\n", 0, error.start) + 1
            continue
        if name == "cp1252" and old and (strange := NOT_WESTERN.search(text)):
            given = f"is no UTF-8 in line {line}, and {strange[0]!r} is no word in cp1252"
            raise ValueError(f"data file {path} {given}: {ENCODE}")
        text = text if text.isascii() else INVISIBLE.sub("", text)
        return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\x1a"), name
    raise ValueError(f"data file {path} is no text in {', and none in '.join([encoding, *old])}: {ENCODE}")


def split_rows(path: object, text: str) -> Rows:
    """Detect separator and quotation mark of a text, and split it into rows.

    Raises
    ------
    ValueError
        If a quotation mark is not closed.
    """
    first_line, hint = 1, HINT.match(text)
    if hint:  # a line such as sep=; that Excel writes and obeys
        text, first_line = text[hint.end() :], 2
    quote = "'" if '"' not in text and SINGLE_QUOTED.search(text[:100_000]) else '"'
    separator = hint[1] if hint and hint[1] in text[: text.find("\n")] else _separator(text, quote)
    try:
        return split_by(text, separator, quote, first_line)
    except csv.Error as error:
        raise ValueError(f"data file {path} cannot be split: {error}; is a quotation mark not closed?") from None


def split_by(text: str, separator: str, quote: str = '"', first_line: int = 1) -> Rows:
    """Split a text into rows by a given separator; "" takes each line as one cell."""
    rows, n_empty, n_blank = Rows(separator, [], []), 0, 0
    for line, cells in _records(text, separator, quote):
        cells = [(FORMULA.sub(r"\1", cell) if '="' in cell else cell).strip() for cell in cells]
        if not any(cells):
            n_empty += len(cells) > bool(separator)
            n_blank += not cells and not separator and len(rows.cells) > 1
        elif not (len(rows.cells) == 1 and RULE.fullmatch(" ".join(cells))):
            rows.cells.append(cells)
            rows.lines.append(line + first_line - 1)
            n_empty, n_blank = n_empty + n_blank, 0  # a blank line within a single column is an empty cell
    rows.notes += [f"left out: {counted(n_empty, 'empty row')}"] * (n_empty > 0)
    return rows


def _records(text: str, separator: str, quote: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line at which each record begins, and its cells."""
    is_blank = separator == " "
    lines = (f"{line.replace('\t', ' ').strip() if is_blank else line}\n" for line in text.split("\n"))
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
    scores, broken = {}, False
    for separator in SEPARATORS:
        try:
            records = [cells for _, cells in islice(_records(text, separator, quote), SAMPLE) if "".join(cells).strip()]
        except csv.Error:
            broken = True
            continue
        (width, times), *_ = Counter(map(len, records)).most_common(1) or [(0, 0)]
        if width > 1:
            cells = list(islice((cell for record in records for cell in record if cell.strip()), MOST_CELLS))
            numbers = sum(looks_like_number(cell) or has_unit(cell) for cell in cells) / len(cells)
            scores[separator] = (round(times / len(records), 6), numbers)
    if scores.get("\t", (0, 0))[0] > 0.8:
        scores.pop(" ", None)  # a blank splits at tabs too
    return max(scores, key=scores.__getitem__) if scores else "," * broken  # a comma then reproduces the error
