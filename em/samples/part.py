"""When runs on a random part of the rows tell which lead on all: the gaps between them are means over rows."""

import numpy as np

from models.validation import Array

WORTH_A_PART = 4  # as many times more rows than a part has
CLEARLY = 3.0  # standard errors


def is_clear(gap: Array, weights: Array | None) -> bool:
    """Whether the mean of a gap (m,) between two runs, one number of each row, is above 0 by 3 of its standard errors.

    Then it is above 0 on all the rows that these are a part of, too.

    Examples
    --------
    >>> import numpy as np
    >>> from em.samples.part import is_clear
    >>> is_clear(np.array([1.0, 1.1, 0.9, 1.0]), None), is_clear(np.array([9.0, -8.0, 1.0, 0.0]), None)
    (True, False)
    """
    w = np.ones(len(gap)) if weights is None else weights
    mean = np.average(gap, weights=w)
    error = np.sqrt(np.average((gap - mean) ** 2, weights=w) / w.sum())
    return bool(mean > CLEARLY * error)
