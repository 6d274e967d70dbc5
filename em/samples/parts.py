"""Tell from runs on a random part of the rows which of them may be the best on all rows."""

import numpy as np

from em.samples.sketch import CLEARLY
from models.validation import Array

WORTH_A_PART = 4  # a part is used if there are at least 4 times more rows


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
