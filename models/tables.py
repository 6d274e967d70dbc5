"""Tables in plain text: what an object prints of itself."""

from collections.abc import Sequence


def table_lines(rows: Sequence[Sequence[str]], sides: str = "") -> list[str]:
    """Return each row as a line, its columns flush left ("l") or right ("r").

    Without ``sides`` the first and the last column are flush left, those between them flush right.

    Examples
    --------
    >>> from models.tables import table_lines
    >>> table_lines([["parameter", "estimate", ""], ["weights[0]", "0.5", "frozen"]])
    ['parameter   estimate', 'weights[0]       0.5  frozen']
    >>> table_lines([["K", "status"], ["10", "ok"]], "rl")
    [' K  status', '10  ok']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    flush = {"l": str.ljust, "r": str.rjust}
    columns = list(zip(sides or f"l{'r' * (len(widths) - 2)}l", widths, strict=True))
    lines = (
        "  ".join(flush[side](cell, width) for cell, (side, width) in zip(row, columns, strict=True)) for row in rows
    )
    return [line.rstrip() for line in lines]
