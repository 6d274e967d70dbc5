"""Which optima the runs of a race found, and how often."""

from collections.abc import Sequence
from typing import Any

from em.engine.race import MET
from em.engine.run import Run


def optima(runs: Sequence[Run[Any]], times: Sequence[int] | None = None) -> list[dict[str, Any]]:
    """Return a row for each optimum, the best first: its objective, how often it was found, how far it is below.

    A run that left the race because it met a better one counts for the optimum of that one. Runs that collapsed, that
    left out of reach of the best, or when the best was known (:mod:`em.engine.race`), found none. One that reached
    ``max_iter`` counts for where it stopped.

    Parameters
    ----------
    runs : sequence of Run
        All in one race.
    times : sequence of int or None, default None
        How many starts each run stands for; ``None`` counts one for each.

    Examples
    --------
    >>> from em import GaussianMixtureEM
    >>> fit = GaussianMixtureEM(1).fit([[0.0], [1.0], [3.0]])
    >>> [(row["times_found"], row["nats_below_best"]) for row in fit.starts_]
    [(1, 0.0)]
    """
    found = times_found(runs, times)
    rows: list[dict[str, Any]] = []
    for r in sorted(found, key=lambda r: -runs[r].objective):
        if rows and rows[-1]["objective"] - runs[r].objective <= MET:
            rows[-1]["times_found"] += found[r]
        else:
            below = (rows[0]["objective"] if rows else runs[r].objective) - runs[r].objective
            rows.append({"objective": runs[r].objective, "times_found": found[r], "nats_below_best": below})
    return rows


def raised(rows: Sequence[dict[str, Any]], objective: float) -> list[dict[str, Any]]:
    """Return rows of optima with another objective of the first, which is no lower than the others.

    Examples
    --------
    >>> from em.engine.optima import raised
    >>> rows = [{"objective": -2.0, "nats_below_best": 0.0}, {"objective": -3.0, "nats_below_best": 1.0}]
    >>> raised(rows, -1.5)[1]
    {'objective': -3.0, 'nats_below_best': 1.5}
    """
    first = [{**row, "objective": objective} for row in rows[:1]]
    return [*first, *({**row, "nats_below_best": objective - row["objective"]} for row in rows[1:])]


def times_found(runs: Sequence[Run[Any]], times: Sequence[int] | None = None) -> dict[int, int]:
    """Return for each run that went to its end how many starts came to where it ended."""
    found: dict[int, int] = {}
    for r in range(len(runs)):
        last = r
        while (by := runs[last].beaten_by) is not None and runs[last].met:
            last = by
        if runs[last].beaten_by is None and not runs[last].collapsed:
            found[last] = found.get(last, 0) + (1 if times is None else times[r])
    return found
