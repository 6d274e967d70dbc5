"""What this folder knows about the world as plain lists: words of tables, and kinds of files that are none."""

import re
import tomllib
from pathlib import Path
from typing import Any


def known(name: str) -> dict[str, Any]:
    """Return what the file ``<name>.toml`` of this folder lists."""
    return tomllib.loads((Path(__file__).parent / f"{name}.toml").read_text(encoding="utf-8"))


WORDS: dict[str, list[Any]] = known("words")


def called(*kinds: str) -> re.Pattern[str]:
    """Return the pattern of names or cells of the given kinds of words.

    Examples
    --------
    >>> from comparisons.data.words import called
    >>> bool(called("frequency").fullmatch("Häufigkeit")), bool(called("frequency").fullmatch("height"))
    (True, False)
    """
    return re.compile("|".join(f"(?:{word})" for kind in kinds for word in WORDS[kind]), re.IGNORECASE)
