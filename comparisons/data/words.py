"""Read the word lists of this folder, and make patterns of them.

``words.toml`` lists words that tables use; ``files.toml`` lists kinds of files that hold no table.
"""

import re
import tomllib
from pathlib import Path
from typing import Any


def known(name: str) -> dict[str, Any]:
    """Return the content of the file ``<name>.toml`` of this folder."""
    return tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text(encoding="utf-8"))


WORDS: dict[str, list[Any]] = known("words")


def pattern_of(*kinds: str) -> re.Pattern[str]:
    """Return a pattern that matches the words of the given kinds, as whole names of columns or whole cells.

    Examples
    --------
    >>> from comparisons.data.words import pattern_of
    >>> bool(pattern_of("frequency").fullmatch("Häufigkeit")), bool(pattern_of("frequency").fullmatch("height"))
    (True, False)
    """
    return re.compile("|".join(f"(?:{word})" for kind in kinds for word in WORDS[kind]), re.IGNORECASE)


def is_called(name: str, kind: str) -> bool:
    """Whether a column has a name of some kind, also as DaysInsured; False if there are no words of this kind."""
    return kind in WORDS and bool(pattern_of(kind).fullmatch(re.sub("(?<=[a-z])(?=[A-Z])", "_", name)))
