"""Tell from runs on a random part of the rows which of them may be the best on all rows."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from em.samples.sketch import CLEARLY
from models.validation import Array

WORTH_A_PART = 4  # a part is used if there are at least 4 times more rows
SAME = 1e-9  # relative difference of objectives up to which two runs have the same optimum


def may_win(runs: Sequence[Any], best: Any, of_rows: Callable[[Any], Array], weights: Array | None) -> list[Any]:
    """Return those runs on a part of the rows that may be the best on all rows, the best first.

    A run is left out if it is clearly below the best run on average over the rows, where ``of_rows`` returns each row's
    part of a run's objective (m,), or if it ends at the same optimum as another run.
    """
    highest, going_on = of_rows(best), [best]
    for run in runs:
        new = not np.isclose(run.objective, [other.objective for other in going_on], rtol=SAME, atol=0).any()
        if new and not is_clear(highest - of_rows(run), weights):
            going_on.append(run)
    return going_on


def is_clear(gap: Array, weights: Array | None) -> bool:
    """Whether the mean over rows of a gap (m,) between two runs is more than 3 standard errors above 0.

    Then the mean over all rows, of which these are a random part, is above 0 too.

    Examples
    --------
    >>> import numpy as np
    >>> from em.samples.parts import is_clear
    >>> is_clear(np.array([1.0, 1.1, 0.9, 1.0]), None), is_clear(np.array([9.0, -8.0, 1.0, 0.0]), None)
    (True, False)
    """
    w = np.ones(len(gap)) if weights is None else weights
    mean = np.average(gap, weights=w)
    error = np.sqrt(np.average((gap - mean) ** 2, weights=w) / w.sum())
    return bool(mean > CLEARLY * error)
