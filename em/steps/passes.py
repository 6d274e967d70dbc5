"""One pass over the data, E-step and sufficient statistics together, for all runs at once.

The definition is that of :mod:`em.steps`; rows are taken in chunks, and nothing of size n x K is held.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from em.bound import log_of, normalise
from em.engine.blocks import sum_over_chunks
from em.engine.problem import Arrays
from em.steps import Steps
from em.steps.rows import Rows, Statistics
from models.validation import Array


def exponential_expect(
    steps: Steps[Any], rows: Rows, weights: Array | None = None
) -> Callable[[Arrays, np.ndarray], tuple[Array, dict[str, Array]]]:
    """Return the E-step of many runs: Σ log p(x) without the base measure (R,), and statistics by number.

    Parameters
    ----------
    steps : Steps
        The family's formulas.
    rows : Rows
        Checked samples; sparse ones are never made dense.
    weights : ndarray, shape (n,) or (R, n), or None
        Frequencies, the same for all runs or those of each.

    Examples
    --------
    >>> import numpy as np
    >>> from em.bmm import BINOMIAL
    >>> from em.steps.passes import exponential_expect
    >>> theta = {"weights": np.array([[0.5, 0.5]]), "probs": np.array([[[0.9, 0.9], [0.1, 0.1]]])}
    >>> expect = exponential_expect(BINOMIAL, BINOMIAL.rows([[1.0, 1.0], [0.0, 0.0]]))
    >>> expect(theta, np.zeros(1, dtype=int))[1]["counts"]
    array([[1., 1.]])
    """

    def expect(theta: Arrays, runs: np.ndarray) -> tuple[Array, dict[str, Array]]:
        log_weights = log_of(theta["weights"])[:, None, :]
        of_runs = weights[runs] if weights is not None and weights.ndim == 2 else weights

        def step(part: slice) -> tuple[Array, dict[str, Array]]:
            block = rows[part]
            responsibilities, log_prob = normalise(log_weights + steps.log_kernel(block, theta), overwrite=True)
            if of_runs is not None:
                w = of_runs[..., part]
                responsibilities, log_prob = responsibilities * w[..., None], np.where(w > 0, log_prob, 0.0) * w
            return log_prob.sum(axis=1), statistics_arrays(steps.sums(block, responsibilities))

        R, K = theta["weights"].shape
        return sum_over_chunks(len(rows), R * K + rows.X.shape[1], step)

    return expect


def statistics_arrays(statistics: Statistics) -> dict[str, Array]:
    """Return statistics as arrays by name: "counts", and S_j by its number."""
    return {"counts": statistics.counts, **{str(j): S for j, S in enumerate(statistics.sums)}}


def statistics_of(arrays: Mapping[str, Array]) -> Statistics:
    """Return the statistics of arrays by name."""
    return Statistics(arrays["counts"], tuple(arrays[str(j)] for j in range(len(arrays) - 1)))
