"""Tables: in plain text, what an object prints of itself, and as frames."""

from collections.abc import Sequence
from typing import Any

from models.shown import shown


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


class Tabular:
    """What has a ``table``, or several ``tables``, lists of rows, which are also given as pandas frames."""

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The tables by name, the main one first."""
        whole: Any = self
        return {"table": whole.table}

    def to_frame(self, table: str | None = None) -> Any:
        """Return a table as a pandas frame, a row for each of its rows.

        Parameters
        ----------
        table : str or None
            Which of ``tables``; ``None`` is the first.

        Raises
        ------
        ValueError
            If there is no table of that name.
        """
        import pandas as pd

        tables = self.tables
        name = next(iter(tables)) if table is None else table
        if name not in tables:
            raise ValueError(f"table must be one of {', '.join(tables)}, got {shown(table)}")
        return pd.DataFrame(tables[name])
