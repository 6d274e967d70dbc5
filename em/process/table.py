"""Tables in plain text: what an object prints of itself."""

from collections.abc import Sequence


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return each row as a line: the first and the last column flush left, those between them flush right.

    Examples
    --------
    >>> from em.process.table import table_lines
    >>> table_lines([["parameter", "estimate", ""], ["weights[0]", "0.5", "frozen"]])
    ['parameter   estimate', 'weights[0]       0.5  frozen']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *between, last in rows:
        cells = [cell.rjust(width) for cell, width in zip(between, widths[1:-1], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *cells, last]).rstrip())
    return lines
