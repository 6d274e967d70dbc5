"""Opening a file of one's own: which kind it is, which encoding its text has, and a refusal for what is no table."""

import codecs
import gzip
import re
import zlib
from pathlib import Path

KINDS = (".csv", ".tsv", ".txt", ".parquet")
FROM_PANDAS = "from Python, pandas.{} and then .to_csv('{}', index=False)"
SHEETS = "save the sheet as CSV (in Excel: File, Save As, CSV UTF-8)"
PACKED = "unpack it first"
OTHER_KINDS = {
    **dict.fromkeys([".xlsx", ".xlsm", ".xls", ".ods", ".numbers"], ("a spreadsheet", SHEETS)),
    ".json": ("JSON", FROM_PANDAS.format("read_json(...)", "mine.csv")),
    ".jsonl": ("JSON", FROM_PANDAS.format("read_json(..., lines=True)", "mine.csv")),
    **dict.fromkeys([".zip", ".bz2", ".xz", ".zst", ".7z", ".tar"], ("packed", PACKED)),
    **dict.fromkeys([".sav", ".zsav", ".por"], ("a file of SPSS", "save it as CSV (in SPSS: File, Save As)")),
    ".sas7bdat": ("a file of SAS", "export it by PROC EXPORT with DBMS=CSV"),
    ".dta": ("a file of Stata", "export delimited using mine.csv"),
    **dict.fromkeys([".rds", ".rdata", ".rda"], ("a file of R", "write.csv(x, 'mine.csv', row.names = FALSE) in R")),
    **dict.fromkeys([".feather", ".arrow", ".orc"], ("a binary table", "write it as .parquet")),
    **dict.fromkeys([".pkl", ".pickle", ".npy", ".npz"], ("an object of Python", "write it by pandas' to_csv")),
}
MAGIC = {
    b"PK\x03\x04": ("a spreadsheet (or packed)", f"{SHEETS}, or {PACKED}"),
    b"\xd0\xcf\x11\xe0": ("a spreadsheet", SHEETS),
    b"\x1f\x8b": ("packed", PACKED),
    b"{\\rtf": ("a document", "save it as plain text"),
    b"%PDF": ("a PDF", "export the table as CSV"),
    **dict.fromkeys([b"<!DOCTYPE", b"<html", b"<?xml", b"<table"], ("HTML or XML", "export the table as CSV")),
    b"$FL2": OTHER_KINDS[".sav"],
    **dict.fromkeys([b'{"', b'[{"'], OTHER_KINDS[".json"]),
    **dict.fromkeys([b"@relation", b"@RELATION"], ("ARFF", "delete the lines above the data, and name the columns")),
}
INVISIBLE = re.compile(
    "[\ufeff\u200b\u200e\u200f\u202a-\u202d\u2060\u2066-\u2069]"
)  # copied with cells, no part of them
NOT_WESTERN = re.compile(r"[^\x00-\x7f\s«»“”„‘’‚…–—°€£§±]{3,}")  # so many letters with accents in a row has no language
ENCODE = (
    "save it as CSV UTF-8, or name its encoding, as in --encoding cp1251 (Cyrillic), cp1250 (Czech, Polish), "
    "cp1253 (Greek), cp1255 (Hebrew), cp1256 (Arabic), gb18030 (Chinese), shift_jis (Japanese) or euc_kr (Korean)"
)
PARQUET, GZIP = b"PAR1", b"\x1f\x8b"
BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # which begins with the mark of utf-16
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def content_of(path: Path) -> bytes:
    """Return the bytes of a file that may be a table; of Parquet, which may be large, none but the first.

    Raises
    ------
    ValueError
        If the file cannot be read or is of another kind; the message says what to do.
    """
    if path.is_dir():
        if any(path.rglob("*.parquet")):
            return PARQUET
        raise ValueError(f"data file {path} is a folder without .parquet files; give a file ({', '.join(KINDS)})")
    _refuse_kind(path, OTHER_KINDS.get(path.suffix.lower()))
    try:
        with path.open("rb") as file:
            if file.read(len(PARQUET)) == PARQUET:
                return PARQUET
        content = _unpacked(path, path.read_bytes())
    except OSError as error:
        raise ValueError(f"data file {path} cannot be read: {error}") from None
    begin = b"".join(content[:1000].split())  # JSON may have blanks between its marks
    _refuse_kind(path, next((kind for start, kind in MAGIC.items() if begin.startswith(start)), None))
    return content


def _unpacked(path: Path, content: bytes) -> bytes:
    """Return what gzip packed, or the bytes themselves where they are anything else."""
    try:
        return gzip.decompress(content) if content.startswith(GZIP) else content
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"data file {path} is packed, and damaged or cut off ({error}): copy it again, or unpack what there is"
        ) from None


def stem_of(path: Path) -> str:
    """Return a file's name without the ending of its kind, and without that of gzip.

    Examples
    --------
    >>> from pathlib import Path
    >>> from comparisons.data.files import stem_of
    >>> stem_of(Path("mine.tsv.gz")), stem_of(Path("mine.2020.csv")), stem_of(Path("mine.2020.gz"))
    ('mine', 'mine.2020', 'mine.2020')
    """
    inner = Path(path.stem)
    return inner.stem if path.suffix.lower() == ".gz" and inner.suffix.lower() in KINDS else path.stem


def is_parquet(content: bytes) -> bool:
    """Whether the bytes are those of a Parquet file, whatever its name."""
    return content.startswith(PARQUET)


def text_of(path: Path, content: bytes, asked: str | None = None) -> tuple[str, str]:
    """Return the text of a file and its encoding: that asked for, that of its byte order mark, UTF-8, or an old one.

    An old one is that of the Mac where lines end as they did there, and else Windows' cp1252, if what it makes of the
    bytes may be words of the West.

    Raises
    ------
    ValueError
        If the bytes are no text.
    """
    encoding = asked or next((name for mark, name in BOMS.items() if content.startswith(mark)), "utf-8")
    old = [] if asked or encoding not in ("utf-8", "utf-8-sig") else ["cp1252"]
    if old and b"\0" in content:
        raise ValueError(f"data file {path} is binary, or UTF-16 without a byte order mark: save it as CSV UTF-8")
    if old and b"\r" in content and b"\n" not in content:
        old.insert(0, "mac_roman")
    for name in (encoding, *old):
        try:
            text = content.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        if name == "cp1252" and old and (strange := NOT_WESTERN.search(text)):
            raise ValueError(f"data file {path} is no UTF-8, and {strange[0]!r} is no word in cp1252: {ENCODE}")
        text = text if text.isascii() else INVISIBLE.sub("", text)
        return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\x1a"), name
    which = " and ".join(f"none in {name}" for name in old)
    raise ValueError(f"data file {path} is no text in {encoding}{', and ' * bool(old)}{which}: {ENCODE}")


def _refuse_kind(path: Path, kind: tuple[str, str] | None) -> None:
    if kind is not None:
        what, remedy = kind
        raise ValueError(f"data file {path} is {what}; taken are {', '.join(KINDS)}: {remedy}")
