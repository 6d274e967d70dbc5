"""The options of :func:`comparisons.data.read`, as Python arguments and as flags of every command."""

import csv
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Self

from comparisons.data.words import WORDS
from comparisons.declarations import Option
from models.shown import shown

MARKS = tuple(WORDS["mark"])
_MARKS = {"", *(mark.lower() for mark in MARKS)}
FLAGS = (
    Option("columns", None, "For your own file: features, a,b; every other column is left out", lists=True),
    Option("drop", None, "For your own file: names of columns to leave out", lists=True),
    Option("weights", None, "For your own file: column of frequencies; default: a column called count"),
    Option("index", None, "For your own file: column of the rows' labels"),
    Option("missing", None, f"For your own file: marks of missing cells besides empty, {' '.join(MARKS)}", lists=True),
    Option("decimal", None, "For your own file: decimal mark, if the file leaves it open", choices=(".", ",")),
    Option("encoding", None, "For your own file: encoding, such as cp1251, if it is not detected"),
)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How to read a file, as the user asked; the fields are explained in :func:`comparisons.data.read`."""

    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    weights: str | None = None
    index: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    sizes: tuple[str, str] | None = None  # the option of the family, and the column

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Check options, and return them as a reading."""
        checked = dict(given)
        for option in (option for option in FLAGS if option.name in given):
            value = given[option.name]
            if option.name in LISTS:
                checked[option.name] = _listed(option.name, value)
            elif not isinstance(value, str):
                raise ValueError(f"{option.name} must be text, got {shown(value)}")
            elif option.name == "encoding" and not _is_encoding(value):
                raise ValueError(f"encoding must be one that Python knows, such as utf-8 or cp1251, got {shown(value)}")
            option.check(value)
        return cls(**checked)

    def __post_init__(self) -> None:
        for name, times in Counter(name for _, name in self.named).items():
            if times > 1:
                options = " and ".join(option for option, other in self.named if other == name)
                raise ValueError(f"column {name!r} must be named by one option once, got it in {options}")

    @property
    def named(self) -> list[tuple[str, str]]:
        """Pairs of an option and a column that it names."""
        lists = {"columns": self.columns, "drop": self.drop, "weights": (self.weights,), "index": (self.index,)}
        of_sizes = [] if self.sizes is None else [self.sizes]
        return [*((option, name) for option, names in lists.items() for name in names if name is not None), *of_sizes]


LISTS = tuple(option.name for option in FLAGS if option.lists)
NAMES = frozenset(option.name for option in FLAGS)


def is_mark(text: str) -> bool:
    """Whether text is a mark of a missing cell, in any case, and with blanks or without."""
    return text.lower().replace(" ", "") in _MARKS


def split_reading(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Split options into those of reading a file and those of a family. An option that is None was not given."""
    given = {name: value for name, value in options.items() if value is not None}
    return {name: given.pop(name) for name in [*given] if name in NAMES}, given


def flag(name: str, values: Iterable[str]) -> str:
    """Return a flag with its values, quoted for a shell; a name in a list with commas gets quotes of its own.

    Examples
    --------
    >>> from comparisons.data.options import flag
    >>> flag("drop", ["id", "birth date"])
    "--drop 'id,birth date'"
    """
    quoted = set(',"\n') if name in LISTS else set()
    cells = (f'"{value.replace(chr(34), chr(34) * 2)}"' if quoted & set(value) else value for value in values)
    return f"--{name} {shlex.quote(','.join(cells))}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question that names the known name of the most similar spelling, or "".

    Examples
    --------
    >>> from comparisons.data.options import did_you_mean
    >>> did_you_mean("Faithfull", ["faithful", "galaxies"])
    '; did you mean faithful?'
    """
    by_lower = {one.lower(): one for one in known}
    near = get_close_matches(name.lower(), by_lower, n=1, cutoff=0.66)
    return f"; did you mean {by_lower[near[0]]}?" if near else ""


def check_names(reading: Reading, known: Sequence[str], guess: str = "") -> None:
    """Raise a ValueError if an option names a column that the file does not have.

    ``guess`` describes a guessed encoding, which may be why the names differ.
    """
    for option, name in reading.named:
        if name not in known:
            near = f"; {guess}" if guess else did_you_mean(name, known)
            raise ValueError(f"{option} must name columns of the file: {', '.join(known)}; got {shown(name)}{near}")


def _is_encoding(name: str) -> bool:
    """Whether Python knows an encoding of text by this name."""
    try:
        return "a".encode(name) != b""
    except (LookupError, ValueError):
        return False


def _listed(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        rows = csv.reader(value.splitlines(keepends=True) or [""], skipinitialspace=True)
        value = [cell.strip() for cells in rows for cell in cells]
    texts = tuple(f"{one}" for one in (value if isinstance(value, Iterable) else [value]))
    if not texts or (name != "missing" and not all(texts)):
        raise ValueError(f"{name} must list names such as a,b; got {shown(value)}")
    return texts
