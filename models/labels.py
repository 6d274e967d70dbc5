"""Text that users chose (names of columns, titles, paths) as plain text: never markup, never a control sequence.

`plain` is for terminals and files, `label` for figures. Every name that a figure shows goes through `label`.
"""

import unicodedata
from typing import Any

NOT_SHOWN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format and surrogate characters, separators of lines
LONGEST_LABEL = 60


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
