"""Show text that users chose (names of columns, titles, paths) as plain text, without markup or control sequences.

`plain` is for terminals and files, `label` for figures. Every name in a figure goes through `label`.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

NOT_SHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format and surrogate characters, separators of lines
LONGEST_LABEL = 60  # characters
MOST_LISTED = 20  # names in a sentence


def plain(text: Any) -> str:
    r"""Return text on one line; line breaks and characters that a terminal obeys become escapes such as ``\x1b``.

    Examples
    --------
    >>> from models.labels import plain
    >>> print(plain("red \x1b[31m name\n"))
    red \x1b[31m name\n
    """
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in NOT_SHOWN else c for c in str(text)
    )


def label(text: Any, longest: int = LONGEST_LABEL) -> str:
    r"""Return text as Matplotlib shows it letter by letter: a dollar sign opens no formula. Long text is cut.

    Examples
    --------
    >>> from models.labels import label
    >>> print(label("price ($), $x_{$"))
    price (\$), \$x_{\$
    """
    shown = plain(text)
    if len(shown) > longest:
        shown = f"{shown[: longest - 3]}..."
    return shown.replace("$", r"\$")


def some_of(names: Sequence[Any]) -> str:
    """Return names as text on one line; of more than twenty the first twenty, and how many more there are.

    Examples
    --------
    >>> from models.labels import some_of
    >>> some_of(["a", "b"]), some_of(range(600))[-24:]
    ('a, b', '18, 19, ... and 580 more')
    """
    more = f", ... and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"{', '.join(map(plain, names[:MOST_LISTED]))}{more}"
