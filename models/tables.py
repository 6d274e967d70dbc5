"""Tables as plain text and as pandas frames."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.shown import shown


def table_lines(rows: Sequence[Sequence[str]], sides: str = "") -> list[str]:
    """Return each row as a line, with its columns flush left ("l") or right ("r").

    Without ``sides`` the first and the last column are flush left, and those between them flush right.

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


def rows_of(columns: Mapping[str, Any], unknown: float | None = np.nan) -> list[dict[str, Any]]:
    """Return the rows of a table from its columns; NaN becomes ``unknown``.

    Examples
    --------
    >>> import numpy as np
    >>> from models.tables import rows_of
    >>> rows_of({"parameter": ["weights[0]", "probs[0]"], "sd": np.array([np.nan, 0.1])}, unknown=None)
    [{'parameter': 'weights[0]', 'sd': None}, {'parameter': 'probs[0]', 'sd': 0.1}]
    """
    values = (np.asarray(column).tolist() for column in columns.values())
    rows = (zip(columns, row, strict=True) for row in zip(*values, strict=True))
    return [{name: value if value == value else unknown for name, value in row} for row in rows]  # NaN is not itself


class Tabular:
    """Base class of objects with a ``table``, or several ``tables``, each a list of rows."""

    @property
    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """The tables by name, the main table first."""
        whole: Any = self
        return {"table": whole.table}

    def to_frame(self, table: str | None = None) -> Any:
        """Return a table as a pandas frame.

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
