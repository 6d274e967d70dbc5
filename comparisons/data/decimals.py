"""Read numbers in text: find the decimal mark and the marks of thousands, and return the number.

========================  ====================================================================
1.5, 0,25, 1.234,5        the decimal mark is clear
1.234 or 1,234            ambiguous, as decimals or thousands, unless numbers must be whole
1 234, 1'234              blanks and apostrophes are marks of thousands
12,34,567                 thousands as India groups them; the decimal mark is a point
12 kg, EUR 12             a unit that all values of a column share is removed
(12), 12,50-, $ -         -12, -12.5 and 0, as accounts write them; 2- is no number, it may be a grade
12,-, 1'200.–             12 and 1200, as prices are written
1.5 E+03, 1.5D+03         1500; 12 E 4 and 12D4 are no numbers, they may be codes
========================  ====================================================================
"""

import re
from collections.abc import Iterable, Sequence

from comparisons.data.words import WORDS

OTHER = {".": ",", ",": "."}
LONGEST = 100  # characters of a number; the time that ACCOUNTED takes grows with the square of the length
SPACES = " \u00a0\u202f\u2009'\u2019"
LAKHS = r"[1-9]\d?(?:,\d\d)+,\d{3}"
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
ACCOUNTED = re.compile(rf"\(([^()+-]+)\)|(?<!\S)(\d[\d.,{SPACES}]*[.,{SPACES}]\d+[^\d+-]*)-(?!\S)")
EXPONENT = re.compile(r"(?<=[\d.,])(?:(?:\s?[eE]|[dD])(?=[+-]\d+$)|[eE](?=\d+$))")
THOUSANDS = {
    mark: re.compile(rf"[+-]?[1-9]\d{{0,2}}([{SPACES}{other}])\d{{3}}(?:\1\d{{3}})*(?:[{mark}]\d*)?")
    for mark, other in OTHER.items()
}
THOUSANDS["."] = re.compile(rf"{THOUSANDS['.'].pattern}|[+-]?{LAKHS}(?:\.\d*)?")
SIGNS = r"$€£¥₹₽₩₺₴₪₫₱฿₦₲₡₸₼₾₿¢\\"  # of currencies; old Japanese encodings show a backslash as ¥
LOOSE = re.compile(rf"[+-]?[%{SIGNS}]?[\d.,][\d.,{SPACES}]*(?:[eE][+-]?\d+|[dD][+-]\d+)?\s*[%{SIGNS}]?")
MONEY = f"[A-Z]{{0,2}}[{SIGNS}]"
LETTER = r"(?![²³¹¼-¾\u2070-\u2189])[^\W\d_]"  # without superscripts and fractions, which Python counts as letters
ASCII = {0xFEE0 + ord(mark): mark for mark in "0123456789+-.,%()"} | str.maketrans("\u2212–٫٬\u03bc\uffe5", "--.,µ¥")
UNIT = re.compile(
    rf"([+-](?=.*\d))?({MONEY}|%|(?:{'|'.join(WORDS['currency'])})(?=\s))?\s*([-+.,\deEdD{SPACES}]+?)\s*"
    rf"((?:{LETTER}|[°%‰\"″{SIGNS}])(?:{LETTER}|[°²³/·^%.])*)?"
)


def looks_like_number(text: str) -> bool:
    """Whether text may be a number by either decimal mark."""
    return LOOSE.fullmatch(_signed(text.strip())) is not None


def has_unit(text: str) -> bool:
    """Whether text is a number with a unit."""
    unit = unit_of([text := text.strip()]) if any(map(str.isdecimal, text)) else ""
    return unit != "" and looks_like_number(without_unit(text, unit))


def _signed(text: str) -> str:
    """Return text with ASCII digits and marks, and with the minus in front; too long text is returned unchanged.

    Accounts write a negative number in parentheses, or with the minus at its end. A dash in place of decimals is 0.
    """
    text = text if text.isascii() or len(text) > LONGEST else text.translate(ASCII)
    return text if len(text) > LONGEST else ACCOUNTED.sub(r"-\1\2", re.sub(r"(?<=\d[.,])--?(?!\d)", "", text))


def unit_of(texts: Iterable[str], letters: bool = True) -> str:
    """Return the unit, such as %, $ or kg, that all numbers share in texts that are mostly numbers; else "".

    ``letters`` says whether a unit may consist of letters.
    """
    matches = [UNIT.fullmatch(_signed(text)) for text in texts]
    units = [_unit(match) for match in matches if match and (match[3] == "-" or looks_like_number(match[3]))]
    unit = units[0] if 2 * len(units) > len(matches) and len(set(units)) == 1 else ""
    return unit if letters or not any(map(str.isalpha, unit)) else ""


def differ_in_units(texts: Iterable[str]) -> bool:
    """Whether all texts are numbers, and their units differ."""
    matches = [UNIT.fullmatch(_signed(text)) for text in texts]
    return len(set(map(_unit, matches))) > 1 and all(match and looks_like_number(match[3]) for match in matches)


def _unit(match: re.Match[str] | None) -> str:
    return (match[2] or "") + (match[4] or "") if match else ""


def without_unit(text: str, unit: str) -> str:
    """Return text without its unit, with minus and exponent as Python writes them."""
    text = EXPONENT.sub("E", _signed(text))
    match = UNIT.fullmatch(text) if unit else None
    if match and match[3] == "-" and re.fullmatch(MONEY, unit):
        return "0"
    return f"{match[1] or ''}{match[3]}" if match else text


def decimal_of(texts: Sequence[str], whole: bool = False) -> tuple[dict[str, str], dict[str, str]]:
    """Return the texts that show the decimal mark, and those that leave it open.

    If numbers must be whole, a text shows a mark under which alone it is a whole number.

    Returns
    -------
    clear : dict of str
        By decimal mark, the first text that is a number under this mark only.
    ambiguous : dict of str
        By the mark in it, the first text that is a number under both marks, and not the same one.
    """
    clear, ambiguous = dict[str, str](), dict[str, str]()
    for text in texts:
        values = {mark: value for mark in OTHER if (value := number(text, mark)) is not None}
        values = (whole and {mark: value for mark, value in values.items() if value % 1 == 0}) or values
        if len(values) == 1:
            clear.setdefault(next(iter(values)), text)
        elif len({*values.values()}) == 2:
            ambiguous.setdefault("." if "." in text else ",", text)
    return clear, ambiguous


def number(text: str, decimal: str) -> float | None:
    """Return the number that text means under a decimal mark, or None if it is no number.

    Examples
    --------
    >>> from comparisons.data.decimals import number
    >>> number("1.234,5", ","), number("1'234", "."), number("12a", "."), number("1,5", ".")
    (1234.5, 1234.0, None, None)
    """
    if THOUSANDS[decimal].fullmatch(text):
        text = re.sub(rf"[{SPACES}{re.escape(OTHER[decimal])}]", "", text)
    text = text if decimal == "." else "" if "." in text else text.replace(",", ".")
    value = float(text) if NUMBER.fullmatch(text) else None
    return None if value in (float("inf"), float("-inf")) else value
