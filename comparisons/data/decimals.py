"""Numbers in text: which mark is the decimal one, which marks thousands, and what the number is.

========================  ==================================================================
1.5, 0,25, 1.234,5        the decimal mark is clear
1.234 or 1,234            one of three digits after a mark may be thousands: it is doubtful
1 234, 1'234              blanks and apostrophes are thousands
12,34,567                 thousands as India groups them; the decimal mark is a point
12 kg, EUR 12             a unit that all values of a column have is taken off
(12), 12,50-, $ -         -12, -12.5 and 0, as accounts show them; 2- is no number, but may be a grade
1.5 E+03, 1.5D+03         1500; 12 E 4 and 12D4 are no numbers, but may be codes
========================  ==================================================================
"""

import re
from collections.abc import Iterable, Sequence

from comparisons.data.words import WORDS

OTHER = {".": ",", ",": "."}
LONGEST = 100  # characters of a number: ACCOUNTED takes time by the square of the length
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
SIGNS = "$€£¥₹₽₩₺₴₪₫₱฿₦₲₡₸₼₾₿¢"  # of currencies
LOOSE = re.compile(rf"[+-]?[{SIGNS}]?[\d.,][\d.,{SPACES}]*(?:[eE][+-]?\d+|[dD][+-]\d+)?\s*[%{SIGNS}]?")
MONEY = f"[A-Z]{{0,2}}[{SIGNS}]"
LETTER = r"(?![²³¹¼-¾\u2070-\u2189])[^\W\d_]"  # no square and no half
ASCII = {0xFEE0 + ord(mark): mark for mark in "0123456789+-.,%()"} | str.maketrans("\u2212٫٬\u03bc", "-.,\u00b5")
UNIT = re.compile(
    rf"([+-](?=.*\d))?({MONEY}|(?:{'|'.join(WORDS['currency'])})(?=\s))?\s*([-+.,\deEdD{SPACES}]+?)\s*"
    rf"((?:{LETTER}|[°%‰\"″{SIGNS}])(?:{LETTER}|[°²³/·^%.])*)?"
)


def looks_like_number(text: str) -> bool:
    """Whether text may be a number by either decimal mark."""
    return LOOSE.fullmatch(_signed(text.strip())) is not None


def has_unit(text: str) -> bool:
    """Whether text is a number with a unit."""
    text = text.strip()
    unit = unit_of([text]) if any(map(str.isdecimal, text)) else ""
    return unit != "" and looks_like_number(without_unit(text, unit))


def _signed(text: str) -> str:
    """Return text in ASCII's marks, with a minus for accounts' parentheses or one at the end; long text as it is."""
    if len(text) > LONGEST:
        return text
    return ACCOUNTED.sub(r"-\1\2", text if text.isascii() else text.translate(ASCII))


def unit_of(texts: Iterable[str], letters: bool = True) -> str:
    """Return the unit, such as %, $ or kg, of all numbers in texts that are mostly numbers; ``letters`` may be one."""
    matches = [UNIT.fullmatch(_signed(text)) for text in texts]
    units = [_unit(match) for match in matches if match and (match[3] == "-" or looks_like_number(match[3]))]
    unit = units[0] if 2 * len(units) > len(matches) and len(set(units)) == 1 else ""
    return unit if letters or not any(map(str.isalpha, unit)) else ""


def differ_in_units(texts: Iterable[str]) -> bool:
    """Whether all texts are numbers, with units of which there are several."""
    matches = [UNIT.fullmatch(_signed(text)) for text in texts]
    return len(set(map(_unit, matches))) > 1 and all(match and looks_like_number(match[3]) for match in matches)


def _unit(match: re.Match[str] | None) -> str:
    return (match[2] or "") + (match[4] or "") if match else ""


def without_unit(text: str, unit: str) -> str:
    """Return text without its unit, and with a minus that Python reads."""
    text = EXPONENT.sub("E", _signed(text))
    match = UNIT.fullmatch(text) if unit else None
    if match and match[3] == "-" and re.fullmatch(MONEY, unit):
        return "0"
    return f"{match[1] or ''}{match[3]}" if match else text


def decimal_of(texts: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the first text that is a number by one decimal mark alone, and the first that is another by each."""
    clear: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    for text in texts:
        values = {mark: value for mark in OTHER if (value := number(text, mark)) is not None}
        if len(values) == 1:
            clear.setdefault(next(iter(values)), text)
        elif len({*values.values()}) == 2:
            doubtful.setdefault("." if "." in text else ",", text)
    return clear, doubtful


def number(text: str, decimal: str) -> float | None:
    """Return the number in text by a decimal mark, or None if there is none.

    Examples
    --------
    >>> from comparisons.data.decimals import number
    >>> number("1.234,5", ","), number("1'234", "."), number("12a", "."), number("1,5", ".")
    (1234.5, 1234.0, None, None)
    """
    if has_thousands(text, decimal):
        text = re.sub(rf"[{SPACES}{re.escape(OTHER[decimal])}]", "", text)
    text = text if decimal == "." else "" if "." in text else text.replace(",", ".")
    value = float(text) if NUMBER.fullmatch(text) else None
    return None if value in (float("inf"), float("-inf")) else value


def has_thousands(text: str, decimal: str) -> bool:
    """Whether a number in text has marks of thousands."""
    return THOUSANDS[decimal].fullmatch(text) is not None
